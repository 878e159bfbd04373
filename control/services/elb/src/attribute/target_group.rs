use std::borrow::Cow;

use world::{MinimumHealthy, Protocol};

use super::{Known, Takes, set};
use crate::error::Error;
use crate::protocol::is_http;
use crate::target_group::TargetGroup;

const CROSS_ZONE: &[&str] = &["true", "false", "use_load_balancer_configuration"];
const COUNT_MAX: u64 = 1_000;

const DNS_COUNT: Known =
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1", Takes::NumberOrOff(1, COUNT_MAX));
const DNS_PERCENT: Known =
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", Takes::NumberOrOff(1, 100));
const ROUTING_COUNT: Known =
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", Takes::Number(1, COUNT_MAX));
const ROUTING_PERCENT: Known =
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", Takes::NumberOrOff(1, 100));

/// "Target groups for your Application Load Balancers, Target group attributes".
const HTTP: [Known; 14] = [
    ("deregistration_delay.timeout_seconds", "300", Takes::Number(0, 3_600)),
    ("load_balancing.algorithm.anomaly_mitigation", "off", Takes::OneOf(&["on", "off"])),
    (
        "load_balancing.algorithm.type",
        "round_robin",
        Takes::OneOf(&["round_robin", "least_outstanding_requests", "weighted_random"]),
    ),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", Takes::OneOf(CROSS_ZONE)),
    ("slow_start.duration_seconds", "0", Takes::NumberOrZero(30, 900)),
    ("stickiness.enabled", "false", Takes::Bool),
    ("stickiness.app_cookie.cookie_name", "", Takes::Text(512)),
    ("stickiness.app_cookie.duration_seconds", "86400", Takes::Number(1, 604_800)),
    ("stickiness.lb_cookie.duration_seconds", "86400", Takes::Number(1, 604_800)),
    ("stickiness.type", "lb_cookie", Takes::OneOf(&["lb_cookie", "app_cookie"])),
    DNS_COUNT,
    DNS_PERCENT,
    ROUTING_COUNT,
    ROUTING_PERCENT,
];

/// "Target groups for your Network Load Balancers, Target group attributes".
const NETWORK: [Known; 13] = [
    // Empty defaults depend on the group.
    (DEREGISTERED_TERMINATION, "", Takes::Bool),
    ("deregistration_delay.timeout_seconds", "300", Takes::Number(0, 3_600)),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", Takes::OneOf(CROSS_ZONE)),
    ("preserve_client_ip.enabled", "false", Takes::Bool),
    ("proxy_protocol_v2.enabled", "false", Takes::Bool),
    ("stickiness.enabled", "false", Takes::Bool),
    ("stickiness.type", "source_ip", Takes::OneOf(&["source_ip"])),
    DNS_COUNT,
    DNS_PERCENT,
    ROUTING_COUNT,
    ROUTING_PERCENT,
    (UNHEALTHY_TERMINATION, "", Takes::Bool),
    (UNHEALTHY_DRAINING, "0", Takes::Number(0, 360_000)),
];

const DEREGISTERED_TERMINATION: &str = "deregistration_delay.connection_termination.enabled";
pub(crate) const UNHEALTHY_TERMINATION: &str = "target_health_state.unhealthy.connection_termination.enabled";
pub(crate) const UNHEALTHY_DRAINING: &str = "target_health_state.unhealthy.draining_interval_seconds";

/// Users come from loopback addresses, which no packet of a VPC may carry: its answer would never leave the instance.
const NO_PRESERVATION: &str = "'preserve_client_ip.enabled' can only be 'false' in this region: clients come from loopback \
     addresses, which cannot be routed in a VPC; with 'proxy_protocol_v2.enabled' targets are told of their clients";

fn known(group: &TargetGroup) -> &'static [Known] {
    if is_http(group.protocol) { &HTTP } else { &NETWORK }
}

/// The default of an attribute; empty when such groups have none of the name. Of [`DEREGISTERED_TERMINATION`]: "For new
/// UDP/TCP_UDP target groups the default is true. Otherwise, the default is false." Of [`UNHEALTHY_TERMINATION`]: "The default is
/// true. This attribute can't be enabled for UDP and TCP_UDP target groups" (API Reference, TargetGroupAttribute).
pub(crate) fn default_of_target_group(group: &TargetGroup, name: &str) -> Option<&'static str> {
    let yes_or_no = |yes| Some(if yes { "true" } else { "false" });
    match name {
        DEREGISTERED_TERMINATION if !is_http(group.protocol) => yes_or_no(has_datagrams(group)),
        UNHEALTHY_TERMINATION if !is_http(group.protocol) => yes_or_no(!has_datagrams(group)),
        _ => super::default_of(known(group), name),
    }
}

fn has_datagrams(group: &TargetGroup) -> bool {
    matches!(group.protocol, Protocol::Udp | Protocol::TcpUdp)
}

/// An attribute's value, own or default.
pub(crate) fn target_group<'a>(group: &'a TargetGroup, name: &str) -> &'a str {
    match group.attributes.get(name) {
        Some(own) => own,
        None => default_of_target_group(group, name).unwrap_or_default(),
    }
}

pub(crate) fn all_of_target_group(group: &TargetGroup) -> Vec<(String, String)> {
    known(group).iter().map(|(name, _, _)| ((*name).to_string(), target_group(group, name).to_string())).collect()
}

/// `target_group_health.WHICH.*`.
pub(crate) fn minimum_healthy(group: &TargetGroup, which: &str) -> MinimumHealthy {
    let of = |part: &str| {
        let name = format!("target_group_health.{which}.minimum_healthy_targets.{part}");
        target_group(group, &name).parse().ok()
    };
    MinimumHealthy { count: of("count"), percent: of("percentage") }
}

pub(crate) fn set_of_target_group(group: &mut TargetGroup, wanted: &[(String, String)]) -> Result<(), Error> {
    let whose = format!("target groups with protocol '{}'", crate::protocol::name(group.protocol));
    let mut own = std::mem::take(&mut group.attributes);
    let outcome = set(known(group), &mut own, wanted, &whose);
    group.attributes = own;
    outcome?;
    for name in [DEREGISTERED_TERMINATION, UNHEALTHY_TERMINATION] {
        if group.attributes.get(name).is_some_and(|value| Some(value.as_str()) == default_of_target_group(group, name)) {
            group.attributes.remove(name);
        }
    }
    match wrong(group) {
        Some(text) => Err(Error::Unsupported(text.into())),
        None => Ok(()),
    }
}

/// What does not go together.
fn wrong(group: &TargetGroup) -> Option<Cow<'static, str>> {
    let of = |name: &str| target_group(group, name);
    if let Some(text) = wrong_thresholds(group) {
        return Some(text.into());
    }
    let is_sticky = of("stickiness.enabled") == "true";
    if !is_http(group.protocol) {
        if of("preserve_client_ip.enabled") == "true" {
            // At AWS it is on by default for most groups.
            return Some(NO_PRESERVATION.into());
        }
        if has_datagrams(group) && of(UNHEALTHY_TERMINATION) == "true" {
            let protocol = crate::protocol::name(group.protocol);
            return Some(
                format!("'{UNHEALTHY_TERMINATION}' cannot be enabled for target groups with protocol '{protocol}'").into(),
            );
        }
        // "This attribute can only be configured when target_health_state.unhealthy.connection_termination.enabled is false"
        // ("API Reference, TargetGroupAttribute").
        if of(UNHEALTHY_DRAINING) != "0" && of(UNHEALTHY_TERMINATION) == "true" {
            return Some(format!("'{UNHEALTHY_DRAINING}' can only be set when '{UNHEALTHY_TERMINATION}' is 'false'").into());
        }
        if is_sticky && group.protocol == Protocol::Tls {
            return Some("Stickiness is not supported for target groups with protocol 'TLS'".into());
        }
        return None;
    }
    let algorithm = of("load_balancing.algorithm.type");
    if of("load_balancing.algorithm.anomaly_mitigation") == "on" && algorithm != "weighted_random" {
        return Some("Anomaly mitigation can only be on with the algorithm 'weighted_random'".into());
    }
    if of("slow_start.duration_seconds") != "0" && algorithm != "round_robin" {
        return Some(format!("Slow start cannot be enabled with the algorithm '{algorithm}'").into());
    }
    if is_sticky && of("load_balancing.cross_zone.enabled") == "false" {
        return Some("Stickiness cannot be enabled when cross-zone load balancing is off for the target group".into());
    }
    let cookie = of("stickiness.app_cookie.cookie_name");
    if is_sticky && of("stickiness.type") == "app_cookie" && cookie.is_empty() {
        return Some("'stickiness.app_cookie.cookie_name' must be specified for stickiness of type 'app_cookie'".into());
    }
    let is_token = cookie.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let is_reserved = ["AWSALB", "AWSALBAPP", "AWSALBTG"].iter().any(|reserved| cookie.starts_with(reserved));
    if !is_token || is_reserved {
        return Some(format!("'{cookie}' is not a name that an application's cookie may have").into());
    }
    None
}

/// "If you specify thresholds for both actions, the threshold for DNS failover must be greater than or equal to the threshold for
/// routing failover" ("Target group health"). A default is not specified.
fn wrong_thresholds(group: &TargetGroup) -> Option<String> {
    [(DNS_COUNT.0, ROUTING_COUNT.0), (DNS_PERCENT.0, ROUTING_PERCENT.0)].into_iter().find_map(|(dns, routing)| {
        let of = |name: &str| group.attributes.get(name)?.parse::<u64>().ok();
        (of(dns)? < of(routing)?).then(|| format!("'{dns}' must be greater than or equal to '{routing}'"))
    })
}
