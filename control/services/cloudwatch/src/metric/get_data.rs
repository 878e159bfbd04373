//! `GetMetricData`: metrics and math over them, in pages.

use base::{Fault, Time};
use kernel::{Cx, Tx};
use shapes::cloudwatch::{GetMetricDataInput, GetMetricDataOutput, MetricDataResult};

use super::fault::bad_token;
use super::math::{self, Series};
use super::{label, query};
use crate::alarm::MetricQuery;

/// Most queries of one request, and data points of one answer ("GetMetricData").
const QUERIES_MAX: usize = 500;
const POINTS_MAX: usize = 100_800;
const TOKEN_PREFIX: &str = "allod1-";

pub(super) fn get_metric_data(tx: &mut Tx, cx: &Cx, input: GetMetricDataInput) -> Result<GetMetricDataOutput, Fault> {
    if input.start_time >= input.end_time {
        return Err(Fault::validation("The parameter StartTime must be less than the parameter EndTime."));
    }
    if input.metric_data_queries.len() > QUERIES_MAX {
        return Err(Fault::validation(format!(
            "The collection MetricDataQueries must not have a size greater than {QUERIES_MAX}."
        )));
    }
    let most = match input.max_datapoints {
        None => POINTS_MAX,
        Some(most) => usize::try_from(most)
            .ok()
            .filter(|m| (1..=POINTS_MAX).contains(m))
            .ok_or_else(|| Fault::validation(format!("The parameter MaxDatapoints must be between 1 and {POINTS_MAX}.")))?,
    };
    let own = |account: &Option<String>| account.as_ref().is_none_or(|a| *a == cx.scope.account);
    if let Some(query) = input.metric_data_queries.iter().find(|q| !own(&q.account_id)) {
        return Err(Fault::validation(format!(
            "The account of query '{}' is not this region's: there is one account only.",
            query.id
        )));
    }
    let queries: Vec<MetricQuery> = input.metric_data_queries.into_iter().map(query::read).collect::<Result<_, _>>()?;
    math::validate(&queries)?;
    let from = input.next_token.as_deref().map_or(Ok((0, 0)), token)?;
    let ascending = input.scan_by.as_deref() == Some("TimestampAscending");
    let mut all = math::evaluate_at(super::store(tx), &queries, (input.start_time, input.end_time), cx.now)?;
    for series in &mut all {
        let query = queries.iter().find(|q| q.id == series.id);
        series.label = label::filled(&series.label, series, query, cx);
        if !ascending {
            series.points.reverse();
        }
    }
    Ok(page(&all, from, most))
}

/// Cuts series, one after the other, where a page is full. One that goes on with the next page is `PartialData`.
fn page(all: &[Series], (first, skip): (usize, usize), most: usize) -> GetMetricDataOutput {
    let mut output = GetMetricDataOutput::default();
    let mut room = most;
    for (n, series) in all.iter().enumerate().skip(first) {
        let from = if n == first { skip.min(series.points.len()) } else { 0 };
        let until = series.points.len().min(from + room);
        if room == 0 && !series.points.is_empty() {
            output.next_token = Some(format!("{TOKEN_PREFIX}{n}-{from}"));
            break;
        }
        let points = &series.points[from..until];
        room -= points.len();
        let complete = until == series.points.len();
        output.metric_data_results.push(MetricDataResult {
            id: Some(series.id.clone()),
            label: Some(series.label.clone()),
            timestamps: points.iter().map(|(at, _)| *at).collect::<Vec<Time>>(),
            values: points.iter().map(|(_, value)| *value).collect(),
            status_code: Some(if complete { "Complete" } else { "PartialData" }.into()),
            messages: Vec::new(),
        });
        if !complete {
            output.next_token = Some(format!("{TOKEN_PREFIX}{n}-{until}"));
            break;
        }
    }
    output
}

fn token(text: &str) -> Result<(usize, usize), Fault> {
    let read = || {
        let (series, point) = text.strip_prefix(TOKEN_PREFIX)?.split_once('-')?;
        Some((series.parse().ok()?, point.parse().ok()?))
    };
    read().ok_or_else(bad_token)
}
