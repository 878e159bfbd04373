//! The properties of `AWS::AutoScaling::ScalingPolicy` as a template has them, which become the same request that the API takes.

use serde::Deserialize;
use shapes::autoscaling as s;

/// Structures of a template, each with the shape that it becomes.
macro_rules! properties {
    ($($name:ident => $shape:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub(super) struct $name {
            $($field: $type,)*
        }

        #[allow(clippy::needless_update, reason = "some have all members of their shape")]
        impl From<$name> for s::$shape {
            fn from(from: $name) -> Self {
                s::$shape { $($field: Shape::shape(from.$field),)* ..Default::default() }
            }
        }

        impl Shape<s::$shape> for $name {
            fn shape(self) -> s::$shape {
                self.into()
            }
        }
    )*};
}

/// What becomes a member of a shape.
trait Shape<T> {
    fn shape(self) -> T;
}

macro_rules! as_it_is {
    ($($type:ty),*) => {$(
        impl Shape<$type> for $type {
            fn shape(self) -> $type {
                self
            }
        }
    )*};
}

as_it_is!(String, i64, f64, bool);

impl<T, U: Shape<T>> Shape<Option<T>> for Option<U> {
    fn shape(self) -> Option<T> {
        self.map(U::shape)
    }
}

impl<T, U: Shape<T>> Shape<Vec<T>> for Vec<U> {
    fn shape(self) -> Vec<T> {
        self.into_iter().map(U::shape).collect()
    }
}

properties! {
    Properties => PutScalingPolicyType {
        auto_scaling_group_name: String,
        policy_type: Option<String>,
        adjustment_type: Option<String>,
        min_adjustment_magnitude: Option<i64>,
        scaling_adjustment: Option<i64>,
        cooldown: Option<i64>,
        metric_aggregation_type: Option<String>,
        step_adjustments: Vec<StepAdjustment>,
        estimated_instance_warmup: Option<i64>,
        target_tracking_configuration: Option<TargetTracking>,
        predictive_scaling_configuration: Option<Predictive>,
    }
    StepAdjustment => StepAdjustment {
        metric_interval_lower_bound: Option<f64>,
        metric_interval_upper_bound: Option<f64>,
        scaling_adjustment: i64,
    }
    TargetTracking => TargetTrackingConfiguration {
        predefined_metric_specification: Option<Predefined>,
        customized_metric_specification: Option<Customized>,
        target_value: f64,
        disable_scale_in: Option<bool>,
    }
    Predefined => PredefinedMetricSpecification {
        predefined_metric_type: String,
        resource_label: Option<String>,
    }
    Customized => CustomizedMetricSpecification {
        metric_name: Option<String>,
        namespace: Option<String>,
        dimensions: Vec<Dimension>,
        statistic: Option<String>,
        unit: Option<String>,
        period: Option<i64>,
        metrics: Vec<Query>,
    }
    Dimension => MetricDimension { name: String, value: String, }
    Query => TargetTrackingMetricDataQuery {
        id: String,
        expression: Option<String>,
        metric_stat: Option<Stat>,
        label: Option<String>,
        period: Option<i64>,
        return_data: Option<bool>,
    }
    Stat => TargetTrackingMetricStat {
        metric: Metric,
        stat: String,
        unit: Option<String>,
        period: Option<i64>,
    }
    Metric => Metric { namespace: String, metric_name: String, dimensions: Vec<Dimension>, }
    Predictive => PredictiveScalingConfiguration {
        metric_specifications: Vec<Specification>,
        mode: Option<String>,
        scheduling_buffer_time: Option<i64>,
        max_capacity_breach_behavior: Option<String>,
        max_capacity_buffer: Option<i64>,
    }
    Specification => PredictiveScalingMetricSpecification {
        target_value: f64,
        predefined_metric_pair_specification: Option<Pair>,
        predefined_scaling_metric_specification: Option<Scaling>,
        predefined_load_metric_specification: Option<Load>,
        customized_scaling_metric_specification: Option<OwnScaling>,
        customized_load_metric_specification: Option<OwnLoad>,
        customized_capacity_metric_specification: Option<OwnCapacity>,
    }
    OwnScaling => PredictiveScalingCustomizedScalingMetric { metric_data_queries: Vec<DataQuery>, }
    OwnLoad => PredictiveScalingCustomizedLoadMetric { metric_data_queries: Vec<DataQuery>, }
    OwnCapacity => PredictiveScalingCustomizedCapacityMetric { metric_data_queries: Vec<DataQuery>, }
    DataQuery => MetricDataQuery {
        id: String,
        expression: Option<String>,
        metric_stat: Option<DataStat>,
        label: Option<String>,
        return_data: Option<bool>,
    }
    DataStat => MetricStat { metric: Metric, stat: String, unit: Option<String>, }
    Pair => PredictiveScalingPredefinedMetricPair { predefined_metric_type: String, resource_label: Option<String>, }
    Scaling => PredictiveScalingPredefinedScalingMetric { predefined_metric_type: String, resource_label: Option<String>, }
    Load => PredictiveScalingPredefinedLoadMetric { predefined_metric_type: String, resource_label: Option<String>, }
}
