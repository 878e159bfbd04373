//! Carries a rolling update on: builds the pure view, asks `plan`, applies.

use base::{Fault, GroupName, InstanceId, Time};
use kernel::{Cx, State, Tx};

use super::plan::{MemberView, Step, View, plan};
use super::{Outcome, Phase, RollingUpdate};
use crate::activity::text;
use crate::group::Group;
use crate::member::{Health, Lifecycle, Member};
use crate::refresh::{is_away, passes_checks};
use crate::transitions::replace_member;

/// So many failed launches without a success fail an update, as they fail a creation.
pub(crate) const LAUNCH_FAILURES_MAX: u32 = 5;

/// The reconciler `autoscaling.rolling-update`; its key is the group's name.
pub(super) fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let name = GroupName::from(key);
    let Some(update) = tx.get::<RollingUpdate>(&name).filter(|u| u.outcome.is_none()).cloned() else { return Ok(None) };
    let Some(group) = tx.get::<Group>(&name).filter(|g| !g.deleting).cloned() else {
        super::forget(tx, &name);
        return Ok(None);
    };
    if let Some(failure) = group.last_failure.as_ref().filter(|_| group.failures >= LAUNCH_FAILURES_MAX) {
        let reason = format!("Group did not stabilize. Failed Scaling Activity: {failure}");
        finish(tx, update, Outcome::Failed(reason));
        return Ok(None);
    }
    let (step, surplus) = plan(&view(tx, &group, &update, cx.now));
    let surplus = u32::try_from(surplus).unwrap_or(u32::MAX);
    let mut update = update;
    if surplus > group.surplus {
        let size = group.desired_capacity + surplus;
        update.notes.push(format!("Temporarily setting autoscaling group MinSize and DesiredCapacity to {size}."));
    }
    tx.update::<Group>(&name, |g| g.surplus = surplus);
    Ok(apply(tx, cx, &group, update, step))
}

fn apply(tx: &mut Tx, cx: &Cx, group: &Group, mut update: RollingUpdate, step: Step) -> Option<Time> {
    match step {
        Step::Wait(at) => {
            tx.put(update);
            return at;
        }
        Step::Settle => settle(tx, cx, &mut update),
        Step::Missed(count) => {
            update.missed += u32::try_from(count).unwrap_or(u32::MAX);
            let ids: Vec<InstanceId> = added(tx, &update).map(|m| m.instance.clone()).collect();
            update.overdue.extend(ids.into_iter().filter(|id| !update.signals.contains_key(id.as_str())));
            update.notes.push(format!(
                "Failed to receive {count} resource signal(s) for the current batch.  Each resource signal timeout is counted as a FAILURE."
            ));
        }
        Step::Proceed => update.phase = Phase::Ready,
        Step::Replace { ids, launched } => {
            for id in &ids {
                // One that has gone meanwhile is replaced already.
                let _ = replace_member(tx, cx, id, text::user_request(cx.now, id, "taken out of service", None));
            }
            update.notes.push(format!("Terminating instance(s) [{}]; replacing with {launched} new instance(s).", joined(&ids)));
            update.phase = Phase::Moving { ending: ids };
        }
        Step::Done => {
            finish(tx, update, Outcome::Done);
            return None;
        }
        Step::Fail(reason) => {
            finish(tx, update, Outcome::Failed(reason));
            return None;
        }
    }
    debug_assert!(group.name == update.group, "an update is its group's");
    tx.put(update);
    None
}

/// What a batch has come to; then its signals are waited for, or its pause.
fn settle(tx: &Tx, cx: &Cx, update: &mut RollingUpdate) {
    let members = tx.rows_where::<Member>("group", &update.group).filter(|m| !is_away(m));
    let left = members.filter(|m| update.obsolete.contains(&m.instance)).count();
    let new = u32::try_from(added(tx, update).count()).unwrap_or(u32::MAX);
    if let Phase::Moving { ending } = &update.phase
        && !ending.is_empty()
    {
        let total = update.total.max(1) as usize;
        let percent = total.saturating_sub(left) * 100 / total;
        update.notes.push(format!("Successfully terminated instance(s) [{}] (Progress {percent}%).", joined(ending)));
    }
    let added = new.saturating_sub(update.expected);
    update.expected = update.expected.max(new);
    update.phase = Phase::Ready;
    if added == 0 {
        return;
    }
    let pause = &update.policy.pause;
    let text = &pause.text;
    if pause.signals {
        update.notes.push(format!(
            "New instance(s) added to autoscaling group - Waiting on {added} resource signal(s) with a timeout of {text}."
        ));
    } else if !pause.time.is_zero() {
        update.notes.push(format!("New instance(s) added to autoscaling group - Pausing for {text}."));
    }
    if pause.signals || !pause.time.is_zero() {
        update.phase = Phase::Settling { until: cx.now + pause.time };
    }
}

/// What came since the update began, and stays.
fn added<'a>(state: &'a State, update: &RollingUpdate) -> impl Iterator<Item = &'a Member> {
    let is_new = |m: &&Member| !update.obsolete.contains(&m.instance) && !update.spared.contains(&m.instance);
    state.rows_where::<Member>("group", &update.group).filter(|m| !is_away(m)).filter(is_new)
}

fn joined(ids: &[InstanceId]) -> String {
    ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(",")
}

fn finish(tx: &mut Tx, update: RollingUpdate, outcome: Outcome) {
    super::release(tx, &update);
    tx.put(RollingUpdate { outcome: Some(outcome), ..update });
}

fn view(state: &State, group: &Group, update: &RollingUpdate, now: Time) -> View {
    let succeeded = update.signals.values().filter(|success| **success).count();
    let members = state.rows_where::<Member>("group", &group.name).filter(|m| !m.lifecycle.is_warm());
    View {
        now,
        desired: group.desired_capacity as usize,
        max_size: group.max_size as usize,
        policy: update.policy.clone(),
        phase: update.phase.clone(),
        total: update.total as usize,
        expected: update.expected as usize,
        successes: succeeded,
        failures: update.signals.len() - succeeded + update.missed as usize,
        members: members.map(|m| member_view(state, group, update, m)).collect(),
    }
}

fn member_view(state: &State, group: &Group, update: &RollingUpdate, member: &Member) -> MemberView {
    let healthy = member.lifecycle == Lifecycle::InService && member.health == Health::Healthy;
    let standby = matches!(member.lifecycle, Lifecycle::EnteringStandby | Lifecycle::Standby);
    MemberView {
        id: member.instance.clone(),
        obsolete: update.obsolete.contains(&member.instance),
        serving: healthy && passes_checks(state, group, member),
        leaving: is_away(member) || standby,
    }
}
