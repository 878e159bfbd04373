//! Carries a refresh on: builds the pure view, asks `plan`, applies.

use std::time::Duration;

use base::{Fault, GroupName, Time};
use cloudwatch::AlarmState;
use kernel::{Cx, State, Tx};

use super::active;
use super::plan::{MemberView, Plan, Stage, Step, View, plan};
use super::pool::{PoolMember, PoolView};
use super::row::{Refresh, RefreshStatus};
use super::transitions::{end, is_away, turn_round};
use crate::activity::text;
use crate::group::{Group, HealthCheck, Process};
use crate::member::{Class, Health, Lifecycle, Member};
use crate::transitions::replace_member;
use crate::warm_pool::{self, WarmPool};

/// The reconciler `autoscaling.refresh`; its key is the group's name.
pub(super) fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let name = GroupName::from(key);
    let Some(refresh) = active(tx, &name).cloned() else { return Ok(None) };
    let Some(group) = tx.get::<Group>(&name).filter(|g| !g.deleting).cloned() else {
        end(tx, cx, refresh, RefreshStatus::Cancelled, Some("The Auto Scaling group is being deleted.".into()));
        return Ok(None);
    };
    let planned = plan(&view(tx, &group, &refresh, cx.now));
    let wake_at = planned.wake_at;
    apply(tx, cx, &group, refresh, planned);
    Ok(wake_at)
}

fn apply(tx: &mut Tx, cx: &Cx, group: &Group, mut refresh: Refresh, planned: Plan) {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    if count(planned.remaining) < refresh.remaining || count(planned.pool_remaining) < refresh.pool_remaining {
        refresh.progressed_at = cx.now;
    }
    (refresh.remaining, refresh.percent) = (count(planned.remaining), count(planned.percent));
    refresh.pool_remaining = count(planned.pool_remaining);
    if refresh.status == RefreshStatus::Pending {
        refresh.status = RefreshStatus::InProgress;
    }
    let surplus = planned.surplus.map_or(group.surplus, count);
    tx.update::<Group>(&group.name, |g| g.surplus = surplus);
    for id in &planned.replace {
        // One that has gone meanwhile is replaced already.
        let _ = replace_member(tx, cx, id, text::refreshed(cx.now, id));
    }
    let back = refresh.rollback.is_some();
    match planned.step {
        Step::GoOn => {
            if let Some(text) = what_it_waits_for(&refresh, &planned.replace) {
                refresh.reason = Some(text);
            }
            tx.put(refresh);
        }
        Step::Checkpoint { reached, until } => {
            refresh.checkpoints += reached;
            let last = refresh.preferences.checkpoints.get(refresh.checkpoints - 1).copied().unwrap_or_default();
            refresh.reason = Some(format!("Waiting at the checkpoint of {last} percent until {}.", until.iso8601_s()));
            tx.put(Refresh { waits_until: Some(until), ..refresh });
        }
        Step::LeaveCheckpoint => tx.put(Refresh { waits_until: None, reason: None, progressed_at: cx.now, ..refresh }),
        Step::Bake(until) => {
            tx.put(Refresh { status: RefreshStatus::Baking, reason: None, baking_until: Some(until), ..refresh });
        }
        Step::Succeed if back => {
            let reason = refresh.reason.clone();
            end(tx, cx, refresh, RefreshStatus::RollbackSuccessful, reason);
        }
        Step::Succeed => end(tx, cx, refresh, RefreshStatus::Successful, None),
        Step::Cancelled => {
            let reason = refresh.reason.clone();
            end(tx, cx, refresh, RefreshStatus::Cancelled, reason);
        }
        Step::Fail(reason) if back => end(tx, cx, refresh, RefreshStatus::RollbackFailed, Some(reason)),
        // "Undo changes with a rollback": AutoRollback turns a failure into the way back.
        Step::Fail(reason) if refresh.preferences.auto_rollback => turn_round(tx, cx, group, refresh, reason),
        Step::Fail(reason) => end(tx, cx, refresh, RefreshStatus::Failed, Some(reason)),
    }
}

fn what_it_waits_for(refresh: &Refresh, replaced: &[base::InstanceId]) -> Option<String> {
    let first = replaced.first()?;
    (refresh.rollback.is_none())
        .then(|| format!("Waiting for remaining instances to be available. For example: {first} is being replaced."))
}

fn view(state: &State, group: &Group, refresh: &Refresh, now: Time) -> View {
    let preferences = &refresh.preferences;
    let percent = |value: &u32| *value as usize;
    let stops = [Process::InstanceRefresh, Process::Launch, Process::Terminate];
    let back = refresh.rollback.is_some();
    let thresholds: Vec<usize> = preferences.checkpoints.iter().map(percent).collect();
    View {
        now,
        desired: group.desired_capacity as usize,
        min_percent: percent(&preferences.min_healthy_percent),
        max_percent: percent(&preferences.max_healthy_percent),
        protected: preferences.protected,
        standby: preferences.standby,
        total: refresh.total as usize,
        ends_at_percent: if back { 100 } else { thresholds.last().copied().unwrap_or(100) },
        checkpoints: if back { Vec::new() } else { thresholds.into_iter().skip(refresh.checkpoints).collect() },
        checkpoint_delay: Duration::from_secs(preferences.checkpoint_delay_s.into()),
        waits_until: refresh.waits_until,
        bake: if back { Duration::ZERO } else { Duration::from_secs(preferences.bake_s.into()) },
        baking_until: refresh.baking_until,
        progressed_at: refresh.progressed_at,
        remaining_before: refresh.remaining as usize,
        suspended: stops.iter().any(|p| group.suspended.contains_key(p)),
        // On the way back nothing is left to protect.
        alarm: if back { None } else { alarm(state, refresh) },
        pool: pool_view(state, group, refresh),
        pool_remaining_before: refresh.pool_remaining as usize,
        cancelling: refresh.status == RefreshStatus::Cancelling,
        members: state.rows_where::<Member>("group", &group.name).filter_map(|m| member_view(state, group, refresh, m)).collect(),
    }
}

fn pool_view(state: &State, group: &Group, refresh: &Refresh) -> PoolView {
    let stays = warm_pool::members(state, &group.name).filter(|m| !m.lifecycle.is_ending());
    let member = |m: &Member| PoolMember {
        id: m.instance.clone(),
        launched_at: m.launched_at,
        obsolete: refresh.obsolete.contains(&m.instance),
        is_ready: m.class() == Class::Warm,
    };
    let wanted = state.get::<WarmPool>(&group.name).map_or(0, |pool| pool.wanted(group));
    PoolView { wanted, members: stays.map(member).collect() }
}

/// "Start an instance refresh with auto rollback": an alarm that goes off fails the refresh.
fn alarm(state: &State, refresh: &Refresh) -> Option<String> {
    let is_on = |name: &&String| state.get::<cloudwatch::Alarm>(name).is_some_and(|a| a.state.state == AlarmState::Alarm);
    let name = refresh.preferences.alarms.iter().find(is_on)?;
    Some(format!("Instance refresh failed because the CloudWatch alarm {name} went into the ALARM state."))
}

fn member_view(state: &State, group: &Group, refresh: &Refresh, member: &Member) -> Option<MemberView> {
    let obsolete = refresh.obsolete.contains(&member.instance);
    let in_service = member.lifecycle == Lifecycle::InService;
    let stage = match member.health {
        _ if member.lifecycle.is_warm() => return None,
        _ if is_away(member) => Stage::Leaving,
        _ if matches!(member.lifecycle, Lifecycle::EnteringStandby | Lifecycle::Standby) => Stage::Standby,
        Health::Unhealthy(_) if in_service => Stage::Ailing,
        Health::Healthy if in_service && passes_checks(state, group, member) => Stage::Serving,
        _ => Stage::Coming,
    };
    let warmup = Duration::from_secs(refresh.preferences.warmup_s.into());
    let since = member.in_service_at.unwrap_or(member.launched_at);
    Some(MemberView {
        id: member.instance.clone(),
        zone: member.zone.clone(),
        launched_at: member.launched_at,
        obsolete,
        stage,
        warm_at: if obsolete { since } else { since + warmup },
        protected: member.protected,
    })
}

/// With ELB health checks an instance is healthy once every load balancer that checks it says so.
pub(crate) fn passes_checks(state: &State, group: &Group, member: &Member) -> bool {
    group.health_check != HealthCheck::Elb
        || group.target_groups.iter().all(|t| {
            matches!(elb::target_health(state, t, &member.instance), None | Some(elb::Health::Healthy | elb::Health::Unused))
        })
}
