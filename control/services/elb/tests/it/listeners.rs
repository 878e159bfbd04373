//! Listeners of both kinds of load balancer.

use shapes::elbv2 as s;
use shapes::elbv2::ops;
use world::Protocol;

use crate::region::{Region, forward, pairs};

fn refusal(region: &mut Region, input: s::CreateListenerInput) -> String {
    region.refusal::<ops::CreateListener>(input)
}

/// hashicorp/terraform#26407.
fn taken(balancer: &str) -> String {
    format!("DuplicateListener 400: A listener already exists on this port for this load balancer '{balancer}'")
}

#[test]
fn protocols_fit_the_load_balancer_and_the_group() {
    let mut region = Region::new();
    let (web, flow) = (region.balancer_arn("web", "application"), region.balancer_arn("flow", "network"));
    let (http, tcp, udp) = (region.group("http", "HTTP"), region.group("tcp", "TCP"), region.group("udp", "TCP_UDP"));
    let input = |balancer: &str, protocol: &str, group: &str| Region::listener_input(balancer, protocol, 80, forward(group));
    for (balancer, protocol, group, code) in [
        (&web, "TCP", &tcp, "ValidationError"),
        (&flow, "HTTP", &http, "ValidationError"),
        (&web, "HTTP", &tcp, "IncompatibleProtocols"),
        (&flow, "TCP", &http, "IncompatibleProtocols"),
        (&flow, "TCP_UDP", &tcp, "IncompatibleProtocols"),
        (&flow, "GENEVE", &tcp, "ValidationError"),
    ] {
        let refusal = refusal(&mut region, input(balancer, protocol, group));
        assert!(refusal.starts_with(code), "{protocol}: {refusal}");
    }
    region.call::<ops::CreateListener>(input(&flow, "TCP", &tcp)).unwrap();
    let duplicate = refusal(&mut region, input(&flow, "UDP", &udp));
    assert_eq!(duplicate, taken(&flow));
    let mut grpc = region.group_input("grpc", "HTTP");
    grpc.protocol_version = Some("GRPC".into());
    let grpc = region.call::<ops::CreateTargetGroup>(grpc).unwrap().target_groups.remove(0).target_group_arn.unwrap();
    let refused = refusal(&mut region, input(&web, "HTTP", &grpc));
    assert!(refused.ends_with("Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC'"));
    let plan = region.plan(&flow);
    assert_eq!((plan.listeners[0].protocol, plan.listeners[0].tcp_idle_timeout_ms), (Protocol::Tcp, Some(350_000)));
    assert!(!plan.cross_zone && !plan.target_groups[0].cross_zone);
}

/// Weighted target groups of network load balancers, which AWS has since November 2025: "numeric weights between 0 and 999".
#[test]
fn a_network_load_balancer_divides_its_flows_by_weight() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    let groups: Vec<String> = (0..6).map(|n| region.group(&format!("g{n}"), "TCP")).collect();
    let udp = region.group("udp", "UDP");
    let weighted = |groups: &[&String], weight: i64, sticky: bool| {
        let tuple = |arn: &&String| s::TargetGroupTuple { target_group_arn: Some((*arn).clone()), weight: Some(weight) };
        let stickiness = s::TargetGroupStickinessConfig { enabled: Some(sticky), duration_seconds: sticky.then_some(60) };
        let config = s::ForwardActionConfig {
            target_groups: groups.iter().map(tuple).collect(),
            target_group_stickiness_config: Some(stickiness),
        };
        let action = s::Action { r#type: "forward".into(), forward_config: Some(config), ..Default::default() };
        Region::listener_input(&flow, "TCP", 80, action)
    };
    let two = [&groups[0], &groups[1]];
    for (input, code) in [
        (weighted(&two, 1_000, false), "ValidationError"),
        (weighted(&two, 1, true), "InvalidLoadBalancerAction"),
        (weighted(&groups.iter().collect::<Vec<_>>(), 1, false), "TooManyTargetGroups"),
        (weighted(&[&groups[0], &udp], 1, false), "IncompatibleProtocols"),
    ] {
        let refusal = refusal(&mut region, input);
        assert!(refusal.starts_with(code), "{refusal}");
    }
    region.call::<ops::CreateListener>(weighted(&two, 999, false)).unwrap();
    let plan = region.plan(&flow);
    let world::Action::Forward { groups, sticky_ms: None } = &plan.listeners[0].default_action else { panic!("{plan:?}") };
    assert_eq!((groups.iter().map(|w| w.weight).collect::<Vec<_>>(), plan.target_groups.len()), (vec![999, 999], 2));
}

#[test]
fn listeners_of_network_load_balancers_only_forward() {
    let mut region = Region::new();
    let flow = region.balancer_arn("flow", "network");
    let fixed = s::Action {
        r#type: "fixed-response".into(),
        fixed_response_config: Some(s::FixedResponseActionConfig { status_code: "200".into(), ..Default::default() }),
        ..Default::default()
    };
    let refused = refusal(&mut region, Region::listener_input(&flow, "TCP", 80, fixed));
    assert!(refused.starts_with("InvalidLoadBalancerAction"), "{refused}");
    let group = region.group("tcp", "TCP");
    let listener = region.listener(&flow, "TCP", 80, forward(&group));
    let rule = Region::rule_input(&listener, 1, crate::region::path(&["/a"]), forward(&group));
    assert!(region.refusal::<ops::CreateRule>(rule).starts_with("InvalidConfigurationRequest"));
}

/// "If you attempt to create multiple listeners with the same settings, each call succeeds" (CreateListener).
#[test]
fn the_same_listener_again_is_the_one_that_is_there() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let (one, two) = (region.group("one", "HTTP"), region.group("two", "HTTP"));
    let input = Region::listener_input(&web, "HTTP", 80, forward(&one));
    let made = region.call::<ops::CreateListener>(input.clone()).unwrap().listeners;
    assert_eq!(region.call::<ops::CreateListener>(input.clone()).unwrap().listeners, made);
    let shown = s::CreateListenerInput { default_actions: made[0].default_actions.clone(), ..input };
    assert_eq!(region.call::<ops::CreateListener>(shown).unwrap().listeners, made, "nor does it matter how it is said");
    let other = refusal(&mut region, Region::listener_input(&web, "HTTP", 80, forward(&two)));
    assert_eq!(other, taken(&web));
    assert_eq!(region.plan(&web).listeners.len(), 1);
    let kind = "AWS::ElasticLoadBalancingV2::Listener";
    let properties = serde_json::json!({"LoadBalancerArn": web, "Port": 80, "Protocol": "HTTP",
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": one}]});
    assert_eq!(region.make(kind, &properties).unwrap_err().code, "DuplicateListener", "a stack takes nothing over");
}

#[test]
fn what_belongs_to_tls_is_for_tls_only() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let group = region.group("web", "HTTP");
    let plain = Region::listener_input(&web, "HTTP", 80, forward(&group));
    let secure = Region::listener_input(&web, "HTTPS", 443, forward(&group));
    let certificate =
        s::Certificate { certificate_arn: Some("arn:aws:acm:eu-central-1:0:certificate/none".into()), is_default: None };
    let with =
        |input: &s::CreateListenerInput| s::CreateListenerInput { certificates: vec![certificate.clone()], ..input.clone() };
    let policy = |name: &str| s::CreateListenerInput { ssl_policy: Some(name.into()), ..with(&secure) };
    for (input, expected) in [
        (with(&plain), "ValidationError 400: A certificate cannot be specified for HTTP listeners"),
        (secure.clone(), "ValidationError 400: A certificate must be specified for HTTPS listeners"),
        (with(&secure), "CertificateNotFound 400: Certificate 'arn:aws:acm:eu-central-1:0:certificate/none' not found"),
        (policy("Nonsense"), "SSLPolicyNotFound 400: SSL policy 'Nonsense' not found"),
        (policy("ELBSecurityPolicy-2016-08"), "InvalidConfigurationRequest 400: SSL policy 'ELBSecurityPolicy-2016-08' is not"),
    ] {
        let refusal = refusal(&mut region, input);
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    let listener = region.listener(&web, "HTTP", 80, forward(&group));
    let add = s::AddListenerCertificatesInput { listener_arn: listener, certificates: vec![certificate] };
    assert!(region.refusal::<ops::AddListenerCertificates>(add).starts_with("ValidationError"));
}

#[test]
fn policies_are_told_with_their_ciphers() {
    let mut region = Region::new();
    let all = region.call::<ops::DescribeSSLPolicies>(s::DescribeSSLPoliciesInput::default()).unwrap().ssl_policies;
    assert_eq!(all.len(), world::SECURITY_POLICIES.len());
    let only = s::DescribeSSLPoliciesInput { names: vec!["ELBSecurityPolicy-TLS13-1-3-2021-06".into()], ..Default::default() };
    let one = region.call::<ops::DescribeSSLPolicies>(only).unwrap().ssl_policies.remove(0);
    assert_eq!((one.ssl_protocols, one.ciphers.len()), (vec!["TLSv1.3".to_string()], 3));
    let first = s::DescribeSSLPoliciesInput { page_size: Some(4), ..Default::default() };
    let page = region.call::<ops::DescribeSSLPolicies>(first).unwrap();
    let rest = s::DescribeSSLPoliciesInput { marker: page.next_marker, ..Default::default() };
    let rest = region.call::<ops::DescribeSSLPolicies>(rest).unwrap().ssl_policies;
    assert_eq!([page.ssl_policies, rest].concat(), all);
}

#[test]
fn attributes_depend_on_the_protocol_and_reach_the_plan() {
    let mut region = Region::new();
    let (web, flow) = (region.balancer_arn("web", "application"), region.balancer_arn("flow", "network"));
    let (http, tcp) = (region.group("http", "HTTP"), region.group("tcp", "TCP"));
    let (http, tcp) = (region.listener(&web, "HTTP", 80, forward(&http)), region.listener(&flow, "TCP", 80, forward(&tcp)));
    let modify = |listener: &str, all: &[(&str, &str)]| s::ModifyListenerAttributesInput {
        listener_arn: listener.into(),
        attributes: pairs(all).into_iter().map(|(key, value)| s::ListenerAttribute { key, value }).collect(),
    };
    let hsts = "routing.http.response.strict_transport_security.header_value";
    let wanted = [("routing.http.response.server.enabled", "false"), (hsts, "max-age=60")];
    let all = region.call::<ops::ModifyListenerAttributes>(modify(&http, &wanted)).unwrap().attributes;
    assert_eq!(all.len(), 11);
    let planned = region.plan(&web).listeners.remove(0);
    assert!(!planned.server_header);
    assert_eq!(planned.answer_headers, [("Strict-Transport-Security".to_string(), "max-age=60".to_string())]);
    region.call::<ops::ModifyListenerAttributes>(modify(&tcp, &[("tcp.idle_timeout.seconds", "60")])).unwrap();
    assert_eq!(region.plan(&flow).listeners[0].tcp_idle_timeout_ms, Some(60_000));
    for (listener, name, value) in [
        (&tcp, hsts, "x"),
        (&http, "tcp.idle_timeout.seconds", "60"),
        (&tcp, "tcp.idle_timeout.seconds", "59"),
        (&http, "routing.http.response.x_frame_options.header_value", "NEVER"),
        (&http, "routing.http.response.access_control_max_age.header_value", "86401"),
        (&http, "routing.http.response.access_control_max_age.header_value", "+60"),
        (&tcp, "tcp.idle_timeout.seconds", "060"),
        (&http, "routing.http.request.x_amzn_tls_version.header_name", "X-Tls"),
        (&http, hsts, "a\r\nb: c"),
        // "Special characters: _ :;.,\/'?!(){}[]@<>=-+*#&`|~^%".
        (&http, hsts, "max-age=\"60\""),
        (&http, "routing.http.response.content_security_policy.header_value", "default-src $self"),
        (&tcp, "tcp.idle_timeout.seconds", ""),
    ] {
        let refusal = region.refusal::<ops::ModifyListenerAttributes>(modify(listener, &[(name, value)]));
        assert!(refusal.contains(" 400: "), "{name} {refusal}");
    }
    region.call::<ops::ModifyListenerAttributes>(modify(&http, &wanted.map(|(name, _)| (name, "")))).unwrap();
    let planned = region.plan(&web).listeners.remove(0);
    assert!(planned.server_header && planned.answer_headers.is_empty(), "an empty value takes all back");
}

#[test]
fn a_listener_changes_in_part() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let (one, two) = (region.group("one", "HTTP"), region.group("two", "HTTP"));
    let listener = region.listener(&web, "HTTP", 80, forward(&one));
    let input = s::ModifyListenerInput { listener_arn: listener.clone(), port: Some(8080), ..Default::default() };
    let changed = region.call::<ops::ModifyListener>(input).unwrap().listeners.remove(0);
    assert_eq!(changed.port, Some(8080));
    assert_eq!(changed.default_actions[0].target_group_arn.as_ref(), Some(&one));
    let input = s::ModifyListenerInput { listener_arn: listener, default_actions: vec![forward(&two)], ..Default::default() };
    region.call::<ops::ModifyListener>(input.clone()).unwrap();
    let second = region.listener(&web, "HTTP", 80, forward(&one));
    let input = s::ModifyListenerInput { port: Some(80), ..input };
    assert_eq!(region.refusal::<ops::ModifyListener>(input), taken(&web));
    region.call::<ops::DeleteListener>(s::DeleteListenerInput { listener_arn: second }).unwrap();
    let planned = region.plan(&web);
    assert_eq!((planned.listeners[0].port, planned.target_groups.len()), (8080, 1));
    assert_eq!(planned.target_groups[0].id.as_str(), two);
}
