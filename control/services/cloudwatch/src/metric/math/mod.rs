//! Metric math ("CloudWatch User Guide, Using math expressions with CloudWatch metrics"): metrics and expressions over
//! them, evaluated together over a span of time. It owns what an expression means; it never decides what is asked for,
//! nor what the answer is used for.

mod evaluate;
mod function;
mod parse;
mod search;
mod series;

use std::fmt;

use base::{Fault, Time};
use metrics::Store;

use super::statistic;
use crate::alarm::MetricQuery;

/// Deepest chain of expressions that use other expressions.
const CHAIN_MAX: usize = 32;
/// Most values that one evaluation may hold, over all its series.
pub(crate) const VALUES_MAX: usize = 4_000_000;

/// The answer to one query: a metric's statistic or an expression's result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// Of the query.
    pub id: String,
    /// The query's own, or the name of the metric or the text of the expression.
    pub label: String,
    pub period_s: u32,
    /// Beginnings of periods with their values, in order of time; periods without data are left out.
    pub points: Vec<(Time, f64)>,
}

/// Why an expression has no result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MathError(pub String);

impl fmt::Display for MathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Evaluates queries that belong together from `from` (its period included) to `until` (exclusive), in periods of which one ends
/// at `until`. Gives one series for each query that returns data, in their order; more than one, with the same id, where an
/// expression results in several.
pub(crate) fn evaluate(store: &Store, queries: &[MetricQuery], from: Time, until: Time) -> Result<Vec<Series>, Fault> {
    all(evaluate::Run::ending(store, queries, (from, until)), queries)
}

/// As [`evaluate`], for a caller at the moment `now`: periods begin at multiples of their length, and of times for which a period
/// is too fine there are no data points ("MetricStat", Period).
pub(crate) fn evaluate_at(store: &Store, queries: &[MetricQuery], span: (Time, Time), now: Time) -> Result<Vec<Series>, Fault> {
    all(evaluate::Run::new(store, queries, span, now), queries)
}

fn all<'a>(mut run: evaluate::Run<'a>, queries: &'a [MetricQuery]) -> Result<Vec<Series>, Fault> {
    let mut all = Vec::new();
    for query in queries.iter().filter(|q| q.returns) {
        let found = run.result(query).map_err(|e| fault(&query.id, &e))?;
        all.extend(found);
    }
    Ok(all)
}

/// Checks queries without data: ids, statistics and expressions. It is what `PutMetricAlarm` and `GetMetricData` refuse at once.
pub(crate) fn validate(queries: &[MetricQuery]) -> Result<(), Fault> {
    for (n, query) in queries.iter().enumerate() {
        validate_id(&query.id)?;
        if queries[..n].iter().any(|other| other.id == query.id) {
            return Err(Fault::validation(format!(
                "The values for parameter id in MetricDataQueries are not unique: {}",
                query.id
            )));
        }
        if query.expression.is_none() {
            statistic::parse(&query.statistic)?;
        }
    }
    let store = Store::default();
    let mut run = evaluate::Run::ending(&store, queries, (Time::ZERO, Time::ZERO));
    for query in queries {
        run.result(query).map_err(|e| fault(&query.id, &e))?;
    }
    Ok(())
}

/// Whether an expression searches for its metrics.
pub(crate) fn searches(queries: &[MetricQuery]) -> bool {
    let expressions = queries.iter().filter_map(|q| q.expression.as_deref());
    expressions.filter_map(|text| parse::parse(text).ok()).any(|node| node.calls("SEARCH"))
}

/// `MetricDataQuery`: an id begins with a lower-case letter and holds letters, digits and underscores.
fn validate_id(id: &str) -> Result<(), Fault> {
    let good = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.len() <= 255
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good {
        return Ok(());
    }
    Err(Fault::validation(format!(
        "Invalid metrics list: The id '{id}' is not valid: it must begin with a lower-case letter and hold letters, digits and underscores"
    )))
}

fn fault(id: &str, error: &MathError) -> Fault {
    Fault::validation(format!("Error in expression '{id}': {error}"))
}
