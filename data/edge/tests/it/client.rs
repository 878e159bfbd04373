//! A client that sends exactly the bytes it is given, and reads answers by itself.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::time::Duration;

pub struct Client {
    pub stream: TcpStream,
    pending: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|l| l.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).next()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub fn connect(at: SocketAddrV4) -> Self {
        Self::try_connect(at).unwrap()
    }

    /// Unless nobody listens there.
    pub fn try_connect(at: SocketAddrV4) -> std::io::Result<Self> {
        let stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, pending: Vec::new() })
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).answer(false)
    }

    /// Reads an answer, unless the connection ends first.
    pub fn try_answer(&mut self, to_head: bool) -> std::io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.pending.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.pending.drain(..end).collect()).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        if to_head || status < 200 || status == 204 || status == 304 {
            return Ok(answer);
        }
        if answer.header("Transfer-Encoding") == Some("chunked") {
            answer.body = self.chunks()?;
        } else if let Some(length) = answer.header("Content-Length") {
            answer.body = self.take(length.parse().unwrap())?;
        } else {
            while self.fill().is_ok() {}
            answer.body = std::mem::take(&mut self.pending);
        }
        Ok(answer)
    }

    pub fn answer(&mut self, to_head: bool) -> Answer {
        self.try_answer(to_head).unwrap()
    }

    /// Whether the other side has closed, with nothing more to read.
    pub fn is_closed(&mut self) -> bool {
        assert!(self.pending.is_empty(), "unread: {:?}", String::from_utf8_lossy(&self.pending));
        self.fill().is_err() && self.pending.is_empty()
    }

    pub fn end_writing(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub fn take(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        while self.pending.len() < length {
            self.fill()?;
        }
        Ok(self.pending.drain(..length).collect())
    }

    fn line(&mut self) -> std::io::Result<String> {
        loop {
            if let Some(at) = self.pending.windows(2).position(|w| w == b"\r\n") {
                let line = self.pending.drain(..at + 2).collect::<Vec<u8>>();
                return Ok(String::from_utf8(line[..at].to_vec()).unwrap());
            }
            self.fill()?;
        }
    }

    fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(self.take(size)?);
            assert_eq!(self.line()?, "");
        }
        while !self.line()?.is_empty() {}
        Ok(body)
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut bytes = [0; 64 * 1024];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.pending.extend_from_slice(&bytes[..count]);
        Ok(())
    }
}

/// One GET on a connection of its own.
pub fn get(at: SocketAddrV4, path: &str) -> Answer {
    Client::connect(at).send(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")).answer(false)
}
