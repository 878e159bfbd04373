//! The instance metadata service (IMDS) of every VPC: sockets, limits and timeouts. What to answer is in `answer.rs`.
//! The packets' source address, which no instance can forge, tells who asks.

mod answer;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use base::VpcId;

pub(crate) use answer::Subject;
use answer::{Reply, Tokens};

use crate::events::{Events, Source, Token};
use crate::failure::{During, Result};
use crate::netns::Namespace;
use crate::nft::{METADATA_ADDRESS, METADATA_PORT};
use crate::sys::socket;

/// Connections of all instances together, and of one.
const CONNECTIONS_MAX: usize = 1024;
const CONNECTIONS_OF_ONE_MAX: usize = 16;
/// Longest request; none has a body.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// A connection may last this long without a whole request or with an unread answer.
const IDLE: Duration = Duration::from_secs(5);
/// Connections taken in one turn of the loop.
const ACCEPTS_MAX: usize = 32;
const SECRET_BYTES: usize = 32;

struct Connection {
    vpc: VpcId,
    source: Ipv4Addr,
    stream: TcpStream,
    token: Token,
    input: Vec<u8>,
    output: Vec<u8>,
    deadline: Instant,
    closing: bool,
}

pub(crate) struct Metadata {
    tokens: Tokens,
    connections: HashMap<u64, Connection>,
    last: u64,
}

impl Metadata {
    /// Session tokens outlive the host: their secret is kept in `directory`.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("metadata-secret");
        let secret = match fs::read(&path) {
            Ok(secret) if secret.len() == SECRET_BYTES => secret,
            _ => make_secret(&path).during("making the secret of the metadata service")?,
        };
        Ok(Self { tokens: Tokens::new(&secret), connections: HashMap::new(), last: 0 })
    }

    /// Opens the service's socket inside a VPC's router.
    pub fn listen(&self, home: &Namespace, router: &Namespace) -> Result<TcpListener> {
        let _inside = router.enter(home).during("entering a VPC's namespace")?;
        let listener = TcpListener::bind(SocketAddrV4::new(METADATA_ADDRESS, METADATA_PORT));
        let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        listener.during("opening the metadata service")
    }

    pub fn accept(&mut self, events: &mut Events, vpc: &VpcId, listener: &TcpListener) {
        for _ in 0..ACCEPTS_MAX {
            let Ok((stream, peer)) = events.accept(|| listener.accept()) else {
                return;
            };
            let IpAddr::V4(source) = peer.ip() else {
                continue;
            };
            let of_one = self.connections.values().filter(|c| c.vpc == *vpc && c.source == source).count();
            if of_one >= CONNECTIONS_OF_ONE_MAX || self.connections.len() >= CONNECTIONS_MAX {
                continue;
            }
            self.last += 1;
            let ready = stream.set_nonblocking(true).and_then(|()| events.watch(&stream, Source::MetadataConnection(self.last)));
            let Ok(token) = ready else {
                continue;
            };
            let connection = Connection {
                vpc: vpc.clone(),
                source,
                stream,
                token,
                input: Vec::new(),
                output: Vec::new(),
                deadline: Instant::now() + IDLE,
                closing: false,
            };
            self.connections.insert(self.last, connection);
        }
    }

    /// Reads, answers and writes what can be without waiting. `find` tells which instance has a source address.
    pub fn serve<'a>(
        &mut self,
        events: &mut Events,
        number: u64,
        readable: bool,
        find: &dyn Fn(&VpcId, Ipv4Addr) -> Option<Subject<'a>>,
    ) {
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let subject = find(&connection.vpc, connection.source);
        let goes_on = connection.turn(readable, subject.as_ref(), &self.tokens);
        let interest = (connection.output.is_empty(), !connection.output.is_empty());
        let changed = events.change(&connection.stream, connection.token, interest.0, interest.1);
        if goes_on.is_err() || changed.is_err() {
            self.close(events, number);
        }
    }

    fn close(&mut self, events: &mut Events, number: u64) {
        if let Some(connection) = self.connections.remove(&number) {
            events.forget(&connection.stream, connection.token);
            connection.stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// Closes every connection of a VPC that goes away.
    pub fn close_all(&mut self, events: &mut Events, vpc: &VpcId) {
        let of_vpc = self.connections.iter().filter(|(_, c)| c.vpc == *vpc).map(|(number, _)| *number);
        for number in of_vpc.collect::<Vec<_>>() {
            self.close(events, number);
        }
    }

    pub fn due(&self) -> Option<Instant> {
        self.connections.values().map(|connection| connection.deadline).min()
    }

    pub fn expire(&mut self, events: &mut Events, now: Instant) {
        let late = self.connections.iter().filter(|(_, c)| c.deadline <= now).map(|(number, _)| *number);
        for number in late.collect::<Vec<_>>() {
            self.close(events, number);
        }
    }
}

impl Connection {
    /// An error ends the connection.
    fn turn(&mut self, readable: bool, subject: Option<&Subject<'_>>, tokens: &Tokens) -> io::Result<()> {
        if readable && self.output.is_empty() {
            self.read()?;
            self.answer(subject, tokens)?;
        }
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.output.drain(..written)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
            if self.output.is_empty() {
                if self.closing {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                self.deadline = Instant::now() + IDLE;
                // The next request may have come in the same packet.
                self.answer(subject, tokens)?;
            }
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        let mut chunk = [0; REQUEST_BYTES_MAX];
        let room = REQUEST_BYTES_MAX - self.input.len();
        match self.stream.read(&mut chunk[..room]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.input.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn answer(&mut self, subject: Option<&Subject<'_>>, tokens: &Tokens) -> io::Result<()> {
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        match answer::answer(&self.input, subject, tokens, now_s) {
            Reply::Incomplete if self.input.len() < REQUEST_BYTES_MAX => {}
            Reply::Incomplete => {
                self.output = answer::too_large();
                self.closing = true;
            }
            Reply::Answer { consumed, bytes, close } => {
                // A container inside the instance is one hop further away; the limit keeps answers from it.
                let hops = subject.map_or(1, |subject| subject.metadata.hop_limit.clamp(1, 64));
                socket::set_ttl(&self.stream, hops)?;
                self.input.drain(..consumed);
                self.output = bytes;
                self.closing = close;
            }
        }
        Ok(())
    }
}

fn make_secret(path: &Path) -> io::Result<Vec<u8>> {
    let mut secret = vec![0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| io::Error::other("no randomness"))?;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&secret)?;
    Ok(secret)
}
