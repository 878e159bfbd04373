use base::{InstanceId, LoadBalancerArn, TargetGroupArn, Time};
use serde::{Deserialize, Serialize};

use crate::{BalancerTraffic, InstanceUsage, IssuedCertificate, Slot, TargetKey};

/// What an executor reports. Reports are of states, not of steps: after a lost connection the executor reports
/// the present state of everything it has, and repeated reports are harmless.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Observation {
    /// The slot is now as this version of its effect wants it. For an instance: its start or stop is under way;
    /// `Instance` tells how it went.
    Applied { slot: Slot, version: u64 },
    /// The slot cannot become so; the executor has given up and cleaned up until a newer version comes.
    Refused { slot: Slot, version: u64, reason: String },
    /// The state of an instance's boot number `generation`.
    Instance { id: InstanceId, generation: u64, state: InstanceState, at: Time },
    /// The health of a target's registration number `generation`, sent when it changes.
    Target { load_balancer: LoadBalancerArn, group: TargetGroupArn, target: TargetKey, generation: u64, health: TargetHealth },
    /// A target fails far more of its requests than others of its group do, or does so no longer ("ELB User Guide, Automatic
    /// Target Weights"). `mitigated`: it gets fewer requests for that.
    TargetAnomaly {
        load_balancer: LoadBalancerArn,
        group: TargetGroupArn,
        target: TargetKey,
        generation: u64,
        anomalous: bool,
        mitigated: bool,
    },
    /// The authority has issued what order number `generation` of this certificate asked for.
    Issued { certificate: String, generation: u64, issued: Box<IssuedCertificate> },
    /// What instances used from `from` to `until`: all that ran in it, in one report. Periods are as long as
    /// [`Frame::Report`](crate::Frame::Report) asks and end at multiples of their length.
    Usage { from: Time, until: Time, instances: Vec<InstanceUsage> },
    /// What load balancers did from `from` to `until`, likewise.
    Traffic { from: Time, until: Time, balancers: Vec<BalancerTraffic> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum InstanceState {
    /// PID 1 is up and the interface is there.
    Running,
    /// No process is left, the disk is kept.
    Stopped { exit: Exit },
    /// Disk and interface are gone too.
    Gone,
    /// It could not start, for a reason that a user can read.
    Failed { reason: String },
}

/// Why an instance's PID 1 ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// As the effect asked.
    Asked,
    /// The instance shut itself down (`poweroff`, `halt`, `shutdown`).
    Poweroff,
    /// The instance asked for a reboot.
    Reboot,
    /// Killed from outside, by this signal.
    Signal(i32),
    /// Ended by itself with this status.
    Status(i32),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", rename_all = "kebab-case")]
pub enum TargetHealth {
    /// Registered, not yet checked often enough.
    Initial,
    Healthy,
    Unhealthy {
        reason: TargetReason,
        /// Flows to it have time to end (`target_health_state.unhealthy.draining_interval_seconds`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        draining: bool,
    },
    /// Deregistered, with requests under way.
    Draining,
    /// Deregistered and idle, or past its deadline: it may be forgotten.
    Drained,
}

/// Why a target failed its checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum TargetReason {
    /// It answered with a status outside the matcher.
    ResponseCodeMismatch {
        status: u16,
    },
    Timeout,
    /// The connection was refused or broke.
    FailedHealthChecks,
}
