//! Conditions of rules: from and to the API's shape, with the limits of "Condition types for listener rules" and "Quotas
//! for your Application Load Balancers".

use shapes::elbv2 as s;
use world::{Condition, HEADER_NAME_CHARS_MAX, PATTERN_CHARS_MAX, Pattern, QueryPattern};

use crate::error::Error;
use crate::pattern;

/// "Condition values per rule", over all of its conditions.
pub(crate) const VALUES_MAX: usize = 5;
/// "Condition wildcards per rule", over all of its values.
pub(crate) const WILDCARDS_MAX: usize = 6;
const METHOD_CHARS_MAX: usize = 40;
/// These may be in a rule more than once.
const REPEATED: [&str; 2] = ["http-header", "query-string"];

fn invalid<T>(text: String) -> Result<T, Error> {
    Err(Error::Validation(text))
}

/// All conditions of a rule, each as AWS takes it and the edge can compile it.
pub(crate) fn of_shapes(conditions: Vec<s::RuleCondition>) -> Result<Vec<Condition>, Error> {
    if conditions.is_empty() {
        return invalid("A condition must be specified".into());
    }
    let mut all: Vec<Condition> = Vec::new();
    for shape in conditions {
        let condition = of_shape(shape)?;
        let field = field(&condition);
        if !REPEATED.contains(&field) && all.iter().any(|c| self::field(c) == field) {
            return invalid(format!("A rule can only have one '{field}' condition"));
        }
        all.push(condition);
    }
    let (values, wildcards) = all.iter().map(count).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    if values > VALUES_MAX {
        return invalid(format!("A rule can only have '{VALUES_MAX}' condition values"));
    }
    if wildcards > WILDCARDS_MAX {
        return invalid(format!("A rule can only have '{WILDCARDS_MAX}' condition wildcards"));
    }
    all.iter().try_for_each(Condition::check)?;
    Ok(all)
}

fn field(condition: &Condition) -> &'static str {
    match condition {
        Condition::Host { .. } => "host-header",
        Condition::Path { .. } => "path-pattern",
        Condition::Header { .. } => "http-header",
        Condition::Method { .. } => "http-request-method",
        Condition::Query { .. } => "query-string",
        Condition::SourceIp { .. } => "source-ip",
    }
}

/// How many values it has, and wildcards in them.
fn count(condition: &Condition) -> (usize, usize) {
    match condition {
        Condition::Host { values } | Condition::Path { values } | Condition::Header { values, .. } => {
            (values.len(), values.iter().map(wildcards).sum())
        }
        Condition::Query { values } => {
            let of = |q: &QueryPattern| pattern::wildcards(&q.value) + q.key.as_deref().map_or(0, pattern::wildcards);
            (values.len(), values.iter().map(of).sum())
        }
        Condition::Method { values } | Condition::SourceIp { values } => (values.len(), 0),
    }
}

fn wildcards(value: &Pattern) -> usize {
    match value {
        Pattern::Glob(glob) => pattern::wildcards(glob),
        Pattern::Regex(_) => 0,
    }
}

fn of_shape(shape: s::RuleCondition) -> Result<Condition, Error> {
    let Some(field) = shape.field.clone().filter(|f| !f.is_empty()) else {
        return invalid("A condition field must be specified".into());
    };
    check_configs(&field, &shape)?;
    let (legacy, legacy_regexes) = (shape.values, shape.regex_values);
    match field.as_str() {
        "host-header" => {
            let config = shape.host_header_config.unwrap_or_default();
            let values =
                patterns(&field, merge(&field, legacy, config.values)?, merge(&field, legacy_regexes, config.regex_values)?)?;
            values.iter().try_for_each(check_host)?;
            Ok(Condition::Host { values })
        }
        "path-pattern" => {
            let config = shape.path_pattern_config.unwrap_or_default();
            let values =
                patterns(&field, merge(&field, legacy, config.values)?, merge(&field, legacy_regexes, config.regex_values)?)?;
            values.iter().try_for_each(check_path)?;
            Ok(Condition::Path { values })
        }
        "http-header" => header(shape.http_header_config.unwrap_or_default()),
        "http-request-method" => method(shape.http_request_method_config.unwrap_or_default().values),
        "query-string" => query(shape.query_string_config.unwrap_or_default().values),
        "source-ip" => source_ip(shape.source_ip_config.unwrap_or_default()),
        other => {
            let names = "[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]";
            invalid(format!("Condition field '{other}' must be one of '{names}'"))
        }
    }
}

/// A condition has the configuration of its own field only; plain values are for host and path.
fn check_configs(field: &str, shape: &s::RuleCondition) -> Result<(), Error> {
    let configs = [
        ("host-header", "HostHeaderConfig", shape.host_header_config.is_some()),
        ("path-pattern", "PathPatternConfig", shape.path_pattern_config.is_some()),
        ("http-header", "HttpHeaderConfig", shape.http_header_config.is_some()),
        ("http-request-method", "HttpRequestMethodConfig", shape.http_request_method_config.is_some()),
        ("query-string", "QueryStringConfig", shape.query_string_config.is_some()),
        ("source-ip", "SourceIpConfig", shape.source_ip_config.is_some()),
    ];
    if let Some((_, name, _)) = configs.iter().find(|(of, _, given)| *given && *of != field) {
        return invalid(format!("{name} cannot be specified for a condition with field '{field}'"));
    }
    let has_plain = !shape.values.is_empty() || !shape.regex_values.is_empty();
    if has_plain && !matches!(field, "host-header" | "path-pattern") {
        let name = configs.iter().find(|(of, _, _)| *of == field).map_or("the field's configuration", |(_, name, _)| name);
        return invalid(format!("The values of a condition with field '{field}' must be specified in {name}"));
    }
    Ok(())
}

/// Plain values or those of the configuration. Both may be given where they are the same, as AWS shows them.
fn merge(field: &str, plain: Vec<String>, config: Vec<String>) -> Result<Vec<String>, Error> {
    match (plain.is_empty(), config.is_empty()) {
        (_, true) => Ok(plain),
        (true, false) => Ok(config),
        (false, false) if plain == config => Ok(config),
        _ => invalid(format!("Values of a condition with field '{field}' must be specified once only")),
    }
}

fn patterns(field: &str, globs: Vec<String>, regexes: Vec<String>) -> Result<Vec<Pattern>, Error> {
    if globs.is_empty() && regexes.is_empty() {
        return invalid(format!("A condition value must be specified for field '{field}'"));
    }
    for value in globs.iter().chain(&regexes) {
        check_length(field, value, PATTERN_CHARS_MAX)?;
    }
    Ok(globs.into_iter().map(Pattern::Glob).chain(regexes.into_iter().map(Pattern::Regex)).collect())
}

fn check_length(field: &str, value: &str, max: usize) -> Result<(), Error> {
    if value.is_empty() || value.chars().count() > max {
        return invalid(format!("Condition value '{value}' of field '{field}' must have 1 to {max} characters"));
    }
    Ok(())
}

/// "Host conditions": letters, digits, `-`, `.`, wildcards; at least one dot, after the last one letters only.
fn check_host(value: &Pattern) -> Result<(), Error> {
    let Pattern::Glob(host) = value else { return Ok(()) };
    let is_valid = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.*?".contains(&b))
        && host.rsplit_once('.').is_some_and(|(_, last)| last.bytes().all(|b| b.is_ascii_alphabetic() || b"*?".contains(&b)));
    if is_valid {
        return Ok(());
    }
    invalid(format!(
        "Host '{host}' may have letters, digits, '-', '.', '*' and '?', at least one '.', and letters only after the last one"
    ))
}

/// "Path conditions": `_-.$/~"'@:+&`, letters, digits and wildcards.
fn check_path(value: &Pattern) -> Result<(), Error> {
    let Pattern::Glob(path) = value else { return Ok(()) };
    if path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.$/~\"'@:+&*?\\%=;,!()".contains(&b)) {
        return Ok(());
    }
    invalid(format!("Path pattern '{path}' has a character that is not allowed"))
}

fn header(config: s::HttpHeaderConditionConfig) -> Result<Condition, Error> {
    let name = config.http_header_name.unwrap_or_default();
    let is_token = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if name.is_empty() || name.len() > HEADER_NAME_CHARS_MAX || !is_token {
        return invalid(format!(
            "HTTP header name '{name}' must have 1 to {HEADER_NAME_CHARS_MAX} characters of a header's name"
        ));
    }
    if name.eq_ignore_ascii_case("host") {
        return invalid("HTTP header name 'Host' must be given as a condition with field 'host-header'".into());
    }
    let values = patterns("http-header", config.values, config.regex_values)?;
    let is_printable = |v: &Pattern| match v {
        Pattern::Glob(text) | Pattern::Regex(text) => text.bytes().all(|b| (0x20..0x7f).contains(&b)),
    };
    if !values.iter().all(is_printable) {
        return invalid(format!("Values of HTTP header '{name}' must be printable ASCII characters"));
    }
    Ok(Condition::Header { name, values })
}

/// "HTTP request method conditions": capital letters, `-` and `_`; no wildcards.
fn method(values: Vec<String>) -> Result<Condition, Error> {
    if values.is_empty() {
        return invalid("A condition value must be specified for field 'http-request-method'".into());
    }
    for value in &values {
        check_length("http-request-method", value, METHOD_CHARS_MAX)?;
        if !value.bytes().all(|b| b.is_ascii_uppercase() || b == b'-' || b == b'_') {
            return invalid(format!("HTTP request method '{value}' may have capital letters, '-' and '_'"));
        }
    }
    Ok(Condition::Method { values })
}

fn query(pairs: Vec<s::QueryStringKeyValuePair>) -> Result<Condition, Error> {
    if pairs.is_empty() {
        return invalid("A condition value must be specified for field 'query-string'".into());
    }
    let one = |pair: s::QueryStringKeyValuePair| {
        let Some(value) = pair.value else { return invalid("A query string condition needs a Value".into()) };
        let key = pair.key.filter(|k| !k.is_empty());
        for text in key.iter().chain([&value]) {
            check_length("query-string", text, PATTERN_CHARS_MAX)?;
            if !text.bytes().all(|b| b.is_ascii_graphic()) {
                return invalid(format!("Query string '{text}' must be printable ASCII characters"));
            }
        }
        Ok(QueryPattern { key, value })
    };
    Ok(Condition::Query { values: pairs.into_iter().map(one).collect::<Result<_, _>>()? })
}

fn source_ip(config: s::SourceIpConditionConfig) -> Result<Condition, Error> {
    crate::error::refuse(&[("SourceIpConfig.IpAddressType", config.ip_address_type.is_some())])?;
    if config.values.is_empty() {
        return invalid("A condition value must be specified for field 'source-ip'".into());
    }
    Ok(Condition::SourceIp { values: config.values })
}

/// The condition as AWS shows it: values of host and path twice, as older clients know them.
pub(crate) fn to_shape(condition: &Condition) -> s::RuleCondition {
    let mut shape = s::RuleCondition { field: Some(field(condition).into()), ..Default::default() };
    match condition {
        Condition::Host { values } => {
            let (globs, regexes) = split(values);
            shape.values.clone_from(&globs);
            shape.regex_values.clone_from(&regexes);
            shape.host_header_config = Some(s::HostHeaderConditionConfig { values: globs, regex_values: regexes });
        }
        Condition::Path { values } => {
            let (globs, regexes) = split(values);
            shape.values.clone_from(&globs);
            shape.regex_values.clone_from(&regexes);
            shape.path_pattern_config = Some(s::PathPatternConditionConfig { values: globs, regex_values: regexes });
        }
        Condition::Header { name, values } => {
            let (values, regex_values) = split(values);
            let config = s::HttpHeaderConditionConfig { http_header_name: Some(name.clone()), values, regex_values };
            shape.http_header_config = Some(config);
        }
        Condition::Method { values } => {
            shape.http_request_method_config = Some(s::HttpRequestMethodConditionConfig { values: values.clone() });
        }
        Condition::Query { values } => {
            let pair = |q: &QueryPattern| s::QueryStringKeyValuePair { key: q.key.clone(), value: Some(q.value.clone()) };
            shape.query_string_config = Some(s::QueryStringConditionConfig { values: values.iter().map(pair).collect() });
        }
        Condition::SourceIp { values } => {
            shape.source_ip_config = Some(s::SourceIpConditionConfig { values: values.clone(), ip_address_type: None });
        }
    }
    shape
}

fn split(values: &[Pattern]) -> (Vec<String>, Vec<String>) {
    let (mut globs, mut regexes) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            Pattern::Glob(glob) => globs.push(glob.clone()),
            Pattern::Regex(regex) => regexes.push(regex.clone()),
        }
    }
    (globs, regexes)
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
