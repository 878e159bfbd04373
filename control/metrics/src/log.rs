//! What a store hands to its port, and when: every change at once as a record of the log, and from time to time, when the
//! log has grown long, closed chunks to the file of their span and the open heads to a new log. It owns the form of what
//! is kept; reading it back is `load`'s.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;

use crate::bytes::{put_text, put_varint};
use crate::keep::{Keep, Place};
use crate::series::{COMPLETE, Dead, NEXT, SET, Series, TIERS, note_chunk, note_sample};
use crate::tier::Body;
use crate::{Metric, bytes};

/// Names of series, in order of their numbers.
pub(crate) const SERIES: &str = "series";
pub(crate) const ADDED: u8 = 1;
pub(crate) const FORGOTTEN: u8 = 2;
/// Ends what a file of names begins with, in a frame of its own; its number is the next one.
pub(crate) const WHOLE: u8 = 3;
/// A file of names is ended when it is this long and has grown as a log may.
const NAMES_BYTES_MAX: u64 = 1 << 20;
/// So many bytes of names lie in one frame at most.
const NAMES_FRAME_BYTES: usize = 1 << 20;

/// A log is ended when it is this long, or this many times as long as what it began with.
const LOG_BYTES_MAX: u64 = 4 << 20;
const LOG_GROWTH_MAX: u64 = 4;
/// Records, and names, that wait while nothing can be written; beyond that they are dropped, for a new file will hold all.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// After a failure so many calls go by before the next try.
const RETRY_CALLS: u32 = 16;
/// Most bytes kept: beyond that the oldest span of what takes the most room goes.
const KEPT_BYTES_MAX: u64 = 8 << 30;
/// Seconds that one file of each granularity spans: an hour, a day, a week, thirty days.
const SPANS: [i64; 4] = [3_600, 86_400, 7 * 86_400, 30 * 86_400];

/// Bytes of an entry of an index.
pub(crate) const ENTRY_BYTES: usize = 48;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kept {
    /// Chunks that are really there, neither replaced nor gone.
    pub live: u32,
    pub size_bytes: u64,
}

pub(crate) struct Log {
    pub keep: Box<dyn Keep>,
    /// The number of the next batch of records.
    pub batch: u64,
    pub no: u32,
    pub size_bytes: u64,
    pub began_bytes: u64,
    /// By granularity and span.
    pub files: BTreeMap<(u8, u32), Kept>,
    names: Vec<u8>,
    /// Of the file of names.
    pub names_no: u32,
    pub names_bytes: u64,
    names_began_bytes: u64,
    /// Names were dropped: only a new file of names makes that good.
    names_incomplete: bool,
    /// Records were dropped: only a new log makes that good.
    incomplete: bool,
    failing: bool,
    wait: u32,
    warned_read: Cell<bool>,
}

pub(crate) fn log_name(no: u32) -> String {
    format!("log-{no:08}")
}

/// The first file of names has no number.
pub(crate) fn names_name(no: u32) -> String {
    if no == 0 { SERIES.into() } else { format!("{SERIES}-{no:08}") }
}

pub(crate) fn body_name(tier: u8, span: u32) -> String {
    format!("{}s-{span:06}.chunks", TIERS[usize::from(tier)].0)
}

pub(crate) fn index_name(tier: u8, span: u32) -> String {
    format!("{}s-{span:06}.index", TIERS[usize::from(tier)].0)
}

/// An index's tier and span by its name.
pub(crate) fn index_of(name: &str) -> Option<(u8, u32)> {
    let (length, span) = name.strip_suffix(".index")?.split_once("s-")?;
    let length: i64 = length.parse().ok()?;
    let tier = TIERS.iter().position(|(l, _)| *l == length)?;
    Some((tier as u8, span.parse().ok()?))
}

fn span_of(tier: u8, slot: u32) -> u32 {
    let at = usize::from(tier);
    u32::try_from(i64::from(slot) * TIERS[at].0 / SPANS[at]).unwrap_or(u32::MAX)
}

/// Length, checksum, number of the batch, records.
pub(crate) fn frame(batch: u64, records: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() + 16);
    let length = u32::try_from(records.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&batch.to_le_bytes());
    crc.update(records);
    out.extend_from_slice(&crc.finalize().to_le_bytes());
    out.extend_from_slice(&batch.to_le_bytes());
    out.extend_from_slice(records);
    out
}

/// The frames of some bytes, each with its batch; and how many bytes are good.
pub(crate) fn frames(bytes: &[u8]) -> (Vec<(u64, &[u8])>, usize) {
    let mut all = Vec::new();
    let mut reader = bytes::Reader(bytes);
    let mut good = 0;
    while let Some((batch, records)) = next_frame(&mut reader) {
        all.push((batch, records));
        good = bytes.len() - reader.0.len();
    }
    (all, good)
}

fn next_frame<'a>(reader: &mut bytes::Reader<'a>) -> Option<(u64, &'a [u8])> {
    let (length, crc) = (reader.u32()?, reader.u32()?);
    let batch = reader.take(8)?;
    let records = reader.take(length as usize)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(batch);
    hasher.update(records);
    (hasher.finalize() == crc).then_some((u64::from_le_bytes(batch.try_into().ok()?), records))
}

/// A chunk as an index has it; a length of 0 says that it is gone.
pub(crate) struct Entry {
    pub series: u32,
    pub no: u32,
    pub first: u32,
    pub last: u32,
    pub count: u32,
    pub length: u32,
    pub offset: u64,
    pub crc: u32,
    pub batch: u64,
}

impl Entry {
    fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        for number in [self.series, self.no, self.first, self.last, self.count, self.length, self.crc] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.batch.to_le_bytes());
        let crc = crc32fast::hash(&out[from..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (content, crc) = bytes.split_at_checked(ENTRY_BYTES - 4)?;
        if crc32fast::hash(content).to_le_bytes() != crc {
            return None;
        }
        let mut r = bytes::Reader(content);
        let (series, no, first, last, count) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?, r.u32()?);
        let (length, crc, offset, batch) = (r.u32()?, r.u32()?, r.u64()?, r.u64()?);
        Some(Self { series, no, first, last, count, length, offset, crc, batch })
    }
}

fn note_name(out: &mut Vec<u8>, id: u32, metric: &Metric, unit: &str) {
    out.push(ADDED);
    put_varint(out, id.into());
    put_text(out, unit);
    put_text(out, &metric.namespace);
    put_text(out, &metric.name);
    put_varint(out, metric.dimensions.len() as u64);
    for (name, value) in &metric.dimensions {
        put_text(out, name);
        put_text(out, value);
    }
}

/// Gives how many bytes that is.
fn append(keep: &mut dyn Keep, name: &str, bytes: &[u8]) -> io::Result<u64> {
    keep.append(name, bytes)?;
    Ok(bytes.len() as u64)
}

type AllSeries = [Option<Box<Series>>];

impl Log {
    pub(crate) fn new(keep: Box<dyn Keep>) -> Self {
        Self {
            keep,
            batch: 1,
            no: 0,
            size_bytes: 0,
            began_bytes: 0,
            files: BTreeMap::new(),
            names: Vec::new(),
            names_no: 0,
            names_bytes: 0,
            names_began_bytes: 0,
            names_incomplete: false,
            incomplete: false,
            failing: false,
            wait: 0,
            warned_read: Cell::new(false),
        }
    }

    pub(crate) fn note_series(&mut self, id: u32, metric: &Metric, unit: &str) {
        note_name(&mut self.names, id, metric, unit);
    }

    pub(crate) fn note_forgotten(&mut self, id: u32) {
        self.names.push(FORGOTTEN);
        put_varint(&mut self.names, id.into());
    }

    /// A chunk's bytes; none, with one warning, when they cannot be read or are not what was written.
    pub(crate) fn fetch(&self, place: Place) -> Option<Vec<u8>> {
        let read = self.keep.read(&body_name(place.tier, place.span), place.offset, place.length as usize);
        let good = read.as_ref().is_ok_and(|bytes| crc32fast::hash(bytes) == place.crc);
        if !good && !self.warned_read.replace(true) {
            let error = read.as_ref().err().map(ToString::to_string).unwrap_or_else(|| "the bytes are damaged".into());
            tracing::warn!(file = body_name(place.tier, place.span), error, "some metrics cannot be read");
        }
        read.ok().filter(|_| good)
    }

    /// Writes what is new. A failure is logged once; what could not be written is written later.
    pub(crate) fn keep(&mut self, series: &mut AllSeries, notes: &mut Vec<u8>, dead: &mut Vec<Dead>) {
        if notes.is_empty() && self.names.is_empty() && !self.incomplete && !self.names_incomplete {
            return;
        }
        if self.wait > 0 {
            self.wait -= 1;
        } else {
            match self.write(series, notes, dead) {
                Ok(()) if self.failing => {
                    tracing::info!("metrics can be written again");
                    self.failing = false;
                }
                Ok(()) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::error!(%error, "metrics cannot be written; they are kept in memory until they can");
                    }
                    self.wait = RETRY_CALLS;
                }
            }
        }
        if notes.len() > WAITING_BYTES_MAX {
            notes.clear();
            self.incomplete = true;
        }
        if self.names.len() > WAITING_BYTES_MAX {
            self.names.clear();
            self.names_incomplete = true;
        }
    }

    fn write(&mut self, series: &mut AllSeries, notes: &mut Vec<u8>, dead: &mut Vec<Dead>) -> io::Result<()> {
        if self.names_incomplete {
            self.start_names_anew(series)?;
        } else if !self.names.is_empty() {
            self.names_bytes += append(&mut *self.keep, &names_name(self.names_no), &frame(self.batch, &self.names))?;
            self.names.clear();
        }
        if !notes.is_empty() && !self.incomplete {
            let bytes = frame(self.batch, notes);
            self.keep.append(&log_name(self.no), &bytes)?;
            self.size_bytes += bytes.len() as u64;
            self.batch += 1;
            notes.clear();
        }
        if self.incomplete || self.size_bytes > LOG_BYTES_MAX.max(self.began_bytes * LOG_GROWTH_MAX) {
            self.start_anew(series, dead)?;
            self.incomplete = false;
            notes.clear();
        }
        if self.names_bytes > NAMES_BYTES_MAX.max(self.names_began_bytes * LOG_GROWTH_MAX) {
            self.start_names_anew(series)?;
        }
        Ok(())
    }

    /// Begins a file of names with those that are in use: else it would hold those of every instance there ever was. It counts
    /// once it is whole.
    fn start_names_anew(&mut self, series: &AllSeries) -> io::Result<()> {
        let (old, new) = (names_name(self.names_no), names_name(self.names_no + 1));
        self.keep.remove(&new)?;
        let (mut size_bytes, mut records) = (0, Vec::new());
        for (id, series) in series.iter().enumerate().filter_map(|(id, s)| Some((id as u32, s.as_ref()?))) {
            note_name(&mut records, id, &series.metric, &series.unit);
            if records.len() > NAMES_FRAME_BYTES {
                size_bytes += append(&mut *self.keep, &new, &frame(self.batch, &records))?;
                records.clear();
            }
        }
        let mut bytes = frame(self.batch, &records);
        records = vec![WHOLE];
        put_varint(&mut records, series.len() as u64);
        bytes.extend(frame(self.batch, &records));
        size_bytes += append(&mut *self.keep, &new, &bytes)?;
        self.keep.sync(&new)?;
        self.names_no += 1;
        (self.names_bytes, self.names_began_bytes) = (size_bytes, size_bytes);
        self.names_incomplete = false;
        self.names.clear();
        self.keep.remove(&old)
    }

    /// Writes closed chunks to their files and begins a log with what is open. The new log is what makes the chunks count:
    /// what an index holds of later batches than the log began with is passed over by who reads it back.
    fn start_anew(&mut self, series: &mut AllSeries, dead: &mut Vec<Dead>) -> io::Result<()> {
        self.write_chunks(series)?;
        self.bury(dead)?;
        let mut bytes = Vec::new();
        let mut records = Vec::new();
        for (id, series) in series.iter().enumerate().filter_map(|(id, s)| Some((id as u32, s.as_ref()?))) {
            for (tier, all) in series.tiers.iter().enumerate().filter(|(_, t)| t.next_no > 0 || !t.is_empty()) {
                note_chunk(&mut records, NEXT, tier, id, all.next_no);
                for point in &all.head {
                    note_sample(&mut records, SET, tier, id, point.slot, point.held.seen());
                }
            }
            if records.len() > 1 << 20 {
                bytes.extend(frame(self.batch, &records));
                records.clear();
            }
        }
        note_chunk(&mut records, COMPLETE, 0, 0, 0);
        bytes.extend(frame(self.batch, &records));
        let (old, new) = (log_name(self.no), log_name(self.no + 1));
        self.keep.remove(&new)?;
        self.keep.append(&new, &bytes)?;
        self.keep.sync(&new)?;
        self.batch += 1;
        self.no += 1;
        (self.size_bytes, self.began_bytes) = (bytes.len() as u64, bytes.len() as u64);
        self.keep.remove(&old)?;
        let empty: Vec<_> = self.files.iter().filter(|(_, f)| f.live == 0).map(|(file, _)| *file).collect();
        empty.into_iter().try_for_each(|(tier, span)| self.remove_file(tier, span))?;
        self.make_room(series)
    }

    fn write_chunks(&mut self, series: &mut AllSeries) -> io::Result<()> {
        // By file: which chunks, by series and place.
        let mut by_file: BTreeMap<(u8, u32), Vec<(usize, usize)>> = BTreeMap::new();
        for (id, series) in series.iter().enumerate().filter_map(|(id, s)| Some((id, s.as_ref()?))) {
            for (tier, all) in series.tiers.iter().enumerate() {
                for (at, chunk) in all.chunks.iter().enumerate().filter(|(_, c)| matches!(c.body, Body::Memory(_))) {
                    let span = chunk.kept_in.unwrap_or_else(|| span_of(tier as u8, chunk.last));
                    by_file.entry((tier as u8, span)).or_default().push((id, at));
                }
            }
        }
        for ((tier, span), chunks) in by_file {
            self.write_file(series, tier, span, &chunks)?;
        }
        Ok(())
    }

    fn write_file(&mut self, series: &mut AllSeries, tier: u8, span: u32, chunks: &[(usize, usize)]) -> io::Result<()> {
        let mut body = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        for (id, at) in chunks {
            let Some(chunk) = series[*id].as_ref().map(|s| &s.tiers[usize::from(tier)].chunks[*at]) else { continue };
            let Body::Memory(bytes) = &chunk.body else { continue };
            let (series, length) = (*id as u32, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            let (offset, crc) = (body.len() as u64, crc32fast::hash(bytes));
            let &crate::tier::Chunk { no, first, last, count, .. } = chunk;
            entries.push(Entry { series, no, first, last, count, length, offset, crc, batch: self.batch });
            body.extend_from_slice(bytes);
        }
        let base = self.keep.append(&body_name(tier, span), &body)?;
        let mut index = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for entry in &mut entries {
            entry.offset += base;
            entry.write(&mut index);
        }
        self.keep.append(&index_name(tier, span), &index)?;
        self.keep.sync(&body_name(tier, span))?;
        self.keep.sync(&index_name(tier, span))?;
        let kept = self.files.entry((tier, span)).or_default();
        kept.size_bytes += (body.len() + index.len()) as u64;
        for (entry, (id, at)) in entries.iter().zip(chunks) {
            let Some(chunk) = series[*id].as_mut().map(|s| &mut s.tiers[usize::from(tier)].chunks[*at]) else { continue };
            kept.live += u32::from(chunk.kept_in.is_none());
            chunk.kept_in = None;
            chunk.body = Body::Kept(Place { tier, span, offset: entry.offset, length: entry.length, crc: entry.crc });
        }
        Ok(())
    }

    /// Takes down which kept chunks are gone.
    fn bury(&mut self, dead: &mut Vec<Dead>) -> io::Result<()> {
        let mut by_file: BTreeMap<(u8, u32), Vec<u8>> = BTreeMap::new();
        for Dead { series, tier, no, span } in dead.iter().copied() {
            let index = by_file.entry((tier, span)).or_default();
            let batch = self.batch;
            Entry { series, no, first: 0, last: 0, count: 0, length: 0, offset: 0, crc: 0, batch }.write(index);
        }
        for ((tier, span), index) in by_file {
            if let Some(kept) = self.files.get_mut(&(tier, span)) {
                self.keep.append(&index_name(tier, span), &index)?;
                kept.size_bytes += index.len() as u64;
                kept.live = kept.live.saturating_sub((index.len() / ENTRY_BYTES) as u32);
            }
            dead.retain(|d| (d.tier, d.span) != (tier, span));
        }
        Ok(())
    }

    fn remove_file(&mut self, tier: u8, span: u32) -> io::Result<()> {
        self.keep.remove(&index_name(tier, span))?;
        self.keep.remove(&body_name(tier, span))?;
        self.files.remove(&(tier, span));
        Ok(())
    }

    fn make_room(&mut self, series: &mut AllSeries) -> io::Result<()> {
        while self.files.values().map(|f| f.size_bytes).sum::<u64>() > KEPT_BYTES_MAX {
            let size = |tier| self.files.iter().filter(|((t, _), _)| *t == tier).map(|(_, f)| f.size_bytes).sum::<u64>();
            let Some(tier) = (0..4u8).max_by_key(|tier| size(*tier)) else { return Ok(()) };
            let Some((_, span)) = self.files.keys().find(|(t, _)| *t == tier).copied() else { return Ok(()) };
            tracing::warn!(file = body_name(tier, span), KEPT_BYTES_MAX, "the oldest metrics go, for there are too many");
            for series in series.iter_mut().flatten() {
                series.tiers[usize::from(tier)].chunks.retain(|c| c.kept_span() != Some(span));
            }
            self.remove_file(tier, span)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io;

    use super::{Log, WAITING_BYTES_MAX};
    use crate::keep::{Keep, MemoryKeep};
    use crate::{Metric, Store};

    /// A disk that is full.
    struct Full;

    impl Keep for Full {
        fn list(&self) -> io::Result<Vec<(String, u64)>> {
            Ok(Vec::new())
        }
        fn append(&mut self, _: &str, _: &[u8]) -> io::Result<u64> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn sync(&mut self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn read(&self, _: &str, _: u64, _: usize) -> io::Result<Vec<u8>> {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
        fn cut(&mut self, _: &str, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn remove(&mut self, _: &str) -> io::Result<()> {
            Ok(())
        }
    }

    /// Metrics come and go with instances, however long nothing can be written.
    #[test]
    fn names_that_wait_for_room_on_the_disk_are_bounded() {
        let (mut store, keep) = (Store::default(), MemoryKeep::default());
        store.log = Some(Log::new(Box::new(Full)));
        store.notes = Some(Vec::new());
        let of = |n: u32| Metric::new("Own", &"x".repeat(200), &[("Number", &n.to_string())]);
        store.id(&of(0), "Percent").unwrap();
        for n in 1..30_000 {
            store.id(&of(n), "Percent").unwrap();
            let metric = store.order.get(&of(n)).cloned().unwrap();
            store.forget(&metric);
            if n % 200 == 0 {
                kernel::Store::keep(&mut store);
                assert!(store.log.as_ref().unwrap().names.len() <= WAITING_BYTES_MAX);
            }
        }
        store.log.as_mut().unwrap().keep = Box::new(keep.clone());
        (0..=super::RETRY_CALLS).for_each(|_| kernel::Store::keep(&mut store));
        let reopened = Store::open(Box::new(keep)).unwrap();
        assert_eq!(reopened.metrics().collect::<Vec<_>>(), [&of(0)]);
        assert_eq!(reopened.series.len(), store.series.len(), "no number is given twice");
    }
}
