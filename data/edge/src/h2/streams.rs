//! The streams of one client's connection: what has come of their bodies, what each may send and receive (RFC 9113, 5.2), and the
//! frames that are to leave. Streams go by the numbers of their slots. It never waits: whoever must is told so, and runs again
//! when that has changed.

use std::collections::VecDeque;

use ::h2::Reason;
use bytes::Bytes;
use http::HeaderMap;

use super::exchange::Gone;
use super::frames::{self, DATA, END_STREAM, PAYLOAD_BYTES_MAX};
use super::slots::SLOTS_MAX;
use crate::worker::buffer::Buffers;

/// What a client may send of one body before any of it was taken, and of all bodies together.
pub const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
pub const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What both begin with (RFC 9113, 6.9.2), and the most that they may be.
pub const FIRST_WINDOW_BYTES: u32 = 65_535;
pub const WINDOW_BYTES_MAX: i64 = 0x7fff_ffff;
/// Frames with data wait for room once there is so much that has not left.
const OUT_BYTES_MAX: usize = 64 * 1024;
/// The end of an answer of up to so much need not wait for that room.
const REST_BYTES_MAX: usize = 4 * 1024;
/// Pieces of a body that are smaller are put together: what a piece costs beyond its bytes is bounded, too.
const SMALL_PIECE_BYTES: usize = 1024;
/// Streams that we have ended, to which a client may still send what it had sent before it knew.
const ENDED_MAX: usize = SLOTS_MAX;

#[derive(Debug)]
pub struct Streams {
    /// Frames that have not left.
    pub out: Vec<u8>,
    streams: Vec<Option<Stream>>,
    /// Numbers of streams that are open, in their order, and their slots.
    open: Vec<(u32, usize)>,
    /// Who waits to send, in turn, and who did.
    waiting: VecDeque<usize>,
    ended: VecDeque<u32>,
    send_window: i64,
    /// What a new stream may send.
    first_send_window: i64,
    receive_window: Window,
    /// The client has changed how large our table for headers may be: the next block says that we have none.
    disowns_table: bool,
}

/// What the other side may send.
#[derive(Debug)]
struct Window {
    left: i64,
    /// What was taken, and it does not know so yet.
    untold: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Open,
    Ended,
    Reset,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    /// The client's side, and ours.
    theirs: Side,
    ours: Side,
    body: VecDeque<Vec<u8>>,
    body_bytes: usize,
    /// What must still come of a body whose length is known.
    left: Option<u64>,
    trailers: Option<HeaderMap>,
    receive_window: Window,
    send_window: i64,
    waits: bool,
    is_queued: bool,
    /// It has sent since it last waited.
    had_turn: bool,
}

/// What a stream's body has next.
#[derive(Debug)]
pub enum Piece {
    Data(Bytes),
    /// Nothing yet.
    None,
    End,
    /// The client broke off, or the rules.
    Broken,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            out: Vec::new(),
            streams: Vec::new(),
            open: Vec::new(),
            waiting: VecDeque::new(),
            ended: VecDeque::new(),
            send_window: FIRST_WINDOW_BYTES.into(),
            first_send_window: FIRST_WINDOW_BYTES.into(),
            receive_window: Window::new(CONNECTION_WINDOW_BYTES),
            disowns_table: false,
        }
    }
}

impl Window {
    fn new(bytes: u32) -> Self {
        Self { left: bytes.into(), untold: 0 }
    }

    /// So much came; false when that was more than allowed.
    fn receive(&mut self, bytes: usize) -> bool {
        self.left -= i64::try_from(bytes).unwrap_or(i64::MAX);
        self.left >= 0
    }

    /// So much may come again; how much the client is to be told of, which it is when that is worth a frame.
    fn release(&mut self, bytes: usize, whole: u32) -> Option<u32> {
        self.untold += u32::try_from(bytes).unwrap_or(0);
        let told = (self.untold >= whole / 2).then(|| std::mem::take(&mut self.untold))?;
        self.left += i64::from(told);
        Some(told)
    }
}

impl Streams {
    /// Has memory for what is to leave, which is given back once it has left.
    pub fn make_room(&mut self, buffers: &Buffers) {
        if self.out.capacity() == 0 {
            self.out = buffers.text();
        }
    }

    /// Whether there is room for data to be sent.
    pub fn has_room(&self) -> bool {
        self.out.len() < OUT_BYTES_MAX
    }

    pub fn slot_of(&self, id: u32) -> Option<usize> {
        self.open.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| self.open[at].1)
    }

    /// Whether what comes there is to be forgotten: we have ended it before the client did.
    pub fn is_forgotten(&self, id: u32) -> bool {
        self.ended.contains(&id)
    }

    fn stream(&mut self, slot: usize) -> Option<&mut Stream> {
        self.streams.get_mut(slot)?.as_mut()
    }

    /// A new stream takes a free slot; its number is higher than all before.
    pub fn begin(&mut self, slot: usize, id: u32, ended: bool, length: Option<u64>) {
        if self.streams.len() <= slot {
            self.streams.resize_with(slot + 1, || None);
        }
        let theirs = if ended { Side::Ended } else { Side::Open };
        self.streams[slot] = Some(Stream {
            id,
            theirs,
            ours: Side::Open,
            body: VecDeque::new(),
            body_bytes: 0,
            left: length,
            trailers: None,
            receive_window: Window::new(STREAM_WINDOW_BYTES),
            send_window: self.first_send_window,
            waits: false,
            is_queued: false,
            had_turn: false,
        });
        self.open.push((id, slot));
    }

    /// The stream is over for us: what is not ended yet is, and nothing of it stays.
    pub fn end(&mut self, slot: usize) {
        let Some(stream) = self.streams.get_mut(slot).and_then(Option::take) else { return };
        let reason = match (stream.ours, stream.theirs) {
            (Side::Open, _) => Some(Reason::INTERNAL_ERROR),
            // "RFC 9113, 8.1: a server may ask a client to send no more of a request that has its answer."
            (Side::Ended, Side::Open) => Some(Reason::NO_ERROR),
            _ => None,
        };
        if let Some(reason) = reason {
            self.refuse(stream.id, reason);
        }
        self.release_connection(stream.body_bytes);
        self.open.retain(|(_, other)| *other != slot);
        self.waiting.retain(|other| *other != slot);
    }

    /// Ends a stream that is open or was never begun; what still comes on it is forgotten.
    pub fn refuse(&mut self, id: u32, reason: Reason) {
        frames::push_reset(&mut self.out, id, reason);
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }

    /// Ends an open stream, if it still is; whoever serves it learns so.
    pub fn reset(&mut self, slot: usize, reason: Reason) {
        let Some(stream) = self.stream(slot) else { return };
        if stream.ours == Side::Reset || stream.theirs == Side::Reset {
            return;
        }
        let id = stream.id;
        self.forget(slot);
        self.refuse(id, reason);
    }

    /// The client has ended it: an answer that was whole by then still is.
    pub fn forget(&mut self, slot: usize) {
        if let Some(stream) = self.stream(slot) {
            stream.theirs = Side::Reset;
            if stream.ours == Side::Open {
                stream.ours = Side::Reset;
            }
        }
    }

    /// Whether it was broken off before its answer was whole.
    pub fn is_reset(&self, slot: usize) -> bool {
        self.streams.get(slot).and_then(Option::as_ref).is_none_or(|stream| stream.ours == Side::Reset)
    }

    /// Whether the client has sent all of it.
    pub fn has_ended(&self, slot: usize) -> bool {
        self.streams.get(slot).and_then(Option::as_ref).is_none_or(|stream| stream.theirs != Side::Open)
    }

    // What comes.

    /// Data came, in a frame of so many bytes: an error is the connection's.
    pub fn receive_any(&mut self, frame_bytes: usize) -> Result<(), Reason> {
        if self.receive_window.receive(frame_bytes) { Ok(()) } else { Err(Reason::FLOW_CONTROL_ERROR) }
    }

    /// Data that nobody takes makes room at once.
    pub fn release_connection(&mut self, bytes: usize) {
        if let Some(more) = self.receive_window.release(bytes, CONNECTION_WINDOW_BYTES) {
            frames::push_window(&mut self.out, 0, more);
        }
    }

    /// Takes in data of a stream; an error is the stream's.
    pub fn receive(&mut self, slot: usize, data: &[u8], frame_bytes: usize, ends: bool) -> Result<(), Reason> {
        let Some(stream) = self.stream(slot).filter(|stream| stream.theirs != Side::Reset) else {
            self.release_connection(frame_bytes);
            return Ok(());
        };
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let checked = if stream.theirs == Side::Ended {
            Err(Reason::STREAM_CLOSED)
        } else if !stream.receive_window.receive(frame_bytes) {
            Err(Reason::FLOW_CONTROL_ERROR)
        } else {
            // "RFC 9113, 8.1.1: a request is malformed if the length does not equal the sum of the DATA."
            let left = stream.left.map(|left| left.checked_sub(length).filter(|left| !ends || *left == 0));
            left.map_or(Ok(None), |left| left.ok_or(Reason::PROTOCOL_ERROR).map(Some))
        };
        let left = match checked {
            Ok(left) => left,
            Err(reason) => {
                self.release_connection(frame_bytes);
                return Err(reason);
            }
        };
        stream.left = left;
        if ends {
            stream.theirs = Side::Ended;
        }
        if !data.is_empty() {
            stream.body_bytes += data.len();
            match stream.body.back_mut() {
                Some(last) if data.len() < SMALL_PIECE_BYTES && last.len() < PAYLOAD_BYTES_MAX => last.extend_from_slice(data),
                _ => stream.body.push_back(data.to_vec()),
            }
        }
        let padding = frame_bytes - data.len();
        if padding > 0 {
            self.release(slot, padding);
        }
        Ok(())
    }

    /// Takes in what comes behind a body.
    pub fn receive_trailers(&mut self, slot: usize, trailers: HeaderMap) -> Result<(), Reason> {
        let Some(stream) = self.stream(slot) else { return Ok(()) };
        match (stream.theirs, stream.left) {
            (Side::Reset, _) => Ok(()),
            (Side::Ended, _) => Err(Reason::STREAM_CLOSED),
            (Side::Open, Some(1..)) => Err(Reason::PROTOCOL_ERROR),
            (Side::Open, _) => {
                stream.theirs = Side::Ended;
                stream.trailers = Some(trailers);
                Ok(())
            }
        }
    }

    /// The next piece of a body.
    pub fn take(&mut self, slot: usize) -> Piece {
        let Some(stream) = self.stream(slot) else { return Piece::Broken };
        if stream.theirs == Side::Reset {
            return Piece::Broken;
        }
        match stream.body.pop_front() {
            Some(piece) => {
                stream.body_bytes -= piece.len();
                Piece::Data(piece.into())
            }
            None if stream.theirs == Side::Ended => Piece::End,
            None => Piece::None,
        }
    }

    pub fn take_trailers(&mut self, slot: usize) -> Option<HeaderMap> {
        self.stream(slot)?.trailers.take()
    }

    /// What was taken of a body has gone: the client may send as much more.
    pub fn release(&mut self, slot: usize, bytes: usize) {
        self.release_connection(bytes);
        let Some(stream) = self.stream(slot).filter(|stream| stream.theirs == Side::Open) else { return };
        let id = stream.id;
        if let Some(more) = stream.receive_window.release(bytes, STREAM_WINDOW_BYTES) {
            frames::push_window(&mut self.out, id, more);
        }
    }

    // What goes.

    /// The client's setting of a new stream's window changes those of all others, too (RFC 9113, 6.9.2).
    pub fn set_first_window(&mut self, bytes: u32) -> Result<(), Reason> {
        let more = i64::from(bytes) - self.first_send_window;
        self.first_send_window = bytes.into();
        for stream in self.streams.iter_mut().flatten() {
            stream.send_window += more;
            if stream.send_window > WINDOW_BYTES_MAX {
                return Err(Reason::FLOW_CONTROL_ERROR);
            }
        }
        Ok(())
    }

    pub fn disown_table(&mut self) {
        self.disowns_table = true;
    }

    /// The client takes so much more of all streams together.
    pub fn widen_connection(&mut self, more: u32) -> Result<(), Reason> {
        self.send_window += i64::from(more);
        if self.send_window > WINDOW_BYTES_MAX { Err(Reason::FLOW_CONTROL_ERROR) } else { Ok(()) }
    }

    /// Likewise of one stream; an error is the stream's.
    pub fn widen(&mut self, slot: usize, more: u32) -> Result<(), Reason> {
        let Some(stream) = self.stream(slot) else { return Ok(()) };
        stream.send_window += i64::from(more);
        if stream.send_window > WINDOW_BYTES_MAX { Err(Reason::FLOW_CONTROL_ERROR) } else { Ok(()) }
    }

    /// Sends a block of headers that `write` appends.
    pub fn send_headers(&mut self, slot: usize, ends: bool, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Gone> {
        let disowns = self.disowns_table;
        let stream = open_to_us(&mut self.streams, slot)?;
        if ends {
            stream.ours = Side::Ended;
        }
        frames::push_block(&mut self.out, stream.id, ends, |to| {
            if disowns {
                // A table of no bytes (RFC 7541, 6.3).
                to.push(0x20);
            }
            write(to);
        });
        self.disowns_table = false;
        Ok(())
    }

    /// Sends as much of `data` as fits now, and how much that is; at zero, whoever called is run again when there is room.
    pub fn send(&mut self, slot: usize, data: &[u8], last: bool) -> Result<usize, Gone> {
        let (has_room, others_wait, window) = (self.has_room(), !self.waiting.is_empty(), self.send_window);
        let stream = open_to_us(&mut self.streams, slot)?;
        let fits = usize::try_from(window.min(stream.send_window)).unwrap_or(0).min(data.len()).min(PAYLOAD_BYTES_MAX);
        let is_rest = last && fits == data.len() && fits <= REST_BYTES_MAX;
        let must_wait = (fits == 0 && !data.is_empty()) || !(has_room || is_rest) || (others_wait && stream.had_turn && !is_rest);
        if must_wait {
            stream.waits = true;
            if !std::mem::replace(&mut stream.is_queued, true) {
                self.waiting.push_back(slot);
            }
            return Ok(0);
        }
        let ends = last && fits == data.len();
        let sent = i64::try_from(fits).unwrap_or(0);
        stream.send_window -= sent;
        stream.had_turn = true;
        if ends {
            stream.ours = Side::Ended;
        }
        frames::push(&mut self.out, DATA, if ends { END_STREAM } else { 0 }, stream.id, &data[..fits]);
        self.send_window -= sent;
        Ok(fits)
    }

    /// Ends an answer whose last piece was not known to be it.
    pub fn send_end(&mut self, slot: usize) -> Result<(), Gone> {
        let stream = open_to_us(&mut self.streams, slot)?;
        stream.ours = Side::Ended;
        frames::push(&mut self.out, DATA, END_STREAM, stream.id, &[]);
        Ok(())
    }

    /// Gives the room that there is to those who wait for it, in turn; whether there was anyone to give some to.
    pub fn grant(&mut self, mut run: impl FnMut(usize)) -> bool {
        let (mut bytes, mut window, mut granted) = (self.out.len(), self.send_window, false);
        for _ in 0..self.waiting.len() {
            if bytes >= OUT_BYTES_MAX || window <= 0 {
                break;
            }
            let Some(slot) = self.waiting.pop_front() else { break };
            let Some(stream) = self.streams.get_mut(slot).and_then(Option::as_mut) else { continue };
            stream.is_queued = stream.waits;
            if !stream.waits {
                continue;
            }
            // Its next turn comes behind those of all others, in whatever order they run now.
            self.waiting.push_back(slot);
            if stream.send_window <= 0 && stream.ours == Side::Open {
                continue;
            }
            (stream.waits, stream.had_turn) = (false, false);
            bytes += PAYLOAD_BYTES_MAX;
            window -= PAYLOAD_BYTES_MAX as i64;
            granted = true;
            run(slot);
        }
        granted
    }

    pub fn anyone_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Gives back what memory nobody needs while nothing is under way.
    pub fn trim(&mut self) {
        if self.open.is_empty() {
            (self.streams, self.open, self.waiting) = (Vec::new(), Vec::new(), VecDeque::new());
        }
    }
}

/// A stream on which we may still say something.
fn open_to_us(streams: &mut [Option<Stream>], slot: usize) -> Result<&mut Stream, Gone> {
    streams.get_mut(slot).and_then(Option::as_mut).filter(|stream| stream.ours == Side::Open).ok_or(Gone)
}

#[cfg(test)]
mod tests;
