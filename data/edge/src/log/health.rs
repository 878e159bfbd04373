//! Health check logs ("ELB User Guide, Health check logs: Health check log entries"): a line for each check of a target.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use world::{HealthCheck, Protocol, ProtocolVersion, TargetReason};

use super::text::{Moment, push_nanos, push_safe};
use super::{Channel, Writer};
use crate::http::text::{push, push_address, push_number};

/// What one check has found.
#[derive(Clone, Debug)]
pub struct Checked<'a> {
    pub started: Moment,
    pub took: Duration,
    /// The code that the target answered with, if it did.
    pub status: Option<u16>,
    pub outcome: &'a Result<(), TargetReason>,
}

/// Where the checks of a target are noted.
#[derive(Clone, Debug)]
pub struct HealthLog {
    pub channel: Arc<Channel>,
    pub address: SocketAddrV4,
    /// ARN.
    pub group: String,
    pub kind: &'static str,
}

impl HealthLog {
    /// `type`: "http, https, h2, grpc".
    pub fn kind_of(check: &HealthCheck, version: ProtocolVersion) -> &'static str {
        match (version, check.protocol) {
            (ProtocolVersion::Grpc, _) => "grpc",
            (ProtocolVersion::Http2, _) => "h2",
            (ProtocolVersion::Http1, Protocol::Https) => "https",
            (ProtocolVersion::Http1, _) => "http",
        }
    }

    pub fn note(&self, log: &Writer, checked: &Checked<'_>) {
        log.line(&self.channel, |out| {
            push(out, &[self.kind, " "]);
            checked.started.push(out);
            push(out, &[" "]);
            push_nanos(out, checked.took);
            push(out, &[" "]);
            push_address(out, (*self.address.ip()).into(), Some(self.address.port()));
            push(out, &[" "]);
            // Its name: "targetgroup/NAME/ID".
            push_safe(out, self.group.rsplit('/').nth(1).unwrap_or("-").as_bytes());
            push(out, &[if checked.outcome.is_ok() { " PASS " } else { " FAIL " }]);
            match checked.status {
                Some(status) => push_number(out, status),
                None => push(out, &["-"]),
            }
            let reason = checked.outcome.as_ref().err().map_or("-", |reason| code(reason, self.kind));
            push(out, &[" ", reason, " ", self.channel.balancer(), " ", self.channel.node()]);
        });
        // Checks are few: nobody waits for their lines.
        log.flush();
    }
}

/// "Error reason codes" of health check logs.
fn code(reason: &TargetReason, kind: &str) -> &'static str {
    match reason {
        TargetReason::ResponseCodeMismatch { .. } if kind == "grpc" => "GRPCUnexpectedStatus",
        TargetReason::ResponseCodeMismatch { status: 500..=599 } => "TargetError",
        TargetReason::ResponseCodeMismatch { .. } => "ResponseCodeMismatch",
        TargetReason::Timeout => "TimedOut",
        TargetReason::FailedHealthChecks => "ConnectionReset",
    }
}
