use std::cell::{RefCell, RefMut};
use std::net::Ipv4Addr;
use std::sync::Arc;

use base::{Caller, Rng, Scope, Time};
use world::EndpointNetworks;

/// Choices of the machine's owner that services need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What one vCPU of an instance type means here, in thousandths of a core (`host.vcpu_cores`).
    pub vcpu_millicores: u32,
    /// Where clients reach the API, such as `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// Period of the region's own metrics in seconds: 60, as AWS's, or less for those who cannot wait. It divides a minute.
    pub metric_period_s: u32,
    /// The first of the loopback addresses at which load balancers answer.
    pub first_front: Ipv4Addr,
    /// Where subscribers' endpoints may be beside the Internet and this machine's loopback.
    pub endpoint_networks: EndpointNetworks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vcpu_millicores: 250,
            metric_period_s: 60,
            endpoint: "http://127.0.0.1:4566".into(),
            first_front: Ipv4Addr::new(127, 64, 0, 1),
            endpoint_networks: EndpointNetworks::default(),
        }
    }
}

/// What a transaction is stamped with: the moment, the caller, the request's id and its own randomness.
pub struct Cx {
    pub now: Time,
    pub caller: Caller,
    pub request_id: String,
    pub scope: Arc<Scope>,
    pub settings: Arc<Settings>,
    rng: RefCell<Rng>,
}

impl Cx {
    pub fn new(now: Time, caller: Caller, request_id: String, scope: Arc<Scope>, settings: Arc<Settings>, rng: Rng) -> Self {
        Self { now, caller, request_id, scope, settings, rng: RefCell::new(rng) }
    }

    /// The transaction's randomness; do not hold it across calls.
    pub fn rng(&self) -> RefMut<'_, Rng> {
        self.rng.borrow_mut()
    }
}
