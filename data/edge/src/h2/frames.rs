//! HTTP/2's frames, as bytes (RFC 9113, 4 and 6).

use ::h2::Reason;

/// What a client says first (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEAD_BYTES: usize = 9;
/// The largest payload that we take, and send: nobody is asked for more, and none can ask us for less (RFC 9113, 4.2).
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 32;
const PRIORITY_BYTES: usize = 5;

/// Names of settings (RFC 9113, 6.5.2).
pub const HEADER_TABLE_SIZE: u16 = 1;
pub const ENABLE_PUSH: u16 = 2;
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;
pub const MAX_FRAME_SIZE: u16 = 5;
pub const MAX_HEADER_LIST_SIZE: u16 = 6;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub bytes: usize,
}

impl Head {
    /// The head at the front, once it is whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEAD_BYTES>()?;
        let bytes = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        Some(Self { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, bytes })
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload without padding, and without the priority that HEADERS may begin with.
    pub fn content<'p>(&self, payload: &'p [u8]) -> Result<&'p [u8], Reason> {
        let (padding, content) = match payload {
            [padding, content @ ..] if self.has(PADDED) => (usize::from(*padding), content),
            [] if self.has(PADDED) => return Err(Reason::FRAME_SIZE_ERROR),
            _ => (0, payload),
        };
        let priority = if self.kind == HEADERS && self.has(HAS_PRIORITY) { PRIORITY_BYTES } else { 0 };
        let end = content.len().checked_sub(padding).filter(|end| *end >= priority).ok_or(Reason::PROTOCOL_ERROR)?;
        Ok(&content[priority..end])
    }
}

/// Appends a frame.
pub fn push(to: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    push_head(to, Head { kind, flags, stream, bytes: payload.len() });
    to.extend_from_slice(payload);
}

pub fn push_head(to: &mut Vec<u8>, head: Head) {
    let [_, a, b, c] = u32::try_from(head.bytes).unwrap_or(u32::MAX).to_be_bytes();
    let [d, e, f, g] = head.stream.to_be_bytes();
    to.extend_from_slice(&[a, b, c, head.kind, head.flags, d, e, f, g]);
}

/// Appends a header block that `write` appends, in as many frames as it needs.
pub fn push_block(to: &mut Vec<u8>, stream: u32, ends: bool, write: impl FnOnce(&mut Vec<u8>)) {
    let begin = to.len();
    let flags = if ends { END_STREAM } else { 0 };
    push_head(to, Head { kind: HEADERS, flags: flags | END_HEADERS, stream, bytes: 0 });
    write(to);
    let bytes = to.len() - begin - HEAD_BYTES;
    if bytes <= PAYLOAD_BYTES_MAX {
        let [_, length @ ..] = u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        to[begin..begin + length.len()].copy_from_slice(&length);
        return;
    }
    let block = to.split_off(begin + HEAD_BYTES);
    to.truncate(begin);
    let last = bytes.div_ceil(PAYLOAD_BYTES_MAX) - 1;
    for (number, piece) in block.chunks(PAYLOAD_BYTES_MAX).enumerate() {
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        let begins = if number == 0 { flags } else { 0 };
        push(to, kind, begins | if number == last { END_HEADERS } else { 0 }, stream, piece);
    }
}

pub fn push_reset(to: &mut Vec<u8>, stream: u32, reason: Reason) {
    push(to, RST_STREAM, 0, stream, &u32::from(reason).to_be_bytes());
}

pub fn push_window(to: &mut Vec<u8>, stream: u32, more: u32) {
    push(to, WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
}

pub fn push_goaway(to: &mut Vec<u8>, last: u32, reason: Reason) {
    push(to, GOAWAY, 0, 0, &[last.to_be_bytes(), u32::from(reason).to_be_bytes()].concat());
}

pub fn push_settings(to: &mut Vec<u8>, settings: &[(u16, u32)]) {
    push_head(to, Head { kind: SETTINGS, flags: 0, stream: 0, bytes: settings.len() * 6 });
    for (name, value) in settings {
        to.extend_from_slice(&name.to_be_bytes());
        to.extend_from_slice(&value.to_be_bytes());
    }
}

/// The number that a payload is, of exactly four bytes.
pub fn number(payload: &[u8]) -> Result<u32, Reason> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| Reason::FRAME_SIZE_ERROR)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{CONTINUATION, END_HEADERS, END_STREAM, HEAD_BYTES, HEADERS, Head, PADDED, push_block};

    #[test]
    fn a_block_takes_as_many_frames_as_it_needs() {
        for bytes in [0, 5, 16_384, 16_385, 40_000] {
            let mut out = b"before".to_vec();
            push_block(&mut out, 7, true, |to| to.resize(to.len() + bytes, b'x'));
            let (mut at, mut payload, mut kinds) = (6, 0, Vec::new());
            while at < out.len() {
                let head = Head::read(&out[at..]).unwrap();
                kinds.push((head.kind, head.flags));
                payload += head.bytes;
                at += HEAD_BYTES + head.bytes;
            }
            assert_eq!((at, payload), (out.len(), bytes));
            let wanted = match bytes {
                0..=16_384 => vec![(HEADERS, END_STREAM | END_HEADERS)],
                16_385 => vec![(HEADERS, END_STREAM), (CONTINUATION, END_HEADERS)],
                _ => vec![(HEADERS, END_STREAM), (CONTINUATION, 0), (CONTINUATION, END_HEADERS)],
            };
            assert_eq!(kinds, wanted);
        }
    }

    #[test]
    fn padding_and_priority_are_taken_off() {
        let head = |kind, flags| Head { kind, flags, stream: 1, bytes: 0 };
        assert_eq!(head(HEADERS, PADDED | 32).content(&[2, 0, 0, 0, 1, 9, b'a', 0, 0]), Ok(&b"a"[..]));
        assert_eq!(head(0, PADDED).content(&[0, b'a']), Ok(&b"a"[..]));
        assert_eq!(head(0, PADDED).content(&[1, 0]), Ok(&b""[..]));
        for (flags, payload) in [(PADDED, &[3, 0, 0][..]), (PADDED, &[]), (PADDED | 32, &[1, 0, 0, 0, 0, 0]), (32, &[0; 4])] {
            assert!(head(HEADERS, flags).content(payload).is_err(), "{flags} {payload:?}");
        }
    }
}
