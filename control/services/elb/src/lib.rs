//! Elastic Load Balancing v2: application and network load balancers, listeners and their rules, target groups and the
//! registration of targets. It
//! owns what a load balancer should be and what was observed of its targets' health; it never sends or checks a request:
//! the edge does.
//!
//! Every load balancer has an interface in each of its zones' subnets, from which its targets see it, and a loopback
//! address in each zone, at which users of this machine reach it.

mod action;
mod arn;
mod attribute;
mod certificate;
mod condition;
mod error;
mod flow_traffic;
mod health_check;
mod link;
mod listener;
mod load_balancer;
mod operations;
mod pattern;
mod plan;
mod protocol;
mod quota;
mod reconcile;
mod rule;
mod security_policies;
mod stack;
mod tags;
mod target;
mod target_group;
mod tls;
mod traffic;
mod transform;
mod trust_store;
mod wanted_load_balancer;

pub use error::Error;
pub use link::linked_content;
pub use listener::Listener;
pub use load_balancer::LoadBalancer;
pub use rule::Rule;
pub use target::{Health, Registration, deregister_instance, register_instance, target_health};
pub use target_group::{TargetGroup, is_target_group};
pub use trust_store::TrustStore;

use kernel::Registry;

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    registry.table::<LoadBalancer>();
    registry.table::<TargetGroup>();
    registry.table::<Listener>();
    registry.table::<Rule>();
    registry.table::<Registration>();
    registry.table::<tags::TagSet>();
    registry.table::<TrustStore>();
    registry.table::<link::Link>();
    reconcile::register(registry);
    certificate::register(registry);
    registry.observer(traffic::observe);
    operations::register(registry);
    stack::register(registry);
}
