//! How the owner of a domain shows that it is his. The region owns the names that its users ask for, so it validates them
//! itself; what is shown is what AWS would ask for ("AWS Certificate Manager domain ownership validation").

use base::{Scope, Time};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shapes::acm as s;

use crate::certificate::{Certificate, Status};
use crate::error::Error;

/// Whom AWS writes to.
const MAILBOXES: [&str; 5] = ["admin", "administrator", "hostmaster", "postmaster", "webmaster"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValidationMethod {
    Dns,
    Email,
}

impl ValidationMethod {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Email => "EMAIL",
        }
    }

    /// By mail when nothing is said, as at AWS.
    pub(crate) fn parse(name: Option<&str>) -> Result<Self, Error> {
        match name {
            None | Some("EMAIL") => Ok(Self::Email),
            Some("DNS") => Ok(Self::Dns),
            Some("HTTP") => Err(Error::InvalidParameter("HTTP validation is for certificates that CloudFront manages.".into())),
            Some(other) => Err(Error::InvalidParameter(format!("There is no validation method {other}."))),
        }
    }
}

/// What is asked for each name, and how far it is.
pub(crate) fn show(scope: &Scope, certificate: &Certificate, now: Time) -> Vec<s::DomainValidation> {
    let Some(method) = certificate.validation else { return Vec::new() };
    let status = match certificate.status(now) {
        Status::PendingValidation => "PENDING_VALIDATION",
        Status::ValidationTimedOut => "FAILED",
        Status::Issued | Status::Expired => "SUCCESS",
    };
    let of = |name: &String| {
        let above = certificate.validation_domains.get(name).map_or_else(|| bare(name), String::as_str);
        let mail = |mailbox| format!("{mailbox}@{above}");
        s::DomainValidation {
            domain_name: name.clone(),
            validation_emails: match method {
                ValidationMethod::Email => MAILBOXES.map(mail).to_vec(),
                ValidationMethod::Dns => Vec::new(),
            },
            validation_domain: Some(certificate.validation_domains.get(name).unwrap_or(name).clone()),
            validation_status: Some(status.into()),
            resource_record: (method == ValidationMethod::Dns).then(|| record(scope, name)),
            http_redirect: None,
            validation_method: Some(method.as_str().into()),
        }
    };
    certificate.names.iter().map(of).collect()
}

fn bare(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}

/// The same for all certificates of an account, and for a domain and its wildcard ("DNS validation").
fn record(scope: &Scope, name: &str) -> s::ResourceRecord {
    let digest = |what: &str| {
        let digest = Sha256::digest(format!("{what} {} {}", scope.account, bare(name)));
        digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    s::ResourceRecord {
        name: format!("_{}.{}.", digest("name"), bare(name)),
        r#type: "CNAME".into(),
        value: format!("_{}.{}.acm-validations.aws.", digest("value"), &digest("zone")[..10]),
    }
}
