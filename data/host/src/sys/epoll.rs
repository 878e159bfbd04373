//! Waiting for many descriptors at once.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::check;

/// Most events taken in one turn of the loop.
const EVENTS_MAX: usize = 256;

pub(crate) struct Epoll(OwnedFd);

/// What happened to the descriptor that was registered under `token`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub token: u64,
    pub readable: bool,
}

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the new descriptor is owned at once.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) }))
    }

    /// Watches for reading.
    pub fn add(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN, token)
    }

    /// Watches for reading, for writing, or both.
    pub fn change(&self, fd: impl AsFd, token: u64, readable: bool, writable: bool) -> io::Result<()> {
        let interest = if readable { libc::EPOLLIN } else { 0 } | if writable { libc::EPOLLOUT } else { 0 };
        self.control(libc::EPOLL_CTL_MOD, fd, interest, token)
    }

    /// Stops watching. Needed although the descriptor is about to be closed: a copy in an instance may live on.
    pub fn remove(&self, fd: impl AsFd) {
        // A descriptor that was not watched is as good as one that no longer is.
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0).ok();
    }

    fn control(&self, operation: libc::c_int, fd: impl AsFd, interest: libc::c_int, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest.cast_unsigned(), u64: token };
        // SAFETY: `event` lives through the call and both descriptors are open.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd.as_fd().as_raw_fd(), &raw mut event) }).map(drop)
    }

    /// Waits for events, at most `timeout` (for ever when none). A signal ends the wait without events.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
        // Round up, so that a timer due in a fraction of a millisecond does not spin.
        let timeout_ms = timeout.map_or(-1, |t| i32::try_from(t.as_micros().div_ceil(1000)).unwrap_or(i32::MAX));
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        // SAFETY: the kernel writes at most `EVENTS_MAX` events into the array.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), EVENTS_MAX as libc::c_int, timeout_ms) };
        let count = match check(count) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            other => usize::try_from(other?).unwrap_or(0),
        };
        let ended = (libc::EPOLLERR | libc::EPOLLHUP).cast_unsigned();
        let ready = events
            .iter()
            .take(count)
            .map(|event| Ready { token: event.u64, readable: event.events & (libc::EPOLLIN.cast_unsigned() | ended) != 0 });
        Ok(ready.collect())
    }
}
