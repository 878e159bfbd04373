//! `GetMetricStatistics`: several statistics of one metric.

use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Tx};
use metrics::{Sample, Statistic};
use shapes::cloudwatch::{Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput};

use super::fault::{combination, invalid, missing};
use super::{name, statistic};

/// Most data points of an answer ("GetMetricStatistics").
const POINTS_MAX: i64 = 1_440;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn get_metric_statistics(
    tx: &mut Tx,
    cx: &Cx,
    input: GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput, Fault> {
    if input.start_time >= input.end_time {
        return Err(combination("The parameter StartTime must be less than the parameter EndTime."));
    }
    if input.statistics.is_empty() && input.extended_statistics.is_empty() {
        return Err(missing("The request must contain the parameter Statistics or ExtendedStatistics."));
    }
    let parsed = |text: &String| Statistic::parse(text).map(|s| (text.clone(), s)).ok_or_else(|| text.clone());
    let extended: Vec<(String, Statistic)> = input
        .extended_statistics
        .iter()
        .map(parsed)
        .collect::<Result<_, _>>()
        .map_err(|text| invalid(format!("The value {text} for parameter ExtendedStatistics is not supported.")))?;
    let period = input.period;
    let from = check_period(input.start_time, period, cx.now)?;
    let span_ms = input.end_time.unix_ms().saturating_sub(from.unix_ms());
    let requested = span_ms.saturating_add(period * 1_000 - 1) / (period * 1_000);
    if requested > POINTS_MAX {
        return Err(combination(format!(
            "You have requested up to {requested} datapoints, which exceeds the limit of {POINTS_MAX}. You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )));
    }
    let metric = name::metric(&input.namespace, &input.metric_name, input.dimensions, &"")?;
    let store = super::store(tx);
    let units: Vec<&str> = store.units(&metric).filter(|unit| input.unit.as_deref().is_none_or(|u| u == *unit)).collect();
    let mut datapoints = Vec::new();
    for unit in units {
        let found =
            store.points_from(&metric, Some(unit), from, (from, input.end_time), u32::try_from(period).unwrap_or(u32::MAX));
        datapoints.extend(found.into_iter().map(|(at, sample)| datapoint(at, &sample, unit, &input.statistics, &extended)));
    }
    Ok(GetMetricStatisticsOutput { label: Some(metric.name), datapoints })
}

/// The period rules by age, and the start rounded down ("GetMetricStatistics", Period and StartTime): older than three hours
/// whole minutes, than 15 days multiples of five, than 63 days of an hour.
fn check_period(start: Time, period: i64, now: Time) -> Result<Time, Fault> {
    if !statistic::is_period(period) {
        return Err(invalid("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."));
    }
    let (multiple, age) = match start {
        t if t < now - DAY * 63 => (3_600, "63 days"),
        t if t < now - DAY * 15 => (300, "15 days"),
        t if t < now - HOUR * 3 => (60, "3 hours"),
        _ => (1, ""),
    };
    if period % multiple != 0 {
        return Err(invalid(format!(
            "The parameter Period must be a multiple of {multiple} when StartTime is more than {age} ago."
        )));
    }
    // Of periods under a minute the start is rounded to the period, else to the minute or what the age asks for.
    let round_ms = if period < 60 { period } else { multiple.max(60) } * 1_000;
    Ok(Time::from_unix_ms(start.unix_ms().div_euclid(round_ms).saturating_mul(round_ms)))
}

fn datapoint(at: Time, sample: &Sample, unit: &str, statistics: &[String], extended: &[(String, Statistic)]) -> Datapoint {
    let one = |name: &str, statistic: Statistic| statistics.iter().any(|s| s == name).then(|| statistic.of(sample)).flatten();
    Datapoint {
        timestamp: Some(at),
        sample_count: one("SampleCount", Statistic::SampleCount),
        average: one("Average", Statistic::Average),
        sum: one("Sum", Statistic::Sum),
        minimum: one("Minimum", Statistic::Minimum),
        maximum: one("Maximum", Statistic::Maximum),
        unit: Some(unit.into()),
        extended_statistics: extended.iter().filter_map(|(name, s)| Some((name.clone(), s.of(sample)?))).collect(),
    }
}
