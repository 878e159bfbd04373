//! The bytes below the frames: a TLS connection that sends once at the end of each turn, so that all frames of a turn leave
//! together, and that notes who waits for whom. It lets a client keep its worker busy only for so long at a stretch.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tls::session::Session;
use crate::worker::watch::Watch;

/// Reads of one turn; then other connections have theirs.
const READS_PER_TURN: u32 = 32;

/// A client's connection below its frames, as everybody above knows it. The watch goes before the socket.
pub struct Wire {
    pub watch: Watch,
    pub session: RefCell<Box<Session>>,
    /// What the client does not take within this time ends its connection.
    write_ms: u64,
    writing: Cell<bool>,
    ended: Cell<bool>,
    reads_left: Cell<u32>,
    idle_bytes: Cell<usize>,
}

impl Wire {
    pub fn new(watch: Watch, session: Box<Session>, write_ms: u64) -> Self {
        Self {
            watch,
            session: RefCell::new(session),
            write_ms,
            writing: Cell::new(false),
            ended: Cell::new(false),
            reads_left: Cell::new(0),
            idle_bytes: Cell::new(0),
        }
    }

    pub fn begin_turn(&self) {
        self.reads_left.set(READS_PER_TURN);
    }

    /// Sends what was written in this turn.
    pub fn end_turn(&self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.noted(self.session.borrow_mut().poll_flush(cx)) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    /// The reading side has ended, by the client's will or by ours.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Something came or went that somebody wants.
    pub fn progress(&self) {
        self.idle_bytes.set(0);
    }

    /// Bytes that came since the last progress.
    pub fn idle_bytes(&self) -> usize {
        self.idle_bytes.get()
    }

    /// Sees to the deadline of a write that waits.
    fn noted<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.writing.replace(poll.is_pending()) != poll.is_pending() {
            if poll.is_pending() {
                self.watch.write_within(self.write_ms);
            } else {
                self.watch.write_done();
            }
        }
        poll
    }
}

/// What the frames read from and write to.
pub struct Io(pub Rc<Wire>);

impl AsyncRead for Io {
    /// It never ends: whoever drives the connection looks at [`Wire::has_ended`], and decides what to say at the end.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = &*self.0;
        let Some(left) = wire.reads_left.get().checked_sub(1) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        if wire.ended.get() {
            return Poll::Pending;
        }
        let before = room.filled().len();
        match wire.session.borrow_mut().poll_read(cx, room) {
            Poll::Ready(Ok(())) => {
                let bytes = room.filled().len() - before;
                if bytes == 0 {
                    wire.ended.set(true);
                    return Poll::Pending;
                }
                wire.reads_left.set(left);
                wire.idle_bytes.set(wire.idle_bytes.get() + bytes);
                wire.watch.moved(bytes);
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
        let wire = &*self.0;
        let written = wire.session.borrow_mut().poll_write_later(cx, slices);
        if let Poll::Ready(Ok(bytes)) = written {
            wire.watch.moved(bytes);
        }
        wire.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What was written leaves at the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.0.session.borrow_mut().poll_shutdown(cx);
        self.0.noted(ended)
    }
}
