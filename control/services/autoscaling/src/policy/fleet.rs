//! A group as scaling decisions see it: which of its instances are warm, coming and leaving.

use std::time::Duration;

use base::{GroupName, Time};
use kernel::State;

use super::decide::Fleet;
use super::row::{Cooldown, Rule, ScalingPolicy};
use crate::activity::{self, Activity, Status};
use crate::group::Group;
use crate::member::{Lifecycle, Member};

/// How long an instance warms up for a policy, in seconds: the policy's estimate, else the group's default warmup, else
/// the default cooldown ("Set the default instance warmup for an Auto Scaling group").
pub(super) fn warmup_s(group: &Group, policy: &ScalingPolicy) -> u32 {
    policy.warmup_s.or(group.default_instance_warmup_s).unwrap_or(group.default_cooldown_s)
}

/// How long an instance is left out of the group's aggregated metrics, in seconds: the group's default warmup, else the longest
/// warmup of its policies that know one; nothing where nothing scales by metrics (the same page).
pub(crate) fn metric_warmup_s(state: &State, group: &Group) -> u32 {
    let of_policies = || {
        let dynamic = |p: &&ScalingPolicy| matches!(p.rule, Rule::StepScaling { .. } | Rule::TargetTrackingScaling { .. });
        state.rows_where::<ScalingPolicy>("group", &group.name).filter(dynamic).map(|p| warmup_s(group, p)).max()
    };
    group.default_instance_warmup_s.or_else(of_policies).unwrap_or(0)
}

/// Whether a member serves and was warmed up at `moment`.
pub(crate) fn is_warm(member: &Member, warmup_s: u32, moment: Time) -> bool {
    let warm_at = member.in_service_at.map(|at| at + Duration::from_secs(u64::from(warmup_s)));
    member.lifecycle == Lifecycle::InService && warm_at.is_some_and(|at| at <= moment)
}

pub(super) fn fleet(state: &State, group: &Group, warmup_s: u32, now: Time) -> Fleet {
    let (min, max) = (group.min_size, group.max_size);
    let mut fleet = Fleet { desired: group.desired_capacity, min, max, warm: 0, coming: 0, leaving: 0 };
    for member in state.rows_where::<Member>("group", &group.name) {
        match member.lifecycle {
            // One more than wanted for the balance of the zones is no capacity yet.
            Lifecycle::Pending if member.extra => {}
            Lifecycle::InService if is_warm(member, warmup_s, now) => fleet.warm += 1,
            Lifecycle::Pending | Lifecycle::InService => fleet.coming += 1,
            Lifecycle::Terminating => fleet.leaving += 1,
            _ => {}
        }
    }
    fleet
}

/// How many instances a metric of the period that began at `moment` is an average of.
pub(super) fn measured(state: &State, group: &GroupName, warmup_s: u32, moment: Time) -> u32 {
    let warm = state.rows_where::<Member>("group", group).filter(|m| is_warm(m, warmup_s, moment)).count();
    u32::try_from(warm).unwrap_or(u32::MAX)
}

/// Whether the group has not changed since `moment`: a metric of an older period tells of another fleet.
pub(super) fn is_same_since(state: &State, group: &GroupName, moment: Time) -> bool {
    let changed = |a: &Activity| a.status == Status::Successful && a.ended_at.is_some_and(|at| at > moment);
    !state.rows_where::<Activity>("group", group).any(changed)
}

/// What a simple policy waits for, in words: until its group's last scaling activity is over and the cooldown has passed
/// after it ("Scaling cooldowns").
pub(crate) fn cooling(state: &State, group: &GroupName, now: Time) -> Option<String> {
    if let Some(activity) = activity::under_way(state, group).next() {
        return Some(activity.id.clone());
    }
    let cooldown = state.get::<Cooldown>(group)?;
    let since = state.rows_where::<Activity>("group", group).filter(|a| a.started_at >= cooldown.since);
    let last = since.filter(|a| a.ended_at.is_some()).max_by_key(|a| a.ended_at);
    let from = last.and_then(|a| a.ended_at).unwrap_or(cooldown.since);
    let cools = now < from + Duration::from_secs(u64::from(cooldown.seconds));
    cools.then(|| last.map_or_else(String::new, |a| a.id.clone()))
}
