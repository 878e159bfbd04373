//! Names of metrics as callers give them.

use std::fmt::Display;

use base::Fault;
use metrics::Metric;
use shapes::cloudwatch::Dimension;

use super::fault::invalid;

/// A metric named by a caller. `path` is where it stands in the request.
pub(crate) fn metric(namespace: &str, name: &str, dimensions: Vec<Dimension>, path: &dyn Display) -> Result<Metric, Fault> {
    Ok(Metric { namespace: namespace.into(), name: name.into(), dimensions: sorted(dimensions, path)? })
}

/// Dimensions by name: in another order they name the same metric ("Dimensions", CloudWatch concepts).
pub(super) fn sorted(dimensions: Vec<Dimension>, path: &dyn Display) -> Result<Vec<(String, String)>, Fault> {
    let mut all: Vec<(String, String)> = dimensions.into_iter().map(|d| (d.name, d.value)).collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(invalid(format!("The dimension {} is given more than once in {path}Dimensions.", pair[0].0))),
        None => Ok(all),
    }
}

/// What a new metric may be called ("MetricDatum", "Dimension", "PutMetricData"): printable ASCII with something other than
/// blanks in it; a dimension's name does not begin with a colon.
pub(super) fn check(name: &str, dimensions: &[(String, String)], path: &dyn Display) -> Result<(), Fault> {
    let good = |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b)) && text.bytes().any(|b| b != b' ');
    if !good(name) {
        return Err(invalid(format!("The value {} for parameter {path}MetricName is invalid.", name.escape_debug())));
    }
    for (n, (name, value)) in dimensions.iter().enumerate() {
        let part = || format!("{path}Dimensions.member.{}.", n + 1);
        if !good(name) || name.starts_with(':') {
            return Err(invalid(format!("The value {} for parameter {}Name is invalid.", name.escape_debug(), part())));
        }
        if !good(value) {
            return Err(invalid(format!("The value {} for parameter {}Value is invalid.", value.escape_debug(), part())));
        }
    }
    Ok(())
}

/// "PutMetricData", Namespace: letters, digits and `. - _ / # :` and blanks. Namespaces that begin with `AWS/` are the
/// region's own.
pub(super) fn check_namespace(namespace: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/#: ".contains(c);
    if namespace.trim().is_empty() || namespace.starts_with(':') || !namespace.chars().all(allowed) {
        return Err(invalid(format!("The value {} for parameter Namespace is invalid.", namespace.escape_debug())));
    }
    if namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    Ok(())
}
