//! Attributes of load balancers, target groups and listeners: their names, defaults and what values they take. Those
//! that ask for something that is not built are accepted at their default only.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::load_balancer::LoadBalancer;
use crate::target_group::TargetGroup;

/// What values an attribute takes.
#[derive(Clone, Copy)]
enum Takes {
    Bool,
    Number(u64, u64),
    OneOf(&'static [&'static str]),
    /// Only the default: another value asks for what this region does not do yet.
    DefaultOnly,
    /// Any text: it has an effect only together with another attribute that is off.
    Text,
}

type Known = (&'static str, &'static str, Takes);

/// "Application Load Balancers: Load balancer attributes", User Guide for Application Load Balancers.
const LOAD_BALANCER: [Known; 23] = [
    ("access_logs.s3.enabled", "false", Takes::DefaultOnly),
    ("access_logs.s3.bucket", "", Takes::Text),
    ("access_logs.s3.prefix", "", Takes::Text),
    ("client_keep_alive.seconds", "3600", Takes::Number(60, 604_800)),
    ("connection_logs.s3.enabled", "false", Takes::DefaultOnly),
    ("connection_logs.s3.bucket", "", Takes::Text),
    ("connection_logs.s3.prefix", "", Takes::Text),
    ("deletion_protection.enabled", "false", Takes::Bool),
    ("health_check_logs.s3.enabled", "false", Takes::DefaultOnly),
    ("health_check_logs.s3.bucket", "", Takes::Text),
    ("health_check_logs.s3.prefix", "", Takes::Text),
    ("idle_timeout.timeout_seconds", "60", Takes::Number(1, 4_000)),
    ("ipv6.deny_all_igw_traffic", "false", Takes::DefaultOnly),
    ("load_balancing.cross_zone.enabled", "true", Takes::DefaultOnly),
    ("routing.http.desync_mitigation_mode", "defensive", Takes::DefaultOnly),
    ("routing.http.drop_invalid_header_fields.enabled", "false", Takes::Bool),
    ("routing.http.preserve_host_header.enabled", "false", Takes::Bool),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Takes::DefaultOnly),
    ("routing.http.xff_client_port.enabled", "false", Takes::DefaultOnly),
    ("routing.http.xff_header_processing.mode", "append", Takes::DefaultOnly),
    ("routing.http2.enabled", "true", Takes::DefaultOnly),
    ("waf.fail_open.enabled", "false", Takes::DefaultOnly),
    ("zonal_shift.config.enabled", "false", Takes::DefaultOnly),
];

/// "Target group attributes", same guide.
const TARGET_GROUP: [Known; 14] = [
    ("deregistration_delay.timeout_seconds", "300", Takes::Number(0, 3_600)),
    ("load_balancing.algorithm.anomaly_mitigation", "off", Takes::DefaultOnly),
    ("load_balancing.algorithm.type", "round_robin", Takes::OneOf(&["round_robin", "least_outstanding_requests"])),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", Takes::DefaultOnly),
    ("slow_start.duration_seconds", "0", Takes::DefaultOnly),
    ("stickiness.enabled", "false", Takes::DefaultOnly),
    ("stickiness.app_cookie.cookie_name", "", Takes::Text),
    ("stickiness.app_cookie.duration_seconds", "86400", Takes::Number(1, 604_800)),
    ("stickiness.lb_cookie.duration_seconds", "86400", Takes::Number(1, 604_800)),
    ("stickiness.type", "lb_cookie", Takes::OneOf(&["lb_cookie", "app_cookie"])),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1", Takes::DefaultOnly),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", Takes::DefaultOnly),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", Takes::DefaultOnly),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", Takes::DefaultOnly),
];

/// "Listener attributes", same guide.
const LISTENER: [Known; 1] = [("routing.http.response.server.enabled", "true", Takes::DefaultOnly)];

fn value<'a>(known: &'a [Known], own: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    let default = known.iter().find(|(n, _, _)| *n == name).map_or("", |(_, default, _)| default);
    own.get(name).map_or(default, String::as_str)
}

/// An attribute's value, own or default.
pub(crate) fn load_balancer<'a>(balancer: &'a LoadBalancer, name: &str) -> &'a str {
    value(&LOAD_BALANCER, &balancer.attributes, name)
}

pub(crate) fn target_group<'a>(group: &'a TargetGroup, name: &str) -> &'a str {
    value(&TARGET_GROUP, &group.attributes, name)
}

/// A number of seconds, in milliseconds.
pub(crate) fn seconds_as_ms(value: &str) -> u64 {
    value.parse::<u64>().unwrap_or_default() * 1_000
}

/// Every attribute with its value, own or default, in order of name.
fn all(known: &[Known], own: &BTreeMap<String, String>) -> Vec<(String, String)> {
    known.iter().map(|(name, _, _)| ((*name).to_string(), value(known, own, name).to_string())).collect()
}

pub(crate) fn all_of_load_balancer(balancer: &LoadBalancer) -> Vec<(String, String)> {
    all(&LOAD_BALANCER, &balancer.attributes)
}

pub(crate) fn all_of_target_group(group: &TargetGroup) -> Vec<(String, String)> {
    all(&TARGET_GROUP, &group.attributes)
}

pub(crate) fn all_of_listener() -> Vec<(String, String)> {
    all(&LISTENER, &BTreeMap::new())
}

/// Checks attributes and adds those that differ from their defaults to `own`.
fn set(known: &[Known], own: &mut BTreeMap<String, String>, wanted: &[(String, String)]) -> Result<(), Error> {
    for (name, value) in wanted {
        let Some((_, default, takes)) = known.iter().find(|(n, _, _)| n == name) else {
            return Err(Error::Unsupported(format!("Attribute key '{name}' is not recognized")));
        };
        let bad = |expected: String| Err(Error::Validation(format!("'{name}' must be {expected}, not '{value}'")));
        match takes {
            Takes::Bool if value != "true" && value != "false" => return bad("'true' or 'false'".into()),
            Takes::Number(least, most) if !value.parse::<u64>().is_ok_and(|n| (*least..=*most).contains(&n)) => {
                return bad(format!("a number between {least} and {most}"));
            }
            Takes::OneOf(values) if !values.contains(&value.as_str()) => return bad(format!("one of {}", values.join(", "))),
            Takes::DefaultOnly if value != default => {
                let text = format!("'{name}' can only be '{default}' in this region: '{value}' is not supported yet");
                return Err(Error::Unsupported(text));
            }
            _ => {}
        }
        if value == default {
            own.remove(name);
        } else {
            own.insert(name.clone(), value.clone());
        }
    }
    Ok(())
}

pub(crate) fn set_of_load_balancer(balancer: &mut LoadBalancer, wanted: &[(String, String)]) -> Result<(), Error> {
    set(&LOAD_BALANCER, &mut balancer.attributes, wanted)
}

pub(crate) fn set_of_target_group(group: &mut TargetGroup, wanted: &[(String, String)]) -> Result<(), Error> {
    set(&TARGET_GROUP, &mut group.attributes, wanted)
}

fn default_of(known: &'static [Known], name: &str) -> Option<&'static str> {
    known.iter().find(|(n, _, _)| *n == name).map(|(_, default, _)| *default)
}

pub(crate) fn default_of_load_balancer(name: &str) -> Option<&'static str> {
    default_of(&LOAD_BALANCER, name)
}

pub(crate) fn default_of_target_group(name: &str) -> Option<&'static str> {
    default_of(&TARGET_GROUP, name)
}

pub(crate) fn check_of_listener(wanted: &[(String, String)]) -> Result<(), Error> {
    set(&LISTENER, &mut BTreeMap::new(), wanted)
}
