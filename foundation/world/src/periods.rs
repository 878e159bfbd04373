use std::collections::VecDeque;

use base::Time;

use crate::Observation;

/// Longest span of one report; after a longer pause, of a machine that slept, the report is of its last period alone.
const SPAN_MS_MAX: i64 = 3_600_000;
/// Reports that wait for `serve`, and things that they may tell of altogether; the oldest go first.
const UNSENT_MAX: usize = 300;
const UNSENT_PARTS_MAX: usize = 200_000;

/// When an executor reports: at multiples of a length since 1970, whatever delays one of them. The wall clock comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Periods {
    /// Zero until `serve` has said.
    every_ms: i64,
    /// Beginning of the period under way.
    begin: Time,
}

impl Periods {
    /// From now on periods are so long; the same length changes nothing.
    pub fn set(&mut self, every_ms: u64, now: Time) {
        let every_ms = i64::try_from(every_ms).unwrap_or(SPAN_MS_MAX).min(SPAN_MS_MAX);
        if every_ms != self.every_ms {
            // What is counted by now was counted since the period under way began, however long that was to be.
            let since = if self.every_ms > 0 { self.begin } else { now };
            *self = Self { every_ms, begin: since };
            self.begin = self.floor(now).min(since);
        }
    }

    fn floor(&self, at: Time) -> Time {
        let length = self.every_ms.max(1);
        Time::from_unix_ms(at.unix_ms().div_euclid(length) * length)
    }

    /// Milliseconds until the next report; none while nobody wants one.
    pub fn wait_ms(&self, now: Time) -> Option<u64> {
        (self.every_ms > 0).then(|| {
            let length = self.every_ms.unsigned_abs();
            // A clock that was set back is found out after one length.
            Time::from_unix_ms(self.begin.unix_ms() + self.every_ms).ms_since(now).min(length)
        })
    }

    /// The period that is not over yet; none while nobody wants reports.
    pub fn under_way(&self) -> Option<(Time, Time)> {
        (self.every_ms > 0).then(|| (self.begin, Time::from_unix_ms(self.begin.unix_ms() + self.every_ms)))
    }

    /// The period that has ended by now, if one has: report it.
    pub fn ended(&mut self, now: Time) -> Option<(Time, Time)> {
        if self.every_ms == 0 {
            return None;
        }
        let until = self.floor(now);
        if until <= self.begin {
            self.begin = self.begin.min(until);
            return None;
        }
        let begin = std::mem::replace(&mut self.begin, until);
        let is_long = until.unix_ms() - begin.unix_ms() > SPAN_MS_MAX;
        Some((if is_long { Time::from_unix_ms(until.unix_ms() - self.every_ms) } else { begin }, until))
    }
}

/// Reports that were made while nobody listened.
#[derive(Debug, Default)]
pub struct Unsent {
    reports: VecDeque<Observation>,
    parts: usize,
}

impl Unsent {
    pub fn push(&mut self, report: Observation) {
        self.parts += parts(&report);
        self.reports.push_back(report);
        while self.reports.len() > UNSENT_MAX || (self.parts > UNSENT_PARTS_MAX && self.reports.len() > 1) {
            let oldest = self.reports.pop_front();
            self.parts -= oldest.as_ref().map_or(0, parts);
        }
    }

    /// All of them, the oldest first.
    pub fn take(&mut self) -> impl Iterator<Item = Observation> + use<> {
        self.parts = 0;
        std::mem::take(&mut self.reports).into_iter()
    }
}

fn parts(report: &Observation) -> usize {
    match report {
        Observation::Usage { instances, .. } => instances.len(),
        // A group's histogram is some tens of numbers.
        Observation::Traffic { balancers, .. } => balancers.iter().map(|b| 1 + 16 * b.groups.len()).sum(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Periods, UNSENT_MAX, Unsent};
    use crate::Observation;
    use base::Time;

    fn at(ms: i64) -> Time {
        Time::from_unix_ms(ms)
    }

    #[test]
    fn reports_are_due_at_multiples_of_the_period_without_drift() {
        let mut periods = Periods::default();
        assert_eq!((periods.wait_ms(at(5)), periods.ended(at(5))), (None, None));
        periods.set(1_000, at(10_300));
        assert_eq!((periods.wait_ms(at(10_300)), periods.ended(at(10_999))), (Some(700), None));
        // Each report comes late, by a different while.
        assert_eq!(periods.ended(at(11_250)), Some((at(10_000), at(11_000))));
        assert_eq!(periods.wait_ms(at(11_250)), Some(750));
        assert_eq!(periods.ended(at(14_010)), Some((at(11_000), at(14_000))), "missed ends make one longer report");
        periods.set(1_000, at(14_500));
        assert_eq!(periods.ended(at(15_000)), Some((at(14_000), at(15_000))), "the same length begins nothing anew");
    }

    #[test]
    fn another_length_loses_no_time_that_was_counted_in() {
        let mut periods = Periods::default();
        periods.set(60_000, at(60_000));
        periods.set(1_000, at(100_500));
        assert_eq!((periods.wait_ms(at(100_500)), periods.under_way()), (Some(0), Some((at(60_000), at(61_000)))));
        assert_eq!(periods.ended(at(100_500)), Some((at(60_000), at(100_000))), "what was counted since then");
        assert_eq!((periods.wait_ms(at(100_500)), periods.ended(at(101_000))), (Some(500), Some((at(100_000), at(101_000)))));
        periods.set(60_000, at(101_500));
        assert_eq!(periods.ended(at(120_000)), Some((at(60_000), at(120_000))));
    }

    #[test]
    fn a_clock_that_is_set_ends_no_period_twice_and_stops_no_report() {
        let mut periods = Periods::default();
        periods.set(1_000, at(100_000));
        assert_eq!(periods.ended(at(101_000)), Some((at(100_000), at(101_000))));
        assert_eq!((periods.ended(at(50_400)), periods.wait_ms(at(50_400))), (None, Some(600)));
        assert_eq!(periods.ended(at(51_000)), Some((at(50_000), at(51_000))));
        let later = 51_000 + 86_400_000;
        assert_eq!(
            periods.ended(at(later)),
            Some((at(later - 1_000), at(later))),
            "a machine that slept a day used nothing in it"
        );
    }

    #[test]
    fn what_nobody_takes_is_kept_but_not_for_ever() {
        let mut unsent = Unsent::default();
        for second in 0..UNSENT_MAX as i64 + 5 {
            unsent.push(Observation::Usage { from: at(second), until: at(second + 1), instances: Vec::new() });
        }
        let kept: Vec<_> = unsent.take().collect();
        assert_eq!((kept.len(), unsent.take().count()), (UNSENT_MAX, 0));
        assert!(matches!(kept[0], Observation::Usage { from, .. } if from == at(5)));
    }
}
