//! Statistics as callers name them ("CloudWatch statistics definitions").

use base::{Fault, Time};
use metrics::{Metric, Statistic, Store};

/// Reads the name of a statistic, of any kind that AWS has.
pub(crate) fn parse(text: &str) -> Result<Statistic, Fault> {
    Statistic::parse(text).ok_or_else(|| Fault::validation(format!("The value '{text}' for parameter Stat is not supported.")))
}

/// A metric's statistic by periods that begin at multiples of their length.
pub(crate) fn values(
    store: &Store,
    metric: &Metric,
    unit: Option<&str>,
    statistic: Statistic,
    from: Time,
    until: Time,
    period_s: u32,
) -> Vec<(Time, f64)> {
    if unit.is_some() && unit != store.unit(metric) {
        return Vec::new();
    }
    let points = store.points(metric, from, until, period_s.max(1));
    points.into_iter().filter_map(|(at, sample)| statistic.of(&sample).map(|value| (at, value))).collect()
}
