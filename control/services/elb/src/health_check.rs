//! A target group's health check: its parameters, their defaults and limits, and AWS's notation of success codes.

use serde::{Deserialize, Serialize};
use world::{HealthCheckPort, Protocol};

use crate::error::Error;

const PATH_CHARS_MAX: usize = 1_024;
/// "Health checks for Application Load Balancer target groups": each limit in the parameter's own unit.
const INTERVAL_S: (i64, i64) = (5, 300);
const TIMEOUT_S: (i64, i64) = (2, 120);
const THRESHOLD: (i64, i64) = (2, 10);
const CODES: (u16, u16) = (200, 499);

/// How targets are probed. Seconds, as the API has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The target's own port when none.
    pub port: Option<u16>,
    pub path: String,
    pub interval_s: i64,
    pub timeout_s: i64,
    pub healthy_threshold: i64,
    pub unhealthy_threshold: i64,
    /// Such as `200`, `200,202` or `200-299`.
    pub matcher: String,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            port: None,
            path: "/".into(),
            interval_s: 30,
            timeout_s: 5,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: "200".into(),
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
    pub(crate) matcher: Option<String>,
}

impl HealthCheck {
    /// This health check, changed.
    pub(crate) fn with(&self, change: Change) -> Result<Self, Error> {
        if change.enabled == Some(false) {
            return Err(invalid("Health check enabled must be true for target groups with target type 'instance' or 'ip'"));
        }
        if let Some(protocol) = change.protocol.filter(|p| p != "HTTP") {
            return Err(Error::Unsupported(format!(
                "Health check protocol '{protocol}' is not supported in this region: use HTTP"
            )));
        }
        let mut new = self.clone();
        if let Some(port) = change.port {
            new.port = parse_port(&port)?;
        }
        if let Some(path) = change.path {
            let valid = path.starts_with('/') && path.len() <= PATH_CHARS_MAX && path.bytes().all(|b| b.is_ascii_graphic());
            if !valid {
                return Err(invalid(&format!(
                    "Health check path '{path}' must begin with a '/' character, and can be at most {PATH_CHARS_MAX} printable ASCII characters long"
                )));
            }
            new.path = path;
        }
        let number = |name: &str, given: Option<i64>, old: i64, (least, most): (i64, i64)| match given {
            Some(n) if !(least..=most).contains(&n) => {
                Err(invalid(&format!("Health check {name} '{n}' must be between {least} and {most} inclusive")))
            }
            given => Ok(given.unwrap_or(old)),
        };
        new.interval_s = number("interval", change.interval_s, new.interval_s, INTERVAL_S)?;
        new.timeout_s = number("timeout", change.timeout_s, new.timeout_s, TIMEOUT_S)?;
        new.healthy_threshold = number("healthy threshold count", change.healthy_threshold, new.healthy_threshold, THRESHOLD)?;
        new.unhealthy_threshold =
            number("unhealthy threshold count", change.unhealthy_threshold, new.unhealthy_threshold, THRESHOLD)?;
        if new.timeout_s >= new.interval_s {
            let text = format!("Health check timeout '{}' must be smaller than the interval '{}'", new.timeout_s, new.interval_s);
            return Err(invalid(&text));
        }
        if let Some(matcher) = change.matcher {
            parse_matcher(&matcher)?;
            new.matcher = matcher;
        }
        Ok(new)
    }

    /// `traffic-port` or the number.
    pub(crate) fn port_text(&self) -> String {
        self.port.map_or_else(|| "traffic-port".into(), |p| p.to_string())
    }

    pub(crate) fn to_world(&self) -> world::HealthCheck {
        let ms = |s: i64| u64::try_from(s).unwrap_or_default() * 1_000;
        let count = |n: i64| u32::try_from(n).unwrap_or(1);
        world::HealthCheck {
            enabled: true,
            protocol: Protocol::Http,
            port: self.port.map_or(HealthCheckPort::Traffic, HealthCheckPort::Port),
            path: self.path.clone(),
            interval_ms: ms(self.interval_s),
            timeout_ms: ms(self.timeout_s),
            healthy_threshold: count(self.healthy_threshold),
            unhealthy_threshold: count(self.unhealthy_threshold),
            // It was checked when it was set.
            matcher: parse_matcher(&self.matcher).unwrap_or_default(),
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
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err(invalid(&format!("Health check port '{text}' must be 'traffic-port' or a number between 1 and 65535"))),
    }
}

/// The inclusive ranges of `200,202-204`.
fn parse_matcher(text: &str) -> Result<Vec<(u16, u16)>, Error> {
    let code = |s: &str| s.trim().parse::<u16>().ok().filter(|c| (CODES.0..=CODES.1).contains(c));
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        code(from).zip(code(to)).filter(|(from, to)| from <= to)
    };
    text.split(',').map(range).collect::<Option<Vec<_>>>().ok_or_else(|| {
        invalid(&format!(
            "Health check matcher HTTP code '{text}' must be within {} to {}, such as '200', '200,202' or '200-299'",
            CODES.0, CODES.1
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::{Change, HealthCheck, parse_matcher};

    #[test]
    fn matchers_are_read_as_aws_writes_them() {
        let cases = [
            ("200", Some(vec![(200, 200)])),
            ("200,202-204", Some(vec![(200, 200), (202, 204)])),
            ("600", None),
            ("299-200", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_matcher(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn limits_hold_and_what_is_not_named_stays() {
        let check = HealthCheck::default();
        let ok = check.with(Change { interval_s: Some(5), timeout_s: Some(2), ..Change::default() });
        assert!(ok.is_ok_and(|c| c.interval_s == 5 && c.timeout_s == 2 && c.path == "/"));
        assert!(check.with(Change { interval_s: Some(4), ..Change::default() }).is_err());
        assert!(check.with(Change { interval_s: Some(5), ..Change::default() }).is_err(), "timeout 5 is not below interval 5");
        assert!(check.with(Change { path: Some("health".into()), ..Change::default() }).is_err());
        assert!(check.with(Change { port: Some("0".into()), ..Change::default() }).is_err());
        assert!(check.with(Change { enabled: Some(false), ..Change::default() }).is_err());
    }
}
