//! Targets: small servers that do what a test says, and remember what they got.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A request as a target got it.
#[derive(Clone, Debug)]
pub struct Got {
    pub head: String,
    pub body: Vec<u8>,
    /// Lines behind a chunked body.
    pub trailers: Vec<String>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|l| l.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).next()
    }

    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    fn is_check(&self) -> bool {
        self.header("User-Agent") == Some("ELB-HealthChecker/2.0")
    }
}

/// What to do with a connection after a request.
pub enum Then {
    Keep,
    Close,
}

type Handler = dyn Fn(&Got, &mut TcpStream) -> Then + Send + Sync;

#[derive(Default)]
struct Shared {
    got: Mutex<Vec<Got>>,
    checks: Mutex<Vec<Got>>,
    streams: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    closed: AtomicUsize,
    ended: AtomicBool,
}

pub struct Origin {
    listener: TcpListener,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// An answer with a body, as most targets give it.
pub fn reply(stream: &mut TcpStream, status: u16, body: &str) -> Then {
    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    match stream.write_all(text.as_bytes()) {
        Ok(()) => Then::Keep,
        Err(_) => Then::Close,
    }
}

impl Origin {
    /// Answers everything, checks too, with its name.
    pub fn named(at: SocketAddrV4, name: &'static str) -> Self {
        Self::start(at, move |_, stream| reply(stream, 200, name))
    }

    /// Answers health checks by itself, and everything else by the handler.
    pub fn healthy(at: SocketAddrV4, handler: impl Fn(&Got, &mut TcpStream) -> Then + Send + Sync + 'static) -> Self {
        Self::start(at, move |got, stream| if got.is_check() { reply(stream, 200, "") } else { handler(got, stream) })
    }

    pub fn start(at: SocketAddrV4, handler: impl Fn(&Got, &mut TcpStream) -> Then + Send + Sync + 'static) -> Self {
        let listener = listen(at);
        let (accepting, shared) = (listener.try_clone().unwrap(), Arc::new(Shared::default()));
        let (inner, handler): (_, Arc<Handler>) = (shared.clone(), Arc::new(handler));
        let thread = thread::spawn(move || {
            for stream in accepting.incoming() {
                if inner.ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                inner.connections.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                inner.streams.lock().unwrap().push(stream.try_clone().unwrap());
                let (inner, handler) = (inner.clone(), handler.clone());
                thread::spawn(move || serve(stream, &inner, &*handler));
            }
        });
        Self { listener, shared, thread: Some(thread) }
    }

    /// Requests of users.
    pub fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    pub fn checks(&self) -> Vec<Got> {
        self.shared.checks.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Connections that a handler has closed.
    pub fn closed(&self) -> usize {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// Ends as a killed process does: every socket closes at once.
    pub fn kill(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // A listener that is shut down accepts no more, wherever it is.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A listener that may take over the address of one that was just closed.
fn listen(at: SocketAddrV4) -> TcpListener {
    crate::rig::eventually("the address of a target is free", || TcpListener::bind(at).ok())
}

fn serve(mut stream: TcpStream, shared: &Shared, handler: &Handler) {
    let mut pending = Vec::new();
    while let Some(got) = read_request(&mut stream, &mut pending) {
        if shared.ended.load(Ordering::SeqCst) {
            break;
        }
        let list = if got.is_check() { &shared.checks } else { &shared.got };
        list.lock().unwrap().push(got.clone());
        if matches!(handler(&got, &mut stream), Then::Close) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            shared.closed.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn read_request(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<Got> {
    let end = loop {
        if let Some(at) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, pending)?;
    };
    let head = String::from_utf8(pending.drain(..end).collect()).unwrap();
    let mut got = Got { head, body: Vec::new(), trailers: Vec::new() };
    if got.header("Expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    if let Some(length) = got.header("Content-Length") {
        let length: usize = length.parse().unwrap();
        while pending.len() < length {
            fill(stream, pending)?;
        }
        got.body = pending.drain(..length).collect();
    } else if got.header("Transfer-Encoding").is_some() {
        loop {
            let size = usize::from_str_radix(&line(stream, pending)?, 16).unwrap();
            if size == 0 {
                break;
            }
            while pending.len() < size + 2 {
                fill(stream, pending)?;
            }
            got.body.extend(pending.drain(..size));
            pending.drain(..2);
        }
        loop {
            let trailer = line(stream, pending)?;
            if trailer.is_empty() {
                break;
            }
            got.trailers.push(trailer);
        }
    }
    Some(got)
}

fn line(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = pending.windows(2).position(|w| w == b"\r\n") {
            let line = pending.drain(..at + 2).collect::<Vec<u8>>();
            return Some(String::from_utf8(line[..at].to_vec()).unwrap());
        }
        fill(stream, pending)?;
    }
}

fn fill(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 64 * 1024];
    let count = stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
    pending.extend_from_slice(&bytes[..count]);
    Some(())
}
