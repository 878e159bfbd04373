//! Reading filter policies, within AWS's limits ("Filter policy constraints", SNS Developer Guide).

use serde_json::{Map, Value as Json};

use super::condition::{Cidr, Comparison, Condition};
use super::{Policy, Rule, Scope};
use crate::error::Error;

/// Longest policy in bytes.
const POLICY_BYTES_MAX: usize = 256 * 1_024;
/// Most keys; in nested policies, keys that hold values.
const KEYS_MAX: usize = 5;
/// Most combinations of values.
const COMBINATIONS_MAX: u64 = 150;
/// Deepest nesting that is read.
const DEPTH_MAX: u64 = 16;
/// Numbers lie between minus and plus this.
const NUMBER_MAX: f64 = 1e9;
const OR: &str = "$or";

impl Policy {
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Self, Error> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(bad("Filter policy is too long"));
        }
        let json: Json = serde_json::from_str(text).map_err(|_| bad("failed to parse JSON."))?;
        let Json::Object(object) = json else { return Err(bad("Filter policy must be a JSON object")) };
        let policy = Reader { scope }.policy(object, 1)?;
        if policy.key_count() > KEYS_MAX {
            return Err(bad("Filter policy can not have more than 5 keys"));
        }
        if policy.combinations(1) > COMBINATIONS_MAX {
            return Err(bad("Filter policy is too complex"));
        }
        Ok(policy)
    }

    /// Keys that hold values; of alternatives, those of the largest.
    fn key_count(&self) -> usize {
        let of_rule = |rule: &Rule| match rule {
            Rule::Values(_) => 1,
            Rule::Nested(policy) => policy.key_count(),
        };
        let own: usize = self.keys.iter().map(|(_, rule)| of_rule(rule)).sum();
        own + self.alternatives.iter().map(Policy::key_count).max().unwrap_or(0)
    }

    /// The product over the keys of how many values each has, times its depth; alternatives add up.
    fn combinations(&self, depth: u64) -> u64 {
        let of_rule = |rule: &Rule| match rule {
            Rule::Values(conditions) => (conditions.len() as u64).saturating_mul(depth),
            Rule::Nested(policy) => policy.combinations(depth + 1),
        };
        let own = self.keys.iter().map(|(_, rule)| of_rule(rule)).fold(1, u64::saturating_mul);
        match self.alternatives.is_empty() {
            true => own,
            false => {
                let all = self.alternatives.iter().map(|policy| policy.combinations(depth)).fold(0, u64::saturating_add);
                own.saturating_mul(all)
            }
        }
    }
}

fn bad(reason: impl std::fmt::Display) -> Error {
    Error::Parameter(format!("FilterPolicy: {reason}"))
}

struct Reader {
    scope: Scope,
}

impl Reader {
    fn policy(&self, object: Map<String, Json>, depth: u64) -> Result<Policy, Error> {
        if depth > DEPTH_MAX {
            return Err(bad("Filter policy is too complex"));
        }
        let mut policy = Policy::default();
        for (key, value) in object {
            match value {
                Json::Array(items) if key == OR => policy.alternatives = self.alternatives(items, depth)?,
                Json::Array(items) if items.is_empty() => return Err(bad("Empty arrays are not allowed")),
                Json::Array(items) => {
                    let conditions = items.into_iter().map(condition).collect::<Result<_, _>>()?;
                    policy.keys.push((key, Rule::Values(conditions)));
                }
                Json::Object(_) if self.scope == Scope::MessageAttributes => {
                    return Err(bad("Filter policy scope MessageAttributes does not support nested filter policy"));
                }
                Json::Object(inner) if inner.is_empty() => return Err(bad("Empty objects are not allowed")),
                Json::Object(inner) => policy.keys.push((key, Rule::Nested(self.policy(inner, depth + 1)?))),
                _ => return Err(bad(format!("\"{key}\" must be an object or an array"))),
            }
        }
        Ok(policy)
    }

    /// "OR operator": at least two policies, of which one must match.
    fn alternatives(&self, items: Vec<Json>, depth: u64) -> Result<Vec<Policy>, Error> {
        if items.len() < 2 {
            return Err(bad("$or must have at least 2 elements"));
        }
        let each = |item| match item {
            Json::Object(object) if !object.is_empty() => self.policy(object, depth + 1),
            _ => Err(bad("$or must be an array of objects")),
        };
        items.into_iter().map(each).collect()
    }
}

fn condition(item: Json) -> Result<Condition, Error> {
    match item {
        Json::Object(object) => {
            let mut entries = object.into_iter();
            match (entries.next(), entries.next()) {
                (Some((name, value)), None) => operator(&name, value),
                _ => Err(bad("Only one key allowed in match expression")),
            }
        }
        Json::Array(_) => Err(bad("Match value must be String, number, true, false, or null")),
        Json::Number(n) => Ok(Condition::Exact(Json::from(in_range(n.as_f64())?))),
        scalar => Ok(Condition::Exact(scalar)),
    }
}

fn operator(name: &str, value: Json) -> Result<Condition, Error> {
    let wrong = |what: &str| bad(format!("{name} match pattern must be {what}"));
    match (name, value) {
        ("exists", Json::Bool(wanted)) => Ok(Condition::Exists(wanted)),
        ("exists", _) => Err(wanted_boolean()),
        ("numeric", Json::Array(parts)) => numeric(parts),
        ("numeric", _) => Err(bad("Value of numeric must be an array.")),
        ("cidr", Json::String(text)) => {
            Cidr::parse(&text).map(Condition::Cidr).ok_or_else(|| bad(format!("Malformed CIDR, {text}")))
        }
        ("anything-but", Json::Object(object)) => {
            let inner = condition(Json::Object(object))?;
            match inner {
                Condition::Prefix(_) | Condition::Suffix(_) | Condition::EqualsIgnoreCase(_) | Condition::Wildcard(_) => {
                    Ok(Condition::AnythingBut(vec![inner]))
                }
                _ => Err(bad("Unsupported anything-but pattern")),
            }
        }
        ("anything-but", Json::Array(items)) => {
            let is_plain = |item: &Json| item.is_string() || item.is_number();
            if items.is_empty() || !items.iter().all(is_plain) {
                return Err(bad("Inside anything but list, only strings and numbers are supported."));
            }
            items.into_iter().map(condition).collect::<Result<_, _>>().map(Condition::AnythingBut)
        }
        ("anything-but", scalar @ (Json::String(_) | Json::Number(_))) => Ok(Condition::AnythingBut(vec![condition(scalar)?])),
        ("anything-but", _) => Err(wrong("a string, a number, a list of them or a pattern")),
        ("prefix" | "suffix" | "equals-ignore-case" | "wildcard" | "cidr", value) => {
            let Json::String(text) = value else { return Err(wrong("a string")) };
            match name {
                "prefix" | "suffix" if text.is_empty() => Err(bad(format!("Null {name} not allowed"))),
                "prefix" => Ok(Condition::Prefix(text)),
                "suffix" => Ok(Condition::Suffix(text)),
                "wildcard" if text.contains("**") => Err(bad("Consecutive wildcard characters are not allowed")),
                "wildcard" => Ok(Condition::Wildcard(text)),
                _ => Ok(Condition::EqualsIgnoreCase(text.to_lowercase())),
            }
        }
        _ => Err(bad(format!("Unrecognized match type {name}"))),
    }
}

fn wanted_boolean() -> Error {
    bad("exists match pattern must be either true or false.")
}

/// `["=", 5]`, or one bound, or a lower and an upper one.
fn numeric(parts: Vec<Json>) -> Result<Condition, Error> {
    if parts.is_empty() || parts.len() % 2 == 1 || parts.len() > 4 {
        return Err(bad("Invalid numeric match: an operator and a number are expected, once or twice"));
    }
    let mut all = Vec::new();
    for pair in parts.chunks(2) {
        let comparison = match pair[0].as_str() {
            Some("=") => Comparison::Equal,
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::AtMost,
            Some(">") => Comparison::More,
            Some(">=") => Comparison::AtLeast,
            _ => return Err(bad(format!("Unrecognized numeric range operator: {}", pair[0]))),
        };
        all.push((comparison, in_range(pair[1].as_f64())?));
    }
    if let [(first, low), (second, high)] = all.as_slice() {
        let is_range =
            matches!(first, Comparison::More | Comparison::AtLeast) && matches!(second, Comparison::Less | Comparison::AtMost);
        if !is_range {
            return Err(bad("Bad numeric range: a lower bound and then an upper one are expected"));
        }
        if low >= high {
            return Err(bad("Bottom must be less than top"));
        }
    }
    Ok(Condition::Numeric(all))
}

fn in_range(number: Option<f64>) -> Result<f64, Error> {
    let number = number.ok_or_else(|| bad("Value of numeric must be a number"))?;
    let fits = (-NUMBER_MAX..=NUMBER_MAX).contains(&number);
    fits.then_some(number).ok_or_else(|| bad("Value must be between -1.0E9 and 1.0E9, inclusive"))
}
