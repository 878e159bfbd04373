//! A toy world that carries plans out at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{TargetGroupArn, Time};

use crate::group::{HealthCheck, MaintenancePolicy, Process, TerminationPolicy};
use crate::lifecycle::{HookResult, LifecycleAction};
use crate::member::{Class, Health, Hooks, Lifecycle, Member};
use crate::plan::{
    Action, Counts, GroupPlan, GroupView, LaunchReason, Machine, MemberPlan, MemberView, Place, Ready, Rules, Site, Step, Target,
    ZoneCount, plan_group, plan_member,
};
use crate::warm_pool::PoolState;

pub(super) const GROUP: &str = "tg-1";
pub(super) const HEARTBEAT_S: u64 = 60;

/// An instance of the toy.
#[derive(Clone, Debug)]
pub(super) struct Being {
    pub(super) row: Member,
    pub(super) machine: Machine,
    pub(super) targets: BTreeMap<TargetGroupArn, Target>,
}

#[derive(Clone, Debug)]
pub(super) struct Toy {
    pub(super) now: Time,
    pub(super) desired: usize,
    /// The desired capacity was changed and not reached since.
    pub(super) asked: bool,
    pub(super) surplus: usize,
    pub(super) max_size: usize,
    pub(super) deleting: bool,
    pub(super) health_check: HealthCheck,
    pub(super) grace: Duration,
    pub(super) suspended: BTreeSet<Process>,
    pub(super) zones: Vec<String>,
    pub(super) avoid: BTreeMap<String, Time>,
    pub(super) holds_launches: bool,
    pub(super) holds_terminations: bool,
    pub(super) pool: Option<(PoolState, usize)>,
    pub(super) reuses: bool,
    pub(super) lifetime: Option<Duration>,
    pub(super) maintenance: Option<MaintenancePolicy>,
    pub(super) beings: Vec<Being>,
    pub(super) launched: usize,
    pub(super) released: usize,
    pub(super) replacing: usize,
    /// What the last plans did, in order.
    pub(super) steps: Vec<(String, Step)>,
    pub(super) actions: Vec<Action>,
    pub(super) wake_at: Option<Time>,
}

impl Toy {
    pub(super) fn new(zones: &[&str], desired: usize) -> Self {
        Self {
            now: Time::from_unix_ms(1_000_000_000),
            desired,
            asked: true,
            surplus: 0,
            max_size: 12,
            deleting: false,
            health_check: HealthCheck::Elb,
            grace: Duration::from_secs(30),
            suspended: BTreeSet::new(),
            zones: zones.iter().map(|z| z.to_string()).collect(),
            avoid: BTreeMap::new(),
            holds_launches: false,
            holds_terminations: false,
            pool: None,
            reuses: false,
            lifetime: None,
            maintenance: None,
            beings: Vec::new(),
            launched: 0,
            released: 0,
            replacing: 0,
            steps: Vec::new(),
            actions: Vec::new(),
            wake_at: None,
        }
    }

    pub(super) fn settled(zones: &[&str], desired: usize) -> Self {
        let mut toy = Self::new(zones, desired);
        toy.settle();
        toy
    }

    pub(super) fn decide_member(&self, at: usize) -> MemberPlan {
        let being = &self.beings[at];
        let target_groups = [TargetGroupArn::from(GROUP)];
        let rules = Rules {
            now: self.now,
            deleting: self.deleting,
            health_check: self.health_check,
            grace: self.grace,
            suspended: &self.suspended,
            target_groups: &target_groups,
            holds_launches: self.holds_launches,
            holds_terminations: self.holds_terminations,
            pool: self.pool.map(|(state, _)| state),
            replaces_ahead: self.maintenance.is_some_and(|m| m.launches_ahead()),
        };
        let targets = being.targets.iter().map(|(t, how)| (t.clone(), *how)).collect();
        plan_member(&rules, &MemberView { row: &being.row, machine: being.machine, targets })
    }

    pub(super) fn decide_group(&self) -> GroupPlan {
        let count = |class: Class| self.beings.iter().filter(|b| b.row.class() == class).count();
        let members = || {
            let mut all: Vec<&Member> = self.beings.iter().map(|b| &b.row).collect();
            all.sort_by(|a, b| a.instance.cmp(&b.instance));
            all
        };
        let in_zone = |zone: &str, serve: &dyn Fn(&Member) -> bool| {
            self.beings.iter().filter(|b| b.row.zone == zone && serve(&b.row)).count()
        };
        let site = |zone: &String| {
            let serving = in_zone(zone, &|m| m.lifecycle.serves());
            let leaving = in_zone(zone, &|m| m.class() == Class::Leaving);
            let warm = in_zone(zone, &|m| matches!(m.class(), Class::Warm | Class::Warming));
            let place = Place { zone: zone.clone(), subnet: None };
            Site { place, here: serving, zone: ZoneCount { serving, leaving, warm } }
        };
        plan_group(&GroupView {
            now: self.now,
            desired: self.desired,
            asked: self.asked,
            surplus: self.surplus,
            max_size: self.max_size,
            deleting: self.deleting,
            suspended: &self.suspended,
            policies: &[TerminationPolicy::Default],
            template: "lt-1",
            sites: self.zones.iter().map(site).collect(),
            avoid: self.avoid.clone(),
            counts: Counts {
                pending: count(Class::Pending),
                extra: count(Class::Extra),
                in_service: count(Class::InService),
                unwell: count(Class::Unwell),
                leaving: count(Class::Leaving),
                warming: count(Class::Warming),
                warm: count(Class::Warm),
            },
            replacing: self.replacing,
            lifetime: self.lifetime,
            maintenance: self.maintenance,
            ready: &|| Ready { count: self.ready(), next_at: None },
            pool: self.pool.map(|(_, wanted)| wanted),
            passed_over: None,
            members: &members,
        })
    }

    /// In service and healthy.
    pub(super) fn ready(&self) -> usize {
        self.beings.iter().filter(|b| b.row.class() == Class::InService).count()
    }

    /// One turn of every reconciler. True when something was done.
    pub(super) fn turn(&mut self) -> bool {
        self.steps.clear();
        self.wake_at = None;
        let ids: Vec<_> = self.beings.iter().map(|b| b.row.instance.clone()).collect();
        for id in ids {
            let Some(at) = self.beings.iter().position(|b| b.row.instance == id) else { continue };
            let decided = self.decide_member(at);
            self.wake(decided.wake_at);
            for step in decided.steps {
                self.steps.push((id.to_string(), step.clone()));
                self.step(&id.to_string(), step);
            }
        }
        let decided = self.decide_group();
        self.wake(decided.wake_at);
        self.actions = decided.actions.clone();
        decided.actions.into_iter().for_each(|action| self.act(action));
        let there = self.beings.iter().filter(|b| b.row.lifecycle.serves()).count();
        self.asked &= there != self.desired;
        !self.steps.is_empty() || !self.actions.is_empty()
    }

    fn wake(&mut self, at: Option<Time>) {
        self.wake_at = [self.wake_at, at].into_iter().flatten().min();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Retire { instance, because } => {
                let reuses = self.reuses && matches!(because, crate::plan::Because::TooMany { .. });
                if let Some(being) = self.beings.iter_mut().find(|b| b.row.instance == instance) {
                    being.row.pooled = reuses;
                    retire(&mut being.row);
                }
            }
            Action::Launch { place, why } => {
                let id = self.launch(&place.zone);
                self.being(&id).row.extra = why.is_extra();
                self.replacing -= usize::from(why == LaunchReason::Replacement);
            }
            Action::Prepare { place } => {
                let id = self.launch(&place.zone);
                self.being(&id).row.lifecycle = Lifecycle::WarmedPending;
            }
            Action::Call { instance, why } => {
                let now = self.now;
                let being = self.being(&instance.to_string());
                being.row.turn(Lifecycle::Pending);
                being.row.extra = why.is_extra();
                being.row.called_at = Some(now);
                if being.machine == Machine::Down {
                    being.machine = Machine::Starting;
                }
            }
        }
    }

    fn launch(&mut self, zone: &str) -> String {
        self.launched += 1;
        let id = format!("i-{:04}", self.launched);
        let row = pending(&id, zone, self.now);
        self.beings.push(Being { row, machine: Machine::Starting, targets: BTreeMap::new() });
        id
    }

    pub(super) fn being(&mut self, id: &str) -> &mut Being {
        self.beings.iter_mut().find(|b| b.row.instance.as_str() == id).unwrap()
    }

    fn step(&mut self, id: &str, step: Step) {
        let now = self.now;
        match step {
            Step::Forget => return self.beings.retain(|b| b.row.instance.as_str() != id),
            Step::Release => {
                self.released += 1;
                return self.beings.retain(|b| b.row.instance.as_str() != id);
            }
            Step::Retire(crate::plan::Because::Unhealthy(_)) if self.being(id).row.lifecycle == Lifecycle::InService => {
                self.replacing += 1;
            }
            _ => {}
        }
        let being = self.being(id);
        match step {
            Step::BeginHooks => hold(&mut being.row, now),
            Step::ExpireHooks => {
                being.row.actions.clear();
                being.row.hooks = Hooks::Done;
            }
            Step::EnterService { register } => {
                being.row.turn(Lifecycle::InService);
                being.row.in_service_at = Some(now);
                being.row.extra = false;
                being.row.handled.insert(GROUP.into());
                being.targets.extend(register.into_iter().map(|t| (t, Target::Fine)));
            }
            Step::Register(target_group) => {
                being.row.handled.insert(target_group.clone());
                being.targets.insert(target_group, Target::Fine);
            }
            Step::Deregister(target_group) => {
                being.row.handled.remove(&target_group);
                being.targets.remove(&target_group);
            }
            Step::MarkUnhealthy(sickness) => being.row.health = Health::Unhealthy(sickness),
            Step::Retire(_) => retire(&mut being.row),
            Step::StandBy => being.row.turn(Lifecycle::Standby),
            Step::End => being.machine = Machine::Gone,
            Step::ReturnToPool => {
                being.row.turn(Lifecycle::WarmedPending);
                being.row.hooks = Hooks::Skipped;
                being.row.in_service_at = None;
                being.row.pooled = false;
            }
            Step::Stop => being.machine = Machine::Down,
            Step::Store(state) => being.row.turn(match state {
                PoolState::Stopped => Lifecycle::WarmedStopped,
                PoolState::Running => Lifecycle::WarmedRunning,
            }),
            Step::Forget | Step::Release => {}
        }
    }

    pub(super) fn boot_all(&mut self) {
        for being in self.beings.iter_mut().filter(|b| b.machine == Machine::Starting) {
            being.machine = Machine::Up;
        }
    }

    /// Turns until nothing is left to do; whoever is held by a hook is let go after its time.
    pub(super) fn settle(&mut self) {
        for _ in 0..300 {
            if self.turn() {
                self.boot_all();
                continue;
            }
            if self.beings.iter().any(|b| b.row.hooks == Hooks::Waiting) {
                self.now = self.now + Duration::from_secs(HEARTBEAT_S);
                continue;
            }
            if self.beings.iter().all(|b| b.machine != Machine::Starting) {
                return;
            }
            self.boot_all();
        }
        panic!("does not settle: {self:?}");
    }

    pub(super) fn count(&self, lifecycle: Lifecycle) -> usize {
        self.beings.iter().filter(|b| b.row.lifecycle == lifecycle).count()
    }

    pub(super) fn zone_counts(&self) -> BTreeMap<String, usize> {
        let mut counts: BTreeMap<String, usize> = self.zones.iter().map(|z| (z.clone(), 0)).collect();
        for being in self.beings.iter().filter(|b| b.row.lifecycle.serves()) {
            *counts.entry(being.row.zone.clone()).or_default() += 1;
        }
        counts
    }
}

fn retire(row: &mut Member) {
    let lifecycle = if row.lifecycle.is_warm() { Lifecycle::WarmedTerminating } else { Lifecycle::Terminating };
    row.pooled &= row.lifecycle == Lifecycle::InService;
    row.turn(lifecycle);
}

fn hold(row: &mut Member, now: Time) {
    row.hooks = Hooks::Waiting;
    row.actions.push(LifecycleAction {
        hook: "h".into(),
        token: "t".into(),
        heartbeat_s: HEARTBEAT_S as u32,
        default_result: HookResult::Continue,
        expires_at: now + Duration::from_secs(HEARTBEAT_S),
        ends_at: now + Duration::from_secs(100 * HEARTBEAT_S),
    });
}

fn pending(id: &str, zone: &str, now: Time) -> Member {
    Member {
        instance: id.into(),
        group: "g".into(),
        zone: zone.into(),
        subnet: "subnet-1".into(),
        instance_type: "t3.micro".into(),
        image: "ami-host".into(),
        template: None,
        configuration: None,
        launched_at: now,
        called_at: None,
        in_service_at: None,
        lifecycle: Lifecycle::Pending,
        hooks: Hooks::Ahead,
        actions: Vec::new(),
        pooled: false,
        health: Health::Healthy,
        protected: false,
        extra: false,
        handled: BTreeSet::new(),
        forced: false,
        activity: None,
    }
}
