//! TLS towards targets. "The load balancer establishes TLS connections with the targets using certificates that you install
//! on the targets. The load balancer does not validate these certificates" (ELB User Guide, Target groups: Routing
//! configuration): so none is, and whoever stands between here and a target could read along; the VPC keeps them away.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;

use super::session::{Session, Wait};

/// Targets of which a worker remembers how to take up a session.
const SESSIONS_MAX: usize = 1_024;

/// What a target is to speak above TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    Http2,
    /// What a client speaks with whom a protocol of this name was agreed on; the target need not know it.
    Agreed(Protocol),
}

/// What is agreed on above TLS ("TLS Application-Layer Protocol Negotiation (ALPN) Protocol IDs").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    H2,
    Http11,
    Http10,
}

impl Protocol {
    const ALL: [Self; 3] = [Self::H2, Self::Http11, Self::Http10];

    pub fn name(self) -> &'static str {
        match self {
            Self::H2 => "h2",
            Self::Http11 => "http/1.1",
            Self::Http10 => "http/1.0",
        }
    }

    /// Which one has this name.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name().as_bytes() == name)
    }
}

/// Opens TLS towards targets, for one thread.
#[derive(Debug)]
pub struct Outgoing {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    agreed: [Arc<ClientConfig>; Protocol::ALL.len()],
}

impl Outgoing {
    pub fn new() -> Result<Self, String> {
        let kx_groups: Vec<&'static dyn SupportedKxGroup> = vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
        let provider = Arc::new(CryptoProvider { kx_groups, ..default_provider() });
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)));
        let mut http1 = builder.with_no_client_auth();
        http1.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        // Their certificates are not looked at, so no name of them matters.
        http1.enable_sni = false;
        let mut http2 = http1.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        http2.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        let agreed = Protocol::ALL.map(|protocol| {
            let mut config = http1.clone();
            config.alpn_protocols = vec![protocol.name().into()];
            config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
            Arc::new(config)
        });
        Ok(Self { http1: Arc::new(http1), http2: Arc::new(http2), agreed })
    }

    /// Speaks TLS with whoever is at the other end; an error of kind `InvalidData` when that cannot be agreed. The time it may
    /// take is up to the caller.
    pub async fn connect(&self, socket: TcpStream, to: IpAddr, speaks: Speaks) -> io::Result<Session> {
        let config = match speaks {
            Speaks::Http1 => &self.http1,
            Speaks::Http2 => &self.http2,
            Speaks::Agreed(protocol) => &self.agreed[protocol as usize],
        };
        let connection = ClientConnection::new(config.clone(), ServerName::IpAddress(to.into())).map_err(io::Error::other)?;
        let mut session = Session::new(socket, Connection::Client(connection));
        let shaken = session.shake_hands(|_: Wait| {}).await;
        shaken.map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
        if speaks == Speaks::Http2 && session.connection().alpn_protocol() != Some(b"h2") {
            return Err(io::Error::new(ErrorKind::InvalidData, "the target does not speak HTTP/2"));
        }
        Ok(session)
    }
}

/// Accepts every certificate.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    /// Without a certificate that is trusted a signature proves nothing, and an old key must not keep a target away.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
