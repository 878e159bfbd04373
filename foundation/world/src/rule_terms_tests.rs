#![allow(clippy::unwrap_used)]
use super::{Case, PATTERN_CHARS_MAX, ReplacementPiece, Rewrites, compile_regex, parse_cidr, pieces};
use crate::{Action, Condition, Pattern, QueryPattern, Transform};

fn reason(expression: &str) -> Option<String> {
    compile_regex(expression, Case::Ignored, PATTERN_CHARS_MAX).err().map(|e| e.to_string())
}

/// "ELB User Guide, Condition types for listener rules" and what people write.
#[test]
fn ordinary_expressions_are_taken() {
    for expression in [
        r"^/users/[\w-]{1,36}$",
        r"^/[\w.-]{1,255}$",
        r"^/\w{1,100}/\d{1,100}$",
        r"^/\w{100}$",
        r"^/\w{1,1000}$",
        r"^/[\w.-]{1,255}/[\w.-]{1,255}/[\w.-]{1,255}$",
        r"^([a-z0-9-]{1,63}\.){1,5}[a-z]{2,63}$",
        r"^/(?:en|de)(?:/.*)?$",
        r"^/(?P<team>[a-z]+)/\b\S+$",
        r"(?i)^/IMG/.*\.(?:png|jpe?g)$",
        r"^/a+?/[^/]+/[[:alpha:]]\x2e",
        r"^(a|b)\.example\.com$",
        "^/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    ] {
        assert_eq!(reason(expression), None, "{expression}");
    }
    let longest = "a".repeat(PATTERN_CHARS_MAX);
    assert_eq!(reason(&longest), None);
    assert!(reason(&format!("{longest}a")).unwrap().contains("more than 128"));
}

/// "ELB User Guide, Listener rules: Rule basics", what is not supported. Reasons are of one line.
#[test]
fn what_rules_do_not_support_is_refused_by_name() {
    for (expression, why) in [
        ("", "no character"),
        ("(", "unclosed group"),
        ("(?=a)", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "backreferences"),
        ("(?>a)", "flag"),
        ("(?R)", "recursion"),
        ("(?1)", "flag"),
        ("a++", "possessive"),
        ("a**", "possessive"),
        ("a{2}{3}", "possessive"),
        (r"^/\p{L}+", "Unicode character classes"),
        (r"[\PL]", "Unicode character classes"),
        (r"(?u)\w", "Unicode character classes"),
        (r"(?u:\p{L})", "Unicode character classes"),
        ("[a-z&&[^b]]", "set operations"),
        ("^/[a[bc]]$", "classes in character classes"),
        ("^/[[a-z]]+$", "classes in character classes"),
        ("^/[^[:alpha:][^b]]$", "classes in character classes"),
        (r"^\<a", "word boundaries"),
        (r"^/\b{start}a", "word boundaries"),
        ("^/[\u{e9}]+", "printable ASCII"),
        ("^/[^\u{e9}]$", "printable ASCII"),
        ("a\n", "printable ASCII"),
        ("((a{999}){999}){999}", "too much"),
        ("(a{255}){100}", "too much"),
    ] {
        let reason = reason(expression).unwrap_or_else(|| panic!("{expression} is taken"));
        assert!(reason.contains(why) && (why == "printable ASCII" || reason.lines().count() == 1), "{expression}: {reason}");
    }
}

/// Two cases take twice the room.
#[test]
fn an_expression_is_as_large_as_its_condition_makes_it() {
    let values = || vec![Pattern::Regex("(a{50}){100}".into())];
    assert!(Condition::Path { values: values() }.check().is_ok());
    assert!(Condition::Host { values: values() }.check().is_err());
    assert!(Condition::Header { name: "X-Team".into(), values: values() }.check().is_err());
}

#[test]
fn every_text_of_a_condition_is_looked_at() {
    let none = || Pattern::Glob(String::new());
    let query = |key: Option<&str>, value: &str| QueryPattern { key: key.map(Into::into), value: value.into() };
    for condition in [
        Condition::Host { values: vec![none()] },
        Condition::Path { values: vec![Pattern::Glob("/a".into()), none()] },
        Condition::Header { name: "X-Team".into(), values: vec![Pattern::Regex("(".into())] },
        Condition::Header { name: String::new(), values: vec![Pattern::Glob("a".into())] },
        Condition::Header { name: "X".repeat(41), values: vec![Pattern::Glob("a".into())] },
        Condition::Query { values: vec![query(Some(""), "a")] },
        Condition::Query { values: vec![query(None, &"a".repeat(129))] },
        Condition::SourceIp { values: vec!["10.0.0.0/8".into(), "10.0.0.1".into()] },
    ] {
        assert!(condition.check().is_err(), "{condition:?}");
    }
}

#[test]
fn blocks_have_an_address_and_bits() {
    assert_eq!(parse_cidr("192.0.2.0/24").unwrap().1, 24);
    for bad in ["192.0.2.0", "192.0.2.0/33", "192.0.2/24", "::/129", "1.2.3.4/+8", "1.2.3.4/", ""] {
        assert!(parse_cidr(bad).is_err(), "{bad}");
    }
}

/// "ELB API Reference, RewriteConfig": a replacement names groups of its expression.
#[test]
fn a_replacement_names_groups_that_are_there() {
    let unfit = |regex: &str, replace: &str| {
        let url = Transform::Url { regex: regex.into(), replace: replace.into() };
        let host = Transform::Host { regex: regex.into(), replace: replace.into() };
        assert_eq!(url.compile().is_err(), host.compile().is_err());
        url.compile().err().map(|e| e.to_string())
    };
    assert_eq!(unfit("^/(.*)", "/x/$1"), None);
    assert_eq!(unfit("^/(.*)", "/$0$$2"), None);
    assert_eq!(unfit("^/(?P<rest>.*)", "/$1"), None);
    assert!(unfit("^/(.*)", "/$2").unwrap().contains("names group $2"));
    assert!(unfit("^/(?:.*)", "/$1").unwrap().contains("names group $1"));
    for (regex, replace) in [("", "/"), ("(", "/"), ("^/", "/a b"), ("^/", "/\u{e9}"), ("^/", &*"a".repeat(1_025))] {
        assert!(unfit(regex, replace).is_some(), "{regex} {replace}");
    }
    let url = || Transform::Url { regex: "^/".into(), replace: "/".into() };
    let host = || Transform::Host { regex: "^a".into(), replace: "b".into() };
    assert!(Rewrites::compile(&[url(), host()]).is_ok() && Rewrites::compile(&[host(), host()]).is_err());
    assert_eq!(
        pieces("a$1"),
        [ReplacementPiece::Text(b"a".to_vec()), ReplacementPiece::Group(1), ReplacementPiece::Text(Vec::new())]
    );
}

fn redirect(parts: [&str; 5], status: u16) -> Action {
    let [protocol, host, port, path, query] = parts.map(String::from);
    Action::Redirect { protocol, host, port, path, query, status }
}

/// "ELB API Reference, RedirectActionConfig: Port": 1 to 65535 or `#{port}`.
#[test]
fn a_redirect_has_a_plain_port() {
    let taken = |port: &str| redirect(["HTTPS", "#{host}", port, "/#{path}", "#{query}"], 301).check().is_ok();
    for port in ["1", "80", "65535", "#{port}"] {
        assert!(taken(port), "{port}");
    }
    for port in ["", "0", "+80", "-1", "080", "65536", " 80", "80 ", "http", "#{host}", "8#{port}"] {
        assert!(!taken(port), "{port}");
    }
}

#[test]
fn a_redirect_leads_elsewhere() {
    for (parts, status) in [
        (["#{protocol}", "#{host}", "#{port}", "/#{path}", "other"], 301),
        (["HTTPS", "#{host}", "443", "/#{path}", ""], 307),
        (["FTP", "#{host}", "443", "/", ""], 301),
        (["HTTPS", "", "443", "/", ""], 301),
        (["HTTPS", "a", "443", "a", ""], 301),
        (["HTTPS", "a\r\nX: y", "443", "/", ""], 301),
    ] {
        assert!(redirect(parts, status).check().is_err(), "{parts:?} {status}");
    }
    let fixed = |status, content_type: &str| {
        Action::FixedResponse { status, content_type: Some(content_type.into()), body: String::new() }.check().is_ok()
    };
    assert!(fixed(200, "text/plain") && !fixed(199, "text/plain") && !fixed(600, "text/plain") && !fixed(200, "a\nb"));
}
