//! The first moments of a client's connection where TLS is spoken: its handshake, or what becomes of plain text there.

use std::cell::Cell;
use std::io::{self, ErrorKind};

use tokio::net::TcpStream;

use super::{Caller, Client, linger};
use crate::http::answer::write_plain_to_https;
use crate::http::forward::PLAIN;
use crate::log::connection;
use crate::metrics::Event;
use crate::stream::Stream;
use crate::tls::Attempt;
use crate::tls::accept::{Failed, First, accept};
use crate::tls::listener::Front;
use crate::worker::Worker;
use crate::worker::watch::Watch;

/// Handshakes of one worker at a time; further clients are turned away.
const HANDSHAKES_MAX: usize = 4_096;

/// A handshake that counts until this is dropped.
pub struct Pending<'a>(&'a Cell<usize>);

impl<'a> Pending<'a> {
    pub fn new(count: &'a Cell<usize>) -> Option<Self> {
        (count.get() < HANDSHAKES_MAX).then(|| {
            count.set(count.get() + 1);
            Self(count)
        })
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A client that is ready for its first request; none when there is nobody to serve.
pub async fn begin(worker: &Worker, front: &Front, watch: Watch, socket: TcpStream, caller: Caller) -> Option<Client> {
    let Some(pending) = Pending::new(&worker.handshakes) else {
        // Nobody knows yet whom it calls: it counts where the door's first listener does.
        let snapshot = worker.snapshot.borrow();
        if let Some(site) = snapshot.doors.get(&caller.at).and_then(|door| door.secure.first()) {
            site.counters.worker(worker.index).count(Event::Rejected, 1);
        }
        return None;
    };
    let accepted = accept(front, socket, &watch, super::idle_timeout_ms(worker, caller.at)).await;
    drop(pending);
    match accepted {
        Ok(First::Tls(session, agreed)) => {
            tracing::debug!(
                client = %caller.address,
                version = agreed.version,
                cipher = agreed.cipher,
                key_exchange = ?agreed.key_exchange,
                server_name = agreed.server_name,
                http2 = agreed.http2,
                us = agreed.handshake_us,
                "TLS is agreed"
            );
            let caller = Caller { tls: Some(agreed), ..caller };
            Some(Client::new(worker, watch, Stream::Tls(session), caller))
        }
        Ok(First::Plain(socket, bytes)) => plain(worker, Client::new(worker, watch, Stream::Plain(socket), caller), &bytes).await,
        Err(Failed::Silent) => None,
        Err(Failed::Handshake(called, error, attempt)) => {
            tracing::debug!(client = %caller.address, "no TLS handshake: {error}");
            count_failed(worker, front, &caller, called, &error, &attempt);
            None
        }
    }
}

/// Where HTTP is spoken too, goes on with it; elsewhere says what is wrong, as an ALB does.
async fn plain(worker: &Worker, mut client: Client, bytes: &[u8]) -> Option<Client> {
    let snapshot = worker.snapshot.borrow().clone();
    let door = snapshot.doors.get(&client.caller.at);
    if door.is_some_and(|door| !door.sites.is_empty()) {
        client.buffer = worker.buffers.small();
        client.buffer.space()[..bytes.len()].copy_from_slice(bytes);
        client.buffer.filled_by(bytes.len());
        return Some(client);
    }
    let mut text = Vec::new();
    let headers = door.map_or(&PLAIN, |door| door.answer_headers(None));
    worker.date.with(|date| write_plain_to_https(&mut text, date, headers));
    drop(snapshot);
    let sent = client.stream.socket().try_write(&text);
    if !matches!(sent, Err(e) if e.kind() != ErrorKind::WouldBlock) {
        linger(&mut client.stream, &client.watch).await;
    }
    None
}

/// `ClientTLSNegotiationErrorCount`: "TLS connections initiated by the client that did not establish a session".
fn count_failed(worker: &Worker, front: &Front, caller: &Caller, called: Option<usize>, error: &io::Error, attempt: &Attempt) {
    let snapshot = worker.snapshot.borrow();
    let Some(door) = snapshot.doors.get(&caller.at) else { return };
    // Where nobody was named, only a door of one listener knows whose it was.
    let id = match called {
        Some(index) => front.get(index),
        None if door.secure.len() == 1 => front.get(0),
        None => None,
    };
    let site = id.and_then(|listener| door.front.as_ref()?.find(&listener.id)).and_then(|index| door.secure.get(index));
    if let Some(site) = site {
        site.counters.worker(worker.index).tls_failed();
        connection::failed(worker, caller, site, error, attempt);
    }
}
