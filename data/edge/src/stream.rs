//! A connection to a client or a target, in the clear or by TLS, as the exchanges read and write it. What lies in the
//! bytes is not its business, nor how long anyone waits.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::session::Session;

/// One connection.
#[derive(Debug)]
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<Session>),
}

impl Stream {
    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(session) => session.socket(),
        }
    }

    /// What can be read without waiting; an error of kind `WouldBlock` when there is nothing.
    pub async fn read_now(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => read_now(socket, space),
            Stream::Tls(session) => session.read_now(space),
        }
    }

    /// Waits until [`Stream::read_now`], which has just had nothing, may have something. It holds no buffer, and may be
    /// wrong: whoever is woken looks by reading.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        let mut waits = false;
        poll_fn(move |cx| match std::mem::replace(&mut waits, true) {
            false => self.socket().poll_read_ready(cx),
            true => Poll::Ready(Ok(())),
        })
    }

    /// Whether it is open, with nothing unasked in it, as far as the runtime has been told.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let read = match self {
            Stream::Plain(socket) => socket.try_read(&mut byte),
            // A target may say something of TLS's own at any time, such as how to take up the session again.
            Stream::Tls(session) => session.read_now(&mut byte),
        };
        matches!(read, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Says that nothing more is written, where that is not clear from the end of the connection alone.
    pub fn say_farewell(&mut self) {
        if let Stream::Tls(session) = self {
            session.say_farewell();
        }
    }
}

/// Reads what there is without waiting. What comes short of the space was all there was: the runtime is told, so that the next
/// reader waits for more without asking the kernel in vain.
pub fn read_now(socket: &TcpStream, space: &mut [u8]) -> io::Result<usize> {
    let mut short = None;
    let read = socket.try_io(Interest::READABLE, || match recv(socket, &mut *space, RecvFlags::empty()) {
        Ok((bytes, _)) if bytes > 0 && bytes < space.len() => {
            short = Some(bytes);
            Err(io::ErrorKind::WouldBlock.into())
        }
        Ok((bytes, _)) => Ok(bytes),
        Err(e) => Err(e.into()),
    });
    short.map_or(read, Ok)
}

/// A side of an exchange that may be nothing but a socket.
pub trait Bare {
    /// The socket, where nothing lies between it and the bytes.
    fn bare(&self) -> Option<&TcpStream>;
}

impl Bare for Stream {
    fn bare(&self) -> Option<&TcpStream> {
        if let Stream::Plain(socket) = self { Some(socket) } else { None }
    }
}

impl Bare for Half<'_, '_> {
    fn bare(&self) -> Option<&TcpStream> {
        None
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, room),
            Stream::Tls(session) => session.poll_read(cx, room),
        }
    }
}

/// What is written goes to the kernel at once, which nearly always takes it: the runtime is asked only where it does not.
impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => match send(&*socket, bytes, SendFlags::NOSIGNAL) {
                Err(Errno::AGAIN | Errno::INTR) => Pin::new(socket).poll_write(cx, bytes),
                sent => Poll::Ready(sent.map_err(Into::into)),
            },
            Stream::Tls(session) => session.poll_write(cx, &[IoSlice::new(bytes)]),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => match sendmsg(&*socket, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL) {
                Err(Errno::AGAIN | Errno::INTR) => Pin::new(socket).poll_write_vectored(cx, slices),
                sent => Poll::Ready(sent.map_err(Into::into)),
            },
            Stream::Tls(session) => session.poll_write(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(socket) => socket.is_write_vectored(),
            Stream::Tls(_) => true,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(session) => session.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(session) => session.poll_shutdown(cx),
        }
    }
}

/// One direction of a stream whose two are used at once. Everything happens on one thread, and no borrow outlives a poll.
pub struct Half<'a, 's>(pub &'a RefCell<&'s mut Stream>);

impl AsyncRead for Half<'_, '_> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_read(cx, room)
    }
}

impl AsyncWrite for Half<'_, '_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.0.borrow_mut()).poll_shutdown(cx)
    }
}
