//! Reads the heads of requests and answers, strictly. What RFC 9112 calls ambiguous is refused: two lengths, a length
//! beside a transfer coding, folded lines, space before a colon, control characters. One reader serves both
//! directions, so that what it accepts means the same on both sides.

use std::mem::MaybeUninit;

use httparse::Header;

use super::HttpError;
use super::desync::{Framed, Reason, classify};

/// Most headers of a message.
pub const HEADERS_MAX: usize = 256;
/// Most addresses in `X-Forwarded-For`; one more is answered with 463.
const FORWARDED_FOR_MAX: usize = 30;

pub type HeaderSlots<'b> = [MaybeUninit<Header<'b>>; HEADERS_MAX];

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
    /// Only of an answer: until the connection closes.
    UntilClose,
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
    pub fn of(name: &str) -> Self {
        let (text, known) = match name.len() {
            2 => ("te", Known::Te),
            4 if name.as_bytes()[0] | 0x20 == b'h' => ("host", Known::Host),
            4 => ("date", Known::Date),
            6 if name.as_bytes()[0] | 0x20 == b'e' => ("expect", Known::Expect),
            6 => ("server", Known::Server),
            7 if name.as_bytes()[0] | 0x20 == b't' => ("trailer", Known::Trailer),
            7 => ("upgrade", Known::Upgrade),
            10 if name.as_bytes()[0] | 0x20 == b'c' => ("connection", Known::Connection),
            10 => ("keep-alive", Known::KeepAlive),
            14 => ("content-length", Known::ContentLength),
            15 if name.as_bytes()[2] == b'a' || name.as_bytes()[2] == b'A' => ("x-amzn-trace-id", Known::TraceId),
            15 => ("x-forwarded-for", Known::ForwardedFor),
            16 if name.as_bytes()[0] | 0x20 == b'p' => ("proxy-connection", Known::ProxyConnection),
            16 => ("x-forwarded-port", Known::ForwardedPort),
            17 if name.as_bytes()[0] | 0x20 == b't' => ("transfer-encoding", Known::TransferEncoding),
            17 => ("x-forwarded-proto", Known::ForwardedProto),
            18 | 22 | 23 | 27 | 29 | 30 | 31 | 36 => return if is_tls_fact(name) { Known::TlsFact } else { Known::Other },
            _ => return Known::Other,
        };
        if name.eq_ignore_ascii_case(text) { known } else { Known::Other }
    }
}

fn is_tls_fact(name: &str) -> bool {
    let begins = |with: &str| name.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    begins("x-amzn-mtls-clientcert") || begins("x-amzn-tls-")
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
    /// The client wants the connection kept.
    pub keep_alive: bool,
    /// A WebSocket handshake: `Upgrade: websocket`, named by `Connection`.
    pub websocket: bool,
    /// `Connection` names headers beyond the usual ones.
    pub names_headers: bool,
    /// What keeps it from being compliant, if anything does.
    pub flaw: Option<Reason>,
}

/// An answer's head, borrowed likewise.
#[derive(Debug)]
pub struct Answer<'b, 'h> {
    pub status: u16,
    pub reason: &'b str,
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
    websocket: bool,
    has_date: bool,
    has_server: bool,
    forwarded_for: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Identity,
}

/// Reads the head of a request; `bytes` hold exactly one, as [`super::scan::HeadScan`] has found it.
pub fn parse_request<'b, 'h>(bytes: &'b [u8], slots: &'h mut HeaderSlots<'b>) -> Result<Request<'b, 'h>, HttpError> {
    let mut parsed = httparse::Request::new(&mut []);
    parsed.parse_with_uninit_headers(bytes, slots).map_err(|e| syntax_of_request(e, bytes)).and_then(whole)?;
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(HttpError::Syntax("no request line"));
    };
    let headers: &'h [Header<'b>] = parsed.headers;
    let shared = read_shared(headers)?;
    let http11 = version == 1;
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
        keep_alive: !shared.close && (http11 || shared.keep),
        websocket: http11 && shared.websocket && shared.upgrade && method == "GET" && framing == Framing::None,
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
    if !understood || target.contains('#') {
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
        keep_alive: true,
        websocket: false,
        names_headers: false,
        flaw: classify(&framed, headers)?,
    })
}

/// Reads the head of an answer to a request with this method.
pub fn parse_answer<'b, 'h>(bytes: &'b [u8], slots: &'h mut HeaderSlots<'b>, to_head: bool) -> Result<Answer<'b, 'h>, HttpError> {
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    config.parse_response_with_uninit_headers(&mut parsed, bytes, slots).map_err(syntax).and_then(whole)?;
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
        return Err(HttpError::Syntax("no status line"));
    };
    if !(100..=999).contains(&status) {
        return Err(HttpError::Syntax("a status below 100"));
    }
    let headers: &'h [Header<'b>] = parsed.headers;
    let shared = read_shared(headers)?;
    let http11 = version == 1;
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
        reason: parsed.reason.unwrap_or(""),
        headers,
        framing,
        keep_alive: framing != Framing::UntilClose && !shared.close && (http11 || shared.keep),
        names_headers: shared.names_headers,
        has_date: shared.has_date,
        has_server: shared.has_server,
    })
}

fn syntax(error: httparse::Error) -> HttpError {
    match error {
        httparse::Error::Version => HttpError::Version,
        httparse::Error::TooManyHeaders => HttpError::TooLarge("the number of headers"),
        httparse::Error::HeaderName => HttpError::Syntax("a header's name"),
        httparse::Error::HeaderValue => HttpError::Syntax("a header's value"),
        httparse::Error::NewLine => HttpError::Syntax("a line's end"),
        httparse::Error::Status => HttpError::Syntax("the status"),
        httparse::Error::Token => HttpError::Syntax("the first line"),
    }
}

/// A request line whose end is no version at all is malformed, not of another version.
fn syntax_of_request(error: httparse::Error, bytes: &[u8]) -> HttpError {
    let line = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
    let names_version = line.splitn(3, |b| *b == b' ').nth(2).is_some_and(|v| v.starts_with(b"HTTP/") && !v.contains(&b' '));
    match syntax(error) {
        HttpError::Version if !names_version => HttpError::Syntax("the first line"),
        other => other,
    }
}

fn whole(status: httparse::Status<usize>) -> Result<(), HttpError> {
    if status.is_partial() { Err(HttpError::Syntax("a head that does not end")) } else { Ok(()) }
}

/// Origin form, `*` for OPTIONS, or `http://host/...` (RFC 9112, 3.2).
fn check_target(method: &str, target: &str) -> Result<(), HttpError> {
    let understood = target.starts_with('/') || (target == "*" && method == "OPTIONS") || authority(target).is_some();
    if !understood || target.contains('#') {
        return Err(HttpError::Syntax("the request target"));
    }
    Ok(())
}

/// Host and the rest of a target in absolute form.
pub fn authority(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case("http://") {
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
        match Known::of(header.name) {
            Known::Host => {
                if shared.host.is_some() {
                    return Err(HttpError::Syntax("more than one Host"));
                }
                let host = std::str::from_utf8(header.value).ok().map(str::trim).filter(|h| h.is_empty() || is_host(h));
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
            Known::Upgrade => shared.websocket = header.value.trim_ascii().eq_ignore_ascii_case(b"websocket"),
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
pub fn is_named_by_connection(headers: &[Header<'_>], name: &str) -> bool {
    let tokens = headers.iter().filter(|h| Known::of(h.name) == Known::Connection).flat_map(|h| h.value.split(|b| *b == b','));
    tokens.map(<[u8]>::trim_ascii).any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
}
