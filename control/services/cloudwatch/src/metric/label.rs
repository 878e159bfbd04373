//! Labels of results ("Using dynamic labels").

use kernel::Cx;

use super::math::Series;
use crate::alarm::MetricQuery;

/// A label with its `${...}` worked out; those that are not known stay as they are.
pub(super) fn filled(label: &str, series: &Series, query: Option<&MetricQuery>, cx: &Cx) -> String {
    let mut out = String::with_capacity(label.len());
    let mut rest = label;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            rest = &rest[before.len()..];
            break;
        };
        match value(name.trim(), series, query, cx) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn value(name: &str, series: &Series, query: Option<&MetricQuery>, cx: &Cx) -> Option<String> {
    if let Some(property) = name.strip_prefix("PROP('").and_then(|n| n.strip_suffix("')")) {
        return prop(property, query?, cx);
    }
    let points = &series.points;
    let (greatest, least) = (points.iter().max_by(|a, b| a.1.total_cmp(&b.1)), points.iter().min_by(|a, b| a.1.total_cmp(&b.1)));
    let sum: f64 = points.iter().map(|(_, value)| value).sum();
    let (statistic, time) = match name.strip_suffix("_TIME") {
        Some(statistic) => (statistic, true),
        None => (name, false),
    };
    let point = match statistic {
        "MAX" => greatest,
        "MIN" => least,
        "FIRST" => points.first(),
        "LAST" => points.last(),
        "SUM" | "AVG" if time => return None,
        "SUM" => return Some(if points.is_empty() { "--".into() } else { shown(sum) }),
        "AVG" => return Some(if points.is_empty() { "--".into() } else { shown(sum / points.len() as f64) }),
        "LABEL" => return Some(query.and_then(|q| q.metric.as_ref()).map_or(series.id.clone(), |m| m.name.clone())),
        _ => return None,
    };
    let text = |(at, value): &(base::Time, f64)| if time { at.iso8601_s() } else { shown(*value) };
    Some(point.map_or_else(|| "--".into(), text))
}

/// Three decimals at most.
fn shown(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn prop(name: &str, query: &MetricQuery, cx: &Cx) -> Option<String> {
    let metric = query.metric.as_ref();
    Some(match name {
        "AccountId" => cx.scope.account.clone(),
        "Region" => cx.scope.region.clone(),
        "MetricName" => metric?.name.clone(),
        "Namespace" => metric?.namespace.clone(),
        "Period" => query.period_s.to_string(),
        "Stat" => query.statistic.clone(),
        _ => {
            let dimension = name.strip_prefix("Dim.")?;
            metric?.dimensions.iter().find(|(n, _)| n == dimension)?.1.clone()
        }
    })
}
