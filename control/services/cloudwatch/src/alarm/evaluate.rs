//! Looks at a metric alarm's data as of the end of a period, and says what its state is to be and why. It reads the store of
//! samples and changes nothing.

use std::time::Duration;

use base::Time;
use kernel::State;
use metrics::Statistic;

use super::reason;
use super::row::{Alarm, AlarmState, MetricQuery, MissingData, StateChange, Watched};
use super::verdict::{Judged, RANGE_EXTRA, Verdict, judge};
use crate::metric::{math, statistic, store};

/// What an alarm's data look like at the end of a period.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    /// Exclusive.
    pub end: Time,
    /// The data points that were evaluated, oldest first, with the beginnings of their periods.
    pub points: Vec<(Time, f64)>,
    pub judged: Judged,
}

impl Look {
    /// The newest value that was compared.
    pub(crate) fn value(&self) -> Option<(Time, f64)> {
        self.points.last().copied()
    }

    /// The state to go to, when it is another than the alarm's.
    pub(crate) fn change(&self, alarm: &Alarm, now: Time) -> Option<StateChange> {
        let Verdict::Becomes(state) = self.judged.verdict else { return None };
        if state == alarm.state.state {
            return None;
        }
        let (reason, reason_data) = reason::of(alarm, self, state, now)?;
        Some(StateChange { state, at: now, reason, reason_data, value: self.value() })
    }
}

/// The length of a metric alarm's periods in seconds; all its metrics have the same ("Alarms on math expressions").
pub(crate) fn period_s(queries: &[MetricQuery]) -> u32 {
    queries.iter().filter(|q| q.metric.is_some()).map(|q| q.period_s).max().unwrap_or(60).max(1)
}

/// How often a metric alarm is evaluated, in seconds ("Alarm evaluation": every minute for periods of a minute or longer, each
/// time over periods that end then; every ten seconds for periods of 10, 20 and 30 seconds; every hour where N periods are longer
/// than a day). A region whose metrics have a shorter period than AWS's evaluates alarms on those at each of their ends.
pub(crate) fn interval_s(queries: &[MetricQuery], evaluation_periods: u32) -> u32 {
    let period_s = period_s(queries);
    match period_s {
        _ if u64::from(period_s) * u64::from(evaluation_periods) > 86_400 => 3_600,
        60.. => 60,
        _ if period_s.is_multiple_of(10) => 10,
        _ => period_s,
    }
}

/// Looks at the newest periods up to `end`, at which the last of them ends; none for a composite alarm.
pub(crate) fn look(state: &State, alarm: &Alarm, end: Time) -> Option<Look> {
    let Watched::Metrics { queries, comparison, threshold, evaluation_periods, datapoints_to_alarm, missing, ignore_low_samples } =
        &alarm.watched
    else {
        return None;
    };
    let period_ms = i64::from(period_s(queries)) * 1_000;
    let range = i64::from(evaluation_periods + RANGE_EXTRA);
    let from = Time::from_unix_ms(end.unix_ms() - range * period_ms);
    let mut points = read(state, queries, from, end);
    let mut breaches: Vec<Option<bool>> = vec![None; usize::try_from(range).unwrap_or(0)];
    for (at, value) in &points {
        let slot = usize::try_from((at.unix_ms() - from.unix_ms()).div_euclid(period_ms));
        if let Some(slot) = slot.ok().and_then(|slot| breaches.get_mut(slot)) {
            *slot = Some(comparison.breaches(*value, *threshold));
        }
    }
    let mut judged = judge(&breaches, *evaluation_periods, *datapoints_to_alarm, *missing);
    points.drain(..points.len() - judged.real.min(points.len()));
    if *ignore_low_samples && judged.real > 0 && has_low_samples(state, queries, *evaluation_periods, end) {
        judged.verdict = Verdict::Stays;
    }
    Some(Look { end, points, judged })
}

/// The series that is compared. A result that cannot be worked out counts as one without data.
fn read(state: &State, queries: &[MetricQuery], from: Time, until: Time) -> Vec<(Time, f64)> {
    let found = match queries {
        [MetricQuery { metric: Some(metric), statistic: text, unit, period_s, .. }] => {
            let Ok(statistic) = statistic::parse(text) else { return Vec::new() };
            store(state).values_from(metric, unit.as_deref(), statistic, until, (from, until), *period_s)
        }
        _ => {
            let all = math::evaluate(store(state), queries, from, until).unwrap_or_default();
            all.into_iter().next().map(|series| series.points).unwrap_or_default()
        }
    };
    found.into_iter().filter(|(at, _)| *at >= from && *at < until).collect()
}

/// "Percentile-based alarms and low data samples": too few for a percentile are fewer than 10/(1-p) samples for percentiles from
/// 0.5, fewer than 10/p below, in the evaluation periods. 0 and 1 themselves are none of these: they are known from any sample.
fn has_low_samples(state: &State, queries: &[MetricQuery], evaluation_periods: u32, end: Time) -> bool {
    let [MetricQuery { metric: Some(metric), statistic: text, period_s, .. }] = queries else { return false };
    let Ok(Statistic::Percentile(percent)) = statistic::parse(text) else { return false };
    let share = percent / 100.0;
    if share <= 0.0 || share >= 1.0 {
        return false;
    }
    let enough = if share >= 0.5 { 10.0 / (1.0 - share) } else { 10.0 / share };
    let from = end - Duration::from_secs(u64::from(*period_s) * u64::from(evaluation_periods));
    let samples: f64 = store(state).points(metric, from, end, *period_s).iter().map(|(_, sample)| sample.count).sum();
    samples < enough
}

/// The name that `StateReason` has for what missing data points were taken for.
pub(crate) fn treated_as(missing: MissingData) -> Option<&'static str> {
    match missing {
        MissingData::Breaching => Some("Breaching"),
        MissingData::NotBreaching => Some("NonBreaching"),
        MissingData::Missing | MissingData::Ignore => None,
    }
}

/// The state that is not `ALARM` or `OK` has no threshold to speak of.
pub(crate) fn is_known(state: AlarmState) -> bool {
    state != AlarmState::InsufficientData
}
