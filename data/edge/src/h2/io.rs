//! The bytes below the frames of a client: a TLS connection that sends once at the end of each turn, so that all frames of a turn
//! leave together, and that notes who waits for whom. It lets a client keep its worker busy only for so long at a stretch.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use crate::tls::session::Session;
use crate::worker::Worker;
use crate::worker::watch::Watch;

/// Reads and sends of one turn; then other connections have theirs.
const READS_PER_TURN: u32 = 32;
const SENDS_PER_TURN: u32 = 8;

/// A client's connection below its frames, as everybody above knows it. The watch goes before the socket.
pub struct Wire {
    pub watch: Watch,
    pub session: RefCell<Box<Session>>,
    worker: Rc<Worker>,
    /// What the client does not take within this time ends its connection.
    write_ms: u64,
    writing: Cell<bool>,
    /// Bytes of what is being sent that are encrypted already.
    encrypted: Cell<usize>,
    ended: Cell<bool>,
    reads_left: Cell<u32>,
    sends_left: Cell<u32>,
    /// There was nothing to read in this turn, and the next one comes when there is.
    is_dry: Cell<bool>,
    idle_bytes: Cell<usize>,
}

impl Wire {
    pub fn new(worker: Rc<Worker>, watch: Watch, session: Box<Session>, write_ms: u64) -> Self {
        Self {
            watch,
            session: RefCell::new(session),
            worker,
            write_ms,
            writing: Cell::new(false),
            encrypted: Cell::new(0),
            ended: Cell::new(false),
            reads_left: Cell::new(0),
            sends_left: Cell::new(0),
            is_dry: Cell::new(false),
            idle_bytes: Cell::new(0),
        }
    }

    pub fn begin_turn(&self) {
        self.reads_left.set(READS_PER_TURN);
        self.sends_left.set(SENDS_PER_TURN);
        self.is_dry.set(false);
    }

    /// Reads what there is; nothing at the end, after which [`Wire::has_ended`] says so and reading is for ever pending.
    pub fn poll_read(&self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.ended.get() || self.is_dry.get() || !takes_turn(&self.reads_left, cx) {
            return Poll::Pending;
        }
        let mut room = ReadBuf::new(space);
        let read = self.session.borrow_mut().poll_read(cx, &mut room);
        self.is_dry.set(read.is_pending());
        ready!(read)?;
        let bytes = room.filled().len();
        self.ended.set(bytes == 0);
        self.idle_bytes.set(self.idle_bytes.get() + bytes);
        self.watch.moved(bytes);
        Poll::Ready(Ok(bytes))
    }

    /// Sends all of `out`, which is then empty and without memory.
    pub fn poll_send(&self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let sent = self.poll_sent(cx, out);
        if self.writing.replace(sent.is_pending()) != sent.is_pending() {
            if sent.is_pending() {
                self.watch.write_within(self.write_ms);
            } else {
                self.watch.write_done();
            }
        }
        sent
    }

    fn poll_sent(&self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let mut session = self.session.borrow_mut();
        while self.encrypted.get() < out.len() {
            let taken = ready!(session.poll_write_later(cx, &[IoSlice::new(&out[self.encrypted.get()..])]))?;
            self.encrypted.set(self.encrypted.get() + taken);
            self.watch.wrote(taken);
            if self.writing.get() {
                self.watch.write_within(self.write_ms);
            }
        }
        if out.capacity() > 0 {
            self.encrypted.set(0);
            self.worker.buffers.give_text_back(std::mem::take(out));
        }
        session.poll_flush(cx)
    }

    /// Whether there may be another send in this turn; otherwise the next one comes soon.
    pub fn may_send_again(&self, cx: &mut Context<'_>) -> bool {
        takes_turn(&self.sends_left, cx)
    }

    /// The reading side has ended, by the client's will or by ours.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Nothing more can be read.
    pub fn end(&self) {
        self.ended.set(true);
    }

    /// Something came or went that somebody wants.
    pub fn progress(&self) {
        self.idle_bytes.set(0);
    }

    /// So many of the bytes that came since are of a body that someone waits for, as far as its window lets it.
    pub fn wanted(&self, bytes: usize) {
        self.idle_bytes.set(self.idle_bytes.get().saturating_sub(bytes));
    }

    /// Bytes that came since the last progress.
    pub fn idle_bytes(&self) -> usize {
        self.idle_bytes.get()
    }
}

/// Takes one of what is left of this turn. When nothing is, the task is to have another turn after others had theirs.
fn takes_turn(left: &Cell<u32>, cx: &mut Context<'_>) -> bool {
    let Some(fewer) = left.get().checked_sub(1) else {
        cx.waker().wake_by_ref();
        return false;
    };
    left.set(fewer);
    true
}
