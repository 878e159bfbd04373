use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Result, fail};

/// Longest wait for a connection, and for each piece of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
const HEAD_LINES_MAX: usize = 100;

/// One kept HTTP/1.1 connection that sends prepared requests one after the other.
pub struct Connection {
    stream: BufReader<TcpStream>,
    /// The server has said that it takes no more requests here.
    ends: bool,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream), ends: false })
    }

    /// Sends a whole request and reads the answer, whose body must come with its length.
    pub fn send(&mut self, request: &[u8]) -> Result<Answer> {
        if self.ends {
            return fail("the server has ended the connection");
        }
        self.stream.get_mut().write_all(request)?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
        let Some(status) = status else { return fail(format!("{first:?} is no answer")) };
        let mut length = None;
        for _ in 0..HEAD_LINES_MAX {
            let line = self.line()?;
            if line.is_empty() {
                return self.body(status, length);
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                self.ends = value.trim().eq_ignore_ascii_case("close");
            }
        }
        fail("the answer's head does not end")
    }

    fn body(&mut self, status: u16, length: Option<usize>) -> Result<Answer> {
        let Some(length) = length.filter(|l| *l <= BODY_BYTES_MAX) else {
            return fail("the answer has no good length");
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, body })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return fail("the connection was closed");
        }
        Ok(line.trim_end().to_string())
    }
}
