use std::collections::{BTreeMap, BTreeSet};

use base::Time;

/// Reconciler (by index in the registry) and key.
pub(crate) type DueKey = (usize, String);
pub(crate) type DueSet = BTreeSet<DueKey>;

/// Which keys want a look and when, each at most once, in order of time and then of key.
#[derive(Default)]
pub(crate) struct DueQueue {
    order: BTreeSet<(Time, DueKey)>,
    at: BTreeMap<DueKey, Time>,
}

impl DueQueue {
    /// Makes a key due at `time`, or earlier when it already was.
    pub(crate) fn add(&mut self, key: DueKey, time: Time) {
        match self.at.get(&key) {
            Some(old) if *old <= time => return,
            Some(old) => {
                self.order.remove(&(*old, key.clone()));
            }
            None => {}
        }
        self.order.insert((time, key.clone()));
        self.at.insert(key, time);
    }

    /// The first key that is due by `now`.
    pub(crate) fn pop(&mut self, now: Time) -> Option<DueKey> {
        let first = self.order.first()?;
        if first.0 > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }

    pub(crate) fn next_time(&self) -> Option<Time> {
        self.order.first().map(|(time, _)| *time)
    }
}

#[cfg(test)]
mod tests {
    use super::DueQueue;
    use base::Time;

    #[test]
    fn the_earliest_wish_wins_and_each_key_comes_once() {
        let t = Time::from_unix_ms;
        let mut queue = DueQueue::default();
        queue.add((0, "b".into()), t(5));
        queue.add((0, "a".into()), t(9));
        queue.add((0, "b".into()), t(3));
        queue.add((0, "b".into()), t(8));
        assert_eq!(queue.next_time(), Some(t(3)));
        assert_eq!(queue.pop(t(2)), None);
        assert_eq!(queue.pop(t(10)), Some((0, "b".into())));
        assert_eq!(queue.pop(t(10)), Some((0, "a".into())));
        assert_eq!(queue.pop(t(10)), None);
    }
}
