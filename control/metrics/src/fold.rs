//! Samples put together by periods, for an answer.

use world::Histogram;

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
    /// Single values of the period `waiting_s` that are not in `periods` yet: their totals, and their buckets in any order, to be
    /// sorted once.
    waiting: Sample,
    waiting_s: i64,
    singles: Vec<i16>,
}

impl Fold {
    pub(crate) fn new(length_s: u32, origin_s: i64, detail: Detail) -> Self {
        Self {
            length_s: i64::from(length_s.max(1)),
            origin_s,
            detail,
            periods: Vec::new(),
            waiting: Sample::default(),
            waiting_s: 0,
            singles: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, at_s: i64, seen: Seen) {
        let at_s = at_s - (at_s - self.origin_s).rem_euclid(self.length_s);
        match (self.detail, seen) {
            (Detail::Plain, Seen::One(value)) => self.period(at_s).add_totals(1.0, value, value, value),
            (Detail::Plain, Seen::Many(s)) => self.period(at_s).add_totals(s.count, s.sum, s.min, s.max),
            (Detail::Spread, Seen::One(value)) => {
                if at_s != self.waiting_s {
                    self.take_waiting();
                    self.waiting_s = at_s;
                }
                self.waiting.add_totals(1.0, value, value, value);
                self.singles.push(Histogram::bucket_of(value));
            }
            (Detail::Spread, Seen::Many(sample)) => self.period(at_s).merge(sample),
        }
    }

    fn period(&mut self, at_s: i64) -> &mut Sample {
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
        &mut self.periods[place].1
    }

    fn take_waiting(&mut self) {
        if self.singles.is_empty() {
            return;
        }
        self.singles.sort_unstable();
        let mut sample = std::mem::take(&mut self.waiting);
        sample.buckets.reserve_exact(self.singles.len());
        sample.buckets.extend(self.singles.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)));
        self.singles.clear();
        let into = self.period(self.waiting_s);
        if into.count == 0.0 {
            *into = sample;
        } else {
            into.merge(&sample);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<(i64, Sample)> {
        self.take_waiting();
        self.periods
    }
}
