//! `PutMetricData`: checks all of a request, then takes all of it in.

use std::fmt;
use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Tx};
use metrics::{Metric, Resolution, Sample, Store};
use shapes::cloudwatch::{MetricDatum, PutMetricDataInput, StatisticSet};

use super::fault::{combination, invalid, missing};
use super::name;

/// Most metrics of one request ("PutMetricData").
const DATA_MAX: usize = 1_000;
/// Most values of one datum.
const VALUES_MAX: usize = 150;
/// "PutMetricData": moments from two weeks ago to two hours from now.
const OLDEST: Duration = Duration::from_secs(14 * 86_400);
const NEWEST: Duration = Duration::from_secs(2 * 3_600);
/// Values reach from -2^360 to 2^360.
const VALUE_MAX: f64 = 2.348_542_582_773_833e108;

/// Values a second that all callers together may put, and how many at once after a pause. AWS throttles by requests and account;
/// here the thread that owns the state is to be kept free for others.
const RATE: f64 = 250_000.0;
const BURST: f64 = 1_000_000.0;

/// A bucket of tokens, one for a value. It lies beside the tables, for it need not outlive a restart.
pub(super) struct Intake {
    tokens: f64,
    at: Time,
}

impl Default for Intake {
    fn default() -> Self {
        Self { tokens: BURST, at: Time::ZERO }
    }
}

impl kernel::Store for Intake {
    fn keep(&mut self) {}
}

impl Intake {
    fn take(&mut self, now: Time, tokens: f64) -> Result<(), Fault> {
        self.tokens = (self.tokens + now.ms_since(self.at) as f64 * RATE / 1_000.0).min(BURST);
        self.at = self.at.max(now);
        if self.tokens < tokens {
            return Err(Fault::client("Throttling", "Rate exceeded"));
        }
        self.tokens -= tokens;
        Ok(())
    }
}

/// Where a datum stands in the request, from 0. It is put into words only when something is wrong.
struct Place(usize);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetricData.member.{}.", self.0 + 1)
    }
}

/// A datum that was found good.
struct Put {
    name: String,
    dimensions: Vec<(String, String)>,
    unit: Option<String>,
    resolution: Resolution,
    at: Time,
    measured: Measured,
}

enum Measured {
    Value(f64),
    Sample(Sample),
}

pub(super) fn put_metric_data(tx: &mut Tx, cx: &Cx, input: PutMetricDataInput) -> Result<(), Fault> {
    if !input.entity_metric_data.is_empty() {
        return Err(invalid("The parameter EntityMetricData is not supported in this region: use MetricData."));
    }
    if input.metric_data.is_empty() {
        return Err(missing("The parameter MetricData is required."));
    }
    if input.metric_data.len() > DATA_MAX {
        return Err(invalid(format!("The collection MetricData must not have a size greater than {DATA_MAX}.")));
    }
    name::check_namespace(&input.namespace)?;
    // Before the values are looked at: what is refused shall cost little.
    let values: usize = input.metric_data.iter().map(|datum| datum.values.len().max(1)).sum();
    tx.store_mut::<Intake>().take(cx.now, values as f64)?;
    let mut puts = Vec::with_capacity(input.metric_data.len());
    for (n, datum) in input.metric_data.into_iter().enumerate() {
        puts.push(checked(cx.now, datum, &Place(n))?);
    }
    let store = tx.store_mut::<Store>();
    store.advance(cx.now);
    let mut metric = Metric { namespace: input.namespace, name: String::new(), dimensions: Vec::new() };
    let mut ids = Vec::with_capacity(puts.len());
    for put in &mut puts {
        metric.name = std::mem::take(&mut put.name);
        metric.dimensions = std::mem::take(&mut put.dimensions);
        ids.push(store.id(&metric, put.unit.as_deref().unwrap_or("None")).map_err(full)?);
    }
    for (put, id) in puts.iter().zip(ids) {
        match &put.measured {
            Measured::Value(value) => store.put_value(id, put.resolution, put.at, *value),
            Measured::Sample(sample) => store.put_by_id(id, put.resolution, put.at, sample),
        }
    }
    Ok(())
}

fn full(_: metrics::Full) -> Fault {
    Fault::client("LimitExceeded", format!("The region has {} metrics already, which is the limit.", metrics::METRICS_MAX))
}

fn checked(now: Time, datum: MetricDatum, path: &Place) -> Result<Put, Fault> {
    let measured = measured(&datum, path)?;
    let dimensions = name::sorted(datum.dimensions, path)?;
    name::check(&datum.metric_name, &dimensions, path)?;
    let at = datum.timestamp.unwrap_or(now);
    if at < now - OLDEST {
        return Err(invalid(format!("The parameter {path}Timestamp must specify a time no more than two weeks in the past.")));
    }
    if at > now + NEWEST {
        return Err(invalid(format!("The parameter {path}Timestamp must specify a time no more than two hours in the future.")));
    }
    let resolution = match datum.storage_resolution {
        None | Some(60) => Resolution::Standard,
        Some(1) => Resolution::High,
        Some(other) => {
            return Err(invalid(format!(
                "The value {other} for parameter {path}StorageResolution is invalid: it must be 1 or 60."
            )));
        }
    };
    Ok(Put { name: datum.metric_name, dimensions, unit: datum.unit, resolution, at, measured })
}

/// "MetricDatum": exactly one of a value, values with counts, and a statistic set.
fn measured(datum: &MetricDatum, path: &Place) -> Result<Measured, Fault> {
    let both = |one, other| {
        let text = "are mutually exclusive and you have specified both.";
        Err(combination(format!("The parameters {path}{one} and {path}{other} {text}")))
    };
    match (datum.value, &datum.values[..], &datum.statistic_values) {
        (Some(value), [], None) => Ok(Measured::Value(number(value, &format_args!("{path}Value"))?)),
        (None, [_, ..], None) => several(datum, path).map(Measured::Sample),
        (None, [], Some(set)) => statistic_set(set, path).map(Measured::Sample),
        (None, [], None) => Err(missing(format!(
            "At least one of the parameters must be specified: {path}Value, {path}Values, {path}StatisticValues."
        ))),
        (Some(_), [_, ..], _) => both("Value", "Values"),
        (Some(_), [], Some(_)) => both("Value", "StatisticValues"),
        (None, [_, ..], Some(_)) => both("Values", "StatisticValues"),
    }
}

fn statistic_set(set: &StatisticSet, path: &Place) -> Result<Sample, Fault> {
    let path = format!("{path}StatisticValues.");
    let count = number(set.sample_count, &format_args!("{path}SampleCount"))?;
    let sum = number(set.sum, &format_args!("{path}Sum"))?;
    let least = number(set.minimum, &format_args!("{path}Minimum"))?;
    let most = number(set.maximum, &format_args!("{path}Maximum"))?;
    if count <= 0.0 {
        return Err(invalid(format!("The parameter {path}SampleCount must be greater than 0.")));
    }
    if least > most {
        return Err(invalid(format!("The parameter {path}Maximum must be greater than or equal to {path}Minimum.")));
    }
    Ok(Sample::set(count, sum, least, most))
}

fn several(datum: &MetricDatum, path: &Place) -> Result<Sample, Fault> {
    if datum.values.len() > VALUES_MAX {
        return Err(invalid(format!("The collection {path}Values must not have a size greater than {VALUES_MAX}.")));
    }
    if !datum.counts.is_empty() && datum.counts.len() != datum.values.len() {
        return Err(invalid(format!("The parameters {path}Values and {path}Counts must be of the same size.")));
    }
    for (n, value) in datum.values.iter().enumerate() {
        number(*value, &format_args!("{path}Values.member.{}", n + 1))?;
    }
    for (n, count) in datum.counts.iter().enumerate() {
        let path = format!("{path}Counts.member.{}", n + 1);
        if number(*count, &format_args!("{path}"))? <= 0.0 {
            return Err(invalid(format!("The parameter {path} must be greater than 0.")));
        }
    }
    let counts = datum.counts.iter().copied().chain(std::iter::repeat(1.0));
    Ok(Sample::values(datum.values.iter().copied().zip(counts)))
}

fn number(value: f64, path: &std::fmt::Arguments) -> Result<f64, Fault> {
    if value.is_finite() && value.abs() <= VALUE_MAX {
        return Ok(value);
    }
    Err(invalid(format!("The value {value} for parameter {path} is invalid.")))
}
