//! From the edge's reports to the metrics of `AWS/ApplicationELB`.

use std::collections::BTreeSet;
use std::time::Duration;

use base::Time;
use kernel::{Registry, Trial, Wanted};
use metrics::{Metric, Sample, Statistic};
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{BalancerTraffic, GroupTraffic, Histogram, Observation, RequestCounts, TargetHealth, TargetKey, TargetReason};

use crate::region::{forward, path};

fn services(registry: &mut Registry) {
    cloudwatch::register(registry);
    ec2::register(registry);
    elb::register(registry);
}

const MINUTE: Duration = Duration::from_secs(60);
const ZONES: [&str; 2] = ["eu-central-1a", "eu-central-1b"];

struct Region {
    trial: Trial,
    balancer: String,
    group: String,
}

impl Region {
    /// A load balancer in two zones whose group has two targets in the first zone and one in the second.
    fn new() -> Self {
        let mut trial = Trial::new(services);
        trial.run(|tx, cx| Ok(ec2::ensure_default_network(tx, cx)?)).unwrap();
        let subnets: Vec<_> = ZONES.iter().map(|zone| ec2::default_subnet(trial.state(), Some(zone)).unwrap().clone()).collect();
        let create = s::CreateLoadBalancerInput {
            name: "web".into(),
            subnets: subnets.iter().map(|subnet| subnet.id.to_string()).collect(),
            ..Default::default()
        };
        let made = trial.call::<ops::CreateLoadBalancer>(create).unwrap();
        let balancer = made.load_balancers[0].load_balancer_arn.clone().unwrap();
        let create = s::CreateTargetGroupInput {
            name: "web".into(),
            protocol: Some("HTTP".into()),
            port: Some(80),
            vpc_id: Some(subnets[0].vpc.to_string()),
            target_type: Some("ip".into()),
            ..Default::default()
        };
        let made = trial.call::<ops::CreateTargetGroup>(create).unwrap();
        let group = made.target_groups[0].target_group_arn.clone().unwrap();
        let forward = s::Action { r#type: "forward".into(), target_group_arn: Some(group.clone()), ..Default::default() };
        let listener = s::CreateListenerInput {
            load_balancer_arn: balancer.clone(),
            protocol: Some("HTTP".into()),
            port: Some(80),
            default_actions: vec![forward],
            ..Default::default()
        };
        trial.call::<ops::CreateListener>(listener).unwrap();
        let mut region = Self { trial, balancer, group };
        for (subnet, host) in [(0, 10), (0, 11), (1, 10)] {
            let base = subnets[subnet].cidr.to_string();
            let address: std::net::Ipv4Addr = base.split('/').next().unwrap().parse().unwrap();
            region.register(&std::net::Ipv4Addr::from(u32::from(address) + host).to_string());
        }
        region
    }

    fn register(&mut self, address: &str) {
        let target = s::TargetDescription { id: address.into(), ..Default::default() };
        let input = s::RegisterTargetsInput { target_group_arn: self.group.clone(), targets: vec![target] };
        self.trial.call::<ops::RegisterTargets>(input).unwrap();
    }

    fn health(&mut self, target: usize, health: TargetHealth) {
        let rows: Vec<_> = self.trial.state().rows::<elb::Registration>().cloned().collect();
        let elb::Registration { group, target, generation, .. } = rows[target].clone();
        let load_balancer = self.balancer.as_str().into();
        self.trial.observe(&Observation::Target { load_balancer, group, target: TargetKey { ..target }, generation, health });
    }

    fn anomaly(&mut self, target: usize, anomalous: bool) {
        let rows: Vec<_> = self.trial.state().rows::<elb::Registration>().cloned().collect();
        let elb::Registration { group, target, generation, .. } = rows[target].clone();
        let load_balancer = self.balancer.as_str().into();
        let told = Observation::TargetAnomaly { load_balancer, group, target, generation, anomalous, mitigated: anomalous };
        self.trial.observe(&told);
    }

    /// A minute passes, of which the edge tells this.
    fn minute(&mut self, balancers: Vec<BalancerTraffic>) {
        let from = self.trial.now;
        self.trial.pass(MINUTE);
        let until = self.trial.now;
        self.trial.observe(&Observation::Traffic { from, until, balancers });
    }

    fn traffic(&self, zone: &str, requests: u64) -> BalancerTraffic {
        let mut response_time_us = Histogram::default();
        response_time_us.add(20_000.0, requests);
        BalancerTraffic {
            id: self.balancer.as_str().into(),
            zone: zone.into(),
            requests,
            active_connections: 2,
            new_connections: 1,
            rejected_connections: 0,
            processed_bytes: 100 * requests,
            fixed_responses: 0,
            client_tls_errors: 4,
            own_answers: vec![(400, 2), (502, 1), (503, 3)],
            groups: vec![GroupTraffic {
                id: self.group.as_str().into(),
                requests,
                unhealthy_routed: 0,
                grpc_requests: 0,
                ipv6_requests: 0,
                answers: [requests, 0, 0, 0],
                connection_errors: 0,
                tls_errors: u64::from(requests > 0),
                response_time_us,
            }],
            more: RequestCounts::default(),
            flows: None,
            paces: Vec::new(),
        }
    }

    fn quiet(&self, zone: &str) -> BalancerTraffic {
        let busy = self.traffic(zone, 0);
        BalancerTraffic { active_connections: 0, new_connections: 0, client_tls_errors: 0, own_answers: Vec::new(), ..busy }
    }

    /// `L`, `T` and a zone's letter name the dimensions.
    fn dimensions(&self, which: &str) -> Vec<(&'static str, String)> {
        let last = |arn: &str| arn.rsplit(':').next().unwrap().to_string();
        let one = |letter| match letter {
            'L' => ("LoadBalancer", last(&self.balancer).trim_start_matches("loadbalancer/").to_string()),
            'T' => ("TargetGroup", last(&self.group)),
            zone => ("AvailabilityZone", format!("eu-central-1{zone}")),
        };
        which.chars().map(one).collect()
    }

    fn sample(&self, name: &str, which: &str) -> Option<Sample> {
        let dimensions = self.dimensions(which);
        let dimensions: Vec<_> = dimensions.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let metric = Metric::new("AWS/ApplicationELB", name, &dimensions);
        let points = cloudwatch::store(self.trial.state()).points(&metric, Time::ZERO, self.trial.now, 60);
        points.last().map(|(_, sample)| sample.clone())
    }

    #[track_caller]
    fn check(&self, name: &str, sums: &[(&str, f64)]) {
        for (which, sum) in sums {
            assert_eq!(self.sample(name, which).map(|sample| sample.sum), Some(*sum), "{name} by {which}");
        }
    }
}

#[test]
fn counters_have_the_dimensions_that_the_guide_lists() {
    let mut region = Region::new();
    let reports = vec![region.traffic(ZONES[0], 30), region.traffic(ZONES[1], 12)];
    region.minute(reports);
    region.check("RequestCount", &[("L", 42.0), ("La", 30.0), ("Lb", 12.0), ("LT", 42.0), ("LTa", 30.0), ("LTb", 12.0)]);
    region.check("HTTPCode_Target_2XX_Count", &[("L", 42.0), ("La", 30.0), ("LT", 42.0), ("LTb", 12.0)]);
    region.check("HTTPCode_ELB_4XX_Count", &[("L", 4.0), ("La", 2.0)]);
    region.check("HTTPCode_ELB_5XX_Count", &[("L", 8.0), ("Lb", 4.0)]);
    region.check("HTTPCode_ELB_502_Count", &[("L", 2.0)]);
    region.check("HTTPCode_ELB_503_Count", &[("L", 6.0)]);
    region.check("ClientTLSNegotiationErrorCount", &[("L", 8.0), ("Lb", 4.0)]);
    region.check("TargetTLSNegotiationErrorCount", &[("L", 2.0), ("LT", 2.0)]);
    region.check("ActiveConnectionCount", &[("L", 4.0), ("La", 2.0), ("Lb", 2.0)]);
    region.check("NewConnectionCount", &[("L", 2.0), ("La", 1.0)]);
    region.check("ProcessedBytes", &[("L", 4_200.0), ("La", 3_000.0), ("Lb", 1_200.0)]);
    for (name, which) in [("ActiveConnectionCount", "LT"), ("ConsumedLCUs", "La"), ("HTTPCode_Target_2XX_Count", "T")] {
        assert_eq!(region.sample(name, which), None, "{name} by {which}");
    }
}

#[test]
fn what_is_zero_is_not_told() {
    let mut region = Region::new();
    let reports = ZONES.map(|zone| region.quiet(zone)).to_vec();
    region.minute(reports);
    let told: BTreeSet<String> = cloudwatch::store(region.trial.state()).metrics().map(|m| m.name.clone()).collect();
    let states = ["HealthyStateDNS", "HealthyStateRouting", "UnhealthyStateDNS", "UnhealthyStateRouting"];
    let hosts = ["AnomalousHostCount", "HealthyHostCount", "MitigatedHostCount", "UnHealthyHostCount"];
    let always = ["ConsumedLCUs"].into_iter().chain(hosts).chain(states);
    assert_eq!(told, always.map(String::from).collect());
}

#[test]
fn requests_are_told_by_what_was_particular_about_them() {
    let mut region = Region::new();
    let mut reports = ZONES.map(|zone| region.traffic(zone, 10)).to_vec();
    let (redirects, non_compliant, rule_evaluations) = (3, 2, 120_200);
    reports[0].more = RequestCounts { redirects, non_compliant, rule_evaluations, ipv6_bytes: 700, ..RequestCounts::default() };
    reports[1].more = RequestCounts { redirects: 1, grpc_requests: 5, ipv6_requests: 6, ..RequestCounts::default() };
    let (unhealthy_routed, grpc_requests, ipv6_requests) = (8, 4, 6);
    let group = reports[1].groups.remove(0);
    reports[1].groups.push(GroupTraffic { unhealthy_routed, grpc_requests, ipv6_requests, ..group });
    region.minute(reports);
    region.check("HTTP_Redirect_Count", &[("L", 4.0), ("La", 3.0), ("Lb", 1.0)]);
    region.check("DesyncMitigationMode_NonCompliant_Request_Count", &[("L", 2.0), ("La", 2.0)]);
    region.check("RuleEvaluations", &[("L", 120_200.0)]);
    // Ten for each of the twenty requests are free, and a thousand a second are a unit.
    region.check("ConsumedLCUs", &[("L", 2.0)]);
    region.check("IPv6ProcessedBytes", &[("L", 700.0), ("La", 700.0)]);
    region.check("IPv6RequestCount", &[("L", 6.0), ("Lb", 6.0), ("LT", 6.0), ("LTb", 6.0)]);
    // One of the five was for no group.
    region.check("GrpcRequestCount", &[("L", 5.0), ("Lb", 5.0), ("LT", 4.0), ("LTb", 4.0), ("T", 4.0), ("Tb", 4.0)]);
    assert!(region.sample("GrpcRequestCount", "LTa").is_none() && region.sample("IPv6RequestCount", "T").is_none());
    region.check("UnhealthyRoutingRequestCount", &[("LT", 8.0), ("LTb", 8.0)]);
    assert!(region.sample("HTTP_Redirect_Url_Limit_Exceeded_Count", "L").is_none());
}

#[test]
fn zones_are_told_by_whether_enough_targets_are_healthy() {
    let mut region = Region::new();
    region.minute(ZONES.map(|zone| region.quiet(zone)).to_vec());
    region.check("UnhealthyStateRouting", &[("LT", 2.0), ("LTa", 1.0), ("LTb", 1.0)]);
    region.check("HealthyStateDNS", &[("LT", 0.0), ("LTa", 0.0)]);
    region.health(0, TargetHealth::Healthy);
    region.minute(ZONES.map(|zone| region.quiet(zone)).to_vec());
    // Targets of one zone serve all.
    region.check("HealthyStateRouting", &[("LT", 2.0), ("LTa", 1.0), ("LTb", 1.0)]);
    region.check("UnhealthyStateDNS", &[("LT", 0.0), ("LTb", 0.0)]);
}

#[test]
fn response_times_are_seconds_with_percentiles() {
    let mut region = Region::new();
    let reports = vec![region.traffic(ZONES[0], 99)];
    region.minute(reports);
    for which in ["L", "La", "LT", "LTa"] {
        let sample = region.sample("TargetResponseTime", which).unwrap();
        assert_eq!((sample.count, sample.min), (99.0, 0.02), "{which}");
        let median = Statistic::Percentile(50.0).of(&sample).unwrap();
        assert!((median / 0.02 - 1.0).abs() < 0.02, "{which} {median}");
    }
}

#[test]
fn hosts_are_counted_by_zone_and_requests_by_healthy_host() {
    let mut region = Region::new();
    region.health(0, TargetHealth::Healthy);
    region.health(1, TargetHealth::Healthy);
    region.health(2, TargetHealth::Unhealthy { reason: TargetReason::Timeout, draining: false });
    let reports = vec![region.traffic(ZONES[0], 30), region.traffic(ZONES[1], 10)];
    region.minute(reports);
    region.check("HealthyHostCount", &[("LT", 2.0), ("LTa", 2.0), ("LTb", 0.0)]);
    region.check("UnHealthyHostCount", &[("LT", 1.0), ("LTa", 0.0), ("LTb", 1.0)]);
    region.check("RequestCountPerTarget", &[("T", 20.0), ("LT", 20.0), ("LTa", 15.0), ("Tb", 5.0)]);
}

/// Auto Scaling follows such a group's `RequestCountPerTarget`.
#[test]
fn a_group_that_only_a_rule_forwards_to_is_told_of_too() {
    let mut region = Region::new();
    let listeners = region.trial.call::<ops::DescribeListeners>(s::DescribeListenersInput {
        load_balancer_arn: Some(region.balancer.clone()),
        ..Default::default()
    });
    let listener = listeners.unwrap().listeners.remove(0);
    let listener_arn = listener.listener_arn.unwrap();
    let rule = crate::region::Region::rule_input(&listener_arn, 1, path(&["/a"]), forward(&region.group));
    region.trial.call::<ops::CreateRule>(rule).unwrap();
    let fixed = s::FixedResponseActionConfig { status_code: "404".into(), ..Default::default() };
    let fixed = s::Action { r#type: "fixed-response".into(), fixed_response_config: Some(fixed), ..Default::default() };
    let modify = s::ModifyListenerInput { listener_arn, default_actions: vec![fixed], ..Default::default() };
    region.trial.call::<ops::ModifyListener>(modify).unwrap();
    region.health(0, TargetHealth::Healthy);
    region.minute(vec![region.traffic(ZONES[0], 30)]);
    region.check("HealthyHostCount", &[("LT", 1.0), ("LTa", 1.0)]);
    region.check("RequestCountPerTarget", &[("T", 30.0), ("LT", 30.0)]);
}

#[test]
fn reserved_capacity_that_is_not_provisioned_is_not_told() {
    let mut region = Region::new();
    let capacity = s::ModifyCapacityReservationInput {
        load_balancer_arn: region.balancer.clone(),
        minimum_load_balancer_capacity: Some(s::MinimumLoadBalancerCapacity { capacity_units: Some(120) }),
        reset_capacity_reservation: None,
    };
    region.trial.call::<ops::ModifyCapacityReservation>(capacity).unwrap();
    region.minute(ZONES.map(|zone| region.quiet(zone)).to_vec());
    assert!(region.sample("ReservedLCUs", "L").is_none());
    let open: Vec<_> = region.trial.state().rows::<Wanted>().map(|wanted| (wanted.slot.clone(), wanted.version)).collect();
    for (slot, version) in open {
        region.trial.observe(&Observation::Applied { slot, version });
    }
    region.minute(ZONES.map(|zone| region.quiet(zone)).to_vec());
    region.check("ReservedLCUs", &[("L", 2.0)]);
}

#[test]
fn anomalous_hosts_are_told_of_before_while_and_after_there_are_some() {
    let mut region = Region::new();
    for (anomalous, count) in [(false, 0.0), (true, 1.0), (false, 0.0)] {
        region.anomaly(0, anomalous);
        region.minute(ZONES.map(|zone| region.quiet(zone)).to_vec());
        region.check("AnomalousHostCount", &[("LT", count), ("LTa", count), ("LTb", 0.0)]);
        region.check("MitigatedHostCount", &[("LT", count), ("LTa", count), ("LTb", 0.0)]);
    }
}

#[test]
fn reports_of_strangers_and_of_no_time_are_passed_over() {
    let mut region = Region::new();
    let mut stranger = region.traffic(ZONES[0], 5);
    stranger.id = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/gone/1".into();
    region.minute(vec![stranger]);
    let now = region.trial.now;
    let balancers = vec![region.traffic(ZONES[0], 5)];
    region.trial.observe(&Observation::Traffic { from: now, until: now, balancers });
    assert_eq!(cloudwatch::store(region.trial.state()).metrics().count(), 0);
}
