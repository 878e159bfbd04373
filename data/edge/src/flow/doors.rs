//! The addresses at which datagrams are received: a socket for each worker, among which the kernel divides clients. It binds
//! them, or takes up those that another edge has left.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::control::doors::{Closed, Passed, Wanted};

/// Ports tried in place of one that cannot be had.
const FALLBACKS: u16 = 3;
/// Datagrams that wait for a worker: some hundred of the longest kind.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// A new address with a socket for each worker; with as many as there were before, where it was taken over: the kernel divides
/// clients by the number of sockets, and who has a flow must go on coming to the socket whose worker knows it.
#[derive(Debug)]
pub struct Opened {
    pub at: SocketAddr,
    pub sockets: Vec<UdpSocket>,
}

#[derive(Debug)]
struct Bound {
    /// The port that it really has.
    port: u16,
    /// The workers' own sockets once more: who has them can give them away.
    sockets: Vec<UdpSocket>,
}

/// All open addresses.
#[derive(Debug)]
pub struct Doors {
    bound: BTreeMap<Wanted, Bound>,
    /// Taken over, and not asked for yet.
    passed: BTreeMap<Wanted, Bound>,
    /// What is open has changed since it was last asked.
    changed: bool,
    closed: Closed,
    /// The ports that users were told by an edge that was killed.
    told: BTreeMap<Wanted, u16>,
    workers: usize,
    fallback_offset: u16,
}

impl Doors {
    /// `told` has what a killed edge received on: users know those ports.
    pub fn new(workers: usize, fallback_offset: u16, told: BTreeMap<Wanted, u16>) -> Self {
        let (bound, passed, closed) = Default::default();
        Self { bound, passed, changed: false, closed, told, workers, fallback_offset }
    }

    /// Takes over what another edge has received on, to be used where it is asked for.
    pub fn take_over(&mut self, Passed { wanted, port, sockets, .. }: Passed) {
        let sockets = sockets.into_iter().map(UdpSocket::from).collect();
        self.passed.insert(wanted, Bound { port, sockets });
    }

    /// Closes what was taken over and nobody has asked for.
    pub fn close_unclaimed(&mut self) {
        self.passed.clear();
    }

    /// All that is open, for another process.
    pub fn pass_on(&self) -> io::Result<Vec<Passed>> {
        let pass = |(wanted, bound): (&Wanted, &Bound)| Passed::datagrams(*wanted, bound.port, &bound.sockets);
        self.bound.iter().map(pass).collect()
    }

    /// Whether something was opened or closed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Lets go of everything; the workers close theirs.
    pub fn close(&mut self) {
        self.bound.clear();
        self.passed.clear();
    }

    /// Where this one really is.
    pub fn actual(&self, wanted: Wanted) -> Option<SocketAddr> {
        self.bound.get(&wanted).map(|bound| SocketAddr::new(wanted.0, bound.port))
    }

    /// Opens what is not open yet; `first` names a port to be tried before all others, such as that of the same listener's TCP.
    /// On an error nothing was opened.
    pub fn open(&mut self, wanted: &BTreeSet<Wanted>, first: impl Fn(Wanted) -> Option<u16>) -> Result<Vec<Opened>, String> {
        let mut opened = Vec::new();
        let missing: Vec<Wanted> = wanted.iter().filter(|door| !self.bound.contains_key(door)).copied().collect();
        for door in missing {
            let bound = match self.passed.remove(&door) {
                Some(passed) => passed,
                None => self.open_one(door, first(door).or(self.told.get(&door).copied()))?,
            };
            let at = SocketAddr::new(door.0, bound.port);
            let sockets = bound.sockets.iter().map(UdpSocket::try_clone).collect::<io::Result<_>>();
            let sockets = sockets.map_err(|e| format!("cannot receive datagrams on {at}: {e}"))?;
            opened.push((door, bound, Opened { at, sockets }));
        }
        self.changed |= !opened.is_empty();
        let claim = |(door, bound, new)| {
            self.bound.insert(door, bound);
            new
        };
        Ok(opened.into_iter().map(claim).collect())
    }

    /// Forgets what is wanted no more; the workers close it.
    pub fn keep(&mut self, wanted: &BTreeSet<Wanted>) {
        let gone: Vec<_> = self.bound.extract_if(.., |door, _| !wanted.contains(door)).collect();
        self.changed |= !gone.is_empty();
        gone.iter().for_each(|((address, _), bound)| self.closed.note((*address, bound.port)));
        self.told.retain(|door, _| !self.bound.contains_key(door));
    }

    fn open_one(&mut self, (address, port): Wanted, first: Option<u16>) -> Result<Bound, String> {
        let fallbacks = (1..=FALLBACKS).map_while(|i| port.checked_add(self.fallback_offset.checked_mul(i)?));
        let mut why = None;
        for candidate in first.into_iter().chain([port]).chain(fallbacks) {
            let at = SocketAddr::new(address, candidate);
            let bind = || bind_all(at, self.workers);
            match self.closed.open((address, candidate), false, bind) {
                Ok(sockets) => {
                    if let Some(e) = why {
                        tracing::warn!("UDP port {port} cannot be had on {address} ({e}): receiving on {candidate} instead");
                    }
                    return Ok(Bound { port: candidate, sockets });
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
}

fn bind_all(at: SocketAddr, count: usize) -> io::Result<Vec<UdpSocket>> {
    // SO_REUSEPORT would let two edges share a port. A socket without it finds out whether anyone is there already.
    bind(&open_socket(at)?, &at)?;
    let socket = || -> io::Result<UdpSocket> {
        let socket = open_socket(at)?;
        set_socket_reuseport(&socket, true)?;
        // The kernel takes what it allows.
        let _ = set_socket_recv_buffer_size(&socket, QUEUE_BYTES);
        bind(&socket, &at)?;
        Ok(socket.into())
    };
    (0..count).map(|_| socket()).collect()
}

fn open_socket(at: SocketAddr) -> io::Result<OwnedFd> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(socket_with(family, SocketType::DGRAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::{IpAddr, UdpSocket};

    use super::Doors;

    #[test]
    fn a_taken_port_is_replaced_and_one_that_tcp_has_is_tried_first() {
        let address = IpAddr::from([127, 84, 1, 1]);
        let taken = UdpSocket::bind((address, 30_053)).unwrap();
        let wanted = BTreeSet::from([(address, 30_053), (address, 30_054)]);
        let mut doors = Doors::new(2, 1_000, BTreeMap::new());
        let opened = doors.open(&wanted, |(_, port)| (port == 30_054).then_some(33_333)).unwrap();
        let ports: Vec<_> = opened.iter().map(|o| (o.at.port(), o.sockets.len())).collect();
        assert_eq!(ports, [(31_053, 2), (33_333, 2)]);
        let mut other = Doors::new(1, 1_000, BTreeMap::new());
        assert_eq!(other.open(&BTreeSet::from([(address, 33_333)]), |_| None).unwrap()[0].at.port(), 34_333);
        doors.keep(&BTreeSet::from([(address, 30_053)]));
        assert_eq!((doors.actual((address, 30_053)).map(|at| at.port()), doors.actual((address, 30_054))), (Some(31_053), None));
        drop((taken, opened, doors));
        let mut again = Doors::new(1, 1_000, BTreeMap::from([((address, 30_053), 31_053)]));
        let opened = again.open(&BTreeSet::from([(address, 30_053)]), |_| None).unwrap();
        assert_eq!(opened[0].at.port(), 31_053, "what users were told goes on");
    }

    #[test]
    fn an_address_that_is_passed_on_goes_on_with_its_sockets_and_with_no_others() {
        let address = IpAddr::from([127, 84, 1, 2]);
        let wanted = BTreeSet::from([(address, 30_055)]);
        let mut first = Doors::new(2, 1_000, BTreeMap::new());
        let at = first.open(&wanted, |_| None).unwrap()[0].at;
        let client = UdpSocket::bind((address, 0)).unwrap();
        client.send_to(b"waits", at).unwrap();
        let mut second = Doors::new(3, 1_000, BTreeMap::new());
        first.pass_on().unwrap().into_iter().for_each(|passed| second.take_over(passed));
        let taken = second.open(&wanted, |_| None).unwrap();
        assert_eq!((taken[0].at, taken[0].sockets.len()), (at, 2), "another number would lead clients elsewhere");
        drop(first);
        let mut bytes = [0; 16];
        let received = taken[0].sockets.iter().find_map(|socket| socket.recv_from(&mut bytes).ok()).unwrap();
        assert_eq!(received, (5, client.local_addr().unwrap()), "what waited is not lost");
        assert!(second.take_changed() && !second.take_changed());
        second.take_over(second.pass_on().unwrap().remove(0));
        second.close_unclaimed();
        second.keep(&BTreeSet::new());
        assert!(second.take_changed() && second.actual((address, 30_055)).is_none());
    }
}
