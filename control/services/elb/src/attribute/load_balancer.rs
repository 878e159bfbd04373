use world::{BalancerKind, LogPlace};

use super::{Known, Takes, all, default_of, set, value};
use crate::error::Error;
use crate::load_balancer::LoadBalancer;

/// "Application Load Balancers: Load balancer attributes", User Guide for Application Load Balancers.
const APPLICATION: [Known; 23] = [
    ("access_logs.s3.enabled", "false", Takes::Bool),
    ("access_logs.s3.bucket", "", Takes::Text(63)),
    ("access_logs.s3.prefix", "", Takes::Text(512)),
    ("client_keep_alive.seconds", "3600", Takes::Number(60, 604_800)),
    ("connection_logs.s3.enabled", "false", Takes::Bool),
    ("connection_logs.s3.bucket", "", Takes::Text(63)),
    ("connection_logs.s3.prefix", "", Takes::Text(512)),
    ("deletion_protection.enabled", "false", Takes::Bool),
    ("health_check_logs.s3.enabled", "false", Takes::Bool),
    ("health_check_logs.s3.bucket", "", Takes::Text(63)),
    ("health_check_logs.s3.prefix", "", Takes::Text(512)),
    ("idle_timeout.timeout_seconds", "60", Takes::Number(1, 4_000)),
    ("ipv6.deny_all_igw_traffic", "false", Takes::DefaultOnly),
    ("load_balancing.cross_zone.enabled", "true", Takes::DefaultOnly),
    ("routing.http.desync_mitigation_mode", "defensive", Takes::OneOf(&["monitor", "defensive", "strictest"])),
    ("routing.http.drop_invalid_header_fields.enabled", "false", Takes::Bool),
    ("routing.http.preserve_host_header.enabled", "false", Takes::Bool),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Takes::Bool),
    ("routing.http.xff_client_port.enabled", "false", Takes::Bool),
    ("routing.http.xff_header_processing.mode", "append", Takes::OneOf(&["append", "preserve", "remove"])),
    ("routing.http2.enabled", "true", Takes::Bool),
    // Without a web ACL, which this region has none of yet, it decides nothing.
    ("waf.fail_open.enabled", "false", Takes::Bool),
    ("zonal_shift.config.enabled", "false", Takes::DefaultOnly),
];

/// "Network Load Balancers: Load balancer attributes", User Guide for Network Load Balancers.
const NETWORK: [Known; 9] = [
    ("access_logs.s3.enabled", "false", Takes::Bool),
    ("access_logs.s3.bucket", "", Takes::Text(63)),
    ("access_logs.s3.prefix", "", Takes::Text(512)),
    ("deletion_protection.enabled", "false", Takes::Bool),
    ("dns_record.client_routing_policy", "any_availability_zone", Takes::DefaultOnly),
    ("ipv6.deny_all_igw_traffic", "false", Takes::DefaultOnly),
    ("load_balancing.cross_zone.enabled", "false", Takes::Bool),
    ("secondary_ips.auto_assigned.per_subnet", "0", Takes::DefaultOnly),
    ("zonal_shift.config.enabled", "false", Takes::DefaultOnly),
];

fn known(kind: BalancerKind) -> &'static [Known] {
    match kind {
        BalancerKind::Application => &APPLICATION,
        BalancerKind::Network => &NETWORK,
    }
}

/// An attribute's value, own or default; empty when this kind has none of the name.
pub(crate) fn load_balancer<'a>(balancer: &'a LoadBalancer, name: &str) -> &'a str {
    value(known(balancer.kind), &balancer.attributes, name)
}

pub(crate) fn all_of_load_balancer(balancer: &LoadBalancer) -> Vec<(String, String)> {
    all(known(balancer.kind), &balancer.attributes)
}

pub(crate) fn default_of_load_balancer(kind: BalancerKind, name: &str) -> Option<&'static str> {
    default_of(known(kind), name)
}

/// Where `access_logs`, `connection_logs` or `health_check_logs` go; none when they are off.
pub(crate) fn log_place(balancer: &LoadBalancer, which: &str) -> Option<LogPlace> {
    let of = |part: &str| load_balancer(balancer, &format!("{which}.s3.{part}")).to_string();
    (of("enabled") == "true").then(|| LogPlace { bucket: of("bucket"), prefix: of("prefix") })
}

pub(crate) fn set_of_load_balancer(balancer: &mut LoadBalancer, wanted: &[(String, String)]) -> Result<(), Error> {
    let whose = match balancer.kind {
        BalancerKind::Application => "load balancers of type 'application'",
        BalancerKind::Network => "load balancers of type 'network'",
    };
    set(known(balancer.kind), &mut balancer.attributes, wanted, whose)?;
    for which in ["access_logs", "connection_logs", "health_check_logs"] {
        let Some(place) = log_place(balancer, which) else { continue };
        if place.bucket.is_empty() {
            let text = format!("'{which}.s3.bucket' must be specified when '{which}.s3.enabled' is 'true'");
            return Err(Error::Unsupported(text));
        }
        check_place(&place)?;
    }
    Ok(())
}

/// "General purpose bucket naming rules", and a prefix without the word that AWS puts behind it.
fn check_place(place: &LogPlace) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bucket = place.bucket.as_bytes();
    let ends_well = bucket.first().is_some_and(|b| plain(*b)) && bucket.last().is_some_and(|b| plain(*b));
    let is_name = bucket.len() >= 3 && ends_well && bucket.iter().all(|b| plain(*b) || b"-.".contains(b));
    if !is_name || place.bucket.contains("..") {
        return Err(Error::Unsupported(format!("'{}' is not a valid bucket name", place.bucket)));
    }
    let has_step = place.prefix.split('/').any(|part| matches!(part, "." | ".."));
    if has_step || place.prefix.starts_with('/') || place.prefix.contains("AWSLogs") {
        return Err(Error::Unsupported(format!("'{}' is not a valid prefix of log files", place.prefix)));
    }
    Ok(())
}
