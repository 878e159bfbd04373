//! One metric in one unit, at all granularities.

use std::sync::Arc;

use crate::Metric;
use crate::bytes::{put_sample, put_varint};
use crate::point::{Point, Seen, insert};
use crate::tier::{Fetch, Tier};

/// What is kept at each granularity, finest first: seconds a period, seconds kept ("CloudWatch concepts", Metrics
/// retention: periods under a minute for three hours, one minute for 15 days, five minutes for 63 days, an hour for 455 days).
pub(crate) const TIERS: [(i64, i64); 4] = [(1, 3 * 3_600), (60, 15 * 86_400), (300, 63 * 86_400), (3_600, 455 * 86_400)];

#[derive(Debug)]
pub(crate) struct Series {
    pub metric: Arc<Metric>,
    pub unit: Arc<str>,
    /// The same metric's series in another unit.
    pub next_unit: Option<u32>,
    /// Moment of the newest sample, seconds; `i64::MIN` before the first.
    pub newest_s: i64,
    pub tiers: [Tier; 4],
}

/// Takes down what changes, for the log. Without a port nothing is taken down.
pub(crate) type Notes = Option<Vec<u8>>;

pub(crate) const PUT: u8 = 1;
pub(crate) const SET: u8 = 2;
pub(crate) const CLOSED: u8 = 3;
pub(crate) const TAKEN: u8 = 4;
pub(crate) const CLOSED_WHOLE: u8 = 5;
pub(crate) const NEXT: u8 = 6;
pub(crate) const COMPLETE: u8 = 7;

pub(crate) fn note_sample(notes: &mut Vec<u8>, kind: u8, tier: usize, id: u32, slot: u32, sample: Seen) {
    notes.extend_from_slice(&[kind, tier as u8]);
    put_varint(notes, id.into());
    put_varint(notes, slot.into());
    put_sample(notes, sample);
}

pub(crate) fn note_chunk(notes: &mut Vec<u8>, kind: u8, tier: usize, id: u32, no: u32) {
    notes.extend_from_slice(&[kind, tier as u8]);
    put_varint(notes, id.into());
    put_varint(notes, no.into());
}

/// A chunk that was rolled up and whose kept form is to be forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dead {
    pub series: u32,
    pub tier: u8,
    pub no: u32,
    pub span: u32,
}

impl Series {
    pub(crate) fn new(metric: Arc<Metric>, unit: Arc<str>) -> Self {
        Self { metric, unit, next_unit: None, newest_s: i64::MIN, tiers: Default::default() }
    }

    /// Takes in a sample at the granularity `tier` or, when it is too old for that, at the first that still takes it.
    pub(crate) fn put(
        &mut self,
        id: u32,
        tier: usize,
        (at_s, now_s): (i64, i64),
        sample: Seen,
        fetch: Fetch,
        notes: &mut Notes,
    ) -> bool {
        let age_s = now_s.saturating_sub(at_s);
        let tier = (tier..TIERS.len()).find(|t| age_s < TIERS[*t].1).unwrap_or(TIERS.len() - 1);
        let Ok(slot) = u32::try_from(at_s.div_euclid(TIERS[tier].0)) else { return false };
        self.newest_s = self.newest_s.max(at_s);
        self.put_slot(id, tier, slot, sample, fetch, notes)
    }

    fn put_slot(&mut self, id: u32, tier: usize, slot: u32, sample: Seen, fetch: Fetch, notes: &mut Notes) -> bool {
        if !self.tiers[tier].put(slot, sample, fetch) {
            return false;
        }
        if let Some(notes) = notes {
            note_sample(notes, PUT, tier, id, slot, sample);
        }
        if self.tiers[tier].head_is_full() {
            self.close(id, tier, false, notes);
        }
        true
    }

    fn close(&mut self, id: u32, tier: usize, whole: bool, notes: &mut Notes) {
        if let (Some(no), Some(notes)) = (self.tiers[tier].close(whole), notes) {
            note_chunk(notes, if whole { CLOSED_WHOLE } else { CLOSED }, tier, id, no);
        }
    }

    /// Rolls up what is too old for its granularity, and drops what is too old for any.
    pub(crate) fn roll_up(&mut self, id: u32, now_s: i64, fetch: Fetch, notes: &mut Notes, dead: &mut Vec<Dead>) {
        for (tier, (length_s, kept_s)) in TIERS.into_iter().enumerate() {
            let Ok(before) = u32::try_from((now_s - kept_s).div_euclid(length_s)) else { continue };
            if self.tiers[tier].head.last().is_some_and(|p| p.slot < before) {
                self.close(id, tier, true, notes);
            }
            while let Some(chunk) = self.tiers[tier].take_before(before) {
                if let Some((coarser_s, _)) = TIERS.get(tier + 1) {
                    let ratio = u32::try_from(coarser_s / length_s).unwrap_or(1);
                    let mut rolled: Vec<Point> = Vec::new();
                    chunk.visit(fetch, &mut |slot, seen| insert(&mut rolled, slot / ratio, seen));
                    for point in &rolled {
                        self.put_slot(id, tier + 1, point.slot, point.held.seen(), fetch, notes);
                    }
                }
                if let Some(notes) = notes {
                    note_chunk(notes, TAKEN, tier, id, chunk.no);
                }
                dead.extend(chunk.kept_span().map(|span| Dead { series: id, tier: tier as u8, no: chunk.no, span }));
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tiers.iter().all(Tier::is_empty)
    }

    /// Works out the newest moment from what is there.
    pub(crate) fn find_newest(&mut self) {
        let newest = self.tiers.iter().zip(TIERS).filter_map(|(tier, (length_s, _))| Some(i64::from(tier.last()?) * length_s));
        self.newest_s = newest.max().unwrap_or(i64::MIN);
    }
}
