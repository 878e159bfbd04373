//! Policies as AWS shows them.

use cloudwatch::alarm::MetricQuery;
use kernel::State;
use metrics::Metric;
use shapes::autoscaling as s;

use super::row::{Rule, ScalingPolicy, Tracked};
use super::tracking::alarms_of;

pub(crate) fn alarms(state: &State, policy: &ScalingPolicy) -> Vec<s::Alarm> {
    let found = alarms_of(state, policy).into_iter();
    found.map(|(name, arn)| s::Alarm { alarm_name: Some(name), alarm_arn: Some(arn) }).collect()
}

pub(crate) fn show(state: &State, policy: &ScalingPolicy) -> s::ScalingPolicy {
    let plain = s::ScalingPolicy {
        auto_scaling_group_name: Some(policy.group.to_string()),
        policy_name: Some(policy.name.clone()),
        policy_arn: Some(policy.arn.clone()),
        policy_type: Some(policy.rule.type_name().into()),
        estimated_instance_warmup: policy.warmup_s.map(i64::from),
        alarms: alarms(state, policy),
        enabled: Some(policy.enabled),
        ..Default::default()
    };
    match &policy.rule {
        Rule::SimpleScaling { adjustment, by, min_magnitude, cooldown_s } => s::ScalingPolicy {
            adjustment_type: Some(adjustment.as_str().into()),
            scaling_adjustment: Some(*by),
            min_adjustment_magnitude: min_magnitude.map(i64::from),
            cooldown: cooldown_s.map(i64::from),
            ..plain
        },
        Rule::StepScaling { adjustment, steps, min_magnitude, aggregation } => s::ScalingPolicy {
            adjustment_type: Some(adjustment.as_str().into()),
            min_adjustment_magnitude: min_magnitude.map(i64::from),
            metric_aggregation_type: Some(aggregation.as_str().into()),
            step_adjustments: steps
                .iter()
                .map(|step| s::StepAdjustment {
                    metric_interval_lower_bound: step.lower,
                    metric_interval_upper_bound: step.upper,
                    scaling_adjustment: step.by,
                })
                .collect(),
            ..plain
        },
        Rule::TargetTrackingScaling { metric, target, disable_scale_in, .. } => s::ScalingPolicy {
            target_tracking_configuration: Some(s::TargetTrackingConfiguration {
                target_value: *target,
                disable_scale_in: Some(*disable_scale_in),
                ..tracked(metric)
            }),
            ..plain
        },
        Rule::PredictiveScaling(predictive) => {
            s::ScalingPolicy { predictive_scaling_configuration: Some(crate::forecast::show(predictive)), ..plain }
        }
    }
}

fn tracked(metric: &Tracked) -> s::TargetTrackingConfiguration {
    let custom = match metric {
        Tracked::Predefined { kind, label } => {
            let specification =
                s::PredefinedMetricSpecification { predefined_metric_type: kind.as_str().into(), resource_label: label.clone() };
            return s::TargetTrackingConfiguration { predefined_metric_specification: Some(specification), ..Default::default() };
        }
        Tracked::Metric { query, period_s } => {
            let shown = query.metric.as_ref().map(shown_metric).unwrap_or_default();
            s::CustomizedMetricSpecification {
                metric_name: Some(shown.metric_name),
                namespace: Some(shown.namespace),
                dimensions: shown.dimensions,
                statistic: Some(query.statistic.clone()),
                unit: query.unit.clone(),
                period: period_s.map(i64::from),
                ..Default::default()
            }
        }
        Tracked::Math(queries) => s::CustomizedMetricSpecification {
            metrics: queries.iter().map(|(query, period_s)| shown_query(query, *period_s)).collect(),
            ..Default::default()
        },
    };
    s::TargetTrackingConfiguration { customized_metric_specification: Some(custom), ..Default::default() }
}

pub(crate) fn shown_metric(metric: &Metric) -> s::Metric {
    let dimension = |(name, value): &(String, String)| s::MetricDimension { name: name.clone(), value: value.clone() };
    s::Metric {
        namespace: metric.namespace.clone(),
        metric_name: metric.name.clone(),
        dimensions: metric.dimensions.iter().map(dimension).collect(),
    }
}

/// Periods are shown as they were asked for: a client that left one out and finds one takes that for a change.
fn shown_query(query: &MetricQuery, period_s: Option<u32>) -> s::TargetTrackingMetricDataQuery {
    s::TargetTrackingMetricDataQuery {
        id: query.id.clone(),
        expression: query.expression.clone(),
        metric_stat: query.metric.as_ref().map(|metric| s::TargetTrackingMetricStat {
            metric: shown_metric(metric),
            stat: query.statistic.clone(),
            unit: query.unit.clone(),
            period: period_s.map(i64::from),
        }),
        label: query.label.clone(),
        period: period_s.filter(|_| query.expression.is_some()).map(i64::from),
        return_data: Some(query.returns),
    }
}
