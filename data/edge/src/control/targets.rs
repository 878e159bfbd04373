//! Every registered target with its health: what is checked, what was reported, who is draining. It does not route.

mod noted;
mod passing;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use base::{LoadBalancerArn, NetworkInterfaceId, TargetGroupArn, Time};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, spawn_local};
use world::{Algorithm, LoadBalancer, MinimumHealthy, Observation, Protocol, TargetGroup, TargetHealth, TargetKey, TargetMode};

use super::anomaly::{self, Record};
use super::compile::{check_address, interface_towards};
use super::health::{Judge, Subject, keep_checking};
use super::store::StoredHealth;
use crate::clock::{now_ms, wall};
use crate::connector::Connector;
use crate::log::Writer;
use crate::log::health::{Checked, HealthLog};
use crate::metrics::GroupCounters;
use crate::route::cookie::{Sealer, scope_of};
use crate::route::session::Sticky;
use crate::target::{FailOpen, Group, Reach, Standing, Target};

/// Names a registration within the whole edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberKey {
    pub load_balancer: LoadBalancerArn,
    pub group: TargetGroupArn,
    pub target: TargetKey,
}

/// What the tasks of targets tell the control thread; the number tells whether it is still about this registration.
#[derive(Debug)]
pub enum TargetEvent {
    Health {
        key: MemberKey,
        number: u64,
        health: TargetHealth,
    },
    /// A draining target's time is over.
    Deadline {
        key: MemberKey,
        number: u64,
    },
}

#[derive(Debug)]
struct Member {
    target: Arc<Target>,
    generation: u64,
    health: TargetHealth,
    zone: String,
    record: Record,
    check: Option<(Subject, AbortHandle)>,
    /// Where its checks are noted, if anywhere.
    check_log: Rc<RefCell<Option<HealthLog>>>,
    draining_until: Option<(Time, AbortHandle)>,
}

#[derive(Debug)]
struct GroupState {
    turn: Arc<AtomicUsize>,
    fail_open: Arc<FailOpen>,
    thresholds: Thresholds,
}

/// All targets of all load balancers.
pub struct Targets {
    members: BTreeMap<MemberKey, Member>,
    groups: BTreeMap<(LoadBalancerArn, TargetGroupArn), GroupState>,
    next_number: u64,
    connector: Rc<Connector>,
    events: mpsc::Sender<TargetEvent>,
    log: Rc<Writer>,
    /// Load balancers that have their checks noted.
    logging: BTreeSet<LoadBalancerArn>,
    /// Told when a draining target's last request ends.
    pub idle: Arc<Notify>,
    /// At these the edge before this one has requests under way.
    elsewhere: BTreeSet<MemberKey>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop_checking();
        self.stop_draining();
    }
}

impl Member {
    fn stop_checking(&mut self) {
        if let Some((_, task)) = self.check.take() {
            task.abort();
        }
    }

    fn stop_draining(&mut self) {
        if let Some((_, task)) = self.draining_until.take() {
            task.abort();
        }
    }

    fn is_same(&self, generation: u64, address: SocketAddrV4, from: &NetworkInterfaceId) -> bool {
        self.generation == generation && self.target.address == address && self.target.from == *from
    }
}

impl Targets {
    pub fn new(connector: Rc<Connector>, events: mpsc::Sender<TargetEvent>, log: Writer) -> Self {
        let (members, groups, elsewhere, logging) = Default::default();
        let (log, next_number, idle) = (Rc::new(log), 1, Arc::default());
        Self { members, groups, next_number, connector, events, log, logging, idle, elsewhere }
    }

    /// Takes in a load balancer's targets; returns what is to be reported and the targets that are gone.
    pub fn update(&mut self, balancer: &LoadBalancer, remembered: &[StoredHealth]) -> (Vec<Observation>, Vec<Arc<Target>>) {
        let mut reports = Vec::new();
        let mut gone = Vec::new();
        let mut there = BTreeSet::new();
        for group in &balancer.target_groups {
            let thresholds = Thresholds::of(balancer, group);
            let fail_open = || Arc::new(FailOpen::new(balancer.nodes.len()));
            let id = (balancer.id.clone(), group.id.clone());
            let new = || GroupState { turn: Arc::default(), fail_open: fail_open(), thresholds: thresholds.clone() };
            let state = self.groups.entry(id).or_insert_with(new);
            if state.thresholds != thresholds {
                (state.fail_open, state.thresholds) = (fail_open(), thresholds);
            }
            for wanted in &group.targets {
                let key = MemberKey { load_balancer: balancer.id.clone(), group: group.id.clone(), target: wanted.key.clone() };
                there.insert(key.clone());
                let Some(from) = interface_towards(balancer, wanted) else { continue };
                let address = SocketAddrV4::new(wanted.address, wanted.key.port);
                if !self.members.get(&key).is_some_and(|m| m.is_same(wanted.generation, address, &from)) {
                    let remembered = remembered.iter().find(|r| is_about(r, &key, wanted.generation)).map(|r| r.health.clone());
                    let old = self.admit(&key, group, wanted, address, from.clone(), remembered);
                    gone.extend(old);
                }
                self.members.get(&key).inspect(|member| member.target.set_flows(group.protocol, group.flow));
                let (check, version) = (group.health_check.clone(), group.version);
                let subject = Subject { check, version, address: check_address(group, wanted), from };
                match wanted.mode {
                    TargetMode::Active => reports.extend(self.activate(&key, group, subject)),
                    TargetMode::Draining { until } => reports.extend(self.drain(&key, until)),
                }
            }
        }
        gone.extend(self.remove_where(|key| key.load_balancer == balancer.id && !there.contains(key)));
        let groups: BTreeSet<&TargetGroupArn> = balancer.target_groups.iter().map(|g| &g.id).collect();
        self.groups.retain(|(of, group), _| *of != balancer.id || groups.contains(group));
        balancer.target_groups.iter().for_each(|group| self.weigh(&balancer.id, &group.id));
        (reports, gone)
    }

    /// Forgets a load balancer; returns its targets.
    pub fn forget(&mut self, balancer: &str) -> Vec<Arc<Target>> {
        self.groups.retain(|(of, _), _| *of != *balancer);
        self.remove_where(|key| key.load_balancer == *balancer)
    }

    fn remove_where(&mut self, gone: impl Fn(&MemberKey) -> bool) -> Vec<Arc<Target>> {
        let keys: Vec<MemberKey> = self.members.keys().filter(|key| gone(key)).cloned().collect();
        let removed = keys.iter().filter_map(|key| self.members.remove(key));
        removed.map(|m| m.target.clone()).inspect(|t| t.set_standing(Standing::Draining)).collect()
    }

    /// A new registration; returns the one that it replaces.
    fn admit(
        &mut self,
        key: &MemberKey,
        group: &TargetGroup,
        wanted: &world::Target,
        address: SocketAddrV4,
        from: NetworkInterfaceId,
        remembered: Option<TargetHealth>,
    ) -> Option<Arc<Target>> {
        let (generation, zone) = (wanted.generation, wanted.zone.clone());
        let scope = scope_of(&[&key.group, &key.target.id, &key.target.port.to_string()]);
        let mut target = Target::new(self.next_number, scope, address, from, self.idle.clone());
        target.secure = matches!(group.protocol, Protocol::Https | Protocol::Tls);
        let target = Arc::new(target);
        self.next_number += 1;
        let old = self.members.remove(key);
        // The same registration under another address or interface keeps what is known of it.
        let known = old.as_ref().filter(|m| m.generation == generation).map(|m| m.health.clone());
        let health = known.or(remembered).unwrap_or(TargetHealth::Initial);
        target.set_standing(standing_of(&health));
        self.members.insert(
            key.clone(),
            Member {
                target,
                generation,
                health,
                zone,
                record: Record::default(),
                check: None,
                check_log: Rc::default(),
                draining_until: None,
            },
        );
        old.map(|m| m.target.clone()).inspect(|t| t.set_standing(Standing::Draining))
    }

    /// Sees to it that a target is checked as its group wants it.
    fn activate(&mut self, key: &MemberKey, group: &TargetGroup, subject: Subject) -> Option<Observation> {
        let member = self.members.get_mut(key)?;
        let mut report = None;
        if matches!(member.health, TargetHealth::Draining | TargetHealth::Drained) {
            member.stop_draining();
            report = Some(TargetHealth::Initial);
        }
        if !group.health_check.enabled {
            member.stop_checking();
            report = (member.health != TargetHealth::Healthy).then_some(TargetHealth::Healthy);
        }
        let report = report.map(|health| set_health(key, member, health));
        let as_wanted = member.check.as_ref().is_some_and(|(checked, task)| *checked == subject && !task.is_finished());
        if group.health_check.enabled && !as_wanted {
            member.stop_checking();
            let judge = Judge::new(member.health.clone());
            let (events, key, target) = (self.events.clone(), key.clone(), member.target.clone());
            let number = target.number;
            let changed = async move |health| {
                let _ = events.send(TargetEvent::Health { key: key.clone(), number, health }).await;
            };
            let (log, place) = (self.log.clone(), member.check_log.clone());
            let checked = move |checked: &Checked<'_>| {
                if checked.outcome.is_ok() {
                    target.call_back();
                }
                if let Some(place) = &*place.borrow() {
                    place.note(&log, checked);
                }
            };
            let checks = keep_checking(subject.clone(), self.connector.clone(), judge, changed, checked);
            member.check = Some((subject, spawn_local(checks).abort_handle()));
        }
        report
    }

    /// Gives a target no new requests, and begins to wait for its end.
    fn drain(&mut self, key: &MemberKey, until: Time) -> Option<Observation> {
        let member = self.members.get_mut(key)?;
        if member.health == TargetHealth::Drained || member.draining_until.as_ref().is_some_and(|(u, _)| *u == until) {
            return None;
        }
        member.stop_checking();
        member.stop_draining();
        member.target.set_deregistered();
        let (events, number, event_key) = (self.events.clone(), member.target.number, key.clone());
        let wait = Duration::from_millis(until.ms_since(wall()));
        let waiting = spawn_local(async move {
            tokio::time::sleep(wait).await;
            let _ = events.send(TargetEvent::Deadline { key: event_key, number }).await;
        });
        member.draining_until = Some((until, waiting.abort_handle()));
        (member.health != TargetHealth::Draining).then(|| set_health(key, member, TargetHealth::Draining))
    }

    /// Takes in what a target's task has found; returns what is to be reported, and the target when it must be cut.
    pub fn observe(&mut self, event: TargetEvent, slow_start: impl Fn(&MemberKey) -> u64) -> (Option<Observation>, Option<u64>) {
        match event {
            TargetEvent::Health { key, number, health } => {
                let warms = health == TargetHealth::Healthy && slow_start(&key) > 0 && self.has_healthy_sibling(&key);
                let Some(member) = self.members.get_mut(&key).filter(|m| m.target.number == number) else { return (None, None) };
                if member.draining_until.is_some() || member.health == health {
                    return (None, None);
                }
                if warms {
                    member.target.warm_from(now_ms());
                }
                let report = set_health(&key, member, health);
                let cut = member.target.standing() == Standing::Unhealthy && member.target.cuts_when_unhealthy();
                self.weigh(&key.load_balancer, &key.group);
                (Some(report), cut.then_some(number))
            }
            TargetEvent::Deadline { key, number } => {
                let Some(member) = self.members.get_mut(&key).filter(|m| m.target.number == number) else { return (None, None) };
                if member.health != TargetHealth::Draining {
                    return (None, None);
                }
                let cut = !member.target.keeps_flows();
                if cut {
                    member.target.set_cut();
                }
                (Some(set_health(&key, member, TargetHealth::Drained)), cut.then_some(number))
            }
        }
    }

    /// Takes a group's health to its nodes: whether there are so few healthy targets that all get requests.
    fn weigh(&self, balancer: &LoadBalancerArn, group: &TargetGroupArn) {
        let Some(state) = self.groups.get(&(balancer.clone(), group.clone())) else { return };
        for (node, zone) in state.thresholds.zones.iter().enumerate() {
            let (healthy, all) = self.count(balancer, group, (!state.thresholds.cross_zone).then_some(zone));
            state.fail_open.set(node, is_below(state.thresholds.fail_open, healthy, all));
        }
    }

    /// Healthy targets, and all that are not draining; of one zone, or of all.
    fn count(&self, balancer: &LoadBalancerArn, group: &TargetGroupArn, zone: Option<&String>) -> (usize, usize) {
        let (id, port) = Default::default();
        let first = MemberKey { load_balancer: balancer.clone(), group: group.clone(), target: TargetKey { id, port } };
        let of_group = self.members.range(first..).take_while(|(key, _)| key.load_balancer == *balancer && key.group == *group);
        let there = of_group.map(|(_, m)| m).filter(|m| zone.is_none_or(|z| m.zone == *z));
        let counting = there.filter(|m| m.target.standing() != Standing::Draining);
        counting.fold((0, 0), |(healthy, all), m| (healthy + usize::from(m.health == TargetHealth::Healthy), all + 1))
    }

    /// Whether any group has enough targets for one to stand out.
    pub fn can_stand_out(&self) -> bool {
        self.members.len() >= anomaly::TARGETS_MIN
    }

    /// Looks at what became of the requests to each target; returns what is to be reported.
    pub fn look_for_anomalies(&mut self) -> Vec<Observation> {
        let mut reports = Vec::new();
        let mut members: Vec<(&MemberKey, &mut Member)> = self.members.iter_mut().collect();
        for group in members.chunk_by_mut(|(a, _), (b, _)| a.load_balancer == b.load_balancer && a.group == b.group) {
            let (key, _) = &group[0];
            let Some(state) = self.groups.get(&(key.load_balancer.clone(), key.group.clone())) else { continue };
            let mitigates = state.thresholds.mitigates;
            let before: Vec<bool> = group.iter().map(|(_, member)| member.record.anomalous).collect();
            for (_, member) in group.iter_mut() {
                member.record.read(member.target.record());
                member.record.anomalous &= member.health == TargetHealth::Healthy;
            }
            let healthy = group.iter_mut().filter(|(_, member)| member.health == TargetHealth::Healthy);
            anomaly::judge(&mut healthy.map(|(_, member)| &mut member.record).collect::<Vec<_>>());
            for ((key, member), before) in group.iter().zip(before) {
                let anomalous = member.record.anomalous;
                let weight = anomaly::next_weight(member.target.weight(), anomalous && mitigates);
                member.target.set_weight(weight);
                if anomalous != before {
                    tracing::info!(group = %key.group, target = key.target.id, port = key.target.port, anomalous, "target anomaly");
                    reports.push(report_anomaly(key, member, mitigates));
                }
            }
        }
        reports
    }

    /// Zones of a load balancer that have too few healthy targets for users to be sent there ("ELB User Guide, Target group
    /// health: DNS failover"). Where nodes send to all zones, a group is as healthy in one as in another.
    pub fn failed_zones(&self, balancer: &LoadBalancer) -> Vec<String> {
        let is_low = |zone: &String| {
            balancer.target_groups.iter().any(|group| {
                let (healthy, all) = self.count(&balancer.id, &group.id, (!group.cross_zone).then_some(zone));
                all > 0 && is_below(group.dns_failover, healthy, all)
            })
        };
        balancer.nodes.iter().map(|n| &n.zone).filter(|zone| is_low(zone)).cloned().collect()
    }

    fn has_healthy_sibling(&self, key: &MemberKey) -> bool {
        let same_group = |other: &MemberKey| other.load_balancer == key.load_balancer && other.group == key.group;
        self.members.iter().any(|(other, m)| other != key && same_group(other) && m.health == TargetHealth::Healthy)
    }

    /// Draining targets that have nothing left to do.
    pub fn drained(&mut self) -> Vec<Observation> {
        let is_over = |m: &Member| m.health == TargetHealth::Draining && m.target.outstanding() == 0;
        let done = self.members.iter_mut().filter(|(key, m)| is_over(m) && !self.elsewhere.contains(key));
        done.map(|(key, member)| set_health(key, member, TargetHealth::Drained)).collect()
    }

    /// The present health of everything.
    pub fn report_all(&self) -> Vec<Observation> {
        let mitigates = |key: &MemberKey| {
            self.groups.get(&(key.load_balancer.clone(), key.group.clone())).is_some_and(|state| state.thresholds.mitigates)
        };
        let anomalous = self.members.iter().filter(|(_, member)| member.record.anomalous);
        let anomalies = anomalous.map(|(key, member)| report_anomaly(key, member, mitigates(key)));
        self.members.iter().map(|(key, member)| report(key, member)).chain(anomalies).collect()
    }

    /// A group as the workers route to it.
    pub fn compile(
        &self,
        balancer: &LoadBalancer,
        group: &TargetGroup,
        counters: Vec<Arc<GroupCounters>>,
        sealer: &Arc<Sealer>,
    ) -> Option<Arc<Group>> {
        let state = self.groups.get(&(balancer.id.clone(), group.id.clone()))?;
        let member = |key: &TargetKey| {
            let key = MemberKey { load_balancer: balancer.id.clone(), group: group.id.clone(), target: key.clone() };
            self.members.get(&key).map(|m| m.target.clone())
        };
        let active = || group.targets.iter().filter(|t| t.mode == TargetMode::Active);
        let within = |zone: &str| active().filter(|t| t.zone == zone).filter_map(|t| member(&t.key)).collect();
        let targets = match group.cross_zone {
            true => Reach::All(active().filter_map(|t| member(&t.key)).collect()),
            false => Reach::ByNode(balancer.nodes.iter().map(|node| within(&node.zone)).collect()),
        };
        Some(Arc::new(Group {
            id: group.id.as_str().into(),
            version: group.version,
            algorithm: group.algorithm,
            slow_start_ms: group.slow_start_ms,
            scope: scope_of(&[&group.id]),
            sticky: group.stickiness.clone().map(|by| Sticky { by, sealer: sealer.clone() }),
            targets,
            fail_open: state.fail_open.clone(),
            turn: state.turn.clone(),
            counters,
        }))
    }

    /// Numbers of the targets whose idle connections may be kept.
    pub fn connectable(&self) -> impl Iterator<Item = u64> {
        self.members.values().filter(|m| m.target.standing() != Standing::Draining).map(|m| m.target.number)
    }
}

/// What a group's targets are judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Thresholds {
    /// Of the load balancer's nodes.
    zones: Vec<String>,
    cross_zone: bool,
    fail_open: MinimumHealthy,
    /// Anomalous targets get fewer requests.
    mitigates: bool,
}

impl Thresholds {
    fn of(balancer: &LoadBalancer, group: &TargetGroup) -> Self {
        let zones = balancer.nodes.iter().map(|n| n.zone.clone()).collect();
        let mitigates = group.anomaly_mitigation && group.algorithm == Algorithm::WeightedRandom;
        Self { zones, cross_zone: group.cross_zone, fail_open: group.fail_open, mitigates }
    }
}

/// Whether fewer targets are healthy than either threshold wants.
fn is_below(wanted: MinimumHealthy, healthy: usize, all: usize) -> bool {
    let few = wanted.count.is_some_and(|count| healthy < count as usize);
    few || wanted.percent.is_some_and(|percent| healthy * 100 < percent as usize * all)
}

fn is_about(remembered: &StoredHealth, key: &MemberKey, generation: u64) -> bool {
    *key.load_balancer == *remembered.load_balancer
        && *key.group == *remembered.group
        && key.target == remembered.target
        && generation == remembered.generation
}

fn standing_of(health: &TargetHealth) -> Standing {
    match health {
        TargetHealth::Initial => Standing::Initial,
        TargetHealth::Healthy => Standing::Healthy,
        TargetHealth::Unhealthy { .. } => Standing::Unhealthy,
        TargetHealth::Draining | TargetHealth::Drained => Standing::Draining,
    }
}

fn set_health(key: &MemberKey, member: &mut Member, health: TargetHealth) -> Observation {
    tracing::info!(group = %key.group, target = key.target.id, port = key.target.port, ?health, "target health");
    member.health = health;
    member.target.set_standing(standing_of(&member.health));
    report(key, member)
}

fn report(key: &MemberKey, member: &Member) -> Observation {
    Observation::Target {
        load_balancer: key.load_balancer.clone(),
        group: key.group.clone(),
        target: key.target.clone(),
        generation: member.generation,
        health: member.health.clone(),
    }
}

fn report_anomaly(key: &MemberKey, member: &Member, mitigates: bool) -> Observation {
    Observation::TargetAnomaly {
        load_balancer: key.load_balancer.clone(),
        group: key.group.clone(),
        target: key.target.clone(),
        generation: member.generation,
        anomalous: member.record.anomalous,
        mitigated: member.record.anomalous && mitigates,
    }
}
