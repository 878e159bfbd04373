//! The metrics of `AWS/EC2` by Auto Scaling group: one sample of all members' values for each report. Instances that are not
//! in service, or still warm up, are left out ("Set the default instance warmup for an Auto Scaling group").
//!
//! As with single instances, values of members with basic monitoring come once in five minutes ("Manage detailed monitoring
//! for your EC2 instances").

use std::collections::HashMap;

use base::{Fault, GroupName, InstanceId, Time};
use kernel::{Cx, Registry, State, Tx};
use metrics::{Metric, Resolution, Sample};
use world::{Histogram, InstanceUsage, Observation};

use crate::group::Group;
use crate::member::Member;
use crate::policy::{is_warm, metric_warmup_s};

const FIVE_MINUTES_MS: i64 = 300_000;
/// Name and unit, in the order of a member's values.
const METRICS: [(&str, &str); 5] = [
    ("CPUUtilization", "Percent"),
    ("NetworkIn", "Bytes"),
    ("NetworkOut", "Bytes"),
    ("NetworkPacketsIn", "Count"),
    ("NetworkPacketsOut", "Count"),
];
/// Most values kept of a group in five minutes: what comes later in them is left out.
const KEPT_MAX: usize = 100_000;

type Values = [Vec<f64>; METRICS.len()];

/// Values of members with basic monitoring in the five minutes under way. They are lost with the process.
#[derive(Default)]
struct Basic {
    begin: Option<Time>,
    /// In order of their first report.
    groups: Vec<(GroupName, Values)>,
    places: HashMap<GroupName, usize>,
}

impl kernel::Store for Basic {
    fn keep(&mut self) {}
}

impl Basic {
    fn place(&mut self, group: &GroupName) -> usize {
        *self.places.entry(group.clone()).or_insert_with(|| {
            self.groups.push((group.clone(), Values::default()));
            self.groups.len() - 1
        })
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.store::<Basic>();
    registry.observer(observe);
}

fn observe(tx: &mut Tx, cx: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::Usage { from, until, instances } = observation else { return Ok(()) };
    if until <= from {
        return Ok(());
    }
    let mut basic = std::mem::take(tx.store_mut::<Basic>());
    let begin = Time::from_unix_ms(from.unix_ms().div_euclid(FIVE_MINUTES_MS) * FIVE_MINUTES_MS);
    if let Some(old) = basic.begin.filter(|old| *old != begin) {
        publish(tx, std::mem::take(&mut basic).groups, Resolution::Standard, old);
    }
    basic.begin = Some(begin);
    let detailed = take_in(tx, cx, *from, instances, &mut basic);
    let resolution = if cx.settings.metric_period_s < 60 { Resolution::High } else { Resolution::Standard };
    publish(tx, detailed, resolution, *from);
    if until.unix_ms() % FIVE_MINUTES_MS == 0 {
        publish(tx, std::mem::take(&mut basic).groups, Resolution::Standard, begin);
    }
    *tx.store_mut::<Basic>() = basic;
    Ok(())
}

/// Goes through members, instances and the report side by side, all in order of id. Returns the values of members with detailed
/// monitoring by group, and adds the others' to `basic`.
fn take_in(state: &State, cx: &Cx, from: Time, report: &[InstanceUsage], basic: &mut Basic) -> Vec<(GroupName, Values)> {
    let mut sorted: Vec<&InstanceUsage> = report.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let mut report = sorted.into_iter().peekable();
    let mut instances = state.rows::<ec2::Instance>().peekable();
    let mut detailed = Basic::default();
    let mut groups = Groups::default();
    let mut cpu = ec2::CpuPercent::default();
    for member in state.rows::<Member>() {
        let Some(usage) = meet(&mut report, |usage| &usage.id, &member.instance) else { continue };
        let Some(instance) = meet(&mut instances, |instance| &instance.id, &member.instance) else { continue };
        let group = groups.of(state, &member.group);
        if !is_warm(member, group.warmup_s, from) {
            continue;
        }
        let Some(percent) = cpu.of(instance, &cx.settings, usage) else { continue };
        let (values, place) = match instance.monitoring {
            true => (&mut detailed, &mut group.detailed),
            false => (&mut *basic, &mut group.basic),
        };
        let place = *place.get_or_insert_with(|| values.place(&member.group));
        add(&mut values.groups[place].1, percent, usage);
    }
    detailed.groups
}

/// The item with this id, out of items in order of id; those before it are passed over. Equal ids are most often the same text
/// in memory, so they are compared for that first.
fn meet<'a, T>(
    items: &mut std::iter::Peekable<impl Iterator<Item = &'a T>>,
    id_of: fn(&T) -> &InstanceId,
    id: &InstanceId,
) -> Option<&'a T> {
    loop {
        let item = *items.peek()?;
        if id_of(item) == id {
            return items.next();
        }
        if id_of(item) > id {
            return None;
        }
        items.next();
    }
}

/// What is the same for all members of a group: its warm-up, and the places of its values.
#[derive(Clone, Copy, Default)]
struct OfGroup {
    warmup_s: u32,
    detailed: Option<usize>,
    basic: Option<usize>,
}

/// Found by where a group's name lies in memory, which most members share, and by the name itself for the others.
#[derive(Default)]
struct Groups<'a> {
    all: Vec<OfGroup>,
    by_place: HashMap<*const u8, usize>,
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Groups<'a> {
    fn of(&mut self, state: &State, name: &'a GroupName) -> &mut OfGroup {
        let index = match self.by_place.get(&name.as_ptr()) {
            Some(index) => *index,
            None => {
                let index = *self.by_name.entry(name).or_insert_with(|| {
                    let warmup_s = state.get::<Group>(name).map_or(0, |g| metric_warmup_s(state, g));
                    self.all.push(OfGroup { warmup_s, ..Default::default() });
                    self.all.len() - 1
                });
                self.by_place.insert(name.as_ptr(), index);
                index
            }
        };
        &mut self.all[index]
    }
}

fn add(values: &mut Values, percent: f64, usage: &InstanceUsage) {
    if values[0].len() >= KEPT_MAX {
        return;
    }
    let counts = [usage.network_in_bytes, usage.network_out_bytes, usage.network_in_packets, usage.network_out_packets];
    values[0].push(percent);
    for (values, count) in values[1..].iter_mut().zip(counts) {
        values.push(count as f64);
    }
}

fn publish(tx: &mut Tx, groups: Vec<(GroupName, Values)>, resolution: Resolution, at: Time) {
    for (group, all) in groups {
        for ((name, unit), values) in METRICS.into_iter().zip(all) {
            let metric = Metric::new("AWS/EC2", name, &[("AutoScalingGroupName", &group)]);
            cloudwatch::publish(tx, &metric, unit, resolution, at, &sample(&values));
        }
    }
}

/// One sample of many values; as [`Sample::values`], in one pass over sorted buckets.
fn sample(values: &[f64]) -> Sample {
    let mut sample = Sample { count: values.len() as f64, min: f64::INFINITY, max: f64::NEG_INFINITY, ..Default::default() };
    let mut buckets = Vec::with_capacity(values.len());
    // Alike instances have the same value, one after the other.
    let (mut last, mut bucket) = (0.0, Histogram::bucket_of(0.0));
    for value in values {
        sample.sum += value;
        sample.min = sample.min.min(*value);
        sample.max = sample.max.max(*value);
        if *value != last {
            (last, bucket) = (*value, Histogram::bucket_of(*value));
        }
        buckets.push(bucket);
    }
    buckets.sort_unstable();
    for run in buckets.chunk_by(|a, b| a == b) {
        sample.buckets.push((run[0], run.len() as f64));
    }
    sample
}
