//! The metrics of `AWS/EC2` that are published here, with their units ("List the available CloudWatch metrics for your
//! instances").

use base::{InstanceId, Time};
use kernel::{Cx, Tx};
use metrics::{Metric, Resolution, Sample, SeriesId, Store};

use super::meters::Meters;

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

const KINDS: usize = Kind::SurplusCharged as usize + 1;
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
    /// Place of its instance's meter.
    pub meter: u32,
    pub kind: Kind,
    pub resolution: Resolution,
    pub at: Time,
    pub value: Value,
}

pub(super) enum Value {
    One(f64),
    Several(Box<Sample>),
}

/// The numbers of an instance's series, as far as they are known: most metrics are put in each time by number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Series([Option<SeriesId>; KINDS]);

/// Puts what is there into the store, and leaves nothing.
pub(super) fn publish(tx: &mut Tx, cx: &Cx, meters: &mut Meters, outgoing: &mut Vec<Outgoing>) {
    let store = tx.store_mut::<Store>();
    store.advance(cx.now);
    for Outgoing { meter, kind, resolution, at, value } in outgoing.drain(..) {
        let Some(meter) = meters.all.get_mut(meter as usize) else { continue };
        let known = &mut meter.series.0[kind as usize];
        if known.is_none() {
            *known = store.id(&kind.metric(&meter.id), kind.unit()).ok();
        }
        // Of more metrics than there can be, the new ones are lost.
        let Some(number) = *known else { continue };
        match value {
            Value::One(value) => store.put_value(number, resolution, at, value),
            Value::Several(sample) => store.put_by_id(number, resolution, at, &sample),
        }
    }
}
