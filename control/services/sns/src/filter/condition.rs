//! Single conditions of a filter policy ("String value matching", "Numeric value matching", "Key matching").

use std::net::IpAddr;

use serde_json::Value as Json;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// This string, number, `true`, `false` or `null`.
    Exact(Json),
    Prefix(String),
    Suffix(String),
    /// In lower case.
    EqualsIgnoreCase(String),
    /// `*` stands for any text.
    Wildcard(String),
    Cidr(Cidr),
    /// All of them hold.
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    /// A value that fits none of them.
    AnythingBut(Vec<Condition>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    network: u128,
    bits: u32,
    is_v4: bool,
}

impl Cidr {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (network, is_v4) = number(address.parse().ok()?);
        let bits: u32 = bits.parse().ok()?;
        (bits <= if is_v4 { 32 } else { 128 }).then_some(Self { network, bits, is_v4 })
    }

    fn contains(self, text: &str) -> bool {
        let Ok(address) = text.parse::<IpAddr>() else { return false };
        let (address, is_v4) = number(address);
        let shift = (if self.is_v4 { 32 } else { 128 }) - self.bits;
        is_v4 == self.is_v4 && address.checked_shr(shift).unwrap_or(0) == self.network.checked_shr(shift).unwrap_or(0)
    }
}

fn number(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), true),
        IpAddr::V6(v6) => (u128::from(v6), false),
    }
}

impl Condition {
    /// Whether it holds for a key's value; none when the key is not there. Of an array, one value is enough.
    pub(crate) fn holds(&self, value: Option<&Json>) -> bool {
        match (self, value) {
            (Condition::Exists(wanted), value) => value.is_some() == *wanted,
            (_, None) => false,
            (_, Some(Json::Array(items))) => items.iter().any(|item| self.fits(item)),
            (_, Some(value)) => self.fits(value),
        }
    }

    fn fits(&self, value: &Json) -> bool {
        let text = value.as_str();
        match self {
            Condition::Exact(Json::Number(wanted)) => value.as_f64().is_some_and(|n| wanted.as_f64() == Some(n)),
            Condition::Exact(wanted) => value == wanted,
            Condition::Prefix(prefix) => text.is_some_and(|t| t.starts_with(prefix)),
            Condition::Suffix(suffix) => text.is_some_and(|t| t.ends_with(suffix)),
            Condition::EqualsIgnoreCase(wanted) => text.is_some_and(|t| t.to_lowercase() == *wanted),
            Condition::Wildcard(pattern) => text.is_some_and(|t| is_like(t, pattern)),
            Condition::Cidr(cidr) => text.is_some_and(|t| cidr.contains(t)),
            Condition::Numeric(all) => value.as_f64().is_some_and(|n| all.iter().all(|(c, bound)| c.holds(n, *bound))),
            Condition::Exists(wanted) => *wanted,
            Condition::AnythingBut(these) => {
                matches!(value, Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null)
                    && !these.iter().any(|condition| condition.fits(value))
            }
        }
    }
}

impl Comparison {
    fn holds(self, n: f64, bound: f64) -> bool {
        match self {
            Comparison::Equal => n == bound,
            Comparison::Less => n < bound,
            Comparison::AtMost => n <= bound,
            Comparison::More => n > bound,
            Comparison::AtLeast => n >= bound,
        }
    }
}

/// Whether a text is like a pattern, in which `*` stands for any text: the pieces between the stars follow each other, the
/// first at the beginning and the last at the end.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn stars_stand_for_any_text() {
        for (text, pattern, like) in [
            ("abc", "abc", true),
            ("abc", "a*", true),
            ("abc", "*c", true),
            ("abc", "a*c", true),
            ("abcbc", "a*bc", true),
            ("abc", "ab*bc", false),
            ("abxbc", "ab*bc", true),
            ("", "*", true),
            ("abc", "*x*", false),
            ("a--b--c", "a*b*c", true),
        ] {
            assert_eq!(is_like(text, pattern), like, "{text} {pattern}");
        }
    }
}
