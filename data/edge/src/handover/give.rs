//! The old edge's side: it listens for an edge that wants to take over, and talks with it in a thread of its own. What is given
//! and when to stop is the control thread's to say.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::{ANSWER_MAX, Estate, FlowNote, Message, PROTOCOL, Peer, SERVING_MAX};
use crate::control::targets::MemberKey;

/// What is given: the estate, the lock, and the listening sockets.
pub struct Given {
    pub estate: Estate,
    pub lock: OwnedFd,
    pub sockets: Vec<OwnedFd>,
}

/// What is left when this edge receives nothing new.
#[derive(Default)]
pub struct Left {
    /// Targets at which requests are under way.
    pub busy: Vec<MemberKey>,
    /// Flows of datagrams, and their sockets.
    pub flows: Vec<FlowNote>,
    pub sockets: Vec<OwnedFd>,
}

/// What the other edge does. After a grant comes `Serves` or `Lost`; after `Serves` comes `Told`, and in the end `Gone`.
pub enum HeirEvent {
    /// It wants everything; the answer is that, or why not.
    Asked { version: String, pid: u32, answer: oneshot::Sender<Result<Given, String>> },
    /// It went away before it served: all is as before.
    Lost(io::Error),
    /// It accepts connections. The answer has what else goes to it.
    Serves { heir: Peer, stopped: oneshot::Sender<Left> },
    /// It was told what is left: from now on it may be told more.
    Told,
    /// What is under way at this target must be cut.
    Cut(MemberKey),
    /// The region ends.
    Finish,
    /// The connection to it ended.
    Gone,
}

/// Takes in edges that want to take over, for ever.
pub async fn accept(listener: UnixListener, events: mpsc::Sender<HeirEvent>) {
    loop {
        let accepted = listener.accept().await.and_then(|(stream, _)| Peer::new(stream.into_std()?));
        let started = accepted.and_then(|peer| {
            let events = events.clone();
            std::thread::Builder::new().name("handover".into()).spawn(move || {
                if let Err(e) = converse(peer, &events) {
                    tracing::warn!("an edge that wanted to take over: {e}");
                }
            })
        });
        if let Err(e) = started {
            tracing::warn!("cannot talk with an edge that wants to take over: {e}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

fn ends() -> io::Error {
    io::Error::other("this edge ends")
}

fn converse(peer: Peer, events: &mpsc::Sender<HeirEvent>) -> io::Result<()> {
    let Message::Ask { protocol, version, pid } = peer.receive(Some(ANSWER_MAX))? else {
        return Err(io::Error::other("it did not ask"));
    };
    if protocol != PROTOCOL {
        let reason = format!("the edge that runs speaks version {PROTOCOL} of the handover, and the new one {protocol}");
        return peer.send(&Message::Refused { reason });
    }
    // Whatever can fail here does so before anything is promised.
    let heir = peer.again()?;
    let (answer, given) = oneshot::channel();
    events.blocking_send(HeirEvent::Asked { version, pid, answer }).map_err(|_| ends())?;
    let given = match given.blocking_recv().map_err(|_| ends())? {
        Ok(given) => given,
        Err(reason) => return peer.send(&Message::Refused { reason }),
    };
    if let Err(e) = hand_over(&peer, given) {
        return events.blocking_send(HeirEvent::Lost(e)).map_err(|_| ends());
    }
    let (stopped, left) = oneshot::channel();
    events.blocking_send(HeirEvent::Serves { heir, stopped }).map_err(|_| ends())?;
    let Left { busy, flows, sockets } = left.blocking_recv().map_err(|_| ends())?;
    // Where it has died meanwhile, the next read finds out.
    let _ = peer.send(&Message::Stopped { busy, flows }).and_then(|()| peer.send_sockets(&sockets));
    drop(sockets);
    events.blocking_send(HeirEvent::Told).map_err(|_| ends())?;
    loop {
        let event = match peer.receive(None) {
            Ok(Message::Cut { target }) => HeirEvent::Cut(target),
            Ok(Message::Finish) => HeirEvent::Finish,
            Ok(_) | Err(_) => return events.blocking_send(HeirEvent::Gone).map_err(|_| ends()),
        };
        events.blocking_send(event).map_err(|_| ends())?;
    }
}

/// Gives everything, and waits until the other one serves.
fn hand_over(peer: &Peer, given: Given) -> io::Result<()> {
    peer.send(&Message::Estate(Box::new(given.estate)))?;
    peer.send_sockets(&[given.lock])?;
    peer.send_sockets(&given.sockets)?;
    // Only the other one has copies then, beside those that this one listens with.
    drop(given.sockets);
    match peer.receive(Some(SERVING_MAX))? {
        Message::Serving => Ok(()),
        other => Err(io::Error::other(format!("it said {other:?} instead of serving"))),
    }
}
