//! `PutCompositeAlarm`: an alarm on a rule over other alarms.

use base::{Fault, Time};
use kernel::{Cx, State, Tx};
use shapes::cloudwatch as s;

use super::limits::{actions, broken, description, name};
use crate::alarm::action::Kind;
use crate::alarm::{Alarm, StateChange, Suppression, Suppressor, Watched, rule, transition};
use crate::tags;

/// Most composite alarms that look at one alarm ("Create a composite alarm").
const PARENTS_MAX: usize = 150;
const SUPPRESSOR_CHARS_MAX: usize = 1_600;
/// Longest wait and extension period: a day.
const SUPPRESSION_S_MAX: i64 = 86_400;

pub(super) fn put(tx: &mut Tx, cx: &Cx, input: s::PutCompositeAlarmInput) -> Result<(), Fault> {
    let given = tags::from_user(input.tags.clone())?;
    let alarm = composite_of(tx, cx, input)?;
    let is_new = tx.get::<Alarm>(&alarm.name).is_none();
    let arn = transition::arn(cx, &alarm.name);
    transition::put(tx, cx, alarm)?;
    if is_new {
        tags::set(tx, &arn, given);
    }
    Ok(())
}

/// The alarm that a request describes, checked. Its state is set by [`transition::put`].
pub(crate) fn composite_of(state: &State, cx: &Cx, input: s::PutCompositeAlarmInput) -> Result<Alarm, Fault> {
    name(&input.alarm_name)?;
    description(input.alarm_description.as_deref())?;
    if input.action_configuration.is_some() {
        return Err(Fault::validation("ActionConfiguration cannot be used: it is not available in this region"));
    }
    // "PutCompositeAlarm", AlarmActions: of what can be acted on here, topics only.
    actions(cx, "alarmActions", &input.alarm_actions, &[Kind::Topic])?;
    actions(cx, "okActions", &input.ok_actions, &[Kind::Topic])?;
    actions(cx, "insufficientDataActions", &input.insufficient_data_actions, &[Kind::Topic])?;
    if input.alarm_rule.is_empty() {
        return Err(broken("", "alarmRule", "Member must have length greater than or equal to 1"));
    }
    rule::parse(&input.alarm_rule).map_err(|e| Fault::validation(format!("Error parsing AlarmRule: {e}")))?;
    let alarm = Alarm {
        arn: transition::arn(cx, &input.alarm_name),
        name: input.alarm_name.clone(),
        description: input.alarm_description.clone(),
        watched: Watched::Rule {
            rule: input.alarm_rule.clone(),
            suppressor: suppressor(&input)?,
            seen: Vec::new(),
            suppression: Suppression::default(),
        },
        actions_enabled: input.actions_enabled.unwrap_or(true),
        alarm_actions: input.alarm_actions,
        ok_actions: input.ok_actions,
        insufficient_data_actions: input.insufficient_data_actions,
        configured_at: cx.now,
        state: StateChange::unchecked(cx.now),
        evaluated_until: Time::ZERO,
    };
    check_children(state, &alarm)?;
    Ok(alarm)
}

/// "PutCompositeAlarm": with a suppressor both periods are required.
fn suppressor(input: &s::PutCompositeAlarmInput) -> Result<Option<Suppressor>, Fault> {
    let (wait, extension) = (input.actions_suppressor_wait_period, input.actions_suppressor_extension_period);
    let Some(alarm) = input.actions_suppressor.clone() else {
        return match (wait, extension) {
            (None, None) => Ok(None),
            _ => Err(Fault::validation(
                "ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod require ActionsSuppressor",
            )),
        };
    };
    if alarm.is_empty() || alarm.chars().count() > SUPPRESSOR_CHARS_MAX {
        return Err(broken(
            &alarm,
            "actionsSuppressor",
            &format!("Member must have length between 1 and {SUPPRESSOR_CHARS_MAX}"),
        ));
    }
    let (Some(wait), Some(extension)) = (wait, extension) else {
        return Err(Fault::validation(
            "ActionsSuppressor requires both ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod",
        ));
    };
    let seconds = |value: i64, what: &str| {
        let good = u32::try_from(value).ok().filter(|_| value <= SUPPRESSION_S_MAX);
        good.ok_or_else(|| broken(&value.to_string(), what, &format!("Member must have value between 0 and {SUPPRESSION_S_MAX}")))
    };
    Ok(Some(Suppressor {
        alarm,
        wait_s: seconds(wait, "actionsSuppressorWaitPeriod")?,
        extension_s: seconds(extension, "actionsSuppressorExtensionPeriod")?,
    }))
}

/// What a composite alarm looks at exists, is not looked at by too many, and does not look back at it.
fn check_children(state: &State, alarm: &Alarm) -> Result<(), Fault> {
    let children = alarm.children();
    let missing: Vec<&str> =
        children.iter().filter(|c| **c != alarm.name && state.get::<Alarm>(c).is_none()).map(String::as_str).collect();
    if !missing.is_empty() {
        let text =
            format!("Could not save the composite alarm as alarms [{}] in the alarm rule do not exist", missing.join(", "));
        return Err(Fault::validation(text));
    }
    for child in &children {
        let parents = state.rows_where::<Alarm>("child", child).filter(|p| p.name != alarm.name).count();
        if parents >= PARENTS_MAX {
            return Err(Fault::client("LimitExceeded", format!("{child} is used by {PARENTS_MAX} composite alarms already")));
        }
    }
    // AWS lets cycles be made and then stops evaluating them ("Create a composite alarm"); here they are refused at once.
    let (mut reached, mut next) = (children.clone(), children);
    while let Some(name) = next.pop() {
        if name == alarm.name {
            return Err(Fault::validation(format!("The alarm rule of {name} would make a cycle of composite alarms")));
        }
        for child in state.get::<Alarm>(&name).map(Alarm::children).unwrap_or_default() {
            if !reached.contains(&child) {
                reached.push(child.clone());
                next.push(child);
            }
        }
    }
    Ok(())
}
