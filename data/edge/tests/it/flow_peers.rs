//! Targets and clients of network load balancers.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use world::{BalancerKind, FlowAttributes, HealthCheck, HealthCheckPort, LoadBalancer, Protocol};

use crate::rig::{PORT, Rig, eventually};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A load balancer of connections over these targets, which are checked by TCP.
pub fn network(rig: &Rig, targets: &[u8], protocol: Protocol) -> LoadBalancer {
    let mut balancer = rig.balancer(targets);
    balancer.kind = BalancerKind::Network;
    balancer.listeners[0].protocol = protocol;
    let group = &mut balancer.target_groups[0];
    group.protocol = if protocol == Protocol::Tls { Protocol::Tcp } else { protocol };
    group.flow = FlowAttributes { cut_when_unhealthy: true, ..FlowAttributes::default() };
    group.health_check = HealthCheck {
        enabled: true,
        protocol: Protocol::Tcp,
        port: HealthCheckPort::Traffic,
        path: String::new(),
        interval_ms: 300,
        timeout_ms: 200,
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        matcher: Vec::new(),
    };
    balancer
}

#[derive(Default)]
struct Shared {
    streams: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

/// What a target does with a connection.
pub type Talk = dyn Fn(TcpStream) + Send + Sync;

/// A target of TCP.
pub struct Speaker {
    listener: TcpListener,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Says its name and then everything that it hears.
    pub fn echo(at: SocketAddrV4, name: &'static str) -> Self {
        Self::start(at, move |mut stream| {
            let mut bytes = vec![0; 64 * 1024];
            let mut said = stream.write_all(format!("{name}\n").as_bytes());
            while let (Ok(()), Ok(count @ 1..)) = (&said, stream.read(&mut bytes)) {
                said = stream.write_all(&bytes[..count]);
            }
        })
    }

    pub fn start(at: SocketAddrV4, talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = eventually("the address of a target is free", || TcpListener::bind(at).ok());
        let (accepting, shared, talk) = (listener.try_clone().unwrap(), Arc::new(Shared::default()), Arc::new(talk));
        let inner = shared.clone();
        let thread = thread::spawn(move || {
            for stream in accepting.incoming() {
                if inner.ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                stream.set_nodelay(true).unwrap();
                let mut streams = inner.streams.lock().unwrap();
                streams.push(stream.try_clone().unwrap());
                let talk: Arc<Talk> = talk.clone();
                thread::spawn(move || {
                    let own = stream.try_clone();
                    talk(stream);
                    let _ = own.map(|own| own.shutdown(Shutdown::Both));
                });
            }
        });
        Self { listener, shared, thread: Some(thread) }
    }

    /// Listens no more; what is open stays so.
    pub fn close(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Ends as a killed process does.
    pub fn kill(&mut self) {
        self.close();
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client's connection to an echo.
pub struct Caller {
    pub stream: TcpStream,
    /// The target's.
    pub name: String,
}

impl Caller {
    /// Connects and hears the target's name.
    pub fn call(at: impl Into<SocketAddr>) -> Self {
        Self::hear(TcpStream::connect(at.into()).unwrap()).unwrap()
    }

    pub fn try_call(at: impl Into<SocketAddr>) -> std::io::Result<Self> {
        Self::hear(TcpStream::connect(at.into())?)
    }

    /// Likewise, from this address.
    pub fn call_from(from: Ipv4Addr, at: SocketAddrV4) -> Self {
        let own = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&own, &SocketAddrV4::new(from, 0)).unwrap();
        connect(&own, &at).unwrap();
        Self::hear(own.into()).unwrap()
    }

    fn hear(mut stream: TcpStream) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut name = Vec::new();
        let mut byte = [0];
        while byte != *b"\n" {
            stream.read_exact(&mut byte)?;
            name.push(byte[0]);
        }
        Ok(Self { stream, name: String::from_utf8(name).unwrap().trim().into() })
    }

    /// Says something and hears it again.
    pub fn echo(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        let mut heard = vec![0; text.len()];
        self.stream.read_exact(&mut heard)?;
        assert_eq!(heard, text.as_bytes());
        Ok(())
    }

    /// Waits for the connection's end; whether it was a reset.
    pub fn was_reset(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => false,
            Err(e) => {
                assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "{e}");
                true
            }
        }
    }
}

/// A target of UDP that answers each datagram with its name before it. Its twin of TCP is for health checks.
pub struct Datagrams {
    socket: UdpSocket,
    thread: Option<JoinHandle<()>>,
    ended: Arc<AtomicBool>,
    pub twin: Speaker,
}

impl Datagrams {
    pub fn echo(at: SocketAddrV4, name: &'static str) -> Self {
        let socket = eventually("the address of a target is free", || UdpSocket::bind(at).ok());
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (inner, ended) = (socket.try_clone().unwrap(), Arc::new(AtomicBool::new(false)));
        let over = ended.clone();
        let thread = thread::spawn(move || {
            let mut bytes = vec![0; 65_535];
            while !over.load(Ordering::SeqCst) {
                if let Ok((count, from)) = inner.recv_from(&mut bytes) {
                    let _ = inner.send_to(&[name.as_bytes(), b" ", &bytes[..count]].concat(), from);
                }
            }
        });
        Self { socket, thread: Some(thread), ended, twin: Speaker::echo(at, name) }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// A client of UDP.
pub struct Asker(pub UdpSocket);

impl Asker {
    pub fn new(at: SocketAddrV4) -> Self {
        Self::from(Ipv4Addr::LOCALHOST, at)
    }

    pub fn from(own: Ipv4Addr, at: SocketAddrV4) -> Self {
        let socket = UdpSocket::bind((own, 0)).unwrap();
        socket.connect(at).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        Self(socket)
    }

    /// The answer to a datagram; it is sent again while none comes.
    pub fn ask(&self, text: &str) -> String {
        eventually("an answer", || self.ask_once(text))
    }

    pub fn ask_once(&self, text: &str) -> Option<String> {
        self.0.send(text.as_bytes()).ok()?;
        let mut bytes = vec![0; 65_535];
        let count = self.0.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }
}

/// The address of a node.
pub fn node(rig: &Rig, host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(rig.address(host), PORT)
}
