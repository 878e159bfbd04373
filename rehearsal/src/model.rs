//! The world's side of the simulation: takes effects, and says what is observed and when. Nothing in it repeats by
//! itself: a health check is an event only when its outcome changes, so a quiet day costs nothing.

mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{InstanceId, LoadBalancerArn, Rng, TargetGroupArn, Time};
use world::{
    Destination, Effect, Executor, Exit, HealthCheck, Instance, InstanceState, IssuedCertificate, Observation, Power, PrivateKey,
    RegisteredTarget, Slot, SlotKind, TargetHealth, TargetKey, TargetReason, Want,
};

use crate::event::{Coming, Event, Registered};
use crate::standing::{Face, Part, Standing, Standpoint};

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
    /// What the world does by itself happens at multiples of this since 1970, so that much of it happens at once: 1 for exact
    /// moments.
    pub grain_ms: u64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { apply_ms: (1, 5), boot_ms: (4, 20), application_ms: (200, 1_500), drain_ms: (0, 2_000), grain_ms: 1 }
    }
}

/// An endpoint of this address takes no message.
pub const REFUSES: &str = "http://refuses.invalid/";

#[derive(Clone, Debug)]
struct Machine {
    wanted: Instance,
    /// Present state, as it is reported; none while it boots.
    state: Option<InstanceState>,
    serves: bool,
}

impl Machine {
    fn runs(&self) -> bool {
        self.state == Some(InstanceState::Running)
    }

    /// On its way up, in a boot that has neither succeeded nor failed.
    fn boots(&self) -> bool {
        self.state.is_none() && self.wanted.power == Power::On
    }
}

/// A target's present health in one load balancer.
#[derive(Clone, Debug)]
struct Health {
    generation: u64,
    health: TargetHealth,
    active: bool,
    check: HealthCheck,
}

/// The simulated machines, networks and load balancers.
#[derive(Clone, Debug)]
pub struct Model {
    pub delays: Delays,
    /// Of a thousand boots so many fail.
    pub broken_boots: u64,
    /// Of a thousand deliveries so many are refused.
    pub broken_deliveries: u64,
    rng: Rng,
    applied: BTreeMap<Slot, u64>,
    machines: BTreeMap<InstanceId, Machine>,
    balancers: BTreeMap<LoadBalancerArn, Face>,
    /// How the targets of load balancers' groups are checked.
    checks: BTreeMap<(LoadBalancerArn, TargetGroupArn), HealthCheck>,
    /// Targets by their slots' ids, also of load balancers that are not there yet.
    targets: BTreeMap<String, RegisteredTarget>,
    /// Counts changes of the faces.
    faces_version: u64,
    /// Instances whose standing may have changed since the load last looked; none while there is no load.
    touched: Option<BTreeSet<InstanceId>>,
    /// Ordered by target first, so that all about one instance stands together.
    health: BTreeMap<Registered, Health>,
    lost_zones: BTreeSet<String>,
}

impl Model {
    pub fn new(seed: u64, delays: Delays) -> Self {
        Self {
            delays,
            broken_boots: 0,
            broken_deliveries: 0,
            rng: Rng::new(seed),
            applied: BTreeMap::new(),
            machines: BTreeMap::new(),
            balancers: BTreeMap::new(),
            checks: BTreeMap::new(),
            targets: BTreeMap::new(),
            faces_version: 1,
            touched: None,
            health: BTreeMap::new(),
            lost_zones: BTreeSet::new(),
        }
    }

    /// Instances that run, with their zone.
    pub fn running(&self) -> impl Iterator<Item = (&InstanceId, &str)> {
        self.machines.values().filter(|m| m.runs()).map(|m| (&m.wanted.id, m.wanted.interface.zone.as_str()))
    }

    /// Everything that exists in the world now.
    pub fn existing(&self) -> impl Iterator<Item = Slot> {
        let balancers = self.balancers.keys().map(|id| Slot::new(SlotKind::LoadBalancer, id.as_str()));
        let targets = self.targets.keys().map(|id| Slot::new(SlotKind::Target, id.as_str()));
        self.machines.keys().map(|id| Slot::new(SlotKind::Instance, id.as_str())).chain(balancers).chain(targets)
    }

    /// How many targets the load balancers send requests to now that answer them.
    pub fn healthy_targets(&self) -> usize {
        let answers = |at: &Registered, h: &Health| h.active && h.health == TargetHealth::Healthy && self.serves(&at.key.id);
        self.health.iter().filter(|(at, h)| answers(at, h)).count()
    }

    /// Whether the instance runs and its application answers.
    pub fn serves(&self, id: &str) -> bool {
        self.machines.get(id).is_some_and(|m| m.runs() && m.serves)
    }

    /// Begins to note for a load what changes.
    pub(crate) fn watch(&mut self) {
        self.touched = Some(self.machines.keys().cloned().collect());
    }

    pub(crate) fn take_touched(&mut self) -> BTreeSet<InstanceId> {
        self.touched.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn touch(&mut self, id: &str) {
        if let Some(touched) = &mut self.touched
            && !touched.contains(id)
        {
            touched.insert(self.machines.get_key_value(id).map_or_else(|| id.into(), |(id, _)| id.clone()));
        }
    }

    pub(crate) fn faces(&self) -> impl Iterator<Item = (&LoadBalancerArn, &Face)> {
        self.balancers.iter()
    }

    pub(crate) fn faces_version(&self) -> u64 {
        self.faces_version
    }

    /// How an instance stands now; none when it does not run.
    pub(crate) fn standing(&self, id: &str) -> Option<Standing<'_>> {
        let machine = self.machines.get(id).filter(|m| m.runs())?;
        let part = |h: &Health| match (h.active, &h.health) {
            (false, _) => Part::Draining,
            (true, TargetHealth::Healthy) => Part::Healthy,
            (true, _) => Part::Unhealthy,
        };
        let from = first_of(id);
        let all = self.health.range(from..).take_while(|(at, _)| at.key.id == id);
        let roles = all.map(|(at, h)| Standpoint { balancer: &at.balancer, group: &at.group, part: part(h) }).collect();
        Some(Standing { millicores: machine.wanted.cpu_millicores, serves: machine.serves, roles })
    }

    pub(crate) fn applied(&self, executor: Executor) -> Vec<(Slot, u64)> {
        self.applied.iter().filter(|(slot, _)| slot.kind.executor() == executor).map(|(s, v)| (s.clone(), *v)).collect()
    }

    /// The present state of everything that an executor has, as it reports it after a connection.
    pub(crate) fn present(&self, executor: Executor, now: Time) -> Vec<Observation> {
        match executor {
            Executor::Host => self.machines.values().filter_map(|m| report(m, now)).collect(),
            Executor::Courier | Executor::Authority => Vec::new(),
            Executor::Edge => self.health.iter().map(|(at, h)| target(at, h.generation, h.health.clone())).collect(),
        }
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
                SlotKind::Delivery => return vec![self.carry(now, effect)],
                SlotKind::Certificate => coming.extend(self.issue(now, effect)),
                SlotKind::Instance => self.apply_instance(now, effect, &mut coming),
                SlotKind::LoadBalancer => self.apply_balancer(now, effect, &mut coming),
                SlotKind::Target => self.apply_registration(now, effect, &mut coming),
            }
        }
        let applied = Observation::Applied { slot: slot.clone(), version: effect.version };
        coming.push(self.after(now, self.delays.apply_ms, Event::Observe(applied)));
        coming
    }

    /// Carries a message; nothing is left of it, whether it arrives or not.
    fn carry(&mut self, now: Time, effect: &Effect) -> Coming {
        let (slot, version) = (effect.slot.clone(), effect.version);
        self.applied.remove(&slot);
        let refuses = |to: &Destination| matches!(to, Destination::Http { url, .. } if url.starts_with(REFUSES));
        let never = matches!(&effect.want, Some(Want::Delivery(message)) if refuses(&message.destination));
        let fails = never || (effect.want.is_some() && self.broken_deliveries > self.rng.below(1_000));
        let told = match fails {
            true => Observation::Refused { slot, version, reason: "the receiver answered 503".into() },
            false => Observation::Applied { slot, version },
        };
        self.after(now, self.delays.apply_ms, Event::Observe(told))
    }

    /// Issues a certificate of fixed text; nothing in a simulation reads it.
    fn issue(&mut self, now: Time, effect: &Effect) -> Option<Coming> {
        let Some(Want::Certificate(order)) = &effect.want else {
            self.applied.remove(&effect.slot);
            return None;
        };
        let pem = |what: &str| format!("-----BEGIN {what}-----\nc2ltdWxhdGVk\n-----END {what}-----\n");
        let issued = Box::new(IssuedCertificate {
            certificate: pem("CERTIFICATE"),
            chain: pem("CERTIFICATE"),
            key: PrivateKey(pem("PRIVATE KEY")),
            serial: format!("{:02x}:{:02x}", effect.version >> 8 & 0xff, effect.version & 0xff),
            issuer: "Simulated authority".into(),
            signature_algorithm: "SHA256WITHECDSA".into(),
        });
        let told = Observation::Issued { certificate: order.id.clone(), generation: order.generation, issued };
        Some(self.after(now, self.delays.apply_ms, Event::Observe(told)))
    }

    fn apply_instance(&mut self, now: Time, effect: &Effect, coming: &mut Vec<Coming>) {
        let Some(Want::Instance(wanted)) = &effect.want else {
            let id = InstanceId::from(effect.slot.id.as_str());
            let generation = self.machines.remove(&id).map_or(0, |m| m.wanted.generation);
            self.reachability_changed(now, &id, coming);
            let gone = Observation::Instance { id, generation, state: InstanceState::Gone, at: now };
            coming.push(self.after(now, self.delays.apply_ms, Event::Observe(gone)));
            return;
        };
        // The region's own text of the id, as far as it goes: reports that name it are then compared without a look at it.
        let id = wanted.id.clone();
        let old = self.machines.get(&id);
        let keeps = old.is_some_and(|m| m.wanted.power == Power::On && m.wanted.generation == wanted.generation);
        let (state, serves) = old.filter(|_| keeps).map_or((None, false), |m| (m.state.clone(), m.serves));
        let mut machine = Machine { wanted: (**wanted).clone(), state, serves };
        if wanted.power == Power::Off {
            (machine.state, machine.serves) = (Some(InstanceState::Stopped { exit: Exit::Asked }), false);
            let stopped = report(&machine, now).into_iter().map(Event::Observe);
            stopped.for_each(|event| coming.push(self.after(now, self.delays.apply_ms, event)));
        } else if !keeps {
            // In a lost zone some launches fail at once and others hang.
            let hangs = self.lost_zones.contains(&wanted.interface.zone) && self.rng.below(2) == 0;
            if !hangs {
                coming.push(self.after(now, self.delays.boot_ms, Event::Booted(id.clone(), wanted.generation)));
            }
        }
        self.machines.insert(id.clone(), machine);
        self.reachability_changed(now, &id, coming);
    }

    /// What an event of the world's own brings about. Messages are not for it.
    pub(crate) fn happen(&mut self, now: Time, event: &Event) -> Vec<Coming> {
        let mut coming = Vec::new();
        match event {
            Event::Deliver(effect) => return self.apply(now, effect),
            Event::Observe(_) | Event::Connect(_) => {}
            Event::Booted(id, generation) => self.boot(now, id, *generation, &mut coming),
            Event::Serves(id, generation) => {
                let same = |m: &&mut Machine| m.runs() && m.wanted.generation == *generation;
                if let Some(machine) = self.machines.get_mut(id).filter(same) {
                    machine.serves = true;
                    self.reachability_changed(now, id, &mut coming);
                }
            }
            Event::Checked { at, generation, may_fail } => self.check(now, at, *generation, *may_fail, &mut coming),
            Event::Drained(at, generation) => {
                if let Some(h) = self.health.get_mut(at).filter(|h| h.generation == *generation && !h.active) {
                    h.health = TargetHealth::Drained;
                    coming.push(Coming { at: now, what: Event::Observe(target(at, *generation, TargetHealth::Drained)) });
                }
            }
        }
        coming
    }

    fn boot(&mut self, now: Time, id: &InstanceId, generation: u64, coming: &mut Vec<Coming>) {
        let fails = self.broken_boots > 0 && self.rng.below(1_000) < self.broken_boots;
        let Some(machine) = self.machines.get_mut(id).filter(|m| m.boots() && m.wanted.generation == generation) else { return };
        let is_lost = self.lost_zones.contains(&machine.wanted.interface.zone);
        if fails || is_lost {
            let reason = if is_lost { "the zone is not available" } else { "the machine did not start" };
            machine.state = Some(InstanceState::Failed { reason: reason.into() });
        } else {
            machine.state = Some(InstanceState::Running);
        }
        let (runs, seen) = (machine.runs(), report(machine, now));
        self.touch(id);
        coming.extend(seen.map(|o| Coming { at: now, what: Event::Observe(o) }));
        if runs {
            coming.push(self.after(now, self.delays.application_ms, Event::Serves(id.clone(), generation)));
        }
    }

    /// Ends an instance from outside, as `kill -9` of its init does.
    pub(crate) fn kill(&mut self, now: Time, id: &InstanceId) -> Vec<Coming> {
        let mut coming = Vec::new();
        let Some(machine) = self.machines.get_mut(id).filter(|m| m.runs()) else { return coming };
        machine.state = Some(InstanceState::Stopped { exit: Exit::Signal(9) });
        machine.serves = false;
        coming.extend(report(machine, now).map(|o| Coming { at: now, what: Event::Observe(o) }));
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
            self.machines.values().filter(|m| m.runs() && m.wanted.interface.zone == zone).map(|m| m.wanted.id.clone()).collect();
        there.iter().flat_map(|id| self.kill(now, id)).collect()
    }

    /// Gives a zone back: what hung there starts.
    pub(crate) fn return_zone(&mut self, now: Time, zone: &str) -> Vec<Coming> {
        self.lost_zones.remove(zone);
        let waits = |m: &&Machine| m.boots() && m.wanted.interface.zone == zone;
        let waiting: Vec<_> =
            self.machines.values().filter(waits).map(|m| Event::Booted(m.wanted.id.clone(), m.wanted.generation)).collect();
        waiting.into_iter().map(|event| self.after(now, self.delays.boot_ms, event)).collect()
    }

    /// After an instance began or ceased to answer: its targets' health changes once enough checks have seen it.
    fn reachability_changed(&mut self, now: Time, id: &InstanceId, coming: &mut Vec<Coming>) {
        self.touch(id);
        let serves = self.serves(id);
        for (at, h) in self.health_of(id).filter(|(_, h)| h.active) {
            let checks = match (serves, &h.health) {
                (true, TargetHealth::Initial) => 1,
                (true, _) => h.check.healthy_threshold,
                (false, _) => h.check.unhealthy_threshold,
            };
            coming.push(self.checked(now, at, h, checks, !serves));
        }
    }

    fn health_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (&'a Registered, &'a Health)> {
        self.health.range(first_of(id)..).take_while(move |(at, _)| at.key.id == id)
    }

    fn check(&mut self, now: Time, at: &Registered, generation: u64, may_fail: bool, coming: &mut Vec<Coming>) {
        let serves = self.serves(&at.key.id);
        let Some(entry) = self.health.get_mut(at).filter(|h| h.generation == generation && h.active) else { return };
        let health = match (&entry.health, serves) {
            (TargetHealth::Initial | TargetHealth::Unhealthy { .. }, true) => TargetHealth::Healthy,
            (TargetHealth::Healthy | TargetHealth::Initial, false) if may_fail => {
                TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining: false }
            }
            _ => return,
        };
        entry.health = health.clone();
        self.touch(&at.key.id);
        coming.push(Coming { at: now, what: Event::Observe(target(at, generation, health)) });
    }

    fn after(&mut self, now: Time, (least, most): (u64, u64), what: Event) -> Coming {
        let ms = least + self.rng.below(most.saturating_sub(least) + 1);
        Coming { at: self.grained(now + Duration::from_millis(ms)), what }
    }

    fn grained(&self, at: Time) -> Time {
        let grain = i64::try_from(self.delays.grain_ms.max(1)).unwrap_or(1);
        Time::from_unix_ms((at.unix_ms() + grain - 1).div_euclid(grain) * grain)
    }

    fn checked(&self, now: Time, at: &Registered, health: &Health, checks: u32, may_fail: bool) -> Coming {
        let interval = Duration::from_millis(health.check.interval_ms);
        // The first check comes at once; each further one an interval later.
        let when = self.grained(now + interval * checks.saturating_sub(1) + Duration::from_millis(1));
        Coming { at: when, what: Event::Checked { at: at.clone(), generation: health.generation, may_fail } }
    }
}

/// What stands before every registration of an instance.
fn first_of(id: &str) -> Registered {
    Registered { key: TargetKey { id: id.into(), port: 0 }, balancer: "".into(), group: "".into() }
}

/// The machine's present state; none while it boots.
fn report(machine: &Machine, at: Time) -> Option<Observation> {
    let Instance { id, generation, .. } = &machine.wanted;
    Some(Observation::Instance { id: id.clone(), generation: *generation, state: machine.state.clone()?, at })
}

fn target(at: &Registered, generation: u64, health: TargetHealth) -> Observation {
    let Registered { key, balancer, group } = at.clone();
    Observation::Target { load_balancer: balancer, group, target: key, generation, health }
}
