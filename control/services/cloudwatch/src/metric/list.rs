//! `ListMetrics`.

use std::time::Duration;

use base::Fault;
use kernel::{Cx, Tx};
use metrics::Metric;
use shapes::cloudwatch as aws;

use super::fault::{bad_token, invalid};

/// Metrics of a page ("ListMetrics").
const PAGE: usize = 500;
const TOKEN_PREFIX: &str = "allod1.";
/// "ListMetrics": a metric is listed for two weeks after its last sample, and with `RecentlyActive` for three hours.
const SILENT: Duration = Duration::from_secs(14 * 86_400);
const ACTIVE: Duration = Duration::from_secs(3 * 3_600);

pub(super) fn list_metrics(tx: &mut Tx, cx: &Cx, input: aws::ListMetricsInput) -> Result<aws::ListMetricsOutput, Fault> {
    if input.owning_account.as_ref().is_some_and(|account| *account != cx.scope.account) {
        return Err(invalid("The parameter OwningAccount must be this region's account: there is one account only."));
    }
    let first = match &input.next_token {
        Some(token) => read_token(token)?,
        None => Metric { namespace: input.namespace.clone().unwrap_or_default(), name: String::new(), dimensions: Vec::new() },
    };
    let store = super::store(tx);
    let since = cx.now - if input.recently_active.is_some() { ACTIVE } else { SILENT };
    let within = |m: &&Metric| input.namespace.as_ref().is_none_or(|n| m.namespace == *n);
    let mut found = store
        .metrics_from(&first)
        .take_while(within)
        .filter(|m| input.metric_name.as_ref().is_none_or(|n| m.name == *n) && input.dimensions.iter().all(|f| has(m, f)))
        .filter(|m| store.newest(m).is_some_and(|newest| newest >= since));
    let metrics: Vec<aws::Metric> = found.by_ref().take(PAGE).map(shown).collect();
    let owning_accounts = match input.include_linked_accounts {
        Some(true) => vec![cx.scope.account.clone(); metrics.len()],
        _ => Vec::new(),
    };
    Ok(aws::ListMetricsOutput { next_token: found.next().map(token), metrics, owning_accounts })
}

/// A filter asks for a dimension with a value, or with any.
fn has(metric: &Metric, filter: &aws::DimensionFilter) -> bool {
    let fits = |(name, value): &(String, String)| *name == filter.name && filter.value.as_ref().is_none_or(|v| v == value);
    metric.dimensions.iter().any(fits)
}

fn shown(metric: &Metric) -> aws::Metric {
    let dimension = |(name, value): &(String, String)| aws::Dimension { name: name.clone(), value: value.clone() };
    aws::Metric {
        namespace: Some(metric.namespace.clone()),
        metric_name: Some(metric.name.clone()),
        dimensions: metric.dimensions.iter().map(dimension).collect(),
    }
}

/// The first metric of the next page, in hexadecimal.
fn token(metric: &Metric) -> String {
    let json = serde_json::to_vec(metric).unwrap_or_default();
    json.iter().fold(TOKEN_PREFIX.to_string(), |text, byte| text + &format!("{byte:02x}"))
}

fn read_token(token: &str) -> Result<Metric, Fault> {
    let digits = token.strip_prefix(TOKEN_PREFIX).filter(|d| d.is_ascii() && d.len() % 2 == 0).ok_or_else(bad_token)?;
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let json: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    json.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(bad_token)
}
