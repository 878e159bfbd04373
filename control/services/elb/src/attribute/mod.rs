//! Attributes of load balancers, target groups and listeners: their names, defaults and what values they take, by kind. Those
//! that ask for something that is not built are accepted at their default only.

mod listener;
mod load_balancer;
mod target_group;

pub(crate) use listener::{
    all_of_listener, answer_headers, default_of_listener, keep_of_listener, listener, request_header_names, set_of_listener,
};
pub(crate) use load_balancer::{all_of_load_balancer, default_of_load_balancer, load_balancer, log_place, set_of_load_balancer};
pub(crate) use target_group::{
    UNHEALTHY_DRAINING, UNHEALTHY_TERMINATION, all_of_target_group, default_of_target_group, minimum_healthy,
    set_of_target_group, target_group,
};

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::Error;

/// What values an attribute takes.
#[derive(Clone, Copy)]
enum Takes {
    Bool,
    Number(u64, u64),
    /// Or `off`.
    NumberOrOff(u64, u64),
    /// Or 0.
    NumberOrZero(u64, u64),
    OneOf(&'static [&'static str]),
    /// Only the default: another value asks for what this region does not do yet.
    DefaultOnly,
    /// Printable ASCII of so many characters at most; empty takes it away.
    Text(usize),
    /// A header's value, likewise: AWS takes no quotation marks and no dollar signs ("HTTP header modification for your
    /// Application Load Balancer: Limitations").
    HeaderValue(usize),
    /// A header's name of so many characters at most.
    HeaderName(usize),
}

/// Name, default, values.
type Known = (&'static str, &'static str, Takes);

type Own = BTreeMap<String, String>;

fn default_of(known: &[Known], name: &str) -> Option<&'static str> {
    known.iter().find(|(n, _, _)| *n == name).map(|(_, default, _)| *default)
}

fn value<'a>(known: &[Known], own: &'a Own, name: &str) -> &'a str {
    own.get(name).map_or_else(|| default_of(known, name).unwrap_or_default(), String::as_str)
}

/// A decimal number as it would be shown again: without a sign, and without zeros before it.
pub(crate) fn plain_number<T: FromStr>(text: &str) -> Option<T> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// A number of seconds, in milliseconds.
pub(crate) fn seconds_as_ms(value: &str) -> u64 {
    value.parse::<u64>().unwrap_or_default() * 1_000
}

/// Every attribute with its value, own or default, in order of name.
fn all(known: &[Known], own: &Own) -> Vec<(String, String)> {
    known.iter().map(|(name, _, _)| ((*name).to_string(), value(known, own, name).to_string())).collect()
}

/// Checks attributes and adds those that differ from their defaults to `own`. `whose` says whose they are, for those that
/// exist elsewhere only.
fn set(known: &[Known], own: &mut Own, wanted: &[(String, String)], whose: &str) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    for (name, value) in wanted {
        let Some((_, default, takes)) = known.iter().find(|(n, _, _)| n == name) else {
            return Err(Error::Unsupported(format!("Attribute key '{name}' is not recognized for {whose}")));
        };
        if !seen.insert(name) {
            return Err(Error::Validation(format!("Attribute key '{name}' is given more than once")));
        }
        if let Err(expected) = takes.check(value) {
            return Err(Error::Validation(format!("'{name}' must be {expected}, not '{value}'")));
        }
        if matches!(takes, Takes::DefaultOnly) && value != default {
            let text = format!("'{name}' can only be '{default}' in this region: '{value}' is not supported");
            return Err(Error::Unsupported(text));
        }
        if value == default {
            own.remove(name);
        } else {
            own.insert(name.clone(), value.clone());
        }
    }
    Ok(())
}

impl Takes {
    /// What is expected instead.
    fn check(self, value: &str) -> Result<(), String> {
        let within = |least, most| plain_number::<u64>(value).is_some_and(|n| (least..=most).contains(&n));
        let is_printable = || value.bytes().all(|b| (0x20..0x7f).contains(&b));
        let (fits, expected) = match self {
            Takes::Bool => (matches!(value, "true" | "false"), "'true' or 'false'".into()),
            Takes::Number(least, most) => (within(least, most), format!("a number between {least} and {most}")),
            Takes::NumberOrOff(least, most) => {
                (value == "off" || within(least, most), format!("'off' or a number between {least} and {most}"))
            }
            Takes::NumberOrZero(least, most) => {
                (value == "0" || within(least, most), format!("0 or a number between {least} and {most}"))
            }
            Takes::OneOf(values) => (values.contains(&value), format!("one of {}", values.join(", "))),
            Takes::Text(max) => (value.len() <= max && is_printable(), format!("at most {max} printable ASCII characters")),
            Takes::HeaderValue(max) => (
                value.len() <= max && is_printable() && !value.contains(['"', '$']),
                format!("at most {max} printable ASCII characters without '\"' and '$'"),
            ),
            Takes::HeaderName(max) => {
                let is_token = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
                (!value.is_empty() && value.len() <= max && is_token, format!("a header's name of at most {max} characters"))
            }
            Takes::DefaultOnly => (true, String::new()),
        };
        if fits { Ok(()) } else { Err(expected) }
    }
}
