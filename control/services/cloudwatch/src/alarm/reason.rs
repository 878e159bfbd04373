//! `StateReason` and `StateReasonData` of metric alarms, worded as CloudWatch words them ("Alarm events and EventBridge" and
//! "DescribeAlarms" have examples).

use base::Time;
use serde::Serialize;

use super::evaluate::{Look, is_known, period_s, treated_as};
use super::row::{Alarm, AlarmState, Watched};

/// The reason of an alarm that has not been evaluated yet.
pub(crate) const UNCHECKED: &str = "Unchecked: Initial alarm creation";

/// About as long as `StateReasonData` is, and longer for each data point.
const DATA_BYTES: usize = 192;
const DATAPOINT_BYTES: usize = 80;

/// Why a metric alarm goes to `state`, as text and as JSON; none for a composite alarm.
pub(super) fn of(alarm: &Alarm, look: &Look, state: AlarmState, now: Time) -> Option<(String, String)> {
    let Watched::Metrics { queries, comparison, threshold, evaluation_periods: n, datapoints_to_alarm: m, missing, .. } =
        &alarm.watched
    else {
        return None;
    };
    let reason = if !is_known(state) {
        format!("Insufficient Data: {} unknown.", were(look.judged.filled, "datapoint"))
    } else if look.judged.filled > 0 && treated_as(*missing).is_some() {
        filled(look, *n, treated_as(*missing).unwrap_or_default())
    } else {
        let alarming = state == AlarmState::Alarm;
        let counted: Vec<&(Time, f64)> =
            look.points.iter().rev().filter(|(_, value)| comparison.breaches(*value, *threshold) == alarming).collect();
        let shown: Vec<String> = counted.iter().map(|(at, value)| format!("{} ({})", double(*value), day_first(*at))).collect();
        let least = if alarming { *m } else { n - m + 1 };
        format!(
            "Threshold Crossed: {} out of the last {n} datapoints [{}] {} {}{} the threshold ({}) (minimum {} for {} transition).",
            counted.len(),
            shown.join(", "),
            if counted.len() == 1 { "was" } else { "were" },
            if alarming { "" } else { "not " },
            comparison.words(),
            double(*threshold),
            plural(least as usize, "datapoint"),
            if alarming { "OK -> ALARM" } else { "ALARM -> OK" },
        )
    };
    let statistic = match queries.as_slice() {
        [one] => Some(one.statistic.as_str()),
        _ => None,
    };
    Some((reason, data(look, statistic, period_s(queries), is_known(state).then_some(*threshold), now)))
}

/// The reason where missing data points took part.
fn filled(look: &Look, n: u32, treated_as: &str) -> String {
    let received = match look.judged.real {
        0 => "no datapoints were received".to_string(),
        real => format!("{} received", were(real, "datapoint")),
    };
    let missing = were(look.judged.filled, "missing datapoint");
    format!("Threshold Crossed: {received} for {} and {missing} treated as [{treated_as}].", plural(n as usize, "period"))
}

fn data(look: &Look, statistic: Option<&str>, period_s: u32, threshold: Option<f64>, now: Time) -> String {
    let data = Data {
        version: "1.0",
        query_date: moment(now),
        start_date: look.points.first().map(|(first, _)| moment(*first)),
        statistic,
        period: period_s,
        recent_datapoints: look.points.iter().map(|(_, value)| *value).collect(),
        threshold,
        evaluated_datapoints: look
            .points
            .iter()
            .rev()
            .map(|(at, value)| Datapoint { timestamp: moment(*at), value: *value })
            .collect(),
    };
    let mut json = Vec::with_capacity(DATA_BYTES + DATAPOINT_BYTES * look.points.len());
    // Plain data with string keys, into memory: serde_json fails on nothing else, and writes UTF-8.
    let written = serde_json::to_writer(&mut json, &data).ok();
    written.and_then(|()| String::from_utf8(json).ok()).unwrap_or_default()
}

/// `StateReasonData` of a metric alarm.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    version: &'static str,
    query_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<&'a str>,
    period: u32,
    recent_datapoints: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    evaluated_datapoints: Vec<Datapoint>,
}

#[derive(Serialize)]
struct Datapoint {
    timestamp: String,
    value: f64,
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn were(count: usize, noun: &str) -> String {
    format!("{} {}", plural(count, noun), if count == 1 { "was" } else { "were" })
}

/// `2019-10-02T16:59:00.000+0000`.
pub(super) fn moment(at: Time) -> String {
    let mut text = at.iso8601_ms();
    text.truncate(text.len().saturating_sub(1));
    text.push_str("+0000");
    text
}

/// `21/11/26 10:31:00`.
fn day_first(at: Time) -> String {
    let at = at.date_time();
    let (day, month, year) = (at.day(), u8::from(at.month()), at.year().rem_euclid(100));
    format!("{day:02}/{month:02}/{year:02} {:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// A number as CloudWatch prints it: `50.0`, `1.0166666666666666`, `1.0E7`.
pub(super) fn double(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use base::Time;

    use super::{day_first, double, moment};

    #[test]
    fn numbers_and_moments_are_printed_as_cloudwatch_prints_them() {
        let numbers =
            [(50.0, "50.0"), (1.0166666666666666, "1.0166666666666666"), (1e7, "1.0E7"), (12_345_678.5, "1.23456785E7")];
        for (value, text) in numbers {
            assert_eq!(double(value), text);
        }
        assert_eq!((double(0.0005), double(-3.5)), ("5.0E-4".into(), "-3.5".into()));
        let at = Time::parse_iso8601("2026-11-21T10:31:00Z").unwrap_or_default();
        assert_eq!((day_first(at), moment(at)), ("21/11/26 10:31:00".into(), "2026-11-21T10:31:00.000+0000".into()));
    }
}
