//! What is kept of running instances between two reports: the values of the five minutes under way, and their credits. It is
//! lost with the process; credits are then read back from the metric that tells them.

use std::time::Duration;

use base::{InstanceId, Time};
use kernel::{Cx, State};
use metrics::Sample;
use world::InstanceUsage;

use super::credits::{Credits, Terms};
use super::samples::{Kind, Series, USAGE, Value};
use crate::compute::{Instance, InstanceType, credits_default};

/// A stopped instance that is not a T2 keeps its credits for seven days ("Key concepts for burstable performance instances:
/// CPU credit accrual and lifetime").
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// Values of one instance in five minutes: one a second.
const VALUES_MAX: usize = 300;

/// All instances that ran in the five minutes under way.
#[derive(Default)]
pub(super) struct Meters {
    /// In order of id, so that they are gone through beside the instances; new ones come last until [`Meters::sort`].
    pub all: Vec<Meter>,
    /// The beginning of the five minutes, none before the first report.
    pub begin: Option<Time>,
}

impl kernel::Store for Meters {
    fn keep(&mut self) {}
}

impl Meters {
    /// Puts those in their places that came after the first `sorted`.
    pub fn sort(&mut self, sorted: usize) {
        if self.all.len() > sorted {
            self.all.sort_by(|a, b| a.id.cmp(&b.id));
        }
    }
}

pub(super) struct Meter {
    pub id: InstanceId,
    /// Of each period that is told with the five minutes only: percent, bytes in and out, packets in and out.
    values: Vec<[f64; USAGE.len()]>,
    cpu_us: u64,
    running_ms: u64,
    /// As its type and mode were when it was last reported.
    terms: Option<Terms>,
    credits: Option<Credits>,
    pub series: Series,
}

impl Meter {
    pub fn new(id: &InstanceId) -> Self {
        Self {
            id: id.clone(),
            values: Vec::new(),
            cpu_us: 0,
            running_ms: 0,
            terms: None,
            credits: None,
            series: Series::default(),
        }
    }

    pub fn add(&mut self, instance: &Instance, instance_type: &InstanceType, usage: &InstanceUsage) {
        let mode = instance.cpu_credits.as_deref().unwrap_or_else(|| credits_default(&instance.instance_type));
        self.terms = Terms::new(instance_type, mode);
        self.cpu_us += usage.cpu_us;
        self.running_ms += usage.running_ms;
    }

    /// Keeps a period's values for the end of the five minutes.
    pub fn keep(&mut self, values: [f64; USAGE.len()]) {
        if self.values.len() < VALUES_MAX {
            self.values.push(values);
        }
    }

    pub fn is_idle(&self) -> bool {
        self.running_ms == 0
    }

    /// The kept values of one of the metrics of [`USAGE`]; none when none were kept.
    pub fn value(&self, index: usize) -> Option<Value> {
        let values = self.values.iter().map(|values| (values[index], 1.0));
        (!self.values.is_empty()).then(|| Value::Several(Box::new(Sample::values(values))))
    }

    /// Settles credits for the five minutes, and tells usage and what is left.
    pub fn settle(&mut self, state: &State, cx: &Cx, begin: Time, mut tell: impl FnMut(Kind, f64)) {
        let Some(terms) = self.terms else { return };
        let recalled = || state.get::<Instance>(&self.id).map(|instance| recall(state, instance, terms, begin));
        let Some(mut credits) = self.credits.or_else(recalled) else { return };
        let vcpu_us = f64::from(cx.settings.vcpu_millicores) / 1_000.0;
        let spent = self.cpu_us as f64 / vcpu_us / 60e6;
        let charged = credits.settle(terms, self.running_ms as f64 / 60e3, spent);
        self.credits = Some(credits);
        tell(Kind::CreditUsage, spent);
        tell(Kind::CreditBalance, credits.balance);
        if terms.unlimited {
            tell(Kind::SurplusBalance, credits.surplus);
            tell(Kind::SurplusCharged, charged);
        }
    }

    /// Begins the next five minutes.
    pub fn reset(&mut self) {
        self.values.clear();
        (self.cpu_us, self.running_ms) = (0, 0);
    }
}

pub(super) fn values(percent: f64, usage: &InstanceUsage) -> [f64; USAGE.len()] {
    let InstanceUsage { network_in_bytes, network_out_bytes, network_in_packets, network_out_packets, .. } = usage;
    let count = |n: &u64| *n as f64;
    [percent, count(network_in_bytes), count(network_out_bytes), count(network_in_packets), count(network_out_packets)]
}

/// The credits of an instance that was not seen by this process: those last told of it, or those of a start.
fn recall(state: &State, instance: &Instance, terms: Terms, now: Time) -> Credits {
    let keeps = !instance.instance_type.starts_with("t2.");
    let from = if keeps { now - KEPT } else { instance.launched_at };
    let last = |kind: Kind| {
        let points = cloudwatch::store(state).points(&kind.metric(&instance.id), from, now, 300);
        points.last().map(|(_, sample)| sample.sum / sample.count)
    };
    Credits {
        balance: last(Kind::CreditBalance).unwrap_or(terms.initial),
        surplus: last(Kind::SurplusBalance).unwrap_or_default(),
    }
}
