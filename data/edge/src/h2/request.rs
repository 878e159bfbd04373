//! From the header fields of a stream to a decision: what RFC 9113 calls malformed is refused, and the rest put together as the
//! rules for HTTP/1.1 know it.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::hpack::Fields;
use crate::http::HttpError;
use crate::http::classes::{is_token, target_end, text_end};
use crate::http::fields::{HEADERS_MAX, Header, Headers, Known};
use crate::http::head::assemble_request;
use crate::http::said::Said;
use crate::http::scan::LINE_BYTES_MAX;
use crate::proxy::Caller;
use crate::proxy::plan::{Plan, decide, refusal};
use crate::worker::Worker;

/// A request that is malformed (RFC 9113, 8.1.1): its stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A request's fields, checked; borrowed from the block that brought them.
#[derive(Debug)]
pub struct Head<'f> {
    method: Option<&'f str>,
    target: Option<&'f str>,
    authority: Option<&'f str>,
    fields: &'f Fields,
    /// Fields ahead of those that are no pseudo-header fields.
    pseudo: usize,
    crumbs: usize,
    /// What `content-length` says.
    pub length: Option<u64>,
}

impl<'f> Head<'f> {
    /// Checks fields by RFC 9113, 8.2 and 8.3; `ended` tells that no body follows.
    pub fn read(fields: &'f Fields, ended: bool) -> Result<Self, Malformed> {
        let mut head = Self { method: None, target: None, authority: None, fields, pseudo: 0, crumbs: 0, length: None };
        let (mut scheme, mut has_fields) = (None, false);
        for (name, value) in fields.iter() {
            check_value(value)?;
            let Some((b':', pseudo)) = name.split_first().map(|(first, rest)| (*first, rest)) else {
                has_fields = true;
                head.take_field(name, value)?;
                continue;
            };
            // They go ahead of all others.
            if has_fields {
                return Err(Malformed);
            }
            head.pseudo += 1;
            let value = std::str::from_utf8(value).ok().filter(|value| !value.is_empty()).ok_or(Malformed)?;
            let place = match pseudo {
                b"method" => &mut head.method,
                b"path" => &mut head.target,
                b"scheme" => &mut scheme,
                b"authority" => &mut head.authority,
                _ => return Err(Malformed),
            };
            if place.replace(value).is_some() {
                return Err(Malformed);
            }
        }
        head.check(scheme, ended)?;
        Ok(head)
    }

    fn take_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let name = checked_name(name)?;
        match Known::of(name.as_bytes()) {
            // "RFC 9113, 8.2.2: connection-specific header fields".
            Known::Connection | Known::KeepAlive | Known::ProxyConnection | Known::TransferEncoding | Known::Upgrade => {
                return Err(Malformed);
            }
            Known::Te if value != b"trailers" => return Err(Malformed),
            Known::ContentLength => {
                let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                let length = digits.and_then(|digits| digits.parse().ok()).ok_or(Malformed)?;
                if self.length.replace(length).is_some_and(|other| other != length) {
                    return Err(Malformed);
                }
            }
            Known::Other if name == "cookie" => self.crumbs += 1,
            _ => {}
        }
        Ok(())
    }

    fn check(&self, scheme: Option<&str>, ended: bool) -> Result<(), Malformed> {
        let is_method = self.method.is_some_and(|method| is_token(method.as_bytes()));
        let is_connect = self.method == Some("CONNECT");
        let is_scheme = |scheme: &str| scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let is_path = |path: &str| target_end(path.as_bytes(), 0) == path.len();
        let is_whole = is_connect || (scheme.is_some_and(is_scheme) && self.target.is_some_and(is_path));
        let has_body = !(ended && self.length.is_some_and(|length| length > 0));
        if is_method && is_whole && has_body { Ok(()) } else { Err(Malformed) }
    }

    /// Bytes of its fields, as they are before they are compressed, without what RFC 9113, 6.5.2 adds for each.
    pub fn bytes(&self) -> usize {
        self.fields.iter().skip(self.pseudo).map(|(name, value)| name.len() + value.len()).sum()
    }

    pub fn is_head(&self) -> bool {
        self.method == Some("HEAD")
    }

    /// Decides over the request. Nothing borrowed from the fields outlives it.
    pub fn plan(&self, worker: &Worker, caller: &Caller, ended: bool) -> Plan {
        let cookies = self.joined_cookies();
        let headers = self.gather(cookies.as_deref());
        let assembled = headers.as_ref().map_err(|e| *e).and_then(|headers| {
            assemble_request((self.method.unwrap_or_default(), self.target.unwrap_or("/")), self.authority, headers, ended)
        });
        match assembled {
            Ok(request) => decide(worker, caller, &request),
            Err(error) => Plan::Answer(refusal(worker, caller, error, || Some(self.said()))),
        }
    }

    /// What logs tell of it where it is refused.
    pub fn said(&self) -> Said<'f> {
        let value = |name| self.fields.iter().find(|(n, _)| *n == name).map(|(_, value)| value);
        let host = || value(&b"host"[..]).and_then(|host| std::str::from_utf8(host).ok());
        Said {
            method: self.method.unwrap_or_default(),
            target: self.target.unwrap_or_default(),
            host: self.authority.or_else(host),
            version: "HTTP/2.0",
            agent: value(b"user-agent"),
        }
    }

    /// "ELB User Guide, Quotas": 16 K for the request line and for each header. Fields with space at their ends are malformed
    /// (RFC 9113, 8.2.1), and answered so.
    fn gather<'c>(&'c self, cookies: Option<&'c [u8]>) -> Result<Headers<'c>, HttpError> {
        let line = [self.method, self.target].into_iter().flatten().map(str::len).sum::<usize>() + " HTTP/2.0 ".len();
        if line > LINE_BYTES_MAX {
            return Err(HttpError::LineTooLong);
        }
        let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        let (mut headers, mut has_cookies) = (Headers::new(), false);
        for (name, mut value) in self.fields.iter().skip(self.pseudo) {
            if name.len() + value.len() > LINE_BYTES_MAX {
                return Err(HttpError::TooLarge("a header"));
            }
            if is_space(value.first()) || is_space(value.last()) {
                return Err(HttpError::Syntax("space at the end of a header"));
            }
            if let Some(cookies) = cookies.filter(|_| name == b"cookie") {
                if std::mem::replace(&mut has_cookies, true) {
                    continue;
                }
                value = cookies;
            }
            if headers.len() == HEADERS_MAX {
                return Err(HttpError::TooLarge("the number of headers"));
            }
            headers.push(Header::new(name, value));
        }
        Ok(headers)
    }

    /// Cookies that came in several fields go on in one (RFC 9113, 8.2.3).
    fn joined_cookies(&self) -> Option<Vec<u8>> {
        if self.crumbs < 2 {
            return None;
        }
        let crumbs: Vec<&[u8]> = self.fields.iter().filter(|(name, _)| *name == b"cookie").map(|(_, value)| value).collect();
        Some(crumbs.join(&b"; "[..]))
    }
}

/// What came behind a body (RFC 9113, 8.1): no pseudo-header fields.
pub fn trailers(fields: &Fields) -> Result<HeaderMap, Malformed> {
    let mut map = HeaderMap::new();
    for (name, value) in fields.iter() {
        check_value(value)?;
        let name = HeaderName::from_bytes(checked_name(name)?.as_bytes()).map_err(|_| Malformed)?;
        map.append(name, HeaderValue::from_bytes(value).map_err(|_| Malformed)?);
    }
    Ok(map)
}

/// A name in lower case (RFC 9113, 8.2.1).
fn checked_name(name: &[u8]) -> Result<&str, Malformed> {
    if is_token(name) && !name.iter().any(u8::is_ascii_uppercase) {
        std::str::from_utf8(name).map_err(|_| Malformed)
    } else {
        Err(Malformed)
    }
}

fn check_value(value: &[u8]) -> Result<(), Malformed> {
    if text_end(value, 0) == value.len() { Ok(()) } else { Err(Malformed) }
}
