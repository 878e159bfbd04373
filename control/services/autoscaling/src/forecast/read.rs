//! `PredictiveScalingConfiguration`, in and out ("Create a predictive scaling policy for an Auto Scaling group").

use shapes::autoscaling as s;

use super::row::{Named, Predictive, Source};
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

fn source(s: s::PredictiveScalingMetricSpecification) -> Result<Source, Error> {
    if s.customized_scaling_metric_specification.is_some()
        || s.customized_load_metric_specification.is_some()
        || s.customized_capacity_metric_specification.is_some()
    {
        return Err(Error::Unsupported("A customized metric of a predictive scaling policy".into()));
    }
    let pair = s.predefined_metric_pair_specification.map(|p| (p.predefined_metric_type, p.resource_label));
    let scaling = s.predefined_scaling_metric_specification.map(|p| (p.predefined_metric_type, p.resource_label));
    let load = s.predefined_load_metric_specification.map(|p| (p.predefined_metric_type, p.resource_label));
    match (pair, scaling, load) {
        (Some(pair), None, None) => Ok(Source::Pair(named(pair, &PAIRS)?)),
        (None, Some(scaling), Some(load)) => Ok(Source::Apart { scaling: named(scaling, &SCALING)?, load: named(load, &LOADS)? }),
        _ => invalid(
            "A metric specification needs either PredefinedMetricPairSpecification, or PredefinedScalingMetricSpecification and PredefinedLoadMetricSpecification.",
        ),
    }
}

fn named((kind, label): (String, Option<String>), kinds: &[&str]) -> Result<Named, Error> {
    if !kinds.contains(&kind.as_str()) {
        return invalid(format!("Invalid PredefinedMetricType '{kind}'. It must be one of {}.", kinds.join(", ")));
    }
    match (&label, kind.starts_with("ALB")) {
        (None, true) => invalid(format!("ResourceLabel is required for PredefinedMetricType {kind}.")),
        (Some(_), false) => invalid(format!("ResourceLabel is not supported for PredefinedMetricType {kind}.")),
        _ => Ok(Named { kind, label }),
    }
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
            predefined_scaling_metric_specification: Some(s::PredictiveScalingPredefinedScalingMetric {
                predefined_metric_type: scaling.kind,
                resource_label: scaling.label,
            }),
            predefined_load_metric_specification: Some(s::PredictiveScalingPredefinedLoadMetric {
                predefined_metric_type: load.kind,
                resource_label: load.label,
            }),
            ..plain
        },
    }
}
