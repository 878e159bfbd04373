//! Mounts, the old way and with detached trees.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use super::{c_path, check, check_long};

/// `mount(2)`. `data` are the file system's own options.
pub(crate) fn mount(source: &str, target: impl AsRef<Path>, kind: &str, flags: libc::c_ulong, data: &str) -> io::Result<()> {
    let (source, kind, data) = (CString::new(source)?, CString::new(kind)?, CString::new(data)?);
    let target = c_path(target)?;
    // SAFETY: all four strings end in a zero byte and live through the call.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) }).map(drop)
}

/// Shows `source` at `target` too.
pub(crate) fn bind(source: impl AsRef<Path>, target: impl AsRef<Path>) -> io::Result<()> {
    let (source, target) = (c_path(source)?, c_path(target)?);
    // SAFETY: both paths live through the call; a bind mount reads neither kind nor data.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), std::ptr::null(), libc::MS_BIND, std::ptr::null()) }).map(drop)
}

/// Takes a mount away from the tree now, and frees it when the last user is gone.
pub(crate) fn detach(target: impl AsRef<Path>) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: the path lives through the call.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) }).map(drop)
}

/// A copy of the mount at `path`, attached nowhere yet, its ids shifted by `user_namespace` when there is one.
/// Read-only when shifted: an overlay's lower layer.
pub(crate) fn detached_tree(path: impl AsRef<Path>, user_namespace: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC.cast_unsigned();
    // SAFETY: the path lives through the call; the new descriptor is owned at once.
    let tree = unsafe {
        let fd = check_long(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags))?;
        OwnedFd::from_raw_fd(fd as RawFd)
    };
    let attributes = match user_namespace {
        Some(namespace) => libc::mount_attr {
            attr_set: libc::MOUNT_ATTR_IDMAP | libc::MOUNT_ATTR_RDONLY,
            attr_clr: 0,
            propagation: libc::MS_PRIVATE,
            userns_fd: u64::try_from(namespace.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?,
        },
        None => libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 },
    };
    set_attributes(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH, &attributes)?;
    Ok(tree)
}

/// Makes the mount at `path` read-only for good.
pub(crate) fn make_read_only(path: impl AsRef<Path>) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    set_attributes(libc::AT_FDCWD, &c_path(path)?, 0, &attributes)
}

fn set_attributes(directory: RawFd, path: &CStr, flags: libc::c_int, attributes: &libc::mount_attr) -> io::Result<()> {
    // SAFETY: path and attributes live through the call and the size is the structure's own.
    check_long(unsafe {
        let size = size_of::<libc::mount_attr>();
        libc::syscall(libc::SYS_mount_setattr, directory, path.as_ptr(), flags, std::ptr::from_ref(attributes), size)
    })
    .map(drop)
}

/// Attaches a detached tree at `target`.
pub(crate) fn attach(tree: impl AsFd, target: impl AsRef<Path>) -> io::Result<()> {
    let target = c_path(target)?;
    let tree = tree.as_fd().as_raw_fd();
    // SAFETY: the paths live through the call.
    check_long(unsafe {
        let flags = libc::MOVE_MOUNT_F_EMPTY_PATH;
        libc::syscall(libc::SYS_move_mount, tree, c"".as_ptr(), libc::AT_FDCWD, target.as_ptr(), flags)
    })
    .map(drop)
}

/// Makes `root` the root directory and lets go of everything that was mounted before.
pub(crate) fn pivot_into(root: impl AsRef<Path>) -> io::Result<()> {
    std::env::set_current_dir(root)?;
    // SAFETY: the strings are constants. Stacking the old root under "." needs no directory for it.
    check_long(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    detach(".")?;
    std::env::set_current_dir("/")
}
