//! The groups that targets are in: what is wanted of each, how many of its targets are healthy, and the form in which workers
//! route to it, made anew only when the group or its members have changed. It checks nobody.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use base::{LoadBalancerArn, TargetGroupArn};
use world::{Algorithm, LoadBalancer, MinimumHealthy, Node, TargetGroup, TargetHealth, TargetMode};

use super::{MemberKey, Targets};
use crate::metrics::GroupCounters;
use crate::route::cookie::{Sealer, scope_of};
use crate::route::session::Sticky;
use crate::target::{Group, NodeFlags, Reach};

/// Targets of a zone that are not draining.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    healthy: usize,
    all: usize,
}

#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) wanted: TargetGroup,
    nodes: Vec<Node>,
    turn: Arc<AtomicUsize>,
    fail_open: Arc<NodeFlags>,
    tallies: BTreeMap<String, Tally>,
    compiled: OnceCell<Arc<Group>>,
}

impl GroupState {
    fn new(balancer: &LoadBalancer, wanted: &TargetGroup) -> Self {
        Self {
            wanted: wanted.clone(),
            nodes: balancer.nodes.clone(),
            turn: Arc::default(),
            fail_open: Arc::new(NodeFlags::new(balancer.nodes.len())),
            tallies: BTreeMap::new(),
            compiled: OnceCell::new(),
        }
    }

    /// Anomalous targets get fewer requests.
    pub(super) fn mitigates(&self) -> bool {
        self.wanted.anomaly_mitigation && self.wanted.algorithm == Algorithm::WeightedRandom
    }

    /// Healthy targets, and all that are not draining; of one zone, or of all.
    pub(super) fn count(&self, zone: Option<&str>) -> (usize, usize) {
        let of = |tally: &Tally| (tally.healthy, tally.all);
        match zone {
            Some(zone) => self.tallies.get(zone).map_or((0, 0), of),
            None => self.tallies.values().map(of).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        }
    }

    /// Whether there are so few healthy targets that all that a node of this zone may choose get requests.
    pub(super) fn fails_open(&self, zone: &str) -> bool {
        let (healthy, all) = self.count((!self.wanted.cross_zone).then_some(zone));
        is_below(self.wanted.fail_open, healthy, all)
    }

    /// Takes the group's health to its nodes.
    fn weigh(&self) {
        for (node, Node { zone, .. }) in self.nodes.iter().enumerate() {
            self.fail_open.set(node, self.fails_open(zone));
        }
    }
}

/// All groups of all load balancers.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<(LoadBalancerArn, TargetGroupArn), GroupState>);

impl Groups {
    pub(super) fn of(&self, key: &MemberKey) -> Option<&GroupState> {
        self.0.get(&(key.load_balancer.clone(), key.group.clone()))
    }

    /// Takes in what is wanted of a group; tells whether its targets are to be looked at for that.
    pub(super) fn configure(&mut self, balancer: &LoadBalancer, wanted: &TargetGroup) -> bool {
        let id = (balancer.id.clone(), wanted.id.clone());
        let Some(state) = self.0.get_mut(&id) else {
            let new = GroupState::new(balancer, wanted);
            new.weigh();
            self.0.insert(id, new);
            return true;
        };
        if state.wanted == *wanted && state.nodes == balancer.nodes {
            return false;
        }
        if state.nodes != balancer.nodes {
            state.fail_open = Arc::new(NodeFlags::new(balancer.nodes.len()));
        }
        (state.wanted, state.nodes) = (wanted.clone(), balancer.nodes.clone());
        state.compiled.take();
        state.weigh();
        true
    }

    /// Forgets the groups of a load balancer that are not kept; returns them.
    pub(super) fn retain(&mut self, balancer: &str, keeps: impl Fn(&TargetGroupArn) -> bool) -> Vec<TargetGroupArn> {
        self.0.extract_if(.., |(of, group), _| **of == *balancer && !keeps(group)).map(|((_, group), _)| group).collect()
    }

    /// A target of this zone has another health than before; it has none before it comes, and none when it is gone.
    pub(super) fn count(&mut self, key: &MemberKey, zone: &str, before: Option<&TargetHealth>, now: Option<&TargetHealth>) {
        let Some(state) = self.0.get_mut(&(key.load_balancer.clone(), key.group.clone())) else { return };
        let counts = |health: Option<&TargetHealth>| {
            let there = health.filter(|health| !matches!(health, TargetHealth::Draining | TargetHealth::Drained));
            (usize::from(there == Some(&TargetHealth::Healthy)), usize::from(there.is_some()))
        };
        let (before, now) = (counts(before), counts(now));
        if !state.tallies.contains_key(zone) {
            state.tallies.insert(zone.into(), Tally::default());
        }
        if let Some(tally) = state.tallies.get_mut(zone) {
            (tally.healthy, tally.all) = (tally.healthy + now.0 - before.0, tally.all + now.1 - before.1);
        }
        state.weigh();
    }

    /// The members of a group have changed.
    pub(super) fn changed(&mut self, key: &MemberKey) {
        if let Some(state) = self.0.get_mut(&(key.load_balancer.clone(), key.group.clone())) {
            state.compiled.take();
        }
    }
}

impl Targets {
    fn groups_of(&self, balancer: &LoadBalancer) -> impl Iterator<Item = &GroupState> {
        balancer.target_groups.iter().filter_map(|g| self.groups.0.get(&(balancer.id.clone(), g.id.clone())))
    }

    /// Zones of a load balancer that have too few healthy targets for users to be sent there ("ELB User Guide, Target group
    /// health: DNS failover"). Where nodes send to all zones, a group is as healthy in one as in another.
    pub fn failed_zones(&self, balancer: &LoadBalancer) -> Vec<String> {
        let states: Vec<&GroupState> = self.groups_of(balancer).collect();
        let is_low = |zone: &String| {
            states.iter().any(|state| {
                let (healthy, all) = state.count((!state.wanted.cross_zone).then_some(zone));
                all > 0 && is_below(state.wanted.dns_failover, healthy, all)
            })
        };
        balancer.nodes.iter().map(|n| &n.zone).filter(|zone| is_low(zone)).cloned().collect()
    }

    /// Zones whose nodes DNS would not name while it has others: those that failed, and those without any target where nodes do
    /// not send to other zones.
    pub fn left_out_zones(&self, balancer: &LoadBalancer) -> Vec<String> {
        let mut zones = self.failed_zones(balancer);
        for state in self.groups_of(balancer).filter(|state| !state.wanted.cross_zone && state.count(None).1 > 0) {
            let nodes = balancer.nodes.iter().map(|node| &node.zone);
            zones.extend(nodes.filter(|zone| state.count(Some(zone)).1 == 0).cloned());
        }
        zones
    }

    /// A group as the workers route to it.
    pub fn compile(
        &self,
        balancer: &LoadBalancer,
        group: &TargetGroupArn,
        counters: impl FnOnce() -> Vec<Arc<GroupCounters>>,
        sealer: &Arc<Sealer>,
    ) -> Option<Arc<Group>> {
        let state = self.groups.0.get(&(balancer.id.clone(), group.clone()))?;
        let compile = || {
            let active = || self.members_of(&balancer.id, group).map(|(_, m)| m).filter(|m| m.mode == TargetMode::Active);
            let within = |zone: &str| active().filter(|m| m.zone == zone).map(|m| m.target.clone()).collect();
            let wanted = &state.wanted;
            let targets = match wanted.cross_zone {
                true => Reach::All(active().map(|m| m.target.clone()).collect()),
                false => Reach::ByNode(state.nodes.iter().map(|node| within(&node.zone)).collect()),
            };
            Arc::new(Group {
                id: wanted.id.as_str().into(),
                version: wanted.version,
                algorithm: wanted.algorithm,
                slow_start_ms: wanted.slow_start_ms,
                scope: scope_of(&[&wanted.id]),
                sticky: wanted.stickiness.clone().map(|by| Sticky { by, sealer: sealer.clone() }),
                targets,
                fail_open: state.fail_open.clone(),
                turn: state.turn.clone(),
                counters: counters(),
            })
        };
        Some(state.compiled.get_or_init(compile).clone())
    }
}

/// Whether fewer targets are healthy than either threshold wants.
fn is_below(wanted: MinimumHealthy, healthy: usize, all: usize) -> bool {
    let few = wanted.count.is_some_and(|count| healthy < count as usize);
    few || wanted.percent.is_some_and(|percent| healthy * 100 < percent as usize * all)
}
