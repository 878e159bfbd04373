//! From the header fields of a stream to a decision: the request is put together as the rules for HTTP/1.1 know it, or refused.
//! What the crate `h2` refuses by itself never comes here: connection-specific fields, names in upper case, pseudo-header
//! fields that are missing, repeated or unknown (RFC 9113, 8.2 and 8.3).

use std::mem::MaybeUninit;

use http::HeaderMap;
use http::header::COOKIE;
use http::request::Parts;
use httparse::Header;

use crate::http::HttpError;
use crate::http::head::{HEADERS_MAX, assemble_request};
use crate::http::scan::LINE_BYTES_MAX;
use crate::proxy::Caller;
use crate::proxy::plan::{Plan, decide, refusal};
use crate::worker::Worker;

/// Decides over a request; `ended` tells that no body follows. Nothing borrowed from the fields outlives it.
pub fn plan(worker: &Worker, caller: &Caller, parts: &Parts, ended: bool) -> Plan {
    let cookies = joined_cookies(&parts.headers);
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_MAX];
    let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let assembled = check_lengths(parts, target).and_then(|()| {
        let mut count = 0;
        for (name, value) in &parts.headers {
            let value = match &cookies {
                Some(joined) if name == COOKIE => match joined.written_once() {
                    Some(joined) => joined,
                    None => continue,
                },
                _ => value.as_bytes(),
            };
            let slot = slots.get_mut(count).ok_or(HttpError::TooLarge("the number of headers"))?;
            slot.write(Header { name: name.as_str(), value });
            count += 1;
        }
        // SAFETY: the first `count` slots were written just now, and a `Header` is two plain references.
        let headers = unsafe { std::slice::from_raw_parts(slots.as_ptr().cast::<Header<'_>>(), count) };
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        assemble_request((parts.method.as_str(), target), authority, headers, ended)
    });
    match assembled {
        Ok(request) => decide(worker, caller, &request),
        Err(error) => Plan::Answer(refusal(worker, caller, error)),
    }
}

/// "ELB User Guide, Quotas": 16 K for the request line and for each header. Fields with space at their ends are malformed (RFC
/// 9113, 8.2.1).
fn check_lengths(parts: &Parts, target: &str) -> Result<(), HttpError> {
    if parts.method.as_str().len() + target.len() + " HTTP/2.0 ".len() > LINE_BYTES_MAX {
        return Err(HttpError::LineTooLong);
    }
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    for (name, value) in &parts.headers {
        let bytes = value.as_bytes();
        if name.as_str().len() + bytes.len() > LINE_BYTES_MAX {
            return Err(HttpError::TooLarge("a header"));
        }
        if is_space(bytes.first()) || is_space(bytes.last()) {
            return Err(HttpError::Syntax("space at the end of a header"));
        }
    }
    Ok(())
}

/// All cookies of a request in one field.
struct Cookies {
    line: Vec<u8>,
    is_written: std::cell::Cell<bool>,
}

impl Cookies {
    /// The line, the first time.
    fn written_once(&self) -> Option<&[u8]> {
        (!self.is_written.replace(true)).then_some(self.line.as_slice())
    }
}

/// Cookies that came in several fields go on in one (RFC 9113, 8.2.3).
fn joined_cookies(headers: &HeaderMap) -> Option<Cookies> {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (first, second) = (crumbs.next()?, crumbs.next()?);
    let mut line = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        line.extend_from_slice(b"; ");
        line.extend_from_slice(crumb.as_bytes());
    }
    Some(Cookies { line, is_written: std::cell::Cell::new(false) })
}
