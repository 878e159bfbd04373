//! Reads the heads of requests and answers, strictly. What RFC 9112 calls ambiguous is refused: two lengths, a length
//! beside a transfer coding, folded lines, space before a colon, control characters. One reader serves both
//! directions, so that what it accepts means the same on both sides.

use super::HttpError;
use super::classes::{is_token, target_end, text_end, token_end};
use super::desync::{Framed, Reason, classify};
use super::fields::{Header, Headers, Known, line_end, read_headers};
use super::scan::{ANSWER_HEAD_BYTES_MAX, LINE_BYTES_MAX};

/// Most addresses in `X-Forwarded-For`; one more is answered with 463.
const FORWARDED_FOR_MAX: usize = 30;

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
    /// Only of an answer: until the connection closes.
    UntilClose,
}

/// A request's head, borrowed from the bytes that carried it.
#[derive(Debug)]
pub struct Request<'b, 'h> {
    pub method: &'b str,
    pub target: &'b str,
    /// HTTP/1.1, not 1.0.
    pub http11: bool,
    /// It came by HTTP/2.
    pub http2: bool,
    pub headers: &'h [Header<'b>],
    pub host: Option<&'b str>,
    pub framing: Framing,
    /// All of its body has come along with the head.
    pub is_whole: bool,
    /// The client wants the connection kept.
    pub keep_alive: bool,
    /// The protocol that the connection is to change to, such as `websocket`: the only one in `Upgrade`, which `Connection`
    /// names.
    pub upgrade: Option<&'b str>,
    /// `Connection` names headers beyond the usual ones.
    pub names_headers: bool,
    /// What keeps it from being compliant, if anything does.
    pub flaw: Option<Reason>,
}

impl Request<'_, '_> {
    /// A WebSocket handshake (RFC 6455, 4.1).
    pub fn is_websocket(&self) -> bool {
        self.upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
    }
}

/// An answer's head, borrowed likewise.
#[derive(Debug)]
pub struct Answer<'b, 'h> {
    pub status: u16,
    pub reason: &'b [u8],
    pub headers: &'h [Header<'b>],
    /// Where its body ends, given the method of its request.
    pub framing: Framing,
    pub keep_alive: bool,
    pub names_headers: bool,
    pub has_date: bool,
    pub has_server: bool,
}

/// What the headers that both kinds share say.
#[derive(Debug, Default)]
struct Shared<'b> {
    length: Option<u64>,
    /// The same length came again.
    length_repeats: bool,
    coding: Option<Coding>,
    close: bool,
    keep: bool,
    upgrade: bool,
    names_headers: bool,
    host: Option<&'b str>,
    protocol: Option<&'b str>,
    /// It came again.
    protocol_repeats: bool,
    has_date: bool,
    has_server: bool,
    forwarded_for: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Identity,
}

/// Reads the head of a request with which `bytes` begin, and tells its length; nothing when it is not whole.
pub fn parse_request<'b, 'h>(
    bytes: &'b [u8],
    headers: &'h mut Headers<'b>,
) -> Result<Option<(Request<'b, 'h>, usize)>, HttpError> {
    let Some((line, length)) = read_request_line(bytes)? else { return Ok(None) };
    let Some(length) = read_headers(bytes, length, headers)? else { return Ok(None) };
    let request = understand_request(&line, headers)?;
    let is_whole = match request.framing {
        Framing::None => true,
        Framing::Length(body) => body <= (bytes.len() - length) as u64,
        Framing::Chunked | Framing::UntilClose => false,
    };
    Ok(Some((Request { is_whole, ..request }, length)))
}

/// What a head says that is known to be whole.
pub fn whole_head<T>(parsed: Result<Option<(T, usize)>, HttpError>) -> Result<T, HttpError> {
    parsed?.map(|(message, _)| message).ok_or(HttpError::Syntax("a head that does not end"))
}

/// A request's first line.
struct RequestLine<'b> {
    method: &'b str,
    target: &'b str,
    http11: bool,
}

/// Reads it, and tells its length.
fn read_request_line(bytes: &[u8]) -> Result<Option<(RequestLine<'_>, usize)>, HttpError> {
    let first_line = HttpError::Syntax("the first line");
    let method = &bytes[..token_end(bytes, 0).0];
    let target = match &bytes[method.len()..] {
        [] => return Ok(None),
        [b' ', ..] if !method.is_empty() => &bytes[method.len() + 1..target_end(bytes, method.len() + 1)],
        _ => return Err(first_line),
    };
    let length = method.len() + 1 + target.len();
    let version = match &bytes[length..] {
        [] => return Ok(None),
        [b' ', rest @ ..] if !target.is_empty() => rest,
        _ => return Err(first_line),
    };
    if length + " HTTP/1.1".len() > LINE_BYTES_MAX {
        return Err(HttpError::LineTooLong);
    }
    let http11 = match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', digit @ (b'0' | b'1'), ..] => *digit == b'1',
        _ if b"HTTP/1.".starts_with(version) => return Ok(None),
        // A line whose end is no version at all is malformed, not of another version.
        _ => return Err(if version.starts_with(b"HTTP/") && !has_space(version) { HttpError::Version } else { first_line }),
    };
    let Some(end) = line_end(&version[8..])? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..length]).map_err(|_| first_line)?;
    let (method, target) = (&text[..method.len()], &text[method.len() + 1..]);
    Ok(Some((RequestLine { method, target, http11 }, length + 9 + end)))
}

/// Whether there is space before the line ends.
fn has_space(line: &[u8]) -> bool {
    line.iter().take_while(|b| **b != b'\r').any(|b| *b == b' ')
}

fn understand_request<'b, 'h>(line: &RequestLine<'b>, headers: &'h [Header<'b>]) -> Result<Request<'b, 'h>, HttpError> {
    let RequestLine { method, target, http11 } = *line;
    let shared = read_shared(headers)?;
    if method == "TRACE" || method == "CONNECT" {
        return Err(HttpError::Method);
    }
    check_target(method, target)?;
    if http11 && shared.host.is_none() {
        return Err(HttpError::Syntax("no Host"));
    }
    if shared.forwarded_for > FORWARDED_FOR_MAX {
        return Err(HttpError::ForwardedFor);
    }
    let framing = match (shared.coding, shared.length) {
        (Some(_), _) if !http11 => return Err(HttpError::Syntax("a transfer coding in HTTP/1.0")),
        (Some(Coding::Identity), Some(_)) => return Err(HttpError::Syntax("both Content-Length and Transfer-Encoding")),
        // The coding counts, and the length is not sent on (RFC 9112, 6.1); the desync mode decides what follows.
        (Some(Coding::Chunked), _) => Framing::Chunked,
        (Some(Coding::Identity) | None, None) => Framing::None,
        (None, Some(length)) => Framing::Length(length),
    };
    let framed =
        Framed { method, http11, length: shared.length, length_repeats: shared.length_repeats, coded: shared.coding.is_some() };
    Ok(Request {
        method,
        target,
        http11,
        http2: false,
        headers,
        host: shared.host,
        framing,
        is_whole: framing == Framing::None,
        keep_alive: !shared.close && (http11 || shared.keep),
        upgrade: shared.protocol.filter(|protocol| {
            let asked = shared.upgrade && !shared.protocol_repeats && !protocol.is_empty();
            asked && http11 && method == "GET" && framing == Framing::None
        }),
        names_headers: shared.names_headers,
        flaw: classify(&framed, headers)?,
    })
}

/// A request whose parts came by themselves, as HTTP/2 carries them (RFC 9113, 8.3.1): `headers` are the fields that are no
/// pseudo-header fields, and `ended` tells that no body follows.
pub fn assemble_request<'b, 'h>(
    (method, target): (&'b str, &'b str),
    authority: Option<&'b str>,
    headers: &'h [Header<'b>],
    ended: bool,
) -> Result<Request<'b, 'h>, HttpError> {
    let shared = read_shared(headers)?;
    if method == "TRACE" || method == "CONNECT" {
        return Err(HttpError::Method);
    }
    let understood = target.starts_with('/') || (target == "*" && method == "OPTIONS");
    if !understood || target.as_bytes().contains(&b'#') {
        return Err(HttpError::Syntax("the path"));
    }
    let host = match (authority, shared.host) {
        (Some(authority), _) if !is_host(authority) => return Err(HttpError::Syntax("the authority")),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            return Err(HttpError::Syntax("an authority and another Host"));
        }
        (authority, host) => authority.or(host).filter(|h| !h.is_empty()).ok_or(HttpError::Syntax("no authority"))?,
    };
    if shared.forwarded_for > FORWARDED_FOR_MAX {
        return Err(HttpError::ForwardedFor);
    }
    let framing = match (shared.length, ended) {
        _ if shared.coding.is_some() || shared.length_repeats => return Err(HttpError::Syntax("the length of the body")),
        (Some(1..), true) => return Err(HttpError::Syntax("a body that is not there")),
        (Some(length), _) => Framing::Length(length),
        (None, true) => Framing::None,
        (None, false) => Framing::Chunked,
    };
    let framed =
        Framed { method, http11: true, length: shared.length, length_repeats: false, coded: framing == Framing::Chunked };
    Ok(Request {
        method,
        target,
        http11: true,
        http2: true,
        headers,
        host: Some(host),
        framing,
        // Its stream ends by itself; the connection does not depend on it.
        is_whole: true,
        keep_alive: true,
        upgrade: None,
        names_headers: false,
        flaw: classify(&framed, headers)?,
    })
}

/// Reads the head of an answer to a request with this method, likewise.
pub fn parse_answer<'b, 'h>(
    bytes: &'b [u8],
    headers: &'h mut Headers<'b>,
    to_head: bool,
) -> Result<Option<(Answer<'b, 'h>, usize)>, HttpError> {
    let Some((line, length)) = read_status_line(bytes)? else { return Ok(None) };
    let Some(length) = read_headers(bytes, length, headers)? else { return Ok(None) };
    if length > ANSWER_HEAD_BYTES_MAX {
        return Err(HttpError::TooLarge("the head"));
    }
    Ok(Some((understand_answer(&line, headers, to_head)?, length)))
}

/// An answer's first line.
struct StatusLine<'b> {
    http11: bool,
    status: u16,
    reason: &'b [u8],
}

/// What every answer begins with: version and status.
const START: usize = "HTTP/1.1 200".len();

/// Fails where an answer cannot begin so, of whose head not all may be there: what speaks another protocol may say no more.
pub fn check_start(bytes: &[u8]) -> Result<(), HttpError> {
    read_status_line(&bytes[..bytes.len().min(START)]).map(|_| ())
}

/// Reads it, and tells its length.
fn read_status_line(bytes: &[u8]) -> Result<Option<(StatusLine<'_>, usize)>, HttpError> {
    let (http11, digits, rest) = match bytes {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1'), b' ', a, b, c, rest @ ..] => {
            (*minor == b'1', [*a, *b, *c], rest)
        }
        _ if bytes.len() < START && bytes.iter().zip(b"HTTP/1.").all(|(a, b)| a == b) => return Ok(None),
        _ => return Err(HttpError::Version),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(HttpError::Syntax("the status"));
    }
    let status = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let (space, reason) = match rest {
        [b' ', reason @ ..] => (1, &reason[..text_end(reason, 0)]),
        [] | [b'\r', ..] => (0, &rest[..0]),
        _ => return Err(HttpError::Syntax("the status")),
    };
    let Some(end) = line_end(&rest[space + reason.len()..])? else { return Ok(None) };
    let length = START + space + reason.len() + end;
    if length - end > LINE_BYTES_MAX {
        return Err(HttpError::LineTooLong);
    }
    // What is not ASCII has no meaning that anyone agrees on (RFC 9112, 4).
    let reason = if reason.is_ascii() { reason } else { &[] };
    Ok(Some((StatusLine { http11, status, reason }, length)))
}

fn understand_answer<'b, 'h>(
    line: &StatusLine<'b>,
    headers: &'h [Header<'b>],
    to_head: bool,
) -> Result<Answer<'b, 'h>, HttpError> {
    let StatusLine { http11, status, reason } = *line;
    if !(100..=999).contains(&status) {
        return Err(HttpError::Syntax("a status below 100"));
    }
    let shared = read_shared(headers)?;
    let framing = match (shared.coding, shared.length) {
        (Some(_), Some(_)) => return Err(HttpError::Syntax("both Content-Length and Transfer-Encoding")),
        _ if shared.length_repeats => return Err(HttpError::Syntax("more than one Content-Length")),
        (Some(_), _) if !http11 => return Err(HttpError::Syntax("a transfer coding in HTTP/1.0")),
        (Some(Coding::Identity), None) => return Err(HttpError::TransferCoding),
        _ if to_head || status < 200 || status == 204 || status == 304 => Framing::None,
        (Some(Coding::Chunked), None) => Framing::Chunked,
        (None, Some(length)) => Framing::Length(length),
        (None, None) => Framing::UntilClose,
    };
    Ok(Answer {
        status,
        reason,
        headers,
        framing,
        keep_alive: framing != Framing::UntilClose && !shared.close && (http11 || shared.keep),
        names_headers: shared.names_headers,
        has_date: shared.has_date,
        has_server: shared.has_server,
    })
}

/// Origin form, `*` for OPTIONS, or `http://host/...` or `https://host/...` (RFC 9112, 3.2).
pub(super) fn check_target(method: &str, target: &str) -> Result<(), HttpError> {
    let understood = target.starts_with('/') || (target == "*" && method == "OPTIONS") || authority(target).is_some();
    if !understood || target.as_bytes().contains(&b'#') {
        return Err(HttpError::Syntax("the request target"));
    }
    Ok(())
}

/// Host and the rest of a target in absolute form, which a server must take of either scheme (RFC 9112, 3.2.2). How the client
/// came here is what the connection says, not the scheme.
pub fn authority(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    is_host(host).then_some((host, path))
}

/// A host with an optional port, of the characters that both may have.
pub fn is_host(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%' | b'~');
    !host.is_empty() && host.bytes().all(allowed)
}

fn read_shared<'b>(headers: &[Header<'b>]) -> Result<Shared<'b>, HttpError> {
    let mut shared = Shared::default();
    for header in headers {
        match header.known {
            Known::Host => {
                if shared.host.is_some() {
                    return Err(HttpError::Syntax("more than one Host"));
                }
                let host = std::str::from_utf8(header.value).ok().filter(|h| h.is_empty() || is_host(h));
                shared.host = Some(host.ok_or(HttpError::Syntax("the Host"))?);
            }
            Known::ContentLength => {
                let length = parse_length(header.value)?;
                if shared.length.is_some_and(|other| other != length) {
                    return Err(HttpError::Syntax("more than one Content-Length"));
                }
                shared.length_repeats |= shared.length.replace(length).is_some();
            }
            Known::TransferEncoding => {
                if shared.coding.is_some() {
                    return Err(HttpError::Syntax("more than one Transfer-Encoding"));
                }
                shared.coding = Some(parse_coding(header.value)?);
            }
            Known::Connection => read_connection(header.value, &mut shared),
            Known::Upgrade => {
                shared.protocol_repeats |= shared.protocol.is_some();
                shared.protocol = Some(passing_protocol(header.value).unwrap_or_default());
            }
            Known::Date => shared.has_date = true,
            Known::Server => shared.has_server = true,
            Known::ForwardedFor => {
                shared.forwarded_for += header.value.split(|b| *b == b',').count();
            }
            _ => {}
        }
    }
    Ok(shared)
}

/// Digits only: no sign, no list, no more than a `u64` holds.
fn parse_length(value: &[u8]) -> Result<u64, HttpError> {
    let error = HttpError::Syntax("the Content-Length");
    let digits = value.trim_ascii();
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(error);
    }
    digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0'))).ok_or(error)
}

fn parse_coding(value: &[u8]) -> Result<Coding, HttpError> {
    let value = value.trim_ascii();
    if value.eq_ignore_ascii_case(b"chunked") {
        Ok(Coding::Chunked)
    } else if value.eq_ignore_ascii_case(b"identity") {
        Ok(Coding::Identity)
    } else {
        Err(HttpError::TransferCoding)
    }
}

/// A single protocol (RFC 9110, 7.8) to which a connection may change here. Not another HTTP, nor TLS below it: its requests
/// would reach the target past all rules.
fn passing_protocol(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value.trim_ascii()).ok()?;
    let (name, version) = text.split_once('/').unwrap_or((text, "1"));
    let is_http = ["http", "h2c", "h2", "h3", "tls"].iter().any(|http| name.eq_ignore_ascii_case(http));
    (is_token(name.as_bytes()) && is_token(version.as_bytes()) && !is_http).then_some(text)
}

fn read_connection(value: &[u8], shared: &mut Shared) {
    for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
        if token.eq_ignore_ascii_case(b"close") {
            shared.close = true;
        } else if token.eq_ignore_ascii_case(b"keep-alive") {
            shared.keep = true;
        } else if token.eq_ignore_ascii_case(b"upgrade") {
            shared.upgrade = true;
        } else if !token.is_empty() {
            shared.names_headers = true;
        }
    }
}

/// Whether a `Connection` header of the message names this one, which then ends here (RFC 9110, 7.6.1).
pub fn is_named_by_connection(headers: &[Header<'_>], name: &[u8]) -> bool {
    let tokens = headers.iter().filter(|h| h.known == Known::Connection).flat_map(|h| h.value.split(|b| *b == b','));
    tokens.map(<[u8]>::trim_ascii).any(|token| token.eq_ignore_ascii_case(name))
}
