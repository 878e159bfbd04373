//! Queries as callers write them ([`shapes::cloudwatch::MetricDataQuery`]), read into those that metric math evaluates.

use base::Fault;
use shapes::cloudwatch::MetricDataQuery;

use super::{name, statistic};
use crate::alarm::MetricQuery;

/// Reads a query. An expression has no period of its own.
pub(crate) fn read(query: MetricDataQuery) -> Result<MetricQuery, Fault> {
    let id = query.id;
    let refused = |text: String| Err(Fault::validation(text));
    let returns = query.return_data.unwrap_or(true);
    match (query.metric_stat, query.expression) {
        (Some(_), Some(_)) => refused(format!("MetricDataQuery '{id}' must have either MetricStat or Expression, not both.")),
        (None, None) => refused(format!("MetricDataQuery '{id}' must have one of MetricStat and Expression.")),
        (Some(stat), None) => {
            statistic::parse(&stat.stat)?;
            if !statistic::is_period(stat.period) {
                return refused(format!(
                    "The period {} of '{id}' is not valid: it must be 1, 5, 10, 20, 30 or a multiple of 60.",
                    stat.period
                ));
            }
            let (Some(namespace), Some(metric)) = (&stat.metric.namespace, &stat.metric.metric_name) else {
                return refused(format!("The metric of '{id}' must have Namespace and MetricName."));
            };
            let metric = name::metric(namespace, metric, stat.metric.dimensions, &"MetricStat.Metric.")?;
            let period_s = u32::try_from(stat.period).unwrap_or(u32::MAX);
            let (metric, unit, label) = (Some(metric), stat.unit, query.label);
            Ok(MetricQuery { id, metric, statistic: stat.stat, unit, period_s, expression: None, label, returns })
        }
        (None, Some(text)) => {
            if text.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("SELECT")) {
                return refused(format!("The query '{id}' is a Metrics Insights query: they are not available in this region."));
            }
            let (expression, label) = (Some(text), query.label);
            Ok(MetricQuery { id, metric: None, statistic: String::new(), unit: None, period_s: 0, expression, label, returns })
        }
    }
}
