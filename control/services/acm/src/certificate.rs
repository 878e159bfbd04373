//! The row of a certificate and what follows from it.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Tags, Time};
use kernel::{Row, State};
use serde::{Deserialize, Serialize};
use world::PrivateKey;

use crate::error::Error;
use crate::validation::ValidationMethod;

/// Most certificates of a region ("Quotas, ACM certificates").
pub const CERTIFICATES_MAX: usize = 2_500;
/// How long before its end a certificate is renewed ("Managed certificate renewal in AWS Certificate Manager").
pub(crate) const RENEWED_BEFORE: Duration = Duration::from_secs(60 * 24 * 3_600);
/// How long an issued certificate is good ("ACM certificate characteristics, validity period": 13 months).
pub(crate) const VALID: Duration = Duration::from_secs(395 * 24 * 3_600);
/// A request that is not validated by then has timed out ("ACM certificate status").
pub(crate) const VALIDATION_MAX: Duration = Duration::from_secs(72 * 3_600);

/// A certificate, imported or of the region's own authority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    pub arn: String,
    pub kind: Kind,
    /// The first of `names`.
    pub domain: String,
    /// All names that it is for, each once.
    pub names: Vec<String>,
    /// AWS's name of the key's algorithm, such as `EC_prime256v1`.
    pub algorithm: String,
    pub created_at: Time,
    pub tags: Tags,
    /// `CertificateTransparencyLoggingPreference`; there is no log that a region's own certificates could go to.
    pub transparency: bool,
    /// None of an imported one.
    pub validation: Option<ValidationMethod>,
    /// Domains whose owners are asked by mail, where they are not those of the names.
    pub validation_domains: BTreeMap<String, String>,
    /// The token that it was requested with.
    pub token: Option<String>,
    /// None until it is issued.
    pub contents: Option<Contents>,
    /// When it was issued or imported last.
    pub issued_at: Option<Time>,
    /// What the authority has been asked and has not answered.
    pub order: Option<Order>,
    /// Counts orders.
    pub orders: u64,
    /// After a refusal: when the authority is asked again.
    pub not_before_retry: Option<Time>,
    /// It was not issued in time.
    pub timed_out: bool,
    pub renewal: Option<Renewal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Imported,
    Issued,
}

/// A certificate itself. PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub certificate: String,
    /// Those above it; none of a self-signed one.
    pub chain: Option<String>,
    pub key: PrivateKey,
    pub serial: String,
    pub subject: String,
    /// Its common name, or all of it.
    pub issuer: String,
    pub signature_algorithm: String,
    pub not_before: Time,
    pub not_after: Time,
    pub key_usages: Vec<String>,
    /// Name and object identifier.
    pub extended_key_usages: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub generation: u64,
    /// Of the wish.
    pub version: u64,
    pub not_before: Time,
    pub not_after: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    pub status: RenewalStatus,
    pub updated_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RenewalStatus {
    Pending,
    Success,
}

impl RenewalStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING_AUTO_RENEWAL",
            Self::Success => "SUCCESS",
        }
    }
}

/// "ACM certificate status".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    PendingValidation,
    Issued,
    Expired,
    ValidationTimedOut,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingValidation => "PENDING_VALIDATION",
            Self::Issued => "ISSUED",
            Self::Expired => "EXPIRED",
            Self::ValidationTimedOut => "VALIDATION_TIMED_OUT",
        }
    }
}

impl Row for Certificate {
    const TABLE: &'static str = "acm.certificate";
    type Key = String;

    fn key(&self) -> String {
        self.arn.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        if let Some(token) = &self.token {
            add("token", token);
        }
    }
}

impl Certificate {
    pub fn status(&self, now: Time) -> Status {
        match &self.contents {
            Some(contents) if contents.not_after <= now => Status::Expired,
            Some(_) => Status::Issued,
            None if self.timed_out => Status::ValidationTimedOut,
            None => Status::PendingValidation,
        }
    }
}

/// The certificate of an ARN.
pub(crate) fn find<'a>(state: &'a State, arn: &str) -> Result<&'a Certificate, Error> {
    if !is_arn(arn) {
        return Err(Error::MalformedArn(arn.into()));
    }
    state.find::<Certificate, str>(arn).ok_or_else(|| Error::NotFound(arn.into()))
}

/// `arn:PARTITION:acm:REGION:ACCOUNT:certificate/ID`.
fn is_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, "acm", _, _, resource] if resource.strip_prefix("certificate/").is_some_and(|id| !id.is_empty()))
}
