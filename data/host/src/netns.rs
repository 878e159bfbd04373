//! Network namespaces held by descriptors and pinned under the run directory, so that they outlive this process.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::sys::{check, mount};

const OWN: &str = "/proc/self/ns/net";

#[derive(Debug)]
pub(crate) struct Namespace(OwnedFd);

/// While this lives, the process is inside another namespace; dropping it goes back.
pub(crate) struct Inside<'a>(BorrowedFd<'a>);

impl Namespace {
    /// The one in which this process is.
    pub fn current() -> io::Result<Self> {
        Ok(Self(fs::File::open(OWN)?.into()))
    }

    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = fs::File::open(path)?;
        let namespace = Self(file.into());
        // A pin whose mount is gone is a plain file: entering proves it is none.
        let home = Self::current()?;
        drop(namespace.enter(&home)?);
        Ok(namespace)
    }

    /// Makes an empty namespace and pins it at `path`.
    pub fn create(path: &Path, home: &Namespace) -> io::Result<Self> {
        unpin(path)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, "")?;
        // SAFETY: no pointers; the process has one thread, which `Inside` brings back.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        let _inside = Inside(home.0.as_fd());
        let namespace = Self::current()?;
        mount::bind(OWN, path)?;
        Ok(namespace)
    }

    /// Goes in until the guard is dropped, which leads to `home`.
    pub fn enter<'a>(&self, home: &'a Namespace) -> io::Result<Inside<'a>> {
        self.set()?;
        Ok(Inside(home.0.as_fd()))
    }

    fn set(&self) -> io::Result<()> {
        // SAFETY: no pointers.
        check(unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        // SAFETY: no pointers.
        let back = check(unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) });
        if let Err(e) = back {
            // To go on in the wrong namespace would mix up networks. Nothing is lost: a new host adopts everything.
            tracing::error!("cannot return to the machine's own network namespace: {e}");
            std::process::abort();
        }
    }
}

/// Removes a pin, if there is one.
pub(crate) fn unpin(path: &Path) -> io::Result<()> {
    match mount::detach(path) {
        Err(e) if !matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => return Err(e),
        _ => {}
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
