use std::collections::BTreeMap;

use base::Time;

use crate::{Metric, Sample};

/// How finely a sample's moment is kept: by the second for three hours, or by the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    High,
    Standard,
}

/// All samples of a region.
#[derive(Default)]
pub struct Store {
    series: BTreeMap<Metric, Series>,
}

struct Series {
    unit: String,
    points: BTreeMap<i64, Sample>,
}

impl kernel::Store for Store {
    fn keep(&mut self) {}
}

impl Store {
    /// Takes in a sample of the moment `at`.
    pub fn put(&mut self, metric: &Metric, unit: &str, resolution: Resolution, at: Time, sample: &Sample) {
        if !self.series.contains_key(metric) {
            self.series.insert(metric.clone(), Series { unit: unit.into(), points: BTreeMap::new() });
        }
        let Some(series) = self.series.get_mut(metric) else { return };
        let length_ms = if resolution == Resolution::High { 1_000 } else { 60_000 };
        series.points.entry(at.unix_ms().div_euclid(length_ms) * length_ms).or_default().merge(sample);
    }

    /// Samples from `from` (inclusive) to `until` (exclusive) in periods of `period_s` seconds that begin at multiples of their length, in
    /// order of time, without empty ones. Each comes with the beginning of its period.
    pub fn points(&self, metric: &Metric, from: Time, until: Time, period_s: u32) -> Vec<(Time, Sample)> {
        let length_ms = i64::from(period_s) * 1_000;
        let mut periods: BTreeMap<i64, Sample> = BTreeMap::new();
        for (at, sample) in self.series.get(metric).into_iter().flat_map(|s| s.points.range(from.unix_ms()..until.unix_ms())) {
            periods.entry(at.div_euclid(length_ms) * length_ms).or_default().merge(sample);
        }
        periods.into_iter().map(|(at, sample)| (Time::from_unix_ms(at), sample)).collect()
    }

    /// The unit of a metric's samples; none when there are none.
    pub fn unit(&self, metric: &Metric) -> Option<&str> {
        self.series.get(metric).map(|s| s.unit.as_str())
    }

    /// All metrics in order.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.series.keys()
    }
}
