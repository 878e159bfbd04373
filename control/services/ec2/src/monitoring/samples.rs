//! The metrics of `AWS/EC2` that are published here, with their units ("List the available CloudWatch metrics for your
//! instances").

use base::{InstanceId, Time};
use kernel::Tx;
use metrics::{Metric, Resolution, Sample};

/// A metric of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Cpu,
    NetworkIn,
    NetworkOut,
    PacketsIn,
    PacketsOut,
    StatusFailed,
    StatusFailedInstance,
    StatusFailedSystem,
    StatusFailedEbs,
    CreditUsage,
    CreditBalance,
    SurplusBalance,
    SurplusCharged,
}

/// In the order of the values of a period.
pub(super) const USAGE: [Kind; 5] = [Kind::Cpu, Kind::NetworkIn, Kind::NetworkOut, Kind::PacketsIn, Kind::PacketsOut];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUUtilization",
            Self::NetworkIn => "NetworkIn",
            Self::NetworkOut => "NetworkOut",
            Self::PacketsIn => "NetworkPacketsIn",
            Self::PacketsOut => "NetworkPacketsOut",
            Self::StatusFailed => "StatusCheckFailed",
            Self::StatusFailedInstance => "StatusCheckFailed_Instance",
            Self::StatusFailedSystem => "StatusCheckFailed_System",
            Self::StatusFailedEbs => "StatusCheckFailed_AttachedEBS",
            Self::CreditUsage => "CPUCreditUsage",
            Self::CreditBalance => "CPUCreditBalance",
            Self::SurplusBalance => "CPUSurplusCreditBalance",
            Self::SurplusCharged => "CPUSurplusCreditsCharged",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "Percent",
            Self::NetworkIn | Self::NetworkOut => "Bytes",
            _ => "Count",
        }
    }

    pub fn metric(self, id: &InstanceId) -> Metric {
        Metric::new("AWS/EC2", self.name(), &[("InstanceId", id.as_str())])
    }
}

/// A sample on its way to the store: what is read of the state comes first, for a store takes no part in transactions.
pub(super) struct Outgoing {
    pub id: InstanceId,
    pub kind: Kind,
    pub resolution: Resolution,
    pub at: Time,
    pub sample: Sample,
}

pub(super) fn publish(tx: &mut Tx, outgoing: &[Outgoing]) {
    for Outgoing { id, kind, resolution, at, sample } in outgoing {
        cloudwatch::publish(tx, &kind.metric(id), kind.unit(), *resolution, *at, sample);
    }
}
