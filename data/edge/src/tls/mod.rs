//! TLS on both sides: listeners with certificates, policies, tickets and clients' certificates, and connections to targets.
//! The cryptography is that of rustls over aws-lc; what lies in the bytes is not its business. Keys are never told.

pub(crate) mod accept;
mod certificate;
pub(crate) mod clients;
pub(crate) mod listener;
pub(crate) mod outgoing;
mod policy;
pub(crate) mod session;
pub(crate) mod tickets;
pub(crate) mod x509;

pub use certificate::Shown;
use clients::ClientIdentity;

/// Ciphertext that is read at once before the client's greeting is whole.
const HELLO_BYTES_MAX: usize = 16 * 1024;

/// What a handshake with a client has led to.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// ARN of the only listener that this connection may reach; none when each request's host decides.
    pub listener: Option<String>,
    /// The client speaks HTTP/2.
    pub http2: bool,
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// OpenSSL's name, as AWS uses it.
    pub cipher: &'static str,
    pub key_exchange: Option<rustls::NamedGroup>,
    /// The host that the client called in its greeting.
    pub server_name: Option<String>,
    pub client: Option<ClientIdentity>,
    /// The certificate that the client got.
    pub shown: Option<Shown>,
    /// From the client's first byte.
    pub handshake_us: u64,
}

/// How far a handshake with a client came that failed.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: Option<&'static str>,
    /// OpenSSL's name, as AWS uses it.
    pub cipher: Option<&'static str>,
    pub key_exchange: Option<rustls::NamedGroup>,
    /// What the client's certificate says of itself, if that is what was refused; nobody vouches for it.
    pub client: Option<x509::Facts>,
}

/// What a client said in its greeting, and the certificate that it got in return: known also where nothing was agreed on.
#[derive(Clone, Debug, Default)]
pub struct Greeting {
    pub server_name: Option<String>,
    /// What it would speak above TLS, the preferred protocol first; so many bytes of names as somebody wants to know.
    pub protocols: Vec<Vec<u8>>,
    pub shown: Option<Shown>,
}
