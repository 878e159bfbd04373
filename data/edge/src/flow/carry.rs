//! One direction of a connection: bytes go on as they come, what cannot be sent on is not read either, and who waits holds no
//! buffer. It neither opens connections nor ends them.

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::counters::Active;
use super::splice::{Moved, splice};
use crate::worker::Worker;
use crate::worker::buffer::Buffer;
use crate::worker::io::{read, write_all};
use crate::worker::watch::Watch;

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Target,
}

/// Why a flow ended before both sides were through.
#[derive(Debug)]
pub enum Broken {
    /// Nobody has said anything for too long.
    Idle,
    /// Its target may have it no longer.
    Cut,
    Reset(Side),
    /// Its machine is gone, or it broke the rules of TLS.
    Lost(Side, io::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Idle => f.write_str("it was silent for too long"),
            Broken::Cut => f.write_str("its target may have it no longer"),
            Broken::Reset(side) => write!(f, "{side:?} has reset it"),
            Broken::Lost(side, error) => write!(f, "{side:?} is lost: {error}"),
        }
    }
}

/// A direction.
pub struct Way<'a> {
    pub worker: &'a Worker,
    pub active: &'a Active,
    pub idle_ms: u64,
    pub from: Side,
    pub from_watch: &'a Watch,
    pub to_watch: &'a Watch,
    /// One of the two directions has ended.
    pub one_ended: &'a Cell<bool>,
}

/// Why copying has stopped.
enum Copied {
    /// The source has said all.
    All,
    /// There is so much that another way may be better.
    Much,
}

impl Way<'_> {
    /// Carries everything, and then tells the sink that nothing more comes.
    pub async fn carry<R, W>(&self, from: &mut R, to: &mut W) -> Result<(), Broken>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while let Copied::Much = self.copy(from, to).await? {}
        // One that has closed altogether has nothing to be told.
        let _ = to.shutdown().await;
        Ok(())
    }

    /// Likewise, between two sockets: much of it moves within the kernel.
    pub async fn carry_plain(&self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> Result<(), Broken> {
        while let Copied::Much = self.copy(from, to).await? {
            let (source, sink): (&TcpStream, &TcpStream) = (from.as_ref(), to.as_ref());
            if let Moved::All = splice(self, source, sink).await? {
                break;
            }
        }
        // The second one ends with the connection itself.
        if !self.one_ended.replace(true) {
            let _ = to.shutdown().await;
        }
        Ok(())
    }

    /// Copies until the source ends or a buffer was not enough for what it had.
    async fn copy<R, W>(&self, from: &mut R, to: &mut W) -> Result<Copied, Broken>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            let mut buffer = Buffer::default();
            let bytes = match read(from, self.from_watch, self.idle_ms, &self.worker.buffers, &mut buffer).await {
                Ok(bytes @ 1..) => bytes,
                ended => {
                    self.worker.buffers.give_back(buffer);
                    return ended.map_err(|e| self.source_failed(e)).and_then(|_| self.ended()).map(|()| Copied::All);
                }
            };
            self.moved(bytes);
            let sent = write_all(to, self.to_watch, self.idle_ms, [buffer.filled()]).await;
            let is_full = buffer.space().is_empty();
            self.worker.buffers.give_back(buffer);
            sent.map_err(|e| self.sink_failed(e))?;
            if is_full {
                return Ok(Copied::Much);
            }
        }
    }

    /// So many bytes came: neither side has been silent.
    pub fn moved(&self, bytes: usize) {
        self.active.moved(bytes);
        self.to_watch.refresh_read(self.idle_ms);
    }

    /// The source gives no more: by itself, or because it was shut here.
    pub fn ended(&self) -> Result<(), Broken> {
        if self.from_watch.has_expired() {
            Err(Broken::Idle)
        } else if self.from_watch.was_cut() || self.to_watch.was_cut() {
            Err(Broken::Cut)
        } else {
            Ok(())
        }
    }

    pub fn source_failed(&self, error: io::Error) -> Broken {
        self.failed(self.from, self.from_watch, error)
    }

    pub fn sink_failed(&self, error: io::Error) -> Broken {
        let to = if self.from == Side::Client { Side::Target } else { Side::Client };
        self.failed(to, self.to_watch, error)
    }

    fn failed(&self, side: Side, watch: &Watch, error: io::Error) -> Broken {
        match error.kind() {
            _ if watch.has_expired() => Broken::Idle,
            _ if watch.was_cut() => Broken::Cut,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Broken::Reset(side),
            _ => Broken::Lost(side, error),
        }
    }
}
