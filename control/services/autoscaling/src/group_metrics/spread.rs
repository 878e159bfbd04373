//! Values of many alike instances, added up without being kept. Arithmetic only.

use metrics::Sample;
use world::Histogram;

/// A member's values, in the order of the metrics of a group.
pub(super) type Values = [f64; 5];

/// Buckets gathered of one metric before those that are the same are taken together.
const BUCKETS_GATHERED_MAX: usize = 4_096;

/// How the values of all members are spread, metric by metric.
#[derive(Default)]
pub(super) struct Spread {
    /// Alike instances have the same values, one after the other: these came so many times.
    last: Values,
    run: u32,
    count: f64,
    each: [Totals; 5],
}

#[derive(Default)]
struct Totals {
    sum: f64,
    min: f64,
    max: f64,
    buckets: Vec<(i16, f64)>,
    /// Gathered buckets are sorted when there are so many.
    sort_at: usize,
}

impl Spread {
    pub(super) fn is_empty(&self) -> bool {
        self.run == 0 && self.count == 0.0
    }

    pub(super) fn add(&mut self, values: &Values) {
        if self.run > 0 && self.last == *values && self.run < u32::MAX {
            self.run += 1;
            return;
        }
        self.end_run();
        (self.last, self.run) = (*values, 1);
    }

    fn end_run(&mut self) {
        if self.run == 0 {
            return;
        }
        let times = f64::from(std::mem::take(&mut self.run));
        let is_first = self.count == 0.0;
        self.count += times;
        for (totals, value) in self.each.iter_mut().zip(self.last) {
            totals.add(value, times, is_first);
        }
    }

    /// What was added, as one sample of each metric; nothing is left.
    pub(super) fn take(&mut self) -> [Sample; 5] {
        self.end_run();
        let count = std::mem::take(&mut self.count);
        std::mem::take(&mut self.each).map(|mut totals| {
            totals.sort();
            Sample { count, sum: totals.sum, min: totals.min, max: totals.max, buckets: totals.buckets }
        })
    }
}

impl Totals {
    fn add(&mut self, value: f64, times: f64, is_first: bool) {
        self.sum += value * times;
        self.min = if is_first { value } else { self.min.min(value) };
        self.max = if is_first { value } else { self.max.max(value) };
        let bucket = Histogram::bucket_of(value);
        match self.buckets.last_mut() {
            Some((last, count)) if *last == bucket => *count += times,
            _ => self.buckets.push((bucket, times)),
        }
        if self.buckets.len() >= self.sort_at.max(BUCKETS_GATHERED_MAX) {
            self.sort();
            // Of many different buckets there must be room for as many again, or each further one would sort.
            self.sort_at = self.buckets.len() * 2;
        }
    }

    fn sort(&mut self) {
        self.buckets.sort_unstable_by_key(|(bucket, _)| *bucket);
        self.buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;
    use metrics::Sample;

    #[test]
    fn a_spread_is_the_sample_of_its_values() {
        // Whole numbers, whose sums are exact in any order.
        let value = |i: u32| f64::from((i / 7) % 4_999);
        let mut spread = Spread::default();
        for i in 0..40_000 {
            spread.add(&[value(i), 1.0, 2.0, value(i + 3), 0.0]);
        }
        assert!(!spread.is_empty());
        let [first, one, _, shifted, zero] = spread.take();
        assert_eq!(first, Sample::values((0..40_000).map(|i| (value(i), 1.0))));
        assert_eq!(one, Sample::values([(1.0, 40_000.0)]));
        assert_eq!(shifted, Sample::values((0..40_000).map(|i| (value(i + 3), 1.0))));
        assert_eq!((zero.count, zero.sum, zero.min, zero.max), (40_000.0, 0.0, 0.0, 0.0));
        assert!(spread.is_empty());
    }
}
