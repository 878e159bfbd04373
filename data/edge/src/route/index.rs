//! Finds the rules that may match without asking each of them: by the literal end of their host or the literal beginning of
//! their path, whichever tells more rules apart. Order and the full check are up to the caller.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::condition::{Condition, Subject};
use super::pattern::Pattern;

/// Longest end of a host that is looked at: no pattern is longer.
const HOST_BYTES_MAX: usize = 128;

/// Which rules are worth a look, by number.
#[derive(Debug, Default)]
pub struct Index {
    hosts: Prefixes,
    paths: Prefixes,
    /// Those that tell neither a host nor a path.
    rest: Vec<u32>,
}

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

impl Index {
    /// Of rules by their conditions, in order.
    pub fn new<'a>(rules: impl Iterator<Item = &'a [Condition]>) -> Self {
        let keys: Vec<(Vec<Vec<u8>>, Vec<Vec<u8>>)> = rules.map(|c| (host_keys(c), path_keys(c))).collect();
        let (mut by_host, mut by_path): (HashMap<&[u8], usize>, HashMap<&[u8], usize>) = Default::default();
        for (hosts, paths) in &keys {
            hosts.iter().for_each(|key| *by_host.entry(key).or_default() += 1);
            paths.iter().for_each(|key| *by_path.entry(key).or_default() += 1);
        }
        let crowd = |counts: &HashMap<&[u8], usize>, keys: &[Vec<u8>]| {
            let useful = !keys.is_empty() && keys.iter().all(|k| !k.is_empty());
            if useful { keys.iter().filter_map(|k| counts.get(&**k)).max().copied() } else { None }.unwrap_or(usize::MAX)
        };
        let (mut hosts, mut paths, mut rest): (Vec<(Vec<u8>, u32)>, Vec<(Vec<u8>, u32)>, Vec<u32>) = Default::default();
        for (number, (host_keys, path_keys)) in (0..).zip(&keys) {
            let (with_host, with_path) = (crowd(&by_host, host_keys), crowd(&by_path, path_keys));
            if with_host.min(with_path) == usize::MAX {
                rest.push(number);
            } else if with_host <= with_path {
                hosts.extend(host_keys.iter().map(|k| (k.clone(), number)));
            } else {
                paths.extend(path_keys.iter().map(|k| (k.clone(), number)));
            }
        }
        Self { hosts: Prefixes::new(hosts), paths: Prefixes::new(paths), rest }
    }

    /// Calls `matches` with candidates in order until it says yes; returns that rule.
    pub fn first(&self, subject: &Subject<'_>, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        let by_host = if self.hosts.0.is_empty() {
            &[]
        } else {
            let mut reversed = [0; HOST_BYTES_MAX];
            let mut length = 0;
            for (to, from) in reversed.iter_mut().zip(subject.host.bytes().rev()) {
                *to = from.to_ascii_lowercase();
                length += 1;
            }
            self.hosts.below(&reversed[..length])
        };
        let by_path = self.paths.below(subject.path.as_bytes());
        let mut lists = [by_host, by_path, &self.rest];
        loop {
            let next = lists.iter().filter_map(|list| list.first()).min().copied()?;
            if matches(next) {
                return Some(next);
            }
            for list in &mut lists {
                if list.first() == Some(&next) {
                    *list = &list[1..];
                }
            }
        }
    }
}

/// The ends, reversed, of every host that may match; none when the rule does not ask, or by an expression.
fn host_keys(conditions: &[Condition]) -> Vec<Vec<u8>> {
    let values = conditions.iter().find_map(|c| if let Condition::Host(values) = c { Some(values) } else { None });
    keys(values.map_or(&[], Vec::as_slice), |glob| glob.suffix_reversed())
}

fn path_keys(conditions: &[Condition]) -> Vec<Vec<u8>> {
    let values = conditions.iter().find_map(|c| if let Condition::Path(values) = c { Some(values) } else { None });
    keys(values.map_or(&[], Vec::as_slice), |glob| glob.prefix())
}

fn keys(values: &[Pattern], of: impl Fn(&super::pattern::Glob) -> Vec<u8>) -> Vec<Vec<u8>> {
    let key = |pattern: &Pattern| if let Pattern::Glob(glob) = pattern { of(glob) } else { Vec::new() };
    let mut keys: Vec<Vec<u8>> = values.iter().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl Prefixes {
    fn new(mut rules: Vec<(Vec<u8>, u32)>) -> Self {
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
