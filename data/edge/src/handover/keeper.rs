//! The keeper of the listening sockets: while `serve` has them too, connections that users open wait for the next edge when this
//! one has died, instead of being refused. It never accepts one, and after a while without an edge it lets go of them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use world::RunPaths;

use super::{ANSWER_MAX, DoorNote, Peer, note_doors, receive_doors};
use crate::control::doors::Passed;
use crate::{descriptors, files};

/// How long the sockets of an edge that is gone are kept: whoever waits longer is better told that nobody is there.
const KEPT_MAX: Duration = Duration::from_secs(30);
/// Most that are kept.
const SOCKETS_MAX: usize = 2_048;
/// Pause after a connection that could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "keep", rename_all = "kebab-case")]
enum Message {
    /// From an edge that starts: what is there?
    Fetch,
    /// The answer; the sockets follow.
    Kept { doors: Vec<DoorNote> },
    /// From an edge: this is all that it listens on now; the sockets follow. Whose connection ends then may have died.
    Keep { doors: Vec<DoorNote> },
}

fn socket(paths: &RunPaths) -> PathBuf {
    paths.run().join("edge-sockets.sock")
}

/// The edge's side.
#[derive(Debug)]
pub struct Keeper {
    socket: PathBuf,
    peer: Option<Peer>,
}

impl Keeper {
    pub fn new(paths: &RunPaths) -> Self {
        Self { socket: socket(paths), peer: None }
    }

    /// What an edge that has died has left; nothing where nobody keeps anything.
    pub fn fetch(&self) -> Vec<Passed> {
        let fetch = || {
            let peer = Peer::connect(&self.socket)?;
            peer.send(&Message::Fetch)?;
            match peer.receive(Some(ANSWER_MAX))? {
                Message::Kept { doors } => receive_doors(&peer, &doors),
                other => Err(io::Error::other(format!("the keeper said {other:?}"))),
            }
        };
        fetch().unwrap_or_else(|e| {
            if !is_absent(&e) {
                tracing::warn!("the listening sockets that were kept cannot be had: {e}");
            }
            Vec::new()
        })
    }

    /// Has these kept, in place of what was kept before. Without a keeper nothing happens.
    pub fn keep(&mut self, mut passed: Vec<Passed>) {
        let count: usize = passed.iter().map(|p| p.sockets.len()).sum();
        if count > SOCKETS_MAX {
            tracing::warn!("{count} listening sockets are more than the {SOCKETS_MAX} that are kept: none is");
            passed.clear();
        }
        if let Err(e) = self.try_keep(passed) {
            self.peer = None;
            if !is_absent(&e) {
                tracing::warn!("the listening sockets are not kept: {e}");
            }
        }
    }

    fn try_keep(&mut self, passed: Vec<Passed>) -> io::Result<()> {
        let peer = match self.peer.take() {
            Some(peer) => peer,
            None => Peer::connect(&self.socket)?,
        };
        let (doors, sockets) = note_doors(passed);
        peer.send(&Message::Keep { doors })?;
        peer.send_sockets(&sockets)?;
        self.peer = Some(peer);
        Ok(())
    }

    /// The keeper may be another one now.
    pub fn forget(&mut self) {
        self.peer = None;
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

#[derive(Default)]
struct Kept {
    doors: Vec<DoorNote>,
    sockets: Vec<OwnedFd>,
    /// Counts what was ever kept: the newest counts.
    number: u64,
    /// The connection that it came by. What comes by an earlier one is older, whenever its thread gets to it.
    serial: u64,
}

#[derive(Default)]
struct Store {
    kept: Mutex<Kept>,
    changed: Condvar,
}

/// Keeps the listening sockets of this region's edges, in threads that live as long as the process. The data directory must be
/// the caller's.
pub fn keep_sockets(paths: &RunPaths) -> io::Result<()> {
    let path = socket(paths);
    // What is kept is held twice while it changes, and `serve` often may have no more than 1,024 descriptors.
    descriptors::raise_limit();
    files::remove(&path)?;
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let store: Arc<Store> = Arc::default();
    thread::Builder::new().name("edge-sockets".into()).spawn(move || {
        for (serial, stream) in (0..).zip(listener.incoming()) {
            let store = store.clone();
            let conversing = stream
                .and_then(Peer::new)
                .and_then(|peer| thread::Builder::new().name("edge-sockets".into()).spawn(move || store.converse(peer, serial)));
            if let Err(e) = conversing {
                tracing::warn!("an edge cannot be talked with: {e}");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    })?;
    Ok(())
}

impl Store {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves an edge until its connection ends; then keeps what it had for a while, unless another edge has come.
    fn converse(&self, peer: Peer, serial: u64) {
        let mut number = None;
        while let Ok(message) = peer.receive(None) {
            let done = match message {
                Message::Fetch => self.give(&peer),
                Message::Keep { doors } => self.take(&peer, doors, serial).map(|n| number = n),
                Message::Kept { .. } => return,
            };
            if let Err(e) = done {
                tracing::warn!("the listening sockets of the edge: {e}");
                break;
            }
        }
        // What was not received goes with it: a socket in it would hold its port.
        drop(peer);
        let Some(number) = number else { return };
        let is_last = |kept: &mut Kept| kept.number == number;
        let waited = self.changed.wait_timeout_while(self.kept(), KEPT_MAX, is_last);
        let (mut kept, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if kept.number == number {
            (kept.doors, kept.sockets) = Default::default();
        }
    }

    fn give(&self, peer: &Peer) -> io::Result<()> {
        let (doors, sockets) = {
            let kept = self.kept();
            let sockets = kept.sockets.iter().map(|s| s.as_fd().try_clone_to_owned());
            (kept.doors.clone(), sockets.collect::<io::Result<Vec<_>>>()?)
        };
        peer.send(&Message::Kept { doors })?;
        peer.send_sockets(&sockets)
    }

    /// Keeps this, unless something newer is kept. Where not all of it comes, what was kept before stays: the edge may have been
    /// killed meanwhile.
    fn take(&self, peer: &Peer, doors: Vec<DoorNote>, serial: u64) -> io::Result<Option<u64>> {
        let sockets = receive_doors(peer, &doors)?.into_iter().flat_map(|p| p.sockets).collect();
        let mut kept = self.kept();
        if serial < kept.serial {
            return Ok(None);
        }
        let number = kept.number + 1;
        *kept = Kept { doors, sockets, number, serial };
        self.changed.notify_all();
        Ok(Some(number))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::unix::net::UnixStream;

    use super::{Peer, Store};
    use crate::handover::DoorNote;

    #[test]
    fn what_came_by_an_earlier_connection_is_older_whenever_it_is_looked_at() {
        let (edge, keeper) = UnixStream::pair().map(|(a, b)| (Peer::new(a).unwrap(), Peer::new(b).unwrap())).unwrap();
        let store = Store::default();
        let door = DoorNote { address: Ipv4Addr::LOCALHOST.into(), port: 80, bound: 80, sockets: 1 };
        let keep = |serial| {
            edge.send_sockets(&[TcpListener::bind("127.0.0.1:0").unwrap().into()]).unwrap();
            store.take(&keeper, vec![door.clone()], serial).unwrap()
        };
        assert_eq!((keep(2), keep(2), keep(1), keep(3)), (Some(1), Some(2), None, Some(3)));
        assert_eq!(store.take(&keeper, Vec::new(), 4).unwrap(), Some(4));
        assert_eq!(keep(3), None);
        assert!(store.kept().sockets.is_empty(), "the edge had said that it listens no more");
    }

    #[test]
    fn an_edge_that_dies_while_it_gives_its_sockets_leaves_those_that_it_gave_before() {
        let (edge, keeper) = UnixStream::pair().map(|(a, b)| (Peer::new(a).unwrap(), Peer::new(b).unwrap())).unwrap();
        let store = Store::default();
        let door = |sockets| vec![DoorNote { address: Ipv4Addr::LOCALHOST.into(), port: 80, bound: 80, sockets }];
        let send = || edge.send_sockets(&[TcpListener::bind("127.0.0.1:0").unwrap().into()]).unwrap();
        send();
        store.take(&keeper, door(1), 1).unwrap();
        send();
        drop(edge);
        store.take(&keeper, door(2), 1).unwrap_err();
        let kept = store.kept();
        assert_eq!((kept.sockets.len(), kept.doors.len(), kept.doors[0].sockets), (1, 1, 1));
    }
}
