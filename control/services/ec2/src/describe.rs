//! What every Describe call shares: the named resources or all, filtered, a page at a time.

use std::ops::RangeInclusive;

use base::{Fault, Scope};
use kernel::{Cx, Page, Row, State, page};
use shapes::ec2 as s;

use crate::error::Error;
use crate::filter::Filters;
use crate::kind::Kind;
use crate::tags;

/// `MaxResults` of the EC2 API.
pub const RESULTS_MIN: i64 = 5;
pub const RESULTS_MAX: i64 = 1_000;
/// Most ids that one call may name.
pub const IDS_MAX: usize = 1_000;

/// A row that a Describe call lists under its id.
pub(crate) trait Described: Row {
    const KIND: Kind;
    /// Names of its filters, but for those about tags.
    const FILTERS: &'static [&'static str];
    /// What `MaxResults` may be.
    const RESULTS: RangeInclusive<i64> = RESULTS_MIN..=RESULTS_MAX;

    /// Names what it has under the name of a filter.
    fn values(&self, state: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str));
}

/// What a Describe call asks.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) ids: Vec<String>,
    pub(crate) filters: Vec<s::Filter>,
    pub(crate) max_results: Option<i64>,
    pub(crate) next_token: Option<String>,
}

/// The rows that a call asks for, in order of id.
pub(crate) fn describe<'a, R: Described>(state: &'a State, cx: &Cx, asked: Asked) -> Result<Page<&'a R>, Fault>
where
    R::Key: From<String>,
{
    let filters = Filters::parse(asked.filters, R::FILTERS)?;
    let max = results_within(asked.max_results, R::RESULTS)?;
    let pass = |row: &&R| {
        let values = |name: &str, add: &mut dyn FnMut(&str)| row.values(state, &cx.scope, name, add);
        filters.is_empty() || filters.pass(tags::of(state, &row.key().to_string()), values)
    };
    if asked.ids.is_empty() {
        let rows = state.rows::<R>().filter(pass);
        return page(rows, |row| row.key().to_string(), asked.next_token.as_deref(), max, || Error::BadToken.into());
    }
    if asked.max_results.is_some() {
        let text = format!("The parameter MaxResults cannot be used with {} IDs in the same request.", R::KIND.type_name());
        return Err(Error::InvalidCombination(text).into());
    }
    let items = named::<R>(state, asked.ids)?.into_iter().filter(pass).collect();
    Ok(Page { items, next_token: None })
}

/// The rows with these ids, each once, in order of id.
fn named<R: Described>(state: &State, mut ids: Vec<String>) -> Result<Vec<&R>, Error>
where
    R::Key: From<String>,
{
    if ids.len() > IDS_MAX {
        return Err(Error::InvalidParameter(format!("At most {IDS_MAX} IDs can be named in one request.")));
    }
    ids.sort_unstable();
    ids.dedup();
    let (mut rows, mut missing) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        R::KIND.check(&id)?;
        match state.get::<R>(&id.clone().into()) {
            Some(row) => rows.push(row),
            None => missing.push(id),
        }
    }
    if missing.is_empty() { Ok(rows) } else { Err(Error::NotFound(R::KIND, missing)) }
}

/// How many rows a page may have; everything when the call does not say.
pub(crate) fn results_max(max_results: Option<i64>) -> Result<usize, Error> {
    results_within(max_results, RESULTS_MIN..=RESULTS_MAX)
}

/// The same for calls whose pages have other bounds.
pub(crate) fn results_within(max_results: Option<i64>, bounds: RangeInclusive<i64>) -> Result<usize, Error> {
    let Some(max) = max_results else { return Ok(usize::MAX) };
    let bad = |hint: &str| Err(Error::invalid("maxResults", format!(" {max} "), hint));
    match usize::try_from(max) {
        Ok(n) if bounds.contains(&max) => Ok(n),
        _ if max > *bounds.end() => bad(&format!("Expecting a value at most {}.", bounds.end())),
        _ => bad(&format!("Expecting a value at least {}.", bounds.start())),
    }
}
