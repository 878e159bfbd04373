//! The world's side of the simulation: takes effects, and says what is observed and when. Nothing in it repeats by
//! itself: a health check is an event only when its outcome changes, so a quiet day costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{InstanceId, Rng, Time};
use world::{
    Effect, Executor, Exit, Instance, InstanceState, LoadBalancer, Observation, Power, Slot, SlotKind, TargetGroup, TargetHealth,
    TargetKey, TargetMode, TargetReason, Want,
};

/// How long things take, each drawn evenly between two bounds in milliseconds.
#[derive(Clone, Debug)]
pub struct Delays {
    /// From an effect to its answer.
    pub apply_ms: (u64, u64),
    /// From the start of an instance to its running.
    pub boot_ms: (u64, u64),
    /// From running to an application that answers its health check.
    pub application_ms: (u64, u64),
    /// What requests under way at a draining target still take.
    pub drain_ms: (u64, u64),
}

impl Default for Delays {
    fn default() -> Self {
        Self { apply_ms: (1, 5), boot_ms: (4, 20), application_ms: (200, 1_500), drain_ms: (0, 2_000) }
    }
}

/// Something that will be observed.
#[derive(Clone, Debug)]
pub(crate) struct Coming {
    pub(crate) at: Time,
    pub(crate) what: Event,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Deliver(Effect),
    Observe(Observation),
    /// The instance's boot of this generation is done.
    Booted(InstanceId, u64),
    /// Its application answers.
    Serves(InstanceId, u64),
    /// Look at a target's health again: enough checks have passed since its outcome changed. Only the last of the
    /// checks that it takes may find a target unhealthy.
    Checked { balancer: String, group: String, key: TargetKey, generation: u64, may_fail: bool },
}

#[derive(Clone, Debug)]
struct Machine {
    wanted: Instance,
    running: bool,
    serves: bool,
}

/// The simulated machines, networks and load balancers.
#[derive(Clone, Debug)]
pub struct Model {
    pub delays: Delays,
    rng: Rng,
    applied: BTreeMap<Slot, u64>,
    machines: BTreeMap<InstanceId, Machine>,
    balancers: BTreeMap<String, LoadBalancer>,
    health: BTreeMap<(String, String, TargetKey), (u64, TargetHealth)>,
    lost_zones: BTreeSet<String>,
}

impl Model {
    pub fn new(seed: u64, delays: Delays) -> Self {
        Self {
            delays,
            rng: Rng::new(seed),
            applied: BTreeMap::new(),
            machines: BTreeMap::new(),
            balancers: BTreeMap::new(),
            health: BTreeMap::new(),
            lost_zones: BTreeSet::new(),
        }
    }

    /// Instances that run, with their zone.
    pub fn running(&self) -> impl Iterator<Item = (&InstanceId, &str)> {
        self.machines.values().filter(|m| m.running).map(|m| (&m.wanted.id, m.wanted.interface.zone.as_str()))
    }

    pub(crate) fn applied(&self, executor: Executor) -> Vec<(Slot, u64)> {
        self.applied.iter().filter(|(slot, _)| slot.kind.executor() == executor).map(|(s, v)| (s.clone(), *v)).collect()
    }

    /// The present state of everything, as an executor reports it after a connection.
    pub(crate) fn present(&self, now: Time) -> Vec<Observation> {
        let machines = self.machines.values().filter(|m| m.running).map(|m| Observation::Instance {
            id: m.wanted.id.clone(),
            generation: m.wanted.generation,
            state: InstanceState::Running,
            at: now,
        });
        let stopped = self.machines.values().filter(|m| !m.running && m.wanted.power == Power::Off).map(|m| stopped(m, Exit::Asked, now));
        let targets = self.health.iter().map(|((balancer, group, key), (generation, health))| {
            target(balancer, group, key.clone(), *generation, health.clone())
        });
        machines.chain(stopped).chain(targets).collect()
    }

    /// Applies an effect; older ones than applied are ignored.
    pub(crate) fn apply(&mut self, now: Time, effect: &Effect) -> Vec<Coming> {
        let slot = &effect.slot;
        let newest = self.applied.get(slot).copied().unwrap_or(0);
        if effect.version < newest {
            return Vec::new();
        }
        let mut coming = Vec::new();
        if effect.version > newest {
            self.applied.insert(slot.clone(), effect.version);
            match slot.kind {
                SlotKind::Network | SlotKind::Interface => {}
                SlotKind::Instance => self.apply_instance(now, effect, &mut coming),
                SlotKind::LoadBalancer => self.apply_balancer(now, effect, &mut coming),
            }
        }
        let applied = Observation::Applied { slot: slot.clone(), version: effect.version };
        coming.push(self.after(now, self.delays.apply_ms, Event::Observe(applied)));
        coming
    }

    fn apply_instance(&mut self, now: Time, effect: &Effect, coming: &mut Vec<Coming>) {
        let id = InstanceId::from(effect.slot.id.as_str());
        let Some(Want::Instance(wanted)) = &effect.want else {
            let generation = self.machines.remove(&id).map_or(0, |m| m.wanted.generation);
            self.reachability_changed(now, &id, coming);
            let gone = Observation::Instance { id, generation, state: InstanceState::Gone, at: now };
            coming.push(self.after(now, self.delays.apply_ms, Event::Observe(gone)));
            return;
        };
        let old = self.machines.get(&id);
        let newer_boot = old.is_none_or(|m| m.wanted.generation < wanted.generation);
        let was_on = old.is_some_and(|m| m.wanted.power == Power::On);
        let keeps = was_on && !newer_boot && wanted.power == Power::On;
        let (running, serves) = old.filter(|_| keeps).map_or((false, false), |m| (m.running, m.serves));
        let machine = Machine { wanted: (**wanted).clone(), running, serves };
        if wanted.power == Power::Off {
            let report = stopped(&machine, Exit::Asked, now);
            coming.push(self.after(now, self.delays.apply_ms, Event::Observe(report)));
        } else if !keeps && !self.lost_zones.contains(&wanted.interface.zone) {
            coming.push(self.after(now, self.delays.boot_ms, Event::Booted(id.clone(), wanted.generation)));
        }
        self.machines.insert(id.clone(), machine);
        self.reachability_changed(now, &id, coming);
    }

    fn apply_balancer(&mut self, now: Time, effect: &Effect, coming: &mut Vec<Coming>) {
        let id = effect.slot.id.clone();
        let Some(Want::LoadBalancer(wanted)) = &effect.want else {
            self.balancers.remove(&id);
            self.health.retain(|(balancer, _, _), _| *balancer != id);
            return;
        };
        self.balancers.insert(id.clone(), (**wanted).clone());
        let mut there = BTreeSet::new();
        for group in &wanted.target_groups {
            for member in &group.targets {
                let key = (id.clone(), group.id.to_string(), member.key.clone());
                there.insert(key.clone());
                let known = self.health.get(&key).filter(|(generation, _)| *generation == member.generation).map(|(_, h)| h.clone());
                match (member.mode, known) {
                    (TargetMode::Active, None) => {
                        self.health.insert(key, (member.generation, TargetHealth::Initial));
                        coming.push(check(now, group, &id, &member.key, member.generation, 1, false));
                        let failed_after = group.health_check.unhealthy_threshold;
                        coming.push(check(now, group, &id, &member.key, member.generation, failed_after, true));
                    }
                    (TargetMode::Draining { until }, Some(TargetHealth::Draining | TargetHealth::Drained)) => {
                        let _ = until;
                    }
                    (TargetMode::Draining { until }, _) => {
                        self.health.insert(key, (member.generation, TargetHealth::Draining));
                        let drained = target(&id, &group.id, member.key.clone(), member.generation, TargetHealth::Drained);
                        let mut end = self.after(now, self.delays.drain_ms, Event::Observe(drained));
                        end.at = end.at.min(until).max(now);
                        coming.push(end);
                    }
                    (TargetMode::Active, Some(_)) => {}
                }
            }
        }
        self.health.retain(|key, _| key.0 != id || there.contains(key));
    }

    pub(crate) fn happen(&mut self, now: Time, event: &Event) -> (Option<Observation>, Vec<Coming>) {
        let mut coming = Vec::new();
        let mut seen = None;
        match event {
            Event::Deliver(effect) => coming = self.apply(now, effect),
            Event::Observe(observation) => seen = Some(observation.clone()),
            Event::Booted(id, generation) => {
                if let Some(machine) = self.boot_of(id, *generation) {
                    machine.running = true;
                    let running = InstanceState::Running;
                    seen = Some(Observation::Instance { id: id.clone(), generation: *generation, state: running, at: now });
                    coming.push(self.after(now, self.delays.application_ms, Event::Serves(id.clone(), *generation)));
                }
            }
            Event::Serves(id, generation) => {
                if let Some(machine) = self.boot_of(id, *generation).filter(|m| m.running) {
                    machine.serves = true;
                    self.reachability_changed(now, id, &mut coming);
                }
            }
            Event::Checked { balancer, group, key, generation, may_fail } => {
                seen = self.check_outcome(balancer, group, key, *generation, *may_fail);
            }
        }
        (seen, coming)
    }

    /// Ends an instance from outside, as `kill -9` of its init does.
    pub(crate) fn kill(&mut self, now: Time, id: &InstanceId) -> Vec<Coming> {
        let mut coming = Vec::new();
        let Some(machine) = self.machines.get_mut(id).filter(|m| m.running) else { return coming };
        machine.running = false;
        machine.serves = false;
        coming.push(Coming { at: now, what: Event::Observe(stopped(machine, Exit::Signal(9), now)) });
        self.reachability_changed(now, id, &mut coming);
        coming
    }

    /// Makes an instance's application hang: it runs on, and fails its health checks.
    pub(crate) fn hang(&mut self, now: Time, id: &InstanceId) -> Vec<Coming> {
        let mut coming = Vec::new();
        if let Some(machine) = self.machines.get_mut(id) {
            machine.serves = false;
            self.reachability_changed(now, id, &mut coming);
        }
        coming
    }

    /// Takes a zone away: its instances die, and none starts there until it is back.
    pub(crate) fn lose_zone(&mut self, now: Time, zone: &str) -> Vec<Coming> {
        self.lost_zones.insert(zone.into());
        let there: Vec<InstanceId> =
            self.machines.values().filter(|m| m.running && m.wanted.interface.zone == zone).map(|m| m.wanted.id.clone()).collect();
        there.iter().flat_map(|id| self.kill(now, id)).collect()
    }

    /// Gives a zone back: what waited to start there starts.
    pub(crate) fn return_zone(&mut self, now: Time, zone: &str) -> Vec<Coming> {
        self.lost_zones.remove(zone);
        let waiting: Vec<(InstanceId, u64)> = self
            .machines
            .values()
            .filter(|m| !m.running && m.wanted.power == Power::On && m.wanted.interface.zone == zone)
            .map(|m| (m.wanted.id.clone(), m.wanted.generation))
            .collect();
        waiting.into_iter().map(|(id, generation)| self.after(now, self.delays.boot_ms, Event::Booted(id, generation))).collect()
    }

    fn boot_of(&mut self, id: &InstanceId, generation: u64) -> Option<&mut Machine> {
        let machine = self.machines.get_mut(id)?;
        let same = machine.wanted.generation == generation && machine.wanted.power == Power::On;
        (same && !self.lost_zones.contains(&machine.wanted.interface.zone)).then_some(machine)
    }

    /// After an instance began or ceased to answer: its targets' health changes once enough checks have seen it.
    fn reachability_changed(&mut self, now: Time, id: &InstanceId, coming: &mut Vec<Coming>) {
        let serves = self.machines.get(id).is_some_and(|m| m.serves);
        for (balancer, wanted) in &self.balancers {
            for group in &wanted.target_groups {
                for member in group.targets.iter().filter(|t| t.key.id == id.as_str() && t.mode == TargetMode::Active) {
                    let key = (balancer.clone(), group.id.to_string(), member.key.clone());
                    let health = self.health.get(&key).map(|(_, health)| health);
                    let checks = match (serves, health) {
                        (true, Some(TargetHealth::Initial)) => 1,
                        (true, _) => group.health_check.healthy_threshold,
                        (false, _) => group.health_check.unhealthy_threshold,
                    };
                    coming.push(check(now, group, balancer, &member.key, member.generation, checks, !serves));
                }
            }
        }
    }

    fn check_outcome(&mut self, balancer: &str, group: &str, key: &TargetKey, generation: u64, may_fail: bool) -> Option<Observation> {
        let serves = self.machines.get(key.id.as_str()).is_some_and(|m| m.serves);
        let entry = self.health.get_mut(&(balancer.into(), group.into(), key.clone())).filter(|(g, _)| *g == generation)?;
        let health = match (&entry.1, serves) {
            (TargetHealth::Initial | TargetHealth::Unhealthy { .. }, true) => TargetHealth::Healthy,
            (TargetHealth::Healthy | TargetHealth::Initial, false) if may_fail => TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks },
            _ => return None,
        };
        entry.1 = health.clone();
        Some(target(balancer, group, key.clone(), generation, health))
    }

    fn after(&mut self, now: Time, (least, most): (u64, u64), what: Event) -> Coming {
        let ms = least + self.rng.below(most.saturating_sub(least) + 1);
        Coming { at: now + Duration::from_millis(ms), what }
    }
}

fn check(now: Time, group: &TargetGroup, balancer: &str, key: &TargetKey, generation: u64, checks: u32, may_fail: bool) -> Coming {
    let interval = Duration::from_millis(group.health_check.interval_ms);
    // The first check comes at once; each further one an interval later.
    let at = now + interval * checks.saturating_sub(1) + Duration::from_millis(1);
    let what = Event::Checked { balancer: balancer.into(), group: group.id.to_string(), key: key.clone(), generation, may_fail };
    Coming { at, what }
}

fn stopped(machine: &Machine, exit: Exit, at: Time) -> Observation {
    let Instance { id, generation, .. } = &machine.wanted;
    Observation::Instance { id: id.clone(), generation: *generation, state: InstanceState::Stopped { exit }, at }
}

fn target(balancer: &str, group: &str, key: TargetKey, generation: u64, health: TargetHealth) -> Observation {
    Observation::Target { load_balancer: balancer.into(), group: group.into(), target: key, generation, health }
}
