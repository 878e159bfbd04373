//! The console log of an instance as others read it. Its init writes it (`init/console.rs`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use base::InstanceId;
use world::RunPaths;

use crate::naming;

/// What `GetConsoleOutput` shows: the last 64 KiB (EC2 API Reference).
pub const SHOWN_BYTES: usize = 64 * 1024;
/// The file is cut back to `SHOWN_BYTES` when it would grow past this.
pub(crate) const LOG_BYTES_MAX: u64 = 1024 * 1024;

pub(crate) fn path(paths: &RunPaths, id: &InstanceId) -> PathBuf {
    paths.instances().join(id.as_str()).join("console.log")
}

/// The last `SHOWN_BYTES` of what an instance wrote to its console, whether it runs or not and whether a host runs or
/// not. `NotFound` when there is no such instance or it never started.
pub fn console_output(paths: &RunPaths, id: &InstanceId) -> io::Result<Vec<u8>> {
    if !naming::is_plain(id) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut file = File::open(path(paths, id))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SHOWN_BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.take(SHOWN_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
