//! Which metrics of a group are collected.

use base::Fault;
use kernel::{Cx, Registry, State, Tx};
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::group_metrics::{self, Collection, GRANULARITY, NAMES};

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::EnableMetricsCollection>(enable);
    registry.operation::<ops::DisableMetricsCollection>(disable);
    registry.operation::<ops::DescribeMetricCollectionTypes>(types);
}

fn enable(tx: &mut Tx, _: &Cx, input: s::EnableMetricsCollectionQuery) -> Result<(), Fault> {
    Ok(group_metrics::enable(tx, &input.auto_scaling_group_name, &input.metrics, &input.granularity)?)
}

fn disable(tx: &mut Tx, _: &Cx, input: s::DisableMetricsCollectionQuery) -> Result<(), Fault> {
    Ok(group_metrics::disable(tx, &input.auto_scaling_group_name, &input.metrics)?)
}

fn types(_: &mut Tx, _: &Cx, (): ()) -> Result<s::DescribeMetricCollectionTypesAnswer, Fault> {
    Ok(s::DescribeMetricCollectionTypesAnswer {
        metrics: NAMES.map(|n| s::MetricCollectionType { metric: Some(n.into()) }).into(),
        granularities: vec![s::MetricGranularityType { granularity: Some(GRANULARITY.into()) }],
    })
}

/// `EnabledMetrics` of a group as AWS shows it.
pub(super) fn enabled(state: &State, group: &base::GroupName) -> Vec<s::EnabledMetric> {
    let names = state.get::<Collection>(group).map(|c| c.enabled.clone()).unwrap_or_default();
    names.into_iter().map(|n| s::EnabledMetric { metric: Some(n), granularity: Some(GRANULARITY.into()) }).collect()
}
