//! Bytes from one socket to another without a copy, through a pipe: worth its calls where much is to move.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::watch::Watch;

/// What a pipe holds.
const PIPE_BYTES: usize = 256 * 1024;
/// Pipes that a worker keeps.
const KEPT_MAX: usize = 32;

thread_local! {
    static KEPT: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
}

/// An empty pipe between two calls. One that is dropped with something in it goes with that.
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    pub fn take() -> io::Result<Self> {
        if let Some(kept) = KEPT.with_borrow_mut(Vec::pop) {
            return Ok(kept);
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A smaller one does too.
        let _ = fcntl_setpipe_size(&write, PIPE_BYTES);
        Ok(Self { read, write })
    }

    /// Keeps it for the next one. It must be empty.
    pub fn give_back(self) {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < KEPT_MAX {
                kept.push(self);
            }
        });
    }

    /// Takes in so many bytes at most, without waiting; zero at the end of the source.
    pub fn fill(&self, from: &TcpStream, most: usize) -> io::Result<usize> {
        let most = most.min(PIPE_BYTES);
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        from.try_io(Interest::READABLE, || Ok(splice(from, None, &self.write, None, most, flags)?))
    }

    /// Hands on so many bytes, as fast as the sink takes them.
    pub async fn drain(&self, to: &TcpStream, mut left: usize, watch: &Watch, within_ms: u64) -> io::Result<()> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        while left > 0 {
            match to.try_io(Interest::WRITABLE, || Ok(splice(&self.read, None, to, None, left, flags)?)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => left -= bytes,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    watch.write_within(within_ms);
                    let waited = to.writable().await;
                    watch.write_done();
                    waited?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
