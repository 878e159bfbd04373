//! Reserved capacity: a machine has what it has, so the wish is kept and shown, as the region's owner's own note.

use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;

use crate::error::Error;
use crate::load_balancer::{self, LoadBalancer};

pub(super) fn modify(
    tx: &mut Tx,
    cx: &Cx,
    input: s::ModifyCapacityReservationInput,
) -> Result<s::ModifyCapacityReservationOutput, Fault> {
    let arn = input.load_balancer_arn;
    load_balancer::find(tx, &arn)?;
    let wanted = input.minimum_load_balancer_capacity.and_then(|c| c.capacity_units);
    let units = match (input.reset_capacity_reservation == Some(true), wanted) {
        (true, None) => None,
        (false, Some(units)) => Some(units),
        _ => {
            let text = "You must specify either MinimumLoadBalancerCapacity or ResetCapacityReservation";
            return Err(Error::Validation(text.into()).into());
        }
    };
    load_balancer::set_capacity(tx, cx, &arn, units)?;
    let balancer = load_balancer::find(tx, &arn)?;
    Ok(s::ModifyCapacityReservationOutput {
        last_modified_time: balancer.capacity.map(|c| c.modified),
        decrease_requests_remaining: Some(DECREASES),
        minimum_load_balancer_capacity: minimum(balancer),
        capacity_reservation_state: zones(tx, balancer),
    })
}

/// Nothing is metered, so nothing is used up.
const DECREASES: i64 = 2;

fn minimum(balancer: &LoadBalancer) -> Option<s::MinimumLoadBalancerCapacity> {
    balancer.capacity.map(|c| s::MinimumLoadBalancerCapacity { capacity_units: Some(c.units) })
}

/// Each zone has its part once the load balancer is there.
fn zones(state: &State, balancer: &LoadBalancer) -> Vec<s::ZonalCapacityReservationState> {
    let Some(capacity) = balancer.capacity else { return Vec::new() };
    let code = match balancer.state(state) {
        load_balancer::LoadBalancerState::Active => "provisioned",
        load_balancer::LoadBalancerState::Provisioning => "pending",
        load_balancer::LoadBalancerState::Failed(_) => "failed",
    };
    let part = capacity.units as f64 / balancer.nodes.len().max(1) as f64;
    let zone = |n: &load_balancer::Node| s::ZonalCapacityReservationState {
        state: Some(s::CapacityReservationStatus { code: Some(code.into()), reason: None }),
        availability_zone: Some(n.zone.clone()),
        effective_capacity_units: Some(part),
    };
    balancer.nodes.iter().map(zone).collect()
}

pub(super) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeCapacityReservationInput,
) -> Result<s::DescribeCapacityReservationOutput, Fault> {
    let balancer = load_balancer::find(tx, &input.load_balancer_arn)?;
    Ok(s::DescribeCapacityReservationOutput {
        last_modified_time: balancer.capacity.map(|c| c.modified),
        decrease_requests_remaining: Some(DECREASES),
        minimum_load_balancer_capacity: minimum(balancer),
        capacity_reservation_state: zones(tx, balancer),
    })
}
