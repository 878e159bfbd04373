//! Customized metrics of a predictive scaling policy, in and out ("Advanced predictive scaling policy configurations using
//! custom metrics").

use cloudwatch::alarm::MetricQuery;
use metrics::Metric;
use shapes::autoscaling as s;

use crate::error::Error;

/// "You can query the data points of up to 10 metrics in one metric specification", each expression counted as one.
pub(super) const QUERIES_MAX: usize = 10;
/// A forecast is of hours; their data are read by five minutes.
const PERIOD_S: u32 = 300;

fn invalid<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::Invalid(text.into()))
}

/// Reads `MetricDataQueries`; `what` is the member that they are of.
pub(super) fn read(what: &str, sent: Vec<s::MetricDataQuery>) -> Result<Vec<MetricQuery>, Error> {
    if sent.is_empty() {
        return invalid(format!("{what} needs at least one of MetricDataQueries."));
    }
    if sent.len() > QUERIES_MAX {
        return invalid(format!("At most {QUERIES_MAX} MetricDataQueries are allowed in {what}."));
    }
    let queries = sent.into_iter().map(query).collect::<Result<Vec<_>, _>>()?;
    if queries.iter().filter(|q| q.returns).count() != 1 {
        return invalid(format!("Exactly one of the MetricDataQueries of {what} must have ReturnData true."));
    }
    cloudwatch::check(&queries).map_err(|fault| Error::Invalid(format!("Invalid {what}: {}", fault.message)))?;
    Ok(queries)
}

fn query(sent: s::MetricDataQuery) -> Result<MetricQuery, Error> {
    let plain = MetricQuery {
        id: sent.id,
        metric: None,
        statistic: String::new(),
        unit: None,
        period_s: PERIOD_S,
        expression: sent.expression,
        label: sent.label,
        // "MetricDataQuery": true where it is absent.
        returns: sent.return_data.unwrap_or(true),
    };
    match (sent.metric_stat, &plain.expression) {
        (Some(stat), None) => {
            let dimensions: Vec<_> = stat.metric.dimensions.iter().map(|d| (d.name.as_str(), d.value.as_str())).collect();
            let metric = Metric::new(&stat.metric.namespace, &stat.metric.metric_name, &dimensions);
            Ok(MetricQuery { metric: Some(metric), statistic: stat.stat, unit: stat.unit, ..plain })
        }
        (None, Some(_)) => Ok(plain),
        _ => invalid(format!("Each of the MetricDataQueries needs either Expression or MetricStat, unlike {}.", plain.id)),
    }
}

pub(super) fn show(queries: &[MetricQuery]) -> Vec<s::MetricDataQuery> {
    let stat = |query: &MetricQuery, metric: &Metric| s::MetricStat {
        metric: crate::policy::shown_metric(metric),
        stat: query.statistic.clone(),
        unit: query.unit.clone(),
    };
    let one = |query: &MetricQuery| s::MetricDataQuery {
        id: query.id.clone(),
        expression: query.expression.clone(),
        metric_stat: query.metric.as_ref().map(|metric| stat(query, metric)),
        label: query.label.clone(),
        return_data: Some(query.returns),
    };
    queries.iter().map(one).collect()
}
