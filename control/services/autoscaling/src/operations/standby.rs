//! `EnterStandby` and `ExitStandby`.

use base::Fault;
use kernel::{Cx, Tx};
use shapes::autoscaling as s;

use super::describe::activity_answer;
use super::instances::{capacity, ids};
use crate::standby;

/// Most instances that one request may name, as at AWS.
const IDS_MAX: usize = 20;

pub(crate) fn enter(tx: &mut Tx, cx: &Cx, input: s::EnterStandbyQuery) -> Result<s::EnterStandbyAnswer, Fault> {
    let ids = ids(input.instance_ids, IDS_MAX)?;
    let capacity = capacity(input.should_decrement_desired_capacity);
    let activities = standby::enter_standby(tx, cx, &input.auto_scaling_group_name, &ids, capacity)?;
    Ok(s::EnterStandbyAnswer { activities: activities.iter().map(|a| activity_answer(tx, a)).collect() })
}

pub(crate) fn exit(tx: &mut Tx, cx: &Cx, input: s::ExitStandbyQuery) -> Result<s::ExitStandbyAnswer, Fault> {
    let ids = ids(input.instance_ids, IDS_MAX)?;
    let activities = standby::exit_standby(tx, cx, &input.auto_scaling_group_name, &ids)?;
    Ok(s::ExitStandbyAnswer { activities: activities.iter().map(|a| activity_answer(tx, a)).collect() })
}
