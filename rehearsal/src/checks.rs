//! What must hold after every commit, whatever happens in the world. A breach panics with what was seen, so that
//! the seed in the test's message reproduces it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use kernel::{State, Wanted};
use region::autoscaling;
use world::{Interface, Power, TargetMode, Want};

/// Checks everything; panics at the first breach.
pub fn after_commit(state: &State) {
    no_address_twice(state);
    no_traffic_to_what_is_not_wanted(state);
    groups_within_bounds(state);
}

fn wants(state: &State) -> impl Iterator<Item = &Want> {
    state.rows::<Wanted>().filter_map(|wanted| wanted.want.as_ref())
}

/// No two things have the same address in one VPC.
fn no_address_twice(state: &State) {
    let mut taken: BTreeMap<(&str, Ipv4Addr), &str> = BTreeMap::new();
    for want in wants(state) {
        let interface: &Interface = match want {
            Want::Instance(instance) => &instance.interface,
            Want::Interface(interface) => interface,
            _ => continue,
        };
        let other = taken.insert((&interface.vpc, interface.address), &interface.id);
        assert!(other.is_none(), "{} is given to {} and to {other:?}", interface.address, interface.id);
    }
}

/// A target that gets new requests is an instance that is wanted and on.
fn no_traffic_to_what_is_not_wanted(state: &State) {
    let on: BTreeSet<&str> = wants(state)
        .filter_map(|want| match want {
            Want::Instance(i) if i.power == Power::On => Some(i.id.as_str()),
            _ => None,
        })
        .collect();
    for want in wants(state) {
        let Want::LoadBalancer(balancer) = want else { continue };
        for target in balancer.target_groups.iter().flat_map(|g| &g.targets) {
            let gets_requests = target.mode == TargetMode::Active && target.key.id.starts_with("i-");
            assert!(!gets_requests || on.contains(target.key.id.as_str()), "requests go to {} which is not on", target.key.id);
        }
    }
}

/// A group never wants less than its minimum nor more than its maximum, nor has more instances than its maximum.
fn groups_within_bounds(state: &State) {
    for group in state.rows::<autoscaling::Group>() {
        let (min, max, desired) = (group.min_size, group.max_size, group.desired_capacity);
        assert!(group.deleting || (min <= desired && desired <= max), "{}: {min} <= {desired} <= {max}", group.name);
    }
}
