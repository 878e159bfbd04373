//! Where certificates and trust stores of listeners come from. This service keeps no more than what they are called by:
//! whoever owns them is asked anew at each plan, so that a renewed certificate reaches the edge by itself.

use kernel::{Registry, State};

use crate::error::Error;
use crate::listener::Listener;
use crate::trust_store::{self, TrustStore};

/// ARNs of certificates that IAM keeps: they change with the certificate's name and path.
const OF_IAM: &str = ":server-certificate/";

/// Says which load balancers use a certificate or a trust store.
pub(crate) fn register(registry: &mut Registry) {
    registry.users_of(|state, arn, users| {
        let reference = reference(state, arn);
        users.extend(balancers(state, &reference).map(|arn| arn.to_string()));
    });
}

/// The load balancers whose listeners use it: a certificate by its reference, or a trust store by its ARN.
pub(crate) fn balancers<'a>(state: &'a State, reference: &'a str) -> impl Iterator<Item = &'a base::LoadBalancerArn> {
    let by = |index| state.rows_where::<Listener>(index, reference);
    by("certificate").chain(by("trust-store")).map(|listener| &listener.load_balancer)
}

/// What a listener keeps of a certificate with this ARN: ACM's ARN, which never changes, or IAM's id, so that a listener
/// keeps its certificate when that gets another name (UpdateServerCertificate).
pub(crate) fn reference(state: &State, arn: &str) -> String {
    let of_iam = Some(arn).filter(|arn| arn.contains(OF_IAM)).and_then(|arn| iam::find_server_certificate(state, arn));
    of_iam.map_or_else(|| arn.into(), |certificate| certificate.id.clone())
}

/// The ARN that a certificate has now.
pub(crate) fn arn_of(state: &State, reference: &str) -> String {
    let of_iam = Some(reference).filter(|r| !r.starts_with("arn:")).and_then(|id| iam::find_server_certificate(state, id));
    of_iam.map_or_else(|| reference.into(), |certificate| certificate.arn.clone())
}

/// The certificate with its chain and key; none while there is none, or it is not issued yet.
pub(crate) fn certificate_of(state: &State, reference: &str) -> Option<world::Certificate> {
    if !reference.starts_with("arn:") {
        let certificate = iam::find_server_certificate(state, reference)?;
        let (id, chain, key) = (certificate.arn.clone(), certificate.served.clone(), certificate.key.clone());
        return Some(world::Certificate { id, chain, key });
    }
    let material = acm::material(state, reference)?;
    Some(world::Certificate { id: reference.into(), chain: material.chain, key: material.key })
}

/// The authorities that a listener trusts for its clients' certificates.
pub(crate) fn trust_store_of(state: &State, arn: &str) -> Option<world::TrustStore> {
    state.find::<TrustStore, str>(arn).map(TrustStore::to_world)
}

/// The reference of a certificate that can be served.
pub(crate) fn check(state: &State, arn: &str) -> Result<String, Error> {
    let reference = reference(state, arn);
    if arn.starts_with("arn:") && certificate_of(state, &reference).is_some() {
        return Ok(reference);
    }
    Err(match acm::is_known(state, arn) {
        true => Error::Coded("UnsupportedCertificate", format!("Certificate '{arn}' is not issued yet")),
        false => Error::NoCertificate(arn.into()),
    })
}

pub(crate) fn check_trust_store(state: &State, arn: &str) -> Result<(), Error> {
    trust_store::find(state, arn).map(|_| ())
}
