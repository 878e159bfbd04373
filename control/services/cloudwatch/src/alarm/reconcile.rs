//! When alarms are evaluated: a metric alarm once a minute, or as [`interval_s`] says; a composite one when what it looks at
//! changes. An evaluation that changes nothing writes no row.

use std::collections::HashMap;
use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Tx};

use super::evaluate::{interval_s, look};
use super::row::{Alarm, Watched};
use super::{action, composite, transition};

/// After a period's end, the time for its samples to arrive. A decision comes within a second of the end.
pub const DELAY: Duration = Duration::from_millis(300);
/// An evaluation that comes later than this after it was due meets a machine that was paused or is slow: reports may still be
/// queued, so it waits [`DELAY`] once more for them. So does one that comes within [`DELAY`] after the loop stood still.
pub const LATE: Duration = Duration::from_secs(2);
/// After a start, the time for executors to connect and to bring the reports of the meantime.
pub const START_DELAY: Duration = Duration::from_secs(2);
/// When each metric alarm is evaluated next. Nothing of it outlives the process: it follows from the time.
#[derive(Default)]
pub(super) struct Schedule {
    all: HashMap<String, Planned>,
    /// When the region's loop last went on after it stood still.
    resumed_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Planned {
    /// The configuration that it was planned for.
    configured_at: Time,
    due: Time,
    /// It was late, and has been put off once.
    put_off: bool,
}

impl kernel::Store for Schedule {
    fn keep(&mut self) {}
}

/// Notes that the loop stood still until a moment ago: what was measured meanwhile arrives after it has gone on.
pub fn stood_still(tx: &mut Tx, until: Time) {
    tx.store_mut::<Schedule>().resumed_at = Some(until);
}

/// The newest multiple of the interval that is over for at least [`DELAY`].
fn newest_end(now: Time, interval_s: u32) -> Time {
    let interval_ms = i64::from(interval_s) * 1_000;
    Time::from_unix_ms((now - DELAY).unix_ms().div_euclid(interval_ms) * interval_ms)
}

pub(super) fn run(tx: &mut Tx, cx: &Cx, name: &str) -> Result<Option<Time>, Fault> {
    let Some(alarm) = tx.find::<Alarm, str>(name) else {
        tx.store_mut::<Schedule>().all.remove(name);
        return Ok(None);
    };
    let Watched::Metrics { queries, evaluation_periods, .. } = &alarm.watched else { return composite::run(tx, cx, name) };
    let (interval_s, configured_at) = (interval_s(queries, *evaluation_periods), alarm.configured_at);
    let schedule = tx.store::<Schedule>();
    let (planned, resumed_at) = (schedule.all.get(name).copied(), schedule.resumed_at);
    let has_stood_still = resumed_at.is_some_and(|at| cx.now < at + DELAY);
    let put_off = match planned.filter(|p| p.configured_at == configured_at) {
        Some(planned) if cx.now < planned.due => return Ok(Some(planned.due)),
        // Once only: on a machine that stands still again and again alarms are evaluated all the same.
        Some(planned) if planned.put_off => None,
        Some(planned) if cx.now > planned.due + LATE || has_stood_still => Some(DELAY),
        Some(_) => None,
        // Seen for the first time since the start, or since it was configured.
        None if planned.is_none() && alarm.evaluated_until > Time::ZERO => Some(START_DELAY),
        None => Some(DELAY),
    };
    let planned = match put_off {
        Some(delay) => Planned { configured_at, due: cx.now + delay, put_off: true },
        None => {
            let end = newest_end(cx.now, interval_s);
            evaluate(tx, cx, name, end, interval_s);
            let next = end + Duration::from_secs(interval_s.into()) + DELAY;
            Planned { configured_at, due: next, put_off: false }
        }
    };
    match tx.store_mut::<Schedule>().all.get_mut(name) {
        Some(place) => *place = planned,
        None => {
            tx.store_mut::<Schedule>().all.insert(name.to_string(), planned);
        }
    }
    Ok(Some(planned.due))
}

fn evaluate(tx: &mut Tx, cx: &Cx, name: &str, end: Time, interval_s: u32) {
    let Some(alarm) = tx.find::<Alarm, str>(name) else { return };
    let Some(look) = look(tx, alarm, end) else { return };
    if let Some(change) = look.change(alarm, cx.now) {
        transition::change(tx, cx, name, change, end);
    } else if action::repeats(alarm) && repeat_is_due(cx, alarm, end, interval_s) {
        let mut alarm = alarm.clone();
        alarm.evaluated_until = end;
        tx.put(alarm.clone());
        action::invoke_again(tx, cx.now, &alarm, look.value());
    }
}

/// Once a minute as long as the alarm stays in the state ("Using Amazon CloudWatch alarms", Alarm actions), or once in what the
/// region's owner has made of a minute. Minutes that were missed count as one.
fn repeat_is_due(cx: &Cx, alarm: &Alarm, end: Time, interval_s: u32) -> bool {
    let interval_ms = i64::from(interval_s.max(cx.settings.metric_period_s)) * 1_000;
    end.unix_ms() - alarm.evaluated_until.unix_ms() >= interval_ms
}
