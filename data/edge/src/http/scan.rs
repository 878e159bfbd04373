//! Finds the end of a message's head that comes in pieces, looking at each byte once, and enforces the limits on lines and on
//! the whole as they arrive. A head that is read at once never comes here; one that is refused then does, and hears why.

use memchr::memchr;

use super::HttpError;

/// Longest request line, and longest single header ("ELB User Guide, Quotas": 16 K each).
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// All headers together (64 K).
pub const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// A head with its first line.
pub const HEAD_BYTES_MAX: usize = LINE_BYTES_MAX + HEADERS_BYTES_MAX;
/// Likewise of an answer ("ELB User Guide, Quotas: entire response header", 32 K).
pub const ANSWER_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Empty lines before a request line that are skipped (RFC 9112, 2.2).
const EMPTY_LINES_MAX: u8 = 2;

/// How far a head has been looked at.
#[derive(Clone, Debug)]
pub struct HeadScan {
    most: usize,
    at: usize,
    line_start: usize,
    headers_start: usize,
    /// Where the first line begins: after skipped empty lines.
    begin: usize,
    empty_lines: u8,
}

/// Where the head lies in the bytes that were scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSpan {
    pub begin: usize,
    pub end: usize,
}

impl Default for HeadScan {
    fn default() -> Self {
        Self { most: HEAD_BYTES_MAX, at: 0, line_start: 0, headers_start: 0, begin: 0, empty_lines: 0 }
    }
}

impl HeadScan {
    /// One of an answer.
    pub fn of_answer() -> Self {
        Self { most: ANSWER_HEAD_BYTES_MAX, ..Self::default() }
    }

    /// Looks at what has come since the last call; `bytes` are all bytes of the message so far.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<HeadSpan>, HttpError> {
        while let Some(offset) = memchr(b'\n', &bytes[self.at..]) {
            let feed = self.at + offset;
            if feed == self.line_start || bytes[feed - 1] != b'\r' {
                return Err(HttpError::Syntax("a line that does not end in CR LF"));
            }
            let length = feed - 1 - self.line_start;
            self.at = feed + 1;
            if length == 0 {
                if self.headers_start > 0 {
                    return Ok(Some(HeadSpan { begin: self.begin, end: self.at }));
                }
                self.skip_empty_line()?;
                continue;
            }
            self.check_line(length)?;
            if self.headers_start == 0 {
                self.headers_start = self.at;
            }
            self.line_start = self.at;
        }
        self.at = bytes.len();
        self.check_line(bytes.len() - self.line_start)?;
        Ok(None)
    }

    fn skip_empty_line(&mut self) -> Result<(), HttpError> {
        self.empty_lines += 1;
        if self.empty_lines > EMPTY_LINES_MAX {
            return Err(HttpError::Syntax("empty lines before a message"));
        }
        self.begin = self.at;
        self.line_start = self.at;
        Ok(())
    }

    fn check_line(&self, length: usize) -> Result<(), HttpError> {
        if length > LINE_BYTES_MAX {
            let is_first = self.headers_start == 0;
            return Err(if is_first { HttpError::LineTooLong } else { HttpError::TooLarge("a header") });
        }
        if self.headers_start > 0 && self.at.max(self.line_start + length) - self.headers_start > HEADERS_BYTES_MAX {
            return Err(HttpError::TooLarge("the headers"));
        }
        if self.line_start + length - self.begin > self.most {
            return Err(HttpError::TooLarge("the head"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_HEAD_BYTES_MAX, HEADERS_BYTES_MAX, HeadScan, HeadSpan, LINE_BYTES_MAX};
    use crate::http::HttpError;

    fn scan_in_cuts(bytes: &[u8], step: usize) -> Result<Option<HeadSpan>, HttpError> {
        let mut scan = HeadScan::default();
        let mut length = 0;
        loop {
            length = (length + step).min(bytes.len());
            match scan.advance(&bytes[..length])? {
                None if length < bytes.len() => {}
                found => return Ok(found),
            }
        }
    }

    #[test]
    fn finds_the_end_however_it_arrives() {
        let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nbody\nwith feeds";
        for step in 1..bytes.len() {
            assert_eq!(scan_in_cuts(bytes, step), Ok(Some(HeadSpan { begin: 2, end: 29 })), "step {step}");
        }
        assert_eq!(scan_in_cuts(b"GET / HTTP/1.1\r\nHost: a\r\n", 3), Ok(None));
    }

    #[test]
    fn refuses_bare_feeds_and_many_empty_lines() {
        for bytes in [&b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..], b"GET / HTTP/1.1\r\nHost: a\n\n", b"\n", b"\r\n\r\n\r\n"] {
            assert!(matches!(scan_in_cuts(bytes, 1), Err(HttpError::Syntax(_))), "{bytes:?}");
        }
    }

    #[test]
    fn enforces_limits_before_the_end_is_seen() {
        let line = [b"GET /".to_vec(), vec![b'a'; LINE_BYTES_MAX]].concat();
        assert_eq!(scan_in_cuts(&line, 1000), Err(HttpError::LineTooLong));
        let header = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; LINE_BYTES_MAX]].concat();
        assert!(matches!(scan_in_cuts(&header, 1000), Err(HttpError::TooLarge(_))));
        let many = [b"GET / HTTP/1.1\r\n".to_vec(), b"x: 12345678\r\n".repeat(HEADERS_BYTES_MAX / 13 + 1)].concat();
        assert!(matches!(scan_in_cuts(&many, 1000), Err(HttpError::TooLarge(_))));
        let answer = [b"HTTP/1.1 200\r\n".to_vec(), b"x: 12345678\r\n".repeat(ANSWER_HEAD_BYTES_MAX / 13 + 1)].concat();
        assert!(matches!(HeadScan::of_answer().advance(&answer), Err(HttpError::TooLarge(_))));
        assert_eq!(HeadScan::of_answer().advance(&answer[..ANSWER_HEAD_BYTES_MAX]), Ok(None));
        assert_eq!(scan_in_cuts(&answer, 1000), Ok(None), "a request's head may be longer");
    }
}
