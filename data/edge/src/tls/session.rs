//! A TLS connection over a socket that never blocks: ciphertext on one side, the bytes of the exchange on the other. What is
//! reported as written has been handed to the kernel, so nothing waits here for someone to flush it.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};

use rustix::net::{Shutdown, shutdown};
use rustls::{Connection, ProtocolVersion};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::stream::read_now;

/// Ciphertext that is read at once: a few records.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Reads one after the other that bring ciphertext and no data: half records, or records with nothing in them.
const FRUITLESS_READS_MAX: usize = 64;
/// Less room than this is served record by record.
const ROOM_BYTES_MIN: usize = 1_024;
/// What of the room is left free, so that records begun before do not overflow it by more than one.
const MARGIN_BYTES: usize = 512;

thread_local! {
    /// Ciphertext on its way from a socket to its connection; empty between calls.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice());
}

/// A connection after its handshake, or within it.
pub struct Session {
    socket: TcpStream,
    tls: Connection,
    /// Bytes that were encrypted and not yet reported as written.
    accepted: usize,
    /// The handshake is over.
    established: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Session {
    pub fn new(socket: TcpStream, tls: Connection) -> Self {
        Self { socket, tls, accepted: 0, established: false }
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub fn connection(&self) -> &Connection {
        &self.tls
    }

    /// Takes in ciphertext that was read before the connection was there.
    pub fn feed(&mut self, mut ciphertext: &[u8]) -> io::Result<()> {
        while !ciphertext.is_empty() {
            self.tls.read_tls(&mut ciphertext)?;
            self.process()?;
        }
        Ok(())
    }

    /// Brings the handshake to its end. What is then left to say goes along with the first data, in one packet: tickets of TLS
    /// 1.3, and a client's last word. Whoever then waits for the other side to speak first must flush before.
    pub async fn shake_hands(&mut self, mut waits: impl FnMut(Wait)) -> io::Result<()> {
        loop {
            let may_begin =
                matches!(self.tls, Connection::Client(_)) || self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
            if !self.tls.is_handshaking() && may_begin {
                self.established = true;
                return Ok(());
            }
            while self.tls.wants_write() {
                match self.tls.write_tls(&mut Socket(&self.socket)) {
                    Ok(_) => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        waits(Wait::Write);
                        self.socket.writable().await?;
                    }
                    Err(e) => return Err(e),
                }
            }
            if !self.tls.is_handshaking() {
                self.established = true;
                return Ok(());
            }
            match self.pull(&mut []) {
                Ok(Pulled::End) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(Pulled::Bytes(_)) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    waits(Wait::Read);
                    self.socket.readable().await?;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// What can be read without waiting; zero at the end, an error of kind `WouldBlock` when there is nothing. That the
    /// other side may end without a farewell is left to the framing above, as other proxies do.
    pub fn read_now(&mut self, space: &mut [u8]) -> io::Result<usize> {
        for _ in 0..FRUITLESS_READS_MAX {
            match self.tls.reader().read(space) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            match self.pull(space)? {
                Pulled::End => return Ok(0),
                Pulled::Bytes(0) => {}
                Pulled::Bytes(bytes) => return Ok(bytes),
            }
        }
        Err(io::Error::new(ErrorKind::InvalidData, "TLS records without end that carry nothing"))
    }

    pub fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.read_now(room.initialize_unfilled()) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => ready!(self.socket.poll_read_ready(cx))?,
                read => return Poll::Ready(read.map(|bytes| room.advance(bytes))),
            }
        }
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.accepted == 0 {
            self.accepted = self.tls.writer().write_vectored(slices)?;
        }
        if self.accepted == 0 {
            // There was no room behind what waits already.
            ready!(self.poll_flush(cx))?;
            self.accepted = self.tls.writer().write_vectored(slices)?;
        }
        ready!(self.poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.accepted)))
    }

    /// Takes in data that goes out with the next flush, or when no more fits.
    pub fn poll_write_later(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let accepted = self.tls.writer().write_vectored(slices)?;
        if accepted > 0 || slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(accepted));
        }
        ready!(self.poll_flush(cx))?;
        Poll::Ready(self.tls.writer().write_vectored(slices))
    }

    /// Hands over all ciphertext to the socket.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Socket(&self.socket)) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => ready!(self.socket.poll_write_ready(cx))?,
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says farewell, and ends the writing side.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls.send_close_notify();
        ready!(self.poll_flush(cx))?;
        Poll::Ready(shutdown(&self.socket, Shutdown::Write).map_err(Into::into))
    }

    /// Says farewell, so that the other side knows it has everything; what does not fit now is not sent.
    pub fn say_farewell(&mut self) {
        self.tls.send_close_notify();
        self.flush_now();
    }

    fn flush_now(&mut self) {
        while self.tls.wants_write() && self.tls.write_tls(&mut Socket(&self.socket)).is_ok_and(|bytes| bytes > 0) {}
    }

    /// Reads ciphertext from the socket and decrypts it, into `space` as far as that goes.
    fn pull(&mut self, space: &mut [u8]) -> io::Result<Pulled> {
        if space.len() < ROOM_BYTES_MIN {
            let bytes = self.tls.read_tls(&mut Socket(&self.socket))?;
            self.process()?;
            return Ok(if bytes == 0 { Pulled::End } else { Pulled::Bytes(0) });
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let most = (space.len() - MARGIN_BYTES).min(scratch.len());
            let bytes = read_now(&self.socket, &mut scratch[..most])?;
            if bytes == 0 {
                self.tls.read_tls(&mut io::empty())?;
                return Ok(Pulled::End);
            }
            let mut rest = &scratch[..bytes];
            let mut filled = 0;
            while !rest.is_empty() {
                self.tls.read_tls(&mut rest)?;
                self.process()?;
                while filled < space.len() {
                    match self.tls.reader().read(&mut space[filled..]) {
                        Ok(bytes) if bytes > 0 => filled += bytes,
                        _ => break,
                    }
                }
            }
            Ok(Pulled::Bytes(filled))
        })
    }

    fn process(&mut self) -> io::Result<()> {
        let had_something = self.tls.wants_write();
        let processed = self.tls.process_new_packets();
        // An alert that says why, or an answer to an update of keys.
        if processed.is_err() || (self.established && !had_something && self.tls.wants_write()) {
            self.flush_now();
        }
        processed.map(|_| ()).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))
    }
}

/// What a handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Read,
    Write,
}

enum Pulled {
    /// So many bytes were decrypted into the room.
    Bytes(usize),
    End,
}

/// A socket as rustls wants it.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        read_now(self.0, space)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // The kernel has less to do for one than for several.
            [only] => self.0.try_write(only),
            several => self.0.try_write_vectored(several),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads ciphertext of a connection that has not begun: at most a few records, for `take` to look at.
pub fn read_first<T>(socket: &TcpStream, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
    SCRATCH
        .with_borrow_mut(|scratch| socket.try_read(&mut scratch[..super::HELLO_BYTES_MAX]).map(|bytes| take(&scratch[..bytes])))
}
