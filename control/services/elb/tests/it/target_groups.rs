//! Target groups of all protocols, their attributes, and targets' health as AWS words it.

use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{Algorithm, MinimumHealthy, Protocol, ProtocolVersion, Stickiness};

use crate::region::{Region, forward, pairs};

pub fn modify(group: &str, all: &[(&str, &str)]) -> s::ModifyTargetGroupAttributesInput {
    let attributes = pairs(all).into_iter().map(|(key, value)| s::TargetGroupAttribute { key, value }).collect();
    s::ModifyTargetGroupAttributesInput { target_group_arn: group.into(), attributes }
}

fn value(region: &mut Region, group: &str, name: &str) -> Option<String> {
    let input = s::DescribeTargetGroupAttributesInput { target_group_arn: group.into() };
    let all = region.call::<ops::DescribeTargetGroupAttributes>(input).unwrap().attributes;
    all.into_iter().find(|a| a.key.as_deref() == Some(name)).and_then(|a| a.value)
}

/// What Describe shows makes an equal group, so that asking for it again is no error.
#[test]
fn groups_of_all_protocols_come_back_as_they_were_given() {
    let mut region = Region::new();
    for (name, protocol, version) in [
        ("http", "HTTP", Some("HTTP1")),
        ("https", "HTTPS", Some("HTTP2")),
        ("grpc", "HTTP", Some("GRPC")),
        ("tcp", "TCP", None),
        ("tls", "TLS", None),
        ("udp", "UDP", None),
        ("both", "TCP_UDP", None),
    ] {
        let mut input = region.group_input(name, protocol);
        input.protocol_version = version.map(String::from);
        let made = region.call::<ops::CreateTargetGroup>(input).unwrap().target_groups.remove(0);
        assert_eq!((made.protocol.as_deref(), made.protocol_version.as_deref()), (Some(protocol), version));
        let again = s::CreateTargetGroupInput {
            name: name.into(),
            protocol: made.protocol.clone(),
            protocol_version: made.protocol_version.clone(),
            port: made.port,
            vpc_id: made.vpc_id.clone(),
            health_check_protocol: made.health_check_protocol.clone(),
            health_check_port: made.health_check_port.clone(),
            health_check_enabled: made.health_check_enabled,
            health_check_path: made.health_check_path.clone(),
            health_check_interval_seconds: made.health_check_interval_seconds,
            health_check_timeout_seconds: made.health_check_timeout_seconds,
            healthy_threshold_count: made.healthy_threshold_count,
            unhealthy_threshold_count: made.unhealthy_threshold_count,
            matcher: made.matcher.clone(),
            target_type: made.target_type.clone(),
            ip_address_type: made.ip_address_type.clone(),
            ..Default::default()
        };
        assert_eq!(region.call::<ops::CreateTargetGroup>(again).unwrap().target_groups, [made]);
    }
    let mut lambda = region.group_input("lambda", "HTTP");
    lambda.target_type = Some("lambda".into());
    assert!(region.refusal::<ops::CreateTargetGroup>(lambda).contains("Target type 'lambda' is not supported"));
    assert!(region.group_input("x", "GENEVE").protocol.is_some());
    let geneve = region.group_input("x", "GENEVE");
    assert!(region.refusal::<ops::CreateTargetGroup>(geneve).starts_with("InvalidConfigurationRequest"));
}

#[test]
fn attributes_reach_the_plan() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let mut input = region.group_input("web", "HTTPS");
    input.matcher = Some(s::Matcher { http_code: Some("200-299".into()), grpc_code: None });
    let group = region.call::<ops::CreateTargetGroup>(input).unwrap().target_groups.remove(0).target_group_arn.unwrap();
    region.listener(&web, "HTTP", 80, forward(&group));
    let wanted = [
        ("load_balancing.algorithm.type", "weighted_random"),
        ("load_balancing.algorithm.anomaly_mitigation", "on"),
        ("stickiness.enabled", "true"),
        ("stickiness.type", "app_cookie"),
        ("stickiness.app_cookie.cookie_name", "SESSION"),
        ("stickiness.app_cookie.duration_seconds", "60"),
        ("target_group_health.dns_failover.minimum_healthy_targets.count", "off"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "50"),
    ];
    region.call::<ops::ModifyTargetGroupAttributes>(modify(&group, &wanted)).unwrap();
    let planned = region.plan(&web).target_groups.remove(0);
    assert_eq!((planned.protocol, planned.version), (Protocol::Https, ProtocolVersion::Http1));
    assert!(planned.algorithm == Algorithm::WeightedRandom && planned.anomaly_mitigation && planned.cross_zone);
    assert_eq!(planned.health_check.matcher, [(200, 299)]);
    let cookie = Stickiness::ApplicationCookie { name: "SESSION".into(), duration_ms: 60_000 };
    assert_eq!(planned.stickiness, Some(cookie));
    assert_eq!(planned.dns_failover, MinimumHealthy { count: None, percent: None });
    assert_eq!(planned.fail_open, MinimumHealthy { count: Some(1), percent: Some(50) });
    for all in [
        &[("load_balancing.algorithm.type", "round_robin")][..],
        &[("slow_start.duration_seconds", "30")],
        &[("slow_start.duration_seconds", "29")],
        &[("stickiness.app_cookie.cookie_name", "AWSALB")],
        &[("stickiness.app_cookie.cookie_name", "")],
        &[("load_balancing.cross_zone.enabled", "false")],
        &[("proxy_protocol_v2.enabled", "true")],
        &[("stickiness.type", "source_ip")],
    ] {
        assert!(region.refusal::<ops::ModifyTargetGroupAttributes>(modify(&group, all)).contains(" 400: "), "{all:?}");
    }
    assert_eq!(value(&mut region, &group, "stickiness.type").as_deref(), Some("app_cookie"), "nothing changed in vain");
}

/// They are shown as they were given, so there is one way to write each.
#[test]
fn numbers_among_attributes_are_plain_decimals() {
    let mut region = Region::new();
    let group = region.group("web", "HTTP");
    for (name, least, wrong) in [
        ("deregistration_delay.timeout_seconds", "0", ["+5", "05", "00", "-0", " 5", "5.0", "0x5", "", "99999999999999999999"]),
        ("slow_start.duration_seconds", "0", ["+30", "030", "00", "-30", "30 ", "3e1", "0x1e", "", "٣٠"]),
        (
            "target_group_health.dns_failover.minimum_healthy_targets.count",
            "1",
            ["+1", "01", "00", "-1", "1_0", "1.", "OFF", "", "0"],
        ),
    ] {
        for value in wrong {
            let refusal = region.refusal::<ops::ModifyTargetGroupAttributes>(modify(&group, &[(name, value)]));
            assert!(refusal.starts_with("ValidationError 400: ") && refusal.contains(&format!("'{name}' must be ")), "{refusal}");
        }
        region.call::<ops::ModifyTargetGroupAttributes>(modify(&group, &[(name, least)])).unwrap();
        assert_eq!(value(&mut region, &group, name).as_deref(), Some(least));
    }
}

/// "If you specify thresholds for both actions, the threshold for DNS failover must be greater than or equal to the threshold for
/// routing failover" ("Target group health").
#[test]
fn dns_fails_over_no_later_than_routing() {
    let mut region = Region::new();
    for protocol in ["HTTP", "TCP"] {
        let group = region.group(&format!("of-{}", protocol.to_lowercase()), protocol);
        let both = |part: &str, dns: &str, routing: &str| {
            let name = |which: &str| format!("target_group_health.{which}.minimum_healthy_targets.{part}");
            modify(&group, &[(&name("dns_failover"), dns), (&name("unhealthy_state_routing"), routing)])
        };
        for (part, dns, routing, is_right) in [
            ("count", "2", "3", false),
            ("percentage", "30", "50", false),
            ("count", "3", "3", true),
            ("count", "3", "2", true),
            ("count", "off", "2", true),
            // The default, which names no threshold for DNS.
            ("count", "1", "2", true),
            ("count", "1", "1", true),
            ("percentage", "50", "30", true),
            ("percentage", "off", "30", true),
        ] {
            if is_right {
                region.call::<ops::ModifyTargetGroupAttributes>(both(part, dns, routing)).unwrap();
                continue;
            }
            let refusal = region.refusal::<ops::ModifyTargetGroupAttributes>(both(part, dns, routing));
            assert!(refusal.starts_with("InvalidConfigurationRequest 400"), "{protocol} {part} {dns} {routing} {refusal}");
        }
    }
}

#[test]
fn groups_of_flows_have_attributes_of_their_own() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    let (tcp, udp) = (region.group("tcp", "TCP"), region.group("udp", "UDP"));
    let (preserve, cut) = ("preserve_client_ip.enabled", "deregistration_delay.connection_termination.enabled");
    let unhealthy = "target_health_state.unhealthy.connection_termination.enabled";
    for (group, cuts, cuts_unhealthy) in [(&tcp, "false", "true"), (&udp, "true", "false")] {
        assert_eq!(value(&mut region, group, cut).as_deref(), Some(cuts));
        assert_eq!(value(&mut region, group, unhealthy).as_deref(), Some(cuts_unhealthy));
        assert_eq!(value(&mut region, group, preserve).as_deref(), Some("false"), "a VPC carries no loopback address");
    }
    region.listener(&flow, "TCP", 80, forward(&tcp));
    let wanted = [
        (preserve, "false"),
        ("proxy_protocol_v2.enabled", "true"),
        ("stickiness.enabled", "true"),
        (cut, "true"),
        ("load_balancing.cross_zone.enabled", "true"),
    ];
    region.call::<ops::ModifyTargetGroupAttributes>(modify(&tcp, &wanted)).unwrap();
    let planned = region.plan(&flow).target_groups.remove(0);
    assert!(!planned.flow.preserve_client && planned.flow.proxy_protocol && planned.flow.cut_at_deregistration);
    assert!(planned.flow.cut_when_unhealthy && planned.cross_zone && planned.stickiness == Some(Stickiness::SourceIp));
    assert_eq!(planned.health_check.protocol, Protocol::Tcp);
    region.call::<ops::ModifyTargetGroupAttributes>(modify(&udp, &[("proxy_protocol_v2.enabled", "true")])).unwrap();
    assert_eq!(value(&mut region, &udp, "proxy_protocol_v2.enabled").as_deref(), Some("true"));
    let drains = [(unhealthy, "false"), ("target_health_state.unhealthy.draining_interval_seconds", "300")];
    region.call::<ops::ModifyTargetGroupAttributes>(modify(&udp, &drains)).unwrap();
    region.listener(&flow, "UDP", 53, forward(&udp));
    let planned = region.plan(&flow).target_groups.into_iter().find(|group| group.protocol == Protocol::Udp).unwrap();
    assert!(!planned.flow.cut_when_unhealthy && planned.flow.unhealthy_draining_ms == 300_000);
    for (group, name, value) in [
        (&udp, unhealthy, "true"),
        (&tcp, preserve, "true"),
        (&udp, preserve, "true"),
        (&tcp, "slow_start.duration_seconds", "30"),
        (&tcp, "stickiness.type", "lb_cookie"),
        (&tcp, "target_health_state.unhealthy.draining_interval_seconds", "10"),
    ] {
        assert!(region.refusal::<ops::ModifyTargetGroupAttributes>(modify(group, &[(name, value)])).contains(" 400: "), "{name}");
    }
}

#[test]
fn a_zone_can_be_named_for_an_address_if_it_is_its_own() {
    let mut region = Region::new();
    let group = region.group("web", "HTTP");
    let base = ec2::default_subnet(region.state(), Some("eu-central-1a")).unwrap().cidr.to_string();
    let base: std::net::Ipv4Addr = base.split('/').next().unwrap().parse().unwrap();
    let id = std::net::Ipv4Addr::from(u32::from(base) + 9).to_string();
    let register = |zone: &str| s::RegisterTargetsInput {
        target_group_arn: group.clone(),
        targets: vec![s::TargetDescription { id: id.clone(), availability_zone: Some(zone.into()), ..Default::default() }],
    };
    assert!(region.refusal::<ops::RegisterTargets>(register("eu-central-1b")).starts_with("ValidationError"));
    assert!(region.refusal::<ops::RegisterTargets>(register("all")).starts_with("InvalidConfigurationRequest"));
    region.call::<ops::RegisterTargets>(register("eu-central-1a")).unwrap();
    let input = s::DescribeTargetHealthInput { target_group_arn: group, ..Default::default() };
    let seen = region.call::<ops::DescribeTargetHealth>(input).unwrap().target_health_descriptions.remove(0);
    let health = seen.target_health.unwrap();
    assert_eq!((health.state.as_deref(), health.reason.as_deref()), (Some("unused"), Some("Target.NotInUse")));
    assert_eq!(seen.administrative_override.unwrap().state.as_deref(), Some("no_override"));
}

#[test]
fn anomalies_are_told_to_those_who_ask() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let group = region.group("web", "HTTP");
    region.listener(&web, "HTTP", 80, forward(&group));
    let base = ec2::default_subnet(region.state(), Some("eu-central-1a")).unwrap().cidr.to_string();
    let base: std::net::Ipv4Addr = base.split('/').next().unwrap().parse().unwrap();
    let target = |n| s::TargetDescription { id: std::net::Ipv4Addr::from(u32::from(base) + n).to_string(), ..Default::default() };
    let targets = vec![target(9), target(10)];
    region.call::<ops::RegisterTargets>(s::RegisterTargetsInput { target_group_arn: group.clone(), targets }).unwrap();
    let row = region.state().rows::<elb::Registration>().next_back().unwrap().clone();
    let told = |anomalous, generation| world::Observation::TargetAnomaly {
        load_balancer: web.as_str().into(),
        group: row.group.clone(),
        target: row.target.clone(),
        generation,
        anomalous,
        mitigated: anomalous,
    };
    let seen = |region: &mut Region, include: &str| {
        let include = vec![include.to_string()];
        let input = s::DescribeTargetHealthInput { target_group_arn: group.clone(), include, ..Default::default() };
        let all = region.call::<ops::DescribeTargetHealth>(input).unwrap().target_health_descriptions;
        let text = |a: s::AnomalyDetection| [a.result, a.mitigation_in_effect].map(Option::unwrap_or_default).join(" ");
        all.into_iter().map(|d| d.anomaly_detection.map(text).unwrap_or_default()).collect::<Vec<_>>()
    };
    let mitigation = |on: &str| {
        let algorithm = ("load_balancing.algorithm.type", "weighted_random");
        modify(&group, &[algorithm, ("load_balancing.algorithm.anomaly_mitigation", on)])
    };
    region.call::<ops::ModifyTargetGroupAttributes>(mitigation("on")).unwrap();
    region.observe(&told(true, row.generation + 1_000));
    assert_eq!(seen(&mut region, "All"), ["normal no", "normal no"], "that was another registration");
    region.observe(&told(true, row.generation));
    let found = seen(&mut region, "AnomalyDetection");
    assert_eq!(found.iter().filter(|r| *r == "anomalous yes").count(), 1, "{found:?}");
    region.call::<ops::ModifyTargetGroupAttributes>(mitigation("off")).unwrap();
    let found = seen(&mut region, "AnomalyDetection");
    assert_eq!(found.iter().filter(|r| *r == "anomalous no").count(), 1, "at once: {found:?}");
    region.observe(&told(false, row.generation));
    assert_eq!(seen(&mut region, "AnomalyDetection"), ["normal no", "normal no"]);
}
