//! Finds the rules that may match without asking each of them: by what a host ends with, a path begins or ends with, a header
//! or a parameter begins with, whichever tells more rules apart. Order and the full check are up to the caller.

use std::cmp::Ordering;
use std::collections::HashMap;

use world::PATTERN_CHARS_MAX;

use super::condition::{Condition, Subject, parameters};
use super::pattern::{Glob, Pattern};

/// How much of a text is looked at, and of what a pattern wants of it: all, where its characters have a byte each.
const TEXT_BYTES_MAX: usize = PATTERN_CHARS_MAX;
/// Places that are looked at; rules that only tell of further ones are asked each time.
const PLACES_MAX: usize = 12;
/// Lists that are merged; a request that repeats its headers or parameters more often has every rule asked.
const LISTS_MAX: usize = 24;

/// Which rules are worth a look, by number.
#[derive(Debug, Default)]
pub struct Index {
    places: Vec<(Place, Prefixes)>,
    /// Those that cannot be told apart by any place.
    rest: Vec<u32>,
    count: u32,
}

/// Where a request is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Backwards.
    HostEnd,
    PathStart,
    /// Backwards.
    PathEnd,
    /// A header of this name, in lower case.
    Header(String),
    /// A parameter of this name, in lower case.
    Parameter(Vec<u8>),
}

/// Texts of which a request must have one, if it is to meet the rule.
type Keys = Vec<(Place, Vec<u8>)>;

/// Texts, each with the number of a rule.
type Numbered = Vec<(Vec<u8>, u32)>;

/// Keys with the rules below them.
#[derive(Debug, Default)]
struct Prefixes(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    key: Box<[u8]>,
    /// The longest other key that this one begins with.
    parent: Option<u32>,
    /// Rules of this key and of all that it begins with, in order.
    rules: Box<[u32]>,
}

/// Sorted lists of rules, merged as they are read.
struct Lists<'a> {
    lists: [&'a [u32]; LISTS_MAX],
    count: usize,
    overflown: bool,
}

impl<'a> Lists<'a> {
    fn push(&mut self, list: &'a [u32]) {
        if list.is_empty() {
            return;
        }
        // The last place is for the rest.
        if self.count + 1 < LISTS_MAX {
            self.lists[self.count] = list;
            self.count += 1;
        } else {
            self.overflown = true;
        }
    }
}

impl Index {
    /// Of rules by their conditions, in order.
    pub fn new<'a>(rules: impl Iterator<Item = &'a [Condition]>) -> Self {
        let options: Vec<Vec<Keys>> = rules.map(|conditions| conditions.iter().flat_map(options).collect()).collect();
        let mut crowds: HashMap<&(Place, Vec<u8>), usize> = HashMap::new();
        options.iter().flatten().flatten().for_each(|key| *crowds.entry(key).or_default() += 1);
        let mut index = Self::default();
        let mut chosen: Vec<(Place, Numbered)> = Vec::new();
        for options in &options {
            let number = index.count;
            index.count += 1;
            let crowd = |keys: &&Keys| keys.iter().filter_map(|key| crowds.get(key)).max().copied().unwrap_or(usize::MAX);
            let known = |keys: &Keys| keys.iter().all(|(place, _)| chosen.iter().any(|(p, _)| p == place));
            let fits = |keys: &&Keys| known(keys) || chosen.len() + keys.len() <= PLACES_MAX;
            let Some(keys) = options.iter().filter(fits).min_by_key(crowd) else {
                index.rest.push(number);
                continue;
            };
            for (place, key) in keys {
                let at = chosen.iter().position(|(p, _)| p == place).unwrap_or_else(|| {
                    chosen.push((place.clone(), Vec::new()));
                    chosen.len() - 1
                });
                chosen[at].1.push((key.clone(), number));
            }
        }
        index.places = chosen.into_iter().map(|(place, rules)| (place, Prefixes::new(rules))).collect();
        index
    }

    /// Calls `matches` with candidates in order until it says yes; returns that rule.
    pub fn first(&self, subject: &Subject<'_>, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut found = Lists { lists: [&[]; LISTS_MAX], count: 0, overflown: false };
        self.places.iter().for_each(|(place, prefixes)| place.look(prefixes, subject, &mut found));
        if found.overflown {
            return (0..self.count).find(|number| matches(*number));
        }
        if found.count == 0 {
            return self.rest.iter().copied().find(|number| matches(*number));
        }
        found.lists[found.count] = &self.rest;
        let lists = &mut found.lists[..=found.count];
        loop {
            let next = lists.iter().filter_map(|list| list.first()).min().copied()?;
            if matches(next) {
                return Some(next);
            }
            for list in lists.iter_mut().filter(|list| list.first() == Some(&next)) {
                *list = &list[1..];
            }
        }
    }
}

impl Place {
    /// Adds the rules that may match by what the request has here.
    fn look<'a>(&self, prefixes: &'a Prefixes, subject: &Subject<'_>, found: &mut Lists<'a>) {
        match self {
            Place::HostEnd => found.push(prefixes.below(folded(subject.host.bytes().rev(), &mut [0; TEXT_BYTES_MAX]))),
            Place::PathStart => found.push(prefixes.below(subject.path.as_bytes())),
            Place::PathEnd => found.push(prefixes.below(copied(subject.path.bytes().rev(), &mut [0; TEXT_BYTES_MAX]))),
            Place::Header(name) => {
                for header in subject.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name.as_bytes())) {
                    found.push(prefixes.below(folded(header.value.iter().copied(), &mut [0; TEXT_BYTES_MAX])));
                }
            }
            // What is encoded may become anything.
            Place::Parameter(_) if subject.query.contains('%') => found.overflown = true,
            Place::Parameter(name) => {
                for (_, value) in parameters(subject.query).filter(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name)) {
                    found.push(prefixes.below(folded(value.bytes(), &mut [0; TEXT_BYTES_MAX])));
                }
            }
        }
    }
}

fn copied(bytes: impl Iterator<Item = u8>, buffer: &mut [u8; TEXT_BYTES_MAX]) -> &[u8] {
    let mut length = 0;
    for (to, from) in buffer.iter_mut().zip(bytes) {
        *to = from;
        length += 1;
    }
    &buffer[..length]
}

fn folded(bytes: impl Iterator<Item = u8>, buffer: &mut [u8; TEXT_BYTES_MAX]) -> &[u8] {
    copied(bytes.map(|b| b.to_ascii_lowercase()), buffer)
}

/// What a request must have somewhere to meet this condition.
fn options(condition: &Condition) -> Vec<Keys> {
    let all = |values: &[Pattern], place: &Place, of: fn(&Pattern) -> Vec<u8>| {
        whole(values.iter().map(|value| (place.clone(), of(value))).collect())
    };
    let found = match condition {
        Condition::Host(values) => vec![all(values, &Place::HostEnd, end)],
        Condition::Path(values) => vec![all(values, &Place::PathStart, start), all(values, &Place::PathEnd, end)],
        Condition::Header { name, values } => vec![all(values, &Place::Header(name.to_ascii_lowercase()), glob_start)],
        Condition::Query(values) => {
            let key = |value: &super::condition::QueryPattern| Some((Place::Parameter(value.name()?.to_vec()), value.start()));
            vec![values.iter().map(key).collect::<Option<Keys>>().and_then(whole)]
        }
        Condition::Method(_) | Condition::Source(_) => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// None when there is nothing to look for in one of them: then every request may meet it.
fn whole(mut keys: Keys) -> Option<Keys> {
    keys.iter_mut().for_each(|(_, key)| key.truncate(TEXT_BYTES_MAX));
    keys.sort_unstable_by(|(_, a), (_, b)| a.cmp(b));
    keys.dedup();
    (!keys.is_empty() && keys.iter().all(|(_, key)| !key.is_empty())).then_some(keys)
}

fn start(pattern: &Pattern) -> Vec<u8> {
    pattern.prefix()
}

/// An expression over a header ignores case, and so its beginning is not known.
fn glob_start(pattern: &Pattern) -> Vec<u8> {
    if let Pattern::Glob(glob) = pattern { glob.prefix() } else { Vec::new() }
}

fn end(pattern: &Pattern) -> Vec<u8> {
    if let Pattern::Glob(glob) = pattern { Glob::suffix_reversed(glob) } else { Vec::new() }
}

impl Prefixes {
    fn new(mut rules: Numbered) -> Self {
        rules.sort_unstable();
        let mut entries: Vec<Entry> = Vec::new();
        for same in rules.chunk_by(|(a, _), (b, _)| a == b) {
            let key = &same[0].0;
            let mut parent = u32::try_from(entries.len()).ok().and_then(|n| n.checked_sub(1));
            while let Some(at) = parent {
                let before = &entries[at as usize];
                if key.starts_with(&before.key) {
                    break;
                }
                parent = before.parent;
            }
            let inherited = parent.map_or(&[][..], |at| &entries[at as usize].rules);
            let mut numbers: Vec<u32> = inherited.iter().copied().chain(same.iter().map(|(_, number)| *number)).collect();
            numbers.sort_unstable();
            numbers.dedup();
            entries.push(Entry { key: key.as_slice().into(), parent, rules: numbers.into() });
        }
        Self(entries)
    }

    /// Rules of all keys that `text` begins with, in order.
    fn below(&self, text: &[u8]) -> &[u32] {
        // The last key that is not behind the text has the longest that it begins with among its parents: whatever lies
        // between that one and the text begins with it too.
        let after = self.0.partition_point(|entry| entry.key.as_ref().cmp(text) != Ordering::Greater);
        let mut next = after.checked_sub(1);
        while let Some(entry) = next.map(|at| &self.0[at]) {
            if text.starts_with(&entry.key) {
                return &entry.rules;
            }
            next = entry.parent.map(|at| at as usize);
        }
        &[]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Prefixes;

    proptest! {
        #[test]
        fn all_rules_below_a_text_are_found(keys in prop::collection::vec("[ab]{1,5}", 0..20), text in "[ab]{0,8}") {
            let rules: Vec<(Vec<u8>, u32)> = (0..).zip(&keys).map(|(n, k)| (k.clone().into_bytes(), n)).collect();
            let wanted: Vec<u32> = rules.iter().filter(|(k, _)| text.as_bytes().starts_with(k)).map(|(_, n)| *n).collect();
            let prefixes = Prefixes::new(rules);
            prop_assert_eq!(prefixes.below(text.as_bytes()), wanted);
        }
    }
}
