//! One region runs in a data directory: a lock that is held for as long as its process lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use world::RunPaths;

use crate::StartError;

/// Whether a region runs in this data directory, be it that it answers or not.
pub fn is_running(paths: &RunPaths) -> io::Result<bool> {
    match File::open(file(paths)) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => Err(e),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn file(paths: &RunPaths) -> PathBuf {
    paths.data().join("serve.lock")
}

/// Takes the data directory's lock, or says that another region has it. A process that was killed has it no more.
pub(crate) fn take(paths: &RunPaths) -> Result<File, StartError> {
    let path = file(paths);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Taken(paths.data().to_path_buf())),
        Err(TryLockError::Error(e)) => Err(e.into()),
    }
}
