//! A client's connection to a listener of TCP or TLS, from its first moment to its last: finds a target, opens a connection to
//! it, and carries bytes both ways until both sides have ended, or one breaks off.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Site;
use super::carry::{Broken, Side, Way};
use super::choose::{Chosen, choose, home};
use super::compile::Transport;
use super::counters::{Active, FlowLine};
use super::preface::{self, PREFACE_BYTES_MAX};
use super::share::Share;
use super::story::Story;
use crate::clock::now_ms;
use crate::proxy::secure::Pending;
use crate::stream::{Half, Stream};
use crate::target::{InFlight, Target};
use crate::tls::accept::{Failed, First, accept_noting};
use crate::tls::listener::Front;
use crate::tls::outgoing::{Protocol, Speaks};
use crate::worker::Worker;
use crate::worker::watch::{Role, Watch};

/// A client of a TLS listener that says nothing is waited for so long.
const GREETING_MS_MAX: u64 = 10_000;
/// How long a target may take to accept a connection where another one could have it, and where none could.
const CONNECT_SHORT: Duration = Duration::from_millis(1_500);
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Targets that are asked for one flow.
const ATTEMPTS_MAX: usize = 4;

/// A connection. The watch goes before the socket.
struct Peer {
    watch: Watch,
    stream: Stream,
}

/// Who calls.
#[derive(Clone, Copy)]
struct Caller {
    address: SocketAddr,
    at: SocketAddr,
    /// What it has agreed on above TLS.
    agreed: Option<Protocol>,
}

/// A connection to a target, which counts as under way there and as active here.
struct Onward {
    peer: Peer,
    active: Active,
    flight: InFlight,
}

/// Serves a client's connection to its end, and tells of it where that is wanted.
pub async fn serve(worker: Rc<Worker>, site: Arc<Site>, socket: TcpStream, address: SocketAddr, at: SocketAddr) {
    let Some(log) = &site.log else { return converse(&worker, &site, socket, address, at, &mut None).await };
    let mut story = Some(Box::new(Story::begin(address, at)));
    converse(&worker, &site, socket, address, at, &mut story).await;
    if let Some(story) = story {
        story.tell(&worker, &site, log);
    }
}

async fn converse(
    worker: &Worker,
    site: &Site,
    socket: TcpStream,
    address: SocketAddr,
    at: SocketAddr,
    story: &mut Option<Box<Story>>,
) {
    let watch = worker.watches.watch(&socket, Role::Client(at));
    let line = site.counters[home(site)].worker(worker.index);
    let mut caller = Caller { address, at, agreed: None };
    let mut client = match &site.front {
        None => Peer { watch, stream: Stream::Plain(socket) },
        // On the heap, and gone before the flow begins.
        Some(front) => match Box::pin(greet(worker, front, line, watch, socket, story)).await {
            Some(client) => client,
            None => return,
        },
    };
    caller.agreed = protocol(&client.stream).and_then(|name| Protocol::named(name.as_bytes()));
    let Some(mut onward) = Box::pin(open(worker, site, caller)).await else {
        line.own_reset();
        return reset(&client.stream);
    };
    onward.active.count_segments(&client.watch);
    let carried = carry(worker, site.idle_ms, &mut client, &mut onward).await;
    if let Some(story) = story {
        (story.received_bytes, story.sent_bytes) = (onward.peer.watch.so_far().1, client.watch.so_far().1);
        story.target_protocol = protocol(&onward.peer.stream).map(str::to_string);
        if let Err(Broken::Lost(Side::Client, error)) = &carried {
            story.alert = alert(error);
        }
    }
    if let Err(broken) = carried {
        tracing::debug!(client = %address, target = %onward.flight.target().address, "a flow broke off: {broken}");
        count(onward.active.line(), &broken);
        // Who is still there learns that not everything has come ("After the idle timeout period elapses, if either the client
        // or the target sends data, it receives a TCP RST packet to indicate that the connection is no longer valid").
        reset(&client.stream);
        reset(&onward.peer.stream);
    }
}

/// What was agreed on above TLS.
fn protocol(stream: &Stream) -> Option<&str> {
    match stream {
        Stream::Plain(_) => None,
        Stream::Tls(session) => session.connection().alpn_protocol().and_then(|name| std::str::from_utf8(name).ok()),
    }
}

/// The number of the alert that the other side has sent, where that is what went wrong.
fn alert(error: &io::Error) -> Option<u8> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(u8::from(*alert)),
        _ => None,
    }
}

fn count(line: &FlowLine, broken: &Broken) {
    match broken {
        Broken::Reset(Side::Client) => line.client_reset(),
        Broken::Reset(Side::Target) => line.target_reset(),
        Broken::Idle | Broken::Cut | Broken::Lost(..) => line.own_reset(),
    }
}

/// Has the kernel send a reset in place of an end.
fn reset(stream: &Stream) {
    let _ = set_socket_linger(stream.socket(), Some(Duration::ZERO));
}

/// Shakes hands with a client.
async fn greet(
    worker: &Worker,
    front: &Front,
    line: &FlowLine,
    watch: Watch,
    socket: TcpStream,
    story: &mut Option<Box<Story>>,
) -> Option<Peer> {
    let Some(pending) = Pending::new(&worker.handshakes) else {
        line.rejected();
        return None;
    };
    let greeting = story.as_mut().map(|story| &mut story.greeting);
    let accepted = accept_noting(front, socket, &watch, GREETING_MS_MAX, greeting).await;
    drop(pending);
    match accepted {
        Ok(First::Tls(session, agreed)) => {
            let stream = Stream::Tls(session);
            if let Some(story) = story {
                story.client_protocol = protocol(&stream).map(str::to_string);
                story.agreed = Some(agreed);
            }
            return Some(Peer { watch, stream });
        }
        Ok(First::Plain(socket, _)) => {
            drop(watch);
            let _ = set_socket_linger(&socket, Some(Duration::ZERO));
        }
        Err(Failed::Silent) => return None,
        Err(Failed::Handshake(_, error, _)) => {
            tracing::debug!("no TLS handshake: {error}");
            if let Some(story) = story {
                story.alert = alert(&error);
            }
        }
    }
    line.client_tls_failed();
    None
}

/// Opens a connection to a target; one that takes none is left alone for a moment, and another one is asked.
async fn open(worker: &Worker, site: &Site, caller: Caller) -> Option<Onward> {
    let mut tried = Vec::new();
    while tried.len() < ATTEMPTS_MAX {
        let Chosen { share, node, flight, fails_open } = choose(site, caller.address, caller.at, now_ms(), &tried)?;
        let target = flight.target();
        let within = if share.group.has_alternative(node, &tried, target) { CONNECT_SHORT } else { CONNECT_MAX };
        let line = site.counters[node].worker(worker.index);
        let connected = tokio::time::timeout(within, connect(worker, share, target, caller)).await;
        match connected.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                target.call_back();
                if fails_open {
                    line.unhealthy_routed();
                }
                let watch = worker.watches.watch(&stream, Role::Target(target.number));
                let active = Active::new(&site.counters[node], worker.index, site.kind);
                return Some(Onward { peer: Peer { watch, stream }, active, flight });
            }
            Err(error) => {
                tracing::debug!(target = %target.address, "a target takes no connection: {error}");
                match error.kind() {
                    ErrorKind::InvalidData => line.target_tls_failed(),
                    ErrorKind::ConnectionRefused => line.target_reset(),
                    _ => {}
                }
                target.set_aside(now_ms());
                tried.push(target.number);
            }
        }
    }
    None
}

/// Opens a connection, says in the clear who calls where that is wanted, and agrees on TLS.
async fn connect(worker: &Worker, share: &Share, target: &Target, caller: Caller) -> io::Result<Stream> {
    let mut socket = worker.connector.reach(&target.from, target.address).await?;
    if share.announces {
        let mut space = [0; PREFACE_BYTES_MAX];
        let length = preface::write(&mut space, Transport::Tcp, caller.address, caller.at);
        socket.write_all(&space[..length]).await?;
    }
    if !target.secure {
        return Ok(Stream::Plain(socket));
    }
    // What was agreed with the client is asked of the target too; one that knows nothing of it is spoken to all the same ("Access
    // log entries: alpn_be_protocol": "no matching protocol is found").
    let speaks = caller.agreed.map_or(Speaks::Http1, Speaks::Agreed);
    let mut stream = worker.connector.secure(socket, target.address, speaks).await?;
    // The target may be the one that speaks first.
    stream.flush().await?;
    Ok(stream)
}

async fn carry(worker: &Worker, idle_ms: u64, client: &mut Peer, onward: &mut Onward) -> Result<(), Broken> {
    let Onward { peer: target, active, .. } = onward;
    let one_ended = Cell::new(false);
    let way = |from, from_watch, to_watch| Way { worker, active, idle_ms, from, from_watch, to_watch, one_ended: &one_ended };
    let up = way(Side::Client, &client.watch, &target.watch);
    let down = way(Side::Target, &target.watch, &client.watch);
    match (&mut client.stream, &mut target.stream) {
        (Stream::Plain(client), Stream::Plain(target)) => {
            let (mut from_client, mut to_client) = client.split();
            let (mut from_target, mut to_target) = target.split();
            let up = up.carry_plain(&mut from_client, &mut to_target);
            let down = down.carry_plain(&mut from_target, &mut to_client);
            tokio::try_join!(up, down).map(|_| ())
        }
        (client, target) => {
            let (client, target) = (RefCell::new(client), RefCell::new(target));
            let (mut from_client, mut to_client) = (Half(&client), Half(&client));
            let (mut from_target, mut to_target) = (Half(&target), Half(&target));
            let up = up.carry(&mut from_client, &mut to_target);
            let down = down.carry(&mut from_target, &mut to_client);
            tokio::try_join!(up, down).map(|_| ())
        }
    }
}
