//! What the proxies forward to: a small server in a thread of this program, as fast as one can be made that reads whole
//! requests. It answers by the path: `/1k`, `/1m`, and anything else with two bytes.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;

use bench::{Result, fail};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create, sendfile};
use rustix::net::sockopt::set_tcp_congestion;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use crate::cores;

pub const KIB: usize = 1_024;
pub const MIB: usize = 1_024 * KIB;

/// Starts it on this address; it runs as long as this program.
pub fn start(at: SocketAddr) -> Result<()> {
    let listener = std::net::TcpListener::bind(at)?;
    // Answers leave as cheaply as they can, so that this side is not the slowest; accepted sockets do as this one does.
    set_tcp_congestion(&listener, "reno")?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("upstream".into()).spawn(move || {
        if let Err(e) = cores::load().and_then(|()| LocalSet::new().block_on(&runtime, accept(listener))) {
            eprintln!("the upstream ended: {e}");
        }
    })?;
    Ok(())
}

/// What it says, made once.
struct Answers {
    small: Vec<u8>,
    kib: Vec<u8>,
    mib_head: Vec<u8>,
    /// Zeros, which the kernel sends without anyone copying them here.
    mib: rustix::fd::OwnedFd,
}

impl Answers {
    fn new() -> io::Result<Self> {
        let head = |length| {
            format!("HTTP/1.1 200 OK\r\nServer: upstream\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n")
                .into_bytes()
        };
        let with_body = |body: &[u8]| [head(body.len()), body.to_vec()].concat();
        let mib = memfd_create("answer", MemfdFlags::CLOEXEC)?;
        ftruncate(&mib, MIB as u64)?;
        Ok(Self { small: with_body(b"ok"), kib: with_body(&[b'a'; KIB]), mib_head: head(MIB), mib })
    }
}

async fn accept(listener: std::net::TcpListener) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let answers = Rc::new(Answers::new()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = answers.clone();
        spawn_local(async move {
            // A proxy that has closed is no failure.
            let _ = serve(&stream, &answers).await;
        });
    }
}

async fn serve(stream: &TcpStream, answers: &Answers) -> Result<()> {
    let mut bytes = vec![0; 64 * KIB];
    let mut filled = 0;
    loop {
        let (end, length) = loop {
            if let Some(head) = head_of(&bytes[..filled]) {
                break head;
            }
            filled += read(stream, &mut bytes[filled..]).await?;
        };
        let path_begin = bytes.iter().position(|b| *b == b' ').unwrap_or(0) + 1;
        let (is_kib, is_mib) = (bytes[path_begin..].starts_with(b"/1k "), bytes[path_begin..].starts_with(b"/1m "));
        while filled < end + length {
            filled += read(stream, &mut bytes[filled..]).await?;
        }
        bytes.copy_within(end + length..filled, 0);
        filled -= end + length;
        if is_mib {
            write(stream, &answers.mib_head).await?;
            send_file(stream, &answers.mib, MIB).await?;
        } else {
            write(stream, if is_kib { &answers.kib } else { &answers.small }).await?;
        }
    }
}

/// Where a head ends, and its body's length.
pub fn head_of(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let mut length = 0;
    for line in bytes[..end].split(|b| *b == b'\n') {
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            length = std::str::from_utf8(&line[15..]).ok()?.trim().parse().ok()?;
        }
    }
    Some((end, length))
}

async fn read(stream: &TcpStream, space: &mut [u8]) -> Result<usize> {
    if space.is_empty() {
        return fail("a message larger than the buffer");
    }
    loop {
        match stream.try_read(space) {
            Ok(0) => return fail("closed"),
            Ok(count) => return Ok(count),
            Err(e) if e.kind() == ErrorKind::WouldBlock => stream.readable().await?,
            Err(e) => return Err(e.into()),
        }
    }
}

/// Writes all of it.
pub async fn write(stream: &TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

async fn send_file(stream: &TcpStream, file: &rustix::fd::OwnedFd, length: usize) -> Result<()> {
    let mut at = 0;
    while at < length as u64 {
        let sent = stream.try_io(Interest::WRITABLE, || {
            let left = usize::try_from(length as u64 - at).unwrap_or(0);
            Ok(sendfile(stream, file, Some(&mut at), left)?)
        });
        match sent {
            Ok(0) => return fail("a body that ends early"),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
