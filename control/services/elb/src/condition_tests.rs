use super::{of_shapes, to_shape};
use crate::error::Error;
use shapes::elbv2 as s;

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|v| (*v).to_string()).collect()
}

fn plain(field: &str, values: &[&str]) -> s::RuleCondition {
    s::RuleCondition { field: Some(field.into()), values: texts(values), ..Default::default() }
}

fn header(name: &str, values: &[&str]) -> s::RuleCondition {
    let config =
        s::HttpHeaderConditionConfig { http_header_name: Some(name.into()), values: texts(values), regex_values: vec![] };
    s::RuleCondition { field: Some("http-header".into()), http_header_config: Some(config), ..Default::default() }
}

fn method(values: &[&str]) -> s::RuleCondition {
    let config = s::HttpRequestMethodConditionConfig { values: texts(values) };
    s::RuleCondition { field: Some("http-request-method".into()), http_request_method_config: Some(config), ..Default::default() }
}

fn source(values: &[&str]) -> s::RuleCondition {
    let config = s::SourceIpConditionConfig { values: texts(values), ip_address_type: None };
    s::RuleCondition { field: Some("source-ip".into()), source_ip_config: Some(config), ..Default::default() }
}

fn query(pairs: &[(&str, &str)]) -> s::RuleCondition {
    let pair = |(key, value): &(&str, &str)| s::QueryStringKeyValuePair {
        key: (!key.is_empty()).then(|| (*key).to_string()),
        value: Some((*value).to_string()),
    };
    let config = s::QueryStringConditionConfig { values: pairs.iter().map(pair).collect() };
    s::RuleCondition { field: Some("query-string".into()), query_string_config: Some(config), ..Default::default() }
}

fn regex(field: &str, value: &str) -> s::RuleCondition {
    s::RuleCondition { field: Some(field.into()), regex_values: texts(&[value]), ..Default::default() }
}

/// What AWS shows can be given again and means the same.
#[test]
fn all_six_come_back_as_they_were_given() {
    let cases = vec![
        vec![plain("host-header", &["*.example.com", "web.localhost"])],
        vec![plain("path-pattern", &["/img/*", "*.png"])],
        vec![regex("path-pattern", "^/v[0-9]+/"), regex("host-header", "^(a|b)\\.example\\.com$")],
        vec![header("User-Agent", &["*Chrome*"]), header("X-Team", &["a"])],
        vec![method(&["GET", "HEAD"]), source(&["10.0.0.0/8", "2001:db8::/32"])],
        vec![query(&[("version", "v1"), ("", "*beta*")])],
    ];
    for shapes in cases {
        let Ok(conditions) = of_shapes(shapes.clone()) else { panic!("{shapes:?}") };
        let shown: Vec<_> = conditions.iter().map(to_shape).collect();
        assert_eq!(of_shapes(shown), Ok(conditions));
    }
}

#[test]
fn limits_of_a_rule_hold() {
    let text = |conditions| of_shapes(conditions).err().map(|e: Error| e.to_string());
    let six = ["/a", "/b", "/c", "/d", "/e", "/f"];
    assert_eq!(text(vec![plain("path-pattern", &six)]).as_deref(), Some("A rule can only have '5' condition values"));
    assert_eq!(text(vec![plain("path-pattern", &six[..5])]), None);
    let stars = ["/*/*/*", "/?/?/?"];
    assert_eq!(text(vec![plain("path-pattern", &stars)]), None, "six wildcards in two values");
    let seven = vec![plain("path-pattern", &stars), header("X-Team", &["a*"])];
    assert_eq!(text(seven).as_deref(), Some("A rule can only have '6' condition wildcards"));
    assert_eq!(text(vec![plain("path-pattern", &["/\\*/\\*/\\*", "/?/?/?"])]), None, "escaped ones are none");
    let twice = vec![method(&["GET"]), method(&["PUT"])];
    assert_eq!(text(twice).as_deref(), Some("A rule can only have one 'http-request-method' condition"));
}

#[test]
fn ordinary_expressions_are_taken() {
    for value in [r"^/users/[\w-]{1,36}$", r"^/[\w.-]{1,255}$", r"^/\w{1,100}/\d{1,100}$", r"^/\w{100}$"] {
        assert!(of_shapes(vec![regex("path-pattern", value)]).is_ok(), "{value}");
    }
}

#[test]
fn what_no_request_can_have_is_refused() {
    let long = "a".repeat(129);
    let cases = vec![
        plain("host-header", &["localhost"]),
        plain("host-header", &["a_b.example.com"]),
        plain("host-header", &["10.0.0.1"]),
        plain("host-header", &[]),
        plain("path-pattern", &[&long]),
        plain("path-pattern", &["/a b"]),
        plain("http-header", &["x"]),
        plain("cookie", &["x"]),
        header("Host", &["example.com"]),
        header("X Y", &["a"]),
        method(&["get"]),
        source(&["10.0.0.1"]),
        source(&["10.0.0.0/33"]),
        source(&["::/129"]),
        query(&[("a", "b c")]),
        regex("path-pattern", "("),
        regex("path-pattern", r"^/\p{L}+"),
        regex("path-pattern", "^/[\u{e9}]+"),
        regex("path-pattern", "^/[^\u{e9}]$"),
        regex("host-header", "(a{255}){100}"),
        s::RuleCondition { field: None, values: texts(&["/a"]), ..Default::default() },
        s::RuleCondition { path_pattern_config: Some(Default::default()), ..plain("host-header", &["a.b"]) },
    ];
    for condition in cases {
        assert!(of_shapes(vec![condition.clone()]).is_err(), "{condition:?}");
    }
}
