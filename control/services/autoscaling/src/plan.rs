//! What a group does next, decided from its present state alone: pure, no clock, no rows. `reconcile` builds the view
//! and carries the plan out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{InstanceId, SubnetId, TargetGroupArn, Time};

use crate::group::{HealthCheck, Process, TerminationPolicy};
use crate::member::{Health, Lifecycle, Sickness};
use crate::select::victims;

/// An instance that is not up so long after its launch has failed.
pub const LAUNCH_TIMEOUT: Duration = Duration::from_secs(120);

/// Everything that the decision needs.
#[derive(Clone, Debug)]
pub struct View {
    pub now: Time,
    pub desired: usize,
    /// Instances that it may have above `desired`, and launches.
    pub surplus: usize,
    pub deleting: bool,
    pub health_check: HealthCheck,
    pub grace: Duration,
    pub suspended: BTreeSet<Process>,
    pub policies: Vec<TerminationPolicy>,
    pub target_groups: Vec<TargetGroupArn>,
    /// Where instances may stand.
    pub places: Vec<Place>,
    /// Zones whose launches fail, and until when none is tried there.
    pub avoid: BTreeMap<String, Time>,
    pub members: Vec<MemberView>,
}

/// A zone, and a subnet in it unless the zone's default one is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub zone: String,
    pub subnet: Option<SubnetId>,
}

/// An instance of the group.
#[derive(Clone, Debug)]
pub struct MemberView {
    pub id: InstanceId,
    pub zone: String,
    pub subnet: Option<SubnetId>,
    pub lifecycle: Lifecycle,
    pub launched_at: Time,
    pub in_service_at: Option<Time>,
    pub health: Health,
    pub protected: bool,
    pub extra: bool,
    pub forced: bool,
    pub template_version: Option<u64>,
    pub machine: Machine,
    /// Target groups that it was registered with, or is.
    pub handled: BTreeSet<TargetGroupArn>,
    /// Where it is registered now, and how that goes.
    pub targets: BTreeMap<TargetGroupArn, Target>,
}

/// What EC2 knows of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    Starting,
    Up,
    /// It boots anew.
    Rebooting,
    /// Stopping or stopped.
    Down,
    /// Shutting down for good.
    Ending,
    Gone,
}

/// How a registration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Healthy, or not yet known, or not in use.
    Fine,
    Unhealthy,
    Draining,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// When to look again though nothing changed.
    pub wake_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It runs: into service, and to these target groups.
    EnterService {
        instance: InstanceId,
        register: Vec<TargetGroupArn>,
    },
    /// A target group was attached since.
    Register {
        instance: InstanceId,
        target_group: TargetGroupArn,
    },
    Deregister {
        instance: InstanceId,
        target_group: TargetGroupArn,
    },
    /// A health check found it unhealthy.
    MarkUnhealthy {
        instance: InstanceId,
        sickness: Sickness,
    },
    /// Its way out begins.
    Retire {
        instance: InstanceId,
        because: Because,
    },
    /// Its requests are done: end the machine.
    End {
        instance: InstanceId,
    },
    /// Nothing of it is left.
    Forget {
        instance: InstanceId,
    },
    /// It leaves the group and runs on.
    Release {
        instance: InstanceId,
    },
    Launch {
        place: Place,
        why: LaunchReason,
    },
}

/// Why an instance is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    Unhealthy(Sickness),
    /// It did not come up.
    LaunchFailed,
    /// There are more than wanted; the capacity before and after.
    TooMany {
        from: usize,
        to: usize,
    },
    /// All of them go; how many there were.
    GroupDeleted {
        from: usize,
    },
}

/// Why an instance is launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchReason {
    /// The capacity before and after.
    TooFew {
        from: usize,
        to: usize,
    },
    Replacement,
    /// Its zone has too few.
    Balance,
}

/// Decides. Carrying the plan out and asking again with nothing new gives no further launches or retirements.
pub fn plan(view: &View) -> Plan {
    let mut planner = Planner { view, plan: Plan::default(), retired: BTreeSet::new(), replaced: 0 };
    for member in &view.members {
        planner.member(member);
    }
    if view.deleting {
        planner.retire_all();
    } else {
        planner.size();
    }
    planner.plan
}

struct Planner<'a> {
    view: &'a View,
    plan: Plan,
    /// Retired by this very plan.
    retired: BTreeSet<&'a InstanceId>,
    /// Unhealthy ones among them.
    replaced: usize,
}

impl<'a> Planner<'a> {
    fn act(&mut self, action: Action) {
        self.plan.actions.push(action);
    }

    fn wake(&mut self, at: Time) {
        self.plan.wake_at = Some(self.plan.wake_at.map_or(at, |old| old.min(at)));
    }

    fn allows(&self, process: Process) -> bool {
        !self.view.suspended.contains(&process)
    }

    fn retire(&mut self, member: &'a MemberView, because: Because) {
        self.retired.insert(&member.id);
        self.act(Action::Retire { instance: member.id.clone(), because });
    }

    fn member(&mut self, member: &'a MemberView) {
        match member.lifecycle {
            Lifecycle::Pending => self.pending(member),
            Lifecycle::InService => self.in_service(member),
            Lifecycle::Terminating => self.terminating(member),
            Lifecycle::Detaching => self.detaching(member),
            _ => {}
        }
    }

    fn pending(&mut self, member: &'a MemberView) {
        let deadline = member.launched_at + LAUNCH_TIMEOUT;
        match member.machine {
            Machine::Up => {
                let register = if self.allows(Process::AddToLoadBalancer) { self.view.target_groups.clone() } else { Vec::new() };
                self.act(Action::EnterService { instance: member.id.clone(), register });
            }
            Machine::Starting | Machine::Rebooting if self.view.now < deadline => self.wake(deadline),
            _ => self.retire(member, Because::LaunchFailed),
        }
    }

    fn in_service(&mut self, member: &'a MemberView) {
        let sickness = match member.health {
            Health::Unhealthy(sickness) => Some(sickness),
            Health::Healthy => {
                let found = if self.allows(Process::HealthCheck) { self.check_health(member) } else { None };
                if let Some(sickness) = found {
                    self.act(Action::MarkUnhealthy { instance: member.id.clone(), sickness });
                }
                found
            }
        };
        if let Some(sickness) = sickness
            && self.allows(Process::ReplaceUnhealthy)
            && self.allows(Process::Terminate)
        {
            self.replaced += 1;
            self.retire(member, Because::Unhealthy(sickness));
            return;
        }
        if self.allows(Process::AddToLoadBalancer) && member.machine == Machine::Up {
            for target_group in self.view.target_groups.iter().filter(|t| !member.handled.contains(*t)) {
                self.act(Action::Register { instance: member.id.clone(), target_group: target_group.clone() });
            }
        }
        let detached: Vec<_> = member.targets.iter().filter(|(t, _)| !self.view.target_groups.contains(t)).collect();
        for (target_group, _) in detached.into_iter().filter(|(t, how)| **how != Target::Draining && member.handled.contains(*t))
        {
            self.act(Action::Deregister { instance: member.id.clone(), target_group: target_group.clone() });
        }
    }

    fn check_health(&mut self, member: &MemberView) -> Option<Sickness> {
        if matches!(member.machine, Machine::Down | Machine::Ending | Machine::Gone) {
            return Some(Sickness::Ec2);
        }
        let failing = self.view.target_groups.iter().any(|t| member.targets.get(t) == Some(&Target::Unhealthy));
        if self.view.health_check != HealthCheck::Elb || !failing {
            return None;
        }
        let grace_over = member.in_service_at.unwrap_or(member.launched_at) + self.view.grace;
        if self.view.now >= grace_over {
            return Some(Sickness::Elb);
        }
        self.wake(grace_over);
        None
    }

    /// Deregisters, waits for requests under way, ends the machine, and waits for its end.
    fn terminating(&mut self, member: &MemberView) {
        match member.machine {
            Machine::Gone => self.act(Action::Forget { instance: member.id.clone() }),
            Machine::Ending => self.leave_targets(member),
            _ => {
                self.leave_targets(member);
                if member.targets.is_empty() || member.forced || member.machine != Machine::Up {
                    self.act(Action::End { instance: member.id.clone() });
                }
            }
        }
    }

    fn detaching(&mut self, member: &MemberView) {
        self.leave_targets(member);
        if member.targets.is_empty() || matches!(member.machine, Machine::Gone) {
            self.act(Action::Release { instance: member.id.clone() });
        }
    }

    fn leave_targets(&mut self, member: &MemberView) {
        for (target_group, _) in member.targets.iter().filter(|(_, how)| **how != Target::Draining) {
            self.act(Action::Deregister { instance: member.id.clone(), target_group: target_group.clone() });
        }
    }

    fn retire_all(&mut self) {
        let from = self.counted().len();
        for member in &self.view.members {
            if matches!(member.lifecycle, Lifecycle::Pending | Lifecycle::InService) && !self.retired.contains(&member.id) {
                self.retire(member, Because::GroupDeleted { from });
            }
        }
    }

    /// Instances that make up the capacity once this plan is carried out.
    fn counted(&self) -> Vec<&'a MemberView> {
        let counts = |m: &&MemberView| match m.lifecycle {
            Lifecycle::Pending => !m.extra,
            Lifecycle::InService => true,
            _ => false,
        };
        self.view.members.iter().filter(counts).filter(|m| !self.retired.contains(&m.id)).collect()
    }

    fn wanted(&self) -> usize {
        self.view.desired + self.view.surplus
    }

    fn size(&mut self) {
        let (counted, desired) = (self.counted(), self.wanted());
        let from = counted.len();
        if from < desired && self.allows(Process::Launch) {
            self.grow(from);
        } else if from > desired && self.allows(Process::Terminate) {
            let zones: Vec<&str> = self.view.places.iter().map(|p| p.zone.as_str()).collect();
            for id in victims(&counted, &zones, &self.view.policies, from - desired, self.view.now) {
                if let Some(member) = self.view.members.iter().find(|m| m.id == id) {
                    self.retire(member, Because::TooMany { from, to: desired });
                }
            }
        } else if from == desired && self.view.surplus == 0 {
            self.balance(&counted);
        }
    }

    fn grow(&mut self, from: usize) {
        let mut zones = Zones::of(self);
        for index in 0..self.wanted() - from {
            let Some(place) = zones.emptiest(self.view) else {
                let retry = self.view.avoid.values().copied().filter(|at| *at > self.view.now).min();
                retry.into_iter().for_each(|at| self.wake(at));
                return;
            };
            zones.add(&place);
            let why =
                if index < self.replaced { LaunchReason::Replacement } else { LaunchReason::TooFew { from, to: self.wanted() } };
            self.act(Action::Launch { place, why });
        }
    }

    /// One more in the zone that lacks most, when zones differ by more than one or some instance stands outside of
    /// the group's zones; once it is in service, the group is too large and shrinks where there are most.
    fn balance(&mut self, counted: &[&MemberView]) {
        let may = [Process::AzRebalance, Process::Launch, Process::Terminate].into_iter().all(|p| self.allows(p));
        let settled = self.view.members.iter().all(|m| m.lifecycle == Lifecycle::InService && m.health == Health::Healthy);
        if !may || !settled || !self.retired.is_empty() {
            return;
        }
        let zones = Zones::of(self);
        let Some(place) = zones.emptiest(self.view) else { return };
        let here = zones.count(&place.zone);
        let movable = |m: &&MemberView| {
            let outside = self.view.places.iter().all(|p| p.zone != m.zone);
            !m.protected && (outside || zones.count(&m.zone) > here + 1)
        };
        if counted.iter().copied().any(|m| movable(&m)) {
            self.act(Action::Launch { place, why: LaunchReason::Balance });
        } else {
            // A zone that lacks instances while its launches fail is tried again later.
            let lacking = self.view.avoid.iter().filter(|(_, at)| **at > self.view.now).map(|(_, at)| *at).min();
            lacking.into_iter().for_each(|at| self.wake(at));
        }
    }
}

/// How many instances each zone and place has, and how many are on their way out.
struct Zones<'a> {
    count: BTreeMap<&'a str, usize>,
    leaving: BTreeMap<&'a str, usize>,
    at: BTreeMap<Place, usize>,
}

impl<'a> Zones<'a> {
    fn of(planner: &Planner<'a>) -> Self {
        let mut zones = Self { count: BTreeMap::new(), leaving: BTreeMap::new(), at: BTreeMap::new() };
        for member in &planner.view.members {
            let stays =
                matches!(member.lifecycle, Lifecycle::Pending | Lifecycle::InService) && !planner.retired.contains(&member.id);
            let table = if stays { &mut zones.count } else { &mut zones.leaving };
            *table.entry(&member.zone).or_default() += 1;
            if stays {
                let place = Place { zone: member.zone.clone(), subnet: member.subnet.clone() };
                *zones.at.entry(place).or_default() += 1;
            }
        }
        for place in &planner.view.places {
            zones.count.entry(&place.zone).or_default();
        }
        zones
    }

    fn count(&self, zone: &str) -> usize {
        self.count.get(zone).copied().unwrap_or_default()
    }

    fn add(&mut self, place: &Place) {
        if let Some(count) = self.count.get_mut(place.zone.as_str()) {
            *count += 1;
        }
        *self.at.entry(place.clone()).or_default() += 1;
    }

    /// Where the next instance goes: the zone with the fewest; of equals the one that loses most, so that a
    /// replacement stands where its predecessor did; then the emptiest subnet.
    fn emptiest(&self, view: &View) -> Option<Place> {
        let open = view.places.iter().filter(|p| view.avoid.get(&p.zone).is_none_or(|until| *until <= view.now));
        let rank = |place: &&Place| {
            let leaving = self.leaving.get(place.zone.as_str()).copied().unwrap_or_default();
            let here = self.at.get(*place).copied().unwrap_or_default();
            (self.count(&place.zone), usize::MAX - leaving, here)
        };
        open.min_by_key(rank).cloned()
    }
}

#[cfg(test)]
impl MemberView {
    /// A healthy instance in service since its launch.
    pub(crate) fn in_service(id: &str, zone: &str, launched_at: Time) -> Self {
        Self {
            id: id.into(),
            zone: zone.into(),
            subnet: None,
            lifecycle: Lifecycle::InService,
            launched_at,
            in_service_at: Some(launched_at),
            health: Health::Healthy,
            protected: false,
            extra: false,
            forced: false,
            template_version: Some(1),
            machine: Machine::Up,
            handled: BTreeSet::new(),
            targets: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
