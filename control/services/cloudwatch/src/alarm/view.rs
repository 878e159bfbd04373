//! Alarms as callers see them: the answers of `DescribeAlarms`, and the JSON of the history.

use serde_json::{Value as Json, json};
use shapes::cloudwatch as s;

use super::evaluate::period_s;
use super::row::{Alarm, MetricQuery, StateChange, SuppressedBy, Watched};
use metrics::{Metric, Statistic};

impl SuppressedBy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::WaitPeriod => "WaitPeriod",
            Self::ExtensionPeriod => "ExtensionPeriod",
            Self::Alarm => "Alarm",
        }
    }
}

/// Whether a statistic is one of the five that `Statistic` names; others are `ExtendedStatistic`.
pub(super) fn is_simple(statistic: &str) -> bool {
    !statistic.is_empty()
        && Statistic::parse(statistic).is_some_and(|s| !matches!(s, Statistic::Percentile(_)))
        && named(statistic)
}

fn named(statistic: &str) -> bool {
    matches!(statistic, "SampleCount" | "Average" | "Sum" | "Minimum" | "Maximum")
}

/// The one query of an alarm on a single metric.
pub(super) fn single(queries: &[MetricQuery]) -> Option<(&MetricQuery, &Metric)> {
    match queries {
        [one] => one.metric.as_ref().map(|metric| (one, metric)),
        _ => None,
    }
}

fn dimensions(metric: &Metric) -> Vec<s::Dimension> {
    metric.dimensions.iter().map(|(name, value)| s::Dimension { name: name.clone(), value: value.clone() }).collect()
}

fn query(query: &MetricQuery) -> s::MetricDataQuery {
    let metric_stat = query.metric.as_ref().map(|metric| s::MetricStat {
        metric: s::Metric {
            namespace: Some(metric.namespace.clone()),
            metric_name: Some(metric.name.clone()),
            dimensions: dimensions(metric),
        },
        period: query.period_s.into(),
        stat: query.statistic.clone(),
        unit: query.unit.clone(),
    });
    let period = (query.metric.is_none() && query.period_s > 0).then_some(query.period_s.into());
    s::MetricDataQuery {
        id: query.id.clone(),
        metric_stat,
        expression: query.expression.clone(),
        label: query.label.clone(),
        return_data: Some(query.returns),
        period,
        account_id: None,
    }
}

fn reason_data(state: &StateChange) -> Option<String> {
    (!state.reason_data.is_empty()).then(|| state.reason_data.clone())
}

/// A metric alarm's shape; none for a composite one.
pub(super) fn metric_alarm(alarm: &Alarm) -> Option<s::MetricAlarm> {
    let Watched::Metrics { queries, comparison, threshold, evaluation_periods, datapoints_to_alarm, missing, ignore_low_samples } =
        &alarm.watched
    else {
        return None;
    };
    let mut shape = s::MetricAlarm {
        alarm_name: Some(alarm.name.clone()),
        alarm_arn: Some(alarm.arn.clone()),
        alarm_description: alarm.description.clone(),
        alarm_configuration_updated_timestamp: Some(alarm.configured_at),
        actions_enabled: Some(alarm.actions_enabled),
        ok_actions: alarm.ok_actions.clone(),
        alarm_actions: alarm.alarm_actions.clone(),
        insufficient_data_actions: alarm.insufficient_data_actions.clone(),
        state_value: Some(alarm.state.state.as_str().into()),
        state_reason: Some(alarm.state.reason.clone()),
        state_reason_data: reason_data(&alarm.state),
        state_updated_timestamp: Some(alarm.state.at),
        state_transitioned_timestamp: Some(alarm.state.at),
        evaluation_periods: Some((*evaluation_periods).into()),
        datapoints_to_alarm: (datapoints_to_alarm != evaluation_periods).then_some((*datapoints_to_alarm).into()),
        threshold: Some(*threshold),
        comparison_operator: Some(comparison.as_str().into()),
        treat_missing_data: Some(missing.as_str().into()),
        evaluate_low_sample_count_percentile: ignore_low_samples.then(|| "ignore".into()),
        ..Default::default()
    };
    match single(queries) {
        Some((one, metric)) => {
            shape.metric_name = Some(metric.name.clone());
            shape.namespace = Some(metric.namespace.clone());
            shape.dimensions = dimensions(metric);
            shape.period = Some(one.period_s.into());
            shape.unit = one.unit.clone();
            let simple = is_simple(&one.statistic);
            shape.statistic = simple.then(|| one.statistic.clone());
            shape.extended_statistic = (!simple).then(|| one.statistic.clone());
        }
        None => shape.metrics = queries.iter().map(query).collect(),
    }
    Some(shape)
}

/// A composite alarm's shape; none for a metric one.
pub(super) fn composite_alarm(alarm: &Alarm) -> Option<s::CompositeAlarm> {
    let Watched::Rule { rule, suppressor, suppression, .. } = &alarm.watched else { return None };
    let by = suppression.by.map(SuppressedBy::as_str);
    Some(s::CompositeAlarm {
        actions_enabled: Some(alarm.actions_enabled),
        alarm_actions: alarm.alarm_actions.clone(),
        alarm_arn: Some(alarm.arn.clone()),
        alarm_configuration_updated_timestamp: Some(alarm.configured_at),
        alarm_description: alarm.description.clone(),
        alarm_name: Some(alarm.name.clone()),
        alarm_rule: Some(rule.clone()),
        insufficient_data_actions: alarm.insufficient_data_actions.clone(),
        ok_actions: alarm.ok_actions.clone(),
        state_reason: Some(alarm.state.reason.clone()),
        state_reason_data: reason_data(&alarm.state),
        state_updated_timestamp: Some(alarm.state.at),
        state_value: Some(alarm.state.state.as_str().into()),
        state_transitioned_timestamp: Some(alarm.state.at),
        actions_suppressed_by: by.map(Into::into),
        actions_suppressed_reason: by.map(|by| format!("Actions suppressed by {by}")),
        actions_suppressor: suppressor.as_ref().map(|s| s.alarm.clone()),
        actions_suppressor_wait_period: suppressor.as_ref().map(|s| s.wait_s.into()),
        actions_suppressor_extension_period: suppressor.as_ref().map(|s| s.extension_s.into()),
        action_configuration: None,
    })
}

/// An alarm's configuration as the history's items have it ("DescribeAlarmHistory", HistoryData).
pub(super) fn configuration(alarm: &Alarm) -> Json {
    let mut all = json!({
        "alarmName": alarm.name,
        "alarmArn": alarm.arn,
        "alarmDescription": alarm.description,
        "actionsEnabled": alarm.actions_enabled,
        "okActions": alarm.ok_actions,
        "alarmActions": alarm.alarm_actions,
        "insufficientDataActions": alarm.insufficient_data_actions,
    });
    match &alarm.watched {
        Watched::Metrics { queries, comparison, threshold, evaluation_periods, datapoints_to_alarm, missing, .. } => {
            all["comparisonOperator"] = comparison.as_str().into();
            all["threshold"] = (*threshold).into();
            all["evaluationPeriods"] = (*evaluation_periods).into();
            all["datapointsToAlarm"] = (*datapoints_to_alarm).into();
            all["treatMissingData"] = missing.as_str().into();
            all["period"] = period_s(queries).into();
            match single(queries) {
                Some((one, metric)) => {
                    all["namespace"] = metric.namespace.clone().into();
                    all["metricName"] = metric.name.clone().into();
                    all["dimensions"] = metric.dimensions.iter().map(|(n, v)| json!({ "name": n, "value": v })).collect();
                    all[if is_simple(&one.statistic) { "statistic" } else { "extendedStatistic" }] = one.statistic.clone().into();
                    all["unit"] = one.unit.clone().into();
                }
                None => all["metrics"] = queries.iter().map(query_json).collect(),
            }
        }
        Watched::Rule { rule, suppressor, .. } => {
            all["alarmRule"] = rule.clone().into();
            if let Some(suppressor) = suppressor {
                all["actionsSuppressor"] = suppressor.alarm.clone().into();
                all["actionsSuppressorWaitPeriod"] = suppressor.wait_s.into();
                all["actionsSuppressorExtensionPeriod"] = suppressor.extension_s.into();
            }
        }
    }
    all
}

fn query_json(query: &MetricQuery) -> Json {
    let mut one = json!({ "id": query.id, "returnData": query.returns });
    if let Some(metric) = &query.metric {
        let dimensions: Json = metric.dimensions.iter().map(|(n, v)| json!({ "name": n, "value": v })).collect();
        let named = json!({ "namespace": metric.namespace, "metricName": metric.name, "dimensions": dimensions });
        one["metricStat"] = json!({ "metric": named, "period": query.period_s, "stat": query.statistic });
    }
    if let Some(expression) = &query.expression {
        one["expression"] = expression.clone().into();
    }
    if let Some(label) = &query.label {
        one["label"] = label.clone().into();
    }
    one
}
