//! From the host's reports to samples.
//!
//! Basic monitoring gives a data point every five minutes, detailed monitoring one a minute ("Manage detailed monitoring for
//! your EC2 instances"), here one a period where the region's period is shorter. Status checks come each minute at either
//! ("Status checks for Amazon EC2 instances"), credits every five minutes only.

use std::borrow::Cow;

use base::{Fault, Time};
use kernel::{Cx, Settings, State, Tx};
use metrics::Resolution;
use world::{InstanceUsage, Observation};

use super::meters::{Meter, Meters, values};
use super::samples::{Kind, Outgoing, USAGE, Value, publish};
use super::{CpuShare, Types};
use crate::compute::{Instance, InstanceState, InstanceType};

const MINUTE_MS: i64 = 60_000;
const FIVE_MINUTES_MS: i64 = 5 * MINUTE_MS;
/// Up to so many running instances have status checks told each minute, as at AWS; of more they are told every five minutes.
const CHECKED_EACH_MINUTE_MAX: usize = 1_000;
/// Samples that are gathered before they are put into the store: as many as stay close to the processor.
const OUTGOING_MAX: usize = 1_024;
/// Samples of one instance every five minutes.
const TOLD_MAX: usize = 9;

/// Takes in a report.
pub(super) fn observe(tx: &mut Tx, cx: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::Usage { from, until, instances } = observation else { return Ok(()) };
    if until <= from {
        return Ok(());
    }
    let mut meters = std::mem::take(tx.store_mut::<Meters>());
    // A report that comes after a gap may begin new five minutes without having ended the old ones.
    let begin = floor(*from, FIVE_MINUTES_MS);
    if meters.begin.is_some_and(|old| old != begin) {
        end_five_minutes(tx, cx, &mut meters);
    }
    meters.begin = Some(begin);
    let sorted = meters.all.len();
    let mut outgoing = take_in(tx, &Period::new(cx, *from, *until), instances, &mut meters);
    publish(tx, cx, &mut meters, &mut outgoing);
    meters.sort(sorted);
    if until.unix_ms() % FIVE_MINUTES_MS == 0 {
        end_five_minutes(tx, cx, &mut meters);
    }
    *tx.store_mut::<Meters>() = meters;
    Ok(())
}

fn floor(at: Time, length_ms: i64) -> Time {
    Time::from_unix_ms(at.unix_ms().div_euclid(length_ms) * length_ms)
}

struct Period<'a> {
    settings: &'a Settings,
    from: Time,
    until: Time,
    resolution: Resolution,
    /// Whether status checks are told with this report; not always when there are many instances.
    ends_minute: bool,
    ends_five_minutes: bool,
}

impl<'a> Period<'a> {
    fn new(cx: &'a Cx, from: Time, until: Time) -> Self {
        Self {
            settings: &cx.settings,
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

/// Goes through instances, report and meters side by side: all are in order of id. New meters come last.
fn take_in(state: &State, period: &Period, report: &[InstanceUsage], meters: &mut Meters) -> Vec<Outgoing> {
    let mut outgoing = Vec::with_capacity(report.len());
    let sorted = in_order(report);
    let mut report = sorted.iter().peekable();
    let tells_status = period.tells_status(state.count_where::<Instance>("state", InstanceState::Running.as_str()));
    let (mut at, known) = (0, meters.all.len());
    let mut types = Types::default();
    for instance in state.rows::<Instance>() {
        while report.next_if(|usage| usage.id < instance.id).is_some() {}
        let usage = report.next_if(|usage| usage.id == instance.id);
        if usage.is_none() && !tells_status {
            continue;
        }
        while at < known && meters.all[at].id < instance.id {
            at += 1;
        }
        let is_known = at < known && meters.all[at].id == instance.id;
        let place = if is_known { at } else { meters.all.len() };
        if !is_known {
            meters.all.push(Meter::new(&instance.id));
        }
        let mut told = Told { period, meter: place as u32, outgoing: &mut outgoing };
        if let (Some(usage), Some(instance_type)) = (usage, types.of(instance)) {
            take_in_one(&mut told, instance, instance_type, usage, &mut meters.all[place]);
        }
        if tells_status {
            tell_status(&mut told, instance, usage.is_some());
        }
    }
    outgoing
}

/// The report in order of id, as hosts send it.
fn in_order(report: &[InstanceUsage]) -> Cow<'_, [InstanceUsage]> {
    if report.is_sorted_by(|a, b| a.id <= b.id) {
        return report.into();
    }
    let mut sorted = report.to_vec();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    sorted.into()
}

/// What is told of one instance.
struct Told<'a> {
    period: &'a Period<'a>,
    meter: u32,
    outgoing: &'a mut Vec<Outgoing>,
}

impl Told<'_> {
    fn tell(&mut self, kind: Kind, resolution: Resolution, at: Time, value: f64) {
        self.outgoing.push(Outgoing { meter: self.meter, kind, resolution, at, value: Value::One(value) });
    }
}

fn take_in_one(told: &mut Told, instance: &Instance, instance_type: &InstanceType, usage: &InstanceUsage, meter: &mut Meter) {
    let Some(percent) = CpuShare::of_type(instance_type, told.period.settings).percent(usage) else { return };
    let values = values(percent, usage);
    meter.add(instance, instance_type, usage);
    // Who changes between basic and detailed monitoring has each period told once.
    if !instance.monitoring {
        return meter.keep(values);
    }
    let &Period { resolution, from, .. } = told.period;
    USAGE.into_iter().zip(values).for_each(|(kind, value)| told.tell(kind, resolution, from, value));
}

/// Status checks of an instance that is up. The system has passed its check when there is a report at all; the instance has
/// passed its own when the host has found it running. Volumes are directories of the host: they share its fate.
fn tell_status(told: &mut Told, instance: &Instance, is_reported: bool) {
    if !instance.is_up() || instance.observed.at > told.period.from {
        return;
    }
    let failed = if is_reported { 0.0 } else { 1.0 };
    let at = floor(told.period.until, MINUTE_MS) - std::time::Duration::from_secs(60);
    let kinds = [
        (Kind::StatusFailed, failed),
        (Kind::StatusFailedInstance, failed),
        (Kind::StatusFailedSystem, 0.0),
        (Kind::StatusFailedEbs, 0.0),
    ];
    kinds.into_iter().for_each(|(kind, value)| told.tell(kind, Resolution::Standard, at, value));
}

/// Tells what comes every five minutes, and forgets instances that have not run in them.
fn end_five_minutes(tx: &mut Tx, cx: &Cx, meters: &mut Meters) {
    let Some(at) = meters.begin.take() else { return };
    meters.all.retain(|meter| !meter.is_idle());
    let mut outgoing = Vec::with_capacity(OUTGOING_MAX);
    for place in 0..meters.all.len() {
        let meter = &mut meters.all[place];
        let mut tell = |kind, value| {
            outgoing.push(Outgoing { meter: place as u32, kind, resolution: Resolution::Standard, at, value });
        };
        for (index, kind) in USAGE.into_iter().enumerate() {
            if let Some(value) = meter.value(index) {
                tell(kind, value);
            }
        }
        meter.settle(tx, cx, at, |kind, value| tell(kind, Value::One(value)));
        meter.reset();
        if outgoing.len() + TOLD_MAX > OUTGOING_MAX {
            publish(tx, cx, meters, &mut outgoing);
        }
    }
    publish(tx, cx, meters, &mut outgoing);
}
