//! What a run would have cost at AWS, and what a fixed fleet would have.

use std::collections::BTreeMap;

use base::InstanceId;
use region::autoscaling::{Member, members_by_type};
use region::ec2::{Instance, InstanceState};
use region::elb;

use crate::load::Tally;
use crate::predict::{Scenario, Totals};
use crate::{Rehearsal, prices};

/// What was used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hours {
    /// Instance-hours by type.
    by_type: BTreeMap<String, f64>,
    balancer: f64,
    capacity_units: f64,
}

/// As in the reports of traffic: ten requests a connection, 11 KiB a request with its answer.
const REQUESTS_PER_CONNECTION: f64 = 10.0;
const REQUEST_GIGABYTES: f64 = 11.0 * 1_024.0 / 1e9;

impl Hours {
    pub(crate) fn add_instances(&mut self, instance_type: &str, count: usize, seconds: f64) {
        let more = count as f64 * seconds / 3_600.0;
        match self.by_type.get_mut(instance_type) {
            Some(hours) => *hours += more,
            None => drop(self.by_type.insert(instance_type.into(), more)),
        }
    }

    pub(crate) fn add_balancers(&mut self, balancers: usize, tally: &Tally) {
        if balancers == 0 {
            return;
        }
        let hours = tally.seconds / 3_600.0;
        self.balancer += balancers as f64 * hours;
        let a_second = tally.offered / tally.seconds.max(1.0);
        let units =
            prices::capacity_units(a_second / REQUESTS_PER_CONNECTION, tally.inside, a_second * 3_600.0 * REQUEST_GIGABYTES);
        self.capacity_units += units * hours;
    }
}

/// Instances of a stack that are in no group: those that it has when it has settled.
pub(crate) fn alone(region: &Rehearsal) -> Vec<InstanceId> {
    let state = region.state();
    let all = state.rows::<Instance>().filter(|i| !i.is_ending() && i.requester.is_none());
    all.filter(|i| state.get::<Member>(&i.id).is_none()).map(|i| i.id.clone()).collect()
}

/// How many instances of each type there are that cost now.
pub(crate) fn instances_by_type<'a>(region: &'a Rehearsal, alone: &[InstanceId]) -> BTreeMap<&'a str, usize> {
    let state = region.state();
    let mut all: BTreeMap<&str, usize> = members_by_type(state).collect();
    for stopped in state.rows_where::<Instance>("state", InstanceState::Stopped.as_str()) {
        let of_group = state.get::<Member>(&stopped.id).and_then(|member| all.get_mut(member.instance_type.as_str()));
        if let Some(count) = of_group {
            *count -= 1;
        }
    }
    let is_over = |i: &Instance| matches!(i.state(), InstanceState::Stopped | InstanceState::Terminated);
    for instance in alone.iter().filter_map(|id| state.get::<Instance>(id)).filter(|i| !is_over(i)) {
        *all.entry(&instance.instance_type).or_default() += 1;
    }
    all
}

pub(crate) fn balancers(region: &Rehearsal) -> usize {
    region.state().count::<elb::LoadBalancer>()
}

/// Hours, and US dollars where the prices are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bill {
    pub instance_hours: f64,
    pub by_type: Vec<(String, f64, Option<f64>)>,
    pub balancer_hours: f64,
    pub capacity_unit_hours: f64,
    pub instances_usd: Option<f64>,
    pub balancers_usd: Option<f64>,
    /// A fleet of the run's largest and of its mean size, rounded up, all the time: size and price of the instances.
    pub peak_fleet: (usize, Option<f64>),
    pub mean_fleet: (usize, Option<f64>),
}

pub(crate) fn bill(scenario: &Scenario, hours: &Hours, totals: &Totals) -> Bill {
    let price = |instance_type: &str| scenario.hourly_price.or_else(|| prices::instance_hour(&scenario.region, instance_type));
    let by_type: Vec<_> = hours.by_type.iter().map(|(t, h)| (t.clone(), *h, price(t).map(|p| p * h))).collect();
    let most_used = by_type.iter().max_by(|a, b| a.1.total_cmp(&b.1)).and_then(|(t, ..)| price(t));
    let all_hours = scenario.length.as_secs_f64() / 3_600.0;
    let fleet = |size: usize| (size, most_used.map(|p| p * size as f64 * all_hours));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of instances")]
    let mean = totals.instances_mean.ceil() as usize;
    Bill {
        instance_hours: by_type.iter().map(|(_, hours, _)| hours).sum(),
        instances_usd: by_type.iter().map(|(.., usd)| *usd).sum(),
        by_type,
        balancer_hours: hours.balancer,
        capacity_unit_hours: hours.capacity_units,
        balancers_usd: prices::balancer_hour(&scenario.region).map(|(b, u)| b * hours.balancer + u * hours.capacity_units),
        peak_fleet: fleet(totals.instances_most),
        mean_fleet: fleet(mean),
    }
}
