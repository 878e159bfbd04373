//! A target group's health check: its parameters, their defaults and limits by the group's protocol, and AWS's notation of
//! success codes ("CreateTargetGroup", API Reference).

use serde::{Deserialize, Serialize};
use world::{HealthCheckPort, Protocol, ProtocolVersion};

use crate::attribute::plain_number;
use crate::error::Error;
use crate::protocol::{self, is_http};

const PATH_CHARS_MAX: usize = 1_024;
/// "Health checks for Application Load Balancer target groups": each limit in the parameter's own unit.
const INTERVAL_S: (i64, i64) = (5, 300);
const TIMEOUT_S: (i64, i64) = (2, 120);
const THRESHOLD: (i64, i64) = (2, 10);

/// How targets are probed. Seconds, as the API has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    #[serde(default = "protocol::http")]
    pub protocol: Protocol,
    /// The target's own port when none.
    pub port: Option<u16>,
    /// Empty for a check by TCP.
    pub path: String,
    pub interval_s: i64,
    pub timeout_s: i64,
    pub healthy_threshold: i64,
    pub unhealthy_threshold: i64,
    /// Such as `200`, `200,202` or `200-299`; gRPC's codes for a group of gRPC targets; empty for a check by TCP.
    pub matcher: String,
}

/// What of a group decides about its health check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probed {
    pub(crate) protocol: Protocol,
    pub(crate) version: ProtocolVersion,
}

impl Probed {
    /// The protocol of a check, the named one or the default.
    fn check_protocol(self, name: Option<&str>) -> Result<Protocol, Error> {
        let group = protocol::name(self.protocol);
        match (name, is_http(self.protocol)) {
            (None, true) | (Some("HTTP"), _) => Ok(Protocol::Http),
            (Some("HTTPS"), _) => Ok(Protocol::Https),
            (None | Some("TCP"), false) => Ok(Protocol::Tcp),
            (Some("TCP"), true) => {
                Err(invalid(&format!("Health check protocol 'TCP' is not supported for target groups with protocol '{group}'")))
            }
            (Some(other), _) => Err(invalid(&format!("Health check protocol '{other}' must be one of 'HTTP, HTTPS, TCP'"))),
        }
    }

    fn is_grpc(self) -> bool {
        self.version == ProtocolVersion::Grpc
    }

    fn default_path(self, of: Protocol) -> &'static str {
        match of {
            Protocol::Tcp => "",
            _ if self.is_grpc() => "/AWS.ALB/healthcheck",
            _ => "/",
        }
    }

    fn default_matcher(self, of: Protocol) -> &'static str {
        match of {
            Protocol::Tcp => "",
            _ if self.is_grpc() => "12",
            _ if is_http(self.protocol) => "200",
            _ => "200-399",
        }
    }

    /// Codes that a matcher may have.
    fn codes(self) -> (u16, u16) {
        match (self.is_grpc(), is_http(self.protocol)) {
            (true, _) => (0, 99),
            (false, true) => (200, 499),
            (false, false) => (200, 599),
        }
    }
}

/// What a request asks of a health check; what it does not name stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) enabled: Option<bool>,
    pub(crate) protocol: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) interval_s: Option<i64>,
    pub(crate) timeout_s: Option<i64>,
    pub(crate) healthy_threshold: Option<i64>,
    pub(crate) unhealthy_threshold: Option<i64>,
    pub(crate) http_codes: Option<String>,
    pub(crate) grpc_codes: Option<String>,
}

/// What a request to make or to change a group asks of its health check: both shapes name the parameters alike.
macro_rules! change_of_health_check {
    ($input:expr) => {{
        let matcher = $input.matcher.unwrap_or_default();
        $crate::health_check::Change {
            enabled: $input.health_check_enabled,
            protocol: $input.health_check_protocol,
            port: $input.health_check_port,
            path: $input.health_check_path,
            interval_s: $input.health_check_interval_seconds,
            timeout_s: $input.health_check_timeout_seconds,
            healthy_threshold: $input.healthy_threshold_count,
            unhealthy_threshold: $input.unhealthy_threshold_count,
            http_codes: matcher.http_code,
            grpc_codes: matcher.grpc_code,
        }
    }};
}
pub(crate) use change_of_health_check;

impl HealthCheck {
    /// A new group's.
    pub(crate) fn new(group: Probed, change: Change) -> Result<Self, Error> {
        let protocol = group.check_protocol(change.protocol.as_deref())?;
        let timeout_s = match (is_http(group.protocol), protocol) {
            (true, _) => 5,
            (false, Protocol::Http) => 6,
            (false, _) => 10,
        };
        let defaults = Self {
            protocol,
            port: None,
            path: group.default_path(protocol).into(),
            interval_s: 30,
            timeout_s,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: group.default_matcher(protocol).into(),
        };
        defaults.with(group, change)
    }

    /// This health check, changed.
    pub(crate) fn with(&self, group: Probed, change: Change) -> Result<Self, Error> {
        if change.enabled == Some(false) {
            return Err(invalid("Health check enabled must be true for target groups with target type 'instance' or 'ip'"));
        }
        let mut new = self.clone();
        if change.protocol.is_some() {
            new.protocol = group.check_protocol(change.protocol.as_deref())?;
        }
        if (new.protocol == Protocol::Tcp) != (self.protocol == Protocol::Tcp) {
            new.path = group.default_path(new.protocol).into();
            new.matcher = group.default_matcher(new.protocol).into();
        }
        if let Some(port) = change.port {
            new.port = parse_port(&port)?;
        }
        if let Some(path) = change.path {
            new.path = new.check_path(path)?;
        }
        new.set_numbers(change.interval_s, change.timeout_s, change.healthy_threshold, change.unhealthy_threshold)?;
        new.check_timeout(group)?;
        match (change.http_codes, change.grpc_codes) {
            (Some(_), Some(_)) => return Err(invalid("A matcher has either HTTP codes or gRPC codes")),
            (Some(_), None) if group.is_grpc() => {
                return Err(invalid("Health check matcher HTTP code cannot be specified for protocol version 'GRPC'"));
            }
            (None, Some(_)) if !group.is_grpc() => {
                return Err(invalid("Health check matcher gRPC code can only be specified for protocol version 'GRPC'"));
            }
            (Some(codes), None) | (None, Some(codes)) => {
                if new.protocol == Protocol::Tcp {
                    return Err(invalid("A health check matcher cannot be specified for health checks by TCP"));
                }
                parse_matcher(&codes, group.codes())?;
                new.matcher = codes;
            }
            (None, None) => {}
        }
        Ok(new)
    }

    fn check_path(&self, path: String) -> Result<String, Error> {
        if self.protocol == Protocol::Tcp {
            return Err(invalid("A health check path cannot be specified for health checks by TCP"));
        }
        let valid = path.starts_with('/') && path.len() <= PATH_CHARS_MAX && path.bytes().all(|b| b.is_ascii_graphic());
        if valid {
            return Ok(path);
        }
        Err(invalid(&format!(
            "Health check path '{path}' must begin with a '/' character, and can be at most {PATH_CHARS_MAX} printable ASCII characters long"
        )))
    }

    /// Groups of application load balancers want an interval that is longer than the timeout, those of network load balancers
    /// one that is not shorter: theirs is 10 seconds by default, and an interval of 10 is usual.
    fn check_timeout(&self, group: Probed) -> Result<(), Error> {
        let (timeout, interval) = (self.timeout_s, self.interval_s);
        if is_http(group.protocol) && timeout >= interval {
            return Err(invalid("Health check interval must be greater than the timeout."));
        }
        if timeout > interval {
            let text = format!("Health check timeout '{timeout}' must be smaller than or equal to the interval '{interval}'");
            return Err(invalid(&text));
        }
        Ok(())
    }

    fn set_numbers(
        &mut self,
        interval: Option<i64>,
        timeout: Option<i64>,
        healthy: Option<i64>,
        unhealthy: Option<i64>,
    ) -> Result<(), Error> {
        let number = |name: &str, given: Option<i64>, old: i64, (least, most): (i64, i64)| match given {
            Some(n) if !(least..=most).contains(&n) => {
                Err(invalid(&format!("Health check {name} '{n}' must be between {least} and {most} inclusive")))
            }
            given => Ok(given.unwrap_or(old)),
        };
        self.interval_s = number("interval", interval, self.interval_s, INTERVAL_S)?;
        self.timeout_s = number("timeout", timeout, self.timeout_s, TIMEOUT_S)?;
        self.healthy_threshold = number("healthy threshold count", healthy, self.healthy_threshold, THRESHOLD)?;
        self.unhealthy_threshold = number("unhealthy threshold count", unhealthy, self.unhealthy_threshold, THRESHOLD)?;
        Ok(())
    }

    /// `traffic-port` or the number.
    pub(crate) fn port_text(&self) -> String {
        self.port.map_or_else(|| "traffic-port".into(), |p| p.to_string())
    }

    pub(crate) fn to_world(&self, group: Probed) -> world::HealthCheck {
        let ms = |s: i64| u64::try_from(s).unwrap_or_default() * 1_000;
        let count = |n: i64| u32::try_from(n).unwrap_or(1);
        // A matcher was checked when it was set.
        let matcher = match self.protocol {
            Protocol::Tcp => Vec::new(),
            _ => parse_matcher(&self.matcher, group.codes()).unwrap_or_default(),
        };
        world::HealthCheck {
            enabled: true,
            protocol: self.protocol,
            port: self.port.map_or(HealthCheckPort::Traffic, HealthCheckPort::Port),
            path: self.path.clone(),
            interval_ms: ms(self.interval_s),
            timeout_ms: ms(self.timeout_s),
            healthy_threshold: count(self.healthy_threshold),
            unhealthy_threshold: count(self.unhealthy_threshold),
            matcher,
        }
    }
}

fn invalid(text: &str) -> Error {
    Error::Validation(text.into())
}

fn parse_port(text: &str) -> Result<Option<u16>, Error> {
    if text == "traffic-port" {
        return Ok(None);
    }
    match plain_number(text) {
        Some(port @ 1..) => Ok(Some(port)),
        _ => Err(invalid(&format!("Health check port '{text}' must be 'traffic-port' or a number between 1 and 65535"))),
    }
}

/// The inclusive ranges of `200,202-204`.
fn parse_matcher(text: &str, (least, most): (u16, u16)) -> Result<Vec<(u16, u16)>, Error> {
    let code = |s: &str| plain_number(s.trim()).filter(|c| (least..=most).contains(c));
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        code(from).zip(code(to)).filter(|(from, to)| from <= to)
    };
    text.split(',').map(range).collect::<Option<Vec<_>>>().ok_or_else(|| {
        invalid(&format!(
            "Health check matcher code '{text}' must be within {least} to {most}, such as '{least}', '{least},{most}' or '{least}-{most}'"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Change, HealthCheck, Probed, parse_matcher, parse_port};
    use world::{Protocol, ProtocolVersion};

    const HTTP: Probed = Probed { protocol: Protocol::Http, version: ProtocolVersion::Http1 };
    const GRPC: Probed = Probed { protocol: Protocol::Http, version: ProtocolVersion::Grpc };
    const TCP: Probed = Probed { protocol: Protocol::Tcp, version: ProtocolVersion::Http1 };

    fn by(protocol: &str) -> Change {
        Change { protocol: Some(protocol.into()), ..Change::default() }
    }

    #[test]
    fn matchers_are_read_as_aws_writes_them() {
        let cases = [
            ("200", Some(vec![(200, 200)])),
            ("200,202-204", Some(vec![(200, 200), (202, 204)])),
            ("600", None),
            ("299-200", None),
            ("", None),
            ("+200", None),
            ("0200-299", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_matcher(text, (200, 499)).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_port_is_the_targets_own_or_a_plain_number() {
        let cases = [("traffic-port", Some(None)), ("1", Some(Some(1))), ("65535", Some(Some(65_535)))];
        let wrong = ["0", "65536", "+80", "080", ""].map(|text| (text, None));
        for (text, expected) in cases.into_iter().chain(wrong) {
            assert_eq!(parse_port(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn only_checks_of_network_groups_may_take_their_whole_interval() {
        let with = |group, interval_s, timeout_s| {
            HealthCheck::new(group, Change { interval_s: Some(interval_s), timeout_s, ..Change::default() }).is_ok()
        };
        assert_eq!([with(TCP, 10, None), with(TCP, 9, None), with(TCP, 10, Some(11))], [true, false, false]);
        assert_eq!([with(HTTP, 10, Some(10)), with(HTTP, 10, Some(9)), with(HTTP, 5, None)], [false, true, false]);
    }

    #[test]
    fn defaults_depend_on_the_groups_protocol() {
        let cases = [
            (HTTP, None, (Protocol::Http, 5, "/", "200")),
            (HTTP, Some("HTTPS"), (Protocol::Https, 5, "/", "200")),
            (GRPC, None, (Protocol::Http, 5, "/AWS.ALB/healthcheck", "12")),
            (TCP, None, (Protocol::Tcp, 10, "", "")),
            (TCP, Some("HTTP"), (Protocol::Http, 6, "/", "200-399")),
            (TCP, Some("HTTPS"), (Protocol::Https, 10, "/", "200-399")),
        ];
        for (group, name, expected) in cases {
            let check = HealthCheck::new(group, Change { protocol: name.map(String::from), ..Change::default() }).unwrap();
            let seen = (check.protocol, check.timeout_s, check.path.as_str(), check.matcher.as_str());
            assert_eq!(seen, expected, "{group:?} {name:?}");
            assert_eq!((check.interval_s, check.healthy_threshold, check.unhealthy_threshold), (30, 5, 2));
        }
        assert!(HealthCheck::new(HTTP, by("TCP")).is_err() && HealthCheck::new(TCP, by("UDP")).is_err());
    }

    #[test]
    fn another_protocol_brings_its_own_path_and_codes() {
        let tcp = HealthCheck::new(TCP, Change::default()).unwrap();
        let http = tcp.with(TCP, Change { path: Some("/health".into()), ..by("HTTP") }).unwrap();
        assert_eq!((http.path.as_str(), http.matcher.as_str()), ("/health", "200-399"));
        let back = http.with(TCP, by("TCP")).unwrap();
        assert_eq!((back.path.as_str(), back.matcher.as_str()), ("", ""));
        assert!(tcp.with(TCP, Change { path: Some("/".into()), ..Change::default() }).is_err());
        assert!(tcp.with(TCP, Change { http_codes: Some("200".into()), ..Change::default() }).is_err());
        let grpc = HealthCheck::new(GRPC, Change { grpc_codes: Some("0-99".into()), ..Change::default() }).unwrap();
        assert_eq!(grpc.to_world(GRPC).matcher, [(0, 99)]);
        assert!(grpc.with(GRPC, Change { http_codes: Some("200".into()), ..Change::default() }).is_err());
    }

    #[test]
    fn limits_hold_and_what_is_not_named_stays() {
        let check = HealthCheck::new(HTTP, Change::default()).unwrap();
        let change = |change: Change| check.with(HTTP, change);
        let ok = change(Change { interval_s: Some(5), timeout_s: Some(2), ..Change::default() });
        assert!(ok.is_ok_and(|c| c.interval_s == 5 && c.timeout_s == 2 && c.path == "/"));
        assert!(change(Change { interval_s: Some(4), ..Change::default() }).is_err());
        assert!(change(Change { interval_s: Some(5), ..Change::default() }).is_err(), "timeout 5 is not below interval 5");
        assert!(change(Change { path: Some("health".into()), ..Change::default() }).is_err());
        assert!(change(Change { port: Some("0".into()), ..Change::default() }).is_err());
        assert!(change(Change { enabled: Some(false), ..Change::default() }).is_err());
    }
}
