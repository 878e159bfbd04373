//! `PutMetricAlarm`: an alarm on one metric, or on mathematics over several.

use base::{Fault, Time};
use kernel::{Cx, Tx};
use metrics::Metric;
use shapes::cloudwatch as s;

use super::limits::{actions, broken, description, dimensions, name, period, periods};
use crate::alarm::action::Kind;
use crate::alarm::evaluate::period_s;
use crate::alarm::view::{is_simple, single};
use crate::alarm::{Alarm, Comparison, MetricQuery, MissingData, StateChange, Watched, transition};
use crate::metric::{math, statistic};
use crate::tags;

/// Most entries of `Metrics` ("PutMetricAlarm", Metrics).
const QUERIES_MAX: usize = 20;
/// Most metrics in an alarm on an expression ("Alarms on math expressions").
const METRICS_MAX: usize = 10;

pub(super) fn put(tx: &mut Tx, cx: &Cx, input: s::PutMetricAlarmInput) -> Result<(), Fault> {
    let given = tags::from_user(input.tags.clone())?;
    let alarm = alarm_of(cx, input)?;
    let is_new = tx.get::<Alarm>(&alarm.name).is_none();
    let arn = transition::arn(cx, &alarm.name);
    transition::put(tx, cx, alarm)?;
    // "PutMetricAlarm", Tags: those of an alarm that exists are changed with TagResource only.
    if is_new {
        tags::set(tx, &arn, given);
    }
    Ok(())
}

/// The alarm that a request describes, checked. Its state is set by [`transition::put`].
pub(crate) fn alarm_of(cx: &Cx, input: s::PutMetricAlarmInput) -> Result<Alarm, Fault> {
    name(&input.alarm_name)?;
    description(input.alarm_description.as_deref())?;
    unavailable(&input)?;
    let comparison = comparison(input.comparison_operator.as_deref())?;
    let queries = if input.metrics.is_empty() { vec![simple(&input)?] } else { math(&input)? };
    let (evaluation_periods, datapoints_to_alarm) =
        periods(input.evaluation_periods, input.datapoints_to_alarm, period_s(&queries))?;
    let threshold = input.threshold.ok_or_else(|| Fault::validation("Threshold must be specified"))?;
    if !threshold.is_finite() {
        return Err(Fault::validation("Threshold must be a number"));
    }
    let is_percentile = single(&queries).is_some_and(|(one, _)| !is_simple(&one.statistic));
    let ignore_low_samples = low_samples(input.evaluate_low_sample_count_percentile.as_deref(), is_percentile)?;
    // "PutMetricAlarm": EC2 actions are for alarms on a metric with the dimension InstanceId; those on expressions have none.
    let of_instance = single(&queries).is_some_and(|(_, metric)| metric.dimensions.iter().any(|(name, _)| name == "InstanceId"));
    let takes: &[Kind] =
        if of_instance { &[Kind::Topic, Kind::ScalingPolicy, Kind::Instance] } else { &[Kind::Topic, Kind::ScalingPolicy] };
    actions(cx, "alarmActions", &input.alarm_actions, takes)?;
    actions(cx, "okActions", &input.ok_actions, takes)?;
    actions(cx, "insufficientDataActions", &input.insufficient_data_actions, takes)?;
    Ok(Alarm {
        arn: transition::arn(cx, &input.alarm_name),
        name: input.alarm_name,
        description: input.alarm_description,
        watched: Watched::Metrics {
            queries,
            comparison,
            threshold,
            evaluation_periods,
            datapoints_to_alarm,
            missing: missing(input.treat_missing_data.as_deref())?,
            ignore_low_samples,
        },
        actions_enabled: input.actions_enabled.unwrap_or(true),
        alarm_actions: input.alarm_actions,
        ok_actions: input.ok_actions,
        insufficient_data_actions: input.insufficient_data_actions,
        configured_at: cx.now,
        state: StateChange::unchecked(cx.now),
        evaluated_until: Time::ZERO,
    })
}

fn unavailable(input: &s::PutMetricAlarmInput) -> Result<(), Fault> {
    let what = [
        (input.threshold_metric_id.is_some(), "ThresholdMetricId: alarms on anomaly detection"),
        (input.evaluation_window.is_some(), "EvaluationWindow"),
        (input.warm_up_configuration.is_some(), "WarmUpConfiguration"),
        (input.evaluation_criteria.is_some(), "EvaluationCriteria: alarms on PromQL"),
        (input.evaluation_interval.is_some(), "EvaluationInterval"),
        (input.action_configuration.is_some(), "ActionConfiguration"),
    ];
    match what.iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(Fault::validation(format!("{what} cannot be used: it is not available in this region"))),
        None => Ok(()),
    }
}

fn comparison(text: Option<&str>) -> Result<Comparison, Fault> {
    let text = text.ok_or_else(|| Fault::validation("ComparisonOperator must be specified"))?;
    Ok(match text {
        "GreaterThanOrEqualToThreshold" => Comparison::GreaterThanOrEqualToThreshold,
        "GreaterThanThreshold" => Comparison::GreaterThanThreshold,
        "LessThanThreshold" => Comparison::LessThanThreshold,
        "LessThanOrEqualToThreshold" => Comparison::LessThanOrEqualToThreshold,
        "LessThanLowerOrGreaterThanUpperThreshold" | "LessThanLowerThreshold" | "GreaterThanUpperThreshold" => {
            let text = format!("{text} is for alarms on anomaly detection, which is not available in this region");
            return Err(Fault::validation(text));
        }
        _ => {
            let all = "[GreaterThanOrEqualToThreshold, GreaterThanThreshold, LessThanThreshold, LessThanOrEqualToThreshold]";
            return Err(broken(text, "comparisonOperator", &format!("Member must satisfy enum value set: {all}")));
        }
    })
}

fn missing(text: Option<&str>) -> Result<MissingData, Fault> {
    let all = [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];
    match text {
        None => Ok(MissingData::Missing),
        Some(text) => all.into_iter().find(|m| m.as_str() == text).ok_or_else(|| {
            Fault::validation(format!(
                "The value {text} is not supported for TreatMissingData parameter. Supported values are [breaching, notBreaching, ignore, missing]."
            ))
        }),
    }
}

/// `EvaluateLowSampleCountPercentile`: for percentiles only.
fn low_samples(text: Option<&str>, is_percentile: bool) -> Result<bool, Fault> {
    match text {
        None => Ok(false),
        Some(_) if !is_percentile => {
            Err(Fault::validation("EvaluateLowSampleCountPercentile can only be used with a percentile ExtendedStatistic"))
        }
        Some("evaluate") => Ok(false),
        Some("ignore") => Ok(true),
        Some(text) => Err(Fault::validation(format!(
            "Option {text} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore."
        ))),
    }
}

/// An alarm on one metric, as a query `m1`.
fn simple(input: &s::PutMetricAlarmInput) -> Result<MetricQuery, Fault> {
    let required = |value: &Option<String>, what: &str| {
        value.clone().filter(|v| !v.trim().is_empty()).ok_or_else(|| Fault::validation(format!("{what} must be specified")))
    };
    let (namespace, metric_name) = (required(&input.namespace, "Namespace")?, required(&input.metric_name, "MetricName")?);
    let text = match (&input.statistic, &input.extended_statistic) {
        (Some(statistic), None) if is_simple(statistic) => statistic.clone(),
        (Some(statistic), None) => {
            let all = "[Maximum, SampleCount, Sum, Minimum, Average]";
            return Err(broken(statistic, "statistic", &format!("Member must satisfy enum value set: {all}")));
        }
        (None, Some(extended)) if !is_simple(extended) => {
            statistic::parse(extended)?;
            extended.clone()
        }
        (None, Some(_)) | (None, None) => {
            return Err(Fault::validation(
                "Exactly one of Statistic and ExtendedStatistic must be specified, the latter for percentiles",
            ));
        }
        (Some(_), Some(_)) => return Err(Fault::validation("Statistic and ExtendedStatistic are mutually exclusive")),
    };
    let seconds = input.period.ok_or_else(|| Fault::validation("Period must be specified"))?;
    Ok(MetricQuery {
        id: "m1".into(),
        metric: Some(Metric { namespace, name: metric_name, dimensions: dimensions(&input.dimensions)? }),
        statistic: text,
        unit: unit(input.unit.as_deref())?,
        period_s: period(seconds)?,
        expression: None,
        label: None,
        returns: true,
    })
}

fn unit(text: Option<&str>) -> Result<Option<String>, Fault> {
    const SIZES: [&str; 10] =
        ["Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits"];
    let Some(text) = text else { return Ok(None) };
    let plain = matches!(text, "Seconds" | "Microseconds" | "Milliseconds" | "Percent" | "Count" | "Count/Second" | "None");
    if plain || SIZES.contains(&text.strip_suffix("/Second").unwrap_or(text)) {
        return Ok(Some(text.to_string()));
    }
    Err(broken(text, "unit", "Member must satisfy enum value set of StandardUnit"))
}

/// An alarm on `Metrics`.
fn math(input: &s::PutMetricAlarmInput) -> Result<Vec<MetricQuery>, Fault> {
    let alone = [
        (input.metric_name.is_some(), "MetricName"),
        (input.namespace.is_some(), "Namespace"),
        (!input.dimensions.is_empty(), "Dimensions"),
        (input.period.is_some(), "Period"),
        (input.unit.is_some(), "Unit"),
        (input.statistic.is_some(), "Statistic"),
        (input.extended_statistic.is_some(), "ExtendedStatistic"),
    ];
    if let Some((_, what)) = alone.iter().find(|(is_there, _)| *is_there) {
        return Err(Fault::validation(format!(
            "{what} and Metrics are mutually exclusive: with Metrics it belongs into MetricStat"
        )));
    }
    if input.metrics.len() > QUERIES_MAX {
        return Err(Fault::validation(format!("Metrics list must contain at most {QUERIES_MAX} entries")));
    }
    let only = input.metrics.len() == 1;
    let queries = input.metrics.iter().map(|q| query(q, only)).collect::<Result<Vec<_>, _>>()?;
    check_math(&queries)?;
    Ok(queries)
}

/// Checks what another service wants to watch, as `PutMetricAlarm` checks what a user sends.
pub(crate) fn check(queries: &[MetricQuery]) -> Result<(), Fault> {
    match queries {
        [MetricQuery { metric: Some(_), .. }] => check_metrics(queries),
        _ => check_metrics(queries).and_then(|()| check_math(queries)),
    }
}

/// Checks what another service wants to read: as one series, and not as an alarm.
pub(crate) fn check_readable(queries: &[MetricQuery]) -> Result<(), Fault> {
    check_metrics(queries)?;
    math::validate(queries)?;
    single_series(queries)
}

fn check_metrics(queries: &[MetricQuery]) -> Result<(), Fault> {
    for query in queries {
        let Some(metric) = &query.metric else { continue };
        statistic::parse(&query.statistic)?;
        unit(query.unit.as_deref())?;
        let sent = metric.dimensions.iter().map(|(name, value)| s::Dimension { name: name.clone(), value: value.clone() });
        dimensions(&sent.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// What `PutMetricAlarm` refuses of queries that are read ("Alarms on math expressions").
fn check_math(queries: &[MetricQuery]) -> Result<(), Fault> {
    if queries.iter().filter(|q| q.returns).count() != 1 {
        return Err(Fault::validation("Invalid metrics list: exactly one element of the metrics list should return data"));
    }
    let mut used = queries.iter().filter(|q| q.metric.is_some()).map(|q| q.period_s);
    let Some(first) = used.next() else {
        return Err(Fault::validation("Invalid metrics list: it must hold at least one metric"));
    };
    if used.any(|period| period != first) {
        return Err(Fault::validation("Invalid metrics list: all metrics must have the same period"));
    }
    if queries.iter().filter(|q| q.metric.is_some()).count() > METRICS_MAX {
        return Err(Fault::validation(format!("Invalid metrics list: an alarm can have at most {METRICS_MAX} metrics")));
    }
    if math::searches(queries) {
        return Err(Fault::validation("SEARCH is not supported on Metric Alarms."));
    }
    math::validate(queries)?;
    single_series(queries)
}

/// "Alarms on math expressions": the expression that is compared results in a single time series.
fn single_series(queries: &[MetricQuery]) -> Result<(), Fault> {
    match math::evaluate(&metrics::Store::default(), queries, Time::ZERO, Time::ZERO)?.len() {
        1 => Ok(()),
        _ => Err(Fault::validation("Invalid metrics list: the expression that returns data must result in a single time series")),
    }
}

fn query(sent: &s::MetricDataQuery, only: bool) -> Result<MetricQuery, Fault> {
    let id = &sent.id;
    if sent.account_id.is_some() {
        return Err(Fault::validation("AccountId cannot be used: this region has one account"));
    }
    let returns = sent.return_data.unwrap_or(only);
    let empty = MetricQuery {
        id: id.clone(),
        metric: None,
        statistic: String::new(),
        unit: None,
        period_s: 0,
        expression: None,
        label: sent.label.clone(),
        returns,
    };
    match (&sent.metric_stat, &sent.expression) {
        (Some(stat), None) => {
            let (Some(namespace), Some(name)) = (stat.metric.namespace.clone(), stat.metric.metric_name.clone()) else {
                return Err(Fault::validation(format!("The metric of '{id}' must have Namespace and MetricName")));
            };
            statistic::parse(&stat.stat)?;
            let metric = Metric { namespace, name, dimensions: dimensions(&stat.metric.dimensions)? };
            let (unit, period_s) = (unit(stat.unit.as_deref())?, period(stat.period)?);
            Ok(MetricQuery { metric: Some(metric), statistic: stat.stat.clone(), unit, period_s, ..empty })
        }
        (None, Some(expression)) => {
            let period_s = sent.period.map(period).transpose()?.unwrap_or(0);
            Ok(MetricQuery { expression: Some(expression.clone()), period_s, ..empty })
        }
        _ => Err(Fault::validation(format!("Invalid metrics list: '{id}' must have either MetricStat or Expression"))),
    }
}
