//! `allod down`: the end of a stack, or of everything that runs.

use std::fs;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use world::RunPaths;

use crate::Failure;
use crate::arguments::Down;
use crate::client::Client;
use crate::deploy;

const STOP_MAX: Duration = Duration::from_secs(60);

pub fn down(paths: &RunPaths, arguments: &Down) -> Result<(), Failure> {
    if let Some(name) = &arguments.stack_name {
        return deploy::delete(paths, name);
    }
    if let Ok(client) = Client::connect(paths) {
        println!("Stopping the region at {}", client.endpoint.url);
        client.ask("/_allod/shutdown", &json!({}))?;
        let deadline = Instant::now() + STOP_MAX;
        while client.is_alive() {
            if Instant::now() >= deadline {
                return Err(Failure::new("the region does not stop: `allod logs serve` tells why"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    // Also what an earlier crash left: processes, namespaces, mounts, cgroups.
    host::purge(paths).map_err(|e| Failure::new(format!("not everything could be removed: {e}")))?;
    if arguments.purge {
        match fs::remove_dir_all(paths.data()) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(Failure::new(format!("{}: {e}", paths.data().display())));
            }
            _ => println!("Deleted {}", paths.data().display()),
        }
    }
    println!("Nothing runs any more");
    Ok(())
}
