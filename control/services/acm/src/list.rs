//! `ListCertificates`: filters, order, pages.

use base::Fault;
use kernel::{Cx, Tx, page};
use shapes::acm as s;

use crate::certificate::Certificate;
use crate::error::Error;
use crate::show;

const ITEMS_MAX: usize = 1_000;
/// What is listed when no key type is named (`Filters`, `keyTypes`).
const DEFAULT_KEYS: [&str; 2] = ["RSA_1024", "RSA_2048"];

pub(crate) fn list(tx: &mut Tx, cx: &Cx, input: s::ListCertificatesRequest) -> Result<s::ListCertificatesResponse, Fault> {
    if input.sort_by.is_some() != input.sort_order.is_some() {
        return Err(Error::invalid("SortBy and SortOrder must be given together.").into());
    }
    let filters = input.includes.clone().unwrap_or_default();
    let place = |c: &&Certificate| place(c, input.sort_order.as_deref());
    let mut found: Vec<&Certificate> = tx.rows::<Certificate>().filter(|c| passes(c, cx, &input, &filters)).collect();
    found.sort_by_cached_key(place);
    let max = match input.max_items.map(usize::try_from) {
        None => ITEMS_MAX,
        Some(Ok(max)) if (1..=ITEMS_MAX).contains(&max) => max,
        Some(_) => return Err(Error::InvalidArgs(format!("MaxItems must be 1 to {ITEMS_MAX}.")).into()),
    };
    let bad = || Error::InvalidArgs("The specified token is not valid.".into()).into();
    let page = page(found.into_iter(), place, input.next_token.as_deref(), max, bad)?;
    let summary = |c: &Certificate| show::summary(c, &tx.registry().users(tx, &c.arn), cx.now);
    Ok(s::ListCertificatesResponse {
        next_token: page.next_token,
        certificate_summary_list: page.items.into_iter().map(summary).collect(),
    })
}

/// Where a certificate stands in a listing, whatever else is listed: by its ARN, or first by the time at which it was made.
fn place(certificate: &Certificate, sort_order: Option<&str>) -> String {
    let made = certificate.created_at.unix_ms().unsigned_abs();
    match sort_order {
        None => certificate.arn.clone(),
        Some("DESCENDING") => format!("{:020} {}", u64::MAX - made, certificate.arn),
        Some(_) => format!("{made:020} {}", certificate.arn),
    }
}

fn passes(certificate: &Certificate, cx: &Cx, input: &s::ListCertificatesRequest, filters: &s::Filters) -> bool {
    let is_in = |list: &[String], value: &str| list.is_empty() || list.iter().any(|v| v == value);
    let contents = certificate.contents.as_ref();
    let has_all = |wanted: &[String], has: &dyn Fn(&str) -> bool| wanted.iter().all(|usage| usage == "ANY" || has(usage));
    let key = certificate.algorithm.as_str();
    let is_key = if filters.key_types.is_empty() { DEFAULT_KEYS.contains(&key) } else { is_in(&filters.key_types, key) };
    is_in(&input.certificate_statuses, certificate.status(cx.now).as_str())
        && is_in(&input.certificate_key_pair_origins, show::origin(certificate))
        && is_key
        && has_all(&filters.key_usage, &|usage| contents.is_some_and(|c| c.key_usages.iter().any(|u| u == usage)))
        && has_all(&filters.extended_key_usage, &|usage| {
            contents.is_some_and(|c| match usage {
                "NONE" => c.extended_key_usages.is_empty(),
                usage => c.extended_key_usages.iter().any(|(name, _)| name == usage),
            })
        })
        && filters.export_option.as_deref() != Some("ENABLED")
        && filters.managed_by.is_none()
}
