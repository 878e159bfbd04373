//! How many targets a load balancer has at most, over all groups that its listeners and rules forward to. One that is registered
//! with several groups, or at several ports, counts as often; one whose deregistration is complete does not.

use std::collections::{BTreeMap, BTreeSet};

use base::{LoadBalancerArn, TargetGroupArn};
use kernel::{Cx, Settings, State};
use world::BalancerKind;

use crate::error::Error;
use crate::listener;
use crate::load_balancer::{self, LoadBalancer};
use crate::plan::is_cross_zone;
use crate::target::Registration;
use crate::target_group;

/// "Quotas for your Application Load Balancers": 1,000, as for a target group.
pub(crate) fn of_application(settings: &Settings) -> usize {
    settings.targets_max
}

/// "Quotas for your Network Load Balancers": 3,000, three times what a target group may have. That is six zones full: it is never
/// reached where there are no more.
pub(crate) fn of_network(settings: &Settings) -> usize {
    settings.targets_max * 3
}

/// Likewise: 500, half of what a target group may have. With cross-zone load balancing, those of all zones count for each one:
/// "the maximum number of targets is 500 per load balancer, regardless of the number of Availability Zones".
pub(crate) fn of_network_zone(settings: &Settings) -> usize {
    settings.targets_max / 2
}

/// Refuses what made the load balancer have more targets than it may.
pub(crate) fn check(state: &State, cx: &Cx, balancer: &LoadBalancerArn) -> Result<(), Error> {
    let balancer = load_balancer::find(state, balancer)?;
    let groups = listener::groups_of(state, &balancer.arn);
    let registered: usize = groups.iter().map(|group| state.count_where::<Registration>("group", group)).sum();
    match balancer.kind {
        BalancerKind::Application => check_all(state, balancer, &groups, registered, of_application(&cx.settings)),
        BalancerKind::Network => check_zones(state, balancer, &groups, registered, of_network_zone(&cx.settings)),
    }
}

/// As [`check`], where the load balancer forwards to a group that it did not forward to `before`.
pub(crate) fn check_added(state: &State, cx: &Cx, balancer: &LoadBalancerArn, before: &Groups) -> Result<(), Error> {
    match listener::groups_of(state, balancer).is_subset(before) {
        true => Ok(()),
        false => check(state, cx, balancer),
    }
}

/// As [`check`], where targets of other zones begin to count. The operations that do so have a code of their own for it
/// ("ModifyLoadBalancerAttributes", "ModifyTargetGroupAttributes").
pub(crate) fn check_cross_zone(state: &State, cx: &Cx, balancer: &LoadBalancerArn) -> Result<(), Error> {
    check(state, cx, balancer).map_err(|e| Error::Unsupported(e.to_string()))
}

type Groups = BTreeSet<TargetGroupArn>;

fn too_many<T>(text: String) -> Result<T, Error> {
    Err(Error::TooMany("TooManyTargets", text))
}

fn active<'a>(state: &'a State, group: &TargetGroupArn) -> impl Iterator<Item = &'a Registration> {
    state.rows_where::<Registration>("group", group).filter(|r| !r.is_drained())
}

fn check_all(state: &State, balancer: &LoadBalancer, groups: &Groups, registered: usize, max: usize) -> Result<(), Error> {
    if registered <= max || groups.iter().map(|group| active(state, group).count()).sum::<usize>() <= max {
        return Ok(());
    }
    // AWS's words (kubernetes/ingress-nginx#4847).
    let arn = &balancer.arn;
    too_many(format!("The maximum number of targets per load balancer '{max}' has been reached on load balancer '{arn}'"))
}

fn check_zones(state: &State, balancer: &LoadBalancer, groups: &Groups, registered: usize, max: usize) -> Result<(), Error> {
    if registered <= max {
        return Ok(());
    }
    let (mut everywhere, mut by_zone) = (0, BTreeMap::<&str, usize>::new());
    for arn in groups {
        let group = target_group::find(state, arn)?;
        let is_cross_zone = is_cross_zone(balancer, group);
        for registration in active(state, arn) {
            match registration.zone_in(state, group) {
                _ if is_cross_zone => everywhere += 1,
                Some(zone) => *by_zone.entry(zone).or_default() += 1,
                None => {}
            }
        }
    }
    if everywhere > max {
        // AWS's words (kubernetes/cloud-provider-aws#1328).
        let what = "per network load balancer with cross-zone load balancing enabled";
        return too_many(format!("You cannot have more than {max} targets {what}"));
    }
    match by_zone.iter().find(|(_, count)| everywhere + **count > max) {
        Some((zone, _)) => too_many(format!(
            "The maximum number of targets per Availability Zone '{max}' has been reached in '{zone}' on load balancer '{}'",
            balancer.arn
        )),
        None => Ok(()),
    }
}
