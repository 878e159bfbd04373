//! The host executor: makes instances and VPC networks real on Linux, with namespaces, cgroups, overlays and nftables.
//!
//! It owns what it makes and nothing else: it knows no AWS service and decides nothing; `serve` tells it what should
//! be, slot by slot, and it answers with what is. It is one small process with one thread, and replaceable: killed and
//! started again it finds everything and goes on, while the instances, whose init is a process of their own, do not
//! notice. It never stops because `serve` did.

#[cfg(not(target_os = "linux"))]
compile_error!("the host executor needs Linux: namespaces, cgroups, overlayfs and nftables");

mod cgroup;
mod console;
mod control;
mod disk;
mod endpoint;
mod events;
mod executor;
mod failure;
pub mod image;
mod init;
mod metadata;
mod naming;
mod netlink;
mod netns;
mod network;
mod nft;
mod nftables;
mod process;
mod records;
mod relay;
mod rootfs;
mod skeleton;
mod sys;

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use world::RunPaths;

pub use console::{SHOWN_BYTES as CONSOLE_SHOWN_BYTES, console_output};

use cgroup::Cgroups;
use control::{Control, Ending};
use executor::Executor;
use failure::{During, Failure};

/// How long `purge` waits for killed processes.
const PURGE: Duration = Duration::from_secs(20);

/// How long a taken lock is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_STEP: Duration = Duration::from_millis(5);

/// What a host needs to know.
#[derive(Clone, Debug)]
pub struct HostOptions {
    pub paths: RunPaths,
}

/// Why a host cannot run.
#[derive(Debug)]
pub enum HostError {
    /// The process is not root.
    NotRoot,
    /// Another host holds this data directory.
    AlreadyRunning(PathBuf),
    /// Something that it needs is missing or failed; the sentence says what.
    Failed(String),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::NotRoot => f.write_str(
                "the host needs root: it makes network namespaces, cgroups and file systems for instances. Without root the API, \
                 the control plane and simulation work; instances, VPC networks and load balancers in front of them do not",
            ),
            HostError::AlreadyRunning(data) => write!(f, "another host runs for {}", data.display()),
            HostError::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for HostError {}

impl From<Failure> for HostError {
    fn from(failure: Failure) -> Self {
        HostError::Failed(failure.to_string())
    }
}

/// Runs the host until `serve` says `Shutdown`. The calling process must have one thread only, and should do nothing
/// else: instances are cloned from it. With `Shutdown { purge: true }` everything goes but the disks and console logs
/// of instances that were not terminated.
pub fn run(options: HostOptions) -> Result<(), HostError> {
    let paths = options.paths;
    let lock = prepare(&paths)?;
    // Each instance and each connection takes some; programs inside get limits of their own.
    sys::process::raise_descriptor_limit().during("raising the limit of descriptors")?;
    let mut executor = Executor::open(paths.clone())?;
    let mut control = Control::listen(&paths.host_socket(), &mut executor.events)?;
    tracing::info!("the host for {} is ready", paths.data().display());
    let ending = control.run(&mut executor)?;
    if ending == Ending::Purge {
        executor.purge()?;
        fs::remove_file(paths.host_socket()).ok();
        lock.remove();
    }
    Ok(())
}

/// Removes everything that hosts of this data directory made and that still is: processes, cgroups, namespaces, mounts
/// and files under `run`. Disks and console logs of instances stay. Refuses while a host runs: that one can be told
/// `Shutdown { purge: true }`.
pub fn purge(paths: &RunPaths) -> Result<(), HostError> {
    if !paths.run().exists() {
        return Ok(());
    }
    let lock = prepare(paths)?;
    let cgroups = Cgroups::open(&executor::region_name(paths))?;
    executor::remove_leftovers(paths, &cgroups, Instant::now() + PURGE)?;
    fs::remove_file(paths.host_socket()).ok();
    lock.remove();
    Ok(())
}

/// Checks that a host can work here and takes the data directory's lock.
fn prepare(paths: &RunPaths) -> Result<Lock, HostError> {
    // SAFETY: no pointers, and it cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Err(HostError::NotRoot);
    }
    let failed = |e: io::Error| HostError::Failed(format!("{}: {e}", paths.run().display()));
    fs::create_dir_all(paths.run()).map_err(failed)?;
    match Lock::take(paths.run().join("host.lock")).map_err(failed)? {
        Some(lock) => Ok(lock),
        None => Err(HostError::AlreadyRunning(paths.data().to_path_buf())),
    }
}

/// Held by a host for as long as it lives.
struct Lock {
    path: PathBuf,
    _file: fs::File,
}

impl Lock {
    /// None when another process holds it, and goes on to.
    fn take(path: PathBuf) -> io::Result<Option<Self>> {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::MetadataExt;
        // A host that was killed just now may have left a clone that has not closed the file yet.
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            // SAFETY: no pointers.
            if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } < 0 {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Err(error);
                }
                if Instant::now() >= deadline {
                    return Ok(None);
                }
                std::thread::sleep(LOCK_STEP);
                continue;
            }
            // A host that ended meanwhile may have removed the file: then this lock is on nothing.
            if fs::metadata(&path).is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino())) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }

    /// Leaves no file behind.
    fn remove(self) {
        fs::remove_file(&self.path).ok();
    }
}
