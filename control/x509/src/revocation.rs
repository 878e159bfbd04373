//! Lists of revoked certificates (RFC 5280, section 5).

use base::Time;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::pem::{self, PemError};

const LABEL: &str = "X509 CRL";

/// A list, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    pub der: Vec<u8>,
    pub issuer: String,
    /// How many certificates are on it.
    pub entries: usize,
    pub next_update: Option<Time>,
}

/// All lists of a PEM text, `most` at most. Blocks of other kinds are an error.
pub fn revocation_lists(text: &[u8], most: usize) -> Result<Vec<RevocationList>, PemError> {
    let read = |block: pem::PemBlock| match block.label == LABEL {
        true => RevocationList::read(&block.der).ok_or(PemError::NotUnderstood),
        false => Err(PemError::NotUnderstood),
    };
    pem::blocks(text, most)?.into_iter().map(read).collect()
}

impl RevocationList {
    pub fn read(der: &[u8]) -> Option<Self> {
        let (rest, list) = CertificateRevocationList::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let next_update = list.next_update().map(|t| Time::from_unix_ms(t.timestamp().saturating_mul(1_000)));
        let entries = list.iter_revoked_certificates().count();
        Some(Self { der: der.into(), issuer: list.issuer().to_string(), entries, next_update })
    }

    pub fn to_pem(&self) -> String {
        pem::write(LABEL, &self.der)
    }
}
