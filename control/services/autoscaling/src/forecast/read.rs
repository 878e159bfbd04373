//! `PredictiveScalingConfiguration`, in and out ("Create a predictive scaling policy for an Auto Scaling group").

use shapes::autoscaling as s;

use super::customized;
use super::row::{Measure, Named, Predictive, Source};
use crate::error::Error;
use crate::policy::check_target;

/// "PredictiveScalingConfiguration": seconds, and its default.
const BUFFER_MAX_S: i64 = 3_600;
const BUFFER_S: u32 = 300;
const ABOVE_MAX_PERCENT_MAX: i64 = 100;
const PAIRS: [&str; 4] = ["ASGCPUUtilization", "ASGNetworkIn", "ASGNetworkOut", "ALBRequestCount"];
const SCALING: [&str; 4] =
    ["ASGAverageCPUUtilization", "ASGAverageNetworkIn", "ASGAverageNetworkOut", "ALBRequestCountPerTarget"];
const LOADS: [&str; 4] = ["ASGTotalCPUUtilization", "ASGTotalNetworkIn", "ASGTotalNetworkOut", "ALBTargetGroupRequestCount"];

fn invalid<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::Invalid(text.into()))
}

pub(crate) fn read(configuration: Option<s::PredictiveScalingConfiguration>) -> Result<Predictive, Error> {
    let Some(mut configuration) = configuration else {
        return invalid("PredictiveScalingConfiguration is required for policy type PredictiveScaling.");
    };
    // "PredictiveScalingConfiguration": one specification is allowed for now.
    let (Some(specification), true) = (configuration.metric_specifications.pop(), configuration.metric_specifications.is_empty())
    else {
        return invalid("Exactly one metric specification is allowed in a PredictiveScalingConfiguration.");
    };
    let scales = match configuration.mode.as_deref() {
        None | Some("ForecastOnly") => false,
        Some("ForecastAndScale") => true,
        Some(other) => return invalid(format!("Invalid Mode '{other}'. It must be ForecastOnly or ForecastAndScale.")),
    };
    let buffer_s = match configuration.scheduling_buffer_time {
        None => BUFFER_S,
        Some(seconds) if (0..=BUFFER_MAX_S).contains(&seconds) => u32::try_from(seconds).unwrap_or(BUFFER_S),
        Some(seconds) => return invalid(format!("SchedulingBufferTime must be 0 to {BUFFER_MAX_S} seconds, not {seconds}.")),
    };
    let above_max_percent = above_max(configuration.max_capacity_breach_behavior.as_deref(), configuration.max_capacity_buffer)?;
    let target = check_target(specification.target_value)?;
    Ok(Predictive { target, source: source(specification)?, scales, buffer_s, above_max_percent })
}

fn above_max(behavior: Option<&str>, buffer: Option<i64>) -> Result<Option<u32>, Error> {
    match (behavior, buffer) {
        (None | Some("HonorMaxCapacity"), None) => Ok(None),
        (None | Some("HonorMaxCapacity"), Some(_)) => {
            invalid("MaxCapacityBuffer is only supported when MaxCapacityBreachBehavior is IncreaseMaxCapacity.")
        }
        (Some("IncreaseMaxCapacity"), Some(percent)) if (0..=ABOVE_MAX_PERCENT_MAX).contains(&percent) => {
            Ok(u32::try_from(percent).ok())
        }
        (Some("IncreaseMaxCapacity"), Some(percent)) => {
            invalid(format!("MaxCapacityBuffer must be 0 to {ABOVE_MAX_PERCENT_MAX}, not {percent}."))
        }
        (Some("IncreaseMaxCapacity"), None) => {
            invalid("MaxCapacityBuffer is required when MaxCapacityBreachBehavior is IncreaseMaxCapacity.")
        }
        (Some(other), _) => {
            invalid(format!("Invalid MaxCapacityBreachBehavior '{other}'. It must be HonorMaxCapacity or IncreaseMaxCapacity."))
        }
    }
}

/// "PredictiveScalingMetricSpecification": a pair, or a load and a scaling metric, each predefined or customized.
fn source(s: s::PredictiveScalingMetricSpecification) -> Result<Source, Error> {
    const WAYS: &str = "A metric specification needs either PredefinedMetricPairSpecification, or one scaling metric (PredefinedScalingMetricSpecification or CustomizedScalingMetricSpecification) and one load metric (PredefinedLoadMetricSpecification or CustomizedLoadMetricSpecification).";
    let scaling = s.predefined_scaling_metric_specification.map(|p| (p.predefined_metric_type, p.resource_label));
    let own_scaling = s.customized_scaling_metric_specification.map(|c| c.metric_data_queries);
    let load = s.predefined_load_metric_specification.map(|p| (p.predefined_metric_type, p.resource_label));
    let own_load = s.customized_load_metric_specification.map(|c| c.metric_data_queries);
    let capacity = s.customized_capacity_metric_specification.map(|c| c.metric_data_queries);
    if let Some(pair) = s.predefined_metric_pair_specification {
        if scaling.is_some() || own_scaling.is_some() || load.is_some() || own_load.is_some() || capacity.is_some() {
            return invalid(WAYS);
        }
        return Ok(Source::Pair(named((pair.predefined_metric_type, pair.resource_label), &PAIRS)?));
    }
    let scaling = measure(scaling, &SCALING, "CustomizedScalingMetricSpecification", own_scaling)?;
    let load = measure(load, &LOADS, "CustomizedLoadMetricSpecification", own_load)?;
    let (Some(scaling), Some(load)) = (scaling, load) else { return invalid(WAYS) };
    let capacity = capacity.map(|queries| customized::read("CustomizedCapacityMetricSpecification", queries)).transpose()?;
    match (scaling, load, capacity) {
        (Measure::Predefined(scaling), Measure::Predefined(load), None) => Ok(Source::Apart { scaling, load }),
        (Measure::Predefined(_), Measure::Predefined(_), Some(_)) => {
            invalid("CustomizedCapacityMetricSpecification needs a customized scaling or load metric.")
        }
        (scaling, load, capacity) => Ok(Source::Customized { scaling, load, capacity }),
    }
}

fn measure(
    predefined: Option<(String, Option<String>)>,
    kinds: &[&str],
    what: &str,
    queries: Option<Vec<s::MetricDataQuery>>,
) -> Result<Option<Measure>, Error> {
    match (predefined, queries) {
        (None, None) => Ok(None),
        (Some(predefined), None) => Ok(Some(Measure::Predefined(named(predefined, kinds)?))),
        (None, Some(queries)) => Ok(Some(Measure::Queries(customized::read(what, queries)?))),
        (Some(_), Some(_)) => invalid(format!("{what} cannot be combined with the predefined metric of its kind.")),
    }
}

fn named((kind, label): (String, Option<String>), kinds: &[&str]) -> Result<Named, Error> {
    if !kinds.contains(&kind.as_str()) {
        return invalid(format!("Invalid PredefinedMetricType '{kind}'. It must be one of {}.", kinds.join(", ")));
    }
    // A label of anything else says nothing, and is kept: AWS takes it, and Terraform's modules send one.
    let named = Named { kind, label };
    if named.is_of_target_group() && named.label.is_none() {
        return invalid(format!("ResourceLabel is required for PredefinedMetricType {}.", named.kind));
    }
    Ok(named)
}

pub(crate) fn show(predictive: &Predictive) -> s::PredictiveScalingConfiguration {
    let increases = predictive.above_max_percent.is_some();
    s::PredictiveScalingConfiguration {
        metric_specifications: vec![show_specification(predictive)],
        mode: Some(if predictive.scales { "ForecastAndScale" } else { "ForecastOnly" }.into()),
        scheduling_buffer_time: Some(i64::from(predictive.buffer_s)),
        max_capacity_breach_behavior: Some(if increases { "IncreaseMaxCapacity" } else { "HonorMaxCapacity" }.into()),
        max_capacity_buffer: predictive.above_max_percent.map(i64::from),
    }
}

pub(super) fn show_specification(predictive: &Predictive) -> s::PredictiveScalingMetricSpecification {
    let plain = s::PredictiveScalingMetricSpecification { target_value: predictive.target, ..Default::default() };
    match predictive.source.clone() {
        Source::Pair(Named { kind, label }) => s::PredictiveScalingMetricSpecification {
            predefined_metric_pair_specification: Some(s::PredictiveScalingPredefinedMetricPair {
                predefined_metric_type: kind,
                resource_label: label,
            }),
            ..plain
        },
        Source::Apart { scaling, load } => s::PredictiveScalingMetricSpecification {
            predefined_scaling_metric_specification: Some(show_scaling(scaling)),
            predefined_load_metric_specification: Some(show_load(load)),
            ..plain
        },
        Source::Customized { scaling, load, capacity } => {
            let mut shown = plain;
            match scaling {
                Measure::Predefined(named) => shown.predefined_scaling_metric_specification = Some(show_scaling(named)),
                Measure::Queries(queries) => {
                    let metric_data_queries = customized::show(&queries);
                    shown.customized_scaling_metric_specification =
                        Some(s::PredictiveScalingCustomizedScalingMetric { metric_data_queries });
                }
            }
            match load {
                Measure::Predefined(named) => shown.predefined_load_metric_specification = Some(show_load(named)),
                Measure::Queries(queries) => {
                    let metric_data_queries = customized::show(&queries);
                    shown.customized_load_metric_specification =
                        Some(s::PredictiveScalingCustomizedLoadMetric { metric_data_queries });
                }
            }
            shown.customized_capacity_metric_specification = capacity
                .map(|queries| s::PredictiveScalingCustomizedCapacityMetric { metric_data_queries: customized::show(&queries) });
            shown
        }
    }
}

fn show_scaling(named: Named) -> s::PredictiveScalingPredefinedScalingMetric {
    s::PredictiveScalingPredefinedScalingMetric { predefined_metric_type: named.kind, resource_label: named.label }
}

fn show_load(named: Named) -> s::PredictiveScalingPredefinedLoadMetric {
    s::PredictiveScalingPredefinedLoadMetric { predefined_metric_type: named.kind, resource_label: named.label }
}
