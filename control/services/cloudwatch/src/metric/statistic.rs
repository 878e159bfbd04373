//! Statistics and periods as callers name them ("CloudWatch statistics definitions", "GetMetricData").

use base::Fault;
use metrics::Statistic;

/// Reads the name of a statistic, of any kind that AWS has.
pub(crate) fn parse(text: &str) -> Result<Statistic, Fault> {
    Statistic::parse(text).ok_or_else(|| Fault::validation(format!("The value '{text}' for parameter Stat is not supported.")))
}

/// "MetricStat", Period: 1, 5, 10, 20 or 30 seconds for metrics of high resolution, or any multiple of 60.
pub(crate) fn is_period(period_s: i64) -> bool {
    matches!(period_s, 1 | 5 | 10 | 20 | 30) || (period_s > 0 && period_s % 60 == 0 && period_s <= i64::from(u32::MAX))
}
