//! Reads back what a store has kept: names, indexes of chunks, and the logs. What is torn at an end is cut off, what is
//! damaged is left out, each with a warning.

use std::io;
use std::sync::Arc;

use crate::bytes::{Reader, read_sample};
use crate::keep::{Keep, Place};
use crate::log::{
    ADDED, ENTRY_BYTES, Entry, FORGOTTEN, Kept, Log, SERIES, WHOLE, body_name, frames, index_of, log_name, names_name,
};
use crate::series::{CLOSED, CLOSED_WHOLE, COMPLETE, Dead, NEXT, PUT, SET, TAKEN, TIERS};
use crate::tier::{Body, Chunk};
use crate::{Metric, Store};

/// Most dimensions that are read of one metric.
const DIMENSIONS_MAX: u64 = 64;

/// A chunk as it comes from an index, with the batch that wrote it.
type Found = Vec<(u32, u8, u64, Chunk)>;

pub(crate) fn load(store: &mut Store, keep: Box<dyn Keep>) -> io::Result<()> {
    let mut log = Log::new(keep);
    let files = log.keep.list()?;
    let size = |name: &str| files.iter().find(|(n, _)| n == name).map_or(0, |(_, size)| *size);
    names(store, &mut log, &files)?;
    let records = newest_log(&mut log, &files)?;
    let began = match &records {
        Some(records) if log.no > 0 => frames(records).0.first().map_or(0, |(batch, _)| *batch),
        Some(_) => 0,
        // The log is lost; what was written to files is better than nothing.
        None => u64::MAX,
    };
    let mut found = Found::new();
    for (name, size_bytes) in &files {
        if let Some(file) = index_of(name) {
            index(&mut log, &mut found, file, (name, *size_bytes), size(&body_name(file.0, file.1)), began)?;
        }
    }
    place(store, &mut log, found);
    store.log = Some(log);
    for (batch, records) in frames(&records.unwrap_or_default()).0 {
        replay(store, batch, records);
    }
    store.series.iter_mut().flatten().for_each(|series| series.find_newest());
    Ok(())
}

/// Puts chunks to their series. Of one number the last form counts; what is gone has no points.
fn place(store: &mut Store, log: &mut Log, mut found: Found) {
    found.sort_by_key(|(series, tier, batch, chunk)| (*series, *tier, chunk.no, std::cmp::Reverse(*batch)));
    found.dedup_by_key(|(series, tier, _, chunk)| (*series, *tier, chunk.no));
    for (series, tier, _, chunk) in found {
        let Some(series) = store.series.get_mut(series as usize).and_then(Option::as_mut) else { continue };
        let tier = &mut series.tiers[usize::from(tier)];
        tier.next_no = tier.next_no.max(chunk.no + 1);
        if let (true, Body::Kept(place)) = (chunk.count > 0, &chunk.body) {
            log.files.entry((place.tier, place.span)).or_default().live += 1;
            tier.chunks.push(chunk);
        }
    }
    for tier in store.series.iter_mut().flatten().flat_map(|s| &mut s.tiers) {
        tier.chunks.sort_by_key(|c| c.first);
    }
}

/// The bytes of the newest log that is whole at its beginning; later ones, and older ones, were not yet or no longer needed
/// when the process ended.
fn newest_log(log: &mut Log, files: &[(String, u64)]) -> io::Result<Option<Vec<u8>>> {
    let number = |(name, size): &(String, u64)| Some((name.strip_prefix("log-")?.parse::<u32>().ok()?, *size));
    let mut numbers: Vec<(u32, u64)> = files.iter().filter_map(number).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let mut newest = None;
    for (no, size_bytes) in numbers {
        if newest.is_some() {
            log.keep.remove(&log_name(no))?;
            continue;
        }
        let bytes = read_frames(log.keep.as_mut(), &log_name(no), size_bytes)?;
        let (all, good) = frames(&bytes);
        if no > 0 && !all.iter().any(|(_, records)| records.ends_with(&[COMPLETE, 0, 0, 0])) {
            tracing::warn!(file = log_name(no), "a log of metrics was not finished; the one before it is read");
            log.keep.remove(&log_name(no))?;
            continue;
        }
        log.no = no;
        log.size_bytes = good as u64;
        log.batch = log.batch.max(all.last().map_or(0, |(batch, _)| batch + 1));
        newest = Some(bytes);
    }
    Ok(newest)
}

/// Reads a file of frames and cuts off what is torn.
fn read_frames(keep: &mut dyn Keep, name: &str, size_bytes: u64) -> io::Result<Vec<u8>> {
    if size_bytes == 0 {
        return Ok(Vec::new());
    }
    let mut bytes = keep.read(name, 0, usize::try_from(size_bytes).unwrap_or(usize::MAX))?;
    let (_, good) = frames(&bytes);
    if good < bytes.len() {
        tracing::warn!(file = name, bytes = bytes.len() - good, "the torn end of kept metrics was cut off");
        keep.cut(name, good as u64)?;
        bytes.truncate(good);
    }
    Ok(bytes)
}

/// Reads the newest file of names that is whole at its beginning, or the only one; others were not yet or no longer needed.
fn names(store: &mut Store, log: &mut Log, files: &[(String, u64)]) -> io::Result<()> {
    let number = |name: &str| if name == SERIES { Some(0) } else { name.strip_prefix(SERIES)?.strip_prefix('-')?.parse().ok() };
    let mut all: Vec<(u32, u64)> = files.iter().filter_map(|(name, size)| Some((number(name)?, *size))).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    let mut newest = None;
    for (at, (no, size_bytes)) in all.iter().enumerate() {
        let name = names_name(*no);
        if newest.is_some() {
            log.keep.remove(&name)?;
            continue;
        }
        let bytes = read_frames(log.keep.as_mut(), &name, *size_bytes)?;
        let is_whole = frames(&bytes).0.iter().any(|(_, records)| records.first() == Some(&WHOLE));
        if *no > 0 && !is_whole && at + 1 < all.len() {
            tracing::warn!(file = name, "a file of names of metrics was not finished; the one before it is read");
            log.keep.remove(&name)?;
            continue;
        }
        (log.names_no, log.names_bytes) = (*no, bytes.len() as u64);
        newest = Some(bytes);
    }
    for (batch, records) in frames(&newest.unwrap_or_default()).0 {
        log.batch = log.batch.max(batch + 1);
        let mut reader = Reader(records);
        while !reader.is_empty() && name(store, &mut reader).is_some() {}
    }
    Ok(())
}

fn name(store: &mut Store, reader: &mut Reader) -> Option<()> {
    let kind = reader.byte()?;
    let id = reader.varint_u32()?;
    match kind {
        ADDED => {
            let (unit, namespace, name) = (reader.text()?, reader.text()?, reader.text()?);
            let count = reader.varint().filter(|n| *n <= DIMENSIONS_MAX)?;
            let dimensions = (0..count).map(|_| Some((reader.text()?, reader.text()?))).collect::<Option<_>>()?;
            let metric = Metric { namespace, name, dimensions };
            // Numbers that are missing belong to names that are gone or lost: nobody can ask for them.
            give_numbers(store, id);
            let first = store.by_metric.get(&metric).copied();
            let id = store.add(&metric, &unit);
            let mut at = first;
            while let Some(other) = at.and_then(|at| store.series[at as usize].as_mut()) {
                at = other.next_unit;
                if at.is_none() {
                    other.next_unit = Some(id);
                }
            }
        }
        FORGOTTEN => {
            let metric: Option<Arc<Metric>> = store.series.get(id as usize)?.as_ref().map(|s| s.metric.clone());
            if let Some(metric) = metric {
                store.forget(&metric);
            }
        }
        WHOLE => give_numbers(store, id),
        _ => return None,
    }
    Some(())
}

/// All numbers below `next` were given.
fn give_numbers(store: &mut Store, next: u32) {
    while store.series.len() < next as usize {
        store.series.push(None);
    }
}

/// Reads an index as far as it counts: until the batch with which the log began.
fn index(
    log: &mut Log,
    found: &mut Found,
    file: (u8, u32),
    (name, size_bytes): (&str, u64),
    body_bytes: u64,
    began: u64,
) -> io::Result<()> {
    let (tier, span) = file;
    let bytes = log.keep.read(name, 0, usize::try_from(size_bytes).unwrap_or(usize::MAX))?;
    let (mut good, mut torn) = (0, false);
    for bytes in bytes.chunks(ENTRY_BYTES) {
        let entry = Entry::read(bytes);
        torn = entry.is_none();
        let Some(entry) = entry.filter(|e| e.batch <= began) else { break };
        good += ENTRY_BYTES;
        log.batch = log.batch.max(entry.batch + 1);
        let Entry { series, no, first, last, count, length, offset, crc, batch } = entry;
        if offset + u64::from(length) <= body_bytes {
            let body = Body::Kept(Place { tier, span, offset, length, crc });
            found.push((series, tier, batch, Chunk { no, first, last, count, body, kept_in: None }));
        } else {
            tracing::warn!(file = name, "a part of kept metrics is missing");
        }
    }
    if good < bytes.len() {
        if torn {
            tracing::warn!(file = name, bytes = bytes.len() - good, "the torn end of an index of metrics was cut off");
        }
        log.keep.cut(name, good as u64)?;
    }
    log.files.insert(file, Kept { live: 0, size_bytes: body_bytes + good as u64 });
    Ok(())
}

fn replay(store: &mut Store, batch: u64, records: &[u8]) {
    let mut reader = Reader(records);
    while !reader.is_empty() {
        if record(store, &mut reader).is_none() {
            tracing::warn!(batch, "a record of kept metrics is not understood; the rest of its batch is left out");
            return;
        }
    }
}

/// Does again what a record says was done.
fn record(store: &mut Store, reader: &mut Reader) -> Option<()> {
    let kind = reader.byte()?;
    let tier = reader.byte().map(usize::from).filter(|t| *t < TIERS.len())?;
    let id = reader.varint_u32()?;
    let number = reader.varint_u32()?;
    let held = if matches!(kind, PUT | SET) { Some(read_sample(reader)?) } else { None };
    let log = &store.log;
    let fetch = |place| log.as_ref().and_then(|log| log.fetch(place));
    // A series whose name was lost, or that was forgotten since.
    let Some(series) = store.series.get_mut(id as usize).and_then(Option::as_mut) else { return Some(()) };
    let all = &mut series.tiers[tier];
    match (kind, held) {
        (PUT | SET, Some(held)) => {
            all.put(number, held.seen(), &fetch);
        }
        (CLOSED | CLOSED_WHOLE, _) => {
            all.next_no = number;
            all.close(kind == CLOSED_WHOLE);
        }
        (TAKEN, _) => {
            if let Some(at) = all.chunks.iter().position(|c| c.no == number) {
                let span = all.chunks.remove(at).kept_span();
                store.dead.extend(span.map(|span| Dead { series: id, tier: tier as u8, no: number, span }));
            }
        }
        (NEXT, _) => all.next_no = number,
        (COMPLETE, _) => {}
        _ => return None,
    }
    Some(())
}
