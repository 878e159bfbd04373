//! Load balancers of both kinds: where they are, their attributes, and what the edge gets.

use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{BalancerKind, DesyncMode, ForwardedFor};

use crate::region::{Region, forward, pairs};

fn modify(balancer: &str, all: &[(&str, &str)]) -> s::ModifyLoadBalancerAttributesInput {
    let attributes = pairs(all).into_iter().map(|(key, value)| s::LoadBalancerAttribute { key, value }).collect();
    s::ModifyLoadBalancerAttributesInput { load_balancer_arn: balancer.into(), attributes }
}

#[test]
fn a_network_load_balancer_needs_one_zone_and_no_groups() {
    let mut region = Region::new();
    let only = vec![region.subnets[0].clone()];
    let input = |kind: &str| s::CreateLoadBalancerInput {
        name: kind.into(),
        r#type: Some(kind.into()),
        subnets: only.clone(),
        ..Default::default()
    };
    assert!(region.refusal::<ops::CreateLoadBalancer>(input("application")).starts_with("ValidationError"));
    let made = region.call::<ops::CreateLoadBalancer>(input("network")).unwrap().load_balancers.remove(0);
    assert!(made.load_balancer_arn.as_ref().unwrap().contains(":loadbalancer/net/network/"));
    assert_eq!((made.r#type.as_deref(), made.security_groups.len()), (Some("network"), 0));
    let arn = made.load_balancer_arn.unwrap();
    assert_eq!(region.plan(&arn).kind, BalancerKind::Network);
    let default = region.state().rows::<ec2::network::SecurityGroup>().next().unwrap().id.to_string();
    let groups = s::SetSecurityGroupsInput { load_balancer_arn: arn, security_groups: vec![default], ..Default::default() };
    assert!(region.refusal::<ops::SetSecurityGroups>(groups).starts_with("InvalidConfigurationRequest"));
    let gateway = s::CreateLoadBalancerInput { r#type: Some("gateway".into()), ..input("x") };
    assert!(region.refusal::<ops::CreateLoadBalancer>(gateway).contains("'gateway' are not supported"));
}

/// "If you attempt to create multiple load balancers with the same settings, each call succeeds" (CreateLoadBalancer).
#[test]
fn the_same_load_balancer_again_is_the_one_that_is_there() {
    let mut region = Region::new();
    let made = region.balancer("web", "application");
    assert_eq!(region.balancer("web", "application").load_balancer_arn, made.load_balancer_arn);
    let input = s::CreateLoadBalancerInput {
        name: "web".into(),
        subnets: region.subnets.clone(),
        security_groups: made.security_groups.clone(),
        ip_address_type: made.ip_address_type.clone(),
        ..Default::default()
    };
    let again = region.call::<ops::CreateLoadBalancer>(input.clone()).unwrap().load_balancers.remove(0);
    assert_eq!(again.load_balancer_arn, made.load_balancer_arn);
    let dualstack = s::CreateLoadBalancerInput { ip_address_type: Some("dualstack".into()), ..input.clone() };
    let internal = s::CreateLoadBalancerInput { scheme: Some("internal".into()), ..input.clone() };
    for other in [dualstack, internal] {
        let refusal = region.refusal::<ops::CreateLoadBalancer>(other);
        assert!(refusal.ends_with("A load balancer with the same name 'web' exists, but with different settings"), "{refusal}");
    }
    let group = shapes::ec2::CreateSecurityGroupRequest {
        group_name: "other".into(),
        description: "other".into(),
        vpc_id: Some(region.vpc.clone()),
        ..Default::default()
    };
    let group = region.call::<shapes::ec2::ops::CreateSecurityGroup>(group).unwrap().group_id.unwrap();
    let other = s::CreateLoadBalancerInput { security_groups: vec![group], ..input };
    assert!(region.refusal::<ops::CreateLoadBalancer>(other).starts_with("DuplicateLoadBalancerName"));
}

/// AWS: `ValidationError`, "'foo' is not a valid load balancer ARN", and so on, whatever the operation.
#[test]
fn what_is_no_arn_is_refused_by_every_operation() {
    let mut region = Region::new();
    let foo = || "foo".to_string();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let listener = region.listener(&web, "HTTP", 80, forward(&group));
    let input = Region::listener_input("foo", "HTTP", 80, forward(&group));
    let onto_foo = Region::listener_input(&web, "HTTP", 81, forward("foo"));
    let describe = s::DescribeLoadBalancersInput { load_balancer_arns: vec![foo()], ..Default::default() };
    let health = s::DescribeTargetHealthInput { target_group_arn: foo(), ..Default::default() };
    let rules = s::DescribeRulesInput { rule_arns: vec![listener.clone()], ..Default::default() };
    let certificates = s::DescribeListenerCertificatesInput { listener_arn: web.clone(), ..Default::default() };
    let told = [
        (region.refusal::<ops::DescribeLoadBalancers>(describe), "'foo' is not a valid load balancer ARN".to_string()),
        (region.refusal::<ops::CreateListener>(input), "'foo' is not a valid load balancer ARN".into()),
        (region.refusal::<ops::CreateListener>(onto_foo), "'foo' is not a valid target group ARN".into()),
        (region.refusal::<ops::DescribeTargetHealth>(health), "'foo' is not a valid target group ARN".into()),
        (region.refusal::<ops::DescribeRules>(rules), format!("'{listener}' is not a valid listener rule ARN")),
        (region.refusal::<ops::DescribeListenerCertificates>(certificates), format!("'{web}' is not a valid listener ARN")),
        (
            region.refusal::<ops::DeleteLoadBalancer>(s::DeleteLoadBalancerInput { load_balancer_arn: foo() }),
            "'foo' is not a valid load balancer ARN".into(),
        ),
        (
            region.refusal::<ops::DeleteTargetGroup>(s::DeleteTargetGroupInput { target_group_arn: foo() }),
            "'foo' is not a valid target group ARN".into(),
        ),
    ];
    for (refusal, expected) in told {
        assert_eq!(refusal, format!("ValidationError 400: {expected}"));
    }
    let gone = s::DeleteLoadBalancerInput { load_balancer_arn: format!("{web}0") };
    region.call::<ops::DeleteLoadBalancer>(gone).unwrap();
}

#[test]
fn an_internal_network_load_balancer_has_the_addresses_that_were_asked_for() {
    let mut region = Region::new();
    let base = ec2::default_subnet(region.state(), Some("eu-central-1a")).unwrap().cidr.to_string();
    let base: std::net::Ipv4Addr = base.split('/').next().unwrap().parse().unwrap();
    let address = std::net::Ipv4Addr::from(u32::from(base) + 77).to_string();
    let input = |scheme: &str| s::CreateLoadBalancerInput {
        name: "inner".into(),
        r#type: Some("network".into()),
        scheme: Some(scheme.into()),
        subnet_mappings: vec![s::SubnetMapping {
            subnet_id: Some(region.subnets[0].clone()),
            private_i_pv4_address: Some(address.clone()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let (inner, outer) = (input("internal"), input("internet-facing"));
    assert!(region.refusal::<ops::CreateLoadBalancer>(outer).starts_with("InvalidConfigurationRequest"));
    let made = region.call::<ops::CreateLoadBalancer>(inner).unwrap().load_balancers.remove(0);
    let zone = &made.availability_zones[0];
    assert_eq!(zone.load_balancer_addresses[0].private_i_pv4_address.as_ref(), Some(&address));
}

#[test]
fn attributes_of_an_application_load_balancer_reach_the_plan() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let wanted = [
        ("routing.http2.enabled", "false"),
        ("routing.http.desync_mitigation_mode", "strictest"),
        ("routing.http.xff_header_processing.mode", "remove"),
        ("routing.http.xff_client_port.enabled", "true"),
        ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "true"),
        ("access_logs.s3.enabled", "true"),
        ("access_logs.s3.bucket", "logs"),
        ("access_logs.s3.prefix", "web"),
    ];
    region.call::<ops::ModifyLoadBalancerAttributes>(modify(&web, &wanted)).unwrap();
    let plan = region.plan(&web);
    assert_eq!((plan.http.desync, plan.http.forwarded_for), (DesyncMode::Strictest, ForwardedFor::Remove));
    assert!(!plan.http.http2 && plan.http.forwarded_client_port && plan.http.tls_headers);
    assert_eq!(plan.access_log.unwrap().bucket, "logs");
    assert!(plan.connection_log.is_none() && plan.cross_zone);
    for all in [
        &[("connection_logs.s3.enabled", "true")][..],
        &[("access_logs.s3.bucket", "../etc")],
        &[("access_logs.s3.prefix", "a/../b")],
        &[("load_balancing.cross_zone.enabled", "false")],
        &[("dns_record.client_routing_policy", "any_availability_zone")],
        &[("idle_timeout.timeout_seconds", "4001")],
        &[("idle_timeout.timeout_seconds", "+5")],
        &[("client_keep_alive.seconds", "060")],
        &[("idle_timeout.timeout_seconds", "5"), ("idle_timeout.timeout_seconds", "6")],
    ] {
        assert!(region.refusal::<ops::ModifyLoadBalancerAttributes>(modify(&web, all)).contains(" 400: "), "{all:?}");
    }
}

#[test]
fn attributes_of_a_network_load_balancer_are_its_own() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    region.call::<ops::ModifyLoadBalancerAttributes>(modify(&flow, &[("load_balancing.cross_zone.enabled", "true")])).unwrap();
    let plan = region.plan(&flow);
    assert!(plan.cross_zone && plan.idle_timeout_ms > 0);
    let refusal = region.refusal::<ops::ModifyLoadBalancerAttributes>(modify(&flow, &[("routing.http2.enabled", "false")]));
    assert!(refusal.contains("is not recognized for load balancers of type 'network'"), "{refusal}");
}

#[test]
fn address_types_and_capacity_are_kept_and_shown() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let set = |kind: &str| s::SetIpAddressTypeInput { load_balancer_arn: web.clone(), ip_address_type: kind.into() };
    region.call::<ops::SetIpAddressType>(set("dualstack")).unwrap();
    assert!(region.plan(&web).dualstack);
    assert!(region.refusal::<ops::SetIpAddressType>(set("dualstack-without-public-ipv4")).contains("not supported"));
    let capacity = |units| s::ModifyCapacityReservationInput {
        load_balancer_arn: web.clone(),
        minimum_load_balancer_capacity: Some(s::MinimumLoadBalancerCapacity { capacity_units: Some(units) }),
        reset_capacity_reservation: None,
    };
    assert!(region.refusal::<ops::ModifyCapacityReservation>(capacity(99)).starts_with("InvalidConfigurationRequest"));
    region.call::<ops::ModifyCapacityReservation>(capacity(200)).unwrap();
    let describe = s::DescribeCapacityReservationInput { load_balancer_arn: web.clone() };
    let seen = region.call::<ops::DescribeCapacityReservation>(describe.clone()).unwrap();
    assert_eq!((seen.capacity_reservation_state.len(), seen.last_modified_time), (2, Some(region.now)));
    let reset = s::ModifyCapacityReservationInput {
        load_balancer_arn: web,
        minimum_load_balancer_capacity: None,
        reset_capacity_reservation: Some(true),
    };
    region.call::<ops::ModifyCapacityReservation>(reset).unwrap();
    assert!(region.call::<ops::DescribeCapacityReservation>(describe).unwrap().minimum_load_balancer_capacity.is_none());
}

/// Rows of a journal from before there were kinds, rules and attributes of listeners.
#[test]
fn rows_of_an_old_journal_are_plain_http_ones() {
    let listener = serde_json::json!({
        "arn": "arn:aws:elasticloadbalancing:eu-central-1:0:listener/app/web/1/2",
        "load_balancer": "arn:aws:elasticloadbalancing:eu-central-1:0:loadbalancer/app/web/1",
        "port": 80,
        "default_action": {"forward": {"groups": [{"group": "arn:g", "weight": 1}]}},
    });
    let listener: elb::Listener = serde_json::from_value(listener).unwrap();
    assert!(listener.protocol == world::Protocol::Http && listener.tls.is_none() && listener.attributes.is_empty());
    let group = serde_json::json!({
        "arn": "arn:g", "name": "g", "id": "1", "port": 80, "vpc": "vpc-1", "target_type": "instance", "attributes": {},
        "health_check": {"port": null, "path": "/", "interval_s": 30, "timeout_s": 5, "healthy_threshold": 5,
            "unhealthy_threshold": 2, "matcher": "200"},
    });
    let group: elb::TargetGroup = serde_json::from_value(group).unwrap();
    assert_eq!((group.protocol, group.health_check.protocol), (world::Protocol::Http, world::Protocol::Http));
}

#[test]
fn deleting_a_load_balancer_ends_everything_of_it() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let group = region.group("web", "HTTP");
    let listener = region.listener(&web, "HTTP", 80, forward(&group));
    region.rule(&listener, 1, "/a", &group);
    region.call::<ops::DeleteLoadBalancer>(s::DeleteLoadBalancerInput { load_balancer_arn: web }).unwrap();
    let state = region.state();
    assert_eq!((state.count::<elb::Listener>(), state.count::<elb::Rule>()), (0, 0));
    region.call::<ops::DeleteTargetGroup>(s::DeleteTargetGroupInput { target_group_arn: group }).unwrap();
}
