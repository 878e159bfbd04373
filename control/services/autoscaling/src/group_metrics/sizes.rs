//! The metrics of `AWS/AutoScaling`: sizes of groups, each period while they are enabled ("Amazon CloudWatch metrics for
//! Amazon EC2 Auto Scaling").

use std::collections::BTreeSet;
use std::time::Duration;

use base::{Fault, GroupName, Time};
use kernel::{Cx, Registry, Row, State, Tx};
use metrics::{Metric, Resolution, Sample};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::group::Group;
use crate::member::{Class, Member};
use crate::transitions::find_group;
use crate::warm_pool::WarmPool;

const RECONCILER: &str = "autoscaling.group-metrics";
/// The only granularity there is ("EnableMetricsCollection").
pub(crate) const GRANULARITY: &str = "1Minute";
const NAMESPACE: &str = "AWS/AutoScaling";

/// In the order of AWS's page. Instances of a group weigh one each, so that capacities are numbers of instances.
pub(crate) const NAMES: [&str; 20] = [
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
    "GroupInServiceCapacity",
    "GroupPendingCapacity",
    "GroupStandbyCapacity",
    "GroupTerminatingCapacity",
    "GroupTotalCapacity",
    "WarmPoolDesiredCapacity",
    "WarmPoolWarmedCapacity",
    "WarmPoolPendingCapacity",
    "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity",
    "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
];

/// Which metrics of a group are collected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Collection {
    pub(crate) group: GroupName,
    pub(crate) enabled: BTreeSet<String>,
}

impl Row for Collection {
    const TABLE: &'static str = "autoscaling.metrics-collection";
    type Key = GroupName;

    fn key(&self) -> GroupName {
        self.group.clone()
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.table::<Collection>();
    registry.reconciler(RECONCILER, reconcile);
    registry.watch::<Collection>(RECONCILER, |_, collection, due| due.push(collection.group.to_string()));
}

fn check(names: &[String]) -> Result<(), Error> {
    match names.iter().find(|n| !NAMES.contains(&n.as_str())) {
        Some(unknown) => Err(Error::Invalid(format!("Invalid metric: {unknown}. Valid metrics are: {}", NAMES.join(", ")))),
        None => Ok(()),
    }
}

/// Begins to collect; none named means all.
pub(crate) fn enable(tx: &mut Tx, group: &str, names: &[String], granularity: &str) -> Result<(), Error> {
    let group = find_group(tx, group)?.name.clone();
    check(names)?;
    if granularity != GRANULARITY {
        return Err(Error::Invalid(format!("Invalid granularity '{granularity}'. The only valid granularity is {GRANULARITY}.")));
    }
    let mut enabled = tx.get::<Collection>(&group).map(|c| c.enabled.clone()).unwrap_or_default();
    match names {
        [] => enabled.extend(NAMES.map(str::to_string)),
        _ => enabled.extend(names.iter().cloned()),
    }
    tx.put(Collection { group, enabled });
    Ok(())
}

/// Stops to collect; none named means all.
pub(crate) fn disable(tx: &mut Tx, group: &str, names: &[String]) -> Result<(), Error> {
    let group = find_group(tx, group)?.name.clone();
    check(names)?;
    let Some(mut collection) = tx.get::<Collection>(&group).cloned() else { return Ok(()) };
    collection.enabled.retain(|n| !names.is_empty() && !names.contains(n));
    if collection.enabled.is_empty() {
        tx.remove::<Collection>(&group);
    } else {
        tx.put(collection);
    }
    Ok(())
}

/// Tells the sizes once a period.
fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let name = GroupName::from(key);
    let (Some(collection), Some(group)) = (tx.get::<Collection>(&name), tx.get::<Group>(&name)) else { return Ok(None) };
    let period_s = cx.settings.metric_period_s.max(1);
    let length_ms = i64::from(period_s) * 1_000;
    let begin = Time::from_unix_ms(cx.now.unix_ms().div_euclid(length_ms) * length_ms);
    let next = begin + Duration::from_secs(u64::from(period_s));
    let resolution = if period_s < 60 { Resolution::High } else { Resolution::Standard };
    let all = values(tx, group);
    let enabled: Vec<_> = NAMES.into_iter().zip(all).filter(|(n, _)| collection.enabled.contains(*n)).collect();
    for (metric_name, value) in enabled {
        let metric = Metric::new(NAMESPACE, metric_name, &[("AutoScalingGroupName", key)]);
        // What woke this may be a change within the period: each period is told once.
        if cloudwatch::store(tx).points(&metric, begin, next, period_s).is_empty() {
            cloudwatch::publish(tx, &metric, "None", resolution, begin, &Sample::value(value));
        }
    }
    Ok(Some(next))
}

fn count(state: &State, group: &GroupName, classes: &[Class]) -> usize {
    classes.iter().map(|c| state.count_where::<Member>("class", &c.of(group, ""))).sum()
}

/// How many members of a group are in service.
pub fn in_service(state: &State, group: &GroupName) -> usize {
    count(state, group, &[Class::InService, Class::Unwell])
}

/// How many members there are of each instance type, in no order.
pub fn members_by_type(state: &State) -> impl Iterator<Item = (&str, usize)> {
    state.counts::<Member>("type")
}

/// In the order of [`NAMES`].
fn values(state: &State, group: &Group) -> [f64; NAMES.len()] {
    let count = |classes: &[Class]| count(state, &group.name, classes) as f64;
    let in_service = in_service(state, &group.name) as f64;
    let pending = count(&[Class::Pending, Class::Extra]);
    let standby = count(&[Class::Standby]);
    let terminating = count(&[Class::Leaving]);
    let total = in_service + pending + standby + terminating;
    let warmed = count(&[Class::Warm]);
    let warming = count(&[Class::Warming]);
    let cooling = count(&[Class::WarmLeaving]);
    let pool = state.get::<WarmPool>(&group.name).map_or(0.0, |p| p.wanted(group) as f64);
    let desired = f64::from(group.desired_capacity);
    let pooled = warmed + warming + cooling;
    [
        f64::from(group.min_size),
        f64::from(group.max_size),
        desired,
        in_service,
        pending,
        standby,
        terminating,
        total,
        in_service,
        pending,
        standby,
        terminating,
        total,
        pool,
        warmed,
        warming,
        cooling,
        pooled,
        desired + pool,
        total + pooled,
    ]
}
