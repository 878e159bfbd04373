//! What a rolling update does next, decided from its present state alone: pure, no clock, no rows.

use base::{InstanceId, Time};

use super::{Phase, Policy};

/// Everything that the decision needs.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub now: Time,
    pub desired: usize,
    pub max_size: usize,
    pub policy: Policy,
    pub phase: Phase,
    pub total: usize,
    /// Instances that the update will have launched once this phase is over.
    pub expected: usize,
    pub successes: usize,
    pub failures: usize,
    pub members: Vec<MemberView>,
}

/// An instance of the group.
#[derive(Clone, Debug)]
pub(super) struct MemberView {
    pub id: InstanceId,
    pub obsolete: bool,
    /// In service and healthy.
    pub serving: bool,
    /// On its way out.
    pub leaving: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Until something changes, or then.
    Wait(Option<Time>),
    /// New instances are there: signals or time are waited for, when there is cause to.
    Settle,
    /// Signals did not come: so many.
    Missed(usize),
    Proceed,
    /// These go; so many come for them.
    Replace {
        ids: Vec<InstanceId>,
        launched: usize,
    },
    Done,
    Fail(String),
}

/// The step, and the surplus that the group has from now on.
pub(super) fn plan(view: &View) -> (Step, usize) {
    let (step, left) = step(view);
    (step, surplus(view, left))
}

/// "UpdatePolicy attribute", MinInstancesInService: where a batch would leave fewer, the group is made larger first.
fn surplus(view: &View, left: usize) -> usize {
    let wanted = (least(view) + view.policy.batch_max as usize).min(view.max_size.max(view.desired));
    // Of a group of one, batches of three replace one.
    wanted.saturating_sub(view.desired).min(left)
}

/// How many must stay in service; never more than are wanted.
fn least(view: &View) -> usize {
    (view.policy.min_in_service as usize).min(view.desired)
}

fn step(view: &View) -> (Step, usize) {
    let left = view.members.iter().filter(|m| m.obsolete && !m.leaving).count();
    let alive = view.members.iter().filter(|m| !m.leaving).count();
    let serving = view.members.iter().filter(|m| m.serving && !m.leaving).count();
    if let Some(reason) = too_many_failures(view) {
        return (Step::Fail(reason), 0);
    }
    let wanted = view.desired + surplus(view, left);
    let step = match &view.phase {
        Phase::Moving { ending } => {
            let gone = ending.iter().all(|id| view.members.iter().all(|m| m.id != *id));
            // MinActiveInstancesPercent of the capacity must be in service. What is still to be replaced need not be well: that
            // may be what the update is for.
            let least = (wanted * view.policy.min_active_percent as usize).div_ceil(100);
            let active = view.members.iter().filter(|m| (m.serving || m.obsolete) && !m.leaving).count();
            if gone && alive >= wanted.min(least.max(1)) && active >= least { Step::Settle } else { Step::Wait(None) }
        }
        Phase::Settling { until } => {
            let heard = view.successes + view.failures;
            if view.policy.pause.signals && heard >= view.expected {
                Step::Proceed
            } else if view.now < *until {
                Step::Wait(Some(*until))
            } else if view.policy.pause.signals {
                Step::Missed(view.expected.saturating_sub(heard))
            } else {
                Step::Proceed
            }
        }
        Phase::Ready if left == 0 => Step::Done,
        Phase::Ready => return replace(view, left, serving),
    };
    (step, left)
}

fn replace(view: &View, left: usize, serving: usize) -> (Step, usize) {
    let room = serving.saturating_sub(least(view));
    let batch = (view.policy.batch_max as usize).min(left);
    // What does not serve goes without being missed.
    let mut candidates: Vec<&MemberView> = view.members.iter().filter(|m| m.obsolete && !m.leaving).collect();
    candidates.sort_by_key(|m| m.serving);
    let mut free = room;
    let mut ids = Vec::new();
    for member in candidates.into_iter().take(batch) {
        if member.serving && free == 0 {
            break;
        }
        free -= usize::from(member.serving);
        ids.push(member.id.clone());
    }
    if ids.is_empty() {
        return (Step::Wait(None), left);
    }
    let after = left - ids.len();
    let alive = view.members.iter().filter(|m| !m.leaving).count() - ids.len();
    let launched = (view.desired + surplus(view, after)).saturating_sub(alive);
    (Step::Replace { ids, launched }, after)
}

/// "UpdatePolicy attribute", MinSuccessfulInstancesPercent: of five instances at 50 percent three must succeed.
fn too_many_failures(view: &View) -> Option<String> {
    if !view.policy.pause.signals {
        return None;
    }
    let percent = view.policy.min_successful_percent as usize;
    let needed = (view.total * percent).div_ceil(100);
    (view.failures > view.total.saturating_sub(needed)).then(|| {
        format!(
            "Received {} FAILURE signal(s) out of {}.  Unable to satisfy {percent}% MinSuccessfulInstancesPercent requirement",
            view.failures, view.total
        )
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
