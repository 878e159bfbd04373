//! A server's certificate, its private key and the certificates above it, as users bring them, checked to fit together.
//! Whoever keeps such pairs chooses the words for what is wrong.

use base::Time;

use crate::certificate::{Certificate, certificates};
use crate::key::{KeyError, PrivateKey};
use crate::pem::PemError;

/// Most certificates of a chain.
const CHAIN_MAX: usize = 1_000;

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairError {
    /// The certificate cannot be read.
    Certificate(PemError),
    /// There is no certificate where one should be.
    NoCertificate,
    /// More than one certificate stands where the server's own should.
    ManyCertificates,
    /// The certificate's key is of a kind or size that TLS servers of this region do not use.
    Algorithm,
    Expired,
    NotYetValid,
    Key(KeyError),
    /// The key is another certificate's.
    Mismatch,
    /// It says that it signed itself, and its signature is not its own key's.
    NotSelfSigned,
    /// The chain cannot be read.
    Chain(PemError),
    EmptyChain,
    /// The certificate with this index, the server's own not counted, is not the one that signed the one before it.
    ChainOrder(usize),
}

/// A certificate that a server can show, and the key that proves it to be its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPair {
    pub certificate: Certificate,
    /// Each signs the one before it, the first one the server's own; a root may be left out.
    pub chain: Vec<Certificate>,
    pub key: PrivateKey,
}

impl ServerPair {
    /// Reads PEM texts. The certificate must be valid now.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn read(certificate: &[u8], key: &[u8], chain: Option<&[u8]>, now: Time) -> Result<Self, PairError> {
        let certificate = own(certificate)?;
        if !PrivateKey::can_be_of(certificate.key) {
            return Err(PairError::Algorithm);
        }
        if certificate.not_after <= now {
            return Err(PairError::Expired);
        }
        if certificate.not_before > now {
            return Err(PairError::NotYetValid);
        }
        let key = PrivateKey::from_pem(key).map_err(PairError::Key)?;
        if !key.is_of(&certificate) {
            return Err(PairError::Mismatch);
        }
        let chain = above(&certificate, chain)?;
        Ok(Self { certificate, chain, key })
    }

    /// The certificates above the server's own, in PEM; none of one that stands alone.
    pub fn chain_pem(&self) -> Option<String> {
        let has_chain = !self.chain.is_empty();
        has_chain.then(|| self.chain.iter().map(Certificate::to_pem).collect())
    }
}

fn own(pem: &[u8]) -> Result<Certificate, PairError> {
    let mut all = certificates(pem, 1).map_err(|e| match e {
        PemError::TooMany => PairError::ManyCertificates,
        other => PairError::Certificate(other),
    })?;
    all.pop().ok_or(PairError::NoCertificate)
}

fn above(certificate: &Certificate, pem: Option<&[u8]>) -> Result<Vec<Certificate>, PairError> {
    let Some(pem) = pem else {
        let is_false = certificate.is_self_issued() && !certificate.is_signed_by(certificate);
        return if is_false { Err(PairError::NotSelfSigned) } else { Ok(Vec::new()) };
    };
    let all = certificates(pem, CHAIN_MAX).map_err(PairError::Chain)?;
    if all.is_empty() {
        return Err(PairError::EmptyChain);
    }
    let below = std::iter::once(certificate).chain(&all);
    match below.zip(&all).position(|(below, above)| !below.is_signed_by(above)) {
        Some(at) => Err(PairError::ChainOrder(at)),
        None => Ok(all),
    }
}
