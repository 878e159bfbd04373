//! `PutMetricData`: checks all of a request, then takes all of it in.

use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Tx};
use metrics::{Metric, Resolution, Sample, Store};
use shapes::cloudwatch::{MetricDatum, PutMetricDataInput};

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

struct Put {
    metric: Metric,
    unit: String,
    resolution: Resolution,
    at: Time,
    sample: Sample,
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
    let mut puts = Vec::with_capacity(input.metric_data.len());
    let mut values = 0;
    for (n, datum) in input.metric_data.into_iter().enumerate() {
        values += datum.values.len().max(1);
        let path = format!("MetricData.member.{}.", n + 1);
        puts.push(checked(cx.now, &input.namespace, datum, &path)?);
    }
    tx.store_mut::<Intake>().take(cx.now, values as f64)?;
    let store = tx.store_mut::<Store>();
    store.advance(cx.now);
    let ids: Result<Vec<_>, _> = puts.iter().map(|put| store.id(&put.metric, &put.unit)).collect();
    let ids = ids.map_err(|metrics::Full| {
        Fault::client("LimitExceeded", format!("The region has {} metrics already, which is the limit.", metrics::METRICS_MAX))
    })?;
    for (put, id) in puts.iter().zip(ids) {
        store.put_by_id(id, put.resolution, put.at, &put.sample);
    }
    Ok(())
}

fn checked(now: Time, namespace: &str, datum: MetricDatum, path: &str) -> Result<Put, Fault> {
    let sample = sample(&datum, path)?;
    let metric = name::metric(namespace, &datum.metric_name, datum.dimensions, path)?;
    name::check(&metric, path)?;
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
    Ok(Put { metric, unit: datum.unit.unwrap_or_else(|| "None".into()), resolution, at, sample })
}

/// "MetricDatum": exactly one of a value, values with counts, and a statistic set.
fn sample(datum: &MetricDatum, path: &str) -> Result<Sample, Fault> {
    let given = [
        ("Value", datum.value.is_some()),
        ("Values", !datum.values.is_empty()),
        ("StatisticValues", datum.statistic_values.is_some()),
    ];
    let names: Vec<&str> = given.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    match names[..] {
        [] => {
            return Err(missing(format!(
                "At least one of the parameters must be specified: {path}Value, {path}Values, {path}StatisticValues."
            )));
        }
        [_] => {}
        [one, other, ..] => {
            let text = "are mutually exclusive and you have specified both.";
            return Err(combination(format!("The parameters {path}{one} and {path}{other} {text}")));
        }
    }
    if let Some(value) = datum.value {
        return Ok(Sample::value(number(value, &format_args!("{path}Value"))?));
    }
    if let Some(set) = &datum.statistic_values {
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
        return Ok(Sample::set(count, sum, least, most));
    }
    several(datum, path)
}

fn several(datum: &MetricDatum, path: &str) -> Result<Sample, Fault> {
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
