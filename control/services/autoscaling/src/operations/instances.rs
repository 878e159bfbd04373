//! What users do with single instances of a group.

use std::collections::BTreeSet;

use base::{Fault, InstanceId};
use kernel::{Cx, Tx};
use shapes::autoscaling as s;

use super::describe::activity_answer;
use crate::error::Error;
use crate::member::{Lifecycle, Member};
use crate::membership::{self, Capacity};
use crate::transitions;

/// Most instances that one request may name, as at AWS.
const IDS_MAX: usize = 50;

pub(crate) fn attach(tx: &mut Tx, cx: &Cx, input: s::AttachInstancesQuery) -> Result<(), Fault> {
    membership::attach_instances(tx, cx, &input.auto_scaling_group_name, &ids(input.instance_ids, 20)?)?;
    Ok(())
}

pub(crate) fn detach(tx: &mut Tx, cx: &Cx, input: s::DetachInstancesQuery) -> Result<s::DetachInstancesAnswer, Fault> {
    let ids = ids(input.instance_ids, 20)?;
    let capacity = capacity(input.should_decrement_desired_capacity);
    let activities = membership::detach_instances(tx, cx, &input.auto_scaling_group_name, &ids, capacity)?;
    Ok(s::DetachInstancesAnswer { activities: activities.iter().map(|a| activity_answer(tx, a)).collect() })
}

pub(crate) fn terminate(
    tx: &mut Tx,
    cx: &Cx,
    input: s::TerminateInstanceInAutoScalingGroupType,
) -> Result<s::ActivityType, Fault> {
    let capacity = capacity(input.should_decrement_desired_capacity);
    let mut named = input.instance_ids;
    named.extend(input.instance_id);
    let mut activities = Vec::new();
    for id in ids(named, IDS_MAX)? {
        if let Some(group) = &input.auto_scaling_group_name {
            membership::member_of(tx, &super::short_name(group), &id)?;
        }
        activities.push(membership::terminate_instance(tx, cx, &id, capacity)?);
    }
    let mut answers: Vec<s::Activity> = activities.iter().map(|a| activity_answer(tx, a)).collect();
    let activity = if answers.len() == 1 { answers.pop() } else { None };
    Ok(s::ActivityType { activity, activities: answers })
}

pub(crate) fn set_health(tx: &mut Tx, cx: &Cx, input: s::SetInstanceHealthQuery) -> Result<(), Fault> {
    let healthy = match input.health_status.as_str() {
        "Healthy" => true,
        "Unhealthy" => false,
        other => return Err(Error::Invalid(format!("HealthStatus must be Healthy or Unhealthy, not '{other}'.")).into()),
    };
    let respect_grace = input.should_respect_grace_period.unwrap_or(true);
    membership::set_instance_health(tx, &input.instance_id.as_str().into(), healthy, cx.now, respect_grace)?;
    Ok(())
}

pub(crate) fn set_protection(
    tx: &mut Tx,
    _: &Cx,
    input: s::SetInstanceProtectionQuery,
) -> Result<s::SetInstanceProtectionAnswer, Fault> {
    let group = transitions::find_group(tx, &input.auto_scaling_group_name)?.name.clone();
    for id in ids(input.instance_ids, IDS_MAX)? {
        let member = membership::member_of(tx, &group, &id)?;
        if !matches!(member.lifecycle, Lifecycle::InService | Lifecycle::EnteringStandby | Lifecycle::Standby) {
            let text = format!("The instance {id} is not in InService or EnteringStandby or Standby.");
            return Err(Error::Invalid(text).into());
        }
        tx.update::<Member>(&id, |m| m.protected = input.protected_from_scale_in);
    }
    Ok(s::SetInstanceProtectionAnswer {})
}

pub(super) fn capacity(decrement: bool) -> Capacity {
    if decrement { Capacity::Decrement } else { Capacity::Keep }
}

/// The instances that a request names. One that is named twice is meant once: it must not count twice in the capacity.
pub(super) fn ids(names: Vec<String>, max: usize) -> Result<Vec<InstanceId>, Error> {
    if names.is_empty() || names.len() > max {
        return Err(Error::Invalid(format!("1 to {max} instances must be named.")));
    }
    let mut seen = BTreeSet::new();
    Ok(names.into_iter().map(InstanceId::from).filter(|id| seen.insert(id.clone())).collect())
}
