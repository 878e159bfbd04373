//! Metrics of groups: their sizes, and what their instances use together.

use std::time::Duration;

use base::Time;
use metrics::{Metric, Sample};
use shapes::autoscaling as s;
use shapes::autoscaling::ops;
use world::{InstanceUsage, Observation};

use crate::policies::{watched_group, work};
use crate::region::{Region, refusal};

fn points(region: &Region, namespace: &str, name: &str) -> Vec<Sample> {
    let metric = Metric::new(namespace, name, &[("AutoScalingGroupName", "g")]);
    let until = region.now + Duration::from_secs(60);
    cloudwatch::store(region.state()).points(&metric, Time::ZERO, until, 60).into_iter().map(|(_, sample)| sample).collect()
}

#[test]
fn sizes_are_told_once_a_minute_while_they_are_enabled() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let enable = |metrics: &[&str], granularity: &str| s::EnableMetricsCollectionQuery {
        auto_scaling_group_name: "g".into(),
        metrics: metrics.iter().map(|m| m.to_string()).collect(),
        granularity: granularity.into(),
    };
    let (_, text) = refusal(region.call::<ops::EnableMetricsCollection>(enable(&[], "5Minutes")));
    assert!(text.starts_with("Invalid granularity '5Minutes'."), "{text}");
    let (_, text) = refusal(region.call::<ops::EnableMetricsCollection>(enable(&["GroupMood"], "1Minute")));
    assert!(text.starts_with("Invalid metric: GroupMood."), "{text}");
    region.call::<ops::EnableMetricsCollection>(enable(&[], "1Minute")).unwrap();
    region.pass(120);
    let values = |region: &Region, name: &str| {
        points(region, "AWS/AutoScaling", name).iter().map(|s| (s.count, s.sum)).collect::<Vec<_>>()
    };
    assert_eq!(values(&region, "GroupDesiredCapacity"), [(1.0, 2.0); 3]);
    assert_eq!(values(&region, "GroupInServiceInstances"), [(1.0, 2.0); 3]);
    assert_eq!(values(&region, "GroupMaxSize"), [(1.0, 10.0); 3]);
    let shown = region.call::<ops::DescribeAutoScalingGroups>(Default::default()).unwrap().auto_scaling_groups.pop().unwrap();
    assert_eq!((shown.enabled_metrics.len(), shown.enabled_metrics[0].granularity.as_deref()), (20, Some("1Minute")));
    let disable = |metrics: &[&str]| s::DisableMetricsCollectionQuery {
        auto_scaling_group_name: "g".into(),
        metrics: metrics.iter().map(|m| m.to_string()).collect(),
    };
    region.call::<ops::DisableMetricsCollection>(disable(&["GroupMaxSize"])).unwrap();
    region.pass(60);
    assert_eq!((values(&region, "GroupMaxSize").len(), values(&region, "GroupMinSize").len()), (3, 4));
    region.call::<ops::DisableMetricsCollection>(disable(&[])).unwrap();
    region.pass(60);
    assert_eq!(values(&region, "GroupMinSize").len(), 4);
}

#[test]
fn members_are_told_of_together_and_with_basic_monitoring_every_five_minutes() {
    let mut region = watched_group(2, 0);
    work(&mut region, 3, 100.0);
    let cpu = points(&region, "AWS/EC2", "CPUUtilization");
    assert_eq!(cpu.iter().map(|s| (s.count, s.sum)).collect::<Vec<_>>(), [(2.0, 100.0); 3]);
    assert_eq!(points(&region, "AWS/EC2", "NetworkIn")[0].sum, 2_000.0);
    let mut basic = Region::new();
    basic.group(2, |_| {});
    work(&mut basic, 4, 100.0);
    assert_eq!(points(&basic, "AWS/EC2", "CPUUtilization").len(), 0);
    work(&mut basic, 1, 100.0);
    let cpu = points(&basic, "AWS/EC2", "CPUUtilization");
    assert_eq!(cpu.iter().map(|s| (s.count, s.sum / s.count, s.max)).collect::<Vec<_>>(), [(10.0, 50.0, 50.0)]);
}

#[test]
fn instances_of_nobody_do_not_count_for_a_group() {
    let mut region = watched_group(10, 0);
    let from = region.now;
    let of = |id| InstanceUsage {
        id,
        cpu_us: 1_000_000,
        running_ms: 60_000,
        network_in_bytes: 1,
        network_out_bytes: 1,
        network_in_packets: 1,
        network_out_packets: 1,
    };
    let strangers = (0..10_000).map(|n| base::InstanceId::from(format!("i-{n:017x}")));
    let known = region.in_service().into_iter();
    let instances = strangers.chain(known).map(of).collect();
    region.now = from + Duration::from_secs(60);
    let report = Observation::Usage { from, until: region.now, instances };
    region.observe(&report);
    assert_eq!(points(&region, "AWS/EC2", "CPUUtilization")[0].count, 10.0);
}
