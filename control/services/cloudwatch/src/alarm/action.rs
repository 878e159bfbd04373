//! What alarms invoke. Topics get a message at once; what other services do is put into the outbox of [`Invocation`] rows.

use base::{Fault, Time};
use kernel::{Cx, State, Tx};

use super::row::{Alarm, Invocation, StateChange};
use super::{history, message};

/// Most actions of one state ("PutMetricAlarm": up to five).
pub(crate) const ACTIONS_MAX: usize = 5;
/// Most invocations of one action that wait for whoever acts on them; the oldest make room.
pub const PENDING_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Topic,
    ScalingPolicy,
    /// `stop`, `terminate`, `reboot` or `recover` of the instance that the metric's `InstanceId` names.
    Instance,
}

/// Reads an action's ARN ("PutMetricAlarm", AlarmActions). One that nobody here can act on is none, with the reason.
pub(crate) fn kind(cx: &Cx, arn: &str) -> Result<Kind, String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", partition, service, region, account, resource] = parts.as_slice() else {
        return Err(format!("Invalid arn syntax: {arn}"));
    };
    if partition != cx.scope.partition || region != cx.scope.region {
        return Err(format!("Invalid region {region} specified. Only {} is supported.", cx.scope.region));
    }
    match service {
        "sns" if account == cx.scope.account && !resource.is_empty() && !resource.contains(':') => Ok(Kind::Topic),
        "autoscaling" if account == cx.scope.account && is_policy(resource) => Ok(Kind::ScalingPolicy),
        // `arn:aws:automate:REGION:ec2:stop` has the service where others have the account.
        "automate" if account == "ec2" && matches!(resource, "stop" | "terminate" | "reboot" | "recover") => Ok(Kind::Instance),
        "sns" | "autoscaling" | "automate" => Err(format!("Invalid arn syntax: {arn}")),
        "swf" | "ssm" | "ssm-incidents" | "lambda" | "aiops" => {
            Err(format!("Actions of {service} are not available in this region: {arn}"))
        }
        _ => Err(format!("Unsupported action: {arn}")),
    }
}

/// `scalingPolicy:UUID:autoScalingGroupName/GROUP:policyName/NAME`.
fn is_policy(resource: &str) -> bool {
    let group = resource.strip_prefix("scalingPolicy:").and_then(|rest| rest.split_once(":autoScalingGroupName/"));
    group.and_then(|(_, rest)| rest.split_once(":policyName/")).is_some_and(|(group, name)| !group.is_empty() && !name.is_empty())
}

pub(crate) fn is_scaling(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("autoscaling")
}

/// Invokes the actions of the state that an alarm has just come to. `alarm` has it already.
pub(super) fn invoke(tx: &mut Tx, cx: &Cx, alarm: &Alarm, old: &StateChange) {
    for action in distinct(alarm) {
        match kind(cx, action) {
            Ok(Kind::Topic) => publish(tx, cx, alarm, old, action),
            // Whoever does it says what came of it.
            Ok(Kind::ScalingPolicy | Kind::Instance) => request(tx, cx.now, alarm, action, alarm.state.value),
            Err(reason) => history::acted(tx, cx, alarm, action, None, Some(&reason)),
        }
    }
}

/// Invokes the state's actions of Auto Scaling again ("Using Amazon CloudWatch alarms", Alarm actions: once a minute that the
/// alarm remains in the new state).
pub(super) fn invoke_again(tx: &mut Tx, now: Time, alarm: &Alarm, value: Option<(Time, f64)>) {
    for action in distinct(alarm).filter(|a| is_scaling(a)) {
        request(tx, now, alarm, action, value);
    }
}

/// Whether the present state has actions that are invoked again each minute.
pub(super) fn repeats(alarm: &Alarm) -> bool {
    distinct(alarm).any(|a| is_scaling(a))
}

/// The present state's actions, each once.
fn distinct(alarm: &Alarm) -> impl Iterator<Item = &String> {
    let all = if alarm.actions_enabled { alarm.actions(alarm.state.state) } else { &[] };
    all.iter().enumerate().filter(|(n, action)| !all[..*n].contains(action)).map(|(_, action)| action)
}

fn publish(tx: &mut Tx, cx: &Cx, alarm: &Alarm, old: &StateChange, topic: &str) {
    let message = message::of(cx, alarm, old);
    let body = message.body.clone();
    let outcome: Result<(), Fault> = tx.attempt(|tx| sns::publish(tx, cx, topic, message));
    let error = outcome.err().map(|fault| fault.message);
    history::acted(tx, cx, alarm, topic, Some(&body), error.as_deref());
}

/// Puts an invocation into the outbox; one of the same alarm and action that still waits gives way.
fn request(tx: &mut Tx, now: Time, alarm: &Alarm, action: &str, value: Option<(Time, f64)>) {
    for key in in_the_way(tx, &alarm.name, action) {
        tx.remove::<Invocation>(&key);
    }
    let key = format!("{action}#{:020}", tx.next_sequence());
    tx.put(Invocation {
        key,
        action: action.to_string(),
        alarm: alarm.name.clone(),
        state: alarm.state.state,
        at: now,
        value,
        reason: alarm.state.reason.clone(),
    });
}

fn in_the_way(state: &State, alarm: &str, action: &str) -> Vec<String> {
    let waiting = || state.rows_where::<Invocation>("action", action);
    let own = waiting().filter(|i| i.alarm == alarm).map(|i| i.key.clone());
    let others = waiting().filter(|i| i.alarm != alarm);
    let over = (others.clone().count() + 1).saturating_sub(PENDING_MAX);
    own.chain(others.take(over).map(|i| i.key.clone())).collect()
}

/// Takes an alarm's invocations back.
pub(super) fn withdraw(tx: &mut Tx, alarm: &str) {
    let keys: Vec<String> = tx.rows_where::<Invocation>("alarm", alarm).map(|i| i.key.clone()).collect();
    for key in keys {
        tx.remove::<Invocation>(&key);
    }
}
