//! The new edge's side: asks the one that runs for everything, and hears of its last connections.

use std::fs::File;
use std::io;
use std::net::UdpSocket;

use tokio::sync::mpsc;
use world::{Observation, RunPaths};

use super::{ANSWER_MAX, Estate, FLOWS_MAX, FlowNote, Message, PROTOCOL, Peer, receive_doors, socket};
use crate::control::doors::Passed;
use crate::control::targets::MemberKey;

/// Messages that may wait for the control thread.
const MESSAGES_MAX: usize = 256;

/// What was taken over.
pub struct Taken {
    pub estate: Estate,
    pub doors: Vec<Passed>,
    pub lock: File,
    pub predecessor: Peer,
}

/// What the old edge tells while it drains.
#[derive(Debug)]
pub enum Word {
    Busy(Vec<MemberKey>),
    Traffic(Observation),
    /// It has ended.
    Gone,
}

/// Asks the edge that runs for everything; none when nobody listens who could give it.
pub fn take(paths: &RunPaths) -> io::Result<Option<Taken>> {
    let predecessor = match Peer::connect(&socket(paths)) {
        Ok(peer) => peer,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        Err(e) => return Err(e),
    };
    predecessor.send(&Message::Ask { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id() })?;
    let estate = match predecessor.receive(Some(ANSWER_MAX))? {
        Message::Estate(estate) => *estate,
        Message::Refused { reason } => return Err(io::Error::other(reason)),
        other => return Err(io::Error::other(format!("it said {other:?}"))),
    };
    let lock = predecessor.receive_sockets(1)?.pop().ok_or(io::ErrorKind::UnexpectedEof)?;
    let doors = receive_doors(&predecessor, &estate.doors)?;
    Ok(Some(Taken { estate, doors, lock: lock.into(), predecessor }))
}

/// What the old edge leaves when it receives nothing new: where requests are under way, and flows with their sockets.
#[derive(Debug, Default)]
pub struct Rest {
    pub busy: Vec<MemberKey>,
    pub flows: Vec<(FlowNote, UdpSocket)>,
}

/// Says that connections are accepted, and waits until the old edge does so no more, or is gone.
pub fn serving(predecessor: &Peer) -> io::Result<Rest> {
    predecessor.send(&Message::Serving)?;
    let (busy, flows) = match predecessor.receive(Some(ANSWER_MAX))? {
        Message::Stopped { busy, flows } if flows.len() <= FLOWS_MAX => (busy, flows),
        Message::Stopped { flows, .. } => return Err(io::Error::other(format!("{} flows are too many", flows.len()))),
        other => return Err(io::Error::other(format!("it said {other:?}"))),
    };
    let sockets = predecessor.receive_sockets(flows.len()).unwrap_or_else(|e| {
        tracing::warn!("flows of datagrams begin anew, for their sockets have not come: {e}");
        Vec::new()
    });
    Ok(Rest { busy, flows: flows.into_iter().zip(sockets.into_iter().map(UdpSocket::from)).collect() })
}

/// Listens to what the old edge tells until its end, in a thread of its own.
pub fn listen(predecessor: &Peer) -> io::Result<mpsc::Receiver<Word>> {
    let (words, inbox) = mpsc::channel(MESSAGES_MAX);
    let peer = predecessor.again()?;
    std::thread::Builder::new().name("predecessor".into()).spawn(move || {
        loop {
            let word = match peer.receive(None) {
                Ok(Message::Busy { targets }) => Word::Busy(targets),
                Ok(Message::Traffic { report }) => Word::Traffic(report),
                Ok(_) => continue,
                Err(_) => Word::Gone,
            };
            let is_last = matches!(word, Word::Gone);
            if words.blocking_send(word).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(inbox)
}
