//! The bytes below the frames: a TLS connection that sends when it is told to, so that all frames of one turn leave together,
//! and that notes who waits for whom. It lets a client keep its worker busy only for so long at a stretch.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tls::session::Session;
use crate::worker::watch::Watch;

/// Reads of one turn; then other connections have theirs.
const READS_PER_TURN: u32 = 32;

/// What the frames above and the bytes below tell one another.
#[derive(Debug)]
pub struct Gauge {
    /// What the client does not take within this time ends its connection.
    pub write_ms: Cell<u64>,
    /// The reading side has ended, by the client's will or by ours.
    pub ended: Cell<bool>,
    reads_left: Cell<u32>,
    /// Bytes that came since the last request or piece of a body did, or was sent.
    idle_bytes: Cell<usize>,
}

impl Gauge {
    pub fn new(write_ms: u64) -> Self {
        Self { write_ms: Cell::new(write_ms), ended: Cell::new(false), reads_left: Cell::new(0), idle_bytes: Cell::new(0) }
    }

    pub fn begin_turn(&self) {
        self.reads_left.set(READS_PER_TURN);
    }

    /// Something came or went that somebody wants.
    pub fn progress(&self) {
        self.idle_bytes.set(0);
    }

    /// Bytes that came since the last progress.
    pub fn idle_bytes(&self) -> usize {
        self.idle_bytes.get()
    }
}

/// Where a session is left when the frames above it are done.
pub type Home = Rc<Cell<Option<Box<Session>>>>;

/// A client's connection below its frames.
pub struct Io {
    watch: Rc<Watch>,
    /// There until this is dropped.
    session: Option<Box<Session>>,
    gauge: Rc<Gauge>,
    home: Home,
    writing: bool,
}

impl Drop for Io {
    fn drop(&mut self) {
        self.home.set(self.session.take());
    }
}

impl Io {
    pub fn new(watch: Rc<Watch>, session: Box<Session>, gauge: Rc<Gauge>, home: Home) -> Self {
        Self { watch, session: Some(session), gauge, home, writing: false }
    }

    /// Does something with the session.
    fn with<T>(&mut self, act: impl FnOnce(&mut Session) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut self.session {
            Some(session) => act(session),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Sees to the deadline of a write that waits.
    fn noted<T>(&mut self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_pending() != self.writing {
            self.writing = !self.writing;
            if self.writing {
                self.watch.write_within(self.gauge.write_ms.get());
            } else {
                self.watch.write_done();
            }
        }
        poll
    }
}

impl AsyncRead for Io {
    /// It never ends: whoever drives the connection looks at [`Gauge::ended`], and decides what to say at the end.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(left) = this.gauge.reads_left.get().checked_sub(1) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        if this.gauge.ended.get() {
            return Poll::Pending;
        }
        let before = room.filled().len();
        match this.with(|session| session.poll_read(cx, room)) {
            Poll::Ready(Ok(())) => {
                let bytes = room.filled().len() - before;
                if bytes == 0 {
                    this.gauge.ended.set(true);
                    return Poll::Pending;
                }
                this.gauge.reads_left.set(left);
                this.gauge.idle_bytes.set(this.gauge.idle_bytes.get() + bytes);
                this.watch.moved(bytes);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.with(|session| session.poll_write_later(cx, slices));
        if let Poll::Ready(Ok(bytes)) = written {
            this.watch.moved(bytes);
        }
        this.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = this.with(|session| session.poll_flush(cx));
        this.noted(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = this.with(|session| session.poll_shutdown(cx));
        this.noted(ended)
    }
}
