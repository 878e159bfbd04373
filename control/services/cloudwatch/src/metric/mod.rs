//! Metrics: what is put in, by users and by the region's own services, and what is asked of them.

mod fault;
mod get_data;
mod get_statistics;
mod label;
mod list;
pub(crate) mod math;
pub(crate) mod name;
mod put;
pub(crate) mod query;
pub(crate) mod statistic;

use base::{Fault, Time};
use kernel::{Registry, State, Tx};
use metrics::{Metric, Resolution, Sample, Store};
use shapes::cloudwatch::ops;

use crate::alarm::MetricQuery;

pub(crate) fn register(registry: &mut Registry) {
    registry.store::<Store>();
    registry.store::<put::Intake>();
    registry.operation::<ops::PutMetricData>(put::put_metric_data);
    registry.operation::<ops::GetMetricData>(get_data::get_metric_data);
    registry.operation::<ops::GetMetricStatistics>(get_statistics::get_metric_statistics);
    registry.operation::<ops::ListMetrics>(list::list_metrics);
}

/// The store of samples, to read from.
pub fn store(state: &State) -> &Store {
    state.store()
}

/// Checks queries of another service that shall give one series, in the words of `GetMetricData`.
pub fn check(queries: &[MetricQuery]) -> Result<(), Fault> {
    crate::alarm::check_readable(queries)
}

/// The series of the query that returns data, in periods that begin at multiples of their length: beginnings of periods with
/// their values. Queries that cannot be worked out give nothing.
pub fn series(state: &State, queries: &[MetricQuery], (from, until): (Time, Time)) -> Vec<(Time, f64)> {
    let all = math::evaluate_at(store(state), queries, (from, until), until).unwrap_or_default();
    all.into_iter().next().map(|series| series.points).unwrap_or_default()
}

/// Takes in a sample of the region's own (`AWS/...`). Call it last in a transaction: it is not taken back with it.
pub fn publish(tx: &mut Tx, metric: &Metric, unit: &str, resolution: Resolution, at: Time, sample: &Sample) {
    let store = tx.store_mut::<Store>();
    store.advance(at);
    store.put(metric, unit, resolution, at, sample);
}
