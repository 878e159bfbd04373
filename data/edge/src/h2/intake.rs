//! Takes in a client's frames, one by one, and holds them to RFC 9113. What belongs to a stream goes there; what is wrong with a
//! stream ends it, and what is wrong with the connection is the error of [`Intake::next`].

use ::h2::Reason;

use super::frames::{
    ACK, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, GOAWAY, HEAD_BYTES, HEADER_TABLE_SIZE, HEADERS, Head,
    INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, PAYLOAD_BYTES_MAX, PING, PREFACE, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, number, push,
};
use super::hpack::{Decoder, Fields};
use super::request::trailers;
use super::streams::{Streams, WINDOW_BYTES_MAX};
use crate::http::scan::HEADERS_BYTES_MAX;
use crate::worker::buffer::Buffer;

/// What the ping says by which a client confirms that it has read our farewell.
pub const FAREWELL: [u8; 8] = *b"farewell";

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing that anyone waits for.
    None,
    /// A request, whose fields are those that were decoded last; `ends` when no body follows.
    Request { stream: u32, ends: bool },
    /// Something for the stream of this slot.
    Stream(usize),
    /// So much of a body, for the stream of this slot if it still wants it.
    Data { slot: Option<usize>, bytes: usize },
    /// The client has read our farewell.
    Farewell,
}

/// What of a greeting has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Preface,
    Settings,
    Done,
}

/// One connection's frames.
#[derive(Debug)]
pub struct Intake {
    /// What has come and was not taken in.
    pub buffer: Buffer,
    frames: Frames,
}

#[derive(Debug)]
struct Frames {
    greeting: Greeting,
    decoder: Decoder,
    /// A block of headers that goes on in another frame: its stream, and whether that ends with it.
    unfinished: Option<(u32, bool)>,
    block: Vec<u8>,
    /// The highest stream that was begun.
    last: u32,
}

impl Default for Intake {
    fn default() -> Self {
        let (greeting, decoder, block) = (Greeting::Preface, Decoder::default(), Vec::new());
        Self { buffer: Buffer::default(), frames: Frames { greeting, decoder, unfinished: None, block, last: 0 } }
    }
}

impl Intake {
    /// The client has said what it must say first.
    pub fn is_greeted(&self) -> bool {
        self.frames.greeting == Greeting::Done
    }

    /// The highest stream that was begun.
    pub fn last(&self) -> u32 {
        self.frames.last
    }

    /// Takes in the next frame; none when there is no whole one. What headers it brings whole are decoded into `fields`.
    pub fn next(&mut self, streams: &mut Streams, fields: &mut Fields) -> Result<Option<Event>, Reason> {
        if self.frames.greeting == Greeting::Preface && !self.take_preface()? {
            return Ok(None);
        }
        let Some(head) = Head::read(self.buffer.filled()) else { return Ok(None) };
        if head.bytes > PAYLOAD_BYTES_MAX {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        let Some(payload) = self.buffer.filled().get(HEAD_BYTES..HEAD_BYTES + head.bytes) else { return Ok(None) };
        let event = self.frames.take(head, payload, streams, fields)?;
        self.buffer.consume(HEAD_BYTES + head.bytes);
        Ok(Some(event))
    }

    /// Whether the next frame says that this request has no body after all; then it is taken in.
    pub fn take_end(&mut self, stream: u32) -> bool {
        let head = Head::read(self.buffer.filled());
        let ends = head.is_some_and(|head| (head.kind, head.stream, head.bytes) == (DATA, stream, 0) && head.has(END_STREAM));
        if ends {
            self.buffer.consume(HEAD_BYTES);
        }
        ends
    }

    fn take_preface(&mut self) -> Result<bool, Reason> {
        let filled = self.buffer.filled();
        let begun = filled.len().min(PREFACE.len());
        if filled[..begun] != PREFACE[..begun] {
            return Err(Reason::PROTOCOL_ERROR);
        }
        if begun < PREFACE.len() {
            return Ok(false);
        }
        self.buffer.consume(PREFACE.len());
        self.frames.greeting = Greeting::Settings;
        Ok(true)
    }

    /// Gives back what memory nobody needs while nothing is under way.
    pub fn trim(&mut self) {
        if self.frames.unfinished.is_none() {
            self.frames.block = Vec::new();
        }
    }
}

impl Frames {
    fn take(&mut self, head: Head, payload: &[u8], streams: &mut Streams, fields: &mut Fields) -> Result<Event, Reason> {
        let is_out_of_place = match self.unfinished {
            Some((stream, _)) => head.kind != CONTINUATION || head.stream != stream,
            None => head.kind == CONTINUATION,
        };
        if is_out_of_place || (self.greeting == Greeting::Settings && (head.kind != SETTINGS || head.has(ACK))) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let is_stream = head.stream != 0;
        let (is_begun, is_open) = (head.stream <= self.last, streams.slot_of(head.stream));
        match head.kind {
            DATA | RST_STREAM | PRIORITY | HEADERS | CONTINUATION if !is_stream => Err(Reason::PROTOCOL_ERROR),
            SETTINGS | PING | GOAWAY if is_stream => Err(Reason::PROTOCOL_ERROR),
            // What is said of a stream that nobody has begun.
            DATA | RST_STREAM | WINDOW_UPDATE if is_stream && !is_begun => Err(Reason::PROTOCOL_ERROR),
            PRIORITY if payload.len() != 5 => Err(Reason::FRAME_SIZE_ERROR),
            GOAWAY if payload.len() < 8 => Err(Reason::FRAME_SIZE_ERROR),
            PUSH_PROMISE => Err(Reason::PROTOCOL_ERROR),
            DATA => data(head, payload, streams),
            HEADERS | CONTINUATION => self.headers(head, payload, streams, fields),
            RST_STREAM => number(payload).map(|_| {
                is_open.into_iter().for_each(|slot| streams.forget(slot));
                is_open.map_or(Event::None, Event::Stream)
            }),
            SETTINGS => {
                self.greeting = Greeting::Done;
                settings(head, payload, streams).map(|()| Event::None)
            }
            PING => ping(head, payload, streams),
            WINDOW_UPDATE => window(number(payload)? & 0x7fff_ffff, is_stream.then_some(is_open), streams),
            // The client's own farewell, priorities, and what is not known (RFC 9113, 5.5).
            _ => Ok(Event::None),
        }
    }

    fn headers(&mut self, head: Head, payload: &[u8], streams: &mut Streams, fields: &mut Fields) -> Result<Event, Reason> {
        if head.stream.is_multiple_of(2) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let ends = match self.unfinished.take() {
            Some((_, ends)) => ends,
            None => head.has(END_STREAM),
        };
        let content = if head.kind == HEADERS { head.content(payload)? } else { payload };
        if head.kind == HEADERS && head.has(END_HEADERS) {
            self.decode(content, fields)?;
        } else {
            if self.block.len() + content.len() > HEADERS_BYTES_MAX {
                return Err(Reason::ENHANCE_YOUR_CALM);
            }
            self.block.extend_from_slice(content);
            if !head.has(END_HEADERS) {
                self.unfinished = Some((head.stream, ends));
                return Ok(Event::None);
            }
            let block = std::mem::take(&mut self.block);
            self.decode(&block, fields)?;
        }
        self.end_headers(head.stream, ends, streams, fields)
    }

    fn decode(&mut self, block: &[u8], fields: &mut Fields) -> Result<(), Reason> {
        fields.clear();
        self.decoder.decode(block, fields, HEADERS_BYTES_MAX).map_err(|_| Reason::COMPRESSION_ERROR)
    }

    /// A block is whole: a request's, or what comes behind its body.
    fn end_headers(&mut self, stream: u32, ends: bool, streams: &mut Streams, fields: &Fields) -> Result<Event, Reason> {
        if stream > self.last {
            self.last = stream;
            return Ok(Event::Request { stream, ends });
        }
        let Some(slot) = streams.slot_of(stream) else {
            return if streams.is_forgotten(stream) { Ok(Event::None) } else { Err(Reason::STREAM_CLOSED) };
        };
        let received = match trailers(fields) {
            Ok(trailers) if ends && !fields.is_over() => streams.receive_trailers(slot, trailers),
            _ => Err(Reason::PROTOCOL_ERROR),
        };
        if let Err(reason) = received {
            streams.reset(slot, reason);
        }
        Ok(Event::Stream(slot))
    }
}

fn data(head: Head, payload: &[u8], streams: &mut Streams) -> Result<Event, Reason> {
    let (content, ends) = (head.content(payload)?, head.has(END_STREAM));
    streams.receive_any(payload.len())?;
    let Some(slot) = streams.slot_of(head.stream) else {
        streams.release_connection(payload.len());
        if !streams.is_forgotten(head.stream) {
            streams.refuse(head.stream, Reason::STREAM_CLOSED);
            return Ok(Event::None);
        }
        return Ok(Event::Data { slot: None, bytes: content.len() });
    };
    if let Err(reason) = streams.receive(slot, content, payload.len(), ends) {
        streams.reset(slot, reason);
    }
    Ok(Event::Data { slot: Some(slot), bytes: content.len() })
}

fn settings(head: Head, payload: &[u8], streams: &mut Streams) -> Result<(), Reason> {
    if head.has(ACK) {
        return if payload.is_empty() { Ok(()) } else { Err(Reason::FRAME_SIZE_ERROR) };
    }
    let (settings, []) = payload.as_chunks::<6>() else { return Err(Reason::FRAME_SIZE_ERROR) };
    for [a, b, value @ ..] in settings {
        let value = u32::from_be_bytes(*value);
        match u16::from_be_bytes([*a, *b]) {
            HEADER_TABLE_SIZE => streams.disown_table(),
            ENABLE_PUSH if value > 1 => return Err(Reason::PROTOCOL_ERROR),
            INITIAL_WINDOW_SIZE if i64::from(value) > WINDOW_BYTES_MAX => return Err(Reason::FLOW_CONTROL_ERROR),
            INITIAL_WINDOW_SIZE => streams.set_first_window(value)?,
            MAX_FRAME_SIZE if !(0x4000..=0x00ff_ffff).contains(&value) => return Err(Reason::PROTOCOL_ERROR),
            _ => {}
        }
    }
    push(&mut streams.out, SETTINGS, ACK, 0, &[]);
    Ok(())
}

fn ping(head: Head, payload: &[u8], streams: &mut Streams) -> Result<Event, Reason> {
    if payload.len() != FAREWELL.len() {
        return Err(Reason::FRAME_SIZE_ERROR);
    }
    if !head.has(ACK) {
        push(&mut streams.out, PING, ACK, 0, payload);
    }
    Ok(if head.has(ACK) && payload == FAREWELL { Event::Farewell } else { Event::None })
}

/// The client takes more: of one stream, which may be over, or of all together.
fn window(more: u32, stream: Option<Option<usize>>, streams: &mut Streams) -> Result<Event, Reason> {
    match stream {
        None if more == 0 => Err(Reason::PROTOCOL_ERROR),
        None => streams.widen_connection(more).map(|()| Event::None),
        Some(None) => Ok(Event::None),
        Some(Some(slot)) => {
            let widened = if more == 0 { Err(Reason::PROTOCOL_ERROR) } else { streams.widen(slot, more) };
            let Err(reason) = widened else { return Ok(Event::None) };
            streams.reset(slot, reason);
            Ok(Event::Stream(slot))
        }
    }
}
