use std::collections::{BTreeMap, BTreeSet};

use base::Time;

/// Most turns of one key in one go; a key that wants more is put off, for it does not converge.
const TURNS_MAX: u32 = 64;

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

/// The turns of one go: in each round a key has one.
#[derive(Default)]
pub(crate) struct Rounds {
    ended: u32,
    had_theirs: BTreeSet<DueKey>,
    /// Made due again in this round: their turn is in the next.
    again: BTreeSet<DueKey>,
}

pub(crate) enum Turn {
    Run(DueKey),
    /// It had [`TURNS_MAX`] turns and wants another.
    Endless(DueKey),
}

impl Rounds {
    /// Whose turn it is; none when nothing is due by `now`.
    pub(crate) fn next(&mut self, queue: &mut DueQueue, now: Time) -> Option<Turn> {
        loop {
            while let Some(key) = queue.pop(now) {
                if self.had_theirs.insert(key.clone()) {
                    return Some(Turn::Run(key));
                }
                self.again.insert(key);
            }
            if self.ended + 1 >= TURNS_MAX {
                return self.again.pop_first().map(Turn::Endless);
            }
            if self.again.is_empty() {
                return None;
            }
            self.ended += 1;
            self.end(queue, now);
        }
    }

    /// Ends a round: whoever waits for the next is due again.
    pub(crate) fn end(&mut self, queue: &mut DueQueue, now: Time) {
        self.had_theirs.clear();
        for key in std::mem::take(&mut self.again) {
            queue.add(key, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DueQueue, Rounds, Turn};
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

    #[test]
    fn a_key_that_all_others_make_due_again_has_two_turns() {
        let now = Time::from_unix_ms(1);
        let mut queue = DueQueue::default();
        (0..1_000).for_each(|n| queue.add((1, format!("{n}")), now));
        queue.add((0, "one".into()), now);
        let (mut rounds, mut turns) = (Rounds::default(), 0);
        while let Some(turn) = rounds.next(&mut queue, now) {
            match turn {
                Turn::Run((1, _)) => queue.add((0, "one".into()), now),
                Turn::Run(_) => turns += 1,
                Turn::Endless(key) => panic!("{key:?}"),
            }
        }
        assert_eq!(turns, 2);
    }

    #[test]
    fn a_key_that_makes_itself_due_is_found() {
        let now = Time::from_unix_ms(1);
        let mut queue = DueQueue::default();
        queue.add((0, "endless".into()), now);
        let (mut rounds, mut turns) = (Rounds::default(), 0);
        while let Some(Turn::Run(key)) = rounds.next(&mut queue, now) {
            turns += 1;
            queue.add(key, now);
        }
        assert_eq!((turns, queue.next_time()), (super::TURNS_MAX, None));
    }

    #[test]
    fn who_waits_for_the_next_round_is_not_forgotten_when_the_go_ends() {
        let now = Time::from_unix_ms(1);
        let mut queue = DueQueue::default();
        queue.add((0, "a".into()), now);
        queue.add((1, "b".into()), now);
        let mut rounds = Rounds::default();
        assert!(matches!(rounds.next(&mut queue, now), Some(Turn::Run((0, _)))));
        queue.add((0, "a".into()), now);
        assert!(matches!(rounds.next(&mut queue, now), Some(Turn::Run((1, _)))));
        rounds.end(&mut queue, now);
        assert_eq!(queue.next_time(), Some(now));
    }
}
