//! The addresses on which users are listened to. It binds sockets, one for each worker, and knows which port it got
//! in place of which; who is served there is not its business.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

/// Connections that the kernel keeps until a worker accepts them.
const BACKLOG: i32 = 4_096;
/// Ports tried in place of one that cannot be had.
const FALLBACKS: u16 = 3;
/// How long a port is waited for that an edge which just died may still hold.
const PATIENCE: [Duration; 5] = [Duration::from_millis(10); 5];

/// An address that is wanted: where, and the listener's port.
pub type Wanted = (IpAddr, u16);

/// A new address with a listener for each worker.
#[derive(Debug)]
pub struct Opened {
    pub at: SocketAddr,
    pub listeners: Vec<StdListener>,
}

/// All open addresses.
#[derive(Debug)]
pub struct Doors {
    /// Each with the port that it really has.
    bound: BTreeMap<Wanted, u16>,
    /// The ports that users were told by an edge that was killed.
    told: BTreeMap<Wanted, u16>,
    workers: usize,
    fallback_offset: u16,
}

impl Doors {
    /// `told` has what a killed edge listened on: users know those addresses, so those ports are tried first, also
    /// where the listener's own port could be had by now.
    pub fn new(workers: usize, fallback_offset: u16, told: BTreeMap<Wanted, u16>) -> Self {
        Self { bound: BTreeMap::new(), told, workers, fallback_offset }
    }

    /// Where this one really is.
    pub fn actual(&self, wanted: Wanted) -> Option<SocketAddr> {
        self.bound.get(&wanted).map(|port| SocketAddr::new(wanted.0, *port))
    }

    /// Opens what is not open yet. On an error nothing was opened.
    pub fn open(&mut self, wanted: &BTreeSet<Wanted>, patient: bool) -> Result<Vec<Opened>, String> {
        let missing: Vec<Wanted> = wanted.iter().filter(|w| !self.bound.contains_key(w)).copied().collect();
        let mut opened = Vec::new();
        for door in missing.iter().copied() {
            match self.open_one(door, patient) {
                Ok(new) => {
                    self.bound.insert(door, new.at.port());
                    opened.push(new);
                }
                Err(reason) => {
                    self.bound.retain(|bound, _| !missing.contains(bound));
                    return Err(reason);
                }
            }
        }
        Ok(opened)
    }

    /// Forgets what is wanted no more; the workers close it.
    pub fn keep(&mut self, wanted: &BTreeSet<Wanted>) {
        self.bound.retain(|door, _| wanted.contains(door));
        self.told.retain(|door, _| !self.bound.contains_key(door));
    }

    fn open_one(&self, (address, port): Wanted, patient: bool) -> Result<Opened, String> {
        let fallbacks = (1..=FALLBACKS).map_while(|i| port.checked_add(self.fallback_offset.checked_mul(i)?));
        let told = self.told.get(&(address, port)).copied().filter(|told| *told != port);
        let first = told.unwrap_or(port);
        let mut first_error = None;
        for candidate in told.into_iter().chain([port]).chain(fallbacks) {
            let at = SocketAddr::new(address, candidate);
            match listen_for_all(at, self.workers, patient && candidate == first) {
                Ok(listeners) => {
                    if let Some(e) = first_error {
                        tracing::warn!("port {first} cannot be had on {address} ({e}): listening on {candidate} instead");
                    }
                    return Ok(Opened { at, listeners });
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                    first_error.get_or_insert(e);
                }
                Err(e) => return Err(format!("cannot listen on {at}: {e}")),
            }
        }
        let why = first_error.map_or(String::new(), |e| format!(": {e}"));
        Err(format!("cannot listen on {address}:{port}, nor on any of its {FALLBACKS} substitutes{why}"))
    }
}

fn listen_for_all(at: SocketAddr, workers: usize, patient: bool) -> io::Result<Vec<StdListener>> {
    let mut patience = PATIENCE.iter().filter(|_| patient);
    while let Err(e) = prove_free(at) {
        match patience.next() {
            Some(pause) if e.kind() == io::ErrorKind::AddrInUse => thread::sleep(*pause),
            _ => return Err(e),
        }
    }
    let listener = || -> io::Result<StdListener> {
        let socket = open_socket(at)?;
        set_socket_reuseport(&socket, true)?;
        bind(&socket, &at)?;
        listen(&socket, BACKLOG)?;
        Ok(socket.into())
    };
    (0..workers).map(|_| listener()).collect()
}

/// SO_REUSEPORT would let two edges share a port and each get a part of the other's users. A socket without it finds
/// out whether anyone listens there already.
fn prove_free(at: SocketAddr) -> io::Result<()> {
    let socket = open_socket(at)?;
    bind(&socket, &at)?;
    Ok(())
}

fn open_socket(at: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::{IpAddr, TcpListener};

    use super::Doors;

    #[test]
    fn a_taken_port_is_replaced_and_nothing_is_shared_with_strangers() {
        let address = IpAddr::from([127, 83, 1, 1]);
        let taken = TcpListener::bind((address, 0)).unwrap();
        let port = taken.local_addr().unwrap().port().min(50_000);
        let taken = if port == 50_000 { TcpListener::bind((address, port)).unwrap() } else { taken };
        let wanted = BTreeSet::from([(address, port)]);
        let mut doors = Doors::new(2, 1_000, BTreeMap::new());
        let opened = doors.open(&wanted, false).unwrap();
        assert_eq!((opened[0].at.port(), opened[0].listeners.len()), (port + 1_000, 2));
        let mut second = Doors::new(2, 1_000, BTreeMap::new());
        assert_eq!(second.open(&wanted, false).unwrap()[0].at.port(), port + 2_000);
        drop((taken, opened, doors));
        let told = BTreeMap::from([((address, port), port + 1_000)]);
        let mut again = Doors::new(2, 1_000, told);
        assert_eq!(again.open(&wanted, true).unwrap()[0].at.port(), port + 1_000, "what users were told goes on");
    }
}
