#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use world::{Action, Condition, Listener, ListenerRule, Pattern, Protocol, QueryPattern, Rewrites, Transform};

use super::condition::Subject;
use super::cookie::Sealer;
use super::{RULES_MAX, Route, Rules};
use crate::http::fields::Header;

fn fixed(status: u16) -> Action {
    Action::FixedResponse { status, content_type: None, body: String::new() }
}

fn listener(rules: Vec<Vec<Condition>>) -> Listener {
    let rule = |(priority, conditions): (u32, Vec<Condition>)| ListenerRule {
        id: format!("rule-{priority}"),
        priority,
        conditions,
        transforms: Vec::new(),
        action: fixed(200),
    };
    Listener {
        id: "listener".into(),
        port: 80,
        protocol: Protocol::Http,
        tls: None,
        rules: (1..).zip(rules).map(rule).collect(),
        default_action: fixed(404),
        server_header: true,
        answer_headers: Vec::new(),
        request_header_names: Vec::new(),
        tcp_idle_timeout_ms: None,
    }
}

fn compile(listener: &Listener) -> Result<Route, String> {
    let directory = tempfile::tempdir().unwrap();
    let sealer = Arc::new(Sealer::load(&directory.path().join("key")).unwrap());
    Route::compile(listener, Arc::new(Rules::compile(listener)?), &sealer, &|_| None)
}

fn globs(values: &[&str]) -> Vec<Pattern> {
    values.iter().map(|v| Pattern::Glob((*v).into())).collect()
}

fn host(values: &[&str]) -> Condition {
    Condition::Host { values: globs(values) }
}

fn path(values: &[&str]) -> Condition {
    Condition::Path { values: globs(values) }
}

fn query(key: Option<&str>, value: &str) -> Condition {
    Condition::Query { values: vec![QueryPattern { key: key.map(Into::into), value: value.into() }] }
}

const NOBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

fn subject<'a>(host: &'a str, path: &'a str, query: &'a str, headers: &'a [Header<'a>]) -> Subject<'a> {
    Subject { method: "GET", host, path, query, headers, client: NOBODY }
}

#[test]
fn the_first_rule_by_priority_is_taken() {
    let rules = vec![
        vec![host(&["api.example.com"]), path(&["/v1/*"])],
        vec![path(&["/img/*", "/pics/*"])],
        vec![host(&["*.example.com"])],
        vec![path(&["*.php"])],
        vec![path(&["/img/cats/*"])],
    ];
    let route = compile(&listener(rules)).unwrap();
    let check =
        |host, path, wanted: u32| assert_eq!(route.decide(&subject(host, path, "", &[])).priority, wanted, "{host}{path}");
    check("API.Example.com", "/v1/users", 1);
    check("api.example.com", "/img/cats/1", 2);
    check("other.org", "/pics/a", 2);
    check("api.example.com", "/v2", 3);
    check("other.org", "/index.php", 4);
    check("other.org", "/", 0);
    check("", "/", 0);
}

#[test]
fn every_kind_of_condition_is_met() {
    let headers =
        [Header::new(b"User-Agent", b"Mozilla/5.0 (Chrome)"), Header::new(b"X-Tenant", b"one"), Header::new(b"x-tenant", b"two")];
    let header = |name: &str, values: &[&str]| Condition::Header { name: name.into(), values: globs(values) };
    let method = |m: &str| Condition::Method { values: vec![m.into()] };
    let source = |block: &str| Condition::SourceIp { values: vec![block.into()] };
    let regex = |expression: &str| vec![Pattern::Regex(expression.into())];
    let check = |conditions: Vec<Condition>, wanted: bool| {
        let route = compile(&listener(vec![conditions.clone()])).unwrap();
        let subject = subject("www.example.com", "/a/b", "version=V1&q=a%26b&flag", &headers);
        assert_eq!(route.decide(&subject).priority == 1, wanted, "{conditions:?}");
    };
    check(vec![header("user-agent", &["*chrome*", "*safari*"])], true);
    check(vec![header("user-agent", &["*safari*"])], false);
    check(vec![header("X-TENANT", &["TWO"])], true);
    check(vec![header("X-Missing", &["*"])], false);
    check(vec![method("GET")], true);
    check(vec![method("get")], false);
    check(vec![query(Some("version"), "v1")], true);
    check(vec![query(Some("VERSION"), "v?")], true);
    check(vec![query(None, "v1")], true);
    check(vec![query(Some("other"), "v1")], false);
    check(vec![query(Some("q"), "a&b")], true);
    check(vec![query(Some("q"), "a%26b")], true);
    check(vec![query(Some("flag"), "*")], true);
    check(vec![source("203.0.113.0/24")], true);
    check(vec![source("198.51.100.0/24"), path(&["/a/*"])], false);
    check(vec![host(&["WWW.example.com"]), path(&["/a/?"]), method("GET")], true);
    check(vec![path(&["/A/b"])], false);
    check(vec![Condition::Path { values: regex("^/[a-z]/b$") }], true);
    check(vec![Condition::Path { values: regex("^/[A-Z]/") }], false);
    check(vec![Condition::Host { values: regex(r"^WWW\.[a-z]+\.com$") }], true);
    check(vec![header("user-agent", &["*"]), Condition::Header { name: "x-tenant".into(), values: regex("^tw") }], true);
}

#[test]
fn what_cannot_be_compiled_is_refused_with_its_rule() {
    let bad = [
        Condition::Path { values: vec![Pattern::Regex("(".into())] },
        Condition::Path { values: vec![Pattern::Glob(String::new())] },
        Condition::SourceIp { values: vec!["1.2.3.4".into()] },
        Condition::Header { name: "x".repeat(41), values: globs(&["*"]) },
    ];
    for condition in bad {
        let reason = compile(&listener(vec![vec![path(&["/"])], vec![condition.clone()]])).unwrap_err();
        assert!(reason.starts_with("rule 2: "), "{reason}");
    }
    assert!(compile(&listener(vec![vec![path(&["/"])]; RULES_MAX + 1])).unwrap_err().contains("port 80"));
}

fn some_conditions() -> impl Strategy<Value = Vec<Condition>> {
    let host_values = prop::collection::vec("[ab*?.]{1,5}", 1..3);
    let path_values = prop::collection::vec("/[ab*?]{0,5}", 1..3);
    let wild_values = prop::collection::vec("[ab*?/]{1,5}", 1..2);
    let of = |make: fn(Vec<Pattern>) -> Condition| move |v: Vec<String>| make(v.into_iter().map(Pattern::Glob).collect());
    let condition = prop_oneof![
        host_values.prop_map(of(|values| Condition::Host { values })),
        path_values.prop_map(of(|values| Condition::Path { values })),
        wild_values.prop_map(of(|values| Condition::Path { values })),
        "[ab*?]{1,3}".prop_map(|v| Condition::Header { name: "X-A".into(), values: vec![Pattern::Glob(v)] }),
        ("[kl*]", "[ab*?]{1,3}").prop_map(|(key, value)| query(Some(&key), &value)),
        "\\^/[ab]{1,3}[?*+]?b?".prop_map(|v| Condition::Path { values: vec![Pattern::Regex(v)] }),
        Just(Condition::Method { values: vec!["GET".into()] }),
        Just(Condition::Method { values: vec!["POST".into()] }),
    ];
    prop::collection::vec(condition, 1..3)
}

/// A text of a rule: one that people write, or pieces of such put together without sense.
fn some_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "/",
        "^",
        "$",
        ".",
        "\\.",
        "\\w",
        "\\d{1,9}",
        "[\\w-]",
        "{1,255}",
        "{100}",
        "(",
        ")",
        "(?:",
        "(?i)",
        "(?u)",
        "(?=",
        "|",
        "*",
        "+",
        "?",
        "\\p{L}",
        "\\1",
        "[^\u{e9}]",
        "\u{e9}",
        "[a-z",
        "]",
        "&&",
        " ",
        "\n",
        "$1",
        "$2",
        "$$",
        "#{port}",
        "#{",
        "+80",
        "443",
        "10.0.0.0",
        "/8",
    ]);
    prop_oneof![prop::collection::vec(pieces, 0..7).prop_map(|p| p.concat()), "[ -~]{0,9}", "a{120,140}"]
}

fn some_rule() -> impl Strategy<Value = ListenerRule> {
    let pattern = || prop_oneof![some_text().prop_map(Pattern::Regex), some_text().prop_map(Pattern::Glob)];
    let patterns = || prop::collection::vec(pattern(), 1..3);
    let condition = prop_oneof![
        patterns().prop_map(|values| Condition::Host { values }),
        patterns().prop_map(|values| Condition::Path { values }),
        (some_text(), patterns()).prop_map(|(name, values)| Condition::Header { name, values }),
        (some_text(), some_text()).prop_map(|(key, value)| query(Some(&key), &value)),
        some_text().prop_map(|block| Condition::SourceIp { values: vec![block] }),
    ];
    let transform = (any::<bool>(), some_text(), some_text()).prop_map(|(of_url, regex, replace)| match of_url {
        true => Transform::Url { regex, replace },
        false => Transform::Host { regex, replace },
    });
    let port = || prop_oneof![some_text(), Just("#{port}".to_string()), (0..70_000u32).prop_map(|port| port.to_string())];
    let action = prop_oneof![
        (0..700u16).prop_map(fixed),
        (some_text(), port(), some_text(), some_text()).prop_map(|(host, port, path, query)| Action::Redirect {
            protocol: "HTTPS".into(),
            host,
            port,
            path: format!("/{path}"),
            query,
            status: 301,
        }),
    ];
    let parts = (prop::collection::vec(condition, 1..3), prop::collection::vec(transform, 0..3), action);
    parts.prop_map(|(conditions, transforms, action)| ListenerRule {
        id: "rule".into(),
        priority: 1,
        conditions,
        transforms,
        action,
    })
}

proptest! {
    /// The control plane accepts a rule when these three checks do, and one rule that cannot be compiled would keep its whole
    /// load balancer as it was.
    #[test]
    fn what_the_control_plane_accepts_is_compiled(rule in some_rule()) {
        let conditions = rule.conditions.iter().try_for_each(Condition::check).is_ok();
        let is_accepted = conditions && Rewrites::compile(&rule.transforms).is_ok() && rule.action.check().is_ok();
        let of_rule = Listener { rules: vec![rule], ..listener(Vec::new()) };
        prop_assert_eq!(compile(&of_rule).is_ok(), is_accepted, "{:?}", of_rule.rules);
    }

    /// The index only saves looks: it finds what asking every rule finds.
    #[test]
    fn the_index_finds_what_asking_all_rules_finds(
        rules in prop::collection::vec(some_conditions(), 0..12),
        host in "[abAB.]{0,6}",
        path in "/[ab]{0,6}",
        parameters in "([klKL]=[abB%]{0,3}&){0,3}",
        values in prop::collection::vec("[abAB]{0,3}", 0..3),
    ) {
        let route = compile(&listener(rules)).unwrap();
        let headers: Vec<Header> = values.iter().map(|v| Header::new(b"x-a", v.as_bytes())).collect();
        let subject = subject(&host, &path, &parameters, &headers);
        let wanted = route.rules.rules.iter().find(|rule| rule.holds(&subject)).map_or(0, |rule| rule.priority);
        prop_assert_eq!(route.decide(&subject).priority, wanted);
    }
}

/// A pattern of 128 characters may have more bytes than are looked at.
#[test]
fn rules_with_the_longest_patterns_are_found() {
    let long = "\u{e9}".repeat(128);
    let value = Condition::Header { name: "x".into(), values: globs(&[&long]) };
    let route = compile(&listener(vec![vec![value], vec![path(&[&format!("*{}", &long[2..])])]])).unwrap();
    let headers = [Header::new(b"X", long.as_bytes())];
    assert_eq!(route.decide(&subject("", "/", "", &headers)).priority, 1);
    assert_eq!(route.decide(&subject("", &format!("/{long}"), "", &[])).priority, 2);
}
