use base::Time;
use serde::{Deserialize, Serialize};

use crate::PrivateKey;

/// A certificate that the region's own authority shall issue, with a key that it makes for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateOrder {
    /// ARN of the certificate.
    pub id: String,
    /// Counts the orders of one certificate; the answer carries it.
    pub generation: u64,
    /// DNS names, the subject's first. The first label of a name may be `*`.
    pub names: Vec<String>,
    pub algorithm: KeyAlgorithm,
    /// Whole seconds.
    pub not_before: Time,
    pub not_after: Time,
}

/// What keys the authority makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    Rsa2048,
    EcP256,
    EcP384,
}

/// What an order led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// PEM.
    pub certificate: String,
    /// The certificates above it, up to the authority's own. PEM.
    pub chain: String,
    pub key: PrivateKey,
    /// In hexadecimal digits, two and two with colons between.
    pub serial: String,
    /// Common name of the authority.
    pub issuer: String,
    /// Such as `SHA256WITHECDSA`.
    pub signature_algorithm: String,
}
