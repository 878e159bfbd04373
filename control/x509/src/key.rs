//! Private keys: reading them, and telling whose they are.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
};

use crate::certificate::{Certificate, KeyAlgorithm};
use crate::pem;

const PKCS8: &str = "PRIVATE KEY";
/// Blocks that a file with one key may have: OpenSSL writes the curve's name in one of its own.
const BLOCKS_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It is protected by a password.
    Encrypted,
    /// It is no PEM text with one private key in it.
    NotAKey,
    /// A kind or size of key that TLS servers of this region do not use.
    Unsupported,
}

/// A private key that can be used: RSA of 2,048 to 4,096 bits, or ECDSA on one of three curves.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    pkcs8: Vec<u8>,
    public_key: Vec<u8>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl PrivateKey {
    /// Reads PKCS #8, or the older forms of RSA and elliptic curves.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let blocks = pem::blocks(text, BLOCKS_MAX).map_err(|e| match e {
            pem::PemError::Encrypted => KeyError::Encrypted,
            _ => KeyError::NotAKey,
        })?;
        let mut keys = blocks.iter().filter(|b| b.label.ends_with(PKCS8));
        let (Some(key), None) = (keys.next(), keys.next()) else { return Err(KeyError::NotAKey) };
        match key.label.as_str() {
            PKCS8 => rsa::KeyPair::from_pkcs8(&key.der).map_or_else(|_| ec(&key.der), rsa_key),
            "RSA PRIVATE KEY" => rsa_key(rsa::KeyPair::from_der(&key.der).map_err(|_| KeyError::Unsupported)?),
            "EC PRIVATE KEY" => ec(&key.der),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            _ => Err(KeyError::NotAKey),
        }
    }

    /// In PKCS #8.
    pub fn to_pem(&self) -> String {
        pem::write(PKCS8, &self.pkcs8)
    }

    /// Whether it belongs to the certificate's public key.
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        self.public_key == certificate.public_key
    }

    /// Whether a certificate's key is of a kind that can be used.
    pub fn can_be_of(algorithm: Option<KeyAlgorithm>) -> bool {
        algorithm.is_some_and(|a| a != KeyAlgorithm::Rsa1024)
    }
}

fn rsa_key(pair: rsa::KeyPair) -> Result<PrivateKey, KeyError> {
    let document: Pkcs8V1Der = pair.as_der().map_err(|_| KeyError::Unsupported)?;
    Ok(PrivateKey { pkcs8: document.as_ref().to_vec(), public_key: pair.public_key().as_ref().to_vec() })
}

fn ec(der: &[u8]) -> Result<PrivateKey, KeyError> {
    let curves = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
    let pair = curves.into_iter().find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok());
    let pair = pair.ok_or(KeyError::Unsupported)?;
    let document = pair.to_pkcs8v1().map_err(|_| KeyError::Unsupported)?;
    Ok(PrivateKey { pkcs8: document.as_ref().to_vec(), public_key: pair.public_key().as_ref().to_vec() })
}
