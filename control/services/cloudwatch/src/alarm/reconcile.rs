//! When alarms are evaluated: a metric alarm at the end of each of its periods, a composite one when what it looks at changes.
//! A period in which nothing changes writes no row.

use std::collections::HashMap;
use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Tx};

use super::evaluate::{look, period_s};
use super::row::{Alarm, Watched};
use super::{action, composite, transition};

/// After a period's end, the time for its samples to arrive. A decision comes within a second of the end.
pub const DELAY: Duration = Duration::from_millis(300);
/// An evaluation that comes later than this after it was due meets a machine that was paused or is slow: reports may still be
/// queued, so it waits [`DELAY`] once more for them.
pub const LATE: Duration = Duration::from_secs(2);
/// After a start, the time for executors to connect and to bring the reports of the meantime.
pub const START_DELAY: Duration = Duration::from_secs(2);
/// When each metric alarm is evaluated next. Nothing of it outlives the process: it follows from the time.
#[derive(Default)]
pub(super) struct Schedule {
    all: HashMap<String, Planned>,
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

/// The end of the newest period that is over for at least [`DELAY`].
pub(super) fn newest_end(now: Time, period_s: u32) -> Time {
    let period_ms = i64::from(period_s) * 1_000;
    Time::from_unix_ms((now - DELAY).unix_ms().div_euclid(period_ms) * period_ms)
}

pub(super) fn run(tx: &mut Tx, cx: &Cx, name: &str) -> Result<Option<Time>, Fault> {
    let Some(alarm) = tx.find::<Alarm, str>(name) else {
        tx.store_mut::<Schedule>().all.remove(name);
        return Ok(None);
    };
    let Watched::Metrics { queries, .. } = &alarm.watched else { return composite::run(tx, cx, name) };
    let (period_s, configured_at) = (period_s(queries), alarm.configured_at);
    let planned = tx.store::<Schedule>().all.get(name).copied();
    let put_off = match planned.filter(|p| p.configured_at == configured_at) {
        Some(planned) if cx.now < planned.due => return Ok(Some(planned.due)),
        Some(planned) if planned.put_off || cx.now <= planned.due + LATE => None,
        Some(_) => Some(DELAY),
        // Seen for the first time since the start, or since it was configured.
        None if planned.is_none() && alarm.evaluated_until > Time::ZERO => Some(START_DELAY),
        None => Some(DELAY),
    };
    let planned = match put_off {
        Some(delay) => Planned { configured_at, due: cx.now + delay, put_off: true },
        None => {
            let end = newest_end(cx.now, period_s);
            evaluate(tx, cx, name, end, period_s);
            let next = end + Duration::from_secs(period_s.into()) + DELAY;
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

fn evaluate(tx: &mut Tx, cx: &Cx, name: &str, end: Time, period_s: u32) {
    let Some(alarm) = tx.find::<Alarm, str>(name) else { return };
    let Some(look) = look(tx, alarm, end) else { return };
    if let Some(change) = look.change(alarm, cx.now) {
        transition::change(tx, cx, name, change, end);
    } else if action::repeats(alarm) && repeat_is_due(cx, alarm, end, period_s) {
        let mut alarm = alarm.clone();
        alarm.evaluated_until = end;
        tx.put(alarm.clone());
        action::invoke_again(tx, cx.now, &alarm, look.value());
    }
}

/// Once for each period that the alarm stays in the state, at most once a minute ("Using Amazon CloudWatch alarms", Alarm
/// actions), or what the region's owner has made of a minute. Periods that were missed count as one.
fn repeat_is_due(cx: &Cx, alarm: &Alarm, end: Time, period_s: u32) -> bool {
    let interval_ms = i64::from(period_s.max(cx.settings.metric_period_s)) * 1_000;
    end.unix_ms() - alarm.evaluated_until.unix_ms() >= interval_ms
}
