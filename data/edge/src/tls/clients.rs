//! Certificates of clients: who is asked for one, who is let in, and what targets are told of it ("ELB User Guide, Mutual
//! authentication with TLS in Application Load Balancer").

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme};
use world::{ClientCertificates, TrustStore};

use super::x509::{self, KeyKind};

/// Bytes of the certificates that a client may show, all together.
const CHAIN_BYTES_MAX: usize = 16 * 1024;
/// Certificates that a client may show where they are verified, its own among them ("Quotas for your Application Load Balancers:
/// Maximum certificate chain depth"). AWS's own TLS counts so, and does not where nothing is verified (s2n-tls,
/// `max_chain_depth`).
const CHAIN_DEPTH_MAX: usize = 4;
const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;

/// Why a client's certificates are refused where rustls has no word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    TooLarge,
    TooDeep,
    KeyUnsupported,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the client's certificates have more than {CHAIN_BYTES_MAX} bytes"),
            Self::TooDeep => write!(f, "the client shows more than {CHAIN_DEPTH_MAX} certificates"),
            Self::KeyUnsupported => f.write_str("the client's key is of a kind that is not served"),
        }
    }
}

impl std::error::Error for Unfit {}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(unfit))))
    }
}

thread_local! {
    /// The certificate that was refused last, for whoever shook hands to take at once.
    static REFUSED: RefCell<Option<x509::Facts>> = const { RefCell::new(None) };
}

/// What the certificate says of itself whose refusal has just ended a handshake on this thread; none when it is not understood,
/// or when no certificate was the reason.
pub fn take_refused() -> Option<x509::Facts> {
    REFUSED.take()
}

/// Remembers the certificate if it was refused. One that is larger than a chain may be is not worth a line.
fn noting<T>(certificate: &CertificateDer<'_>, judged: Result<T, Error>) -> Result<T, Error> {
    if judged.is_err() {
        REFUSED.set(if certificate.len() > CHAIN_BYTES_MAX { None } else { x509::read(certificate) });
    }
    judged
}

/// What targets are told about a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    Nothing,
    /// The whole chain.
    Chain,
    /// Names, validity and the certificate itself.
    Facts,
}

impl Tell {
    pub fn of(clients: &ClientCertificates) -> Self {
        match clients {
            ClientCertificates::Off => Tell::Nothing,
            ClientCertificates::Passthrough => Tell::Chain,
            ClientCertificates::Verify { .. } => Tell::Facts,
        }
    }
}

/// What is known of a client by its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    pub facts: x509::Facts,
    /// AWS's names of headers with their values.
    pub headers: Vec<(&'static str, String)>,
}

impl ClientIdentity {
    /// Of a chain as the client has shown it, its own certificate first.
    pub fn of(chain: &[CertificateDer<'_>], tell: Tell) -> Option<Self> {
        let leaf = chain.first()?;
        let facts = x509::read(leaf)?;
        let headers = match tell {
            Tell::Nothing => Vec::new(),
            Tell::Chain => {
                let mut text = String::new();
                chain.iter().for_each(|certificate| x509::url_encoded_pem(certificate, &mut text));
                vec![("X-Amzn-Mtls-Clientcert", text)]
            }
            Tell::Facts => {
                let (mut pem, mut validity) = (String::new(), String::new());
                x509::url_encoded_pem(leaf, &mut pem);
                let (from, until) = (x509::moment(facts.not_before), x509::moment(facts.not_after));
                let _ = write!(validity, "NotBefore={from};NotAfter={until}");
                vec![
                    ("X-Amzn-Mtls-Clientcert-Serial-Number", facts.serial.clone()),
                    ("X-Amzn-Mtls-Clientcert-Issuer", facts.issuer.clone()),
                    ("X-Amzn-Mtls-Clientcert-Subject", facts.subject.clone()),
                    ("X-Amzn-Mtls-Clientcert-Validity", validity),
                    ("X-Amzn-Mtls-Clientcert-Leaf", pem),
                ]
            }
        };
        Some(Self { facts, headers })
    }
}

/// Who decides over clients' certificates of a listener; none when they are not asked for.
pub fn verifier(
    clients: &ClientCertificates,
    stores: &[TrustStore],
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let ClientCertificates::Verify { trust_store, ignore_expiry, advertise_names } = clients else {
        let asks = *clients == ClientCertificates::Passthrough;
        return Ok(asks.then(|| Arc::new(Passthrough { provider: provider.clone() }) as Arc<dyn ClientCertVerifier>));
    };
    let store = stores.iter().find(|s| s.id == *trust_store).ok_or_else(|| format!("it lacks the trust store {trust_store}"))?;
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(store.authorities.as_bytes()) {
        let authority = authority.map_err(|e| format!("the authorities of {trust_store} are no PEM: {e}"))?;
        roots.add(authority).map_err(|e| format!("an authority of {trust_store} is not understood: {e}"))?;
    }
    let mut lists = Vec::new();
    for list in &store.revocations {
        let list = CertificateRevocationListDer::from_pem_slice(list.as_bytes());
        lists.push(list.map_err(|e| format!("a revocation list of {trust_store} is no PEM: {e}"))?);
    }
    let roots = Arc::new(roots);
    // A certificate whose authority has no list is not revoked.
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).with_crls(lists);
    let builder = builder.allow_unknown_revocation_status();
    let builder = if *advertise_names { builder } else { builder.clear_root_hint_subjects() };
    let inner = builder.build().map_err(|e| format!("the trust store {trust_store} cannot be used: {e}"))?;
    Ok(Some(Arc::new(Verify { inner, ignore_expiry: *ignore_expiry })))
}

/// Looks at what does not depend on who vouches for a client.
fn check_form(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
    let bytes = end_entity.len() + intermediates.iter().map(|c| c.len()).sum::<usize>();
    if bytes > CHAIN_BYTES_MAX {
        return Err(Unfit::TooLarge.into());
    }
    // "X.509v1 client certificates are not supported."
    let facts = x509::read(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
    if is_supported(facts.key, facts.key_bits) { Ok(()) } else { Err(Unfit::KeyUnsupported.into()) }
}

/// RSA of 2K to 8K, or ECDSA on secp256r1, secp384r1 or secp521r1 ("Mutual authentication with TLS in Application Load Balancer:
/// Certificate requirements").
fn is_supported(key: KeyKind, bits: usize) -> bool {
    match key {
        KeyKind::Rsa => RSA_BITS.contains(&bits),
        KeyKind::Ecdsa => true,
        KeyKind::Other => false,
    }
}

/// Asks for a certificate and takes any, or none; the client must still have its key.
#[derive(Debug)]
struct Passthrough {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Passthrough {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        noting(end_entity, check_form(end_entity, intermediates).map(|()| ClientCertVerified::assertion()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        noting(cert, verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        noting(cert, verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Lets in whom the trust store's authorities vouch for.
#[derive(Debug)]
struct Verify {
    inner: Arc<dyn ClientCertVerifier>,
    ignore_expiry: bool,
}

impl Verify {
    /// Where expiry is to be ignored, the chain is judged as of the last moment at which all of it was valid.
    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if 1 + intermediates.len() > CHAIN_DEPTH_MAX {
            return Err(Unfit::TooDeep.into());
        }
        check_form(end_entity, intermediates)?;
        let judged = self.inner.verify_client_cert(end_entity, intermediates, now);
        let is_late = |e: &Error| {
            matches!(e, Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }))
        };
        match judged {
            Err(e) if self.ignore_expiry && is_late(&e) => {
                let ends = std::iter::once(end_entity).chain(intermediates).filter_map(|c| x509::read(c)).map(|f| f.not_after);
                let then = ends.min().and_then(|end| u64::try_from(end).ok()).ok_or(e)?;
                self.inner.verify_client_cert(end_entity, intermediates, UnixTime::since_unix_epoch(Duration::from_secs(then)))
            }
            judged => judged,
        }
    }
}

impl ClientCertVerifier for Verify {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        noting(end_entity, self.judge(end_entity, intermediates, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        noting(cert, self.inner.verify_tls12_signature(message, cert, dss))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        noting(cert, self.inner.verify_tls13_signature(message, cert, dss))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyKind, is_supported};

    #[test]
    fn keys_are_those_of_the_certificate_requirements() {
        for (key, bits, expected) in [
            (KeyKind::Rsa, 1_024, false),
            (KeyKind::Rsa, 2_047, false),
            (KeyKind::Rsa, 2_048, true),
            (KeyKind::Rsa, 8_192, true),
            (KeyKind::Rsa, 8_193, false),
            (KeyKind::Ecdsa, 384, true),
            (KeyKind::Other, 256, false),
        ] {
            assert_eq!(is_supported(key, bits), expected, "{key:?} {bits}");
        }
    }
}
