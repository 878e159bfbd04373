//! The addresses on which users' connections are listened for, and how open addresses go from one process to another. It binds
//! sockets, one for each worker, or takes up those that another edge has left, and knows which port it got in place of which; who
//! is served there is not its business.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport, set_tcp_congestion, set_tcp_nodelay};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use crate::connector::CONGESTION_NEARBY;
use crate::flow::compile::Transport;

/// Connections that the kernel keeps until a worker accepts them.
const BACKLOG: i32 = 4_096;
/// Ports tried in place of one that cannot be had.
const FALLBACKS: u16 = 3;
/// How long a port is waited for that an edge which just died may still hold, or that was closed here and may not have been let
/// go of everywhere: by a worker, or by the keeper.
const PATIENCE: [Duration; 20] = [Duration::from_millis(10); 20];
/// Addresses that are remembered to have been closed here.
const CLOSED_MAX: usize = 4_096;

/// An address that is wanted: where, and the listener's port.
pub type Wanted = (IpAddr, u16);

/// A new address with a listener for each worker, or more where it was taken over from an edge of more workers: each of them
/// must be accepted from, for the kernel goes on queueing connections in all.
#[derive(Debug)]
pub struct Opened {
    pub at: SocketAddr,
    pub listeners: Vec<StdListener>,
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

impl Passed {
    fn connections(wanted: Wanted, port: u16, sockets: &[StdListener]) -> io::Result<Self> {
        Ok(Self { transport: Transport::Tcp, wanted, port, sockets: again(sockets)? })
    }

    pub fn datagrams(wanted: Wanted, port: u16, sockets: &[UdpSocket]) -> io::Result<Self> {
        Ok(Self { transport: Transport::Udp, wanted, port, sockets: again(sockets)? })
    }
}

/// The same sockets once more.
fn again(sockets: &[impl AsFd]) -> io::Result<Vec<OwnedFd>> {
    sockets.iter().map(|socket| socket.as_fd().try_clone_to_owned()).collect()
}

#[derive(Debug)]
struct Bound {
    port: u16,
    /// The workers' own sockets once more: who has them can give them away.
    sockets: Vec<StdListener>,
}

/// Addresses that were closed here: a port that is still taken there is worth waiting for.
#[derive(Debug, Default)]
pub struct Closed(BTreeSet<Wanted>);

impl Closed {
    pub fn note(&mut self, wanted: Wanted) {
        if self.0.len() >= CLOSED_MAX {
            self.0.clear();
        }
        self.0.insert(wanted);
    }

    /// Tries until it succeeds, or fails for another reason than that the port is taken, or for too long.
    pub fn open<T>(&mut self, wanted: Wanted, patient: bool, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let is_ours = self.0.remove(&wanted);
        let mut patience = PATIENCE.iter().filter(|_| patient || is_ours);
        loop {
            match (open(), patience.next()) {
                (Err(e), Some(pause)) if e.kind() == io::ErrorKind::AddrInUse => thread::sleep(*pause),
                (outcome, _) => return outcome,
            }
        }
    }
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
    /// `told` has what a killed edge listened on: users know those addresses, so those ports are tried first, also
    /// where the listener's own port could be had by now.
    pub fn new(workers: usize, fallback_offset: u16, told: BTreeMap<Wanted, u16>) -> Self {
        let (bound, passed, closed) = Default::default();
        Self { bound, passed, changed: false, closed, told, workers, fallback_offset }
    }

    /// Takes over what another edge has listened on, to be used where it is asked for.
    pub fn take_over(&mut self, Passed { wanted, port, sockets, .. }: Passed) {
        let sockets = sockets.into_iter().map(StdListener::from).collect();
        self.passed.insert(wanted, Bound { port, sockets });
    }

    /// Closes what was taken over and nobody has asked for.
    pub fn close_unclaimed(&mut self) {
        self.passed.clear();
    }

    /// All that is open, for another process.
    pub fn pass_on(&self) -> io::Result<Vec<Passed>> {
        let pass = |(wanted, bound): (&Wanted, &Bound)| Passed::connections(*wanted, bound.port, &bound.sockets);
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

    /// Opens what is not open yet. On an error nothing was opened.
    pub fn open(&mut self, wanted: &BTreeSet<Wanted>, patient: bool) -> Result<Vec<Opened>, String> {
        let missing: Vec<Wanted> = wanted.iter().filter(|w| !self.bound.contains_key(w)).copied().collect();
        let mut opened = Vec::new();
        for door in missing.iter().copied() {
            match self.open_one(door, patient).and_then(|bound| Ok((open(door.0, &bound)?, bound))) {
                Ok((new, bound)) => {
                    self.bound.insert(door, bound);
                    opened.push(new);
                }
                Err(reason) => {
                    self.bound.retain(|bound, _| !missing.contains(bound));
                    return Err(reason);
                }
            }
        }
        self.changed |= !opened.is_empty();
        Ok(opened)
    }

    /// Forgets what is wanted no more; the workers close it.
    pub fn keep(&mut self, wanted: &BTreeSet<Wanted>) {
        let gone: Vec<_> = self.bound.extract_if(.., |door, _| !wanted.contains(door)).collect();
        self.changed |= !gone.is_empty();
        gone.iter().for_each(|((address, _), bound)| self.closed.note((*address, bound.port)));
        self.told.retain(|door, _| !self.bound.contains_key(door));
    }

    fn open_one(&mut self, (address, port): Wanted, patient: bool) -> Result<Bound, String> {
        if let Some(mut passed) = self.passed.remove(&(address, port)) {
            let at = SocketAddr::new(address, passed.port);
            while passed.sockets.len() < self.workers {
                passed.sockets.push(listen_beside(at).map_err(|e| format!("cannot listen on {at}: {e}"))?);
            }
            return Ok(passed);
        }
        let fallbacks = (1..=FALLBACKS).map_while(|i| port.checked_add(self.fallback_offset.checked_mul(i)?));
        let told = self.told.get(&(address, port)).copied().filter(|told| *told != port);
        let first = told.unwrap_or(port);
        let mut first_error = None;
        for candidate in told.into_iter().chain([port]).chain(fallbacks) {
            let at = SocketAddr::new(address, candidate);
            let listen = || listen_for_all(at, self.workers);
            match self.closed.open((address, candidate), patient && candidate == first, listen) {
                Ok(sockets) => {
                    if let Some(e) = first_error {
                        tracing::warn!("port {first} cannot be had on {address} ({e}): listening on {candidate} instead");
                    }
                    return Ok(Bound { port: candidate, sockets });
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

/// The workers' share in an address.
fn open(address: IpAddr, bound: &Bound) -> Result<Opened, String> {
    let at = SocketAddr::new(address, bound.port);
    let listener = |socket: &StdListener| {
        // Connections have it from where they come in, without a call for each.
        set_tcp_nodelay(socket, true)?;
        socket.try_clone()
    };
    let listeners = bound.sockets.iter().map(listener).collect::<io::Result<_>>();
    Ok(Opened { at, listeners: listeners.map_err(|e| format!("cannot listen on {at}: {e}"))? })
}

fn listen_for_all(at: SocketAddr, workers: usize) -> io::Result<Vec<StdListener>> {
    prove_free(at)?;
    (0..workers).map(|_| listen_beside(at)).collect()
}

/// One more socket beside our others at an address.
fn listen_beside(at: SocketAddr) -> io::Result<StdListener> {
    let socket = open_socket(at)?;
    set_socket_reuseport(&socket, true)?;
    if at.ip().is_loopback() {
        // Accepted sockets do as this one does; a kernel without it does as it is used to.
        let _ = set_tcp_congestion(&socket, CONGESTION_NEARBY);
    }
    bind(&socket, &at)?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
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
    use std::net::{IpAddr, TcpListener, TcpStream};

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
        assert!(doors.take_changed() && !doors.take_changed());
        drop((taken, opened, doors));
        let told = BTreeMap::from([((address, port), port + 1_000)]);
        let mut again = Doors::new(2, 1_000, told);
        assert_eq!(again.open(&wanted, true).unwrap()[0].at.port(), port + 1_000, "what users were told goes on");
    }

    #[test]
    fn an_address_that_is_passed_on_goes_on_with_its_sockets_and_as_many_more_as_there_are_workers() {
        let address = IpAddr::from([127, 83, 1, 2]);
        let wanted = BTreeSet::from([(address, 40_001)]);
        let mut first = Doors::new(2, 1_000, BTreeMap::new());
        let opened = first.open(&wanted, false).unwrap();
        let waiting = TcpStream::connect(opened[0].at).unwrap();
        let mut second = Doors::new(3, 1_000, BTreeMap::new());
        first.pass_on().unwrap().into_iter().for_each(|passed| second.take_over(passed));
        let taken = second.open(&wanted, false).unwrap();
        assert_eq!((taken[0].at, taken[0].listeners.len()), (opened[0].at, 3));
        drop((first, opened));
        let accepted = || taken[0].listeners.iter().find_map(|l| l.accept().ok());
        assert_eq!(accepted().unwrap().1, waiting.local_addr().unwrap(), "who waited is not lost");
        let mut third = Doors::new(1, 1_000, BTreeMap::new());
        third.take_over(second.pass_on().unwrap().remove(0));
        assert_eq!(third.open(&wanted, false).unwrap()[0].listeners.len(), 3, "none of their queues is left alone");
        third.take_over(second.pass_on().unwrap().remove(0));
        third.close_unclaimed();
        drop((second, taken));
        third.keep(&BTreeSet::new());
        assert!(third.take_changed() && TcpStream::connect((address, 40_001)).is_err());
    }
}
