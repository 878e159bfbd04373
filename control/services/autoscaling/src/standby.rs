//! Standby: instances that stay with their group and serve nobody for a while ("Temporarily remove instances from your
//! Auto Scaling group").

use base::InstanceId;
use kernel::{Cx, Tx};

use crate::activity::{self, Activity, Beginning, Status, text};
use crate::error::Error;
use crate::group::Group;
use crate::member::{Health, Hooks, Lifecycle, Member};
use crate::membership::{Capacity, member_of, shrink};
use crate::transitions::find_group;

/// Puts instances on standby: they leave their load balancers and are not health checked. The group shrinks with them,
/// or launches others in their place.
pub fn enter_standby(tx: &mut Tx, cx: &Cx, name: &str, ids: &[InstanceId], capacity: Capacity) -> Result<Vec<Activity>, Error> {
    let group = find_group(tx, name)?.name.clone();
    for id in ids {
        let member = member_of(tx, &group, id)?;
        if member.lifecycle != Lifecycle::InService {
            return Err(Error::Invalid(format!("The instance {id} is not in InService state.")));
        }
    }
    let mut activities = Vec::new();
    for id in ids {
        let sizes = shrink(tx, &group, capacity, 1)?;
        let cause = text::user_request(cx.now, id, "moved to standby", sizes);
        let key = begin(tx, cx, id, format!("Moving EC2 instance to Standby: {id}"), cause)?;
        tx.update::<Member>(id, |m| {
            m.turn(Lifecycle::EnteringStandby);
            m.activity = Some(key.clone());
        });
        activities.extend(tx.get::<Activity>(&key).cloned());
    }
    Ok(activities)
}

/// Takes instances back into service; the wanted capacity grows with them, and must not pass the maximum.
pub fn exit_standby(tx: &mut Tx, cx: &Cx, name: &str, ids: &[InstanceId]) -> Result<Vec<Activity>, Error> {
    let group = find_group(tx, name)?.clone();
    for id in ids {
        let member = member_of(tx, &group.name, id)?;
        if member.lifecycle != Lifecycle::Standby {
            return Err(Error::Invalid(format!("The instance {id} is not in Standby state.")));
        }
    }
    let (before, added) = (group.desired_capacity, u32::try_from(ids.len()).unwrap_or(u32::MAX));
    if before.saturating_add(added) > group.max_size {
        return Err(Error::Invalid(format!(
            "AutoScalingGroup {} has min-size={}, max-size={}, and desired-size={before}. To place into service {added} more instance(s), please update the AutoScalingGroup sizes appropriately.",
            group.name, group.min_size, group.max_size
        )));
    }
    let mut activities = Vec::new();
    for (index, id) in (1..).zip(ids) {
        let cause = text::out_of_standby(cx.now, id, before + index - 1, before + index);
        let key = begin(tx, cx, id, format!("Moving EC2 instance out of Standby: {id}"), cause)?;
        tx.update::<Member>(id, |m| {
            m.turn(Lifecycle::Pending);
            m.hooks = Hooks::Skipped;
            m.called_at = Some(cx.now);
            m.health = Health::Healthy;
            m.handled.clear();
            m.activity = Some(key.clone());
        });
        activities.extend(tx.get::<Activity>(&key).cloned());
    }
    tx.update::<Group>(&group.name, |g| g.desired_capacity = before + added);
    Ok(activities)
}

fn begin(tx: &mut Tx, cx: &Cx, id: &InstanceId, description: String, cause: String) -> Result<activity::ActivityKey, Error> {
    let member = tx.get::<Member>(id).cloned().ok_or_else(|| Error::NoInstance(id.to_string()))?;
    let beginning = Beginning {
        group: &member.group,
        description,
        cause,
        status: Status::InProgress,
        zone: &member.zone,
        subnet: Some(&member.subnet),
    };
    Ok(activity::begin(tx, cx, beginning))
}
