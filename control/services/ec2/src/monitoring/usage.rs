//! From the host's reports to samples.
//!
//! Basic monitoring gives a data point every five minutes, detailed monitoring one a minute ("Manage detailed monitoring for
//! your EC2 instances"), here one a period where the region's period is shorter. Status checks come each minute at either
//! ("Status checks for Amazon EC2 instances"), credits every five minutes only.

use base::{Fault, Time};
use kernel::{Cx, State, Tx};
use metrics::Resolution;
use world::{InstanceUsage, Observation};

use super::meters::{Meter, Meters, values};
use super::percent_of;
use super::samples::{Kind, Outgoing, USAGE, Value, publish};
use crate::compute::{Instance, InstanceState, InstanceType};

const MINUTE_MS: i64 = 60_000;
const FIVE_MINUTES_MS: i64 = 5 * MINUTE_MS;
/// Up to so many running instances have status checks told each minute, as at AWS; of more they are told every five minutes.
const CHECKED_EACH_MINUTE_MAX: usize = 1_000;

/// Takes in a report.
pub(super) fn observe(tx: &mut Tx, cx: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::Usage { from, until, instances } = observation else { return Ok(()) };
    if until <= from {
        return Ok(());
    }
    let mut meters = std::mem::take(tx.store_mut::<Meters>());
    let mut outgoing = Vec::new();
    // A report that comes after a gap may begin new five minutes without having ended the old ones.
    let begin = floor(*from, FIVE_MINUTES_MS);
    if meters.begin.is_some_and(|old| old != begin) {
        end_five_minutes(tx, cx, &mut meters, &mut outgoing);
    }
    meters.begin = Some(begin);
    let period = Period::new(cx, *from, *until);
    take_in(tx, cx, &period, instances, &mut meters, &mut outgoing);
    if until.unix_ms() % FIVE_MINUTES_MS == 0 {
        end_five_minutes(tx, cx, &mut meters, &mut outgoing);
    }
    publish(tx, cx, &mut meters, &outgoing);
    *tx.store_mut::<Meters>() = meters;
    Ok(())
}

fn floor(at: Time, length_ms: i64) -> Time {
    Time::from_unix_ms(at.unix_ms().div_euclid(length_ms) * length_ms)
}

struct Period {
    from: Time,
    until: Time,
    resolution: Resolution,
    /// Whether status checks are told with this report; not always when there are many instances.
    ends_minute: bool,
    ends_five_minutes: bool,
}

impl Period {
    fn new(cx: &Cx, from: Time, until: Time) -> Self {
        Self {
            from,
            until,
            resolution: if cx.settings.metric_period_s < 60 { Resolution::High } else { Resolution::Standard },
            ends_minute: until.unix_ms() % MINUTE_MS == 0,
            ends_five_minutes: until.unix_ms() % FIVE_MINUTES_MS == 0,
        }
    }

    fn tells_status(&self, running: usize) -> bool {
        self.ends_five_minutes || (self.ends_minute && running <= CHECKED_EACH_MINUTE_MAX)
    }
}

/// Goes through the instances and the report side by side: both are in order of id.
fn take_in(state: &State, cx: &Cx, period: &Period, report: &[InstanceUsage], meters: &mut Meters, outgoing: &mut Vec<Outgoing>) {
    let mut sorted: Vec<&InstanceUsage> = report.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let mut report = sorted.into_iter().peekable();
    let tells_status = period.tells_status(state.count_where::<Instance>("state", InstanceState::Running.as_str()));
    for instance in state.rows::<Instance>() {
        while report.next_if(|usage| usage.id < instance.id).is_some() {}
        let usage = report.next_if(|usage| usage.id == instance.id);
        if let Some(usage) = usage {
            take_in_one(cx, period, instance, usage, meters, outgoing);
        }
        if tells_status {
            tell_status(period, instance, usage.is_some(), outgoing);
        }
    }
}

fn take_in_one(
    cx: &Cx,
    period: &Period,
    instance: &Instance,
    usage: &InstanceUsage,
    meters: &mut Meters,
    outgoing: &mut Vec<Outgoing>,
) {
    let percent = InstanceType::find(&instance.instance_type).and_then(|t| percent_of(t, &cx.settings, usage));
    let Some(percent) = percent else { return };
    if !meters.by_instance.contains_key(&instance.id) {
        meters.by_instance.insert(instance.id.clone(), Meter::default());
    }
    let values = values(percent, usage);
    if let Some(meter) = meters.by_instance.get_mut(&instance.id) {
        meter.add(usage);
        // Who changes between basic and detailed monitoring has each period told once.
        if !instance.monitoring {
            meter.keep(values);
        }
    }
    if instance.monitoring {
        outgoing.extend(USAGE.into_iter().zip(values).map(|(kind, value)| Outgoing {
            id: instance.id.clone(),
            kind,
            resolution: period.resolution,
            at: period.from,
            value: Value::One(value),
        }));
    }
}

/// Status checks of an instance that is up. The system has passed its check when there is a report at all; the instance has
/// passed its own when the host has found it running. Volumes are directories of the host: they share its fate.
fn tell_status(period: &Period, instance: &Instance, is_reported: bool, outgoing: &mut Vec<Outgoing>) {
    if !instance.is_up() || instance.observed.at > period.from {
        return;
    }
    let failed = if is_reported { 0.0 } else { 1.0 };
    let at = floor(period.until, MINUTE_MS) - std::time::Duration::from_secs(60);
    let kinds = [
        (Kind::StatusFailed, failed),
        (Kind::StatusFailedInstance, failed),
        (Kind::StatusFailedSystem, 0.0),
        (Kind::StatusFailedEbs, 0.0),
    ];
    outgoing.extend(kinds.into_iter().map(|(kind, value)| Outgoing {
        id: instance.id.clone(),
        kind,
        resolution: Resolution::Standard,
        at,
        value: Value::One(value),
    }));
}

/// Tells what comes every five minutes, and forgets instances that have not run in them.
fn end_five_minutes(state: &State, cx: &Cx, meters: &mut Meters, outgoing: &mut Vec<Outgoing>) {
    let Some(begin) = meters.begin.take() else { return };
    meters.by_instance.retain(|_, meter| !meter.is_idle());
    for (id, meter) in &mut meters.by_instance {
        let Some(instance) = state.get::<Instance>(id) else {
            meter.reset();
            continue;
        };
        let mut tell = |kind, value| {
            let resolution = Resolution::Standard;
            outgoing.push(Outgoing { id: id.clone(), kind, resolution, at: begin, value });
        };
        for (index, kind) in USAGE.into_iter().enumerate() {
            if let Some(value) = meter.value(index) {
                tell(kind, value);
            }
        }
        for (kind, value) in meter.settle(state, cx, instance, begin) {
            tell(kind, Value::One(value));
        }
        meter.reset();
    }
}
