//! The metrics of `AWS/EC2` by Auto Scaling group: one sample of all members' values for each report. Instances that are not
//! in service, or still warm up, are left out ("Set the default instance warmup for an Auto Scaling group").
//!
//! As with single instances, values of members with basic monitoring come once in five minutes ("Manage detailed monitoring
//! for your EC2 instances"). Those of the five minutes under way are lost with the process.

use base::{Fault, GroupName, Time};
use kernel::{Cx, Registry, Tx};
use metrics::{Metric, Resolution, Sample};
use world::Observation;

use super::roster::{OfGroup, Roster};
use super::spread::Spread;

const FIVE_MINUTES_MS: i64 = 300_000;
/// Name and unit, in the order of a member's values.
const METRICS: [(&str, &str); 5] = [
    ("CPUUtilization", "Percent"),
    ("NetworkIn", "Bytes"),
    ("NetworkOut", "Bytes"),
    ("NetworkPacketsIn", "Count"),
    ("NetworkPacketsOut", "Count"),
];

pub(super) fn register(registry: &mut Registry) {
    registry.observer(observe);
}

fn observe(tx: &mut Tx, cx: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::Usage { from, until, instances } = observation else { return Ok(()) };
    if until <= from {
        return Ok(());
    }
    let mut roster = std::mem::take(tx.store_mut::<Roster>());
    let begin = Time::from_unix_ms(from.unix_ms().div_euclid(FIVE_MINUTES_MS) * FIVE_MINUTES_MS);
    // A report that comes after a gap may begin new five minutes without having ended the old ones.
    if let Some(old) = roster.begin.filter(|old| *old != begin) {
        publish(tx, &mut roster, |group| &mut group.basic, Resolution::Standard, old);
    }
    roster.begin = Some(begin);
    roster.follow(tx, &cx.settings);
    roster.take_in(*from, instances);
    let resolution = if cx.settings.metric_period_s < 60 { Resolution::High } else { Resolution::Standard };
    publish(tx, &mut roster, |group| &mut group.detailed, resolution, *from);
    if until.unix_ms() % FIVE_MINUTES_MS == 0 {
        publish(tx, &mut roster, |group| &mut group.basic, Resolution::Standard, begin);
        roster.begin = None;
    }
    *tx.store_mut::<Roster>() = roster;
    Ok(())
}

/// Tells the values of all groups that have some, and leaves none.
fn publish(tx: &mut Tx, roster: &mut Roster, of: fn(&mut OfGroup) -> &mut Spread, resolution: Resolution, at: Time) {
    for group in roster.groups_mut() {
        let name = group.name.clone();
        let values = of(group);
        if !values.is_empty() {
            publish_one(tx, &name, &values.take(), resolution, at);
        }
    }
}

fn publish_one(tx: &mut Tx, group: &GroupName, samples: &[Sample], resolution: Resolution, at: Time) {
    for ((name, unit), sample) in METRICS.into_iter().zip(samples) {
        let metric = Metric::new("AWS/EC2", name, &[("AutoScalingGroupName", group)]);
        cloudwatch::publish(tx, &metric, unit, resolution, at, sample);
    }
}
