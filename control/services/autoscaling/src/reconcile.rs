//! Carries the plans of groups and instances out: builds the pure views of their rows and of what EC2 and ELB know,
//! asks `plan`, applies. Instances have a reconciler of their own, so that an event costs what one instance costs, and a
//! group that is as it should be costs the same at any size.

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Fault, GroupName, InstanceId, TargetGroupArn, Time};
use kernel::{Cx, Registry, State, Tx};

use crate::apply;
use crate::group::{Group, Process};
use crate::lifecycle::{LifecycleHook, Transition, has_hook};
use crate::member::{Class, Member};
use crate::plan::{self, Counts, GroupView, Machine, MemberView, Place, Ready, Rules, Site, Target, ZoneCount};
use crate::warm_pool::{self, WarmPool};

const GROUPS: &str = "autoscaling.group";
const MEMBERS: &str = "autoscaling.instance";

pub(crate) fn register(registry: &mut Registry) {
    registry.reconciler(GROUPS, reconcile_group);
    registry.reconciler(MEMBERS, reconcile_member);
    registry.watch::<Group>(GROUPS, |_, group, due| due.push(group.name.to_string()));
    registry.watch::<Member>(GROUPS, |_, member, due| due.push(member.group.to_string()));
    registry.watch::<WarmPool>(GROUPS, |_, pool, due| due.push(pool.group.to_string()));
    registry.watch::<Member>(MEMBERS, |_, member, due| due.push(member.instance.to_string()));
    registry.watch::<ec2::Instance>(MEMBERS, |state, instance, due| push_member(state, &instance.id, due));
    // A load balancer's checks tell of an instance's health, and the end of its draining that it may go.
    registry.watch::<elb::Registration>(MEMBERS, |state, registration, due| {
        push_member(state, &registration.target.id.as_str().into(), due);
    });
    registry.watch::<elb::Registration>(GROUPS, |state, registration, due| {
        let member = state.get::<Member>(&registration.target.id.as_str().into());
        let group = member.and_then(|m| state.get::<Group>(&m.group));
        // Under a maintenance policy, what passes its checks lets another one go.
        let waits = |g: &&Group| g.maintenance.is_some() || g.detaching.contains(&registration.group);
        due.extend(group.filter(waits).map(|g| g.name.to_string()));
    });
    // A row is shown before it is put: it differs from what is there when it changes.
    registry.watch::<Group>(MEMBERS, |state, group, due| {
        if state.get::<Group>(&group.name).is_some_and(|old| rules_differ(old, group)) {
            push_all(state, &group.name, due);
        }
    });
    registry.watch::<WarmPool>(MEMBERS, |state, pool, due| {
        due.extend(warm_pool::members(state, &pool.group).map(|m| m.instance.to_string()));
    });
    registry.watch::<LifecycleHook>(MEMBERS, |state, hook, due| push_all(state, &hook.key.0, due));
}

fn push_member(state: &State, id: &InstanceId, due: &mut Vec<String>) {
    if state.get::<Member>(id).is_some() {
        due.push(id.to_string());
    }
}

fn push_all(state: &State, group: &GroupName, due: &mut Vec<String>) {
    due.extend(state.rows_where::<Member>("group", group).map(|m| m.instance.to_string()));
}

/// Whether a group says something else to its instances.
fn rules_differ(a: &Group, b: &Group) -> bool {
    let of = |g: &Group| (g.deleting, g.health_check, g.grace_s, g.maintenance);
    of(a) != of(b) || a.target_groups != b.target_groups || !a.suspended.keys().eq(b.suspended.keys())
}

/// The reconciler of an instance; its key is the instance's id.
fn reconcile_member(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let id = InstanceId::from(key);
    let Some(member) = tx.get::<Member>(&id) else { return Ok(None) };
    let Some(group) = tx.get::<Group>(&member.group) else { return Ok(None) };
    let suspended: BTreeSet<Process> = group.suspended.keys().copied().collect();
    let rules = Rules {
        now: cx.now,
        deleting: group.deleting,
        health_check: group.health_check,
        grace: Duration::from_secs(u64::from(group.grace_s)),
        suspended: &suspended,
        target_groups: &group.target_groups,
        holds_launches: has_hook(tx, &group.name, Transition::Launching),
        holds_terminations: has_hook(tx, &group.name, Transition::Terminating),
        pool: tx.get::<WarmPool>(&group.name).filter(|p| !p.deleting).map(|p| p.state),
        replaces_ahead: group.maintenance.is_some_and(|m| m.launches_ahead()),
    };
    let view = MemberView { row: member, machine: machine(tx, &id), targets: targets(tx, group, member) };
    let decided = plan::plan_member(&rules, &view);
    let wake_at = decided.wake_at;
    apply::member(tx, cx, &id, decided);
    Ok(wake_at)
}

/// The reconciler of a group; its key is the group's name.
fn reconcile_group(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let name = GroupName::from(key);
    let Some(group) = tx.get::<Group>(&name) else { return Ok(None) };
    let suspended: BTreeSet<Process> = group.suspended.keys().copied().collect();
    let state: &State = tx;
    let members = || state.rows_where::<Member>("group", &name).collect::<Vec<_>>();
    let view = GroupView {
        now: cx.now,
        desired: group.desired_capacity as usize,
        asked: group.request.is_some(),
        surplus: group.surplus as usize,
        max_size: group.max_size as usize,
        deleting: group.deleting,
        suspended: &suspended,
        policies: &group.termination_policies,
        template: &group.template.id,
        sites: sites(state, group),
        avoid: group.failing.iter().map(|(zone, failure)| (zone.clone(), failure.retry_at)).collect(),
        counts: counts(state, &name),
        replacing: group.replacing as usize,
        lifetime: group.max_instance_lifetime_s.map(|s| Duration::from_secs(u64::from(s))),
        maintenance: group.maintenance,
        ready: &|| ready(state, group, cx.now),
        pool: state.get::<WarmPool>(&name).map(|p| p.wanted(group)),
        passed_over: crate::refresh::passed_over(state, &name),
        members: &members,
    };
    let decided = plan::plan_group(&view);
    let wake_at = decided.wake_at;
    apply::group(tx, cx, &name, decided);
    finish(tx, cx, &name);
    Ok(wake_at)
}

/// Forgets what is over: drained target groups, the request that is fulfilled, the pool and the group that are deleted.
fn finish(tx: &mut Tx, cx: &Cx, name: &GroupName) {
    let Some(group) = tx.get::<Group>(name) else { return };
    if group.deleting && tx.count_where::<Member>("group", name) == 0 {
        crate::transitions::remove_group(tx, cx, name);
        return;
    }
    let counts = counts(tx, name);
    let settled = counts.capacity() + counts.extra == group.desired_capacity as usize + group.surplus as usize;
    let is_drained = |t: &&TargetGroupArn| {
        let mut members = tx.rows_where::<Member>("group", name);
        members.all(|m| elb::target_health(tx, t, &m.instance).is_none())
    };
    let drained: BTreeSet<TargetGroupArn> = group.detaching.iter().filter(is_drained).cloned().collect();
    let pool_is_over = tx.get::<WarmPool>(name).is_some_and(|p| p.deleting) && warm_pool::members(tx, name).next().is_none();
    if pool_is_over {
        tx.remove::<WarmPool>(name);
    }
    tx.update::<Group>(name, |g| {
        g.detaching.retain(|t| !drained.contains(t));
        if settled {
            g.request = None;
            g.replacing = 0;
        }
    });
}

/// "Set an instance maintenance policy": ready are those that are in service and healthy, whose warm-up is over.
fn ready(state: &State, group: &Group, now: Time) -> Ready {
    let warmup = Duration::from_secs(group.default_instance_warmup_s.unwrap_or_default().into());
    let fine = |m: &&Member| m.class() == Class::InService && crate::refresh::passes_checks(state, group, m);
    let mut ready = Ready::default();
    for member in state.rows_where::<Member>("group", &group.name).filter(fine) {
        let warm_at = member.in_service_at.unwrap_or(member.launched_at) + warmup;
        if warm_at <= now {
            ready.count += 1;
        } else {
            ready.next_at = Some(ready.next_at.map_or(warm_at, |at| at.min(warm_at)));
        }
    }
    ready
}

pub(crate) fn counts(state: &State, group: &GroupName) -> Counts {
    let count = |class: Class| state.count_where::<Member>("class", &class.of(group, ""));
    Counts {
        pending: count(Class::Pending),
        extra: count(Class::Extra),
        in_service: count(Class::InService),
        unwell: count(Class::Unwell),
        leaving: count(Class::Leaving),
        warming: count(Class::Warming),
        warm: count(Class::Warm),
    }
}

const SERVING: [Class; 4] = [Class::Pending, Class::Extra, Class::InService, Class::Unwell];

fn sites(state: &State, group: &Group) -> Vec<Site> {
    let site = |place: Place| {
        let count = |index, at: &str, classes: &[Class]| -> usize {
            classes.iter().map(|class| state.count_where::<Member>(index, &class.of(&group.name, at))).sum()
        };
        let zone = ZoneCount {
            serving: count("zone", &place.zone, &SERVING),
            leaving: count("zone", &place.zone, &[Class::Leaving]),
            warm: count("zone", &place.zone, &[Class::Warming, Class::Warm]),
        };
        let here = place.subnet.as_deref().map_or(zone.serving, |subnet| count("subnet", subnet, &SERVING));
        Site { place, here, zone }
    };
    places(state, group).into_iter().map(site).collect()
}

fn places(state: &State, group: &Group) -> Vec<Place> {
    if group.subnets.is_empty() {
        return group.zones.iter().map(|zone| Place { zone: zone.clone(), subnet: None }).collect();
    }
    let zone_of = |id| state.get::<ec2::Subnet>(id).map(|s| s.zone.clone());
    group.subnets.iter().filter_map(|id| Some(Place { zone: zone_of(id)?, subnet: Some(id.clone()) })).collect()
}

fn targets(state: &State, group: &Group, member: &Member) -> Vec<(TargetGroupArn, Target)> {
    let others = group.detaching.iter().chain(&member.handled).filter(|t| !group.target_groups.contains(t));
    let known: BTreeSet<&TargetGroupArn> = group.target_groups.iter().chain(others).collect();
    known.into_iter().filter_map(|t| Some((t.clone(), target(state, t, &member.instance)?))).collect()
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
        ec2::InstanceState::Stopping => Machine::Stopping,
        ec2::InstanceState::Stopped => Machine::Down,
        ec2::InstanceState::ShuttingDown => Machine::Ending,
        ec2::InstanceState::Terminated => Machine::Gone,
    }
}
