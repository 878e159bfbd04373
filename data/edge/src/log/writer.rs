//! A thread's end of the logs: lines are gathered in buffers of its own and handed over when one is full, and several times a
//! second. It never waits: what the logging thread has no room for is dropped and counted.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::Channel;
use super::scribe::Message;

/// A buffer is handed over when it has so much in it.
const CHUNK_BYTES: usize = 32 * 1024;
/// Longer lines do not exist: a request line, its trace and what it is rewritten to have 16 K each at most, the address of a
/// redirect has 8 K, and a user agent is cut there; each byte may be written as four.
const LINE_BYTES_MAX: usize = 4 * 80 * 1024;

/// Lines of one log.
#[derive(Debug)]
pub struct Chunk {
    pub channel: Arc<Channel>,
    pub bytes: Vec<u8>,
    pub lines: u64,
}

/// What one thread writes logs with.
#[derive(Debug)]
pub struct Writer {
    chunks: RefCell<HashMap<u64, Chunk>>,
    to: SyncSender<Message>,
    /// Ids of connections are made with it.
    secret: u64,
}

impl Writer {
    pub(super) fn new(to: SyncSender<Message>) -> Self {
        Self { chunks: RefCell::default(), to, secret: fastrand::u64(..) }
    }

    pub fn secret(&self) -> u64 {
        self.secret
    }

    /// Adds the line that `write` writes, without its end.
    pub fn line(&self, channel: &Arc<Channel>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut chunks = self.chunks.borrow_mut();
        let chunk = match chunks.entry(channel.number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Chunk::new(channel)),
        };
        if chunk.bytes.capacity() == 0 {
            chunk.bytes.reserve(CHUNK_BYTES + 4 * 1024);
        }
        let before = chunk.bytes.len();
        write(&mut chunk.bytes);
        if chunk.bytes.len() - before > LINE_BYTES_MAX {
            chunk.bytes.truncate(before);
            return channel.drop_lines(1);
        }
        chunk.bytes.push(b'\n');
        chunk.lines += 1;
        if chunk.bytes.len() >= CHUNK_BYTES {
            let full = std::mem::replace(chunk, Chunk::new(channel));
            self.hand_over(full);
        }
    }

    /// Hands over what there is.
    pub fn flush(&self) {
        let mut chunks = self.chunks.borrow_mut();
        if !chunks.is_empty() {
            chunks.drain().map(|(_, chunk)| chunk).filter(|chunk| chunk.lines > 0).for_each(|chunk| self.hand_over(chunk));
        }
    }

    fn hand_over(&self, chunk: Chunk) {
        let (channel, lines) = (chunk.channel.clone(), chunk.lines);
        if self.to.try_send(Message::Chunk(chunk)).is_err() {
            channel.drop_lines(lines);
        }
    }
}

impl Chunk {
    fn new(channel: &Arc<Channel>) -> Self {
        Self { channel: channel.clone(), bytes: Vec::new(), lines: 0 }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}
