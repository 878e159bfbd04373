//! Changes of an alarm: made, configured, come to another state, deleted. Each writes the history.

use base::{Fault, Time};
use kernel::{Cx, Tx};

use super::row::{Alarm, StateChange, Suppression, Watched};
use super::{action, composite, history};
use crate::tags;

/// Most alarms. AWS's default quota is 5,000 a region and can be raised ("CloudWatch service quotas").
pub const ALARMS_MAX: usize = 10_000;

pub(crate) fn arn(cx: &Cx, name: &str) -> String {
    cx.scope.arn("cloudwatch", format_args!("alarm:{name}"))
}

/// Puts an alarm: a new one begins with too little data; a changed one keeps its state ("PutMetricAlarm": the state of an alarm
/// that exists is left unchanged).
pub(super) fn put(tx: &mut Tx, cx: &Cx, mut alarm: Alarm) -> Result<(), Fault> {
    alarm.arn = arn(cx, &alarm.name);
    alarm.configured_at = cx.now;
    match tx.get::<Alarm>(&alarm.name).cloned() {
        Some(old) => {
            if old.is_composite() != alarm.is_composite() {
                let (is, other) = if old.is_composite() { ("composite", "metric") } else { ("metric", "composite") };
                let text = format!("{} is a {is} alarm and cannot be updated as a {other} alarm.", alarm.name);
                return Err(Fault::validation(text));
            }
            alarm.state = old.state.clone();
            alarm.evaluated_until = old.evaluated_until;
            keep_suppression(&mut alarm, &old);
            tx.put(alarm.clone());
            history::updated(tx, cx, &old, &alarm);
        }
        None => {
            if tx.count::<Alarm>() >= ALARMS_MAX {
                return Err(Fault::client("LimitExceeded", "The maximum limit of the alarms has been exceeded."));
            }
            alarm.state = StateChange::unchecked(cx.now);
            alarm.evaluated_until = Time::ZERO;
            tx.put(alarm.clone());
            history::created(tx, cx, &alarm);
        }
    }
    Ok(())
}

/// What is kept back stays so when only other things change.
fn keep_suppression(alarm: &mut Alarm, old: &Alarm) {
    let Watched::Rule { suppression: before, suppressor: old_suppressor, .. } = &old.watched else { return };
    if let Watched::Rule { suppression, suppressor, .. } = &mut alarm.watched {
        *suppression = if suppressor == old_suppressor { before.clone() } else { Suppression::default() };
    }
}

/// Brings an alarm to another state, and invokes the actions of that.
pub(super) fn change(tx: &mut Tx, cx: &Cx, name: &str, change: StateChange, evaluated_until: Time) {
    let Some(mut alarm) = tx.find::<Alarm, str>(name).cloned() else { return };
    let old = std::mem::replace(&mut alarm.state, change);
    alarm.evaluated_until = evaluated_until;
    if old.state == alarm.state.state {
        tx.put(alarm);
        return;
    }
    history::changed(tx, cx, &alarm, &old);
    if composite::holds_back(&alarm) {
        tx.put(alarm.clone());
        composite::owe(tx, cx, &alarm, old.state);
    } else {
        action::invoke(tx, cx, &alarm, &old);
        tx.put(alarm);
    }
}

/// Deletes an alarm with its tags and what it has invoked; its history stays.
pub(super) fn delete(tx: &mut Tx, name: &str) -> Option<Alarm> {
    let alarm = tx.remove::<Alarm>(&name.to_string())?;
    action::withdraw(tx, name);
    tags::forget(tx, &alarm.arn);
    Some(alarm)
}
