//! Processes: made with `clone3`, held by pidfds, stripped of capabilities.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::{check, check_long};

/// Number of a process in the host's own PID namespace.
pub(crate) type Pid = libc::pid_t;

/// CLONE_INTO_CGROUP, which `libc` has in too narrow a type.
const INTO_CGROUP: u64 = 0x2_0000_0000;

pub(crate) enum Cloned {
    Child,
    Parent { pid: Pid, pidfd: OwnedFd },
}

/// `fork` with new namespaces, born in the v2 cgroup whose directory is `cgroup`.
///
/// # Safety
/// The calling process must have one thread only: the child gets a copy of that thread alone, and a lock held by
/// another would stay locked for ever.
pub(crate) unsafe fn clone(flags: libc::c_int, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    let flags = u64::from(flags.cast_unsigned()) | libc::CLONE_PIDFD as u64;
    // SAFETY: zeros mean "nothing asked"; `pidfd` lives through the call; without CLONE_VM the child has a memory
    // and a stack of its own.
    let pid = unsafe {
        let mut arguments: libc::clone_args = std::mem::zeroed();
        arguments.flags = flags;
        arguments.pidfd = &raw mut pidfd as u64;
        arguments.exit_signal = libc::SIGCHLD as u64;
        if let Some(cgroup) = cgroup {
            arguments.flags |= INTO_CGROUP;
            arguments.cgroup = u64::try_from(cgroup.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
        }
        check_long(libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()))?
    };
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel made this descriptor for the parent.
    Ok(Cloned::Parent { pid: pid as Pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// Holds a process, so that its number cannot come to mean another.
pub(crate) fn open_pidfd(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the new descriptor is owned at once.
    unsafe { Ok(OwnedFd::from_raw_fd(check_long(libc::syscall(libc::SYS_pidfd_open, pid, 0))? as RawFd)) }
}

pub(crate) fn signal(pidfd: impl AsFd, signal: libc::c_int) -> io::Result<()> {
    let null = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo means a plain `kill`.
    check_long(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_fd().as_raw_fd(), signal, null, 0) }).map(drop)
}

/// Waits until `number` is sent to this process, which must have blocked it.
pub(crate) fn await_signal(number: libc::c_int) -> io::Result<()> {
    // SAFETY: the set is filled before it is used and lives through the calls; a null siginfo is allowed.
    unsafe {
        let mut awaited: libc::sigset_t = std::mem::zeroed();
        check(libc::sigemptyset(&raw mut awaited))?;
        check(libc::sigaddset(&raw mut awaited, number))?;
        while libc::sigwaitinfo(&raw const awaited, std::ptr::null_mut()) < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Status(i32),
    Signal(i32),
    /// It is gone, and nobody can tell how (not our child, on a kernel before 6.15).
    Unknown,
}

/// How process `pid`, which is held by `pidfd`, ended; none while it runs. Reaps it when it is our child.
pub(crate) fn ended(pid: Pid, pidfd: impl AsFd) -> io::Result<Option<Ended>> {
    let pidfd = pidfd.as_fd();
    let id = libc::id_t::try_from(pidfd.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: a zeroed siginfo is valid to be overwritten, and its pid field is set by `waitid` (zero: still runs).
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED | libc::WNOHANG) == 0 {
            if info.si_pid() == 0 {
                return Ok(None);
            }
            let status = info.si_status();
            return Ok(Some(if info.si_code == libc::CLD_EXITED { Ended::Status(status) } else { Ended::Signal(status) }));
        }
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ECHILD) { Ok(ended_stranger(pid, pidfd)) } else { Err(error) }
}

/// The same for a process that another parent reaps, such as an instance started by the host before us.
fn ended_stranger(pid: Pid, pidfd: BorrowedFd<'_>) -> Option<Ended> {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    if unsafe { libc::poll(&raw mut poll, 1, 0) } == 0 {
        return None;
    }
    // Its parent may reap it at any moment: before that `/proc` knows, after that the pidfd does (from Linux 6.15).
    let status = zombie_status(pid, pidfd).or_else(|| reaped_status(pidfd));
    Some(status.map_or(Ended::Unknown, |status| {
        if libc::WIFSIGNALED(status) { Ended::Signal(libc::WTERMSIG(status)) } else { Ended::Status(libc::WEXITSTATUS(status)) }
    }))
}

fn reaped_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    // SAFETY: the kernel fills the structure, whose zeros are valid, and looks at `mask` first.
    let (result, info) = unsafe {
        let mut info: libc::pidfd_info = std::mem::zeroed();
        info.mask = u64::from(libc::PIDFD_INFO_EXIT);
        (libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info), info)
    };
    (result == 0 && info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0).then_some(info.exit_code)
}

fn zombie_status(pid: Pid, pidfd: BorrowedFd<'_>) -> Option<i32> {
    let status = stat_field(&format!("/proc/{pid}/stat"), 52).ok()?;
    // Still to be reaped, so the number was still its own when the file was read.
    signal(pidfd, 0).ok()?;
    i32::try_from(status).ok()
}

/// A number in `/proc/PID/stat`, its fields counted from 1 as in proc(5).
fn stat_field(path: &str, number: usize) -> io::Result<u64> {
    let stat = std::fs::read_to_string(path)?;
    // The name, second field, may hold anything; nothing after its closing parenthesis does.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = rest.split_whitespace().nth(number - 3);
    field.and_then(|field| field.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// When the process started, in clock ticks since the machine did: with the number, it names a process for ever.
pub(crate) fn start_time_ticks(pid: Pid) -> io::Result<u64> {
    stat_field(&format!("/proc/{pid}/stat"), 22)
}

/// Becomes user and group `uid`, `gid` with no further groups.
pub(crate) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: no pointers but a null with length zero.
    unsafe {
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setresgid(gid, gid, gid))?;
        check(libc::setresuid(uid, uid, uid)).map(drop)
    }
}

/// What an instance's root may do within its own namespaces: Docker's default without MKNOD, and with SYS_BOOT,
/// which inside a PID namespace only ends that namespace.
const CAPABILITIES_KEPT: [u32; 14] = [
    0,  // CHOWN
    1,  // DAC_OVERRIDE
    3,  // FOWNER
    4,  // FSETID
    5,  // KILL
    6,  // SETGID
    7,  // SETUID
    8,  // SETPCAP
    10, // NET_BIND_SERVICE
    13, // NET_RAW
    18, // SYS_CHROOT
    22, // SYS_BOOT
    29, // AUDIT_WRITE
    31, // SETFCAP
];

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct CapabilitySet {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// Gives up every capability that is not kept, for this process and all that it starts.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: no pointers. A capability that the kernel does not know gives EINVAL: it is the last.
        let dropped = CAPABILITIES_KEPT.contains(&capability)
            || unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) } == 0;
        if !dropped {
            let error = io::Error::last_os_error();
            if error.raw_os_error() == Some(libc::EINVAL) {
                break;
            }
            return Err(error);
        }
    }
    let kept = CAPABILITIES_KEPT.iter().fold(0_u32, |set, capability| set | 1 << capability);
    let header = CapabilityHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let none = CapabilitySet { effective: 0, permitted: 0, inheritable: 0 };
    let sets = [CapabilitySet { effective: kept, permitted: kept, inheritable: 0 }, none];
    // SAFETY: version 3 reads one header and two sets, which live through the call.
    check_long(unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) }).map(drop)
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: the caller never touches those descriptors again: it is a fresh clone that never returns.
    check_long(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) }).map(drop)
}

/// Keeps others of the same user from reading this process's memory and descriptors.
pub(crate) fn hide_memory() -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }).map(drop)
}

/// Replaces the name and the command line that `ps` shows.
pub(crate) fn set_title(title: &str) -> io::Result<()> {
    let name = std::ffi::CString::new(title)?;
    // SAFETY: the name lives through the call.
    check(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) })?;
    // The bounds of the memory that holds the arguments.
    let bound = |number| Ok::<_, io::Error>(usize::try_from(stat_field("/proc/self/stat", number)?).unwrap_or(0));
    let (start, end) = (bound(48)?, bound(49)?);
    if start == 0 || end <= start {
        return Ok(());
    }
    // SAFETY: the kernel says that this range holds the arguments, which are writable and, after the clone,
    // this process's alone; nobody here reads them any more.
    let arguments = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, end - start) };
    arguments.fill(0);
    let shown = title.len().min(arguments.len() - 1);
    arguments[..shown].copy_from_slice(&title.as_bytes()[..shown]);
    Ok(())
}

/// Allows this process as many descriptors as it may allow itself.
pub(crate) fn raise_descriptor_limit() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit lives through both calls.
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)).map(drop)
    }
}
