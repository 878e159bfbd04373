//! `SetAlarmState`, `EnableAlarmActions`, `DisableAlarmActions` and `DeleteAlarms`.

use base::Fault;
use kernel::{Cx, Tx};
use serde_json::Value as Json;
use shapes::cloudwatch as s;

use super::limits::broken;
use crate::alarm::{Alarm, AlarmState, StateChange, delete as delete_alarms, history, transition};

/// Most alarms that one call names.
const NAMES_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 1_023;
const REASON_DATA_CHARS_MAX: usize = 4_000;

fn unknown() -> Fault {
    Fault::new(404, "ResourceNotFound", "The named resource does not exist.")
}

/// The state lasts until the alarm is evaluated next ("SetAlarmState"); its actions are invoked.
pub(super) fn set(tx: &mut Tx, cx: &Cx, input: s::SetAlarmStateInput) -> Result<(), Fault> {
    let state = AlarmState::parse(&input.state_value).ok_or_else(|| {
        broken(&input.state_value, "stateValue", "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]")
    })?;
    if input.state_reason.chars().count() > REASON_CHARS_MAX {
        let constraint = format!("Member must have length less than or equal to {REASON_CHARS_MAX}");
        return Err(broken(&input.state_reason, "stateReason", &constraint));
    }
    let reason_data = input.state_reason_data.unwrap_or_default();
    if reason_data.chars().count() > REASON_DATA_CHARS_MAX {
        let constraint = format!("Member must have length less than or equal to {REASON_DATA_CHARS_MAX}");
        return Err(broken(&reason_data, "stateReasonData", &constraint));
    }
    if !reason_data.is_empty() && serde_json::from_str::<Json>(&reason_data).is_err() {
        return Err(Fault::client("InvalidFormat", "StateReasonData is not valid JSON"));
    }
    let alarm = tx.get::<Alarm>(&input.alarm_name).ok_or_else(unknown)?;
    let change = StateChange { state, at: cx.now, reason: input.state_reason, reason_data, value: alarm.state.value };
    transition::change(tx, cx, &input.alarm_name, change, cx.now);
    Ok(())
}

pub(super) fn enable(tx: &mut Tx, cx: &Cx, input: s::EnableAlarmActionsInput) -> Result<(), Fault> {
    switch(tx, cx, &input.alarm_names, Actions::Enabled)
}

pub(super) fn disable(tx: &mut Tx, cx: &Cx, input: s::DisableAlarmActionsInput) -> Result<(), Fault> {
    switch(tx, cx, &input.alarm_names, Actions::Disabled)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Actions {
    Enabled,
    Disabled,
}

/// Names that do not exist are passed over.
fn switch(tx: &mut Tx, cx: &Cx, names: &[String], actions: Actions) -> Result<(), Fault> {
    check_count(names)?;
    for name in names {
        let Some(old) = tx.get::<Alarm>(name).cloned() else { continue };
        let mut alarm = old.clone();
        alarm.actions_enabled = actions == Actions::Enabled;
        if alarm == old {
            continue;
        }
        tx.put(alarm.clone());
        history::updated(tx, cx, &old, &alarm);
    }
    Ok(())
}

fn check_count(names: &[String]) -> Result<(), Fault> {
    if names.len() > NAMES_MAX {
        let constraint = format!("Member must have length less than or equal to {NAMES_MAX}");
        return Err(broken(&format!("{} names", names.len()), "alarmNames", &constraint));
    }
    Ok(())
}

/// All or none ("DeleteAlarms"): a name that does not exist fails the call, as does an alarm that a composite one looks at,
/// and two composite alarms at once.
pub(super) fn delete(tx: &mut Tx, cx: &Cx, input: s::DeleteAlarmsInput) -> Result<(), Fault> {
    let names = &input.alarm_names;
    check_count(names)?;
    let mut composites = 0;
    for name in names {
        let alarm = tx.get::<Alarm>(name).ok_or_else(unknown)?;
        composites += usize::from(alarm.is_composite());
        check_parents(tx, name, names)?;
    }
    if composites > 1 {
        return Err(Fault::validation("Only one composite alarm can be deleted with one call."));
    }
    delete_alarms(tx, cx, names);
    Ok(())
}

/// An alarm stays as long as a composite one looks at it that is not deleted with it.
pub(crate) fn check_parents(tx: &Tx, name: &str, with: &[String]) -> Result<(), Fault> {
    if tx.rows_where::<Alarm>("child", name).any(|parent| !with.contains(&parent.name)) {
        return Err(Fault::validation(format!("Cannot delete {name} as there are composite alarm(s) depending on it.")));
    }
    Ok(())
}
