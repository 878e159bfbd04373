//! One series at one granularity: closed chunks of points, and the open head that takes new ones. It owns how points lie
//! together, never how long they stay.

use crate::bytes::{decode, encode};
use crate::keep::Place;
use crate::point::{Point, Seen, insert};

/// Points of a chunk: two hours of minutes.
const CHUNK_POINTS: usize = 120;
/// A chunk that late samples made longer is split.
const CHUNK_POINTS_MAX: usize = 2 * CHUNK_POINTS;

/// Where a chunk's bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Memory(Box<[u8]>),
    Kept(Place),
}

/// A closed run of points.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// Unique within its tier, through all its changes.
    pub no: u32,
    pub first: u32,
    /// Inclusive.
    pub last: u32,
    pub count: u32,
    pub body: Body,
    /// What is kept of it is older than `body`: the file that the new form must go to.
    pub kept_in: Option<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Tier {
    /// In order of time, without overlap.
    pub chunks: Vec<Chunk>,
    /// In order of time, all later than every chunk.
    pub head: Vec<Point>,
    pub next_no: u32,
}

/// Reads a chunk that is kept outside.
pub(crate) type Fetch<'a> = &'a dyn Fn(Place) -> Option<Vec<u8>>;

impl Chunk {
    /// The file that holds some form of it.
    pub(crate) fn kept_span(&self) -> Option<u32> {
        if let Body::Kept(place) = self.body { Some(place.span) } else { self.kept_in }
    }

    /// Calls `each` for its points; false when they cannot be read.
    pub(crate) fn visit(&self, fetch: Fetch, each: &mut dyn FnMut(u32, Seen)) -> bool {
        match &self.body {
            Body::Memory(bytes) => decode(self.first, self.count, bytes, each),
            Body::Kept(place) => fetch(*place).is_some_and(|bytes| decode(self.first, self.count, &bytes, each)),
        }
    }
}

impl Tier {
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.head.is_empty()
    }

    /// The newest slot of any point.
    pub(crate) fn last(&self) -> Option<u32> {
        self.head.last().map(|p| p.slot).or_else(|| self.chunks.last().map(|c| c.last))
    }

    /// Takes a sample in. False when it belongs into a chunk that cannot be read.
    pub(crate) fn put(&mut self, slot: u32, sample: Seen, fetch: Fetch) -> bool {
        if self.chunks.last().is_some_and(|c| slot <= c.last) {
            return self.put_late(slot, sample, fetch);
        }
        insert(&mut self.head, slot, sample);
        true
    }

    pub(crate) fn head_is_full(&self) -> bool {
        self.head.len() > CHUNK_POINTS
    }

    /// Closes the head, all of it or all but the newest point, which is likely to change. Gives the new chunk's number.
    pub(crate) fn close(&mut self, whole: bool) -> Option<u32> {
        let count = if whole { self.head.len() } else { self.head.len().saturating_sub(1) };
        let points = &self.head[..count];
        let chunk = new_chunk(self.next_no, points)?;
        let no = chunk.no;
        self.next_no += 1;
        self.chunks.push(chunk);
        self.head.drain(..count);
        Some(no)
    }

    fn put_late(&mut self, slot: u32, sample: Seen, fetch: Fetch) -> bool {
        let at = self.chunks.partition_point(|c| c.first <= slot).saturating_sub(1);
        let old = &self.chunks[at];
        let mut points = Vec::with_capacity(old.count as usize + 1);
        if !old.visit(fetch, &mut |slot, seen| points.push(Point { slot, held: seen.held() })) {
            return false;
        }
        insert(&mut points, slot, sample);
        let split = if points.len() > CHUNK_POINTS_MAX { points.len() / 2 } else { points.len() };
        let no = old.no;
        let kept_in = old.kept_span();
        if let Some(left) = new_chunk(no, &points[..split]) {
            self.chunks[at] = Chunk { kept_in, ..left };
        }
        if let Some(right) = new_chunk(self.next_no, &points[split..]) {
            self.next_no += 1;
            self.chunks.insert(at + 1, right);
        }
        true
    }

    /// Takes out the first chunk when all of it is before `slot`.
    pub(crate) fn take_before(&mut self, slot: u32) -> Option<Chunk> {
        if self.chunks.first()?.last >= slot {
            return None;
        }
        Some(self.chunks.remove(0))
    }

    /// Calls `each` for the points from `from` to `until` (exclusive), in order; false when some cannot be read.
    pub(crate) fn visit(&self, from: u32, until: u32, fetch: Fetch, each: &mut dyn FnMut(u32, Seen)) -> bool {
        let mut whole = true;
        let first = self.chunks.partition_point(|c| c.last < from);
        for chunk in self.chunks[first..].iter().take_while(|c| c.first < until) {
            whole &= chunk.visit(fetch, &mut |slot, seen| {
                if (from..until).contains(&slot) {
                    each(slot, seen);
                }
            });
        }
        let first = self.head.partition_point(|p| p.slot < from);
        for point in self.head[first..].iter().take_while(|p| p.slot < until) {
            each(point.slot, point.held.seen());
        }
        whole
    }
}

fn new_chunk(no: u32, points: &[Point]) -> Option<Chunk> {
    let (first, last) = (points.first()?.slot, points.last()?.slot);
    let body = Body::Memory(encode(points).into_boxed_slice());
    Some(Chunk { no, first, last, count: u32::try_from(points.len()).ok()?, body, kept_in: None })
}
