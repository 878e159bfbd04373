//! Names that a certificate can be requested for (RequestCertificate, `DomainName` and `SubjectAlternativeNames`).

use crate::error::Error;

/// Longest first name: it is the subject's common name too.
const FIRST_BYTES_MAX: usize = 64;
const BYTES_MAX: usize = 253;
/// "Quotas: Number of domain names per ACM certificate", as every account has it.
const NAMES_MAX: usize = 10;
/// What the API takes at all, whatever the quota (RequestCertificate, `SubjectAlternativeNames`: "Maximum number of 100 items").
const OTHERS_MAX: usize = 100;

/// The names of a request, each once and in small letters, the first one first.
pub(crate) fn names(first: &str, others: &[String]) -> Result<Vec<String>, Error> {
    if others.len() > OTHERS_MAX {
        return Err(Error::invalid(format!(
            "1 validation error detected: Value at 'subjectAlternativeNames' failed to satisfy constraint: Member must have length less than or equal to {OTHERS_MAX}"
        )));
    }
    let mut names: Vec<String> = Vec::with_capacity(others.len() + 1);
    for (at, name) in std::iter::once(first).chain(others.iter().map(String::as_str)).enumerate() {
        let (field, bytes_max) = if at == 0 { ("domainName", FIRST_BYTES_MAX) } else { ("subjectAlternativeNames", BYTES_MAX) };
        check(field, name, bytes_max)?;
        let name = name.to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > NAMES_MAX { Err(Error::TooManyDomains) } else { Ok(names) }
}

fn check(field: &str, name: &str, bytes_max: usize) -> Result<(), Error> {
    if name.len() > bytes_max {
        return Err(Error::invalid(format!(
            "1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: Member must have length less than or equal to {bytes_max}"
        )));
    }
    if !is_domain(name) {
        return Err(Error::invalid(format!(
            "1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: Member must satisfy regular expression pattern: (\\*\\.)?(((?!-)[A-Za-z0-9-]{{0,62}}[A-Za-z0-9])\\.)+((?!-)[A-Za-z0-9-]{{1,62}}[A-Za-z0-9])"
        )));
    }
    Ok(())
}

/// At least two labels; the first may be a star.
fn is_domain(name: &str) -> bool {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        let known = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        known && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let mut labels = bare.rsplit('.');
    labels.next().is_some_and(|last| is_label(last) && last.len() >= 2) && bare.contains('.') && labels.all(is_label)
}

/// Whether `name` is `above` or lies below it.
pub(crate) fn is_below(name: &str, above: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    name == above || name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{is_below, names};
    use crate::error::Error;

    #[test]
    fn names_follow_awss_pattern() {
        let long = format!("{}.example", "x".repeat(57));
        for bad in [
            "",
            "localhost",
            "example.c",
            "*.*.example.com",
            "a.*.example.com",
            "*example.com",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a..b",
            ".example.com",
            "example.com.",
            "exa mple.com",
            long.as_str(),
        ] {
            assert!(names(bad, &[]).is_err(), "{bad}");
        }
        for good in ["example.com", "*.elb.localhost", "a-b.Example.COM", "1.2.3.44", "xn--bcher-kva.example"] {
            assert_eq!(names(good, std::slice::from_ref(&long)).unwrap(), [good.to_ascii_lowercase(), long.clone()], "{good}");
        }
        let many: Vec<String> = (0..10).map(|i| format!("a{i}.example")).collect();
        assert!(names("a0.example", &many).is_ok(), "the same name counts once");
        assert_eq!(names("other.example", &many).unwrap_err(), Error::TooManyDomains);
        let same = vec!["a0.example".to_string(); 101];
        assert!(names("a0.example", &same[..100]).is_ok() && matches!(names("a0.example", &same), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_domain_is_below_itself_and_those_above() {
        assert!(is_below("www.example.com", "example.com") && is_below("*.example.com", "example.com"));
        assert!(is_below("example.com", "example.com"));
        assert!(!is_below("notexample.com", "example.com") && !is_below("example.com", "www.example.com"));
    }
}
