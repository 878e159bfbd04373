//! Rules of listeners: who gets a request by what it says, what is changed of it on the way, and what is answered at once
//! ("ELB User Guide, Listener rules for your Application Load Balancer").

#![allow(clippy::unwrap_used)]

use world::{Action, Condition, ListenerRule, LoadBalancer, Pattern, QueryPattern, TargetHealth, Transform, WeightedGroup};

use crate::client::Client;
use crate::origin::{Origin, reply};
use crate::rig::{GROUP, Rig};

pub const SECOND: &str = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/second/2";

/// A second group with these targets.
pub fn with_second(rig: &Rig, mut balancer: LoadBalancer, targets: &[u8]) -> LoadBalancer {
    let mut second = balancer.target_groups[0].clone();
    second.id = SECOND.into();
    second.targets = targets.iter().map(|n| rig.target(*n)).collect();
    balancer.target_groups.push(second);
    balancer
}

pub fn forward(groups: &[(&str, u32)], sticky_ms: Option<u64>) -> Action {
    let group = |(group, weight): &(&str, u32)| WeightedGroup { group: (*group).into(), weight: *weight };
    Action::Forward { groups: groups.iter().map(group).collect(), sticky_ms }
}

fn rule(priority: u32, conditions: Vec<Condition>, action: Action) -> ListenerRule {
    ListenerRule { id: format!("rule-{priority}"), priority, conditions, transforms: Vec::new(), action }
}

fn path(glob: &str) -> Condition {
    Condition::Path { values: vec![Pattern::Glob(glob.into())] }
}

fn host(glob: &str) -> Condition {
    Condition::Host { values: vec![Pattern::Glob(glob.into())] }
}

fn fixed(body: &str) -> Action {
    Action::FixedResponse { status: 200, content_type: None, body: body.into() }
}

/// Answers of a load balancer with these rules to requests of a host and a target.
#[track_caller]
fn check(rules: Vec<ListenerRule>, wanted: &[(&str, &str, &str)]) {
    let mut rig = Rig::start();
    let mut balancer = rig.balancer(&[]);
    balancer.listeners[0].rules = rules;
    balancer.listeners[0].default_action = fixed("default");
    rig.apply(balancer);
    let mut client = Client::connect(rig.door());
    for (host, target, body) in wanted {
        let answer = client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Kind: Blue\r\n\r\n")).answer(false);
        assert_eq!((answer.status, answer.text().as_str()), (200, *body), "{host} {target}");
    }
}

#[test]
fn the_first_rule_whose_conditions_hold_is_taken() {
    let rules = vec![
        rule(1, vec![host("api.example.com"), path("/v1/*")], fixed("one")),
        rule(5, vec![path("/img/*")], fixed("five")),
        rule(9, vec![host("*.example.com")], fixed("nine")),
    ];
    check(
        rules,
        &[
            ("API.example.com:8080", "/v1/users?x=/img/", "one"),
            ("api.example.com.", "/v1/", "one"),
            ("api.example.com", "/img/v1/", "five"),
            ("www.example.com", "/", "nine"),
            ("example.com", "/v1/", "default"),
            ("other.org", "http://api.example.com/v1/users", "one"),
            ("other.org", "http://api.example.com", "nine"),
        ],
    );
}

#[test]
fn headers_queries_methods_and_sources_are_conditions() {
    let header = |glob: &str| Condition::Header { name: "x-kind".into(), values: vec![Pattern::Glob(glob.into())] };
    let query =
        |key: &str, value: &str| Condition::Query { values: vec![QueryPattern { key: Some(key.into()), value: value.into() }] };
    let source = |block: &str| Condition::SourceIp { values: vec![block.into()] };
    let rules = vec![
        rule(1, vec![source("192.0.2.0/24")], fixed("source")),
        rule(2, vec![Condition::Method { values: vec!["POST".into()] }], fixed("method")),
        rule(3, vec![query("stage", "b?ta*")], fixed("query")),
        rule(4, vec![path("/h"), header("blue"), source("127.0.0.0/8")], fixed("header")),
        rule(5, vec![Condition::Path { values: vec![Pattern::Regex("^/v[0-9]+/".into())] }], fixed("regex")),
    ];
    let wanted = [("a", "/h", "header"), ("a", "/h?STAGE=Beta2", "query"), ("a", "/v12/", "regex"), ("a", "/vx/", "default")];
    check(rules, &wanted);
}

#[test]
fn redirects_keep_what_they_do_not_change() {
    let mut rig = Rig::start();
    let mut balancer = rig.balancer(&[]);
    let redirect = |host: &str, port: &str, status| Action::Redirect {
        protocol: "HTTPS".into(),
        host: host.into(),
        port: port.into(),
        path: "/#{path}".into(),
        query: "#{query}".into(),
        status,
    };
    balancer.listeners[0].rules = vec![rule(1, vec![path("/moved/*")], redirect("new.#{host}", "8443", 302))];
    balancer.listeners[0].default_action = redirect("#{host}", "443", 301);
    rig.apply(balancer.clone());
    let mut client = Client::connect(rig.door());
    let answer = client.send("GET /a?b=c&d HTTP/1.1\r\nHost: example.com:80\r\n\r\n").answer(false);
    assert_eq!((answer.status, answer.header("Location")), (301, Some("https://example.com:443/a?b=c&d")));
    assert_eq!((answer.header("Server"), answer.header("Content-Type")), (Some("awselb/2.0"), Some("text/html")));
    assert!(answer.text().contains("<h1>301 Moved Permanently</h1>"), "{}", answer.text());
    let answer = client.send("HEAD /moved/x HTTP/1.1\r\nHost: example.com\r\n\r\n").answer(true);
    assert_eq!((answer.status, answer.header("Location")), (302, Some("https://new.example.com:8443/moved/x")));
    balancer.listeners[0].default_action = Action::Redirect {
        protocol: "#{protocol}".into(),
        host: "#{host}".into(),
        port: "#{port}".into(),
        path: "/#{path}".into(),
        query: "x".into(),
        status: 301,
    };
    let reason = rig.refused(balancer);
    assert!(reason.contains("creates a loop"), "{reason}");
}

#[test]
fn transforms_rewrite_what_targets_get() {
    let mut rig = Rig::start();
    let origin = Origin::healthy(rig.target_at(0), |_, stream| reply(stream, 200, "ok"));
    let mut balancer = rig.balancer(&[0]);
    let mut rewriting = rule(1, vec![path("/shop/*")], forward(&[(GROUP, 1)], None));
    rewriting.transforms = vec![
        Transform::Url { regex: "^/shop/([a-z]+)/?(.*)$".into(), replace: "/$1.php$2".into() },
        Transform::Host { regex: "^(.+)\\.example\\.com$".into(), replace: "$1.internal".into() },
    ];
    let mut failing = rule(2, vec![path("/bad/*")], forward(&[(GROUP, 1)], None));
    failing.transforms = vec![Transform::Url { regex: "^/bad/".into(), replace: "".into() }];
    balancer.listeners[0].rules = vec![rewriting, failing];
    rig.apply(balancer);
    rig.serve.await_health(0, &TargetHealth::Healthy);
    let mut client = Client::connect(rig.door());
    let mut go =
        |target: &str, host: &str| client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).answer(false).status;
    assert_eq!(go("/shop/cart?x=1", "www.example.com"), 200);
    assert_eq!(go("/shop/123", "other.org"), 200);
    assert_eq!(go("http://www.example.com/shop/cart", "ignored"), 200);
    assert_eq!(go("/bad/x", "a"), 500, "a match whose rewriting fails");
    let got: Vec<_> = origin.got().iter().map(|g| (g.path().to_string(), g.header("Host").unwrap().to_string())).collect();
    let wanted = [("/cart.php?x=1", "www.internal:8080"), ("/shop/123", "other.org:8080"), ("/cart.php", "www.internal:8080")];
    assert_eq!(got, wanted.map(|(path, host)| (path.to_string(), host.to_string())));
}

#[test]
fn weights_share_out_requests_and_zero_gets_none() {
    let mut rig = Rig::start();
    let _origins = [Origin::named(rig.target_at(0), "first"), Origin::named(rig.target_at(1), "second")];
    let mut balancer = with_second(&rig, rig.balancer(&[0]), &[1]);
    let mut share = |rig: &mut Rig, weights: [u32; 2]| {
        balancer.listeners[0].default_action = forward(&[(GROUP, weights[0]), (SECOND, weights[1])], None);
        rig.apply(balancer.clone());
        (0..2).for_each(|n| rig.serve.await_health(n, &TargetHealth::Healthy));
        let mut client = Client::connect(rig.door());
        let answers: Vec<_> = (0..400).map(|_| client.get("/")).collect();
        (answers[0].status, answers.iter().filter(|a| a.text() == "second").count())
    };
    let (_, seconds) = share(&mut rig, [1, 3]);
    // Four standard deviations around 300.
    assert!((265..=335).contains(&seconds), "{seconds} of 400");
    assert_eq!(share(&mut rig, [1, 0]), (200, 0));
    assert_eq!(share(&mut rig, [0, 5]), (200, 400));
    assert_eq!(share(&mut rig, [0, 0]), (503, 0));
}

#[test]
fn what_cannot_be_served_is_refused_and_the_rules_before_stay() {
    let mut rig = Rig::start();
    let mut balancer = rig.balancer(&[]);
    balancer.listeners[0].default_action = fixed("before");
    rig.apply(balancer.clone());
    let mut refused = |rule: ListenerRule, words: &str| {
        balancer.listeners[0].rules = vec![rule];
        let reason = rig.refused(balancer.clone());
        assert!(reason.contains(words), "{reason}");
    };
    let regex = |text: &str| Condition::Path { values: vec![Pattern::Regex(text.into())] };
    refused(rule(3, vec![regex("(?=a)")], fixed("")), "rule 3");
    refused(rule(3, vec![regex(&"a".repeat(129))], fixed("")), "more than 128");
    refused(rule(3, vec![path("/")], forward(&[("arn:unknown", 1)], None)), "arn:unknown");
    let mut transforming = rule(3, vec![path("/")], fixed(""));
    transforming.transforms = vec![Transform::Url { regex: "(a)".into(), replace: "$2".into() }];
    refused(transforming, "$2");
    assert_eq!(Client::connect(rig.door()).get("/").text(), "before");
}
