//! What a request that is refused says of itself, as far as its head can be read. Logs tell of it; nothing is decided by it.

use memchr::memmem;

use super::classes::{is_token, target_end};
use super::fields::{Headers, Known, read_headers};
use super::head::{check_target, is_host};

/// What access logs tell of a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'b> {
    pub method: &'b str,
    pub target: &'b str,
    pub host: Option<&'b str>,
    /// As it is logged, such as `HTTP/1.1`.
    pub version: &'b str,
    pub agent: Option<&'b [u8]>,
}

impl<'b> Said<'b> {
    /// Reads it from the bytes that a head begins with, of which the end may be missing or wrong; nothing when its first line is.
    pub fn read(mut bytes: &'b [u8]) -> Option<Self> {
        while let Some(rest) = bytes.strip_prefix(b"\r\n") {
            bytes = rest;
        }
        let end = memmem::find(bytes, b"\r\n")?;
        let mut words = std::str::from_utf8(&bytes[..end]).ok()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if !is_token(method.as_bytes())
            || !is_version(version)
            || target_end(target.as_bytes(), 0) < target.len()
            || words.next().is_some()
        {
            return None;
        }
        let mut headers = Headers::new();
        // Those ahead of one that cannot be read are there all the same.
        let _ = read_headers(bytes, end + 2, &mut headers);
        let agent = headers.iter().find(|h| h.name.eq_ignore_ascii_case(b"user-agent")).map(|h| h.value);
        if method == "CONNECT" {
            // RFC 9112, 3.2.3: its target is no more than a host.
            return is_host(target).then_some(Self { method, target: "", host: Some(target), version, agent });
        }
        check_target(method, target).ok()?;
        let host = headers.iter().find(|h| h.known == Known::Host).and_then(|h| std::str::from_utf8(h.value).ok());
        Some(Self { method, target, host: host.filter(|host| is_host(host)), version, agent })
    }
}

/// RFC 9112, 2.3.
fn is_version(text: &str) -> bool {
    matches!(text.strip_prefix("HTTP/").map(str::as_bytes), Some([b'0'..=b'9', b'.', b'0'..=b'9']))
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn what_can_be_read_is_told() {
        let said = |method, target, host, version, agent: Option<&'static str>| {
            Some(Said { method, target, host, version, agent: agent.map(str::as_bytes) })
        };
        let cases = [
            (
                "TRACE /a?b HTTP/1.1\r\nHost: a:81\r\nUser-Agent: me\r\n\r\n",
                said("TRACE", "/a?b", Some("a:81"), "HTTP/1.1", Some("me")),
            ),
            ("\r\nGET / HTTP/1.0\r\n\r\n", said("GET", "/", None, "HTTP/1.0", None)),
            ("GET http://b/ HTTP/3.0\r\nuser-agent: x\r\nHost: a b\r\n", said("GET", "http://b/", None, "HTTP/3.0", Some("x"))),
            ("GET / HTTP/1.1\r\nHost: a\r\nbad line\r\nUser-Agent: x\r\n\r\n", said("GET", "/", Some("a"), "HTTP/1.1", None)),
            ("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n", said("CONNECT", "", Some("a:443"), "HTTP/1.1", None)),
            ("OPTIONS * HTTP/1.1\r\n", said("OPTIONS", "*", None, "HTTP/1.1", None)),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(Said::read(bytes.as_bytes()), wanted, "{bytes:?}");
        }
    }

    #[test]
    fn nothing_is_told_of_what_is_no_request_line() {
        for line in [
            "",
            "GET",
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET / HTTP/x",
            "GET / HTTP/11",
            "G\"T / HTTP/1.1",
            " / HTTP/1.1",
            "GET /\u{1} HTTP/1.1",
            "GET a HTTP/1.1",
            "GET * HTTP/1.1",
            "CONNECT / HTTP/1.1",
            "GET /\n HTTP/1.1",
            "GET / http/1.1",
        ] {
            assert_eq!(Said::read(format!("{line}\r\nHost: a\r\n\r\n").as_bytes()), None, "{line:?}");
        }
        assert_eq!(Said::read(b"GET / HTTP/1.1"), None, "the line has not ended");
    }
}
