//! The bytes below the frames: a TLS connection that sends once at the end of each turn, so that all frames of a turn leave
//! together, and that notes who waits for whom. It lets a client keep its worker busy only for so long at a stretch.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tls::session::Session;
use crate::worker::Worker;
use crate::worker::watch::Watch;

/// Reads of one turn; then other connections have theirs.
const READS_PER_TURN: u32 = 32;
/// Small writes are gathered up to this size, which makes a full TLS record; larger ones are not copied.
const GATHERED_BYTES_MAX: usize = 16 * 1024;
const SMALL_BYTES_MAX: usize = 4 * 1024;

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
    /// What was written in this turn and is not encrypted yet. Between turns it has no memory.
    gathered: RefCell<Vec<u8>>,
    worker: Rc<Worker>,
}

impl Wire {
    pub fn new(worker: Rc<Worker>, watch: Watch, session: Box<Session>, write_ms: u64) -> Self {
        Self {
            gathered: RefCell::default(),
            worker,
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
        let sent = match self.poll_encrypt(cx) {
            Poll::Ready(Ok(())) => self.session.borrow_mut().poll_flush(cx),
            other => other,
        };
        match self.noted(sent) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    /// Hands over what was gathered.
    fn poll_encrypt(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathered = self.gathered.borrow_mut();
        while !gathered.is_empty() {
            let taken = ready!(self.session.borrow_mut().poll_write_later(cx, &[IoSlice::new(&gathered)]))?;
            gathered.drain(..taken);
        }
        if gathered.capacity() > 0 {
            self.worker.buffers.give_text_back(std::mem::take(&mut gathered));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        if bytes > SMALL_BYTES_MAX || self.gathered.borrow().len() + bytes > GATHERED_BYTES_MAX {
            ready!(self.poll_encrypt(cx))?;
        }
        if bytes > SMALL_BYTES_MAX {
            return self.session.borrow_mut().poll_write_later(cx, slices);
        }
        let mut gathered = self.gathered.borrow_mut();
        if gathered.capacity() == 0 {
            *gathered = self.worker.buffers.text();
        }
        slices.iter().for_each(|slice| gathered.extend_from_slice(slice));
        Poll::Ready(Ok(bytes))
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
        let written = wire.poll_write(cx, slices);
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
        let ended = match self.0.poll_encrypt(cx) {
            Poll::Ready(Ok(())) => self.0.session.borrow_mut().poll_shutdown(cx),
            other => other,
        };
        self.0.noted(ended)
    }
}
