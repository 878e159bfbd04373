//! The addresses on which users' connections are listened for and their datagrams received, and how open addresses go from one
//! process to another. It binds sockets, one for each worker, or takes up those that another edge has left, and knows which port
//! it got in place of which; who is served there is not its business.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_reuseaddr, set_socket_reuseport, set_tcp_congestion, set_tcp_nodelay,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use crate::connector::CONGESTION_NEARBY;
use crate::flow::compile::Transport;

/// Connections that the kernel keeps until a worker accepts them.
const BACKLOG: i32 = 4_096;
/// Datagrams that wait for a worker: some hundred of the longest kind.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// Ports tried in place of one that cannot be had.
const FALLBACKS: u16 = 3;
/// How long a port is waited for that an edge which just died may still hold, or that was closed here and may not have been let
/// go of everywhere: by a worker, or by the keeper.
const PATIENCE: [Duration; 20] = [Duration::from_millis(10); 20];
/// Addresses that are remembered to have been closed here.
const CLOSED_MAX: usize = 4_096;

/// An address that is wanted: where, and the listener's port.
pub type Wanted = (IpAddr, u16);

/// A new address with a socket for each worker. Where it was taken over from an edge of more workers, it has more listeners: each
/// of them must be accepted from, for the kernel goes on queueing connections in all. For datagrams it has as many as before: the
/// kernel divides clients by the number of sockets, and who has a flow must go on coming to the socket whose worker knows it.
#[derive(Debug)]
pub struct Opened {
    pub at: SocketAddr,
    pub sockets: Vec<OwnedFd>,
}

/// An open address as it goes from one process to another.
#[derive(Debug)]
pub struct Passed {
    pub transport: Transport,
    pub wanted: Wanted,
    /// The port that it really has.
    pub port: u16,
    pub sockets: Vec<OwnedFd>,
}

#[derive(Debug)]
struct Bound {
    port: u16,
    /// The workers' own sockets once more: who has them can give them away.
    sockets: Vec<OwnedFd>,
}

impl Bound {
    /// The same sockets once more.
    fn again(&self) -> io::Result<Vec<OwnedFd>> {
        self.sockets.iter().map(OwnedFd::try_clone).collect()
    }
}

/// All open addresses of one transport.
#[derive(Debug)]
pub struct Doors {
    transport: Transport,
    bound: BTreeMap<Wanted, Bound>,
    /// Taken over, and not asked for yet.
    passed: BTreeMap<Wanted, Bound>,
    /// What is open has changed since it was last asked.
    changed: bool,
    /// Addresses that were closed here: a port that is still taken there is worth waiting for.
    closed: BTreeSet<Wanted>,
    /// The ports that users were told by an edge that was killed.
    told: BTreeMap<Wanted, u16>,
    workers: usize,
    fallback_offset: u16,
}

impl Doors {
    /// `told` has where a killed edge was reached: users know those addresses, so those ports are tried first, also
    /// where the listener's own port could be had by now.
    pub fn new(transport: Transport, workers: usize, fallback_offset: u16, told: BTreeMap<Wanted, u16>) -> Self {
        let (bound, passed, closed) = Default::default();
        Self { transport, bound, passed, changed: false, closed, told, workers, fallback_offset }
    }

    /// Takes over what another edge has had open, to be used where it is asked for.
    pub fn take_over(&mut self, Passed { wanted, port, sockets, .. }: Passed) {
        self.passed.insert(wanted, Bound { port, sockets });
    }

    /// Closes what was taken over and nobody has asked for.
    pub fn close_unclaimed(&mut self) {
        self.passed.clear();
    }

    /// All that is open, for another process.
    pub fn pass_on(&self) -> io::Result<Vec<Passed>> {
        let pass = |(wanted, bound): (&Wanted, &Bound)| {
            Ok(Passed { transport: self.transport, wanted: *wanted, port: bound.port, sockets: bound.again()? })
        };
        self.bound.iter().map(pass).collect()
    }

    /// As if something had changed.
    pub fn touch(&mut self) {
        self.changed = true;
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
    pub fn open(
        &mut self,
        wanted: &BTreeSet<Wanted>,
        patient: bool,
        first: impl Fn(Wanted) -> Option<u16>,
    ) -> Result<Vec<Opened>, String> {
        let missing: Vec<Wanted> = wanted.iter().filter(|door| !self.bound.contains_key(door)).copied().collect();
        let mut opened = Vec::new();
        for door in missing {
            let bound = match self.passed.remove(&door) {
                Some(passed) => self.filled_up(door.0, passed)?,
                None => self.open_one(door, patient, first(door).or(self.told.get(&door).copied()))?,
            };
            let at = SocketAddr::new(door.0, bound.port);
            let sockets = self.for_workers(&bound).map_err(|e| self.cannot(at, &e))?;
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
        for ((address, _), bound) in gone {
            if self.closed.len() >= CLOSED_MAX {
                self.closed.clear();
            }
            self.closed.insert((address, bound.port));
        }
        self.told.retain(|door, _| !self.bound.contains_key(door));
    }

    /// What was taken over, with a listener for each worker.
    fn filled_up(&self, address: IpAddr, mut passed: Bound) -> Result<Bound, String> {
        let at = SocketAddr::new(address, passed.port);
        while self.transport == Transport::Tcp && passed.sockets.len() < self.workers {
            passed.sockets.push(open_beside(self.transport, at).map_err(|e| self.cannot(at, &e))?);
        }
        Ok(passed)
    }

    /// The workers' share in an address.
    fn for_workers(&self, bound: &Bound) -> io::Result<Vec<OwnedFd>> {
        if self.transport == Transport::Tcp {
            // Connections have it from where they come in, without a call for each.
            bound.sockets.iter().try_for_each(|socket| set_tcp_nodelay(socket, true))?;
        }
        bound.again()
    }

    fn open_one(&mut self, (address, port): Wanted, patient: bool, first: Option<u16>) -> Result<Bound, String> {
        let offset = self.fallback_offset;
        let fallbacks = (1..=FALLBACKS).map_while(|i| port.checked_add(offset.checked_mul(i)?));
        let others = first.is_some_and(|first| first != port).then_some(port).into_iter().chain(fallbacks);
        let first = first.unwrap_or(port);
        let mut first_error = None;
        for candidate in std::iter::once(first).chain(others) {
            let at = SocketAddr::new(address, candidate);
            match self.bind(at, patient && candidate == first) {
                Ok(sockets) => {
                    if let Some(e) = first_error {
                        tracing::warn!("cannot {} on {address}:{first} ({e}): port {candidate} takes its place", self.task());
                    }
                    return Ok(Bound { port: candidate, sockets });
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                    first_error.get_or_insert(e);
                }
                Err(e) => return Err(self.cannot(at, &e)),
            }
        }
        let why = first_error.map_or(String::new(), |e| format!(": {e}"));
        Err(format!("cannot {} on {address}:{port}, nor on any of its {FALLBACKS} substitutes{why}", self.task()))
    }

    /// Tries until it succeeds, or fails for another reason than that the port is taken, or for too long.
    fn bind(&mut self, at: SocketAddr, patient: bool) -> io::Result<Vec<OwnedFd>> {
        let is_ours = self.closed.remove(&(at.ip(), at.port()));
        let mut patience = PATIENCE.iter().filter(|_| patient || is_ours);
        loop {
            match (bind_all(self.transport, at, self.workers), patience.next()) {
                (Err(e), Some(pause)) if e.kind() == io::ErrorKind::AddrInUse => thread::sleep(*pause),
                (outcome, _) => return outcome,
            }
        }
    }

    /// What the sockets are for.
    fn task(&self) -> &'static str {
        match self.transport {
            Transport::Tcp => "listen",
            Transport::Udp => "receive datagrams",
        }
    }

    fn cannot(&self, at: SocketAddr, why: &io::Error) -> String {
        format!("cannot {} on {at}: {why}", self.task())
    }
}

/// SO_REUSEPORT would let two edges share a port and each get a part of the other's users. A socket without it finds
/// out whether anyone is there already.
fn bind_all(transport: Transport, at: SocketAddr, count: usize) -> io::Result<Vec<OwnedFd>> {
    bind(&open_socket(transport, at)?, &at)?;
    (0..count).map(|_| open_beside(transport, at)).collect()
}

/// One more socket beside our others at an address.
fn open_beside(transport: Transport, at: SocketAddr) -> io::Result<OwnedFd> {
    let socket = open_socket(transport, at)?;
    set_socket_reuseport(&socket, true)?;
    match transport {
        Transport::Tcp => {
            if at.ip().is_loopback() {
                // Accepted sockets do as this one does; a kernel without it does as it is used to.
                let _ = set_tcp_congestion(&socket, CONGESTION_NEARBY);
            }
            bind(&socket, &at)?;
            listen(&socket, BACKLOG)?;
        }
        Transport::Udp => {
            // The kernel takes what it allows.
            let _ = set_socket_recv_buffer_size(&socket, QUEUE_BYTES);
            bind(&socket, &at)?;
        }
    }
    Ok(socket)
}

fn open_socket(transport: Transport, at: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    match transport {
        Transport::Tcp => {
            let socket = socket_with(family, SocketType::STREAM, flags, None)?;
            set_socket_reuseaddr(&socket, true)?;
            Ok(socket)
        }
        Transport::Udp => Ok(socket_with(family, SocketType::DGRAM, flags, None)?),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;

    use super::{Doors, Transport, Wanted};

    fn doors(transport: Transport, workers: usize) -> Doors {
        Doors::new(transport, workers, 1_000, BTreeMap::new())
    }

    fn own(_: Wanted) -> Option<u16> {
        None
    }

    fn listener(socket: &OwnedFd) -> TcpListener {
        socket.try_clone().unwrap().into()
    }

    #[test]
    fn a_taken_port_is_replaced_and_nothing_is_shared_with_strangers() {
        let address = IpAddr::from([127, 83, 1, 1]);
        let taken = TcpListener::bind((address, 0)).unwrap();
        let port = taken.local_addr().unwrap().port().min(50_000);
        let taken = if port == 50_000 { TcpListener::bind((address, port)).unwrap() } else { taken };
        let wanted = BTreeSet::from([(address, port)]);
        let mut first = doors(Transport::Tcp, 2);
        let opened = first.open(&wanted, false, own).unwrap();
        assert_eq!((opened[0].at.port(), opened[0].sockets.len()), (port + 1_000, 2));
        let mut second = doors(Transport::Tcp, 2);
        assert_eq!(second.open(&wanted, false, own).unwrap()[0].at.port(), port + 2_000);
        assert!(first.take_changed() && !first.take_changed());
        drop((taken, opened, first));
        let told = BTreeMap::from([((address, port), port + 1_000)]);
        let mut again = Doors::new(Transport::Tcp, 2, 1_000, told);
        assert_eq!(again.open(&wanted, true, own).unwrap()[0].at.port(), port + 1_000, "what users were told goes on");
    }

    #[test]
    fn an_address_that_is_passed_on_goes_on_with_its_sockets_and_as_many_more_as_there_are_workers() {
        let address = IpAddr::from([127, 83, 1, 2]);
        let wanted = BTreeSet::from([(address, 40_001)]);
        let mut first = doors(Transport::Tcp, 2);
        let opened = first.open(&wanted, false, own).unwrap();
        let waiting = TcpStream::connect(opened[0].at).unwrap();
        let mut second = doors(Transport::Tcp, 3);
        first.pass_on().unwrap().into_iter().for_each(|passed| second.take_over(passed));
        let taken = second.open(&wanted, false, own).unwrap();
        assert_eq!((taken[0].at, taken[0].sockets.len()), (opened[0].at, 3));
        drop((first, opened));
        let (accepted, from) = taken[0].sockets.iter().find_map(|s| listener(s).accept().ok()).unwrap();
        assert_eq!(from, waiting.local_addr().unwrap(), "who waited is not lost");
        assert!(accepted.nodelay().unwrap(), "what workers send leaves at once");
        let mut third = doors(Transport::Tcp, 1);
        third.take_over(second.pass_on().unwrap().remove(0));
        assert_eq!(third.open(&wanted, false, own).unwrap()[0].sockets.len(), 3, "none of their queues is left alone");
        third.take_over(second.pass_on().unwrap().remove(0));
        third.close_unclaimed();
        drop((second, taken));
        third.keep(&BTreeSet::new());
        assert!(third.take_changed() && TcpStream::connect((address, 40_001)).is_err());
    }

    fn receiver(socket: &OwnedFd) -> UdpSocket {
        socket.try_clone().unwrap().into()
    }

    #[test]
    fn of_datagrams_a_taken_port_is_replaced_and_one_that_tcp_has_is_tried_first() {
        let address = IpAddr::from([127, 84, 1, 1]);
        let taken = UdpSocket::bind((address, 30_053)).unwrap();
        let wanted = BTreeSet::from([(address, 30_053), (address, 30_054)]);
        let mut first = doors(Transport::Udp, 2);
        let opened = first.open(&wanted, false, |(_, port)| (port == 30_054).then_some(33_333)).unwrap();
        let ports: Vec<_> = opened.iter().map(|o| (o.at.port(), o.sockets.len())).collect();
        assert_eq!(ports, [(31_053, 2), (33_333, 2)]);
        let mut other = doors(Transport::Udp, 1);
        assert_eq!(other.open(&BTreeSet::from([(address, 33_333)]), false, own).unwrap()[0].at.port(), 34_333);
        first.keep(&BTreeSet::from([(address, 30_053)]));
        assert_eq!((first.actual((address, 30_053)).map(|at| at.port()), first.actual((address, 30_054))), (Some(31_053), None));
        drop((taken, opened, first));
        let mut again = Doors::new(Transport::Udp, 1, 1_000, BTreeMap::from([((address, 30_053), 31_053)]));
        let opened = again.open(&BTreeSet::from([(address, 30_053)]), false, own).unwrap();
        assert_eq!(opened[0].at.port(), 31_053, "what users were told goes on");
    }

    #[test]
    fn an_address_of_datagrams_that_is_passed_on_goes_on_with_its_sockets_and_with_no_others() {
        let address = IpAddr::from([127, 84, 1, 2]);
        let wanted = BTreeSet::from([(address, 30_055)]);
        let mut first = doors(Transport::Udp, 2);
        let at = first.open(&wanted, false, own).unwrap()[0].at;
        let client = UdpSocket::bind((address, 0)).unwrap();
        client.send_to(b"waits", at).unwrap();
        let mut second = doors(Transport::Udp, 3);
        first.pass_on().unwrap().into_iter().for_each(|passed| second.take_over(passed));
        let taken = second.open(&wanted, false, own).unwrap();
        assert_eq!((taken[0].at, taken[0].sockets.len()), (at, 2), "another number would lead clients elsewhere");
        drop(first);
        let mut bytes = [0; 16];
        let received = taken[0].sockets.iter().find_map(|socket| receiver(socket).recv_from(&mut bytes).ok()).unwrap();
        assert_eq!(received, (5, client.local_addr().unwrap()), "what waited is not lost");
        assert!(second.take_changed() && !second.take_changed());
        second.take_over(second.pass_on().unwrap().remove(0));
        second.close_unclaimed();
        second.keep(&BTreeSet::new());
        assert!(second.take_changed() && second.actual((address, 30_055)).is_none());
    }
}
