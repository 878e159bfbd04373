//! The world as users' requests meet it: load balancers with where they send requests, and instances as their targets.

use base::{LoadBalancerArn, TargetGroupArn};
use world::{Action, BalancerKind, LoadBalancer};

/// "Network Load Balancer listeners, Idle timeout": 350 s unless a listener says otherwise.
const NETWORK_IDLE_TIMEOUT_MS: u64 = 350_000;

/// A load balancer as users' requests see it.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    /// Zones of its nodes.
    pub(crate) zones: Vec<String>,
    /// Where the listener with the lowest port that forwards sends requests, by weight; empty when all answer themselves.
    pub(crate) forward: Vec<(TargetGroupArn, u32)>,
    pub(crate) idle_timeout_ms: u64,
    pub(crate) has_listener: bool,
}

impl Face {
    pub(crate) fn of(balancer: &LoadBalancer) -> Self {
        let mut listeners: Vec<_> = balancer.listeners.iter().collect();
        listeners.sort_unstable_by_key(|l| l.port);
        // Users follow a redirect to another listener, and where no listener forwards by itself, its rules do.
        let (by_default, by_rule) = (listeners.iter().map(|l| &l.default_action), listeners.iter().flat_map(|l| &l.rules));
        let mut actions = by_default.chain(by_rule.map(|rule| &rule.action));
        let forward = actions.find_map(|action| match action {
            Action::Forward { groups, .. } => Some(groups.iter().map(|g| (g.group.clone(), g.weight)).collect()),
            _ => None,
        });
        Self {
            zones: balancer.nodes.iter().map(|n| n.zone.clone()).collect(),
            forward: forward.unwrap_or_default(),
            idle_timeout_ms: match balancer.kind {
                BalancerKind::Application => balancer.idle_timeout_ms,
                BalancerKind::Network => listeners.first().and_then(|l| l.tcp_idle_timeout_ms).unwrap_or(NETWORK_IDLE_TIMEOUT_MS),
            },
            has_listener: !listeners.is_empty(),
        }
    }

    pub(crate) fn listens(&self) -> bool {
        self.has_listener && !self.zones.is_empty()
    }
}

/// How a target stands in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Healthy,
    Unhealthy,
    Draining,
}

/// A running instance as the load sees it.
pub(crate) struct Standing<'a> {
    pub(crate) millicores: u32,
    /// Its application answers.
    pub(crate) serves: bool,
    pub(crate) roles: Vec<Standpoint<'a>>,
}

pub(crate) struct Standpoint<'a> {
    pub(crate) balancer: &'a LoadBalancerArn,
    pub(crate) group: &'a TargetGroupArn,
    pub(crate) part: Part,
}
