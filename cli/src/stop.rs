//! `allod down`: the end of a stack, or of everything that runs.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use world::{Frame, RunPaths};

use crate::arguments::Down;
use crate::client::Client;
use crate::deploy;
use crate::output::out;
use crate::{Failure, NOT_RUNNING};

const STOP_MAX: Duration = Duration::from_secs(60);

pub fn down(paths: &RunPaths, arguments: &Down) -> Result<(), Failure> {
    if let Some(name) = &arguments.stack_name {
        return deploy::delete(paths, name);
    }
    let there = paths.data().exists();
    if there && !rustix::process::geteuid().is_root() {
        return Err(Failure::new("only root can stop a region: it removes the namespaces, mounts and cgroups of its instances"));
    }
    if arguments.purge {
        check_purgeable(paths)?;
    }
    match Client::connect(paths) {
        Ok(client) => shut_down(paths, &client)?,
        Err(none) if none.code == NOT_RUNNING => {}
        Err(e) => return Err(e),
    }
    if server::is_running(paths)? {
        return Err(Failure::new("a region runs there but does not answer: `allod logs serve` tells why"));
    }
    end_executors(paths)?;
    // Also what an earlier crash left: processes, namespaces, mounts, cgroups.
    host::purge(paths).map_err(|e| Failure::new(format!("not everything could be removed: {e}")))?;
    if arguments.purge && there {
        fs::remove_dir_all(paths.data()).map_err(|e| Failure::new(format!("{}: {e}", paths.data().display())))?;
        out!("Deleted {}", paths.data().display());
    }
    out!("Nothing runs any more");
    Ok(())
}

fn shut_down(paths: &RunPaths, client: &Client) -> Result<(), Failure> {
    out!("Stopping the region at {}", client.endpoint.url);
    client.ask("/_allod/shutdown", &json!({}))?;
    let deadline = Instant::now() + STOP_MAX;
    while client.is_alive() || server::is_running(paths)? {
        if Instant::now() >= deadline {
            return Err(Failure::new("the region does not stop: `allod logs serve` tells why"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Nothing is deleted but a region's data: `--data` may be a slip.
fn check_purgeable(paths: &RunPaths) -> Result<(), Failure> {
    let Ok(mut entries) = fs::read_dir(paths.data()) else { return Ok(()) };
    let is_ours =
        ["region.json", "region.redb", "credentials.json", "serve.lock"].iter().any(|name| paths.data().join(name).is_file());
    if is_ours || entries.next().is_none() {
        return Ok(());
    }
    Err(Failure::new(format!("{} holds no region: it is not deleted", paths.data().display())))
}

/// Ends the executors; one that was started just now is waited for until it listens.
fn end_executors(paths: &RunPaths) -> Result<(), Failure> {
    let deadline = Instant::now() + STOP_MAX;
    let mut told = Vec::new();
    loop {
        for socket in [paths.edge_socket(), paths.host_socket()] {
            end_executor(&socket)?;
        }
        let left = executors(paths);
        let Some((pid, _)) = left.first().copied() else { return Ok(()) };
        // An edge that another one has taken over from listens no more, and would stay for its last connections.
        for (pid, name) in left {
            if name == "edge" && !told.contains(&pid) {
                told.push(pid);
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        if Instant::now() >= deadline {
            let pid = pid.as_raw_nonzero();
            return Err(Failure::new(format!("process {pid} of the region does not end: `allod logs` tells why")));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Processes with their names that run `allod host` or `allod edge` for this data directory. The inits of instances look like
/// the host that they were cloned from, but live in PID namespaces of their own.
fn executors(paths: &RunPaths) -> Vec<(Pid, &'static str)> {
    let namespace = |process: &Path| fs::read_link(process.join("ns/pid")).ok();
    let ours = namespace(Path::new("/proc/self"));
    let name_of = |process: &Path| {
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        let arguments: Vec<&[u8]> = arguments.split(|b| *b == 0).collect();
        let data = paths.data().as_os_str().as_encoded_bytes();
        match arguments[..] {
            [_, b"host", b"--data", at, b""] if at == data => Some("host"),
            [_, b"edge", b"--data", at, b""] if at == data => Some("edge"),
            _ => None,
        }
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| Some((Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?, entry.path())));
    pids.filter_map(|(pid, process)| Some((pid, name_of(&process).filter(|_| namespace(&process) == ours)?))).collect()
}

/// Tells an executor to end what it runs and itself, and waits until it is gone. One that does not run is gone.
fn end_executor(socket: &Path) -> Result<(), Failure> {
    let Ok(mut stream) = UnixStream::connect(socket) else { return Ok(()) };
    stream.set_read_timeout(Some(STOP_MAX))?;
    stream.write_all(&Frame::Shutdown { purge: true }.encode()?)?;
    let mut ignored = [0; 4096];
    loop {
        match stream.read(&mut ignored) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(e) => return Err(Failure::new(format!("{} does not end: {e}", socket.display()))),
        }
    }
}
