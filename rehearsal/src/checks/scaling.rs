//! Rules about groups: their sizes, hooks, warm pools and targets.

use std::collections::{BTreeMap, BTreeSet};

use kernel::State;
use region::autoscaling::{Activity, Group, Health, Lifecycle, Member, Refresh, WarmPool};
use region::cloudwatch::Invocation;
use region::{elb, sns};
use world::{TargetMode, Want};

use super::{Broken, ensure, is_working, members, wants};
use crate::Model;

/// "Rebalancing activities": above its maximum a group may go by a tenth of it, or by one.
const REBALANCE_PERCENT: u32 = 10;

/// A group never wants less than its minimum nor more than its maximum, and never has more instances at work than its
/// maximum, those of an instance refresh and those that even out its zones; but what is protected from scale-in stays.
pub(super) fn groups_within_bounds(state: &State) -> Result<(), Broken> {
    for group in state.rows::<Group>().filter(|g| !g.deleting) {
        let (min, max, desired) = (group.min_size, group.max_size, group.desired_capacity);
        ensure(min <= desired && desired <= max, || format!("{}: {min} <= {desired} <= {max}", group.name))?;
        let most = max + group.surplus + (max * REBALANCE_PERCENT / 100).max(1);
        let (mut working, mut protected) = (0, 0);
        for member in members(state, group).filter(|m| is_working(m)) {
            working += 1;
            protected += u32::from(member.protected);
        }
        ensure(working <= most.max(protected), || format!("{}: {working} instances at work, at most {most}", group.name))?;
    }
    Ok(())
}

/// A warm pool has no more instances than the group may still grow by, or than its own minimum ("Create a warm pool for an
/// Auto Scaling group").
pub(super) fn pools_within_size(state: &State) -> Result<(), Broken> {
    for group in state.rows::<Group>().filter(|g| !g.deleting) {
        let pool = state.get::<WarmPool>(&group.name);
        let size = pool_size(group, pool);
        let stored = members(state, group).filter(|m| m.lifecycle.is_warm() && !m.lifecycle.is_ending()).count();
        ensure(stored <= size, || format!("{}: {stored} instances in a warm pool of {size}", group.name))?;
    }
    Ok(())
}

fn pool_size(group: &Group, pool: Option<&WarmPool>) -> usize {
    let Some(pool) = pool.filter(|p| !p.deleting) else { return 0 };
    let prepared = pool.max_prepared.unwrap_or(group.max_size);
    prepared.saturating_sub(group.desired_capacity).max(pool.min_size) as usize
}

/// An instance waits for hooks only as long as some hold it, and on its way in or out.
pub(super) fn hooks_hold_what_waits(state: &State) -> Result<(), Broken> {
    for member in state.rows::<Member>() {
        let (id, how) = (&member.instance, member.state());
        let waits = how.ends_with(":Wait");
        ensure(waits != member.actions.is_empty(), || format!("{id} is {how} and {} hooks hold it", member.actions.len()))?;
    }
    Ok(())
}

/// Of a group's instances, those in service get new requests and no others.
pub(super) fn only_members_in_service_get_requests(state: &State) -> Result<(), Broken> {
    for want in wants(state) {
        let Want::Target(told) = want else { continue };
        let Some(member) = state.get::<Member>(&told.target.key.id.as_str().into()) else { continue };
        let in_service = told.target.mode != TargetMode::Active || member.lifecycle == Lifecycle::InService;
        ensure(in_service, || format!("requests go to {}, which is {}", member.instance, member.state()))?;
    }
    Ok(())
}

/// Nothing has begun and not ended: no activity, no refresh, no hook, no alarm's action, no message.
pub(super) fn nothing_is_under_way(state: &State) -> Result<(), Broken> {
    if let Some(a) = state.rows::<Activity>().find(|a| !a.status.is_over()) {
        return Err(format!("the activity {} of {} is {}", a.description, a.key, a.status.as_str()));
    }
    if let Some(refresh) = state.rows::<Refresh>().find(|r| r.status.is_active()) {
        return Err(format!("the instance refresh of {} is {}: {:?}", refresh.group, refresh.status.as_str(), refresh.reason));
    }
    if let Some(invocation) = state.rows::<Invocation>().next() {
        return Err(format!("the action {} of alarm {} is not done", invocation.action, invocation.alarm));
    }
    let waiting = state.rows::<sns::Delivery>().next();
    waiting.map_or(Ok(()), |d| Err(format!("message {} is still under way to {}", d.wish.message_id, d.subscription)))
}

/// A group has its capacity in service, evenly over its zones, and all of it serves; its warm pool is full. What users
/// have put on standby stands by, and what they protected may be too much and uneven.
pub(super) fn group_is_whole(state: &State, model: &Model, group: &Group) -> Result<(), Broken> {
    let name = &group.name;
    let mut zones: BTreeMap<&str, usize> = group.zones.iter().map(|z| (z.as_str(), 0)).collect();
    let (mut in_service, mut stored, mut protected) = (0, 0, 0);
    for member in members(state, group) {
        let id = &member.instance;
        match member.lifecycle {
            Lifecycle::InService => in_service += 1,
            Lifecycle::WarmedRunning | Lifecycle::WarmedStopped => stored += 1,
            Lifecycle::Standby => {}
            _ => return Err(format!("{name}: {id} is {} at rest", member.state())),
        }
        if member.lifecycle == Lifecycle::InService {
            *zones.entry(&member.zone).or_default() += 1;
            protected += usize::from(member.protected);
            serves(state, model, group, member)?;
        }
    }
    let desired = group.desired_capacity as usize;
    let has_enough = in_service == desired || in_service > desired && in_service == protected;
    ensure(has_enough, || format!("{name} has {in_service} instances and wants {desired}"))?;
    let (least, most) = (zones.values().min().copied(), zones.values().max().copied());
    let is_even = most.unwrap_or(0) <= least.unwrap_or(0) + 1;
    ensure(is_even || protected > 0, || format!("{name} is uneven: {zones:?}"))?;
    let size = pool_size(group, state.get::<WarmPool>(name));
    ensure(stored == size, || format!("{name} has {stored} instances in its warm pool of {size}"))
}

fn serves(state: &State, model: &Model, group: &Group, member: &Member) -> Result<(), Broken> {
    let (name, id) = (&group.name, &member.instance);
    ensure(model.serves(id), || format!("{name}: {id} is in service and does not serve"))?;
    ensure(member.health == Health::Healthy, || format!("{name}: {id} serves and is unhealthy"))?;
    for target_group in &group.target_groups {
        let health = elb::target_health(state, target_group, id);
        ensure(health == Some(elb::Health::Healthy), || format!("{name}: {id} serves and is {health:?}"))?;
    }
    Ok(())
}

/// Everything that a group's activities are at: equal twice, nothing happened between.
pub fn doings(state: &State) -> BTreeSet<String> {
    let activities = state.rows::<Activity>().map(|a| format!("{} {}: {}", a.key, a.description, a.cause));
    let sizes = state.rows::<Group>().map(|g| format!("{} wants {}", g.name, g.desired_capacity));
    activities.chain(sizes).collect()
}
