//! Moves a body from one connection to another as it comes: what cannot be sent on is not read either, so that the
//! slower side sets the pace.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::HttpError;
use crate::http::body::{ChunkLine, Decoded, Decoder, Encoding};
use crate::stream::Bare;
use crate::worker::buffer::{Buffer, Buffers, SMALL_BYTES};
use crate::worker::io::{read, write_all};
use crate::worker::pipe::Pipe;
use crate::worker::watch::Watch;

/// Why a body did not get across.
#[derive(Debug)]
pub enum RelayError {
    /// The source broke, or ended before the body did.
    Source(io::Error),
    /// The source broke the rules of its framing.
    Framing(HttpError),
    /// The sink takes no more.
    Sink,
}

/// One direction of an exchange.
pub struct Relay<'a, R, W> {
    pub buffers: &'a Buffers,
    pub idle_ms: u64,
    pub from: &'a mut R,
    pub from_watch: &'a Watch,
    pub to: &'a mut W,
    pub to_watch: &'a Watch,
    /// Holds what has come already.
    pub buffer: &'a mut Buffer,
    pub decoder: Decoder,
    pub encoding: Encoding,
}

/// From so many bytes on that are still to come, they move within the kernel.
const SPLICED_BYTES_MIN: u64 = 128 * 1024;

impl<R: AsyncRead + Unpin + Bare, W: AsyncWrite + Unpin + Bare> Relay<'_, R, W> {
    /// Sends `head`, then the body to its end.
    pub async fn run(&mut self, head: &[u8]) -> Result<(), RelayError> {
        let first = self.decoder.decode(self.buffer.filled_mut()).map_err(RelayError::Framing)?;
        self.run_from(head, first).await
    }

    /// Likewise, where the decoder has taken in what the buffer held.
    pub async fn run_from(&mut self, mut head: &[u8], mut decoded: Decoded) -> Result<(), RelayError> {
        loop {
            self.send(head, decoded.data, decoded.done).await?;
            head = &[];
            self.buffer.consume(decoded.consumed);
            if decoded.done {
                return Ok(());
            }
            if let Decoder::Length(left @ SPLICED_BYTES_MIN..) = self.decoder
                && let (Some(from), Some(to)) = (self.from.bare(), self.to.bare())
                && let Ok(pipe) = Pipe::take()
            {
                // On the heap, so that small bodies do not carry what it needs.
                return Box::pin(self.splice(pipe, from, to, left)).await;
            }
            if self.buffer.capacity() <= SMALL_BYTES && self.decoder.expects_more_than(SMALL_BYTES) {
                self.buffers.enlarge_for_body(self.buffer);
            }
            let read = read(self.from, self.from_watch, self.idle_ms, self.buffers, self.buffer);
            if read.await.map_err(RelayError::Source)? == 0 {
                return self.finish().await;
            }
            self.to_watch.refresh_read(self.idle_ms);
            decoded = self.decoder.decode(self.buffer.filled_mut()).map_err(RelayError::Framing)?;
        }
    }

    /// Moves the rest, so many bytes, from socket to socket.
    async fn splice(&self, pipe: Pipe, from: &TcpStream, to: &TcpStream, mut left: u64) -> Result<(), RelayError> {
        while left > 0 {
            let bytes = match pipe.fill(from, usize::try_from(left).unwrap_or(usize::MAX)) {
                Ok(0) if self.from_watch.has_expired() => return Err(RelayError::Source(io::ErrorKind::TimedOut.into())),
                Ok(0) => return Err(RelayError::Source(io::ErrorKind::UnexpectedEof.into())),
                Ok(bytes) => bytes,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.from_watch.read_within(self.idle_ms);
                    let waited = from.readable().await;
                    self.from_watch.read_done();
                    waited.map_err(RelayError::Source)?;
                    continue;
                }
                Err(e) => return Err(RelayError::Source(e)),
            };
            self.from_watch.moved(bytes);
            pipe.drain(to, bytes, self.to_watch, self.idle_ms).await.map_err(|_| RelayError::Sink)?;
            self.to_watch.wrote(bytes);
            self.to_watch.refresh_read(self.idle_ms);
            left -= bytes as u64;
        }
        pipe.give_back();
        Ok(())
    }

    async fn send(&mut self, head: &[u8], data: std::ops::Range<usize>, done: bool) -> Result<(), RelayError> {
        let data = &self.buffer.filled()[data];
        let line = if self.encoding == Encoding::Chunked { ChunkLine::new(data.len()) } else { ChunkLine::default() };
        let trailers = if done && self.encoding == Encoding::Chunked { self.decoder.trailers() } else { &[] };
        let with_trailers;
        let end: &[u8] = match (self.encoding, data.is_empty(), done) {
            _ if !trailers.is_empty() => {
                let last_line: &[u8] = if data.is_empty() { b"0\r\n" } else { b"\r\n0\r\n" };
                with_trailers = [last_line, trailers, b"\r\n"].concat();
                &with_trailers
            }
            (Encoding::Raw, _, _) | (Encoding::Chunked, true, false) => b"",
            (Encoding::Chunked, false, false) => b"\r\n",
            (Encoding::Chunked, false, true) => b"\r\n0\r\n\r\n",
            (Encoding::Chunked, true, true) => b"0\r\n\r\n",
        };
        write_all(self.to, self.to_watch, self.idle_ms, [head, line.as_bytes(), data, end]).await.map_err(|_| RelayError::Sink)
    }

    /// Like [`Relay::run`], and then tells the sink that nothing more comes.
    pub async fn run_and_end(mut self) -> Result<(), RelayError> {
        self.run(&[]).await?;
        self.to.shutdown().await.map_err(|_| RelayError::Sink)
    }

    /// The source has ended. One that was cut has not: what it has sent is not made to look whole.
    async fn finish(&mut self) -> Result<(), RelayError> {
        if !self.decoder.may_end() || self.from_watch.was_cut() {
            return Err(RelayError::Source(io::ErrorKind::UnexpectedEof.into()));
        }
        self.send(&[], 0..0, true).await
    }
}
