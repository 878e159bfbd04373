//! Where certificates and trust stores of listeners come from. This service keeps their ARNs only; whoever owns them is
//! asked anew at each plan, so that a renewed certificate reaches the edge by itself.

use kernel::State;

use crate::error::Error;

/// The certificate with its chain and key; none while there is none, or it is not issued yet.
pub(crate) fn certificate_of(_state: &State, _arn: &str) -> Option<world::Certificate> {
    None
}

/// The authorities that a listener trusts for its clients' certificates.
pub(crate) fn trust_store_of(_state: &State, _arn: &str) -> Option<world::TrustStore> {
    None
}

pub(crate) fn check(state: &State, arn: &str) -> Result<(), Error> {
    certificate_of(state, arn).map(|_| ()).ok_or_else(|| Error::NoCertificate(arn.into()))
}

pub(crate) fn check_trust_store(state: &State, arn: &str) -> Result<(), Error> {
    let none = || Error::Coded("TrustStoreNotFound", format!("Trust store '{arn}' not found"));
    trust_store_of(state, arn).map(|_| ()).ok_or_else(none)
}
