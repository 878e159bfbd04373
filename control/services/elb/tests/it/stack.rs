//! `AWS::ElasticLoadBalancingV2::*` as the stack engine calls them.

use kernel::Progress;
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::BalancerKind;

use crate::region::Region;

fn kind(name: &str) -> String {
    format!("AWS::ElasticLoadBalancingV2::{name}")
}

fn delete(region: &mut Region, name: &str, id: &str) {
    for _ in 0..2 {
        assert_eq!(region.end(&kind(name), id).unwrap(), Progress::Ready, "{name}");
    }
}

fn group(region: &mut Region, protocol: &str) -> String {
    let properties = json!({"Protocol": protocol, "Port": 80, "VpcId": region.vpc, "TargetType": "ip"});
    region.make(&kind("TargetGroup"), &properties).unwrap()
}

#[test]
fn a_network_load_balancer_of_a_template() {
    let mut region = Region::new();
    let on = json!([{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]);
    let first = json!({"Type": "network", "Subnets": region.subnets, "LoadBalancerAttributes": on,
        "MinimumLoadBalancerCapacity": {"CapacityUnits": 5000}});
    let arn = region.make(&kind("LoadBalancer"), &first).unwrap();
    let plan = region.plan(&arn);
    assert!(plan.kind == BalancerKind::Network && plan.cross_zone && !plan.dualstack);
    let second = json!({"Type": "network", "Subnets": region.subnets[..1], "IpAddressType": "dualstack"});
    region.change(&kind("LoadBalancer"), &arn, &first, &second).unwrap();
    let plan = region.plan(&arn);
    assert!(!plan.cross_zone && plan.dualstack && plan.nodes.len() == 1, "what is no longer named has its default");
    let full_name = region.attribute(&kind("LoadBalancer"), &arn, "LoadBalancerFullName").unwrap();
    assert!(full_name.as_str().unwrap().starts_with("net/web-Thing-"), "{full_name}");
    delete(&mut region, "LoadBalancer", &arn);
}

#[test]
fn a_group_and_a_listener_take_all_properties() {
    let mut region = Region::new();
    let balancer = region.balancer_arn("flow", "network");
    let first = json!({"Protocol": "TCP", "Port": 80, "VpcId": region.vpc, "TargetType": "ip", "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/up", "Matcher": {"HttpCode": "200-204"},
        "TargetGroupAttributes": [{"Key": "proxy_protocol_v2.enabled", "Value": "true"}]});
    let group = region.make(&kind("TargetGroup"), &first).unwrap();
    let forward = json!([{"Type": "forward", "TargetGroupArn": group}]);
    let old = json!({"LoadBalancerArn": balancer, "Port": 80, "Protocol": "TCP", "DefaultActions": forward,
        "ListenerAttributes": [{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]});
    let listener = region.make(&kind("Listener"), &old).unwrap();
    let plan = region.plan(&balancer);
    assert_eq!(plan.listeners[0].tcp_idle_timeout_ms, Some(60_000));
    assert!(plan.target_groups[0].flow.proxy_protocol);
    assert_eq!(plan.target_groups[0].health_check.matcher, [(200, 204)]);
    let new = json!({"LoadBalancerArn": balancer, "Port": 81, "Protocol": "TCP", "DefaultActions": forward});
    region.change(&kind("Listener"), &listener, &old, &new).unwrap();
    let second = json!({"Protocol": "TCP", "Port": 80, "VpcId": region.vpc, "TargetType": "ip"});
    region.change(&kind("TargetGroup"), &group, &first, &second).unwrap();
    let plan = region.plan(&balancer);
    assert_eq!((plan.listeners[0].port, plan.listeners[0].tcp_idle_timeout_ms), (81, Some(350_000)));
    let planned = &plan.target_groups[0];
    assert!(!planned.flow.proxy_protocol && planned.health_check.protocol == world::Protocol::Tcp);
    delete(&mut region, "Listener", &listener);
    delete(&mut region, "TargetGroup", &group);
}

/// What is kept beside the settings that a load balancer is made with has its default, too, when it is no longer named, and the
/// API's limits.
#[test]
fn the_rest_of_a_load_balancer_follows_its_template() {
    let mut region = Region::new();
    let vpc = region.vpc.as_str().into();
    let group = ec2::network::find_security_group_by_name(region.state(), &vpc, "default").unwrap().id.to_string();
    let plain = json!({"Type": "network", "Subnets": region.subnets, "SecurityGroups": [group]});
    let mut off = plain.clone();
    off["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = json!("off");
    let arn = region.make(&kind("LoadBalancer"), &off).unwrap();
    let enforced = |region: &mut Region| {
        let input = s::DescribeLoadBalancersInput { load_balancer_arns: vec![arn.clone()], ..Default::default() };
        let shown = region.call::<ops::DescribeLoadBalancers>(input).unwrap().load_balancers.remove(0);
        shown.enforce_security_group_inbound_rules_on_private_link_traffic
    };
    assert_eq!(enforced(&mut region).as_deref(), Some("off"));
    region.change(&kind("LoadBalancer"), &arn, &off, &plain).unwrap();
    assert_eq!(enforced(&mut region).as_deref(), Some("on"));
    for units in [0, 99, 2_749, 45_001] {
        let mut changed = plain.clone();
        changed["MinimumLoadBalancerCapacity"] = json!({"CapacityUnits": units});
        let refusal = region.change(&kind("LoadBalancer"), &arn, &plain, &changed).unwrap_err();
        assert_eq!(refusal.code, "InvalidConfigurationRequest", "{units}");
    }
}

/// A load balancer's name must not begin with `internal-`, but a stack's may.
#[test]
fn a_stack_that_is_called_internal_has_load_balancers() {
    let mut region = Region::new();
    let properties = json!({"Subnets": region.subnets, "Scheme": "internal"});
    for (stack, begin) in
        [("internal", "Thing-"), ("internal-internal-web", "w-"), ("internal--web", "web-"), ("internal---a", "a-")]
    {
        let arn = region.make_in(stack, &kind("LoadBalancer"), &properties).unwrap();
        let name = region.attribute(&kind("LoadBalancer"), &arn, "LoadBalancerName").unwrap();
        assert!(name.as_str().is_some_and(|name| name.starts_with(begin)), "{name}");
    }
}

/// Only targets that a template begins to name are registered, and only those that it names no more are deregistered.
#[test]
fn an_update_leaves_targets_alone_that_it_does_not_change() {
    let mut region = Region::new();
    let (first, second) = (region.instance(), region.instance());
    let plain = json!({"Protocol": "HTTP", "Port": 80, "VpcId": region.vpc});
    let of = |path: &str, targets: Json| {
        let mut properties = plain.clone();
        (properties["HealthCheckPath"], properties["Targets"]) = (json!(path), targets);
        properties
    };
    let old = of("/", json!([{"Id": first}, {"Id": second}, {"Id": second, "Port": 8080}]));
    let moved = of("/", json!([{"Id": first, "Port": 80}, {"Id": second, "Port": 8080}]));
    let checked = of("/up", json!([{"Id": first}, {"Id": second, "Port": 8080}]));
    let group = region.make(&kind("TargetGroup"), &old).unwrap();
    let rows = |region: &Region| -> Vec<(String, u16, u64)> {
        let rows = region.state().rows::<elb::Registration>();
        rows.map(|r| (r.target.id.clone(), r.target.port, r.generation)).collect()
    };
    let mut expected = rows(&region);
    assert_eq!(expected.len(), 3);
    region.change(&kind("TargetGroup"), &group, &old, &moved).unwrap();
    expected.retain(|(id, port, _)| !(*id == second && *port == 80));
    assert_eq!(rows(&region), expected, "a port that is the group's own is no other one");
    let stop = shapes::ec2::StopInstancesRequest { instance_ids: vec![first], ..Default::default() };
    region.call::<shapes::ec2::ops::StopInstances>(stop).unwrap();
    region.change(&kind("TargetGroup"), &group, &moved, &checked).unwrap();
    assert_eq!(rows(&region), expected, "one that is stopped is no hindrance");
}

fn rule(listener: &str, priority: i64, conditions: &Json, action: &Json) -> Json {
    json!({"ListenerArn": listener, "Priority": priority, "Conditions": conditions, "Actions": [action]})
}

/// A template and the API make the same rule of the same words.
#[test]
fn a_rule_of_a_template_is_the_rule_of_a_request() {
    let mut region = Region::new();
    let balancer = region.balancer_arn("web", "application");
    let group = group(&mut region, "HTTP");
    let listener = region.listener(&balancer, "HTTP", 80, crate::region::forward(&group));
    let conditions = json!([
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1"}]}},
    ]);
    let redirect = json!({"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}});
    let first = rule(&listener, 7, &conditions, &redirect);
    let arn = region.make(&kind("ListenerRule"), &first).unwrap();
    let input = s::DescribeRulesInput { rule_arns: vec![arn.clone()], ..Default::default() };
    let shown = region.call::<ops::DescribeRules>(input).unwrap().rules.remove(0);
    let again = s::CreateRuleInput {
        listener_arn: listener.clone(),
        priority: 8,
        conditions: shown.conditions,
        actions: shown.actions,
        ..Default::default()
    };
    region.call::<ops::CreateRule>(again).unwrap();
    let rules = region.plan(&balancer).listeners.remove(0).rules;
    assert_eq!((&rules[0].conditions, &rules[0].action), (&rules[1].conditions, &rules[1].action));
    let forward = json!({"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 3}],
        "TargetGroupStickinessConfig": {"Enabled": true, "DurationSeconds": 60}}});
    let second = rule(&listener, 9, &json!([{"Field": "path-pattern", "Values": ["/a/*"]}]), &forward);
    region.change(&kind("ListenerRule"), &arn, &first, &second).unwrap();
    let rules = region.plan(&balancer).listeners.remove(0).rules;
    assert_eq!(rules.iter().map(|r| r.priority).collect::<Vec<_>>(), [8, 9]);
    assert!(matches!(rules[1].action, world::Action::Forward { sticky_ms: Some(60_000), .. }));
    assert_eq!(region.attribute(&kind("ListenerRule"), &arn, "IsDefault").unwrap(), json!(false));
    delete(&mut region, "ListenerRule", &arn);
}

/// AWS, of AddTags and RemoveTags alike: "Tag key 'aws:cloudformation:stack-name' cannot start with 'aws:'".
#[test]
fn nobody_adds_or_removes_the_systems_tags() {
    let mut region = Region::new();
    let properties = json!({"Subnets": region.subnets, "Tags": [{"Key": "team", "Value": "a"}]});
    let arn = region.make(&kind("LoadBalancer"), &properties).unwrap();
    let shown = |region: &mut Region| {
        let input = s::DescribeTagsInput { resource_arns: vec![arn.clone()] };
        let mut all = region.call::<ops::DescribeTags>(input).unwrap().tag_descriptions;
        all.remove(0).tags.into_iter().map(|tag| tag.key).collect::<Vec<_>>()
    };
    let before = shown(&mut region);
    let system = before.iter().find(|key| key.starts_with("aws:")).unwrap().clone();
    let expected = format!("ValidationError 400: Tag key '{system}' cannot start with 'aws:'");
    let tag_keys = vec!["team".into(), system.clone()];
    let remove = s::RemoveTagsInput { resource_arns: vec![arn.clone()], tag_keys };
    assert_eq!(region.refusal::<ops::RemoveTags>(remove), expected);
    let tags = vec![s::Tag { key: system, value: Some("mine".into()) }];
    let add = s::AddTagsInput { resource_arns: vec![arn.clone()], tags };
    assert_eq!(region.refusal::<ops::AddTags>(add), expected);
    assert_eq!(shown(&mut region), before, "nothing is done in part");
    let remove = s::RemoveTagsInput { resource_arns: vec![arn.clone()], tag_keys: vec!["team".into(), "none".into()] };
    region.call::<ops::RemoveTags>(remove).unwrap();
    assert_eq!(shown(&mut region).len(), before.len() - 1);
}

/// A listener, a rule, certificates and groups that are in use are complete when the edge serves them, and fail for the reason
/// for which it does not.
#[test]
fn what_the_edge_does_not_serve_is_not_complete() {
    let mut region = Region::new();
    let properties = json!({"Subnets": region.subnets});
    let (balancer, at_once) = region.make_and_look(&kind("LoadBalancer"), &properties);
    assert_eq!(at_once, Progress::Pending);
    region.world_answers(&balancer, None);
    assert_eq!(region.progress(&kind("LoadBalancer"), &balancer), Progress::Ready);
    let (group, at_once) = region.make_and_look(
        &kind("TargetGroup"),
        &json!({"Protocol": "HTTP", "Port": 80, "VpcId": region.vpc, "TargetType": "ip", "Name": "web"}),
    );
    assert_eq!(at_once, Progress::Ready, "nobody uses it");

    let forward = json!({"Type": "forward", "TargetGroupArn": group});
    let listener = json!({"LoadBalancerArn": balancer, "Port": 80, "Protocol": "HTTP", "DefaultActions": [forward]});
    // What the edge has applied is of before.
    let (listener, at_once) = region.make_and_look(&kind("Listener"), &listener);
    assert_eq!(at_once, Progress::Pending);
    assert_eq!(region.progress(&kind("Listener"), &listener), Progress::Pending, "the edge has not answered");
    assert_eq!(region.progress(&kind("TargetGroup"), &group), Progress::Pending);
    assert_eq!(region.progress(&kind("ListenerCertificate"), &listener), Progress::Pending);
    region.world_answers(&balancer, Some("port 80 is taken"));
    let refused = Progress::Failed("port 80 is taken".into());
    for (name, id) in
        [("Listener", &listener), ("TargetGroup", &group), ("ListenerCertificate", &listener), ("LoadBalancer", &balancer)]
    {
        assert_eq!(region.progress(&kind(name), id), refused, "{name}");
    }

    let conditions = json!([{"Field": "path-pattern", "Values": ["/a/*"]}]);
    let first = rule(&listener, 7, &conditions, &forward);
    let (arn, at_once) = region.make_and_look(&kind("ListenerRule"), &first);
    assert_eq!(at_once, Progress::Pending, "the refusal is of before");
    region.world_answers(&balancer, None);
    for (name, id) in [("ListenerRule", &arn), ("Listener", &listener), ("TargetGroup", &group)] {
        assert_eq!(region.progress(&kind(name), id), Progress::Ready, "{name}");
    }
    region.change(&kind("ListenerRule"), &arn, &first, &rule(&listener, 8, &conditions, &forward)).unwrap();
    assert_eq!(region.progress(&kind("ListenerRule"), &arn), Progress::Pending);
    region.world_answers(&balancer, None);
    assert_eq!(region.progress(&kind("ListenerRule"), &arn), Progress::Ready);
    delete(&mut region, "ListenerRule", &arn);
    assert!(matches!(region.progress(&kind("ListenerRule"), &arn), Progress::Failed(_)));
}
