//! Where certificates and trust stores of listeners come from. This service keeps their ARNs only; whoever owns them is
//! asked anew at each plan, so that a renewed certificate reaches the edge by itself.

use kernel::{Registry, State};

use crate::error::Error;
use crate::listener::Listener;
use crate::trust_store::{self, TrustStore};

/// Says which load balancers use a certificate or a trust store.
pub(crate) fn register(registry: &mut Registry) {
    registry.users_of(|state, arn, users| users.extend(balancers(state, arn).map(|arn| arn.to_string())));
}

/// The load balancers whose listeners use it.
pub(crate) fn balancers<'a>(state: &'a State, arn: &'a str) -> impl Iterator<Item = &'a base::LoadBalancerArn> {
    let by = |index| state.rows_where::<Listener>(index, arn);
    by("certificate").chain(by("trust-store")).map(|listener| &listener.load_balancer)
}

/// The certificate with its chain and key; none while there is none, or it is not issued yet.
pub(crate) fn certificate_of(state: &State, arn: &str) -> Option<world::Certificate> {
    let material = acm::material(state, arn)?;
    Some(world::Certificate { id: arn.into(), chain: material.chain, key: material.key })
}

/// The authorities that a listener trusts for its clients' certificates.
pub(crate) fn trust_store_of(state: &State, arn: &str) -> Option<world::TrustStore> {
    state.find::<TrustStore, str>(arn).map(TrustStore::to_world)
}

pub(crate) fn check(state: &State, arn: &str) -> Result<(), Error> {
    certificate_of(state, arn).map(|_| ()).ok_or_else(|| Error::NoCertificate(arn.into()))
}

pub(crate) fn check_trust_store(state: &State, arn: &str) -> Result<(), Error> {
    trust_store::find(state, arn).map(|_| ())
}
