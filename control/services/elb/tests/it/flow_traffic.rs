//! From the edge's reports to the metrics of `AWS/NetworkELB`.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use base::Time;
use metrics::Metric;
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{BalancerTraffic, FlowCounts, FlowTraffic, Observation, Pace};

use crate::region::{Region, forward};

const MINUTE: Duration = Duration::from_secs(60);

fn traffic(balancer: &str, zone: &str, flows: FlowTraffic) -> BalancerTraffic {
    BalancerTraffic {
        id: balancer.into(),
        zone: zone.into(),
        requests: 0,
        active_connections: 0,
        new_connections: 0,
        rejected_connections: 0,
        processed_bytes: 0,
        fixed_responses: 0,
        client_tls_errors: 0,
        own_answers: Vec::new(),
        groups: Vec::new(),
        flows: Some(flows),
        paces: Vec::new(),
        more: Default::default(),
    }
}

/// The last sum of a metric with these dimensions.
fn sum(region: &Region, name: &str, dimensions: &[(&str, &str)]) -> Option<f64> {
    let metric = Metric::new("AWS/NetworkELB", name, dimensions);
    let points = cloudwatch::store(region.state()).points(&metric, Time::ZERO, region.now, 60);
    points.last().map(|(_, sample)| sample.sum)
}

#[test]
fn flows_are_told_by_load_balancer_zone_and_protocol() {
    let mut region = Region::new();
    let (flow, group) = (region.balancer_arn("flow", "network"), region.group("tcp", "TCP"));
    region.listener(&flow, "TCP", 80, forward(&group));
    let base = ec2::default_subnet(region.state(), Some("eu-central-1a")).unwrap().cidr.to_string();
    let base: std::net::Ipv4Addr = base.split('/').next().unwrap().parse().unwrap();
    let target = s::TargetDescription { id: std::net::Ipv4Addr::from(u32::from(base) + 9).to_string(), ..Default::default() };
    region
        .call::<ops::RegisterTargets>(s::RegisterTargetsInput { target_group_arn: group.clone(), targets: vec![target] })
        .unwrap();
    let busy = FlowTraffic {
        tcp: FlowCounts { active: 5, new: 48_000, processed_bytes: 700 },
        udp: FlowCounts { active: 1, new: 2, processed_bytes: 30 },
        packets: 1_234,
        target_resets: 3,
        ..FlowTraffic::default()
    };
    let from = region.now;
    region.pass(MINUTE);
    let pace = |bytes, packets| Pace { ms: 10_000, bytes, packets };
    let (mut one, mut other) = (traffic(&flow, "eu-central-1a", busy), traffic(&flow, "eu-central-1b", FlowTraffic::default()));
    one.paces = vec![pace(0, 900), pace(500, 300), pace(200, 34)];
    other.paces = vec![pace(0, 20), pace(400, 10)];
    let balancers = vec![one, other];
    let until = region.now;
    region.observe(&Observation::Traffic { from, until, balancers });
    let name = flow.split_once("loadbalancer/").unwrap().1.to_string();
    let id = group.rsplit(':').next().unwrap().to_string();
    let (whole, zone): (&[_], &[_]) =
        (&[("LoadBalancer", name.as_str())], &[("AvailabilityZone", "eu-central-1a"), ("LoadBalancer", name.as_str())]);
    for (metric, expected) in [
        ("ActiveFlowCount", Some(6.0)),
        ("ActiveFlowCount_TCP", Some(5.0)),
        ("ActiveFlowCount_TLS", None),
        ("NewFlowCount", Some(48_002.0)),
        ("NewFlowCount_UDP", Some(2.0)),
        ("ProcessedBytes", Some(730.0)),
        ("TCP_Target_Reset_Count", Some(3.0)),
        ("TCP_Client_Reset_Count", Some(0.0)),
        ("UnhealthyRoutingFlowCount", None),
    ] {
        assert_eq!((sum(&region, metric, whole), sum(&region, metric, zone)), (expected, expected), "{metric}");
    }
    for (metric, all, own) in
        [("ProcessedPackets", 1_234.0, 1_234.0), ("PeakBytesPerSecond", 60.0, 50.0), ("PeakPacketsPerSecond", 90.0, 90.0)]
    {
        assert_eq!((sum(&region, metric, whole), sum(&region, metric, zone)), (Some(all), Some(own)), "{metric}");
    }
    assert_eq!(sum(&region, "ConsumedLCUs_TCP", whole), Some(1.0), "800 new ones a second are a unit");
    let quiet: &[_] = &[("AvailabilityZone", "eu-central-1b"), ("LoadBalancer", name.as_str())];
    assert_eq!(sum(&region, "ActiveFlowCount", quiet), None, "where nothing flows nothing is told");
    let hosts = [("LoadBalancer", name.as_str()), ("TargetGroup", id.as_str())];
    assert_eq!((sum(&region, "HealthyHostCount", &hosts), sum(&region, "UnHealthyHostCount", &hosts)), (Some(0.0), Some(0.0)));
}
