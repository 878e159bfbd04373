//! The lines of a head that hold headers, each looked at once: what they say, and which of them matter to a load balancer.

use smallvec::SmallVec;

use super::HttpError;
use super::classes::{text_end, token_end};
use super::scan::{HEADERS_BYTES_MAX, LINE_BYTES_MAX};

/// Most headers of a message.
pub const HEADERS_MAX: usize = 256;

/// Headers of a message; few of them lie where this lies.
pub type Headers<'b> = SmallVec<[Header<'b>; 16]>;

/// One header, borrowed from the bytes that carried it.
#[derive(Clone, Copy, Debug)]
pub struct Header<'b> {
    /// A token (RFC 9110, 5.6.2), as it was written.
    pub name: &'b [u8],
    /// Without the space around it.
    pub value: &'b [u8],
    pub known: Known,
    /// Its name is of letters, digits and hyphens only ("ELB User Guide, routing.http.drop_invalid_header_fields.enabled").
    pub is_valid: bool,
    /// Its whole line, where that is name, colon, one space, value and CR LF; else nothing.
    pub line: &'b [u8],
}

impl<'b> Header<'b> {
    /// One that came as no line.
    pub fn new(name: &'b [u8], value: &'b [u8]) -> Self {
        Self { name, value, known: Known::of(name), is_valid: token_end(name, 0).1, line: &[] }
    }
}

/// Headers whose meaning matters to a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    KeepAlive,
    ProxyConnection,
    Te,
    Trailer,
    Upgrade,
    Expect,
    Date,
    Server,
    ForwardedFor,
    ForwardedProto,
    ForwardedPort,
    TraceId,
    /// `X-Amzn-Mtls-*` and `X-Amzn-Tls-*`, which only the load balancer may say.
    TlsFact,
    Other,
}

impl Known {
    /// Which one a token names.
    pub fn of(name: &[u8]) -> Self {
        let found = |is: bool, known| if is { known } else { Known::Other };
        match name.len() {
            2 => found(is(name, b"te"), Known::Te),
            4 if is(name, b"host") => Known::Host,
            4 => found(is(name, b"date"), Known::Date),
            6 if is(name, b"server") => Known::Server,
            6 => found(is(name, b"expect"), Known::Expect),
            7 if is(name, b"upgrade") => Known::Upgrade,
            7 => found(is(name, b"trailer"), Known::Trailer),
            10 if is(name, b"connection") => Known::Connection,
            10 => found(is(name, b"keep-alive"), Known::KeepAlive),
            14 => found(is(name, b"content-length"), Known::ContentLength),
            15 if is(name, b"x-forwarded-for") => Known::ForwardedFor,
            15 => found(is(name, b"x-amzn-trace-id"), Known::TraceId),
            16 if is(name, b"x-forwarded-port") => Known::ForwardedPort,
            16 => found(is(name, b"proxy-connection"), Known::ProxyConnection),
            17 if is(name, b"x-forwarded-proto") => Known::ForwardedProto,
            17 => found(is(name, b"transfer-encoding"), Known::TransferEncoding),
            18 | 22 | 23 | 27 | 29 | 30 | 31 | 36 => {
                found(is(name, b"x-amzn-mtls-clientcert") || is(name, b"x-amzn-tls-"), Known::TlsFact)
            }
            _ => Known::Other,
        }
    }
}

/// Whether a token begins with a text of small letters and hyphens, case ignored. Of the bytes of tokens, only letters become
/// letters by the bit that is set here, and only the hyphen a hyphen.
fn is<const N: usize>(name: &[u8], text: &[u8; N]) -> bool {
    name.first_chunk::<N>().is_some_and(|name| (0..N).fold(0, |other, at| other | ((name[at] | 0x20) ^ text[at])) == 0)
}

/// Reads the lines behind a head's first one, which begin at `at`; where the head ends, or nothing when it does not yet.
pub fn read_headers<'b>(bytes: &'b [u8], at: usize, into: &mut Headers<'b>) -> Result<Option<usize>, HttpError> {
    let mut begin = at;
    loop {
        let rest = &bytes[begin..];
        if let [b'\r' | b'\n', ..] = rest {
            return Ok(line_end(rest)?.map(|length| begin + length));
        }
        let Some((header, end)) = read_header(bytes, begin)? else { return Ok(None) };
        begin = end;
        if begin - at > HEADERS_BYTES_MAX {
            return Err(HttpError::TooLarge("the headers"));
        }
        if into.len() == HEADERS_MAX {
            return Err(HttpError::TooLarge("the number of headers"));
        }
        into.push(header);
    }
}

/// Reads the line that begins there, and tells where it ends.
fn read_header(bytes: &[u8], begin: usize) -> Result<Option<(Header<'_>, usize)>, HttpError> {
    let (colon, is_valid) = token_end(bytes, begin);
    match bytes.get(colon) {
        Some(b':') if colon > begin => {}
        Some(_) => return Err(HttpError::Syntax("a header's name")),
        None => return Ok(None),
    }
    let length = text_end(bytes, colon + 1);
    if length - begin > LINE_BYTES_MAX {
        return Err(HttpError::TooLarge("a header"));
    }
    let end = match &bytes[length..] {
        [b'\r', b'\n', ..] => length + 2,
        [] | [b'\r'] => return Ok(None),
        rest @ [b'\r' | b'\n', ..] => return line_end(rest).map(|_| None),
        _ => return Err(HttpError::Syntax("a header's value")),
    };
    let (name, text) = (&bytes[begin..colon], &bytes[colon + 1..length]);
    let value = trimmed(text);
    let is_plain = text.first() == Some(&b' ') && text.len() == value.len() + 1;
    let line = if is_plain { &bytes[begin..end] } else { &[] };
    Ok(Some((Header { name, value, known: Known::of(name), is_valid, line }, end)))
}

/// The length of CR LF, nothing when that is not whole.
pub fn line_end(rest: &[u8]) -> Result<Option<usize>, HttpError> {
    match rest {
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [] | [b'\r'] => Ok(None),
        _ => Err(HttpError::Syntax("a line's end")),
    }
}

/// Without space and tabs at both ends. Nearly always there is one space in front, and no more.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let value = text.strip_prefix(b" ").unwrap_or(text);
    if is_space(value.first()) || is_space(value.last()) { trimmed_fully(value) } else { value }
}

#[cold]
fn trimmed_fully(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use httparse::{EMPTY_HEADER, Status};
    use proptest::prelude::*;

    use super::{Headers, Known, read_headers};
    use crate::http::HttpError;
    use crate::http::head::{parse_answer, parse_request};
    use crate::http::scan::HeadScan;

    type Lines = Vec<(Vec<u8>, Vec<u8>)>;

    fn lines<'h>(headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>) -> Lines {
        headers.into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    }

    /// What another reader makes of header lines whose ends are all CR LF.
    fn read_by_another(bytes: &[u8]) -> Result<Option<(usize, Lines)>, ()> {
        let mut slots = [EMPTY_HEADER; 64];
        match httparse::parse_headers(bytes, &mut slots) {
            Ok(Status::Complete((length, headers))) => {
                Ok(Some((length, lines(headers.iter().map(|h| (h.name.as_bytes(), h.value))))))
            }
            Ok(Status::Partial) => Ok(None),
            Err(_) => Err(()),
        }
    }

    /// A line that is often right, and sometimes not in one of its parts.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let noise = || prop::collection::vec(any::<u8>().prop_filter("no line's end", |b| !b"\r\n".contains(b)), 0..24);
        let text = |texts: &[&str]| prop::sample::select(texts.iter().map(|t| t.as_bytes().to_vec()).collect::<Vec<_>>());
        let name = prop_oneof![9 => text(&["Host", "x", "Transfer-Encoding", "a_b"]), 1 => noise()];
        let colon = prop_oneof![9 => text(&[":", ": ", ":\t", ":  "]), 1 => text(&[" :", ""])];
        let value = prop_oneof![6 => "[a-z0-9 \\t,;]{0,24}".prop_map(String::into_bytes), 1 => noise()];
        let end = prop_oneof![12 => text(&["\r\n", " \r\n", "\t\r\n"]), 1 => text(&["\n", "\r", ""])];
        (name, colon, value, end).prop_map(|(name, colon, value, end)| [name, colon, value, end].concat())
    }

    proptest! {
        #[test]
        fn headers_are_read_as_by_another_reader(lines_of in prop::collection::vec(line(), 0..5), cut in 0..8usize) {
            let bytes = [lines_of.concat().as_slice(), b"\r\n"].concat();
            let bytes = &bytes[..bytes.len() - cut.saturating_sub(5).min(bytes.len())];
            let is_bare = |(at, byte): (usize, &u8)| *byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
            let mut headers = Headers::new();
            let ours = read_headers(bytes, 0, &mut headers);
            if let Ok(Some(length)) = ours {
                prop_assert!(!bytes[..length].iter().enumerate().any(is_bare));
                let same = lines(headers.iter().map(|h| (h.name, h.value)));
                prop_assert_eq!(read_by_another(bytes), Ok(Some((length, same))));
                let whole = headers.iter().filter(|h| !h.line.is_empty());
                for header in whole {
                    prop_assert_eq!(header.line, [header.name, b": ", header.value, b"\r\n"].concat());
                }
            } else if !bytes.iter().enumerate().any(is_bare) {
                prop_assert_eq!(read_by_another(bytes), ours.map(|_| None).map_err(|_| ()));
            }
        }

        #[test]
        fn a_head_means_the_same_however_much_of_it_is_there(
            first in prop::sample::select(vec!["GET /a?b HTTP/1.1\r\n", "POST http://a/ HTTP/1.0\r\n", "HTTP/1.1 204 None at all\r\n", "HTTP/1.0 200\r\n"]),
            lines_of in prop::collection::vec(line(), 0..4),
        ) {
            let bytes = [first.as_bytes(), b"Host: a\r\n", &lines_of.concat(), b"\r\n"].concat();
            let read = |bytes: &[u8]| -> Result<Option<(String, usize)>, HttpError> {
                let mut headers = Headers::new();
                if first.starts_with("HTTP") {
                    Ok(parse_answer(bytes, &mut headers, false)?.map(|(answer, length)| (format!("{answer:?}"), length)))
                } else {
                    Ok(parse_request(bytes, &mut headers)?.map(|(request, length)| (format!("{request:?}"), length)))
                }
            };
            let Ok(Some((said, length))) = read(&bytes) else { return Ok(()) };
            for end in 0..length {
                prop_assert_eq!(read(&bytes[..end]), Ok(None));
            }
            prop_assert_eq!(read(&bytes[..length]), Ok(Some((said, length))));
            let span = HeadScan::default().advance(&bytes).unwrap().unwrap();
            prop_assert_eq!((span.begin, span.end), (0, length));
        }

    }

    #[test]
    fn known_names_are_known_in_any_case() {
        for (name, known) in [
            ("te", Known::Te),
            ("host", Known::Host),
            ("date", Known::Date),
            ("server", Known::Server),
            ("expect", Known::Expect),
            ("upgrade", Known::Upgrade),
            ("trailer", Known::Trailer),
            ("connection", Known::Connection),
            ("keep-alive", Known::KeepAlive),
            ("content-length", Known::ContentLength),
            ("x-forwarded-for", Known::ForwardedFor),
            ("x-amzn-trace-id", Known::TraceId),
            ("x-forwarded-port", Known::ForwardedPort),
            ("proxy-connection", Known::ProxyConnection),
            ("x-forwarded-proto", Known::ForwardedProto),
            ("transfer-encoding", Known::TransferEncoding),
            ("x-amzn-tls-version", Known::TlsFact),
            ("x-amzn-tls-cipher-suite", Known::TlsFact),
            ("x-amzn-mtls-clientcert-serial-number", Known::TlsFact),
        ] {
            assert_eq!((Known::of(name.as_bytes()), Known::of(name.to_ascii_uppercase().as_bytes())), (known, known), "{name}");
        }
        for name in ["", "t", "tea", "hosts", "hos_", "content_length", "x-forwarded-fo_", "x-amzn-tls", "x-amzn-tlsversions"] {
            assert_eq!(Known::of(name.as_bytes()), Known::Other, "{name}");
        }
    }
}
