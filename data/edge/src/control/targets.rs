//! Every registered target with its health: what is checked, what was reported, who is draining. It does not route.

mod grouped;
mod noted;
mod passing;
mod registered;
#[cfg(test)]
mod tests;

pub use registered::{Changed, TARGETS_MAX};

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base::{LoadBalancerArn, NetworkInterfaceId, TargetGroupArn, Time};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use tokio::task::{self, AbortHandle, spawn_local};
use world::{Observation, Protocol, TargetGroup, TargetHealth, TargetKey, TargetMode};

use super::anomaly::{self, Record};
use super::compile::{check_address, interface_towards};
use super::health::{Judge, Subject, keep_checking};
use crate::clock::{now_ms, wall};
use crate::connector::Connector;
use crate::log::Writer;
use crate::log::health::{Checked, HealthLog};
use crate::route::cookie::scope_of;
use crate::target::{Standing, Target, WEIGHT_FULL};
use grouped::{GroupState, Groups};
use registered::Registered;

/// Names a registration within the whole edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberKey {
    pub load_balancer: LoadBalancerArn,
    pub group: TargetGroupArn,
    pub target: TargetKey,
}

impl MemberKey {
    /// Stands for it in cookies.
    fn scope(&self) -> u64 {
        scope_of(&[&self.group, &self.target.id, &self.target.port.to_string()])
    }
}

/// What the tasks of targets tell the control thread.
#[derive(Debug)]
pub enum TargetEvent {
    /// The task tells whether the target is still checked by it: what a task finds that was ended meanwhile is old.
    Health { key: MemberKey, task: task::Id, health: TargetHealth },
    /// A draining target's time is over; the number tells whether it is still about this registration.
    Deadline { key: MemberKey, number: u64 },
}

#[derive(Debug)]
struct Member {
    target: Arc<Target>,
    generation: u64,
    health: TargetHealth,
    zone: String,
    mode: TargetMode,
    record: Record,
    check: Option<(Subject, AbortHandle)>,
    /// Where its checks are noted, if anywhere.
    check_log: Rc<RefCell<Option<HealthLog>>>,
    draining_until: Option<(Time, AbortHandle)>,
    /// How long flows to it go on when it is unhealthy, where its group wants them to end; in milliseconds.
    flows_last_ms: u64,
    /// Waits for the end of those.
    flows_end: Option<AbortHandle>,
    /// When it came, others took their full share already.
    met_warm: bool,
}

/// All targets of all load balancers.
pub struct Targets {
    /// By slot.
    registered: BTreeMap<String, Registered>,
    /// Those of them whose groups are there.
    members: BTreeMap<MemberKey, Member>,
    groups: Groups,
    /// By slot, with its generation: the health that targets had when an edge ended.
    remembered: BTreeMap<String, (u64, TargetHealth)>,
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
        self.stop_ending_flows();
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

    fn stop_ending_flows(&mut self) {
        if let Some(task) = self.flows_end.take() {
            task.abort();
        }
    }

    fn is_checked_by(&self, task: task::Id) -> bool {
        self.check.as_ref().is_some_and(|(_, check)| check.id() == task)
    }

    fn is_same(&self, generation: u64, address: SocketAddrV4, from: &NetworkInterfaceId) -> bool {
        self.generation == generation && self.target.address == address && self.target.from == *from
    }
}

impl Targets {
    pub fn new(connector: Rc<Connector>, events: mpsc::Sender<TargetEvent>, log: Writer) -> Self {
        let (registered, members, remembered, elsewhere, logging) = Default::default();
        let (groups, log, next_number, idle) = (Groups::default(), Rc::new(log), 1, Arc::default());
        Self { registered, members, groups, remembered, next_number, connector, events, log, logging, idle, elsewhere }
    }

    fn members_of(&self, balancer: &LoadBalancerArn, group: &TargetGroupArn) -> impl Iterator<Item = (&MemberKey, &Member)> {
        let (balancer, group) = (balancer.clone(), group.clone());
        let target = TargetKey { id: String::new(), port: 0 };
        let first = MemberKey { load_balancer: balancer.clone(), group: group.clone(), target };
        self.members.range(first..).take_while(move |(key, _)| key.load_balancer == balancer && key.group == group)
    }

    /// A new registration; returns the one that it replaces.
    fn admit(
        &mut self,
        slot: &str,
        key: &MemberKey,
        group: &TargetGroup,
        wanted: &world::Target,
        address: SocketAddrV4,
        from: NetworkInterfaceId,
    ) -> Option<Arc<Target>> {
        let (generation, zone) = (wanted.generation, wanted.zone.clone());
        let mut target = Target::new(self.next_number, key.scope(), address, from, self.idle.clone());
        target.secure = matches!(group.protocol, Protocol::Https | Protocol::Tls);
        let target = Arc::new(target);
        self.next_number += 1;
        let old = self.members.remove(key);
        // The same registration under another address or interface keeps what is known of it.
        let known = old.as_ref().filter(|m| m.generation == generation).map(|m| m.health.clone());
        let remembered = self.remembered.remove(slot).filter(|(of, _)| *of == generation).map(|(_, health)| health);
        let health = known.or(remembered).unwrap_or(TargetHealth::Initial);
        target.set_standing(standing_of(&health));
        if let Some(old) = &old {
            self.groups.count(key, &old.zone, Some(&old.health), None);
        }
        self.groups.count(key, &zone, None, Some(&health));
        let met_warm = self.has_warm(key);
        self.members.insert(
            key.clone(),
            Member {
                target,
                generation,
                health,
                zone,
                mode: wanted.mode,
                record: Record::default(),
                check: None,
                check_log: Rc::default(),
                draining_until: None,
                flows_last_ms: group.flow.unhealthy_draining_ms,
                flows_end: None,
                met_warm,
            },
        );
        old.map(|m| m.target.clone()).inspect(|t| t.set_standing(Standing::Draining))
    }

    /// Sees to it that a target is checked as its group wants it.
    fn activate(&mut self, key: &MemberKey, subject: Subject) -> Option<Observation> {
        let member = self.members.get_mut(key)?;
        let mut report = None;
        if matches!(member.health, TargetHealth::Draining | TargetHealth::Drained) {
            member.stop_draining();
            report = Some(TargetHealth::Initial);
        }
        if !subject.check.enabled {
            member.stop_checking();
            report = (member.health != TargetHealth::Healthy).then_some(TargetHealth::Healthy);
        }
        let report = report.map(|health| set_health(&mut self.groups, key, member, health));
        let as_wanted = member.check.as_ref().is_some_and(|(checked, task)| *checked == subject && !task.is_finished());
        if subject.check.enabled && !as_wanted {
            member.stop_checking();
            let judge = Judge::new(member.health.clone());
            let (events, key, target) = (self.events.clone(), key.clone(), member.target.clone());
            let changed = async move |health| {
                let _ = events.send(TargetEvent::Health { key: key.clone(), task: task::id(), health }).await;
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
        member.stop_ending_flows();
        let waiting = deadline(&self.events, key, member, Duration::from_millis(until.ms_since(wall())));
        member.draining_until = Some((until, waiting));
        (member.health != TargetHealth::Draining).then(|| set_health(&mut self.groups, key, member, TargetHealth::Draining))
    }

    /// Takes in what a target's task has found; returns what is to be reported, and the target when it must be cut.
    pub fn observe(&mut self, event: TargetEvent) -> (Option<Observation>, Option<u64>) {
        match event {
            TargetEvent::Health { key, task, health } => {
                let warms = health == TargetHealth::Healthy && self.warms(&key);
                let Some(member) = self.members.get_mut(&key).filter(|m| m.is_checked_by(task)) else { return (None, None) };
                let was_healthy = member.health == TargetHealth::Healthy;
                // Where it has another reason than before, its flows have the time that they had.
                let health = match (health, &member.health) {
                    (TargetHealth::Unhealthy { reason, .. }, TargetHealth::Unhealthy { draining, .. }) => {
                        TargetHealth::Unhealthy { reason, draining: *draining }
                    }
                    (health, _) => health,
                };
                if member.health == health {
                    return (None, None);
                }
                if warms {
                    member.target.warm_from(now_ms());
                }
                let mut report = set_health(&mut self.groups, &key, member, health.clone());
                let TargetHealth::Unhealthy { reason, .. } = health else {
                    member.stop_ending_flows();
                    return (Some(report), None);
                };
                // One that was not healthy before has no flows that end by this.
                // "Unless the unhealthy target triggers the load balancer to fail open" ("ELB User Guide, Health checks for
                // Network Load Balancer target groups"): new connections would come to the same target.
                if !was_healthy || self.groups.of(&key).is_some_and(|group| group.fails_open(&member.zone)) {
                    return (Some(report), None);
                }
                let cut = member.target.cuts_when_unhealthy();
                if !cut && member.flows_last_ms > 0 {
                    report = set_health(&mut self.groups, &key, member, TargetHealth::Unhealthy { reason, draining: true });
                    end_flows(&self.events, &key, member);
                }
                (Some(report), cut.then_some(member.target.number))
            }
            TargetEvent::Deadline { key, number } => {
                let Some(member) = self.members.get_mut(&key).filter(|m| m.target.number == number) else { return (None, None) };
                if let TargetHealth::Unhealthy { reason, draining: true } = &member.health {
                    let over = TargetHealth::Unhealthy { reason: reason.clone(), draining: false };
                    return (Some(set_health(&mut self.groups, &key, member, over)), Some(number));
                }
                if member.health != TargetHealth::Draining {
                    let cut = matches!(member.health, TargetHealth::Unhealthy { .. }) && member.target.cuts_when_unhealthy();
                    return (None, cut.then_some(number));
                }
                let cut = !member.target.keeps_flows();
                if cut {
                    member.target.set_cut();
                }
                (Some(set_health(&mut self.groups, &key, member, TargetHealth::Drained)), cut.then_some(number))
            }
        }
    }

    /// Whether a target that becomes healthy begins slowly: those that came into an empty group together do not ("ELB User Guide,
    /// Edit target group attributes: slow start").
    fn warms(&self, key: &MemberKey) -> bool {
        let met_warm = |member: &Member| member.met_warm || member.health != TargetHealth::Initial;
        self.members.get(key).is_some_and(met_warm) && self.has_warm(key)
    }

    /// Whether its group starts targets slowly and another one is healthy "that is not in slow start mode".
    fn has_warm(&self, key: &MemberKey) -> bool {
        let slow_start_ms = self.groups.of(key).map_or(0, |group| group.wanted.slow_start_ms);
        if slow_start_ms == 0 {
            return false;
        }
        let is_warm = |member: &Member| member.health == TargetHealth::Healthy && member.target.is_warm(now_ms(), slow_start_ms);
        let mut members = self.members_of(&key.load_balancer, &key.group);
        members.any(|(other, member)| other != key && is_warm(member))
    }

    /// Whether any group has enough targets for one to stand out, or one does so since there were enough.
    pub fn can_stand_out(&self) -> bool {
        self.members.len() >= anomaly::TARGETS_MIN || self.members.values().any(|member| member.record.anomalous)
    }

    /// Looks at what became of the requests to each target; returns what is to be reported.
    pub fn look_for_anomalies(&mut self) -> Vec<Observation> {
        let mut reports = Vec::new();
        let mut members: Vec<(&MemberKey, &mut Member)> = self.members.iter_mut().collect();
        for group in members.chunk_by_mut(|(a, _), (b, _)| a.load_balancer == b.load_balancer && a.group == b.group) {
            let (key, _) = &group[0];
            let Some(mitigates) = self.groups.of(key).map(GroupState::mitigates) else { continue };
            let before: Vec<(bool, bool)> = group.iter().map(|(_, m)| (m.record.anomalous, m.record.mitigated)).collect();
            for (_, member) in group.iter_mut() {
                member.record.read(member.target.record());
                member.record.anomalous &= member.health == TargetHealth::Healthy;
            }
            let healthy = group.iter_mut().filter(|(_, member)| member.health == TargetHealth::Healthy);
            anomaly::judge(&mut healthy.map(|(_, member)| &mut member.record).collect::<Vec<_>>());
            for ((key, member), before) in group.iter_mut().zip(before) {
                let anomalous = member.record.anomalous;
                member.record.mitigated = anomalous && mitigates;
                let weight = if mitigates { anomaly::next_weight(member.target.weight(), anomalous) } else { WEIGHT_FULL };
                member.target.set_weight(weight);
                if (anomalous, member.record.mitigated) != before {
                    tracing::info!(group = %key.group, target = key.target.id, port = key.target.port, anomalous, "target anomaly");
                    reports.push(report_anomaly(key, member));
                }
            }
        }
        reports
    }

    /// Draining targets that have nothing left to do.
    pub fn drained(&mut self) -> Vec<Observation> {
        let is_over = |m: &Member| m.health == TargetHealth::Draining && m.target.outstanding() == 0;
        let done = self.members.iter_mut().filter(|(key, m)| is_over(m) && !self.elsewhere.contains(key));
        done.map(|(key, member)| set_health(&mut self.groups, key, member, TargetHealth::Drained)).collect()
    }

    /// The present health of everything. Of anomalies that an edge before this one has told, this one may know nothing.
    pub fn report_all(&self) -> Vec<Observation> {
        let anomalies = self.members.iter().map(|(key, member)| report_anomaly(key, member));
        self.members.iter().map(|(key, member)| report(key, member)).chain(anomalies).collect()
    }

    /// Numbers of the targets whose idle connections may be kept.
    pub fn connectable(&self) -> impl Iterator<Item = u64> {
        self.members.values().filter(|m| m.target.standing() != Standing::Draining).map(|m| m.target.number)
    }
}

/// Has a target looked at again after this time.
fn deadline(events: &mpsc::Sender<TargetEvent>, key: &MemberKey, member: &Member, wait: Duration) -> AbortHandle {
    let (events, number, key) = (events.clone(), member.target.number, key.clone());
    let waiting = spawn_local(async move {
        tokio::time::sleep(wait).await;
        let _ = events.send(TargetEvent::Deadline { key, number }).await;
    });
    waiting.abort_handle()
}

/// Flows to an unhealthy target have so much time from now on.
fn end_flows(events: &mpsc::Sender<TargetEvent>, key: &MemberKey, member: &mut Member) {
    member.stop_ending_flows();
    member.flows_end = Some(deadline(events, key, member, Duration::from_millis(member.flows_last_ms)));
}

fn standing_of(health: &TargetHealth) -> Standing {
    match health {
        TargetHealth::Initial => Standing::Initial,
        TargetHealth::Healthy => Standing::Healthy,
        TargetHealth::Unhealthy { draining: true, .. } => Standing::Lingering,
        TargetHealth::Unhealthy { .. } => Standing::Unhealthy,
        TargetHealth::Draining | TargetHealth::Drained => Standing::Draining,
    }
}

fn set_health(groups: &mut Groups, key: &MemberKey, member: &mut Member, health: TargetHealth) -> Observation {
    tracing::info!(group = %key.group, target = key.target.id, port = key.target.port, ?health, "target health");
    groups.count(key, &member.zone, Some(&member.health), Some(&health));
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

fn report_anomaly(key: &MemberKey, member: &Member) -> Observation {
    Observation::TargetAnomaly {
        load_balancer: key.load_balancer.clone(),
        group: key.group.clone(),
        target: key.target.clone(),
        generation: member.generation,
        anomalous: member.record.anomalous,
        mitigated: member.record.mitigated,
    }
}
