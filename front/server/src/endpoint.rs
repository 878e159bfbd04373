use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use world::RunPaths;

/// Where a running region is reached, left in the data directory for the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Such as `http://127.0.0.1:4566`.
    pub url: String,
    pub region: String,
    /// Process id of `allod serve`.
    pub pid: u32,
}

/// Reads where the region is reached; none when it was never started or has ended in order. After a crash the
/// endpoint is still there: whoever uses it sees that nobody answers.
pub fn read_endpoint(paths: &RunPaths) -> io::Result<Option<Endpoint>> {
    match fs::read(paths.endpoint()) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io::Error::new(e.kind(), format!("{}: {e}", paths.endpoint().display()))),
    }
}

pub(crate) fn write(paths: &RunPaths, endpoint: &Endpoint) -> io::Result<()> {
    let new = paths.endpoint().with_extension("new");
    fs::write(&new, serde_json::to_vec_pretty(endpoint)?)?;
    fs::rename(new, paths.endpoint())
}

pub(crate) fn remove(paths: &RunPaths) {
    let _ = fs::remove_file(paths.endpoint());
}
