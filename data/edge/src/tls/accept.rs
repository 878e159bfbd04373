//! The beginning of a client's connection at an address where TLS is spoken: tells TLS from plain HTTP by the first byte, finds
//! out whom the client calls, and shakes hands. Handshakes have a deadline, and a worker has only so many at once.

use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Instant;

use rustls::server::{Accepted, Acceptor};
use rustls::{Connection, HandshakeKind, ProtocolVersion};
use tokio::net::TcpStream;

use super::certificate::{Shown, take_shown};
use super::clients::{ClientIdentity, take_refused};
use super::listener::{Called, Front, Listener};
use super::policy::cipher_name;
use super::session::{Session, Wait, read_first};
use super::x509::Facts;
use super::{Agreed, Attempt, Greeting};
use crate::clock::now_ms;
use crate::worker::watch::Watch;

/// From the first byte on.
const HANDSHAKE_MS_MAX: u64 = 10_000;
/// Names of protocols above TLS that are noted of a greeting.
const PROTOCOLS_BYTES_MAX: usize = 1_024;
/// The first byte of every TLS connection: a record of the handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// What a connection turned out to be.
pub enum First {
    Tls(Box<Session>, Rc<Agreed>),
    /// Plain text, with what of it has come.
    Plain(TcpStream, Vec<u8>),
}

/// Why there is no connection.
pub enum Failed {
    /// The client went away before it had said anything, or said nothing for too long.
    Silent,
    /// The handshake failed; whom the client called, if that is known, and how far it came.
    Handshake(Option<usize>, io::Error, Box<Attempt>),
}

impl Failed {
    /// Before anything was agreed on.
    fn early(called: Option<usize>, error: io::Error) -> Self {
        Self::Handshake(called, error, Box::default())
    }
}

/// Waits for a client's first bytes, at most `idle_ms`, and shakes hands if they are TLS.
pub async fn accept(front: &Front, socket: TcpStream, watch: &Watch, idle_ms: u64) -> Result<First, Failed> {
    accept_noting(front, socket, watch, idle_ms, None).await
}

/// Likewise, and notes what the client has said before anything was agreed on.
pub async fn accept_noting(
    front: &Front,
    socket: TcpStream,
    watch: &Watch,
    idle_ms: u64,
    mut greeting: Option<&mut Greeting>,
) -> Result<First, Failed> {
    watch.read_within(idle_ms);
    watch.set_idle(true);
    let mut acceptor = Acceptor::default();
    let mut begun: Option<Instant> = None;
    loop {
        socket.readable().await.map_err(|_| Failed::Silent)?;
        let is_first = begun.is_none();
        let look = |bytes: &[u8]| {
            watch.moved(bytes.len());
            match bytes.first() {
                None => Look::End,
                Some(byte) if is_first && *byte != HANDSHAKE_RECORD => Look::Plain(bytes.to_vec()),
                Some(_) => look_for_hello(&mut acceptor, bytes),
            }
        };
        let looked = match read_first(&socket, look) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => Look::End,
            Ok(looked) => looked,
        };
        if is_first {
            watch.set_idle(false);
            watch.read_by(now_ms() + HANDSHAKE_MS_MAX);
        }
        let begun = *begun.get_or_insert_with(Instant::now);
        match looked {
            Look::End if is_first => return Err(Failed::Silent),
            Look::End => return Err(Failed::early(None, ErrorKind::UnexpectedEof.into())),
            Look::Plain(bytes) => {
                watch.read_done();
                return Ok(First::Plain(socket, bytes));
            }
            Look::More => {}
            Look::Bad(alert, error) => {
                let _ = socket.try_write(&alert);
                return Err(Failed::early(None, error));
            }
            Look::Hello(accepted, rest) => {
                if let Some(greeting) = &mut greeting {
                    **greeting = said(&accepted);
                }
                let (session, agreed) = shake_hands(front, socket, watch, *accepted, &rest, begun, greeting).await?;
                watch.read_done();
                return Ok(First::Tls(Box::new(session), Rc::new(agreed)));
            }
        }
    }
}

enum Look {
    End,
    Plain(Vec<u8>),
    More,
    /// The alert to send, and why.
    Bad(Vec<u8>, io::Error),
    /// A greeting, and what came behind it.
    Hello(Box<Accepted>, Vec<u8>),
}

fn look_for_hello(acceptor: &mut Acceptor, mut bytes: &[u8]) -> Look {
    while !bytes.is_empty() {
        if let Err(e) = acceptor.read_tls(&mut bytes) {
            return Look::Bad(Vec::new(), e);
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Look::Hello(Box::new(accepted), bytes.to_vec()),
            Err((error, mut alert)) => {
                let mut text = Vec::new();
                let _ = alert.write_all(&mut text);
                return Look::Bad(text, io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }
    Look::More
}

fn said(accepted: &Accepted) -> Greeting {
    let hello = accepted.client_hello();
    let mut left = PROTOCOLS_BYTES_MAX;
    let fits = |name: &&[u8]| {
        left = left.saturating_sub(name.len());
        left > 0
    };
    let protocols = hello.alpn().into_iter().flatten().take_while(fits).map(<[u8]>::to_vec).collect();
    Greeting { server_name: hello.server_name().map(str::to_string), protocols, shown: None }
}

/// Whether a client that names protocols names none that this listener knows.
fn knows_none(accepted: &Accepted, listener: &Listener) -> bool {
    let known = |name: &[u8]| listener.config.alpn_protocols.iter().any(|known| known == name);
    accepted.client_hello().alpn().is_some_and(|mut named| !named.any(known))
}

async fn shake_hands(
    front: &Front,
    socket: TcpStream,
    watch: &Watch,
    accepted: Accepted,
    rest: &[u8],
    begun: Instant,
    greeting: Option<&mut Greeting>,
) -> Result<(Session, Agreed), Failed> {
    let called = front.called(accepted.client_hello().server_name());
    let listener = called.and_then(|called| front.get(called.index())).cloned();
    let (Some(called), Some(listener)) = (called, listener) else {
        return Err(Failed::early(None, ErrorKind::ConnectionRefused.into()));
    };
    let without_protocol = listener.silent.as_ref().filter(|_| knows_none(&accepted, &listener));
    let config = without_protocol.unwrap_or(&listener.config).clone();
    let connection = accepted.into_connection(config);
    // Nobody else has begun a handshake on this thread since.
    let shown = take_shown();
    if let Some(greeting) = greeting {
        greeting.shown.clone_from(&shown);
    }
    let connection = match connection {
        Ok(connection) => connection,
        Err((error, mut alert)) => {
            let mut text = Vec::new();
            let _ = alert.write_all(&mut text);
            let _ = socket.try_write(&text);
            return Err(Failed::early(Some(called.index()), io::Error::new(ErrorKind::InvalidData, error)));
        }
    };
    let mut session = Session::new(socket, Connection::Server(connection));
    let waits = |wait| {
        if wait == Wait::Write {
            watch.write_within(HANDSHAKE_MS_MAX);
        }
    };
    let shaken = match session.feed(rest) {
        Ok(()) => session.shake_hands(waits).await,
        Err(e) => Err(e),
    };
    watch.write_done();
    if let Err(e) = shaken {
        // Nothing was waited for since the refusal, so that no other handshake of this thread can have had one.
        return Err(Failed::Handshake(Some(called.index()), e, Box::new(attempt(session.connection(), take_refused()))));
    }
    let mut agreed = agree(&session, &listener, called, begun);
    let reused = session.connection().handshake_kind() == Some(HandshakeKind::Resumed);
    agreed.shown = shown.map(|shown| Shown { reused, ..shown });
    Ok((session, agreed))
}

fn attempt(tls: &Connection, client: Option<Facts>) -> Attempt {
    let version_name = |version| if version == ProtocolVersion::TLSv1_3 { "TLSv1.3" } else { "TLSv1.2" };
    Attempt {
        version: tls.protocol_version().map(version_name),
        cipher: tls.negotiated_cipher_suite().map(|suite| cipher_name(suite.suite())),
        key_exchange: tls.negotiated_key_exchange_group().map(|group| group.name()),
        client,
    }
}

fn agree(session: &Session, listener: &Listener, called: Called, begun: Instant) -> Agreed {
    let tls = session.connection();
    let server_name = match tls {
        Connection::Server(server) => server.server_name().map(str::to_string),
        Connection::Client(_) => None,
    };
    let Attempt { version, cipher, key_exchange, client: _ } = attempt(tls, None);
    Agreed {
        listener: matches!(called, Called::Bound(_)).then(|| listener.id.clone()),
        http2: tls.alpn_protocol() == Some(b"h2"),
        version: version.unwrap_or("TLSv1.2"),
        cipher: cipher.unwrap_or("-"),
        key_exchange,
        server_name,
        client: tls.peer_certificates().and_then(|chain| ClientIdentity::of(chain, listener.tell)),
        shown: None,
        handshake_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}
