//! Samples put together by periods, for an answer.

use crate::Sample;
use crate::point::Seen;

/// What a fold keeps of each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Count, sum, least and greatest.
    Plain,
    /// How the values are spread as well.
    Spread,
}

/// Periods of `length_s` that begin at `origin_s` plus multiples of it.
pub(crate) struct Fold {
    length_s: i64,
    origin_s: i64,
    detail: Detail,
    /// In order of time.
    periods: Vec<(i64, Sample)>,
}

impl Fold {
    pub(crate) fn new(length_s: u32, origin_s: i64, detail: Detail) -> Self {
        Self { length_s: i64::from(length_s.max(1)), origin_s, detail, periods: Vec::new() }
    }

    pub(crate) fn add(&mut self, at_s: i64, seen: Seen) {
        let at_s = at_s - (at_s - self.origin_s).rem_euclid(self.length_s);
        let place = match self.periods.last() {
            Some((last, _)) if *last == at_s => self.periods.len() - 1,
            Some((last, _)) if *last > at_s => match self.periods.binary_search_by_key(&at_s, |(at, _)| *at) {
                Ok(place) => place,
                Err(place) => {
                    self.periods.insert(place, (at_s, Sample::default()));
                    place
                }
            },
            _ => {
                self.periods.push((at_s, Sample::default()));
                self.periods.len() - 1
            }
        };
        let into = &mut self.periods[place].1;
        match (self.detail, seen) {
            (Detail::Plain, Seen::One(value)) => into.add_totals(1.0, value, value, value),
            (Detail::Plain, Seen::Many(s)) => into.add_totals(s.count, s.sum, s.min, s.max),
            (Detail::Spread, Seen::One(value)) => into.add(value, 1.0),
            (Detail::Spread, Seen::Many(sample)) => into.merge(sample),
        }
    }

    pub(crate) fn finish(self) -> Vec<(i64, Sample)> {
        self.periods
    }
}
