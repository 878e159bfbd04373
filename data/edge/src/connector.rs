//! Opens sockets towards targets, in the network namespace of a load balancer's interface, so that security groups
//! see the load balancer's address. It knows nothing of what the connection is for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpStream as StdStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use base::NetworkInterfaceId;
use rustix::fs::{fstat, stat};
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_congestion, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_nodelay,
    set_tcp_user_timeout,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use world::RunPaths;

use crate::stream::Stream;
use crate::tls::outgoing::{Outgoing, Speaks};

/// A target whose machine is gone without a word is noticed by keep-alive probes: after this long without data, then
/// every so often, so many times.
const PROBE_AFTER: Duration = Duration::from_secs(5);
const PROBE_EVERY: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;
/// Data under way keeps those probes from being sent: then it counts when nothing was confirmed for this long.
const UNCONFIRMED_MS_MAX: u32 = 5_000;
/// Targets are near, and so are clients of a loopback address, with no bottleneck between to find: the simplest control of
/// congestion costs least.
pub const CONGESTION_NEARBY: &str = "reno";
/// Namespaces kept open; beyond that all are opened anew.
const OPEN_MAX: usize = 256;

/// Where sockets to targets are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// In the namespace pinned for the load balancer's interface. Needs root.
    Namespace,
    /// Right here, to loopback targets only: for tests, and where there are no namespaces.
    Direct,
}

/// Opens sockets for one thread.
#[derive(Debug)]
pub struct Connector {
    sockets: Sockets,
    paths: RunPaths,
    home: OwnedFd,
    open: RefCell<HashMap<NetworkInterfaceId, Pin>>,
    outgoing: Outgoing,
}

#[derive(Debug)]
struct Pin {
    namespace: OwnedFd,
    device: u64,
    inode: u64,
}

impl Connector {
    pub fn new(sockets: Sockets, paths: RunPaths) -> io::Result<Self> {
        let home = File::open("/proc/thread-self/ns/net")?.into();
        let outgoing = Outgoing::new().map_err(io::Error::other)?;
        Ok(Self { sockets, paths, home, open: RefCell::default(), outgoing })
    }

    /// Connects to a target from an interface. The time it may take is up to the caller.
    pub async fn connect(&self, from: &NetworkInterfaceId, to: SocketAddrV4) -> io::Result<TcpStream> {
        let stream = self.connect_with(from, to, open_socket).await?;
        bear(&stream, Stalls::Never);
        Ok(stream)
    }

    /// Likewise, and speaks TLS over it where that is wanted.
    pub async fn open(&self, from: &NetworkInterfaceId, to: SocketAddrV4, tls: Option<Speaks>) -> io::Result<Stream> {
        let socket = self.connect(from, to).await?;
        match tls {
            None => Ok(Stream::Plain(socket)),
            Some(speaks) => self.secure(socket, to, speaks).await,
        }
    }

    /// Connects for a flow: its target takes data as it pleases, and one that is gone is for health checks to find, or for the
    /// idle timeout.
    pub async fn reach(&self, from: &NetworkInterfaceId, to: SocketAddrV4) -> io::Result<TcpStream> {
        self.connect_with(from, to, open_flow_socket).await
    }

    async fn connect_with(
        &self,
        from: &NetworkInterfaceId,
        to: SocketAddrV4,
        open: fn() -> io::Result<OwnedFd>,
    ) -> io::Result<TcpStream> {
        let socket = self.socket(from, to, open)?;
        TcpSocket::from_std_stream(StdStream::from(socket)).connect(SocketAddr::V4(to)).await
    }

    /// Speaks TLS over a connection to a target.
    pub async fn secure(&self, socket: TcpStream, to: SocketAddrV4, speaks: Speaks) -> io::Result<Stream> {
        Ok(Stream::Tls(Box::new(self.outgoing.connect(socket, (*to.ip()).into(), speaks).await?)))
    }

    /// A socket for datagrams from an interface to a target and back.
    pub fn datagrams(&self, from: &NetworkInterfaceId, to: SocketAddrV4) -> io::Result<UdpSocket> {
        let socket = self.socket(from, to, open_datagram_socket)?;
        connect(&socket, &to)?;
        UdpSocket::from_std(socket.into())
    }

    fn socket(&self, from: &NetworkInterfaceId, to: SocketAddrV4, open: fn() -> io::Result<OwnedFd>) -> io::Result<OwnedFd> {
        match self.sockets {
            Sockets::Direct if !to.ip().is_loopback() => {
                let why = "only loopback targets can be reached without namespaces";
                Err(io::Error::new(io::ErrorKind::InvalidInput, why))
            }
            Sockets::Direct => open(),
            Sockets::Namespace => self.socket_inside(from, open),
        }
    }

    /// A socket of the interface's namespace. There is no waiting between going in and coming back.
    fn socket_inside(&self, interface: &NetworkInterfaceId, open_socket: fn() -> io::Result<OwnedFd>) -> io::Result<OwnedFd> {
        let mut open = self.open.borrow_mut();
        let path = self.paths.interface_namespace(interface);
        let found = stat(&path)?;
        let known = open.get(interface).is_some_and(|p| (p.device, p.inode) == (found.st_dev, found.st_ino));
        if !known {
            if open.len() >= OPEN_MAX {
                open.clear();
            }
            let namespace: OwnedFd = File::open(&path)?.into();
            let found = fstat(&namespace)?;
            open.insert(interface.clone(), Pin { namespace, device: found.st_dev, inode: found.st_ino });
        }
        let pin = open.get(interface).ok_or(io::ErrorKind::NotFound)?;
        move_into_link_name_space(pin.namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        let socket = open_socket();
        if let Err(e) = move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Network)) {
            // To go on in the wrong namespace would send traffic to a stranger. A new edge comes back within a second.
            tracing::error!("cannot return to the machine's own network namespace: {e}");
            std::process::abort();
        }
        socket
    }
}

/// Whether the other side may stop taking data for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalls {
    /// What is sent fits its buffers: the kernel of a living machine confirms at once, however busy the application is.
    Never,
    /// A long body, which the application takes as it pleases; only deadlines of our own end it.
    Allowed,
}

/// Sets how a connection bears silence.
pub fn bear(stream: &TcpStream, stalls: Stalls) {
    let unconfirmed_ms_max = if stalls == Stalls::Never { UNCONFIRMED_MS_MAX } else { 0 };
    // Without it the idle timeout still ends the exchange.
    let _ = set_tcp_user_timeout(stream, unconfirmed_ms_max);
}

fn open_flow_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}

fn open_datagram_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?)
}

fn open_socket() -> io::Result<OwnedFd> {
    let socket = open_flow_socket()?;
    // Where the kernel does not have it, what it has will do.
    let _ = set_tcp_congestion(&socket, CONGESTION_NEARBY);
    set_socket_keepalive(&socket, true)?;
    set_tcp_keepidle(&socket, PROBE_AFTER)?;
    set_tcp_keepintvl(&socket, PROBE_EVERY)?;
    set_tcp_keepcnt(&socket, PROBES)?;
    Ok(socket)
}
