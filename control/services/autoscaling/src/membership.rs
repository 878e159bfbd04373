//! What users do with single instances of a group: end, detach, attach, and say how they are. What follows from it is
//! the reconciler's.

use base::{GroupName, InstanceId, TargetGroupArn, Time};
use kernel::{Cx, State, Tx};

use crate::activity::{self, Activity, Beginning, Status, text};
use crate::apply::begin_termination;
use crate::error::Error;
use crate::group::Group;
use crate::launch::put_member;
use crate::member::{Health, Lifecycle, Member, Sickness};
use crate::transitions::find_group;

/// Ends one instance of its group, which shrinks with it or replaces it.
pub fn terminate_instance(tx: &mut Tx, cx: &Cx, id: &InstanceId, capacity: Capacity) -> Result<Activity, Error> {
    let member = tx.get::<Member>(id).cloned().ok_or_else(|| Error::NoInstance(id.to_string()))?;
    if member.lifecycle == Lifecycle::Terminating {
        let key = member.activity.ok_or_else(|| Error::NoInstance(id.to_string()))?;
        return tx.get::<Activity>(&key).cloned().ok_or_else(|| Error::NoInstance(id.to_string()));
    }
    // "TerminateInstanceInAutoScalingGroup": it "cannot be called on instances in a warm pool".
    if member.lifecycle.is_warm() {
        return Err(Error::Invalid(format!("The instance {id} is in a warm pool and cannot be terminated by this operation.")));
    }
    let sizes = shrink(tx, &member.group, of_capacity(&member, capacity), 1)?;
    let cause = text::user_request(cx.now, id, "taken out of service", sizes);
    begin_termination(tx, cx, id, cause, false).ok_or_else(|| Error::NoInstance(id.to_string()))
}

/// Ends an instance for this cause, as every termination goes, and leaves the wanted capacity as it is: another takes
/// its place. One that is on its way out already stays on it.
pub(crate) fn replace_member(tx: &mut Tx, cx: &Cx, id: &InstanceId, cause: String) -> Result<Activity, Error> {
    let member = tx.get::<Member>(id).ok_or_else(|| Error::NoInstance(id.to_string()))?;
    if let Some(key) = member.activity.as_ref().filter(|_| member.lifecycle.is_ending()) {
        return tx.get::<Activity>(key).cloned().ok_or_else(|| Error::NoInstance(id.to_string()));
    }
    begin_termination(tx, cx, id, cause, false).ok_or_else(|| Error::NoInstance(id.to_string()))
}

/// Lets instances go from their group; they run on.
pub fn detach_instances(
    tx: &mut Tx,
    cx: &Cx,
    name: &str,
    ids: &[InstanceId],
    capacity: Capacity,
) -> Result<Vec<Activity>, Error> {
    let group = find_group(tx, name)?.name.clone();
    for id in ids {
        let member = member_of(tx, &group, id)?;
        if !matches!(member.lifecycle, Lifecycle::InService | Lifecycle::Standby) {
            return Err(Error::Invalid(format!("The instance {id} is not in InService or Standby state.")));
        }
    }
    let mut activities = Vec::new();
    for id in ids {
        let member = member_of(tx, &group, id)?.clone();
        let sizes = shrink(tx, &group, of_capacity(&member, capacity), 1)?;
        let beginning = Beginning {
            group: &group,
            description: format!("Detaching EC2 instance: {id}"),
            cause: text::user_request(cx.now, id, "detached", sizes),
            status: Status::InProgress,
            zone: &member.zone,
            subnet: Some(&member.subnet),
        };
        let key = activity::begin(tx, cx, beginning);
        tx.update::<Member>(id, |m| {
            m.turn(Lifecycle::Detaching);
            m.activity = Some(key.clone());
        });
        activities.extend(tx.get::<Activity>(&key).cloned());
    }
    Ok(activities)
}

/// Takes running instances into a group, whose wanted capacity grows with them.
pub fn attach_instances(tx: &mut Tx, cx: &Cx, name: &str, ids: &[InstanceId]) -> Result<(), Error> {
    let group = find_group(tx, name)?.clone();
    let (before, added) = (group.desired_capacity, u32::try_from(ids.len()).unwrap_or(u32::MAX));
    if before.saturating_add(added) > group.max_size {
        return Err(Error::Invalid(format!(
            "AutoScalingGroup {name} has min-size={}, max-size={}, and desired-size={before}. To attach {added} more instance, please update the AutoScalingGroup sizes appropriately.",
            group.min_size, group.max_size
        )));
    }
    for id in ids {
        attachable(tx, &group, id)?;
    }
    for (index, id) in (1..).zip(ids) {
        let instance = tx.get::<ec2::Instance>(id).cloned().ok_or_else(|| Error::NoInstance(id.to_string()))?;
        let beginning = Beginning {
            group: &group.name,
            description: format!("Attaching an existing EC2 instance: {id}"),
            cause: text::attached(cx.now, before + index - 1, before + index),
            status: Status::InProgress,
            zone: &instance.zone,
            subnet: Some(&instance.subnet),
        };
        let key = activity::begin(tx, cx, beginning);
        put_member(tx, cx, &group, id, false, Some(key));
    }
    tx.update::<Group>(&group.name, |g| g.desired_capacity = before + added);
    Ok(())
}

/// Says what a user knows about an instance's health.
pub fn set_instance_health(tx: &mut Tx, id: &InstanceId, healthy: bool, now: Time, respect_grace: bool) -> Result<(), Error> {
    let member = tx.get::<Member>(id).cloned().ok_or_else(|| Error::NoInstance(id.to_string()))?;
    let grace = tx.get::<Group>(&member.group).map_or(0, |g| u64::from(g.grace_s) * 1_000);
    let in_grace = member.in_service_at.is_none_or(|at| now.ms_since(at) < grace);
    if !healthy && respect_grace && in_grace {
        return Ok(());
    }
    let health = if healthy { Health::Healthy } else { Health::Unhealthy(Sickness::User) };
    tx.update::<Member>(id, |m| m.health = health);
    Ok(())
}

/// Whether the wanted capacity goes down with an instance that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    Decrement,
    Keep,
}

/// What stands by is no part of the capacity, which stays as it is without it.
fn of_capacity(member: &Member, capacity: Capacity) -> Capacity {
    if member.lifecycle.serves() { capacity } else { Capacity::Keep }
}

pub(crate) fn shrink(tx: &mut Tx, name: &GroupName, capacity: Capacity, by: u32) -> Result<Option<(u32, u32)>, Error> {
    if capacity == Capacity::Keep {
        return Ok(None);
    }
    let group = tx.get::<Group>(name).cloned().ok_or_else(|| Error::NoGroup(name.clone()))?;
    let (from, to) = (group.desired_capacity, group.desired_capacity.saturating_sub(by));
    if to < group.min_size || from == to {
        return Err(Error::Invalid(format!(
            "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            group.min_size
        )));
    }
    tx.update::<Group>(name, |g| g.desired_capacity = to);
    Ok(Some((from, to)))
}

pub(crate) fn member_of<'a>(state: &'a State, group: &GroupName, id: &InstanceId) -> Result<&'a Member, Error> {
    let found = state.get::<Member>(id).filter(|m| m.group == *group);
    found.ok_or_else(|| Error::Invalid(format!("The instance {id} is not part of Auto Scaling group {group}.")))
}

fn attachable(state: &State, group: &Group, id: &InstanceId) -> Result<(), Error> {
    let instance = state.get::<ec2::Instance>(id);
    let instance = instance.ok_or_else(|| Error::Invalid(format!("Invalid Instance ID(s): [{id}] specified.")))?;
    if state.get::<Member>(id).is_some() {
        return Err(Error::Invalid(format!("Instance {id} is already part of an AutoScalingGroup.")));
    }
    if instance.state() != ec2::InstanceState::Running {
        return Err(Error::Invalid(format!("Instance {id} is not in correct state: it must be running.")));
    }
    if !group.zones.contains(&instance.zone) {
        return Err(Error::Invalid(format!("Instance {id} is not in an Availability Zone of the AutoScalingGroup.")));
    }
    // "Considerations for attaching instances": instance and load balancer must both be in the same VPC.
    let elsewhere = |t: &&TargetGroupArn| state.get::<elb::TargetGroup>(t).is_some_and(|t| t.vpc != instance.vpc);
    if let Some(target_group) = group.target_groups.iter().find(elsewhere) {
        return Err(Error::Invalid(format!("Instance {id} is not in the VPC of the target group {target_group}.")));
    }
    Ok(())
}
