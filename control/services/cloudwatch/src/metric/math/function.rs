//! The functions of metric math ("Metric math syntax and functions", Functions supported for metric math).

use std::collections::BTreeMap;
use std::rc::Rc;

use base::Time;

use super::MathError;
use super::evaluate::Span;
use super::series::{Line, Value, finite, unknown};

/// Words that some function takes as an argument, so that they are no ids.
pub(super) fn is_keyword(name: &str) -> bool {
    matches!(name, "REPEAT" | "LINEAR" | "AVG" | "MIN" | "MAX" | "SUM" | "STDDEV" | "ASC" | "DESC")
}

/// Functions of AWS's that need what there is not here, and why.
fn unavailable(name: &str) -> Option<&'static str> {
    Some(match name {
        "ANOMALY_DETECTION_BAND" => "anomaly detection is not available in this region",
        "INSIGHT_RULE_METRIC" => "Contributor Insights is not available in this region",
        "DB_PERF_INSIGHTS" => "Performance Insights is not available in this region",
        "SERVICE_QUOTA" => "service quotas are not available in this region",
        "LAMBDA" => "data sources are not available in this region",
        _ => return None,
    })
}

/// Refuses a function that is not here, before its arguments are looked at.
pub(super) fn check_available(name: &str) -> Result<(), MathError> {
    match unavailable(name) {
        Some(reason) => Err(MathError(format!("{name} cannot be used: {reason}"))),
        None => Ok(()),
    }
}

pub(super) fn call(name: &str, arguments: &[Value], span: &Span) -> Result<Value, MathError> {
    match (name, arguments) {
        ("ABS", [a]) => over(a, name, |line| line.map(f64::abs)),
        ("CEIL", [a]) => over(a, name, |line| line.map(f64::ceil)),
        ("FLOOR", [a]) => over(a, name, |line| line.map(f64::floor)),
        ("LOG", [a]) => over(a, name, |line| line.map(f64::ln)),
        ("LOG10", [a]) => over(a, name, |line| line.map(f64::log10)),
        ("DIFF", [a]) => over(a, name, |line| steps(line, |value, _| value)),
        ("DIFF_TIME", [a]) => over(a, name, |line| steps(line, |_, seconds| seconds)),
        ("RATE", [a]) => over(a, name, |line| steps(line, |value, seconds| value / seconds)),
        ("RUNNING_SUM", [a]) => over(a, name, running_sum),
        ("AVG" | "MAX" | "MIN" | "SUM" | "STDDEV" | "DATAPOINT_COUNT", [a]) => aggregate(name, a),
        ("METRIC_COUNT", [Value::Lines(lines)]) => Ok(Value::Scalar(lines.len() as f64)),
        ("PERIOD", [Value::Line(line)]) => Ok(Value::Scalar(line.period_s.into())),
        ("TIME_SERIES", [Value::Scalar(value)]) => every(span, span.period_s, "TIME_SERIES", |_| *value),
        ("EPOCH" | "MINUTE" | "HOUR" | "DAY" | "DATE" | "MONTH" | "YEAR", [Value::Line(line)]) => {
            every(span, line.period_s, &line.label, |at| calendar(name, at))
        }
        ("FIRST", [Value::Lines(lines)]) => one(lines.first()),
        ("LAST", [Value::Lines(lines)]) => one(lines.last()),
        ("SLICE", [Value::Lines(lines), Value::Scalar(from)]) => slice(lines, *from, None),
        ("SLICE", [Value::Lines(lines), Value::Scalar(from), Value::Scalar(until)]) => slice(lines, *from, Some(*until)),
        ("SORT", [Value::Lines(lines), Value::Word(by), Value::Word(order)]) => sort(lines, by, order, None),
        ("SORT", [Value::Lines(lines), Value::Word(by), Value::Word(order), Value::Scalar(most)]) => {
            sort(lines, by, order, Some(*most))
        }
        ("REMOVE_EMPTY", [Value::Lines(lines)]) => {
            Ok(Value::Lines(lines.iter().filter(|line| !line.points.is_empty()).cloned().collect()))
        }
        ("FILL", [a, filler]) => fill(a, filler, span),
        ("IF", [condition, then]) => choose(condition, then, None, span),
        ("IF", [condition, then, otherwise]) => choose(condition, then, Some(otherwise), span),
        _ if KNOWN.contains(&name) => Err(MathError(format!("Unsupported operand types or number of operands for {name}"))),
        _ => Err(MathError(format!("Unknown function '{name}'"))),
    }
}

const KNOWN: [&str; 32] = [
    "ABS",
    "CEIL",
    "FLOOR",
    "LOG",
    "LOG10",
    "DIFF",
    "DIFF_TIME",
    "RATE",
    "RUNNING_SUM",
    "AVG",
    "MAX",
    "MIN",
    "SUM",
    "STDDEV",
    "DATAPOINT_COUNT",
    "METRIC_COUNT",
    "PERIOD",
    "TIME_SERIES",
    "EPOCH",
    "MINUTE",
    "HOUR",
    "DAY",
    "DATE",
    "MONTH",
    "YEAR",
    "FIRST",
    "LAST",
    "SLICE",
    "SORT",
    "REMOVE_EMPTY",
    "FILL",
    "IF",
];

/// A function of a series, of each one of an array.
fn over(value: &Value, name: &str, f: impl Fn(&Line) -> Line) -> Result<Value, MathError> {
    match value {
        Value::Line(line) => Ok(Value::Line(f(line))),
        Value::Lines(lines) => Ok(Value::Lines(lines.iter().map(f).collect())),
        Value::Scalar(_) => Err(MathError(format!("{name} takes time series, not a scalar"))),
        Value::Word(word) => Err(unknown(word)),
    }
}

/// From each data point and the one before it: the difference of values and of seconds. The first has none.
fn steps(line: &Line, f: impl Fn(f64, f64) -> f64) -> Line {
    line.with(finite(line.points.windows(2).map(|pair| (pair[1].0, f(pair[1].1 - pair[0].1, (pair[1].0 - pair[0].0) as f64)))))
}

fn running_sum(line: &Line) -> Line {
    let mut sum = 0.0;
    line.with(finite(line.points.iter().map(|(at, value)| {
        sum += value;
        (*at, sum)
    })))
}

/// Sum, square sum and so on of some values.
#[derive(Clone, Copy)]
struct Tally {
    count: f64,
    sum: f64,
    /// Mean and sum of squared distances from it, by Welford's way: exact where values are large and close.
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Tally {
    const NONE: Self = Self { count: 0.0, sum: 0.0, mean: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut tally = Self::NONE;
        values.for_each(|value| tally.add(value));
        tally
    }

    fn get(&self, name: &str) -> f64 {
        match name {
            "AVG" => self.sum / self.count,
            "MAX" => self.max,
            "MIN" => self.min,
            "SUM" => self.sum,
            "STDDEV" => (self.squares / self.count).sqrt(),
            _ => self.count,
        }
    }
}

/// Of one series, a scalar over its data points; of an array, a series with the value over those that have one at each moment.
fn aggregate(name: &str, value: &Value) -> Result<Value, MathError> {
    match value {
        Value::Line(line) => {
            let found = Tally::of(line.points.iter().map(|(_, value)| *value)).get(name);
            // No data: no number either, and arithmetic with it gives no data points.
            Ok(Value::Scalar(if found.is_finite() { found } else { f64::NAN }))
        }
        Value::Lines(lines) => {
            let mut moments: BTreeMap<i64, Tally> = BTreeMap::new();
            for (at, value) in lines.iter().flat_map(|line| line.points.iter()) {
                moments.entry(*at).or_insert(Tally::NONE).add(*value);
            }
            let period_s = lines.iter().map(|line| line.period_s).max().unwrap_or(60);
            let points = finite(moments.into_iter().map(|(at, tally)| (at, tally.get(name))));
            Ok(Value::Line(Line { label: name.into(), period_s, points: Rc::new(points) }))
        }
        Value::Scalar(_) => Err(MathError(format!("{name} takes time series, not a scalar"))),
        Value::Word(word) => Err(unknown(word)),
    }
}

/// A series with a value for each period.
fn every(span: &Span, period_s: u32, label: &str, f: impl Fn(i64) -> f64) -> Result<Value, MathError> {
    span.check(period_s, 1)?;
    let points = finite(span.moments(period_s).map(|at| (at, f(at))));
    Ok(Value::Line(Line { label: label.into(), period_s, points: Rc::new(points) }))
}

/// In UTC; Monday is day 1.
fn calendar(name: &str, at_s: i64) -> f64 {
    let date = Time::from_unix_ms(at_s * 1_000).date_time();
    match name {
        "MINUTE" => date.minute().into(),
        "HOUR" => date.hour().into(),
        "DAY" => date.weekday().number_from_monday().into(),
        "DATE" => date.day().into(),
        "MONTH" => u8::from(date.month()).into(),
        "YEAR" => date.year().into(),
        _ => at_s as f64,
    }
}

fn one(line: Option<&Line>) -> Result<Value, MathError> {
    line.cloned().map(Value::Line).ok_or_else(|| MathError("the array is empty".into()))
}

/// A count or an index, from 0.
fn index(number: f64) -> Result<usize, MathError> {
    if (0.0..=1e6).contains(&number) && number.fract() == 0.0 {
        return Ok(number as usize);
    }
    Err(MathError(format!("{number} is no whole number from 0")))
}

fn slice(lines: &[Line], from: f64, until: Option<f64>) -> Result<Value, MathError> {
    let from = index(from)?.min(lines.len());
    match until {
        // "SLICE": with a start alone, the series at that place; with an end, those before it too.
        None => one(lines.get(from)),
        Some(until) => Ok(Value::Lines(lines[from..index(until)?.clamp(from, lines.len())].to_vec())),
    }
}

fn sort(lines: &[Line], by: &str, order: &str, most: Option<f64>) -> Result<Value, MathError> {
    if !matches!(by, "AVG" | "MIN" | "MAX" | "SUM") || !matches!(order, "ASC" | "DESC") {
        return Err(MathError("SORT takes AVG, MIN, MAX or SUM, and ASC or DESC".into()));
    }
    let key = |line: &Line| Tally::of(line.points.iter().map(|(_, value)| *value)).get(by);
    // Series without data come last, whatever the order.
    let mut keyed: Vec<(f64, &Line)> = lines.iter().map(|line| (key(line), line)).collect();
    keyed.sort_by(|(a, left), (b, right)| {
        let by_value = if order == "ASC" { a.total_cmp(b) } else { b.total_cmp(a) };
        left.points.is_empty().cmp(&right.points.is_empty()).then(by_value)
    });
    let most = most.map_or(Ok(lines.len()), index)?;
    Ok(Value::Lines(keyed.into_iter().take(most).map(|(_, line)| line.clone()).collect()))
}

/// `FILL`: puts a value where there is none: a number, another series' value, the last one before (`REPEAT`), or one on the
/// line between the values before and after (`LINEAR`).
fn fill(value: &Value, filler: &Value, span: &Span) -> Result<Value, MathError> {
    let lines = match value {
        Value::Line(line) => std::slice::from_ref(line),
        Value::Lines(lines) => lines,
        _ => &[],
    };
    if let Some(finest_s) = lines.iter().map(|line| line.period_s).min() {
        span.check(finest_s, lines.len())?;
    }
    match filler {
        Value::Scalar(number) => over(value, "FILL", |line| filled(line, span, |_, _, _| Some(*number))),
        Value::Line(other) => over(value, "FILL", |line| {
            filled(line, span, |at, _, _| other.points.binary_search_by_key(&at, |(t, _)| *t).ok().map(|n| other.points[n].1))
        }),
        Value::Word(word) if word == "REPEAT" => {
            over(value, "FILL", |line| filled(line, span, |_, before, _| before.map(|b| b.1)))
        }
        Value::Word(word) if word == "LINEAR" => over(value, "FILL", |line| {
            filled(line, span, |at, before, after| {
                let ((t0, v0), (t1, v1)) = (before?, after?);
                Some(v0 + (v1 - v0) * (at - t0) as f64 / (t1 - t0) as f64)
            })
        }),
        _ => Err(MathError("FILL takes a number, a time series, REPEAT or LINEAR".into())),
    }
}

type Point = Option<(i64, f64)>;

fn filled(line: &Line, span: &Span, missing: impl Fn(i64, Point, Point) -> Option<f64>) -> Line {
    let (mut points, mut next) = (Vec::new(), 0);
    for at in span.moments(line.period_s) {
        while line.points.get(next).is_some_and(|(t, _)| *t < at) {
            next += 1;
        }
        let after = line.points.get(next).copied();
        match after {
            Some((t, value)) if t == at => points.push((at, value)),
            _ => {
                let before = next.checked_sub(1).and_then(|n| line.points.get(n)).copied();
                points.extend(missing(at, before, after).map(|value| (at, value)));
            }
        }
    }
    line.with(finite(points.into_iter()))
}

/// `IF`: where the condition is not 0 the first value, else the second; without a second one, nothing. Where the condition
/// has no data, neither has the result.
fn choose(condition: &Value, then: &Value, otherwise: Option<&Value>, span: &Span) -> Result<Value, MathError> {
    let at = |value: &Value, moment: i64| match value {
        Value::Scalar(number) => Some(*number),
        Value::Line(line) => line.points.binary_search_by_key(&moment, |(t, _)| *t).ok().map(|n| line.points[n].1),
        _ => None,
    };
    let operands = [Some(condition), Some(then), otherwise];
    let lines: Vec<&Line> =
        operands.iter().flatten().filter_map(|v| if let Value::Line(line) = v { Some(line) } else { None }).collect();
    if operands.iter().flatten().any(|v| matches!(v, Value::Lines(_) | Value::Word(_))) {
        return Err(MathError("IF takes time series and scalars, no arrays".into()));
    }
    let pick = |moment| match at(condition, moment) {
        Some(c) if c != 0.0 => at(then, moment),
        Some(_) => otherwise.and_then(|value| at(value, moment)),
        None => None,
    };
    let Some(period_s) = lines.iter().map(|line| line.period_s).max() else {
        return Ok(Value::Scalar(pick(span.from_s).unwrap_or(f64::NAN)));
    };
    let mut moments: Vec<i64> = lines.iter().flat_map(|line| line.points.iter().map(|(t, _)| *t)).collect();
    moments.sort_unstable();
    moments.dedup();
    let points = finite(moments.into_iter().filter_map(|moment| pick(moment).map(|value| (moment, value))));
    Ok(Value::Line(Line { label: lines[0].label.clone(), period_s, points: Rc::new(points) }))
}
