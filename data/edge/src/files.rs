//! The edge's own files, below `run`: replaced whole, and taken away.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    All,
    /// It has keys in it.
    Owner,
}

/// Replaces a file as a whole: whoever reads it sees the old or the new one. Under `run`, which no reboot survives, so
/// that nothing waits for a disk.
pub fn write_atomically(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mode = if readers == Readers::Owner { 0o600 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
    // One that an edge has left behind keeps the mode that it had.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    fs::rename(fresh, path)
}

/// Takes a file away; one that is not there has gone already.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}
