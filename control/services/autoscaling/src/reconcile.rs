//! Carries a group's plan out: builds the pure view of its rows and of what EC2 and ELB know, asks `plan`, applies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Fault, GroupName, InstanceId, TargetGroupArn, Time};
use kernel::{Cx, State, Tx};

use crate::apply::apply;
use crate::group::{Group, Process};
use crate::member::{Lifecycle, Member};
use crate::plan::{Machine, MemberView, Place, Target, View, plan};

/// The reconciler `autoscaling.group`; its key is the group's name.
pub(crate) fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let name = GroupName::from(key);
    let Some(group) = tx.get::<Group>(&name).cloned() else { return Ok(None) };
    let decided = plan(&view(tx, &group, cx.now));
    let wake_at = decided.wake_at;
    apply(tx, cx, &name, decided);
    finish(tx, &name);
    Ok(wake_at)
}

/// Forgets what is over: drained target groups, the request that is fulfilled, and the group when it is deleted.
fn finish(tx: &mut Tx, name: &GroupName) {
    let Some(group) = tx.get::<Group>(name).cloned() else { return };
    let members: Vec<&Member> = tx.rows_where::<Member>("group", name).collect();
    if group.deleting && members.is_empty() {
        crate::transitions::remove_group(tx, name);
        return;
    }
    let serving = members.iter().filter(|m| matches!(m.lifecycle, Lifecycle::Pending | Lifecycle::InService)).count();
    let settled = serving == (group.desired_capacity + group.surplus) as usize;
    let drained: BTreeSet<TargetGroupArn> = group
        .detaching
        .iter()
        .filter(|t| members.iter().all(|m| elb::target_health(tx, t, &m.instance).is_none()))
        .cloned()
        .collect();
    tx.update::<Group>(name, |g| {
        g.detaching.retain(|t| !drained.contains(t));
        if settled {
            g.request = None;
        }
    });
}

/// The state of a group as the plan sees it.
pub(crate) fn view(state: &State, group: &Group, now: Time) -> View {
    let suspended: BTreeSet<Process> = group.suspended.keys().copied().collect();
    View {
        now,
        desired: group.desired_capacity as usize,
        surplus: group.surplus as usize,
        deleting: group.deleting,
        health_check: group.health_check,
        grace: Duration::from_secs(u64::from(group.grace_s)),
        suspended,
        policies: group.termination_policies.clone(),
        target_groups: group.target_groups.clone(),
        places: places(state, group),
        avoid: group.failing.iter().map(|(zone, failure)| (zone.clone(), failure.retry_at)).collect(),
        members: state.rows_where::<Member>("group", &group.name).map(|m| member_view(state, group, m)).collect(),
    }
}

fn places(state: &State, group: &Group) -> Vec<Place> {
    if group.subnets.is_empty() {
        return group.zones.iter().map(|zone| Place { zone: zone.clone(), subnet: None }).collect();
    }
    let zone_of = |id| state.get::<ec2::Subnet>(id).map(|s| s.zone.clone());
    group.subnets.iter().filter_map(|id| Some(Place { zone: zone_of(id)?, subnet: Some(id.clone()) })).collect()
}

fn member_view(state: &State, group: &Group, member: &Member) -> MemberView {
    let others = group.detaching.iter().chain(&member.handled).filter(|t| !group.target_groups.contains(t));
    let known = group.target_groups.iter().chain(others);
    let targets: BTreeMap<TargetGroupArn, Target> =
        known.filter_map(|t| Some((t.clone(), target(state, t, &member.instance)?))).collect();
    MemberView {
        id: member.instance.clone(),
        zone: member.zone.clone(),
        subnet: (!group.subnets.is_empty()).then(|| member.subnet.clone()),
        lifecycle: member.lifecycle,
        launched_at: member.launched_at,
        in_service_at: member.in_service_at,
        health: member.health,
        protected: member.protected,
        extra: member.extra,
        forced: member.forced,
        template_version: member.template.as_ref().map(|t| t.version),
        machine: machine(state, &member.instance),
        handled: member.handled.clone(),
        targets,
    }
}

fn target(state: &State, target_group: &TargetGroupArn, instance: &InstanceId) -> Option<Target> {
    Some(match elb::target_health(state, target_group, instance)? {
        elb::Health::Unhealthy { .. } => Target::Unhealthy,
        elb::Health::Draining => Target::Draining,
        elb::Health::Initial | elb::Health::Healthy | elb::Health::Unused => Target::Fine,
    })
}

fn machine(state: &State, id: &InstanceId) -> Machine {
    let Some(instance) = state.get::<ec2::Instance>(id) else { return Machine::Gone };
    match instance.state() {
        ec2::InstanceState::Pending => Machine::Starting,
        ec2::InstanceState::Running if instance.is_up() => Machine::Up,
        ec2::InstanceState::Running => Machine::Rebooting,
        ec2::InstanceState::Stopping | ec2::InstanceState::Stopped => Machine::Down,
        ec2::InstanceState::ShuttingDown => Machine::Ending,
        ec2::InstanceState::Terminated => Machine::Gone,
    }
}
