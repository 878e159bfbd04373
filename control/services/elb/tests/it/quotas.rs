//! Quotas on targets ("Quotas for your Application Load Balancers", and those for Network Load Balancers).

use std::net::Ipv4Addr;
use std::ops::Range;

use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::{Observation, TargetHealth};

use crate::region::{Region, forward, pairs, path};

const KIND: &str = "AWS::ElasticLoadBalancingV2::Listener";

/// Addresses of a subnet as targets.
fn targets(region: &Region, subnet: usize, hosts: Range<u32>) -> Vec<s::TargetDescription> {
    let id = region.subnets[subnet].as_str().into();
    let cidr = region.state().get::<ec2::network::Subnet>(&id).unwrap().cidr.to_string();
    let base: Ipv4Addr = cidr.split('/').next().unwrap().parse().unwrap();
    let target = |host| s::TargetDescription { id: Ipv4Addr::from(u32::from(base) + host).to_string(), ..Default::default() };
    hosts.map(target).collect()
}

fn registration(region: &Region, group: &str, subnet: usize, hosts: Range<u32>) -> s::RegisterTargetsInput {
    s::RegisterTargetsInput { target_group_arn: group.into(), targets: targets(region, subnet, hosts) }
}

fn register(region: &mut Region, group: &str, subnet: usize, hosts: Range<u32>) {
    let input = registration(region, group, subnet, hosts);
    region.call::<ops::RegisterTargets>(input).unwrap();
}

fn refused(region: &mut Region, group: &str, subnet: usize, hosts: Range<u32>) -> String {
    let input = registration(region, group, subnet, hosts);
    region.refusal::<ops::RegisterTargets>(input)
}

fn full_group(region: &mut Region, name: &str, protocol: &str, subnet: usize, count: u32) -> String {
    let group = region.group(name, protocol);
    register(region, &group, subnet, 10..10 + count);
    group
}

fn too_many(balancer: &str) -> String {
    let text = "The maximum number of targets per load balancer '1000' has been reached on load balancer";
    format!("TooManyTargets 400: {text} '{balancer}'")
}

#[test]
fn an_application_load_balancer_has_a_thousand_targets_over_all_groups() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let (large, other) = (full_group(&mut region, "large", "HTTP", 0, 600), full_group(&mut region, "other", "HTTP", 1, 600));
    let (some, one) = (full_group(&mut region, "some", "HTTP", 0, 400), full_group(&mut region, "one", "HTTP", 0, 1));
    let listener = region.listener(&web, "HTTP", 80, forward(&large));
    let rule = region.rule(&listener, 1, "/a", &some);
    assert_eq!(refused(&mut region, &some, 1, 0..1), too_many(&web), "what is registered with two groups counts twice");
    let count = region.state().rows::<elb::Registration>().filter(|r| r.group.as_str() == some).count();
    assert_eq!(count, 400, "nothing is registered");
    register(&mut region, &some, 0, 10..20);
    let input = Region::rule_input(&listener, 2, path(&["/b"]), forward(&one));
    assert_eq!(region.refusal::<ops::CreateRule>(input), too_many(&web));
    let input = Region::listener_input(&web, "HTTP", 81, forward(&one));
    assert_eq!(region.refusal::<ops::CreateListener>(input), too_many(&web));
    let properties = serde_json::json!({"LoadBalancerArn": web, "Port": 82, "Protocol": "HTTP",
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": one}]});
    assert_eq!(region.make(KIND, &properties).unwrap_err().code, "TooManyTargets");
    let modify = |group: &str| s::ModifyRuleInput { rule_arn: rule.clone(), actions: vec![forward(group)], ..Default::default() };
    assert_eq!(region.refusal::<ops::ModifyRule>(modify(&other)), too_many(&web));
    region.call::<ops::ModifyRule>(modify(&large)).unwrap();
    region.call::<ops::ModifyRule>(modify(&some)).unwrap();
    let modify = |group: &str| s::ModifyListenerInput {
        listener_arn: listener.clone(),
        default_actions: vec![forward(group)],
        ..Default::default()
    };
    region.call::<ops::ModifyListener>(modify(&other)).unwrap();
    region.call::<ops::ModifyListener>(modify(&one)).unwrap();
    register(&mut region, &one, 1, 10..609);
    assert_eq!(refused(&mut region, &one, 1, 609..610), too_many(&web), "another group, as full");
    assert_eq!(region.plan(&web).listeners[0].rules.len(), 1);
}

#[test]
fn a_target_counts_until_its_deregistration_is_complete() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let (large, some) = (full_group(&mut region, "large", "HTTP", 0, 600), full_group(&mut region, "some", "HTTP", 1, 400));
    let listener = region.listener(&web, "HTTP", 80, forward(&large));
    region.rule(&listener, 1, "/a", &some);
    let gone = targets(&region, 1, 10..11);
    let input = s::DeregisterTargetsInput { target_group_arn: some.clone(), targets: gone.clone() };
    region.call::<ops::DeregisterTargets>(input).unwrap();
    assert_eq!(refused(&mut region, &some, 1, 500..501), too_many(&web));
    let of = |r: &&elb::Registration| r.group.as_str() == some && r.target.id == gone[0].id;
    let row = region.state().rows::<elb::Registration>().find(of).unwrap().clone();
    region.observe(&Observation::Target {
        load_balancer: web.as_str().into(),
        group: row.group,
        target: row.target,
        generation: row.generation,
        health: TargetHealth::Drained,
    });
    register(&mut region, &some, 1, 500..501);
    assert_eq!(refused(&mut region, &some, 1, 10..11), too_many(&web), "one that comes back counts again");
}

#[test]
fn a_network_load_balancer_has_five_hundred_targets_in_a_zone() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    let (first, second) = (full_group(&mut region, "first", "TCP", 0, 500), full_group(&mut region, "second", "TCP", 1, 499));
    let (third, many) = (full_group(&mut region, "third", "TCP", 0, 1), full_group(&mut region, "many", "TCP", 0, 501));
    let full = |zone: &str| {
        let text = format!("The maximum number of targets per Availability Zone '500' has been reached in '{zone}'");
        format!("TooManyTargets 400: {text} on load balancer '{flow}'")
    };
    let (a, b) = (full("eu-central-1a"), full("eu-central-1b"));
    let input = |port: i64, group: &str| Region::listener_input(&flow, "TCP", port, forward(group));
    assert_eq!(region.refusal::<ops::CreateListener>(input(80, &many)), a);
    let listener = region.listener(&flow, "TCP", 80, forward(&first));
    region.listener(&flow, "TCP", 81, forward(&second));
    assert_eq!(refused(&mut region, &second, 0, 10..11), a);
    register(&mut region, &second, 1, 600..601);
    assert_eq!(refused(&mut region, &second, 1, 601..602), b);
    assert_eq!(region.refusal::<ops::CreateListener>(input(82, &third)), a);
    let modify =
        s::ModifyListenerInput { listener_arn: listener.clone(), default_actions: vec![forward(&many)], ..Default::default() };
    assert_eq!(region.refusal::<ops::ModifyListener>(modify.clone()), a);
    let modify = s::ModifyListenerInput { default_actions: vec![forward(&third)], ..modify };
    region.call::<ops::ModifyListener>(modify).unwrap();
}

/// "If cross-zone load balancing is enabled, the maximum number of targets is 500 per load balancer".
#[test]
fn with_cross_zone_load_balancing_all_zones_count_together() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    let (first, second) = (full_group(&mut region, "first", "TCP", 0, 300), full_group(&mut region, "second", "TCP", 1, 200));
    region.listener(&flow, "TCP", 80, forward(&first));
    region.listener(&flow, "TCP", 81, forward(&second));
    let cross_zone = |on: &str| s::ModifyLoadBalancerAttributesInput {
        load_balancer_arn: flow.clone(),
        attributes: pairs(&[("load_balancing.cross_zone.enabled", on)])
            .into_iter()
            .map(|(key, value)| s::LoadBalancerAttribute { key, value })
            .collect(),
    };
    let of_group = |group: &str, on: &str| s::ModifyTargetGroupAttributesInput {
        target_group_arn: group.into(),
        attributes: pairs(&[("load_balancing.cross_zone.enabled", on)])
            .into_iter()
            .map(|(key, value)| s::TargetGroupAttribute { key, value })
            .collect(),
    };
    let over = "You cannot have more than 500 targets per network load balancer with cross-zone load balancing enabled";
    region.call::<ops::ModifyLoadBalancerAttributes>(cross_zone("true")).unwrap();
    assert_eq!(refused(&mut region, &first, 0, 600..601), format!("TooManyTargets 400: {over}"));
    assert_eq!(refused(&mut region, &second, 0, 600..601), format!("TooManyTargets 400: {over}"));
    region.call::<ops::ModifyLoadBalancerAttributes>(cross_zone("false")).unwrap();
    register(&mut region, &second, 1, 600..601);
    let refusal = region.refusal::<ops::ModifyLoadBalancerAttributes>(cross_zone("true"));
    assert_eq!(refusal, format!("InvalidConfigurationRequest 400: {over}"));
    assert!(!region.plan(&flow).cross_zone);
    // A node has the targets of its zone, and all of groups that say so themselves.
    let of_zone =
        "InvalidConfigurationRequest 400: The maximum number of targets per Availability Zone '500' has been reached in";
    let refusal = region.refusal::<ops::ModifyTargetGroupAttributes>(of_group(&second, "true"));
    assert!(refusal.starts_with(&format!("{of_zone} 'eu-central-1a'")), "{refusal}");
    let refusal = region.refusal::<ops::ModifyTargetGroupAttributes>(of_group(&first, "true"));
    assert!(refusal.starts_with(&format!("{of_zone} 'eu-central-1b'")), "{refusal}");
}

/// One whose deregistration is complete does not count, until it is registered again.
#[test]
fn a_target_that_comes_back_to_a_full_group_is_one_too_many() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let group = full_group(&mut region, "web", "HTTP", 0, 1_000);
    region.listener(&web, "HTTP", 80, forward(&group));
    let input = s::DeregisterTargetsInput { target_group_arn: group.clone(), targets: targets(&region, 0, 10..11) };
    region.call::<ops::DeregisterTargets>(input).unwrap();
    let row = region.state().rows::<elb::Registration>().find(|r| r.draining_until.is_some()).unwrap().clone();
    let elb::Registration { group: of, target, generation, .. } = row;
    let (load_balancer, health) = (web.as_str().into(), TargetHealth::Drained);
    region.observe(&Observation::Target { load_balancer, group: of, target, generation, health });
    register(&mut region, &group, 1, 10..11);
    let expected = "TooManyTargets 400: The maximum number of targets has been reached for this target group: 1000";
    assert_eq!(refused(&mut region, &group, 0, 10..11), expected);
}

/// Names and values of "API Reference, Limit", a page at a time.
#[test]
fn limits_are_told_with_the_values_of_aws_and_in_pages() {
    let mut region = Region::new();
    let mut ask = |page_size: Option<i64>, marker: Option<String>| {
        let told = region.call::<ops::DescribeAccountLimits>(s::DescribeAccountLimitsInput { page_size, marker }).unwrap();
        let of = |limit: s::Limit| (limit.name.unwrap(), limit.max.unwrap());
        (told.limits.into_iter().map(of).collect::<Vec<_>>(), told.next_marker)
    };
    let (all, marker) = ask(None, None);
    assert_eq!((all.len(), marker), (14, None));
    for (name, max) in [
        ("condition-values-per-alb-rule", "5"),
        ("condition-wildcards-per-alb-rule", "6"),
        ("targets-per-application-load-balancer", "1000"),
        ("targets-per-availability-zone-per-network-load-balancer", "500"),
        ("targets-per-network-load-balancer", "3000"),
    ] {
        assert!(all.contains(&(name.into(), max.into())), "{name}: {all:?}");
    }
    for page_size in [1, 3, 7, 13, 14, 400] {
        let (mut paged, mut marker) = ask(Some(page_size), None);
        while marker.is_some() {
            let next = ask(Some(page_size), marker);
            assert!(!next.0.is_empty() && next.0.len() <= usize::try_from(page_size).unwrap());
            paged.extend(next.0);
            marker = next.1;
        }
        assert_eq!(paged, all, "{page_size}");
    }
    let wrong = s::DescribeAccountLimitsInput { marker: Some("zzz".into()), page_size: None };
    let of_others = s::DescribeLoadBalancersInput { marker: Some("zzz".into()), ..Default::default() };
    let expected = region.refusal::<ops::DescribeLoadBalancers>(of_others);
    assert!(expected.starts_with("ValidationError 400"), "{expected}");
    assert_eq!(region.refusal::<ops::DescribeAccountLimits>(wrong), expected);
    for page_size in [0, 401] {
        let wrong = s::DescribeAccountLimitsInput { marker: None, page_size: Some(page_size) };
        assert!(region.refusal::<ops::DescribeAccountLimits>(wrong).starts_with("ValidationError 400"));
    }
}
