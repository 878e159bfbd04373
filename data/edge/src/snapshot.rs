//! The configuration as the workers route by it: whole, immutable, and replaced at once.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddrV4;
use std::sync::Arc;

use fastrand::Rng;

use crate::http::forward::split_port;
use crate::metrics::ZoneCounters;
use crate::target::Group;

/// Everything a worker needs to know.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// By the address on which a connection came in.
    pub doors: HashMap<SocketAddrV4, Door>,
    /// Numbers of the targets that may keep idle connections.
    pub targets: HashSet<u64>,
}

/// Who is served at an address.
#[derive(Debug, Default)]
pub struct Door {
    /// HTTP listeners.
    pub sites: Vec<Arc<Site>>,
}

/// A listener of a load balancer at one of its nodes.
#[derive(Debug)]
pub struct Site {
    pub balancer: Arc<Balancer>,
    pub route: Arc<Route>,
    /// Number of the node among the load balancer's.
    pub node: usize,
    pub counters: Arc<ZoneCounters>,
}

/// What a load balancer's listeners have in common.
#[derive(Debug)]
pub struct Balancer {
    /// In lower case.
    pub dns_name: String,
    pub idle_timeout_ms: u64,
    pub client_keep_alive_ms: u64,
    pub preserve_host: bool,
    pub drop_invalid: bool,
}

/// Where a listener's requests go.
#[derive(Debug)]
pub enum Route {
    Forward { groups: Vec<(Arc<Group>, u32)>, weights: u32 },
    Fixed { status: u16, content_type: String, body: Vec<u8> },
}

impl Route {
    /// Draws a group by weight; none when all weights are zero.
    pub fn draw<'a>(groups: &'a [(Arc<Group>, u32)], weights: u32, rng: &mut Rng) -> Option<&'a Arc<Group>> {
        if let [(only, weight)] = groups {
            return (*weight > 0).then_some(only);
        }
        let mut drawn = (weights > 0).then(|| rng.u32(..weights))?;
        groups.iter().find_map(|(group, weight)| {
            if drawn < *weight {
                return Some(group);
            }
            drawn -= weight;
            None
        })
    }
}

/// The listener that serves this host among those which share an address; the only one serves every host.
pub fn site_for<'a>(sites: &'a [Arc<Site>], host: Option<&str>) -> Option<&'a Arc<Site>> {
    if let [only] = sites {
        return Some(only);
    }
    let (name, _) = split_port(host?);
    let name = name.strip_suffix('.').unwrap_or(name);
    sites.iter().find(|s| s.balancer.dns_name.eq_ignore_ascii_case(name))
}

/// Where a connection counts before it has said whom it calls: nowhere while several load balancers share its address.
pub fn counters_at(sites: &[Arc<Site>]) -> Option<&Arc<ZoneCounters>> {
    match sites {
        [only] => Some(&only.counters),
        _ => None,
    }
}
