//! EC2's filters: names with values, all of which must be met, each by any of its values. Values may hold the
//! wildcards `*` and `?`; a backslash makes the next character plain ("Filter ... using the CLI and API").

use base::Tags;
use shapes::ec2 as s;

use crate::error::Error;

/// Most values of all filters of one call, as AWS documents.
pub const FILTER_VALUES_MAX: usize = 200;

/// The filters of one call, with names that the resource knows.
#[derive(Clone, Debug, Default)]
pub struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Refuses a name that is neither in `known` nor about tags.
    pub fn parse(filters: Vec<s::Filter>, known: &[&str]) -> Result<Self, Error> {
        let mut parsed = Vec::with_capacity(filters.len());
        let mut values = 0;
        for filter in filters {
            let name = filter.name.unwrap_or_default();
            let about_tags = name == "tag-key" || name == "tag-value" || name.starts_with("tag:");
            if !about_tags && !known.contains(&name.as_str()) {
                return Err(Error::UnknownFilter(name));
            }
            if filter.values.is_empty() {
                return Err(Error::InvalidParameter(format!("The filter '{name}' has no values")));
            }
            values += filter.values.len();
            parsed.push((name, filter.values));
        }
        if values > FILTER_VALUES_MAX {
            return Err(Error::LimitExceeded("FilterLimitExceeded", format!("at most {FILTER_VALUES_MAX} filter values")));
        }
        Ok(Self(parsed))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The plain values of a filter, when none of them has a wildcard: they can be looked up in an index.
    pub fn exact(&self, name: &str) -> Option<&[String]> {
        let (_, values) = self.0.iter().find(|(n, _)| n == name)?;
        let plain = values.iter().all(|v| !v.contains(['*', '?', '\\']));
        plain.then_some(values.as_slice())
    }

    /// Whether a resource with these tags passes. `values` names what the resource has under a filter's name.
    pub fn pass(&self, tags: &Tags, values: impl Fn(&str, &mut dyn FnMut(&str))) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let mut met = false;
            let mut meet = |value: &str| met = met || patterns.iter().any(|p| wildcard(p, value));
            if name == "tag-key" {
                tags.keys().for_each(|key| meet(key));
            } else if name == "tag-value" {
                tags.values().for_each(|value| meet(value));
            } else if let Some(key) = name.strip_prefix("tag:") {
                if let Some(value) = tags.get(key) {
                    meet(value);
                }
            } else {
                values(name, &mut meet);
            }
            met
        })
    }
}

/// Whether `text` has the shape of `pattern`. Takes time in proportion to the product of their lengths at most.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<Part>, Vec<char>) = (parts(pattern), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when the present attempt fails: past the last `*`, which then takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Part::Any) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(Part::One) => (p, t) = (p + 1, t + 1),
            Some(Part::Plain(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((after, taken)) => {
                    (p, t) = (after, taken + 1);
                    retry = Some((after, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|part| matches!(part, Part::Any))
}

enum Part {
    Any,
    One,
    Plain(char),
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Plain(chars.next().unwrap_or('\\')),
            c => Part::Plain(c),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shapes::ec2 as s;

    use super::{FILTER_VALUES_MAX, Filters, wildcard};

    #[test]
    fn wildcards_match_as_ec2_documents() {
        for (pattern, text, matches) in [
            ("web", "web", true),
            ("web", "Web", false),
            ("web*", "web", true),
            ("*web*", "my-web-1", true),
            ("w?b", "wüb", true),
            ("w?b", "wb", false),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b*c", "axxbyybzz", false),
            (r"\*a\?", "*a?", true),
            (r"\*a\?", "xax", false),
            ("*", "", true),
            ("?", "", false),
            ("", "", true),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
    }

    fn filter(name: &str, values: &[&str]) -> s::Filter {
        s::Filter { name: Some(name.into()), values: values.iter().map(|v| v.to_string()).collect() }
    }

    #[test]
    fn all_filters_must_be_met_by_any_of_their_values() {
        let tags = base::Tags::from([("Name".to_string(), "web-1".to_string())]);
        let pass = |filters: Vec<s::Filter>| {
            let filters = Filters::parse(filters, &["vpc-id", "cidr"]).unwrap();
            filters.pass(&tags, |name, add| match name {
                "vpc-id" => add("vpc-1"),
                "cidr" => ["10.0.0.0/8", "10.1.0.0/16"].into_iter().for_each(add),
                _ => {}
            })
        };
        assert!(pass(vec![]));
        assert!(pass(vec![filter("vpc-id", &["vpc-2", "vpc-1"]), filter("cidr", &["10.1.*"])]));
        assert!(!pass(vec![filter("vpc-id", &["vpc-1"]), filter("cidr", &["10.2.*"])]));
        assert!(pass(vec![filter("tag:Name", &["web*"]), filter("tag-key", &["N*"])]));
        assert!(!pass(vec![filter("tag:name", &["*"])]), "keys count by case");
    }

    #[test]
    fn a_strange_name_and_too_many_values_are_refused() {
        let fault: base::Fault = Filters::parse(vec![filter("nonsense", &["x"])], &["vpc-id"]).unwrap_err().into();
        assert_eq!(fault.to_string(), "InvalidParameterValue: The filter 'nonsense' is invalid");
        let many = vec!["x"; FILTER_VALUES_MAX + 1];
        assert!(Filters::parse(vec![filter("vpc-id", &many)], &["vpc-id"]).is_err());
        assert!(Filters::parse(vec![filter("vpc-id", &[])], &["vpc-id"]).is_err());
    }
}
