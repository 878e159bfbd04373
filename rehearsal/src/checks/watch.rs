//! Rules about what comes after what, commit by commit. It remembers what the last one had.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{GroupName, InstanceId, LoadBalancerArn, TargetGroupArn, Time};
use kernel::State;
use region::autoscaling::{Activity, Cooldown, Group, Health, Lifecycle, Member, Refresh, RefreshStatus};
use world::{RegisteredTarget, TargetKey, TargetMode, Want};

use super::{Broken, ensure, members, wants};

/// One registration of a target as one load balancer is told of it.
type Registered = (LoadBalancerArn, TargetGroupArn, TargetKey, u64);

/// How a cause of the service tells that an instance refresh ended an instance.
const BY_REFRESH: &str = "in response to an instance refresh";

/// What the last commit had.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    at: Time,
    /// In service and healthy.
    serving: BTreeSet<InstanceId>,
    desired: BTreeMap<GroupName, u32>,
    cooldowns: BTreeMap<GroupName, (Time, u32)>,
    draining: BTreeSet<Registered>,
}

impl Watch {
    /// Looks at what was committed by `now`, when nothing is due any more.
    pub fn after_commit(&mut self, now: Time, state: &State) -> Result<(), Broken> {
        ensure(now >= self.at, || format!("the clock went back from {} to {now}", self.at))?;
        hooks_end_in_time(now, state)?;
        self.refreshes_keep_enough(state)?;
        self.cooldowns_pass(state)?;
        self.drained_stay_so(state)?;
        self.at = now;
        let serving = state.rows::<Member>().filter(|m| is_serving(m));
        self.serving = serving.map(|m| m.instance.clone()).collect();
        self.desired = state.rows::<Group>().map(|g| (g.name.clone(), g.desired_capacity)).collect();
        Ok(())
    }

    /// "RefreshPreferences", MinHealthyPercentage: when a refresh takes healthy instances out of service, so many are left.
    /// Instances that die are not its doing, but then it takes out no more.
    fn refreshes_keep_enough(&self, state: &State) -> Result<(), Broken> {
        let acts = |r: &&Refresh| matches!(r.status, RefreshStatus::InProgress | RefreshStatus::RollbackInProgress);
        for refresh in state.rows::<Refresh>().filter(acts) {
            let Some(group) = state.get::<Group>(&refresh.group) else { continue };
            let served = |m: &&Member| self.serving.contains(&m.instance) && !self.was_put_on_standby(state, m);
            let taken = members(state, group).filter(served).filter(|m| is_taken_by_refresh(state, m)).count();
            if taken == 0 {
                continue;
            }
            let desired = self.desired.get(&group.name).copied().unwrap_or_default().min(group.desired_capacity);
            let preferences = &refresh.preferences;
            let mut floor = (desired * preferences.min_healthy_percent).div_ceil(100);
            // "Understand the default values": where the percentages leave no room, one at a time is replaced.
            if floor >= desired && preferences.max_healthy_percent <= 100 {
                floor = desired.saturating_sub(1);
            }
            let left = members(state, group).filter(|m| is_serving(m)).count();
            ensure(left >= floor as usize, || {
                format!("the refresh of {} took out {taken}, {left} are left in service, at least {floor}", group.name)
            })?;
        }
        Ok(())
    }

    /// A user took it out of service since the last commit; a refresh that ends what stands by may do so at once.
    fn was_put_on_standby(&self, state: &State, member: &Member) -> bool {
        let moved = format!("Moving EC2 instance to Standby: {}", member.instance);
        let mut activities = state.rows_where::<Activity>("group", &member.group);
        activities.any(|a| a.started_at >= self.at && a.description == moved)
    }

    /// "Scaling cooldowns": the next change by a simple policy comes when the instances of the last one are there, and its
    /// cooldown has passed since.
    fn cooldowns_pass(&mut self, state: &State) -> Result<(), Broken> {
        let mut all = BTreeMap::new();
        for cooldown in state.rows::<Cooldown>() {
            let (group, since) = (&cooldown.group, cooldown.since);
            if let Some((before, seconds)) = self.cooldowns.get(group).filter(|(before, _)| *before != since) {
                let of_last = |a: &&Activity| a.started_at >= *before && a.started_at < since;
                let ended = state.rows_where::<Activity>("group", group).filter(of_last).filter_map(|a| a.ended_at).max();
                let over = ended.unwrap_or(*before) + Duration::from_secs(u64::from(*seconds));
                ensure(since >= over, || format!("{group} has scaled at {since}, and its cooldown was over at {over}"))?;
            }
            all.insert(group.clone(), (since, cooldown.seconds));
        }
        self.cooldowns = all;
        Ok(())
    }

    /// A registration that began to drain never gets new requests again.
    fn drained_stay_so(&mut self, state: &State) -> Result<(), Broken> {
        let mut draining = BTreeSet::new();
        for want in wants(state) {
            let Want::Target(RegisteredTarget { load_balancer, group, target }) = want else { continue };
            let at: Registered = (load_balancer.clone(), group.clone(), target.key.clone(), target.generation);
            let gets_requests = target.mode == TargetMode::Active;
            let is_back = gets_requests && self.draining.contains(&at);
            ensure(!is_back, || format!("{} drained and gets requests again", target.key.id))?;
            if !gets_requests {
                draining.insert(at);
            }
        }
        self.draining = draining;
        Ok(())
    }
}

fn is_serving(member: &Member) -> bool {
    member.lifecycle == Lifecycle::InService && member.health == Health::Healthy
}

fn is_taken_by_refresh(state: &State, member: &Member) -> bool {
    let activity = member.activity.as_ref().and_then(|key| state.get::<Activity>(key));
    !is_serving(member) && activity.is_some_and(|a| a.cause.contains(BY_REFRESH))
}

/// "How lifecycle hooks work": no hook holds an instance beyond its timeout.
fn hooks_end_in_time(now: Time, state: &State) -> Result<(), Broken> {
    for member in state.rows::<Member>() {
        for action in &member.actions {
            let deadline = action.expires_at.min(action.ends_at);
            ensure(deadline > now, || {
                format!("{} is {} by {} since before {deadline}", member.instance, member.state(), action.hook)
            })?;
        }
    }
    Ok(())
}
