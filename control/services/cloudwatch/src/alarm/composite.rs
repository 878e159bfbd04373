//! Composite alarms: evaluated when what their rule names changes state, their actions kept back while a suppressor says so
//! ("Create a composite alarm" and "Alarm suppression").

use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, State, Tx};
use serde_json::{Value as Json, json};

use super::reason::moment;
use super::row::{Alarm, AlarmState, StateChange, SuppressedBy, Suppression, Suppressor, Watched};
use super::{action, rule, transition};

pub(super) fn run(tx: &mut Tx, cx: &Cx, name: &str) -> Result<Option<Time>, Fault> {
    evaluate(tx, cx, name);
    Ok(suppress(tx, cx, name))
}

/// Evaluates the rule when a state that it looks at has changed; a state that `SetAlarmState` has set lasts until then
/// ("SetAlarmState": a composite alarm returns to its actual state only once any of its children changes state).
fn evaluate(tx: &mut Tx, cx: &Cx, name: &str) {
    let Some(alarm) = tx.find::<Alarm, str>(name) else { return };
    let Watched::Rule { rule: text, seen, .. } = &alarm.watched else { return };
    let Ok(rule) = rule::parse(text) else { return };
    let children = rule.children();
    let mut now_seen: Vec<AlarmState> = children.iter().filter_map(|c| state_of(tx, c)).collect();
    if now_seen.is_empty() {
        // A rule of constants is evaluated once.
        now_seen.push(AlarmState::Ok);
    }
    if *seen == now_seen {
        return;
    }
    let first = seen.is_empty();
    let state = if rule.holds(&|child| state_of(tx, child)) { AlarmState::Alarm } else { AlarmState::Ok };
    let existing = children.iter().filter_map(|c| tx.find::<Alarm, str>(c));
    let is_same_list = seen.len() == now_seen.len();
    let changed = existing.zip(seen).filter(|(child, was)| is_same_list && child.state.state != **was).map(|(child, _)| child);
    let trigger = changed.max_by_key(|child| child.state.at);
    let change = (state != alarm.state.state).then(|| reason(tx, alarm, &children, trigger.filter(|_| !first), state, cx.now));
    tx.update::<Alarm>(&name.to_string(), |a| {
        if let Watched::Rule { seen, .. } = &mut a.watched {
            *seen = now_seen;
        }
    });
    if let Some(change) = change {
        transition::change(tx, cx, name, change, cx.now);
    }
}

fn state_of(state: &State, name: &str) -> Option<AlarmState> {
    state.find::<Alarm, str>(name).map(|a| a.state.state)
}

/// Why: the child whose change led to it, or that the rule itself is new.
fn reason(state: &State, alarm: &Alarm, children: &[String], trigger: Option<&Alarm>, to: AlarmState, now: Time) -> StateChange {
    let mut found: Vec<&Alarm> = children.iter().filter_map(|c| state.find::<Alarm, str>(c)).collect();
    let reason = match trigger {
        Some(child) => {
            found = vec![child];
            let (arn, state) = (&child.arn, child.state.state.as_str());
            format!("{arn} transitioned to {state} at {}", long_moment(child.state.at))
        }
        None => {
            let done = if alarm.evaluated_until == Time::ZERO { "created" } else { "updated" };
            format!("{} was {done} and its alarm rule evaluates to {}", alarm.arn, to.as_str())
        }
    };
    let triggering: Json = found
        .iter()
        .map(|c| json!({ "arn": c.arn, "state": { "value": c.state.state.as_str(), "timestamp": moment(c.state.at) } }))
        .collect();
    let reason_data = json!({ "triggeringAlarms": triggering }).to_string();
    StateChange { state: to, at: now, reason, reason_data, value: None }
}

/// `Friday 22 July, 2022 15:57:45 UTC`.
fn long_moment(at: Time) -> String {
    let at = at.date_time();
    let (weekday, month) = (at.weekday(), at.month());
    format!("{weekday} {:02} {month}, {} {:02}:{:02}:{:02} UTC", at.day(), at.year(), at.hour(), at.minute(), at.second())
}

/// Whether a change's actions are not invoked at once.
pub(super) fn holds_back(alarm: &Alarm) -> bool {
    matches!(&alarm.watched, Watched::Rule { suppressor: Some(_), .. })
}

/// Notes that the actions of a change are to be invoked; the next turn of the reconciler decides when.
pub(super) fn owe(tx: &mut Tx, cx: &Cx, alarm: &Alarm, old: AlarmState) {
    set(tx, &alarm.name, |suppression, suppressor| {
        suppression.owed_from.get_or_insert(old);
        if suppression.by.is_none() {
            suppression.by = Some(SuppressedBy::WaitPeriod);
            suppression.until = Some(cx.now + Duration::from_secs(suppressor.wait_s.into()));
        }
    });
}

fn set(tx: &mut Tx, name: &str, change: impl FnOnce(&mut Suppression, &Suppressor)) {
    tx.update::<Alarm>(&name.to_string(), |a| {
        if let Watched::Rule { suppression, suppressor: Some(suppressor), .. } = &mut a.watched {
            change(suppression, suppressor);
        }
    });
}

/// Moves the suppression on, and invokes what is owed once nothing keeps it back. Returns when to look again.
fn suppress(tx: &mut Tx, cx: &Cx, name: &str) -> Option<Time> {
    let alarm = tx.find::<Alarm, str>(name)?;
    let Watched::Rule { suppressor: Some(suppressor), suppression, .. } = &alarm.watched else { return None };
    let is_on = state_of(tx, rule::name_of(&suppressor.alarm)) == Some(AlarmState::Alarm);
    let next = step(suppression, suppressor, is_on, cx.now);
    let owed = next.owed_from.filter(|_| next.by.is_none());
    let mut after = next.clone();
    if owed.is_some() {
        after.owed_from = None;
    }
    let mut alarm = alarm.clone();
    let until = after.until;
    set(tx, name, |suppression, _| *suppression = after);
    // A state that was left again while its actions were kept back has nothing to tell.
    if let Some(old) = owed.filter(|old| *old != alarm.state.state) {
        let change = StateChange { state: old, ..alarm.state.clone() };
        if let Watched::Rule { suppression, .. } = &mut alarm.watched {
            *suppression = Suppression::default();
        }
        action::invoke(tx, cx, &alarm, &change);
    }
    until
}

/// "Alarm suppression": actions wait for the suppressor for the wait period, are kept back while it is in ALARM, and for the
/// extension period after it has left it.
fn step(now_is: &Suppression, suppressor: &Suppressor, is_on: bool, now: Time) -> Suppression {
    let over = now_is.until.is_none_or(|until| until <= now);
    let mut next = now_is.clone();
    (next.by, next.until) = match now_is.by {
        _ if is_on => (Some(SuppressedBy::Alarm), None),
        Some(SuppressedBy::Alarm) if suppressor.extension_s > 0 => {
            (Some(SuppressedBy::ExtensionPeriod), Some(now + Duration::from_secs(suppressor.extension_s.into())))
        }
        Some(SuppressedBy::Alarm) => (None, None),
        Some(_) if over => (None, None),
        by => (by, now_is.until),
    };
    next
}
