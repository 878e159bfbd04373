//! Where a body ends: decodes `Content-Length`, chunked and close-delimited bodies in place, so that only data which
//! was understood is sent on, and frames it anew.

use std::ops::Range;

use super::HttpError;
use super::fields::{Headers, Known, read_headers};
use super::forward::ListenerHeaders;
use super::head::Framing;
use super::text::push_header;

/// Longest extension of one chunk; it is read and dropped.
const EXTENSION_BYTES_MAX: usize = 256;
/// All extensions of a body together.
const EXTENSIONS_BYTES_MAX: usize = 16 * 1024;
/// Longest trailer section, and most fields of it.
const TRAILERS_BYTES_MAX: usize = 16 * 1024;
const TRAILERS_MAX: usize = 64;
/// Hexadecimal digits of a chunk's size, leading zeros included.
const SIZE_DIGITS_MAX: u8 = 15;

/// What a decoder has found in its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The data, now in one piece inside the input.
    pub data: Range<usize>,
    /// How much of the input belongs to this body; all of it unless `done`.
    pub consumed: usize,
    pub done: bool,
}

/// Follows a body through the pieces in which it arrives.
#[derive(Clone, Debug)]
pub enum Decoder {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Decoder {
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Decoder::Length(0),
            Framing::Length(length) => Decoder::Length(length),
            Framing::Chunked => Decoder::Chunked(Chunked::default()),
            Framing::UntilClose => Decoder::UntilClose,
        }
    }

    /// Of a request at this listener: what only the load balancer may say is in no trailers.
    pub fn without(mut self, listener: &ListenerHeaders) -> Self {
        if let Decoder::Chunked(chunked) = &mut self {
            chunked.withheld = listener.request_names.iter().map(|(_, name)| name.clone()).collect();
        }
        self
    }

    /// Takes in what has come; `input` may be moved about inside.
    pub fn decode(&mut self, input: &mut [u8]) -> Result<Decoded, HttpError> {
        match self {
            Decoder::Length(left) => {
                let take = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= take as u64;
                Ok(Decoded { data: 0..take, consumed: take, done: *left == 0 })
            }
            Decoder::Chunked(chunked) => chunked.decode(input),
            Decoder::UntilClose => Ok(Decoded { data: 0..input.len(), consumed: input.len(), done: false }),
        }
    }

    /// The lines of the fields that came behind the body, as far as they may go on; once the body is done.
    pub fn trailers(&self) -> &[u8] {
        if let Decoder::Chunked(chunked) = self { &chunked.trailers } else { &[] }
    }

    /// Whether the body is whole when the connection ends here.
    pub fn may_end(&self) -> bool {
        matches!(self, Decoder::UntilClose | Decoder::Length(0))
    }

    /// Whether much is known to come, so that a large buffer pays.
    pub fn expects_more_than(&self, bytes: usize) -> bool {
        match self {
            Decoder::Length(left) => *left > bytes as u64,
            Decoder::Chunked(chunked) => chunked.left > bytes as u64,
            Decoder::UntilClose => true,
        }
    }
}

/// The state within a chunked body (RFC 9112, 7.1).
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    state: State,
    /// Bytes left of the present chunk.
    left: u64,
    digits: u8,
    extension_bytes: usize,
    extensions_bytes: usize,
    /// As they came, and in the end what of them may go on.
    trailers: Vec<u8>,
    /// Names that no trailer may have.
    withheld: Box<[String]>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeFeed,
    Data,
    DataReturn,
    DataFeed,
    TrailerStart,
    Trailer,
    TrailerFeed,
    EndFeed,
    End,
}

impl Chunked {
    fn decode(&mut self, input: &mut [u8]) -> Result<Decoded, HttpError> {
        let mut at = 0;
        let mut data = 0..0;
        while at < input.len() && self.state != State::End {
            if self.state != State::Data {
                self.frame(input[at])?;
                at += 1;
                continue;
            }
            let take = usize::try_from(self.left).map_or(input.len() - at, |left| left.min(input.len() - at));
            if data.is_empty() {
                data = at..at + take;
            } else {
                input.copy_within(at..at + take, data.end);
                data.end += take;
            }
            at += take;
            self.left -= take as u64;
            if self.left == 0 {
                self.state = State::DataReturn;
            }
        }
        let done = self.state == State::End;
        if done && !self.trailers.is_empty() {
            self.trailers = passable(&self.trailers, &self.withheld)?;
        }
        Ok(Decoded { data, consumed: at, done })
    }

    /// Takes in one byte that is not data.
    fn frame(&mut self, byte: u8) -> Result<(), HttpError> {
        self.state = match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => State::SizeFeed,
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, _) => self.size_digit(byte)?,
            (State::Extension, b'\r') => State::SizeFeed,
            (State::Extension, _) => self.extension_byte(byte)?,
            (State::SizeFeed, b'\n') => {
                self.digits = 0;
                self.extension_bytes = 0;
                if self.left == 0 { State::TrailerStart } else { State::Data }
            }
            (State::DataReturn, b'\r') => State::DataFeed,
            (State::DataFeed, b'\n') => State::Size,
            (State::TrailerStart, b'\r') => State::EndFeed,
            (State::TrailerStart, b' ' | b'\t') => return Err(HttpError::Syntax("a folded trailer")),
            (State::Trailer, b'\r') => State::TrailerFeed,
            (State::TrailerStart | State::Trailer, _) => self.trailer_byte(byte)?,
            (State::TrailerFeed, b'\n') => {
                self.trailers.extend_from_slice(b"\r\n");
                State::TrailerStart
            }
            (State::EndFeed, b'\n') => State::End,
            _ => return Err(HttpError::Syntax("a chunk's line end")),
        };
        Ok(())
    }

    fn size_digit(&mut self, byte: u8) -> Result<State, HttpError> {
        let digit = char::from(byte).to_digit(16).ok_or(HttpError::Syntax("a chunk's size"))?;
        self.digits += 1;
        if self.digits > SIZE_DIGITS_MAX {
            return Err(HttpError::TooLarge("a chunk's size"));
        }
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Size)
    }

    fn extension_byte(&mut self, byte: u8) -> Result<State, HttpError> {
        self.extension_bytes += 1;
        self.extensions_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES_MAX || self.extensions_bytes > EXTENSIONS_BYTES_MAX {
            return Err(HttpError::TooLarge("a chunk's extension"));
        }
        is_text(byte).then_some(State::Extension).ok_or(HttpError::Syntax("a chunk's extension"))
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, HttpError> {
        if self.trailers.len() >= TRAILERS_BYTES_MAX {
            return Err(HttpError::TooLarge("the trailers"));
        }
        self.trailers.push(byte);
        is_text(byte).then_some(State::Trailer).ok_or(HttpError::Syntax("a trailer"))
    }
}

/// What of trailers may go on: nothing that says how a message is carried, framed or routed (RFC 9110, 6.5.1).
fn passable(lines: &[u8], withheld: &[String]) -> Result<Vec<u8>, HttpError> {
    let section = [lines, b"\r\n"].concat();
    let mut fields = Headers::new();
    let read = read_headers(&section, 0, &mut fields);
    if read != Ok(Some(section.len())) || fields.len() > TRAILERS_MAX {
        return Err(HttpError::Syntax("the trailers"));
    }
    let mut kept = Vec::with_capacity(lines.len());
    let is_withheld = |name| withheld.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name));
    let passing = fields.iter().filter(|field| field.known == Known::Other && !is_withheld(field.name));
    passing.for_each(|field| push_header(&mut kept, field));
    Ok(kept)
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

/// How a body is framed on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is: its length was announced, or the connection's end tells.
    Raw,
    Chunked,
}

/// The line before a chunk's data, in a buffer of its own.
#[derive(Debug, Default)]
pub struct ChunkLine {
    bytes: [u8; 18],
    length: usize,
}

impl ChunkLine {
    /// For a chunk of so many bytes; empty for none, since that would end the body.
    pub fn new(size: usize) -> Self {
        let mut line = Self::default();
        if size == 0 {
            return line;
        }
        let digits = (usize::BITS - size.leading_zeros()).div_ceil(4) as usize;
        for (i, slot) in line.bytes[..digits].iter_mut().enumerate() {
            *slot = b"0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 0xf];
        }
        line.bytes[digits..digits + 2].copy_from_slice(b"\r\n");
        line.length = digits + 2;
        line
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{ChunkLine, Decoder, Framing};
    use crate::http::HttpError;

    /// Decodes in pieces of `step` bytes; gives the data and how much of the input was used, if the body ended.
    fn decode(framing: Framing, input: &[u8], step: usize) -> Result<(Vec<u8>, Option<usize>), HttpError> {
        let mut decoder = Decoder::new(framing);
        let (mut data, mut used) = (Vec::new(), 0);
        for piece in input.chunks(step) {
            let mut piece = piece.to_vec();
            let decoded = decoder.decode(&mut piece)?;
            data.extend_from_slice(&piece[decoded.data]);
            used += decoded.consumed;
            if decoded.done {
                return Ok((data, Some(used)));
            }
        }
        Ok((data, None))
    }

    #[test]
    fn decodes_in_any_pieces_and_leaves_the_rest() {
        let chunked = b"5\r\nhello\r\n6;ext=\"1\"\r\n world\r\n0\r\nX-Sum: 1\r\n\r\nGET /";
        for step in 1..chunked.len() {
            assert_eq!(
                decode(Framing::Chunked, chunked, step).unwrap(),
                (b"hello world".to_vec(), Some(chunked.len() - 5)),
                "{step}"
            );
            assert_eq!(decode(Framing::Length(7), b"1234567rest", step).unwrap(), (b"1234567".to_vec(), Some(7)));
        }
        assert_eq!(decode(Framing::UntilClose, b"abc", 2).unwrap(), (b"abc".to_vec(), None));
    }

    #[test]
    fn refuses_chunks_that_could_be_read_in_two_ways() {
        let long = [b"1;".to_vec(), vec![b'x'; 300], b"\r\na\r\n".to_vec()].concat();
        let refused: &[&[u8]] = &[
            b"5 \r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"+5\r\nhello\r\n",
            b"\r\nhello\r\n",
            b";a\r\n",
            b"5\nhello\r\n",
            b"5\rhello\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5;a\x00b\r\nhello\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"0000000000000005\r\nhello\r\n",
            b"fffffffffffffffff\r\n",
            b"0\r\n folded: 1\r\n\r\n",
            b"0\r\nA: 1\nB: 2\r\n\r\n",
            b"0\r\n\rX",
            b"0\r\nno field\r\n\r\n",
            b"0\r\nspaced : 1\r\n\r\n",
            b"0\r\n: 1\r\n\r\n",
            &long,
        ];
        for input in refused {
            for step in [1, 3, input.len()] {
                assert!(
                    decode(Framing::Chunked, input, step).is_err(),
                    "{:?} in pieces of {step}",
                    String::from_utf8_lossy(input)
                );
            }
        }
    }

    #[test]
    fn trailers_go_on_unless_they_frame_or_route() {
        let mut body =
            b"2\r\nhi\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\nhost: other\r\nX-Amzn-Tls-Version: x\r\nlast:\r\n\r\n".to_vec();
        let mut decoder = Decoder::new(Framing::Chunked);
        assert!(decoder.decode(&mut body).unwrap().done);
        assert_eq!(String::from_utf8_lossy(decoder.trailers()), "X-Sum: 1\r\nlast: \r\n");
        assert!(Decoder::new(Framing::Length(0)).trailers().is_empty());
    }

    #[test]
    fn chunk_lines() {
        for (size, line) in [(0, ""), (1, "1\r\n"), (16, "10\r\n"), (0xabc, "abc\r\n"), (usize::MAX, "ffffffffffffffff\r\n")] {
            assert_eq!(ChunkLine::new(size).as_bytes(), line.as_bytes());
        }
    }
}
