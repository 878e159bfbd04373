//! `allod restart edge`: the edge of this very binary in the place of the one that runs.

use std::thread;
use std::time::{Duration, Instant};

use edge::FrontReport;
use rustix::process::geteuid;
use server::last_line;
use world::RunPaths;

use crate::Failure;
use crate::output::out;
use crate::region::start_detached;

/// How long the new edge may take until it serves.
const TAKE_OVER_MAX: Duration = Duration::from_secs(30);

pub fn edge(paths: &RunPaths) -> Result<(), Failure> {
    if !geteuid().is_root() {
        return Err(Failure::new("only root can start an edge: it opens sockets inside the VPCs' network namespaces"));
    }
    let Some(old) = FrontReport::read(paths) else {
        return Err(Failure::not_running(format!("no edge runs in {}", paths.data().display())));
    };
    let mut new = start_detached(paths, "edge")?;
    let deadline = Instant::now() + TAKE_OVER_MAX;
    loop {
        if let Some(now) = FrontReport::read(paths).filter(|now| now.pid == new.id()) {
            out!("The edge {} (process {}) serves now; process {} ends with its last connections", now.version, now.pid, old.pid);
            return Ok(());
        }
        if let Some(status) = new.try_wait()? {
            let why = last_line(&paths.logs().join("edge.log"));
            return Err(Failure::new(format!("the new edge ended ({status}), the old one goes on: {why}")));
        }
        if Instant::now() >= deadline {
            let text = format!("the new edge (process {}) does not take over: `allod logs edge` tells why", new.id());
            return Err(Failure::new(text));
        }
        thread::sleep(Duration::from_millis(5));
    }
}
