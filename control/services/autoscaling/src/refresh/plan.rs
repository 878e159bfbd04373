//! What an instance refresh does next, decided from its present state alone: pure, no clock, no rows.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{InstanceId, Time};

use super::pool::PoolView;
use super::row::Blocked;

/// A refresh that has come no nearer to its end for so long has failed. AWS waits an hour for instances that are protected
/// or on standby ("RefreshPreferences") and for those that do not become healthy.
pub(super) const STALLED: Duration = Duration::from_secs(3_600);

/// Everything that the decision needs.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub now: Time,
    pub desired: usize,
    pub min_percent: usize,
    pub max_percent: usize,
    pub protected: Blocked,
    pub standby: Blocked,
    /// Instances that the refresh had to replace when it began.
    pub total: usize,
    /// Thresholds in percent that are still ahead, ascending; none on the way back.
    pub checkpoints: Vec<usize>,
    pub checkpoint_delay: Duration,
    /// It stands at a checkpoint.
    pub waits_until: Option<Time>,
    /// Without a checkpoint at 100 % it ends at the last one.
    pub ends_at_percent: usize,
    pub bake: Duration,
    pub baking_until: Option<Time>,
    pub progressed_at: Time,
    /// How many it had left when it was last seen.
    pub remaining_before: usize,
    /// Its process, launches or terminations are suspended.
    pub suspended: bool,
    /// Why it must not go on.
    pub alarm: Option<String>,
    /// The warm pool, and how many of it were left when it was last seen.
    pub pool: PoolView,
    pub pool_remaining_before: usize,
    /// It is being cancelled, and waits for instances on their way in or out.
    pub cancelling: bool,
    pub members: Vec<MemberView>,
}

/// An instance of the group that is not on its way out.
#[derive(Clone, Debug)]
pub(super) struct MemberView {
    pub id: InstanceId,
    pub zone: String,
    pub launched_at: Time,
    /// The refresh replaces it.
    pub obsolete: bool,
    pub stage: Stage,
    /// When it counts as warm; old ones are.
    pub warm_at: Time,
    pub protected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// On its way in: not in service, or not yet known to be healthy.
    Coming,
    /// In service and unhealthy.
    Ailing,
    /// In service and healthy.
    Serving,
    Standby,
    Leaving,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// To be replaced now.
    pub replace: Vec<InstanceId>,
    /// Instances above the desired capacity that are launched before others end; none leaves it as it is.
    pub surplus: Option<usize>,
    /// Instances whose replacement is not complete.
    pub remaining: usize,
    pub percent: usize,
    /// Instances of the warm pool that are still to be replaced.
    pub pool_remaining: usize,
    pub step: Step,
    pub wake_at: Option<Time>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Step {
    #[default]
    GoOn,
    /// So many more checkpoints are reached: it waits at the last of them.
    Checkpoint {
        reached: usize,
        until: Time,
    },
    /// The wait at a checkpoint is over.
    LeaveCheckpoint,
    /// All is replaced; it is watched until then.
    Bake(Time),
    Succeed,
    Fail(String),
    Cancelled,
}

/// Decides.
pub(super) fn plan(view: &View) -> Plan {
    let mut planner = Planner { view, plan: Plan::default() };
    planner.measure();
    planner.decide();
    planner.plan
}

struct Planner<'a> {
    view: &'a View,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// Obsolete instances that it has to replace.
    fn left(&self) -> impl Iterator<Item = &'a MemberView> {
        self.view.members.iter().filter(|m| m.obsolete && m.stage != Stage::Leaving && !self.ignores(m))
    }

    /// "RefreshPreferences": ScaleInProtectedInstances, StandbyInstances.
    fn ignores(&self, member: &MemberView) -> bool {
        match member.stage {
            Stage::Standby => self.view.standby == Blocked::Ignore,
            _ => member.protected && self.view.protected == Blocked::Ignore,
        }
    }

    /// Instances that it replaces. What it ignores stays old, and brings it to no checkpoint ("Add checkpoints to an instance
    /// refresh": that many percent must be new).
    fn total(&self) -> usize {
        let ignored = self.view.members.iter().filter(|m| m.obsolete && m.stage != Stage::Leaving && self.ignores(m));
        self.view.total.saturating_sub(ignored.count())
    }

    /// In service, healthy and warmed up.
    fn warm(&self) -> usize {
        self.view.members.iter().filter(|m| m.stage == Stage::Serving && m.warm_at <= self.view.now).count()
    }

    /// A replacement is complete when the old instance is on its way out and the capacity is warm again ("How an instance
    /// refresh works": it waits until the new instance is healthy and its warm-up is over).
    fn measure(&mut self) {
        let lacking = self.view.desired.saturating_sub(self.warm());
        let total = self.total();
        self.plan.remaining = (self.left().count() + lacking).min(total);
        let done = total - self.plan.remaining;
        self.plan.percent = (done * 100).checked_div(total).unwrap_or(100);
        self.plan.pool_remaining = self.view.pool.remaining();
    }

    fn decide(&mut self) {
        let view = self.view;
        for member in view.members.iter().filter(|m| m.stage == Stage::Serving && m.warm_at > view.now) {
            self.wake(member.warm_at);
        }
        if view.cancelling {
            self.plan.surplus = Some(0);
            if view.members.iter().all(|m| !matches!(m.stage, Stage::Coming | Stage::Leaving)) {
                self.plan.step = Step::Cancelled;
            } else {
                self.give_up_when_stalled(Step::Cancelled);
            }
            return;
        }
        if let Some(alarm) = &view.alarm {
            self.plan.step = Step::Fail(alarm.clone());
            return;
        }
        if let Some(until) = view.baking_until {
            self.until(until, Step::Succeed);
            return;
        }
        if let Some(until) = view.waits_until {
            self.plan.surplus = Some(0);
            self.until(until, Step::LeaveCheckpoint);
            return;
        }
        if self.at_checkpoint() {
            return;
        }
        if self.plan.remaining + self.plan.pool_remaining == 0 {
            self.plan.step = if view.bake.is_zero() { Step::Succeed } else { Step::Bake(view.now + view.bake) };
            return;
        }
        if !view.suspended {
            self.replace();
            self.plan.replace.extend(view.pool.to_replace(view.min_percent));
        }
        let stuck = if self.left().any(|m| m.protected || m.stage == Stage::Standby) {
            "it was blocked by instances that are protected from scale in or on standby"
        } else {
            "new instances did not become healthy"
        };
        self.give_up_when_stalled(Step::Fail(format!("The instance refresh made no progress for 1 hour: {stuck}.")));
    }

    /// "Add checkpoints to an instance refresh": once so many percent are replaced it waits, and at the last one it ends. It
    /// skips those that it goes beyond at once.
    fn at_checkpoint(&mut self) -> bool {
        let checkpoints = &self.view.checkpoints;
        let reached = checkpoints.iter().filter(|c| **c <= self.plan.percent && **c < 100).count();
        // "Use an instance refresh with skip matching": with nothing to replace it succeeds immediately.
        if reached == 0 || self.total() == 0 {
            return false;
        }
        let is_last = reached == checkpoints.len();
        if is_last && self.plan.pool_remaining > 0 {
            return false;
        }
        self.plan.step = match is_last {
            true if self.view.bake.is_zero() => Step::Succeed,
            true => Step::Bake(self.view.now + self.view.bake),
            false => Step::Checkpoint { reached, until: self.view.now + self.view.checkpoint_delay },
        };
        true
    }

    /// Obsolete instances that may still go before the next checkpoint.
    fn allowance(&self) -> usize {
        let (left, total) = (self.left().count(), self.total());
        let threshold = self.view.checkpoints.first().copied().unwrap_or(self.view.ends_at_percent).min(100);
        // So many are replaced when the threshold is reached.
        let target = (total * threshold).div_ceil(100);
        let gone = total.saturating_sub(left);
        target.saturating_sub(gone).min(left)
    }

    /// Keeps at least the minimum healthy percentage, rounded up, in service and warm, and at most the maximum, in the group
    /// ("RefreshPreferences": MinHealthyPercentage, MaxHealthyPercentage). Where the rounding leaves no room at all, one at a
    /// time is replaced ("Understand the default values": a minimum of 100 % replaces one instance at a time).
    fn replace(&mut self) {
        let view = self.view;
        let allowance = self.allowance();
        let above = view.desired * view.max_percent.saturating_sub(100) / 100;
        let above = if view.max_percent > 100 { above.max(1) } else { 0 };
        self.plan.surplus = Some(above.min(allowance));
        let floor = (view.desired * view.min_percent).div_ceil(100);
        let warm = self.warm();
        let mut room = warm.saturating_sub(floor);
        if room == 0 && above == 0 && floor >= view.desired && warm >= view.desired {
            room = 1;
        }
        let mut candidates: Vec<&MemberView> = self.left().filter(|m| self.may_go(m)).collect();
        let mut crowded: BTreeMap<&str, usize> = BTreeMap::new();
        candidates.iter().for_each(|m| *crowded.entry(&m.zone).or_default() += 1);
        // Zones take turns, the fullest first, and in each the oldest goes first.
        candidates.sort_by(|a, b| (a.launched_at, &a.id).cmp(&(b.launched_at, &b.id)));
        for _ in 0..allowance.min(candidates.len()) {
            let fullest = crowded.iter().max_by_key(|(_, count)| **count).map(|(zone, _)| *zone);
            let Some(index) = candidates.iter().position(|m| Some(m.zone.as_str()) == fullest) else { break };
            // One that does not serve takes no room.
            let costs = usize::from(candidates[index].stage == Stage::Serving);
            if costs > room {
                break;
            }
            room -= costs;
            let chosen = candidates.remove(index);
            if let Some(count) = crowded.get_mut(chosen.zone.as_str()) {
                *count -= 1;
            }
            self.plan.replace.push(chosen.id.clone());
        }
    }

    fn may_go(&self, member: &MemberView) -> bool {
        match member.stage {
            // What is on its way in is replaced once it is there.
            Stage::Coming | Stage::Leaving => false,
            Stage::Standby => self.view.standby == Blocked::Replace,
            Stage::Serving | Stage::Ailing => !member.protected || self.view.protected == Blocked::Replace,
        }
    }

    fn give_up_when_stalled(&mut self, step: Step) {
        // Coming nearer starts the hour anew.
        let view = self.view;
        let is_nearer = self.plan.remaining < view.remaining_before || self.plan.pool_remaining < view.pool_remaining_before;
        let since = if is_nearer { view.now } else { view.progressed_at };
        let deadline = since + STALLED;
        if self.view.now >= deadline {
            self.plan.replace.clear();
            self.plan.step = step;
        } else {
            self.wake(deadline);
        }
    }

    fn until(&mut self, at: Time, then: Step) {
        if self.view.now >= at {
            self.plan.step = then;
        } else {
            self.wake(at);
        }
    }

    fn wake(&mut self, at: Time) {
        self.plan.wake_at = Some(self.plan.wake_at.map_or(at, |old| old.min(at)));
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
