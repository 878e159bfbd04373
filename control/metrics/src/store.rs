use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use base::Time;

use crate::fold::{Detail, Fold};
use crate::log::Log;
use crate::point::Seen;
use crate::series::{Dead, Notes, Series, TIERS};
use crate::{Keep, Metric, Sample, Statistic};

/// Most series: metrics, counted once for each unit they come in. When there are as many, those that have been silent for
/// two weeks, which nobody can list any more, make room; else new ones are refused.
pub const METRICS_MAX: usize = 250_000;
/// Silent for so long, a metric is not listed any more ("ListMetrics").
const SILENT_S: i64 = 14 * 86_400;
/// Every series is looked at for what is too old once in so many minutes.
const SWEEP_MIN: usize = 30;
/// A full store looks for room once in so many seconds: whoever puts new metrics asks again and again, and it looks at all.
const ROOM_S: i64 = 60;

/// How finely a sample's moment is kept: by the second for three hours, or by the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    High,
    Standard,
}

/// A series by number: faster than by name, for those who put again and again. It stays good as long as the store is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId(pub(crate) u32);

/// There are as many metrics as there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// All samples of a region.
#[derive(Default)]
pub struct Store {
    pub(crate) by_metric: HashMap<Arc<Metric>, u32>,
    pub(crate) order: BTreeSet<Arc<Metric>>,
    /// By id; none where one was forgotten. Ids are not used again.
    pub(crate) series: Vec<Option<Box<Series>>>,
    pub(crate) count: usize,
    units: BTreeSet<Arc<str>>,
    now_s: i64,
    swept_s: i64,
    /// When a full store may look for room again.
    room_s: i64,
    cursor: usize,
    pub(crate) log: Option<Log>,
    pub(crate) notes: Notes,
    pub(crate) dead: Vec<Dead>,
    warned_full: bool,
}

impl kernel::Store for Store {
    fn keep(&mut self) {
        let (Some(log), Some(notes)) = (&mut self.log, &mut self.notes) else { return };
        log.keep(&mut self.series, notes, &mut self.dead);
    }
}

impl Store {
    /// A store that keeps its samples, with those that were kept. Kept bytes that are torn or damaged are left out, with a
    /// warning; only a port that cannot be read at all is an error.
    pub fn open(keep: Box<dyn Keep>) -> io::Result<Self> {
        let mut store = Self::default();
        crate::load::load(&mut store, keep)?;
        store.notes = Some(Vec::new());
        Ok(store)
    }

    /// Takes in a sample of the moment `at`. When there are too many metrics for a new one, it is lost.
    pub fn put(&mut self, metric: &Metric, unit: &str, resolution: Resolution, at: Time, sample: &Sample) {
        match self.id(metric, unit) {
            Ok(id) => self.put_by_id(id, resolution, at, sample),
            Err(Full) => {
                if !std::mem::replace(&mut self.warned_full, true) {
                    tracing::warn!(METRICS_MAX, "there are too many metrics; samples of new ones are lost");
                }
            }
        }
    }

    /// The series of a metric, made when it is new.
    pub fn id(&mut self, metric: &Metric, unit: &str) -> Result<SeriesId, Full> {
        let first = self.by_metric.get(metric).copied();
        let mut last = None;
        let mut at = first;
        while let Some(id) = at {
            let Some(series) = &self.series[id as usize] else { break };
            if &*series.unit == unit {
                return Ok(SeriesId(id));
            }
            (last, at) = (Some(id), series.next_unit);
        }
        if self.count >= METRICS_MAX && !self.forget_silent() {
            return Err(Full);
        }
        let id = self.add(metric, unit);
        if let Some(log) = &mut self.log {
            log.note_series(id, metric, unit);
        }
        if let Some(last) = last.and_then(|id| self.series[id as usize].as_mut()) {
            last.next_unit = Some(id);
        }
        Ok(SeriesId(id))
    }

    /// Adds a series under the next number.
    pub(crate) fn add(&mut self, metric: &Metric, unit: &str) -> u32 {
        let id = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
        let unit = self.units.get(unit).cloned().unwrap_or_else(|| unit.into());
        self.units.insert(unit.clone());
        let metric = match self.order.get(metric) {
            Some(known) => known.clone(),
            None => {
                let new = Arc::new(metric.clone());
                self.order.insert(new.clone());
                self.by_metric.insert(new.clone(), id);
                new
            }
        };
        self.series.push(Some(Box::new(Series::new(metric, unit))));
        self.count += 1;
        id
    }

    /// As [`Store::put`], for a series whose number is known.
    pub fn put_by_id(&mut self, id: SeriesId, resolution: Resolution, at: Time, sample: &Sample) {
        if sample.count != 0.0 {
            self.put_seen(id, resolution, at, Seen::of(sample));
        }
    }

    /// As [`Store::put_by_id`], of a single value.
    pub fn put_value(&mut self, id: SeriesId, resolution: Resolution, at: Time, value: f64) {
        self.put_seen(id, resolution, at, Seen::One(value));
    }

    fn put_seen(&mut self, id: SeriesId, resolution: Resolution, at: Time, seen: Seen) {
        let Some(series) = self.series.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        let tier = if resolution == Resolution::High { 0 } else { 1 };
        let log = &self.log;
        let fetch = |place| log.as_ref().and_then(|log| log.fetch(place));
        let at_s = at.unix_ms().div_euclid(1_000);
        if !series.put(id.0, tier, (at_s, self.now_s), seen, &fetch, &mut self.notes) {
            tracing::warn!(metric = series.metric.name, at = %at, "a sample is lost: what is kept of its time cannot be read");
        }
    }

    /// Lets time go on: what is too old for its granularity is rolled up, a part of all series at each call, so that each has
    /// its turn in half an hour. Most calls do nothing.
    pub fn advance(&mut self, now: Time) {
        self.now_s = self.now_s.max(now.unix_ms().div_euclid(1_000));
        let minutes = usize::try_from((self.now_s - self.swept_s) / 60).unwrap_or(0);
        if minutes == 0 || self.series.is_empty() {
            return;
        }
        self.swept_s = self.now_s;
        let turns = (self.series.len() / SWEEP_MIN + 1).saturating_mul(minutes).min(self.series.len());
        let log = &self.log;
        let fetch = |place| log.as_ref().and_then(|log| log.fetch(place));
        let mut empty = Vec::new();
        for _ in 0..turns {
            self.cursor = (self.cursor + 1) % self.series.len();
            if let Some(series) = &mut self.series[self.cursor] {
                series.roll_up(self.cursor as u32, self.now_s, &fetch, &mut self.notes, &mut self.dead);
                if series.is_empty() && series.newest_s < self.now_s - SILENT_S {
                    empty.push(series.metric.clone());
                }
            }
        }
        for metric in empty {
            if self.chain(&metric).all(Series::is_empty) {
                self.forget(&metric);
            }
        }
    }

    /// Forgets the metrics that have been silent too long to be listed; false when there are none, or it has just looked.
    fn forget_silent(&mut self) -> bool {
        if self.now_s < self.room_s {
            return false;
        }
        self.room_s = self.now_s + ROOM_S;
        let before_s = self.now_s - SILENT_S;
        // One without a sample has just been made, and its first one is on its way.
        let gone = |s: &Series| (i64::MIN + 1..before_s).contains(&s.newest_s);
        let metrics: Vec<Arc<Metric>> = self.order.iter().filter(|m| self.chain(m).all(gone)).cloned().collect();
        for metric in &metrics {
            self.forget(metric);
        }
        !metrics.is_empty()
    }

    pub(crate) fn forget(&mut self, metric: &Arc<Metric>) {
        let ids: Vec<u32> = self.chain_ids(metric).collect();
        for id in ids {
            let Some(series) = self.series[id as usize].take() else { continue };
            self.count -= 1;
            for (tier, chunk) in series.tiers.iter().enumerate().flat_map(|(t, tier)| tier.chunks.iter().map(move |c| (t, c))) {
                let dead = |span| Dead { series: id, tier: tier as u8, no: chunk.no, span };
                self.dead.extend(chunk.kept_span().map(dead));
            }
            if let Some(log) = &mut self.log {
                log.note_forgotten(id);
            }
        }
        self.order.remove(metric);
        self.by_metric.remove(metric);
    }

    fn chain_ids(&self, metric: &Metric) -> impl Iterator<Item = u32> + '_ {
        let first = self.by_metric.get(metric).copied();
        std::iter::successors(first, |id| self.series[*id as usize].as_ref()?.next_unit)
    }

    fn chain(&self, metric: &Metric) -> impl Iterator<Item = &Series> {
        self.chain_ids(metric).filter_map(|id| self.series[id as usize].as_deref())
    }

    /// Samples from `from` (inclusive) to `until` (exclusive) in periods of `period_s` seconds that begin at multiples of
    /// their length, in order of time, without empty ones. Each comes with the beginning of its period.
    pub fn points(&self, metric: &Metric, from: Time, until: Time, period_s: u32) -> Vec<(Time, Sample)> {
        let found = self.fold(metric, None, from, until, Fold::new(period_s, 0, Detail::Spread));
        found.into_iter().map(|(at_s, sample)| (Time::from_unix_ms(at_s * 1_000), sample)).collect()
    }

    /// As [`Store::points`] in one unit, or in any when none is given; periods begin at `origin` and multiples of their length
    /// from there.
    pub fn points_from(
        &self,
        metric: &Metric,
        unit: Option<&str>,
        origin: Time,
        span: (Time, Time),
        period_s: u32,
    ) -> Vec<(Time, Sample)> {
        let fold = Fold::new(period_s, origin.unix_ms().div_euclid(1_000), Detail::Spread);
        let found = self.fold(metric, unit, span.0, span.1, fold);
        found.into_iter().map(|(at_s, sample)| (Time::from_unix_ms(at_s * 1_000), sample)).collect()
    }

    /// One statistic of [`Store::points`], in one unit or, without one, in any: cheaper, and without the periods that have none.
    pub fn values(
        &self,
        metric: &Metric,
        unit: Option<&str>,
        statistic: Statistic,
        span: (Time, Time),
        period_s: u32,
    ) -> Vec<(Time, f64)> {
        self.values_from(metric, unit, statistic, Time::ZERO, span, period_s)
    }

    /// As [`Store::values`]; periods begin at `origin` and multiples of their length from there.
    pub fn values_from(
        &self,
        metric: &Metric,
        unit: Option<&str>,
        statistic: Statistic,
        origin: Time,
        span: (Time, Time),
        period_s: u32,
    ) -> Vec<(Time, f64)> {
        let detail = if statistic.needs_spread() { Detail::Spread } else { Detail::Plain };
        let found = self.fold(metric, unit, span.0, span.1, Fold::new(period_s, origin.unix_ms().div_euclid(1_000), detail));
        let value = |(at_s, sample): (i64, Sample)| Some((Time::from_unix_ms(at_s * 1_000), statistic.of(&sample)?));
        found.into_iter().filter_map(value).collect()
    }

    fn fold(&self, metric: &Metric, unit: Option<&str>, from: Time, until: Time, mut fold: Fold) -> Vec<(i64, Sample)> {
        let fetch = |place| self.log.as_ref().and_then(|log| log.fetch(place));
        for series in self.chain(metric).filter(|s| unit.is_none_or(|unit| *s.unit == *unit)) {
            // Coarse data is old data: taken first, moments mostly come in order.
            for (tier, (length_s, _)) in series.tiers.iter().zip(TIERS).rev() {
                let slot = |time: Time| {
                    let slot = -time.unix_ms().saturating_neg().div_euclid(length_s * 1_000);
                    u32::try_from(slot.max(0)).unwrap_or(u32::MAX)
                };
                tier.visit(slot(from), slot(until), &fetch, &mut |slot, seen| fold.add(i64::from(slot) * length_s, seen));
            }
        }
        fold.finish()
    }

    /// The unit of a metric's samples, the first where there are several; none when there are none.
    pub fn unit(&self, metric: &Metric) -> Option<&str> {
        self.chain(metric).next().map(|s| &*s.unit)
    }

    /// All units that a metric has come in.
    pub fn units(&self, metric: &Metric) -> impl Iterator<Item = &str> {
        self.chain(metric).map(|s| &*s.unit)
    }

    /// The moment of a metric's newest sample, to the second.
    pub fn newest(&self, metric: &Metric) -> Option<Time> {
        let newest_s = self.chain(metric).map(|s| s.newest_s).max()?;
        (newest_s > i64::MIN).then(|| Time::from_unix_ms(newest_s.saturating_mul(1_000)))
    }

    /// All metrics in order.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.order.iter().map(AsRef::as_ref)
    }

    /// Metrics from `metric` (inclusive) on, in order.
    pub fn metrics_from(&self, metric: &Metric) -> impl Iterator<Item = &Metric> {
        self.order.range(metric.clone()..).map(AsRef::as_ref)
    }
}
