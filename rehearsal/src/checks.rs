//! What must hold after every commit, whatever happens in the world, and what must hold once it rests. Each rule is
//! a function that says what it found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use kernel::{State, Wanted};
use region::autoscaling::{Group, Lifecycle, Member};
use region::cloudformation::{self, MemberStatus, Stack, StackStatus};
use region::{ec2, elb};
use world::{Interface, Power, Slot, SlotKind, TargetMode, Want};

use crate::Model;

mod scaling;
mod watch;

pub use scaling::doings;
pub use watch::Watch;

/// What was found broken.
pub type Broken = String;

type Rule = fn(&State) -> Result<(), Broken>;

/// Rules over the rows alone.
const RULES: [Rule; 10] = [
    no_address_twice,
    no_traffic_to_what_is_not_wanted,
    scaling::groups_within_bounds,
    scaling::pools_within_size,
    scaling::hooks_hold_what_waits,
    scaling::only_members_in_service_get_requests,
    members_have_instances,
    registrations_have_groups,
    interfaces_have_owners,
    stacks_are_legal,
];

/// Everything that holds at every commit.
pub fn after_commit(state: &State, model: &Model) -> Result<(), Broken> {
    RULES.iter().try_for_each(|rule| rule(state))?;
    nothing_unknown_exists(state, model)
}

/// What holds besides once the world rests and all faults are over: what should be is, and nothing else.
pub fn at_rest(state: &State, model: &Model) -> Result<(), Broken> {
    wishes_are_fulfilled(state)?;
    the_world_is_as_wished(state, model)?;
    scaling::nothing_is_under_way(state)?;
    state.rows::<Group>().try_for_each(|group| scaling::group_is_whole(state, model, group))
}

fn ensure(holds: bool, text: impl FnOnce() -> Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(text()) }
}

fn wants(state: &State) -> impl Iterator<Item = &Want> {
    state.rows::<Wanted>().filter_map(|wanted| wanted.want.as_ref())
}

/// No two things have the same address in one VPC, neither in the rows nor in what the world is told.
fn no_address_twice(state: &State) -> Result<(), Broken> {
    let mut taken: BTreeMap<(&str, Ipv4Addr), &str> = BTreeMap::new();
    for i in state.rows::<ec2::NetworkInterface>() {
        let other = taken.insert((&i.vpc, i.address), &i.id);
        ensure(other.is_none(), || format!("{} is given to {} and to {other:?}", i.address, i.id))?;
    }
    let mut told: BTreeMap<(&str, Ipv4Addr), &str> = BTreeMap::new();
    for want in wants(state) {
        let interface: &Interface = match want {
            Want::Instance(instance) => &instance.interface,
            Want::Interface(interface) => interface,
            _ => continue,
        };
        let other = told.insert((&interface.vpc, interface.address), &interface.id);
        ensure(other.is_none(), || format!("{} is told to {} and to {other:?}", interface.address, interface.id))?;
    }
    Ok(())
}

/// A target that gets new requests is an instance that is wanted and on.
fn no_traffic_to_what_is_not_wanted(state: &State) -> Result<(), Broken> {
    let is_on = |want: &Want| matches!(want, Want::Instance(i) if i.power == Power::On);
    let on: BTreeSet<&str> =
        state.rows::<Wanted>().filter(|w| w.want.as_ref().is_some_and(is_on)).map(|w| w.slot.id.as_str()).collect();
    for want in wants(state) {
        let Want::Target(told) = want else { continue };
        let id = told.target.key.id.as_str();
        let gets_requests = told.target.mode == TargetMode::Active && id.starts_with("i-");
        ensure(!gets_requests || on.contains(id), || format!("requests go to {id}, which is not on"))?;
    }
    Ok(())
}

fn members<'a>(state: &'a State, group: &Group) -> impl Iterator<Item = &'a Member> {
    state.rows_where::<Member>("group", &group.name)
}

fn is_working(member: &Member) -> bool {
    matches!(member.lifecycle, Lifecycle::Pending | Lifecycle::InService)
}

/// A member in service is an instance that has not ended; each member belongs to a group that exists; and no instance
/// that a group launched lives on without it.
fn members_have_instances(state: &State) -> Result<(), Broken> {
    for member in state.rows::<Member>() {
        let id = &member.instance;
        ensure(state.get::<Group>(&member.group).is_some(), || format!("{id} is in {}, which is gone", member.group))?;
        let instance = state.get::<ec2::Instance>(id);
        let alive = instance.is_some_and(|i| !i.is_ending());
        ensure(alive || !is_working(member), || format!("{id} is {:?} and its instance has ended", member.lifecycle))?;
    }
    let launched = |i: &&ec2::Instance| i.requester.as_deref() == Some("autoscaling.amazonaws.com");
    for instance in state.rows::<ec2::Instance>().filter(launched).filter(|i| !i.is_ending()) {
        ensure(state.get::<Member>(&instance.id).is_some(), || format!("{} lives on without its group", instance.id))?;
    }
    Ok(())
}

/// Targets are registered with groups that exist.
fn registrations_have_groups(state: &State) -> Result<(), Broken> {
    for registration in state.rows::<elb::Registration>() {
        let (group, target) = (&registration.group, &registration.target.id);
        ensure(elb::is_target_group(state, group), || format!("{target} is registered with {group}, which is gone"))?;
    }
    Ok(())
}

/// An interface belongs to an instance that is not gone, or to a load balancer, or is on its way out.
fn interfaces_have_owners(state: &State) -> Result<(), Broken> {
    let of_balancers: BTreeSet<&str> =
        state.rows::<elb::LoadBalancer>().flat_map(|b| &b.nodes).map(|n| n.interface.as_str()).collect();
    for interface in state.rows::<ec2::NetworkInterface>() {
        let id = &interface.id;
        let owned = match &interface.owner {
            ec2::InterfaceOwner::Instance(i) => state.get::<ec2::Instance>(i).is_some_and(|i| i.gone_at.is_none()),
            ec2::InterfaceOwner::Service { .. } => interface.leaving || of_balancers.contains(id.as_str()),
        };
        ensure(owned, || format!("{id} at {} belongs to nobody: {:?}", interface.address, interface.owner))?;
        let subnet = state.get::<ec2::Subnet>(&interface.subnet);
        ensure(subnet.is_some(), || format!("{id} is in {}, which is gone", interface.subnet))?;
    }
    for instance in state.rows::<ec2::Instance>().filter(|i| i.gone_at.is_none()) {
        let has = state.get::<ec2::NetworkInterface>(&instance.interface).is_some();
        ensure(has, || format!("{} has lost its interface", instance.id))?;
    }
    Ok(())
}

/// A stack's status and its resources' fit together.
fn stacks_are_legal(state: &State) -> Result<(), Broken> {
    use StackStatus as S;
    let mut names = BTreeSet::new();
    for stack in state.rows::<Stack>() {
        ensure(!stack.is_alive() || names.insert(&stack.name), || format!("two stacks are called {}", stack.name))?;
        let all: Vec<&cloudformation::Member> = state.rows_where::<cloudformation::Member>("stack", &stack.id).collect();
        let made = |m: &&&cloudformation::Member| {
            matches!(m.status, MemberStatus::CreateComplete | MemberStatus::UpdateComplete) && m.physical.is_some()
        };
        let gone = |m: &&&cloudformation::Member| matches!(m.status, MemberStatus::DeleteComplete | MemberStatus::DeleteSkipped);
        let wrong = match stack.status {
            S::CreateComplete | S::UpdateComplete => all.iter().find(|m| !made(m)),
            S::RollbackComplete | S::DeleteComplete => all.iter().find(|m| !gone(m)),
            _ => None,
        };
        let text = |m: &cloudformation::Member| {
            format!("{} is {} and its {} is {}", stack.name, stack.status.name(), m.logical_id, m.status.name())
        };
        wrong.map_or(Ok(()), |m| Err(text(m)))?;
    }
    Ok(())
}

/// What exists in the world is known to the control plane: it is wished for, or its end is not yet answered.
fn nothing_unknown_exists(state: &State, model: &Model) -> Result<(), Broken> {
    let unknown = model.existing().find(|slot| state.get::<Wanted>(slot).is_none());
    unknown.map_or(Ok(()), |slot| Err(format!("{slot} exists and nothing knows of it")))
}

fn wishes_are_fulfilled(state: &State) -> Result<(), Broken> {
    let open = state.rows::<Wanted>().find(|w| !w.applied || w.want.is_none());
    open.map_or(Ok(()), |w| Err(format!("{} of version {} is not answered", w.slot, w.version)))
}

fn the_world_is_as_wished(state: &State, model: &Model) -> Result<(), Broken> {
    let exists: BTreeSet<Slot> = model.existing().collect();
    let is_thing = |slot: &Slot| matches!(slot.kind, SlotKind::Instance | SlotKind::LoadBalancer | SlotKind::Target);
    for wanted in state.rows::<Wanted>().filter(|w| is_thing(&w.slot)) {
        ensure(exists.contains(&wanted.slot), || format!("{} is wished for and does not exist", wanted.slot))?;
        let Some(Want::Target(told)) = &wanted.want else { continue };
        ensure(model.target(&wanted.slot) == Some(told), || format!("{} is not as it is wished for", wanted.slot))?;
    }
    Ok(())
}
