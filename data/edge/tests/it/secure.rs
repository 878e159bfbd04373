//! Authorities, certificates, and clients and targets that speak TLS.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};
use world::{Certificate, ClientCertificates, ListenerTls, LoadBalancer, PrivateKey, Protocol};

use crate::rig::{Rig, eventually};

pub const POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06";

/// An authority of its own for each test.
pub struct Authority(pub CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        Self(CertifiedIssuer::self_signed(Self::params("authority"), KeyPair::generate().unwrap()).unwrap())
    }

    /// Another one, for which this one vouches.
    pub fn below(&self, name: &str) -> Self {
        Self(CertifiedIssuer::signed_by(Self::params(name), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For these hosts, valid in these years.
    pub fn issue_for(&self, id: &str, names: &[&str], years: (i32, i32), serial: u8) -> Certificate {
        self.issue_to(&KeyPair::generate().unwrap(), id, names, years, serial)
    }

    /// Likewise, for a key of any kind.
    pub fn issue_to(&self, key: &KeyPair, id: &str, names: &[&str], years: (i32, i32), serial: u8) -> Certificate {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Allod, tests");
        params.distinguished_name.push(rcgen::DnType::CommonName, id);
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        params.serial_number = Some(SerialNumber::from_slice(&[0x0a, serial]));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let chain = params.signed_by(key, &self.0).unwrap().pem();
        Certificate { id: id.into(), chain, key: PrivateKey(key.serialize_pem()) }
    }

    pub fn issue(&self, id: &str, names: &[&str]) -> Certificate {
        self.issue_for(id, names, (2020, 2060), 1)
    }

    /// A client that trusts only this authority.
    pub fn client(&self) -> ClientConfig {
        self.client_with(rustls::ALL_VERSIONS, None)
    }

    pub fn client_with(&self, versions: &[&'static SupportedProtocolVersion], own: Option<&Certificate>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_auth_cert(chain(own), key(own)).unwrap(),
        }
    }
}

pub fn chain(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).map(Result::unwrap).collect()
}

pub fn key(certificate: &Certificate) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(certificate.key.0.as_bytes()).unwrap()
}

/// Makes the only listener of a load balancer one for HTTPS, with these certificates.
pub fn secure(balancer: &mut LoadBalancer, certificates: Vec<Certificate>, clients: ClientCertificates) {
    balancer.listeners[0].protocol = Protocol::Https;
    balancer.listeners[0].tls = Some(ListenerTls {
        policy: POLICY.into(),
        certificates: certificates.iter().map(|c| c.id.clone()).collect(),
        alpn: Vec::new(),
        clients,
    });
    balancer.certificates = certificates;
}

/// A client's connection over TLS.
pub struct SecureClient {
    pub stream: StreamOwned<ClientConnection, TcpStream>,
    pending: Vec<u8>,
}

impl SecureClient {
    /// Shakes hands with whoever listens there, by this name.
    pub fn connect(at: impl ToSocketAddrs, name: &str, config: &Arc<ClientConfig>) -> std::io::Result<Self> {
        let socket = TcpStream::connect(at)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        Self::over(socket, name, config)
    }

    pub fn over(socket: TcpStream, name: &str, config: &Arc<ClientConfig>) -> std::io::Result<Self> {
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_string()).unwrap();
        let connection = ClientConnection::new(config.clone(), name).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream, pending: Vec::new() })
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Status, head and body of an answer with a length.
    pub fn answer(&mut self) -> std::io::Result<(u16, String, Vec<u8>)> {
        let end = loop {
            if let Some(at) = self.pending.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.pending.drain(..end).collect()).unwrap();
        let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).map_or(0, |l| l.parse().unwrap());
        while self.pending.len() < length {
            self.fill()?;
        }
        let body = self.pending.drain(..length).collect();
        Ok((head[9..12].parse().unwrap(), head, body))
    }

    pub fn get(&mut self, host: &str, headers: &str) -> std::io::Result<(u16, String, Vec<u8>)> {
        self.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"))?;
        self.answer()
    }

    /// Whether the session of an earlier connection was taken up.
    pub fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The serial number's end of the certificate that the other side has shown.
    pub fn subject(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().unwrap()[0].to_vec()
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut bytes = [0; 64 * 1024];
        let count = self.stream.read(&mut bytes)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.pending.extend_from_slice(&bytes[..count]);
        Ok(())
    }
}

/// A target that speaks TLS and answers everything with its name.
pub struct SecureOrigin {
    listener: TcpListener,
    ended: Arc<AtomicBool>,
    pub connections: Arc<AtomicUsize>,
    pub resumed: Arc<AtomicUsize>,
    pub checks: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl SecureOrigin {
    pub fn start(at: SocketAddrV4, certificate: &Certificate, body: &'static str, keeps: bool) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(chain(certificate), key(certificate)).unwrap();
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        let config = Arc::new(config);
        let listener = eventually("the address of a target is free", || TcpListener::bind(at).ok());
        let accepting = listener.try_clone().unwrap();
        let (ended, connections, resumed, checks): (Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            Default::default();
        let inner = (ended.clone(), connections.clone(), resumed.clone(), checks.clone());
        let thread = thread::spawn(move || {
            let (ended, connections, resumed, checks) = inner;
            for socket in accepting.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(socket) = socket else { continue };
                let (config, connections, resumed, checks) =
                    (config.clone(), connections.clone(), resumed.clone(), checks.clone());
                thread::spawn(move || serve(socket, config, body, keeps, &connections, &resumed, &checks));
            }
        });
        Self { listener, ended, connections, resumed, checks, thread: Some(thread) }
    }
}

impl Drop for SecureOrigin {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    body: &str,
    keeps: bool,
    connections: &AtomicUsize,
    resumed: &AtomicUsize,
    checks: &AtomicUsize,
) {
    let _ = socket.set_read_timeout(Some(Duration::from_secs(20)));
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut pending = Vec::new();
    let mut counted = false;
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        pending.extend_from_slice(&bytes[..count]);
        while let Some(end) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(pending.drain(..end + 4).collect()).unwrap();
            if head.contains("ELB-HealthChecker") {
                checks.fetch_add(1, Ordering::SeqCst);
            } else if !std::mem::replace(&mut counted, true) {
                connections.fetch_add(1, Ordering::SeqCst);
                if stream.conn.handshake_kind() == Some(HandshakeKind::Resumed) {
                    resumed.fetch_add(1, Ordering::SeqCst);
                }
            }
            let close = if keeps { "" } else { "Connection: close\r\n" };
            let text = format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(text.as_bytes()).is_err() || !keeps {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                return;
            }
        }
    }
}

/// A load balancer with one HTTPS listener and a plain target, which is healthy.
pub fn start_secure(rig: &mut Rig, certificates: Vec<Certificate>, clients: ClientCertificates) {
    let mut balancer = rig.balancer(&[0]);
    secure(&mut balancer, certificates, clients);
    rig.apply(balancer);
    rig.serve.await_health(0, &world::TargetHealth::Healthy);
}
