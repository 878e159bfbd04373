//! Scheduled actions.

use base::{Fault, GroupName};
use kernel::{Cx, Registry, Tx};
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use super::{cut, number, short_name};
use crate::error::Error;
use crate::schedule::{self, ScheduledAction, Wish};
use crate::transitions::find_group;

/// "BatchPutScheduledUpdateGroupAction" and "BatchDeleteScheduledAction": most actions of one request.
const BATCH_MAX: usize = 50;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::PutScheduledUpdateGroupAction>(put);
    registry.operation::<ops::BatchPutScheduledUpdateGroupAction>(batch_put);
    registry.operation::<ops::DescribeScheduledActions>(describe);
    registry.operation::<ops::DeleteScheduledAction>(delete);
    registry.operation::<ops::BatchDeleteScheduledAction>(batch_delete);
}

fn size(parameter: &str, value: Option<i64>) -> Result<Option<u32>, Error> {
    value.map(|v| number(parameter, v)).transpose()
}

/// `Time` is the old name of `StartTime`; both may be there when they are the same.
pub(crate) fn wish(input: s::PutScheduledUpdateGroupActionType) -> Result<Wish, Error> {
    if let (Some(time), Some(start)) = (input.time, input.start_time)
        && time != start
    {
        return Err(Error::Invalid("Time and StartTime must be the same when both are specified.".into()));
    }
    Ok(Wish {
        name: input.scheduled_action_name,
        start: input.start_time.or(input.time),
        end: input.end_time,
        recurrence: input.recurrence.filter(|r| !r.is_empty()),
        time_zone: input.time_zone.filter(|z| !z.is_empty()),
        min_size: size("MinSize", input.min_size)?,
        max_size: size("MaxSize", input.max_size)?,
        desired_capacity: size("DesiredCapacity", input.desired_capacity)?,
    })
}

fn put(tx: &mut Tx, cx: &Cx, input: s::PutScheduledUpdateGroupActionType) -> Result<(), Fault> {
    let group = input.auto_scaling_group_name.clone();
    schedule::put(tx, cx, &group, wish(input)?)?;
    Ok(())
}

fn batch_put(
    tx: &mut Tx,
    cx: &Cx,
    input: s::BatchPutScheduledUpdateGroupActionType,
) -> Result<s::BatchPutScheduledUpdateGroupActionAnswer, Fault> {
    let group = find_group(tx, &input.auto_scaling_group_name)?.name.to_string();
    check_batch(input.scheduled_update_group_actions.len())?;
    let mut failed = Vec::new();
    for request in input.scheduled_update_group_actions {
        let name = request.scheduled_action_name.clone();
        let single = s::PutScheduledUpdateGroupActionType {
            auto_scaling_group_name: group.clone(),
            scheduled_action_name: request.scheduled_action_name,
            time: None,
            start_time: request.start_time,
            end_time: request.end_time,
            recurrence: request.recurrence,
            min_size: request.min_size,
            max_size: request.max_size,
            desired_capacity: request.desired_capacity,
            time_zone: request.time_zone,
        };
        if let Err(error) = wish(single).and_then(|wish| schedule::put(tx, cx, &group, wish)) {
            failed.push(failure(name, error));
        }
    }
    Ok(s::BatchPutScheduledUpdateGroupActionAnswer { failed_scheduled_update_group_actions: failed })
}

fn check_batch(actions: usize) -> Result<(), Error> {
    if (1..=BATCH_MAX).contains(&actions) {
        return Ok(());
    }
    Err(Error::Invalid(format!("A request must name 1 to {BATCH_MAX} scheduled actions, not {actions}.")))
}

fn failure(name: String, error: Error) -> s::FailedScheduledUpdateGroupActionRequest {
    let fault = Fault::from(error);
    s::FailedScheduledUpdateGroupActionRequest {
        scheduled_action_name: name,
        error_code: Some(fault.code.into_owned()),
        error_message: Some(fault.message),
    }
}

fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteScheduledActionType) -> Result<(), Fault> {
    schedule::delete(tx, &input.auto_scaling_group_name, &input.scheduled_action_name)?;
    Ok(())
}

fn batch_delete(
    tx: &mut Tx,
    _: &Cx,
    input: s::BatchDeleteScheduledActionType,
) -> Result<s::BatchDeleteScheduledActionAnswer, Fault> {
    let group = find_group(tx, &input.auto_scaling_group_name)?.name.to_string();
    check_batch(input.scheduled_action_names.len())?;
    let mut failed = Vec::new();
    for name in input.scheduled_action_names {
        if let Err(error) = schedule::delete(tx, &group, &name) {
            failed.push(failure(name, error));
        }
    }
    Ok(s::BatchDeleteScheduledActionAnswer { failed_scheduled_actions: failed })
}

fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeScheduledActionsType) -> Result<s::ScheduledActionsType, Fault> {
    let group: Option<GroupName> = input.auto_scaling_group_name.as_deref().map(short_name);
    let names = &input.scheduled_action_names;
    // "DescribeScheduledActions": with names, the times are passed over.
    let kept = schedule::all(tx)
        .filter(|a| group.as_ref().is_none_or(|g| *g == a.group))
        .filter(|a| names.is_empty() || names.iter().any(|n| *n == a.name || *n == a.arn))
        .filter(|a| !names.is_empty() || schedule::is_due_within(a, input.start_time, input.end_time));
    let page = cut(kept, |a| format!("{}\0{}", a.group, a.name), input.next_token.as_deref(), input.max_records)?;
    let scheduled_update_group_actions = page.items.into_iter().map(shown).collect();
    Ok(s::ScheduledActionsType { scheduled_update_group_actions, next_token: page.next_token })
}

fn shown(action: &ScheduledAction) -> s::ScheduledUpdateGroupAction {
    s::ScheduledUpdateGroupAction {
        auto_scaling_group_name: Some(action.group.to_string()),
        scheduled_action_name: Some(action.name.clone()),
        scheduled_action_arn: Some(action.arn.clone()),
        time: Some(action.next_at),
        start_time: Some(action.next_at),
        end_time: action.end,
        recurrence: action.recurrence.clone(),
        min_size: action.min_size.map(i64::from),
        max_size: action.max_size.map(i64::from),
        desired_capacity: action.desired_capacity.map(i64::from),
        time_zone: action.time_zone.clone(),
    }
}
