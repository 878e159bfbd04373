//! What one instance of a group does next, by the order of "Amazon EC2 Auto Scaling instance lifecycle" and, for the warm
//! pool, of "Lifecycle state transitions for instances in a warm pool". Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use base::{TargetGroupArn, Time};

use super::{Because, LAUNCH_TIMEOUT, Machine, Target};
use crate::group::{HealthCheck, Process};
use crate::member::{Health, Hooks, Lifecycle, Member, Sickness};
use crate::warm_pool::PoolState;

/// What the group says to each of its instances.
#[derive(Clone, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) now: Time,
    pub(crate) deleting: bool,
    pub(crate) health_check: HealthCheck,
    pub(crate) grace: Duration,
    pub(crate) suspended: &'a BTreeSet<Process>,
    pub(crate) target_groups: &'a [TargetGroupArn],
    /// There are hooks for launches.
    pub(crate) holds_launches: bool,
    /// There are hooks for terminations.
    pub(crate) holds_terminations: bool,
    /// What the warm pool keeps its instances as; none without a pool.
    pub(crate) pool: Option<PoolState>,
    /// The group launches others before its unhealthy instances end.
    pub(crate) replaces_ahead: bool,
}

impl Rules<'_> {
    fn allows(&self, process: Process) -> bool {
        !self.suspended.contains(&process)
    }
}

/// An instance and what EC2 and ELB know of it.
#[derive(Clone, Debug)]
pub(crate) struct MemberView<'a> {
    pub(crate) row: &'a Member,
    pub(crate) machine: Machine,
    /// Where it is registered now, and how that goes.
    pub(crate) targets: Vec<(TargetGroupArn, Target)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberPlan {
    pub(crate) steps: Vec<Step>,
    /// When to look again though nothing changed.
    pub(crate) wake_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its hooks hold it from now on.
    BeginHooks,
    /// The time of some hook is over.
    ExpireHooks,
    /// It runs: into service, and to these target groups.
    EnterService {
        register: Vec<TargetGroupArn>,
    },
    /// A target group was attached since.
    Register(TargetGroupArn),
    Deregister(TargetGroupArn),
    /// A health check found it unhealthy.
    MarkUnhealthy(Sickness),
    /// Its way out begins.
    Retire(Because),
    /// Its requests are done: it stands by.
    StandBy,
    /// Its requests and hooks are done: end the machine.
    End,
    /// Its requests and hooks are done: back to the warm pool.
    ReturnToPool,
    /// Ready for the warm pool: stop the machine.
    Stop,
    /// It is in the warm pool.
    Store(PoolState),
    /// Nothing of it is left.
    Forget,
    /// It leaves the group and runs on.
    Release,
}

/// Decides. Carrying the plan out and asking again with nothing new gives no more steps in the end.
pub(crate) fn plan_member(rules: &Rules, view: &MemberView) -> MemberPlan {
    let mut planner = Planner { rules, view, row: view.row, plan: MemberPlan::default() };
    match view.row.lifecycle {
        Lifecycle::Pending => planner.pending(),
        Lifecycle::InService => planner.in_service(),
        Lifecycle::EnteringStandby => planner.entering_standby(),
        Lifecycle::Standby => planner.standby(),
        Lifecycle::Terminating | Lifecycle::WarmedTerminating => planner.terminating(),
        Lifecycle::Detaching => planner.detaching(),
        Lifecycle::WarmedPending => planner.warming(),
        Lifecycle::WarmedRunning | Lifecycle::WarmedStopped => planner.warm(),
    }
    planner.plan
}

struct Planner<'a> {
    rules: &'a Rules<'a>,
    view: &'a MemberView<'a>,
    row: &'a Member,
    plan: MemberPlan,
}

impl Planner<'_> {
    fn act(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    fn wake(&mut self, at: Time) {
        self.plan.wake_at = Some(self.plan.wake_at.map_or(at, |old| old.min(at)));
    }

    /// Whether the hooks of the present transition are over; begins them, and ends those whose time is over.
    fn passes_hooks(&mut self, has_hooks: bool) -> bool {
        match self.row.hooks {
            // "DeleteAutoScalingGroup", ForceDelete: outstanding lifecycle actions go with the group.
            _ if self.row.forced => true,
            Hooks::Done | Hooks::Skipped => true,
            Hooks::Ahead if !has_hooks => true,
            Hooks::Ahead => {
                self.act(Step::BeginHooks);
                false
            }
            Hooks::Waiting => {
                match self.row.actions.iter().map(|a| a.due_at()).min() {
                    Some(at) if at > self.rules.now => self.wake(at),
                    _ => self.act(Step::ExpireHooks),
                }
                false
            }
        }
    }

    /// Whether the machine is up; one that does not come up in time, or goes down, has failed.
    fn is_up(&mut self) -> bool {
        let deadline = self.row.called_at.unwrap_or(self.row.launched_at) + LAUNCH_TIMEOUT;
        match self.view.machine {
            Machine::Up => return true,
            // What a hook's owner boots anew meanwhile has been up in time.
            Machine::Starting | Machine::Rebooting if self.row.hooks == Hooks::Waiting => return true,
            Machine::Starting | Machine::Rebooting if self.row.hooks != Hooks::Ahead => {}
            Machine::Starting | Machine::Rebooting if self.rules.now < deadline => self.wake(deadline),
            _ => self.act(Step::Retire(Because::LaunchFailed)),
        }
        false
    }

    /// "How lifecycle hooks work": hooks hold it when it runs, then it is registered with its load balancers, then it is
    /// in service.
    fn pending(&mut self) {
        if self.is_up() && self.passes_hooks(self.rules.holds_launches) {
            let all = if self.rules.allows(Process::AddToLoadBalancer) { self.rules.target_groups } else { &[] };
            self.act(Step::EnterService { register: all.to_vec() });
        }
    }

    fn in_service(&mut self) {
        let sickness = match self.row.health {
            Health::Unhealthy(sickness) => Some(sickness),
            Health::Healthy => {
                let found = if self.rules.allows(Process::HealthCheck) { self.check_health() } else { None };
                if let Some(sickness) = found {
                    self.act(Step::MarkUnhealthy(sickness));
                }
                found
            }
        };
        // "Suspend and resume Amazon EC2 Auto Scaling processes": ReplaceUnhealthy ends what is marked as unhealthy, and
        // with Terminate suspended nothing is ended.
        if let Some(sickness) = sickness
            && !self.rules.deleting
            && self.rules.allows(Process::ReplaceUnhealthy)
            && self.rules.allows(Process::Terminate)
            && (!self.rules.replaces_ahead || self.is_lost())
        {
            self.act(Step::Retire(Because::Unhealthy(sickness)));
            return;
        }
        self.follow_target_groups();
    }

    /// It is no more, so that there is nothing to keep until another serves in its place.
    fn is_lost(&self) -> bool {
        matches!(self.view.machine, Machine::Ending | Machine::Gone)
    }

    fn follow_target_groups(&mut self) {
        if self.rules.allows(Process::AddToLoadBalancer) && self.view.machine == Machine::Up {
            for target_group in self.rules.target_groups.iter().filter(|t| !self.row.handled.contains(*t)) {
                self.act(Step::Register(target_group.clone()));
            }
        }
        let gone = |t: &TargetGroupArn| !self.rules.target_groups.contains(t) && self.row.handled.contains(t);
        for (target_group, _) in self.view.targets.iter().filter(|(t, how)| *how != Target::Draining && gone(t)) {
            self.act(Step::Deregister(target_group.clone()));
        }
    }

    fn check_health(&mut self) -> Option<Sickness> {
        if matches!(self.view.machine, Machine::Stopping | Machine::Down | Machine::Ending | Machine::Gone) {
            return Some(Sickness::Ec2);
        }
        let fails = |(t, how): &(TargetGroupArn, Target)| *how == Target::Unhealthy && self.rules.target_groups.contains(t);
        if self.rules.health_check != HealthCheck::Elb || !self.view.targets.iter().any(fails) {
            return None;
        }
        let grace_over = self.row.in_service_at.unwrap_or(self.row.launched_at) + self.rules.grace;
        if self.rules.now >= grace_over {
            return Some(Sickness::Elb);
        }
        self.wake(grace_over);
        None
    }

    fn leave_targets(&mut self) {
        for (target_group, _) in self.view.targets.iter().filter(|(_, how)| *how != Target::Draining) {
            self.act(Step::Deregister(target_group.clone()));
        }
    }

    /// "Temporarily remove instances from your Auto Scaling group": it leaves its load balancers, and their requests end.
    fn entering_standby(&mut self) {
        self.leave_targets();
        if self.view.targets.is_empty() {
            self.act(Step::StandBy);
        }
    }

    /// Standby instances are not health checked; one that no longer exists stands nowhere.
    fn standby(&mut self) {
        if self.view.machine == Machine::Gone {
            self.act(Step::Forget);
        }
    }

    /// "How lifecycle hooks work": first it is deregistered and its requests end, then the hooks hold it, then the machine
    /// gets its signal and ends, or goes to the warm pool.
    fn terminating(&mut self) {
        match self.view.machine {
            Machine::Gone => return self.act(Step::Forget),
            Machine::Ending => return self.leave_targets(),
            _ => self.leave_targets(),
        }
        let drained = self.view.targets.is_empty() || self.row.forced || self.view.machine != Machine::Up;
        if !drained || !self.passes_hooks(self.rules.holds_terminations) {
            return;
        }
        let returns = self.row.pooled && self.row.lifecycle == Lifecycle::Terminating && self.rules.pool.is_some();
        let usable = returns && self.view.machine == Machine::Up && !self.rules.deleting;
        self.act(if usable { Step::ReturnToPool } else { Step::End });
    }

    fn detaching(&mut self) {
        self.leave_targets();
        if self.view.targets.is_empty() || self.view.machine == Machine::Gone {
            self.act(Step::Release);
        }
    }

    /// Boots, is held by the hooks for launches, and is stopped where the pool keeps its instances stopped.
    fn warming(&mut self) {
        // Without a pool, the group takes it out.
        let Some(state) = self.rules.pool else { return };
        let stops = state == PoolState::Stopped;
        let prepared = matches!(self.row.hooks, Hooks::Done | Hooks::Skipped) || !self.rules.holds_launches;
        match self.view.machine {
            Machine::Stopping if prepared && stops => {}
            Machine::Down if prepared && stops => self.act(Step::Store(PoolState::Stopped)),
            _ => {
                if self.is_up() && self.passes_hooks(self.rules.holds_launches) {
                    self.act(if stops { Step::Stop } else { Step::Store(PoolState::Running) });
                }
            }
        }
    }

    /// "View health check status" of warm pools: an instance that is not in the state it is kept in is replaced.
    fn warm(&mut self) {
        let lost = match self.row.lifecycle {
            Lifecycle::WarmedRunning => matches!(self.view.machine, Machine::Stopping | Machine::Down),
            _ => false,
        };
        if lost || matches!(self.view.machine, Machine::Ending | Machine::Gone) {
            self.act(Step::Retire(Because::Unhealthy(Sickness::Ec2)));
        } else if let Health::Unhealthy(sickness) = self.row.health
            && self.rules.allows(Process::ReplaceUnhealthy)
            && self.rules.allows(Process::Terminate)
        {
            // It is never called out of the pool, so it would take a place there for ever.
            self.act(Step::Retire(Because::Unhealthy(sickness)));
        }
    }
}
