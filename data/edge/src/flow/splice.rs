//! Bytes from one socket to another without a copy, through a pipe: worth its calls where much comes at once.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::carry::{Broken, Way};

/// What a pipe holds.
const PIPE_BYTES: usize = 256 * 1024;
/// Pipes that a worker keeps.
const KEPT_MAX: usize = 32;
/// Less than this at once is better copied.
const MUCH_BYTES: usize = 16 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
}

/// An empty pipe. One that is dropped with something in it goes with that.
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    fn take() -> io::Result<Self> {
        if let Some(kept) = KEPT.with_borrow_mut(Vec::pop) {
            return Ok(kept);
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A smaller one does too.
        let _ = fcntl_setpipe_size(&write, PIPE_BYTES);
        Ok(Self { read, write })
    }

    fn give_back(self) {
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < KEPT_MAX {
                kept.push(self);
            }
        });
    }
}

/// Why moving has stopped.
pub enum Moved {
    /// The source has said all.
    All,
    /// So little comes, or there is so little to do it with, that copying is better.
    Little,
}

/// Moves bytes for as long as there are many.
pub async fn splice(way: &Way<'_>, from: &TcpStream, to: &TcpStream) -> Result<Moved, Broken> {
    let Ok(pipe) = Pipe::take() else { return Ok(Moved::Little) };
    loop {
        let bytes = match from.try_io(Interest::READABLE, || from_socket(from, &pipe)) {
            Ok(0) => {
                pipe.give_back();
                return way.ended().map(|()| Moved::All);
            }
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                pipe.give_back();
                return Ok(Moved::Little);
            }
            Err(e) => return Err(way.source_failed(e)),
        };
        way.moved(bytes);
        drain(way, &pipe, to, bytes).await.map_err(|e| way.sink_failed(e))?;
        if bytes < MUCH_BYTES {
            pipe.give_back();
            return Ok(Moved::Little);
        }
    }
}

async fn drain(way: &Way<'_>, pipe: &Pipe, to: &TcpStream, mut left: usize) -> io::Result<()> {
    while left > 0 {
        match to.try_io(Interest::WRITABLE, || to_socket(pipe, to, left)) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(bytes) => left -= bytes,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                way.to_watch.write_within(way.idle_ms);
                let waited = to.writable().await;
                way.to_watch.write_done();
                waited?;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn from_socket(from: &TcpStream, pipe: &Pipe) -> io::Result<usize> {
    Ok(rustix::pipe::splice(from, None, &pipe.write, None, PIPE_BYTES, SpliceFlags::MOVE | SpliceFlags::NONBLOCK)?)
}

fn to_socket(pipe: &Pipe, to: &TcpStream, bytes: usize) -> io::Result<usize> {
    Ok(rustix::pipe::splice(&pipe.read, None, to, None, bytes, SpliceFlags::MOVE | SpliceFlags::NONBLOCK)?)
}
