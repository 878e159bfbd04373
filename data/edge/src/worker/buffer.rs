//! Byte buffers, of three sizes, that a worker keeps and lends. An idle connection holds none.

use std::cell::RefCell;
use std::rc::Rc;

use crate::http::scan::HEAD_BYTES_MAX;

/// Holds nearly every head, and a body of 16 KiB with it.
pub const SMALL_BYTES: usize = 20 * 1024;
/// Holds the largest head, and a piece of a body.
pub const LARGE_BYTES: usize = HEAD_BYTES_MAX + 16 * 1024;
/// A good piece of a long body: the fewer pieces, the less work.
const HUGE_BYTES: usize = 256 * 1024;
/// Two for each of so many requests under way; what a new one costs is noticed in every request.
const SMALL_KEPT_MAX: usize = 256;
const LARGE_KEPT_MAX: usize = 32;
const HUGE_KEPT_MAX: usize = 16;
/// So many long bodies under way are moved by good pieces; more of them take less memory each.
const HUGE_LENT_MAX: usize = 64;

/// Bytes that were read and not yet used, with room for more behind them.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Counts as one of the good pieces that are lent.
    _lent: Option<Rc<()>>,
}

impl Buffer {
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether it is one of a pool, not the placeholder of an idle connection.
    pub fn is_real(&self) -> bool {
        !self.bytes.is_empty()
    }

    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Room behind the bytes; what was used makes room first when none is left.
    pub fn space(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes were written to the room.
    pub fn filled_by(&mut self, bytes: usize) {
        self.end += bytes;
        assert!(self.end <= self.bytes.len(), "more was read than there was room for");
    }

    /// So many bytes from the front were used.
    pub fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        assert!(self.start <= self.end, "more was used than there was");
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }
}

/// The buffers that a worker keeps.
#[derive(Debug, Default)]
pub struct Buffers {
    small: RefCell<Vec<Vec<u8>>>,
    large: RefCell<Vec<Vec<u8>>>,
    huge: RefCell<Vec<Vec<u8>>>,
    /// One more than there are huge ones lent.
    lent: Rc<()>,
    texts: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    pub fn small(&self) -> Buffer {
        take(&self.small, SMALL_BYTES)
    }

    /// A large buffer with the content of `small`, which comes back.
    pub fn enlarge(&self, small: &mut Buffer) {
        self.exchange(small, take(&self.large, LARGE_BYTES));
    }

    /// Likewise for a long body: the largest there is, or a large one when many are lent.
    pub fn enlarge_for_body(&self, small: &mut Buffer) {
        if Rc::strong_count(&self.lent) > HUGE_LENT_MAX {
            return self.enlarge(small);
        }
        let huge = take(&self.huge, HUGE_BYTES);
        self.exchange(small, Buffer { _lent: Some(self.lent.clone()), ..huge });
    }

    fn exchange(&self, small: &mut Buffer, mut large: Buffer) {
        let filled = small.filled();
        large.space()[..filled.len()].copy_from_slice(filled);
        large.filled_by(filled.len());
        self.give_back(std::mem::replace(small, large));
    }

    pub fn give_back(&self, buffer: Buffer) {
        let (pool, kept_max) = match buffer.bytes.len() {
            SMALL_BYTES => (&self.small, SMALL_KEPT_MAX),
            LARGE_BYTES => (&self.large, LARGE_KEPT_MAX),
            HUGE_BYTES => (&self.huge, HUGE_KEPT_MAX),
            _ => return,
        };
        let mut pool = pool.borrow_mut();
        if pool.len() < kept_max {
            pool.push(buffer.bytes);
        }
    }

    /// An empty vector to write a head to.
    pub fn text(&self) -> Vec<u8> {
        self.texts.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(2048))
    }

    pub fn give_text_back(&self, mut text: Vec<u8>) {
        let mut texts = self.texts.borrow_mut();
        if texts.len() < SMALL_KEPT_MAX && text.capacity() <= SMALL_BYTES {
            text.clear();
            texts.push(text);
        }
    }

    /// Gives the memory of unused buffers back to the machine.
    pub fn trim(&self) {
        self.small.take();
        self.large.take();
        self.huge.take();
        self.texts.take();
    }
}

fn take(pool: &RefCell<Vec<Vec<u8>>>, size: usize) -> Buffer {
    let bytes = pool.borrow_mut().pop().unwrap_or_else(|| vec![0; size]);
    Buffer { bytes, start: 0, end: 0, _lent: None }
}
