//! Thin wrappers around the system calls that the standard library lacks. Each checks its result and owns the
//! descriptors it makes; none knows what an instance is.

pub(crate) mod epoll;
pub(crate) mod mount;
pub(crate) mod process;
pub(crate) mod socket;

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Turns C's "-1 and errno" into a result.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for `syscall`.
pub(crate) fn check_long(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A path as C wants it. A path with a zero byte names nothing.
pub(crate) fn c_path(path: impl AsRef<Path>) -> io::Result<CString> {
    CString::new(path.as_ref().as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}
