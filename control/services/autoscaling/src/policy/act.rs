//! Acts on alarms: reads the invocations that are for a group's policies, decides, and changes the wanted capacity, all in one
//! transaction. Instances follow from the group's reconciler.

use std::time::Duration;

use base::{Fault, GroupName, Time};
use cloudwatch::alarm::{Alarm, AlarmState, Invocation, Watched};
use kernel::{Cx, Registry, State, Tx};
use metrics::Statistic;

use super::decide::{self, Step};
use super::fleet::{cooling, fleet, is_same_since, measured, warmup_s};
use super::row::{Aggregation, Cooldown, Rule, ScalingPolicy};
use crate::forecast;
use crate::group::{Group, Process};

const RECONCILER: &str = "autoscaling.policy";
/// So many periods back a value is looked for.
const VALUE_PERIODS_MAX: u32 = 5;

pub(super) fn register(registry: &mut Registry) {
    registry.reconciler(RECONCILER, reconcile);
    registry.watch::<Invocation>(RECONCILER, |_, invocation, due| {
        due.extend(group_of(&invocation.action).map(str::to_string));
    });
}

/// The group in a policy's ARN, `...:scalingPolicy:UUID:autoScalingGroupName/GROUP:policyName/NAME`.
fn group_of(action: &str) -> Option<&str> {
    let (_, rest) = action.split_once(":scalingPolicy:")?;
    let (_, rest) = rest.split_once(":autoScalingGroupName/")?;
    rest.split_once(":policyName/").map(|(group, _)| group)
}

/// What a policy wants and why.
#[derive(Debug)]
struct Proposal {
    capacity: u32,
    policy: String,
    alarm: String,
    state: AlarmState,
    /// A simple policy's cooldown in seconds.
    cooldown_s: Option<u32>,
}

fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let name = GroupName::from(key);
    let of_group = |i: &&Invocation| group_of(&i.action) == Some(key);
    let invocations: Vec<Invocation> = tx.rows::<Invocation>().filter(of_group).cloned().collect();
    let active = active(tx, &name).cloned();
    for invocation in &invocations {
        let error = active.as_ref().err().cloned().or_else(|| enabled(tx, &invocation.action).err());
        cloudwatch::alarm::done(tx, cx, &invocation.key, error.as_deref());
    }
    let Ok(group) = active else { return Ok(None) };
    let proposals: Vec<Proposal> = invocations.iter().filter_map(|i| proposal(tx, cx, &group, i, &invocations)).collect();
    // "How multiple dynamic scaling policies work together": the largest capacity wins.
    if let Some(best) = proposals.into_iter().max_by_key(|p| p.capacity) {
        take(tx, cx, &group, best);
    }
    Ok(None)
}

/// A group whose policies may act; else why they may not, for the alarm's history.
fn active<'a>(state: &'a State, name: &GroupName) -> Result<&'a Group, String> {
    let group = state.get::<Group>(name).filter(|g| !g.deleting);
    let group = group.ok_or_else(|| format!("AutoScalingGroup name not found - no such group: {name}"))?;
    // "Suspend and resume Amazon EC2 Auto Scaling processes": AlarmNotification stops policies from acting.
    if group.suspended.contains_key(&Process::AlarmNotification) {
        return Err(format!("The process AlarmNotification is suspended for AutoScalingGroup: {name}"));
    }
    Ok(group)
}

/// The policy of an action; else why it does nothing.
fn enabled<'a>(state: &'a State, action: &str) -> Result<&'a ScalingPolicy, String> {
    let policy = state.rows_where::<ScalingPolicy>("arn", action).next();
    let policy = policy.ok_or_else(|| format!("PolicyName not found - No scaling policy found by this name: {action}"))?;
    if policy.enabled { Ok(policy) } else { Err(format!("The scaling policy {} is disabled.", policy.name)) }
}

fn proposal(state: &State, cx: &Cx, group: &Group, invocation: &Invocation, all: &[Invocation]) -> Option<Proposal> {
    let policy = enabled(state, &invocation.action).ok()?;
    let alarm = state.get::<Alarm>(&invocation.alarm)?;
    let view = fleet(state, group, warmup_s(group, policy), cx.now);
    let mut cooldown = None;
    let capacity = match &policy.rule {
        Rule::SimpleScaling { adjustment, by, min_magnitude, cooldown_s } => {
            if cooling(state, &group.name, cx.now).is_some() {
                return None;
            }
            cooldown = Some(cooldown_s.unwrap_or(group.default_cooldown_s));
            decide::simple(view, *adjustment, *by, *min_magnitude)
        }
        Rule::StepScaling { adjustment, steps, min_magnitude, aggregation } => {
            let step = step_for(state, steps, *aggregation, alarm, invocation)?;
            decide::step(view, *adjustment, step.by, *min_magnitude)?
        }
        Rule::TargetTrackingScaling { alarms, .. } => {
            if invocation.alarm == alarms.high {
                scale_out(state, group, policy, (alarm, all), view)?
            } else {
                scale_in(state, cx, group, all)?
            }
        }
        Rule::PredictiveScaling(_) => return None,
    };
    let (policy, alarm) = (policy.name.clone(), invocation.alarm.clone());
    Some(Proposal { capacity, policy, alarm, state: invocation.state, cooldown_s: cooldown })
}

/// The step for an alarm's newest value: how far it is from the alarm's threshold.
fn step_for<'a>(
    state: &State,
    steps: &'a [Step],
    aggregation: Aggregation,
    alarm: &Alarm,
    invocation: &Invocation,
) -> Option<&'a Step> {
    let Watched::Metrics { threshold, .. } = &alarm.watched else { return None };
    let (at, value) = invocation.value?;
    let value = aggregated(state, aggregation, alarm, at).unwrap_or(value);
    decide::step_of(steps, value - threshold)
}

/// "MetricAggregationType": the data point of the period that began at `at`, anew by the policy's statistic where that is another
/// than the alarm's own and the alarm watches one metric.
fn aggregated(state: &State, aggregation: Aggregation, alarm: &Alarm, at: Time) -> Option<f64> {
    let Watched::Metrics { queries, .. } = &alarm.watched else { return None };
    let [query] = queries.as_slice() else { return None };
    let metric = query.metric.as_ref()?;
    // What an average would hide is asked for; an average of a sum or a percentile would mean something else.
    if query.statistic != "Average" || aggregation == Aggregation::Average {
        return None;
    }
    let until = at + Duration::from_secs(u64::from(query.period_s));
    let points = cloudwatch::store(state).points_from(metric, None, until, (at, until), query.period_s);
    Statistic::parse(aggregation.as_str())?.of(&points.first()?.1)
}

/// The newest value of an alarm that is in ALARM, with the beginning of its period: that of its invocation, or what the store
/// has of its metric, or the value that put it in its state.
fn alarming(state: &State, alarm: &Alarm, invocations: &[Invocation]) -> Option<(Time, f64)> {
    let Watched::Metrics { queries, .. } = &alarm.watched else { return None };
    if alarm.state.state != AlarmState::Alarm {
        return None;
    }
    if let Some(told) = invocations.iter().find(|i| i.alarm == alarm.name).and_then(|i| i.value) {
        return Some(told);
    }
    let newest = || {
        let [query] = queries.as_slice() else { return None };
        let (metric, until, period_s) = (query.metric.as_ref()?, alarm.evaluated_until, query.period_s);
        let period = Duration::from_secs(u64::from(period_s));
        let span = (until - period * VALUE_PERIODS_MAX, until);
        let (at, sample) = cloudwatch::store(state).points_from(metric, None, until, span, period_s).pop()?;
        Some((at, Statistic::parse(&query.statistic)?.of(&sample)?))
    };
    newest().or(alarm.state.value)
}

fn scale_out(
    state: &State,
    group: &Group,
    policy: &ScalingPolicy,
    (alarm, all): (&Alarm, &[Invocation]),
    view: decide::Fleet,
) -> Option<u32> {
    let Rule::TargetTrackingScaling { target, .. } = policy.rule else { return None };
    let (at, value) = alarming(state, alarm, all)?;
    let measured = measured(state, &group.name, warmup_s(group, policy), at);
    Some(decide::track_out(view, measured, value, target))
}

/// "How multiple dynamic scaling policies work together": the group shrinks only when every target tracking policy that may
/// scale in is ready to, and then to the largest of their wishes.
fn scale_in(state: &State, cx: &Cx, group: &Group, all: &[Invocation]) -> Option<u32> {
    let mut wanted = None;
    for policy in state.rows_where::<ScalingPolicy>("group", &group.name).filter(|p| p.enabled) {
        let Rule::TargetTrackingScaling { target, alarms, .. } = &policy.rule else { continue };
        let Some(low) = &alarms.low else { continue };
        let (at, value) = alarming(state, state.get::<Alarm>(low)?, all)?;
        if !is_same_since(state, &group.name, at) {
            return None;
        }
        let view = fleet(state, group, warmup_s(group, policy), cx.now);
        wanted = wanted.max(Some(decide::track_in(view, value, *target)?));
    }
    wanted
}

/// Whether a target tracking policy wants more, or as much as there is: then nothing shrinks.
fn wants_out(state: &State, group: &GroupName) -> bool {
    let mut enabled = state.rows_where::<ScalingPolicy>("group", group).filter(|p| p.enabled);
    enabled.any(|policy| match &policy.rule {
        Rule::TargetTrackingScaling { alarms, .. } => is_alarm(state, &alarms.high),
        _ => false,
    })
}

fn is_alarm(state: &State, name: &str) -> bool {
    state.find::<Alarm, str>(name).is_some_and(|a| a.state.state == AlarmState::Alarm)
}

fn take(tx: &mut Tx, cx: &Cx, group: &Group, mut best: Proposal) {
    let before = group.desired_capacity;
    if best.capacity < before {
        if wants_out(tx, &group.name) {
            return;
        }
        // A forecast of this hour is a floor ("How predictive scaling works").
        best.capacity = best.capacity.max(forecast::floor(tx, &group.name, cx.now)).min(before);
    }
    if best.capacity == before {
        return;
    }
    let request = format!(
        "At {} a monitor alarm {} in state {} triggered policy {} changing the desired capacity from {before} to {}.",
        cx.now.iso8601_s(),
        best.alarm,
        best.state.as_str(),
        best.policy,
        best.capacity
    );
    set_capacity(tx, cx, group, best.capacity, request, best.cooldown_s);
}

/// Changes the wanted capacity for a policy's sake; a simple policy's change begins a cooldown.
pub(super) fn set_capacity(tx: &mut Tx, cx: &Cx, group: &Group, capacity: u32, request: String, cooldown_s: Option<u32>) {
    tx.update::<Group>(&group.name, |g| {
        g.desired_capacity = capacity;
        g.request = Some(request);
    });
    if let Some(seconds) = cooldown_s {
        tx.put(Cooldown { group: group.name.clone(), since: cx.now, seconds });
    }
}
