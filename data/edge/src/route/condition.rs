//! Conditions of rules ("ELB User Guide, Condition types for listener rules") and what they look at.

use std::net::IpAddr;

use memchr::memchr;
use world::{Case, UnfitRule, check_header_name};

use super::pattern::{Glob, Pattern};
use super::source::Block;
use crate::http::fields::Header;
use crate::http::forward::{host_and_path, split_port};
use crate::http::head::Request;

/// What a rule may ask of a request.
#[derive(Debug)]
pub struct Subject<'a> {
    pub method: &'a str,
    /// Without its port; empty when the request names none.
    pub host: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a [Header<'a>],
    /// The connection's other end, not what `X-Forwarded-For` says.
    pub client: IpAddr,
}

impl<'a> Subject<'a> {
    pub fn of(request: &'a Request<'_, '_>, client: IpAddr) -> Self {
        let (host, (slash, rest)) = host_and_path(request);
        let (path, query) = memchr(b'?', rest.as_bytes()).map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
        let name = split_port(host.unwrap_or("")).0;
        Self {
            method: request.method,
            host: name.strip_suffix('.').unwrap_or(name),
            // An absolute target without a path means the root.
            path: if path.is_empty() { slash } else { path },
            query,
            headers: request.headers,
            client: client.to_canonical(),
        }
    }
}

/// Holds when one of its values does.
#[derive(Debug)]
pub enum Condition {
    /// Case does not matter, the port is left out.
    Host(Vec<Pattern>),
    /// Case matters; the path as it came, nothing decoded.
    Path(Vec<Pattern>),
    /// Case does not matter. Of a header that comes more than once, one line is enough.
    Header {
        name: String,
        values: Vec<Pattern>,
    },
    /// Exact.
    Method(Vec<String>),
    /// Case does not matter.
    Query(Vec<QueryPattern>),
    Source(Vec<Block>),
}

#[derive(Debug)]
pub struct QueryPattern {
    key: Option<Glob>,
    value: Glob,
}

impl Condition {
    /// Refuses what [`world::Condition::check`] does, by the same functions.
    pub fn compile(condition: &world::Condition) -> Result<Self, UnfitRule> {
        let case = condition.case();
        let patterns = |values: &[world::Pattern]| values.iter().map(|v| Pattern::compile(v, case)).collect::<Result<_, _>>();
        Ok(match condition {
            world::Condition::Host { values } => Condition::Host(patterns(values)?),
            world::Condition::Path { values } => Condition::Path(patterns(values)?),
            world::Condition::Header { name, values } => {
                check_header_name(name)?;
                Condition::Header { name: name.clone(), values: patterns(values)? }
            }
            world::Condition::Method { values } => Condition::Method(values.clone()),
            world::Condition::Query { values } => {
                Condition::Query(values.iter().map(|q| QueryPattern::compile(q, case)).collect::<Result<_, _>>()?)
            }
            world::Condition::SourceIp { values } => {
                Condition::Source(values.iter().map(|v| v.parse()).collect::<Result<_, _>>()?)
            }
        })
    }

    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Condition::Host(values) => values.iter().any(|v| v.matches(subject.host.as_bytes())),
            Condition::Path(values) => values.iter().any(|v| v.matches(subject.path.as_bytes())),
            Condition::Header { name, values } => {
                let lines = subject.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name.as_bytes()));
                lines.map(|h| h.value).any(|value| values.iter().any(|v| v.matches(value)))
            }
            Condition::Method(values) => values.iter().any(|v| v == subject.method),
            Condition::Query(values) => parameters(subject.query).any(|p| values.iter().any(|v| v.matches(p))),
            Condition::Source(values) => values.iter().any(|block| block.contains(subject.client)),
        }
    }
}

/// The parameters of a query string, name and value; one without `=` has an empty value.
pub fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")))
}

impl QueryPattern {
    fn compile(pattern: &world::QueryPattern, case: Case) -> Result<Self, UnfitRule> {
        let key = pattern.key.as_ref().map(|key| Glob::compile(key, case)).transpose()?;
        Ok(Self { key, value: Glob::compile(&pattern.value, case)? })
    }

    /// The only name that it asks for, in lower case.
    pub fn name(&self) -> Option<&[u8]> {
        self.key.as_ref()?.literal()
    }

    /// What the value begins with, in lower case.
    pub fn start(&self) -> Vec<u8> {
        self.value.prefix()
    }

    /// Without a key, the value of any parameter counts. AWS does not say whether it decodes: patterns may hold characters
    /// that only come encoded, so a parameter matches as it came or decoded.
    fn matches(&self, (key, value): (&str, &str)) -> bool {
        let either = |glob: &Glob, text: &str| {
            glob.matches(text.as_bytes()) || (text.contains('%') && glob.matches(&percent_decoded(text)))
        };
        self.key.as_ref().is_none_or(|glob| either(glob, key)) && either(&self.value, value)
    }
}

/// What is not a valid escape stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}
