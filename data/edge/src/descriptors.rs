//! Descriptors of this process: how many it may have, and how many of them a worker may take for sockets.

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sockets of one worker at most, however many descriptors there are.
const SOCKETS_MAX: u64 = 50_000;
/// Descriptors that workers leave for health checks, listeners, files, and sockets to targets of clients that are there.
const RESERVED: u64 = 1_024;

/// Raises the limit as far as it goes: every connection needs two.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(e) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!("the limit on open files stays at {:?}: {e}", limit.current);
    }
}

/// Sockets that each of so many workers may have.
pub fn of_worker(workers: usize) -> usize {
    share(getrlimit(Resource::Nofile).current, workers)
}

fn share(limit: Option<u64>, workers: usize) -> usize {
    let limit = limit.unwrap_or(u64::MAX);
    let free = limit - RESERVED.min(limit / 4);
    let share = (free / (workers.max(1) as u64)).min(SOCKETS_MAX);
    usize::try_from(share).unwrap_or(usize::MAX)
}

/// Whether something failed because this process or machine had no descriptor or memory for it: that says nothing of the other
/// end.
pub fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| shortages.contains(&Errno::from_raw_os_error(code)))
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn workers_leave_descriptors_for_health_checks() {
        assert_eq!([share(Some(20_000), 2), share(Some(1_024), 4), share(Some(524_288), 8)], [9_488, 192, 50_000]);
        assert_eq!((share(None, 1), share(Some(0), 1)), (50_000, 0));
    }
}
