//! The addresses at which datagrams are received: a socket for each worker, among which the kernel divides clients.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// Ports tried in place of one that cannot be had.
const FALLBACKS: u16 = 3;
/// Datagrams that wait for a worker: some hundred of the longest kind.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// An address that is wanted: where, and the listener's port.
pub type Wanted = (IpAddr, u16);

/// A new address with a socket for each worker.
#[derive(Debug)]
pub struct Opened {
    pub at: SocketAddr,
    pub sockets: Vec<UdpSocket>,
}

/// All open addresses, each with the port that it really has.
#[derive(Debug)]
pub struct Doors {
    bound: BTreeMap<Wanted, u16>,
    workers: usize,
    fallback_offset: u16,
    /// Another edge still has sockets there, and will let go of them.
    shared: bool,
}

impl Doors {
    pub fn new(workers: usize, fallback_offset: u16) -> Self {
        Self { bound: BTreeMap::new(), workers, fallback_offset, shared: false }
    }

    /// Whether another edge still receives from which this one takes over.
    pub fn set_shared(&mut self, shared: bool) {
        self.shared = shared;
    }

    /// Where this one really is.
    pub fn actual(&self, wanted: Wanted) -> Option<SocketAddr> {
        self.bound.get(&wanted).map(|port| SocketAddr::new(wanted.0, *port))
    }

    /// Opens what is not open yet; `first` names a port to be tried before all others, such as that of the same listener's TCP.
    /// On an error nothing was opened.
    pub fn open(&mut self, wanted: &BTreeSet<Wanted>, first: impl Fn(Wanted) -> Option<u16>) -> Result<Vec<Opened>, String> {
        let mut opened = Vec::new();
        for door in wanted.iter().copied().filter(|door| !self.bound.contains_key(door)) {
            opened.push((door, self.open_one(door, first(door))?));
        }
        for (door, new) in &opened {
            self.bound.insert(*door, new.at.port());
        }
        Ok(opened.into_iter().map(|(_, new)| new).collect())
    }

    /// Forgets what is wanted no more; the workers close it.
    pub fn keep(&mut self, wanted: &BTreeSet<Wanted>) {
        self.bound.retain(|door, _| wanted.contains(door));
    }

    fn open_one(&self, (address, port): Wanted, first: Option<u16>) -> Result<Opened, String> {
        let fallbacks = (1..=FALLBACKS).map_while(|i| port.checked_add(self.fallback_offset.checked_mul(i)?));
        let mut why = None;
        for candidate in first.into_iter().chain([port]).chain(fallbacks) {
            let at = SocketAddr::new(address, candidate);
            match self.bind_all(at) {
                Ok(sockets) => {
                    if let Some(e) = why {
                        tracing::warn!("UDP port {port} cannot be had on {address} ({e}): receiving on {candidate} instead");
                    }
                    return Ok(Opened { at, sockets });
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                    why.get_or_insert(e);
                }
                Err(e) => return Err(format!("cannot receive datagrams on {at}: {e}")),
            }
        }
        let why = why.map_or(String::new(), |e| format!(": {e}"));
        Err(format!("cannot receive datagrams on {address}:{port}, nor on any of its {FALLBACKS} substitutes{why}"))
    }

    fn bind_all(&self, at: SocketAddr) -> io::Result<Vec<UdpSocket>> {
        if !self.shared {
            // SO_REUSEPORT would let two edges share a port. A socket without it finds out whether anyone is there already.
            bind(&open_socket(at)?, &at)?;
        }
        let socket = || -> io::Result<UdpSocket> {
            let socket = open_socket(at)?;
            set_socket_reuseport(&socket, true)?;
            // The kernel takes what it allows.
            let _ = set_socket_recv_buffer_size(&socket, QUEUE_BYTES);
            bind(&socket, &at)?;
            Ok(socket.into())
        };
        (0..self.workers).map(|_| socket()).collect()
    }
}

fn open_socket(at: SocketAddr) -> io::Result<OwnedFd> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(socket_with(family, SocketType::DGRAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;
    use std::net::{IpAddr, UdpSocket};

    use super::Doors;

    #[test]
    fn a_taken_port_is_replaced_and_one_that_tcp_has_is_tried_first() {
        let address = IpAddr::from([127, 84, 1, 1]);
        let taken = UdpSocket::bind((address, 30_053)).unwrap();
        let wanted = BTreeSet::from([(address, 30_053), (address, 30_054)]);
        let mut doors = Doors::new(2, 1_000);
        let opened = doors.open(&wanted, |(_, port)| (port == 30_054).then_some(33_333)).unwrap();
        let ports: Vec<_> = opened.iter().map(|o| (o.at.port(), o.sockets.len())).collect();
        assert_eq!(ports, [(31_053, 2), (33_333, 2)]);
        for (shared, expected) in [(false, 34_333), (true, 33_333)] {
            let mut other = Doors::new(1, 1_000);
            other.set_shared(shared);
            let opened = other.open(&BTreeSet::from([(address, 33_333)]), |_| None).unwrap();
            assert_eq!(opened[0].at.port(), expected);
        }
        doors.keep(&BTreeSet::from([(address, 30_053)]));
        assert_eq!((doors.actual((address, 30_053)).map(|at| at.port()), doors.actual((address, 30_054))), (Some(31_053), None));
        drop(taken);
    }
}
