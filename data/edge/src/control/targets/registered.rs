//! The targets that `serve` has told of, each in a slot of its own, and their way into the groups of load balancers that are
//! there. What it tells of a target stays although the target's group is not there yet, or not any more: the two come in any
//! order.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::Arc;

use base::{LoadBalancerArn, TargetGroupArn};
use world::{LoadBalancer, Observation, RegisteredTarget, Slot, SlotKind, TargetGroup, TargetHealth, TargetMode};

use super::{MemberKey, Subject, Targets, check_address, end_flows, interface_towards, set_health};
use crate::clock::wall;
use crate::control::store::{StoredHealth, StoredTarget};
use crate::target::{Standing, Target};

/// Most targets of an edge: their slots fit into one frame of `hello`, and their effects into the queue to the edge.
pub const TARGETS_MAX: usize = 50_000;
/// The version of a target that has no slot of its own, as an older `serve` tells of it within its load balancer.
const WITHIN: u64 = 0;

/// What `serve` has told of one target.
#[derive(Debug)]
pub(super) struct Registered {
    version: u64,
    told: RegisteredTarget,
}

/// What follows from a change: what is to be reported, and the targets that are gone.
#[derive(Debug, Default)]
pub struct Changed {
    pub reports: Vec<Observation>,
    pub gone: Vec<Arc<Target>>,
}

impl Targets {
    /// The version of the slot that is in force.
    pub fn version(&self, slot: &str) -> Option<u64> {
        self.registered.get(slot).map(|registered| registered.version)
    }

    /// All slots with their versions.
    pub fn applied(&self) -> impl Iterator<Item = (Slot, u64)> {
        let own = self.registered.iter().filter(|(_, registered)| registered.version != WITHIN);
        own.map(|(id, registered)| (Slot::new(SlotKind::Target, id.as_str()), registered.version))
    }

    /// Slots that are none of these.
    pub fn strays(&self, named: impl Fn(&str) -> bool) -> Vec<String> {
        let own = self.registered.iter().filter(|(_, registered)| registered.version != WITHIN);
        own.map(|(id, _)| id).filter(|id| !named(id)).cloned().collect()
    }

    /// Takes in a target. Refuses it when there are too many.
    pub fn register(&mut self, version: u64, told: RegisteredTarget, balancer: Option<&LoadBalancer>) -> Result<Changed, String> {
        let id = RegisteredTarget::id_of(&told.group, &told.target.key);
        if self.registered.len() >= TARGETS_MAX && !self.registered.contains_key(&id) {
            return Err(format!("there are {TARGETS_MAX} targets already"));
        }
        let mut changed = Changed::default();
        let old = self.registered.insert(id.clone(), Registered { version, told: told.clone() });
        if let Some(old) = old.filter(|old| old.told.load_balancer != told.load_balancer) {
            changed.gone.extend(self.remove(&key_of(&old.told)));
        }
        if let Some(balancer) = balancer.filter(|balancer| balancer.id == told.load_balancer)
            && let Some(group) = balancer.target_groups.iter().find(|group| group.id == told.group)
        {
            self.place(balancer, group, &id, &mut changed);
        }
        Ok(changed)
    }

    /// Forgets a target; returns it when it was in use.
    pub fn deregister(&mut self, slot: &str) -> Option<Arc<Target>> {
        let registered = self.registered.remove(slot)?;
        self.remove(&key_of(&registered.told))
    }

    /// Takes in a load balancer's groups as they are now wanted, and these targets of them; those of other groups that are as
    /// before are not looked at.
    pub fn configure(&mut self, balancer: &LoadBalancer, told: &[String]) -> Changed {
        let mut changed = Changed::default();
        for group in &balancer.target_groups {
            if self.groups.configure(balancer, group) {
                let ids: Vec<String> = self.of_group(&balancer.id, &group.id).map(|(id, _)| id.clone()).collect();
                ids.iter().for_each(|id| self.place(balancer, group, id, &mut changed));
            }
        }
        for id in told {
            let group = self.registered.get(id).and_then(|r| balancer.target_groups.iter().find(|g| g.id == r.told.group));
            group.into_iter().for_each(|group| self.place(balancer, group, id, &mut changed));
        }
        let stays = |group: &TargetGroupArn| balancer.target_groups.iter().any(|g| g.id == *group);
        changed.gone.extend(self.forget_groups(&balancer.id, stays, Target::leave_with_group));
        changed
    }

    fn of_group(&self, balancer: &LoadBalancerArn, group: &TargetGroupArn) -> impl Iterator<Item = (&String, &Registered)> {
        let prefix = format!("{group}|");
        let of_group = self.registered.range(prefix.clone()..).take_while(move |(id, _)| id.starts_with(&prefix));
        of_group.filter(|(_, registered)| registered.told.load_balancer == *balancer)
    }

    /// Forgets the groups of a load balancer; returns its targets.
    pub fn forget(&mut self, balancer: &str) -> Vec<Arc<Target>> {
        self.registered.retain(|_, registered| registered.version != WITHIN || *registered.told.load_balancer != *balancer);
        self.forget_groups(&balancer.into(), |_| false, Target::leave_with_balancer)
    }

    fn forget_groups(
        &mut self,
        balancer: &LoadBalancerArn,
        stays: impl Fn(&TargetGroupArn) -> bool,
        leave: fn(&Target),
    ) -> Vec<Arc<Target>> {
        let mut gone = Vec::new();
        for group in self.groups.retain(balancer, stays) {
            let keys: Vec<MemberKey> = self.members_of(balancer, &group).map(|(key, _)| key.clone()).collect();
            let of_group = keys.iter().filter_map(|key| self.remove(key));
            // What goes on there goes on.
            gone.extend(of_group.inspect(|target| target.set_standing(Standing::Draining)).inspect(|target| leave(target)));
        }
        gone
    }

    /// Takes in the targets that a load balancer has within its groups, as an older `serve` tells of them, and takes them out of
    /// it; returns their slots' ids.
    pub fn take_within(&mut self, balancer: &mut LoadBalancer) -> Vec<String> {
        let mut ids = Vec::new();
        for group in &mut balancer.target_groups {
            for target in std::mem::take(&mut group.targets) {
                let id = RegisteredTarget::id_of(&group.id, &target.key);
                if self.version(&id).is_none_or(|version| version == WITHIN) {
                    let told = RegisteredTarget { load_balancer: balancer.id.clone(), group: group.id.clone(), target };
                    self.registered.insert(id.clone(), Registered { version: WITHIN, told });
                }
                ids.push(id);
            }
        }
        ids
    }

    /// Forgets the targets of a load balancer that it had within, but for these; returns those that were in use.
    pub fn forget_within(&mut self, balancer: &LoadBalancerArn, but: &[String]) -> Vec<Arc<Target>> {
        let but: BTreeSet<&String> = but.iter().collect();
        let is_over = |r: &Registered| r.version == WITHIN && r.told.load_balancer == *balancer;
        let over = self.registered.iter().filter(|(id, r)| is_over(r) && !but.contains(id)).map(|(id, _)| id.clone());
        over.collect::<Vec<_>>().iter().filter_map(|id| self.deregister(id)).collect()
    }

    /// Sees to it that a target of a group that is there is as it is wanted.
    fn place(&mut self, balancer: &LoadBalancer, group: &TargetGroup, id: &str, changed: &mut Changed) {
        let Some(registered) = self.registered.get(id) else { return };
        let (key, wanted) = (key_of(&registered.told), registered.told.target.clone());
        let Some(from) = interface_towards(balancer, &wanted) else { return };
        let address = SocketAddrV4::new(wanted.address, wanted.key.port);
        if !self.members.get(&key).is_some_and(|m| m.is_same(wanted.generation, address, &from)) {
            changed.gone.extend(self.admit(id, &key, group, &wanted, address, from.clone()));
            self.groups.changed(&key);
        }
        let Some(member) = self.members.get_mut(&key) else { return };
        let had = (member.target.cuts_when_unhealthy(), member.flows_last_ms);
        member.target.set_flows(group.protocol, group.flow);
        member.flows_last_ms = group.flow.unhealthy_draining_ms;
        let has = (member.target.cuts_when_unhealthy(), member.flows_last_ms);
        match &member.health {
            // They have all the time that they want.
            TargetHealth::Unhealthy { reason, draining: true } if has == (false, 0) => {
                let over = TargetHealth::Unhealthy { reason: reason.clone(), draining: false };
                member.stop_ending_flows();
                changed.reports.push(set_health(&mut self.groups, &key, member, over));
            }
            // An edge that takes over gives them their time anew, and so does a change of it.
            TargetHealth::Unhealthy { draining: true, .. } if member.flows_end.is_none() || had != has => {
                end_flows(&self.events, &key, member);
            }
            // Those that were let be have none, "unless the unhealthy target triggers the load balancer to fail open".
            TargetHealth::Unhealthy { .. }
                if !had.0 && has.0 && !self.groups.of(&key).is_some_and(|g| g.fails_open(&member.zone)) =>
            {
                end_flows(&self.events, &key, member);
            }
            _ => {}
        }
        if std::mem::replace(&mut member.mode, wanted.mode) != wanted.mode {
            self.groups.changed(&key);
        }
        let (check, version, announces) = (group.health_check.clone(), group.version, group.flow.proxy_protocol);
        let subject = Subject { check, version, announces, address: check_address(group, &wanted.key, wanted.address), from };
        changed.reports.extend(match wanted.mode {
            TargetMode::Active => self.activate(&key, subject),
            TargetMode::Draining { until } => self.drain(&key, until),
        });
    }

    /// A target that is gone. One whose deregistration delay is over leaves nothing under way, even when word of its removal
    /// comes before its own deadline has been looked at.
    fn remove(&mut self, key: &MemberKey) -> Option<Arc<Target>> {
        let member = self.members.remove(key)?;
        let is_over = matches!(member.mode, TargetMode::Draining { until } if until <= wall());
        if is_over && !member.target.keeps_flows() {
            member.target.set_cut();
        }
        self.groups.count(key, &member.zone, Some(&member.health), None);
        self.groups.changed(key);
        let is_let_be = member.target.is_let_be();
        member.target.set_standing(if is_let_be { Standing::Draining } else { Standing::Gone });
        Some(member.target.clone())
    }

    /// Takes up what was known of targets when an edge ended, or handed over. Load balancers come after it.
    pub fn restore(&mut self, targets: Vec<StoredTarget>, health: Vec<StoredHealth>) {
        for StoredTarget { version, registered: told } in targets {
            let id = RegisteredTarget::id_of(&told.group, &told.target.key);
            self.registered.insert(id, Registered { version, told });
        }
        let of = |s: StoredHealth| (RegisteredTarget::id_of(&s.group.as_str().into(), &s.target), (s.generation, s.health));
        self.remembered = health.into_iter().map(of).collect();
    }

    /// For the file on disk, and for the next edge.
    pub fn store(&self) -> Vec<StoredTarget> {
        let stored = |r: &Registered| StoredTarget { version: r.version, registered: r.told.clone() };
        self.registered.values().map(stored).collect()
    }
}

pub(super) fn key_of(told: &RegisteredTarget) -> MemberKey {
    let RegisteredTarget { load_balancer, group, target } = told;
    MemberKey { load_balancer: load_balancer.clone(), group: group.clone(), target: target.key.clone() }
}
