//! From the edge's reports to the metrics of `AWS/NetworkELB`.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use base::Time;
use metrics::Metric;
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{BalancerTraffic, FlowCounts, FlowTraffic, Observation, Pace, TargetHealth};

use crate::region::{Region, ZONES, forward};

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

/// Puts an address of a zone into a group.
fn register(region: &mut Region, group: &str, zone: usize, host: u32) {
    let base = ec2::default_subnet(region.state(), Some(ZONES[zone])).unwrap().cidr.to_string();
    let base: std::net::Ipv4Addr = base.split('/').next().unwrap().parse().unwrap();
    let target = s::TargetDescription { id: std::net::Ipv4Addr::from(u32::from(base) + host).to_string(), ..Default::default() };
    let input = s::RegisterTargetsInput { target_group_arn: group.into(), targets: vec![target] };
    region.call::<ops::RegisterTargets>(input).unwrap();
}

/// A minute without traffic passes.
fn quiet_minute(region: &mut Region, balancer: &str) {
    let from = region.now;
    region.pass(MINUTE);
    let until = region.now;
    let balancers = ZONES.map(|zone| traffic(balancer, zone, FlowTraffic::default())).to_vec();
    region.observe(&Observation::Traffic { from, until, balancers });
}

#[test]
fn flows_are_told_by_load_balancer_zone_and_protocol() {
    let mut region = Region::new();
    let (flow, group) = (region.balancer_arn("flow", "network"), region.group("tcp", "TCP"));
    region.listener(&flow, "TCP", 80, forward(&group));
    register(&mut region, &group, 0, 9);
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
    assert_eq!(sum(&region, "AnomalousHostCount", &hosts), None, "application load balancers have it");
}

#[test]
fn zones_are_healthy_while_their_node_has_enough_healthy_targets() {
    let mut region = Region::new();
    let (flow, group) = (region.balancer_arn("flow", "network"), region.group("tcp", "TCP"));
    region.listener(&flow, "TCP", 80, forward(&group));
    let name = flow.split_once("loadbalancer/").unwrap().1.to_string();
    let status = |region: &Region| {
        let whole = ("LoadBalancer", name.as_str());
        let zone = |zone| sum(region, "ZonalHealthStatus", &[("AvailabilityZone", zone), whole]);
        (sum(region, "ZonalHealthStatus", &[whole]), zone(ZONES[0]), zone(ZONES[1]))
    };
    quiet_minute(&mut region, &flow);
    assert_eq!(status(&region), (None, None, None), "nobody is checked");
    register(&mut region, &group, 0, 9);
    quiet_minute(&mut region, &flow);
    assert_eq!(status(&region), (Some(0.0), Some(0.0), Some(0.0)), "nobody is healthy yet");
    let row = region.state().rows::<elb::Registration>().next().unwrap().clone();
    let (load_balancer, health) = (flow.as_str().into(), TargetHealth::Healthy);
    let (group_of, target, generation) = (row.group, row.target, row.generation);
    region.observe(&Observation::Target { load_balancer, group: group_of, target, generation, health });
    quiet_minute(&mut region, &flow);
    assert_eq!(status(&region), (Some(1.0), Some(1.0), Some(0.0)), "nodes keep to their zones");
    // Half of none is none: a zone without targets is left out nevertheless.
    let percent = |value: &str| s::ModifyTargetGroupAttributesInput {
        target_group_arn: group.clone(),
        attributes: [("count", "off"), ("percentage", value)]
            .map(|(which, value)| s::TargetGroupAttribute {
                key: Some(format!("target_group_health.dns_failover.minimum_healthy_targets.{which}")),
                value: Some(value.into()),
            })
            .to_vec(),
    };
    region.call::<ops::ModifyTargetGroupAttributes>(percent("50")).unwrap();
    quiet_minute(&mut region, &flow);
    assert_eq!(status(&region), (Some(1.0), Some(1.0), Some(0.0)));
    let attribute = |value: &str| s::ModifyTargetGroupAttributesInput {
        target_group_arn: group.clone(),
        attributes: vec![s::TargetGroupAttribute {
            key: Some("load_balancing.cross_zone.enabled".into()),
            value: Some(value.into()),
        }],
    };
    region.call::<ops::ModifyTargetGroupAttributes>(attribute("true")).unwrap();
    quiet_minute(&mut region, &flow);
    assert_eq!(status(&region), (Some(2.0), Some(1.0), Some(1.0)), "nodes send to targets of other zones");
}

#[test]
fn reserved_capacity_is_told_by_the_hour_once_it_is_provisioned() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    let name = flow.split_once("loadbalancer/").unwrap().1.to_string();
    let reserved = |region: &Region| sum(region, "ReservedLCUs", &[("LoadBalancer", &name)]);
    region.world_answers(&flow, None);
    quiet_minute(&mut region, &flow);
    assert_eq!(reserved(&region), None, "nothing is reserved");
    let capacity = s::ModifyCapacityReservationInput {
        load_balancer_arn: flow.clone(),
        minimum_load_balancer_capacity: Some(s::MinimumLoadBalancerCapacity { capacity_units: Some(6_000) }),
        reset_capacity_reservation: None,
    };
    region.call::<ops::ModifyCapacityReservation>(capacity).unwrap();
    quiet_minute(&mut region, &flow);
    assert_eq!(reserved(&region), Some(100.0));
}
