//! Samples as bytes: short, and read back without trust in them. It owns the form, never where the bytes lie.

use crate::Sample;
use crate::point::{Held, Point, Seen};

/// Most buckets that are read of one sample.
const BUCKETS_MAX: u64 = 65_536;

pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A reader that gives nothing at the end, rather than failing.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    pub(crate) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn varint_u32(&mut self) -> Option<u32> {
        self.varint()?.try_into().ok()
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.varint()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A sample of any kind, by itself.
pub(crate) fn put_sample(out: &mut Vec<u8>, sample: Seen) {
    match sample {
        Seen::One(value) => {
            out.push(0);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Seen::Many(sample) => {
            out.push(1);
            for number in [sample.count, sample.sum, sample.min, sample.max] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            put_buckets(out, &sample.buckets);
        }
    }
}

/// Buckets by their distance to the one before; counts are mostly small and whole.
fn put_buckets(out: &mut Vec<u8>, buckets: &[(i16, f64)]) {
    put_varint(out, buckets.len() as u64);
    let mut before = i64::from(i16::MIN);
    for (bucket, count) in buckets {
        put_varint(out, (i64::from(*bucket) - before) as u64);
        before = i64::from(*bucket);
        if count.fract() == 0.0 && (0.0..1e15).contains(count) {
            put_varint(out, (*count as u64) << 1);
        } else {
            out.push(1);
            out.extend_from_slice(&count.to_le_bytes());
        }
    }
}

pub(crate) fn read_sample(reader: &mut Reader) -> Option<Held> {
    if reader.byte()? == 0 {
        return reader.f64().map(Held::One);
    }
    let mut sample = Sample::default();
    read_many(reader, &mut sample)?;
    Some(Held::Many(Box::new(sample)))
}

fn read_many(reader: &mut Reader, into: &mut Sample) -> Option<()> {
    (into.count, into.sum, into.min, into.max) = (reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?);
    into.buckets.clear();
    let mut bucket = i64::from(i16::MIN);
    for _ in 0..reader.varint().filter(|n| *n <= BUCKETS_MAX)? {
        bucket = bucket.checked_add(i64::try_from(reader.varint()?).ok()?)?;
        let count = match reader.varint()? {
            1 => reader.f64()?,
            twice => (twice >> 1) as f64,
        };
        into.buckets.push((i16::try_from(bucket).ok()?, count));
    }
    Some(())
}

/// Each period follows the one before.
const GAPLESS: u8 = 1;
/// Each sample is a single value.
const SINGLE: u8 = 2;

/// A run of points, without the first one's slot.
pub(crate) fn encode(points: &[Point]) -> Vec<u8> {
    let gapless = points.windows(2).all(|pair| pair[1].slot == pair[0].slot + 1);
    let single = points.iter().all(|p| matches!(p.held, Held::One(_)));
    let mut out = Vec::with_capacity(points.len() * 9 + 1);
    out.push((u8::from(gapless) * GAPLESS) | (u8::from(single) * SINGLE));
    let (mut before, mut bits) = (None, 0);
    for point in points {
        if let (false, Some(before)) = (gapless, before) {
            put_varint(&mut out, u64::from(point.slot - before));
        }
        before = Some(point.slot);
        match &point.held {
            Held::One(value) => put_value(&mut out, &mut bits, *value),
            Held::Many(sample) => {
                out.push(MANY);
                put_sample(&mut out, Seen::Many(sample));
            }
        }
    }
    out.shrink_to_fit();
    out
}

/// Instead of the head of a value: a whole sample follows.
const MANY: u8 = 0xff;

/// A value by the bytes in which it differs from the one before: a head with how many there are and how many zero bytes
/// follow them, then those bytes.
fn put_value(out: &mut Vec<u8>, before: &mut u64, value: f64) {
    let difference = value.to_bits() ^ *before;
    *before = value.to_bits();
    if difference == 0 {
        out.push(0);
        return;
    }
    let (leading, trailing) = (difference.leading_zeros() / 8, difference.trailing_zeros() / 8);
    let count = 8 - leading - trailing;
    out.push((trailing << 4 | count) as u8);
    let bytes = (difference >> (trailing * 8)).to_le_bytes();
    out.extend_from_slice(&bytes[..count as usize]);
}

fn read_value(reader: &mut Reader, head: u8, before: &mut u64) -> Option<f64> {
    let (trailing, count) = (u32::from(head >> 4), usize::from(head & 15));
    if count > 8 || trailing > 7 {
        return None;
    }
    let mut bytes = [0; 8];
    bytes[..count].copy_from_slice(reader.take(count)?);
    *before ^= u64::from_le_bytes(bytes) << (trailing * 8);
    Some(f64::from_bits(*before))
}

/// Reads a run of `count` points back; false when the bytes are none.
pub(crate) fn decode(first: u32, count: u32, body: &[u8], mut each: impl FnMut(u32, Seen)) -> bool {
    let mut reader = Reader(body);
    let mut scratch = Sample::default();
    let mut run = || {
        let flags = reader.byte()?;
        let (mut slot, mut bits) = (first, 0);
        for n in 0..count {
            if n > 0 {
                let step = if flags & GAPLESS == 0 { reader.varint_u32()? } else { 1 };
                slot = slot.checked_add(step)?;
            }
            match reader.byte()? {
                MANY => {
                    reader.byte().filter(|kind| *kind == 1)?;
                    read_many(&mut reader, &mut scratch)?;
                    each(slot, Seen::Many(&scratch));
                }
                head => each(slot, Seen::One(read_value(&mut reader, head, &mut bits)?)),
            }
        }
        Some(())
    };
    run().is_some()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::Sample;
    use crate::point::{Held, Point};

    fn check(points: &[Point]) -> usize {
        let bytes = encode(points);
        let mut back = Vec::new();
        assert!(decode(points[0].slot, points.len() as u32, &bytes, |slot, seen| back.push(Point { slot, held: seen.held() })));
        assert_eq!(back, points);
        for cut in 0..bytes.len() {
            assert!(!decode(points[0].slot, points.len() as u32, &bytes[..cut], |_, _| ()), "cut at {cut}");
        }
        bytes.len()
    }

    #[test]
    fn runs_of_points_come_back_and_torn_ones_are_noticed() {
        let one = |slot, value| Point { slot, held: Held::One(value) };
        let many = |slot, sample| Point { slot, held: Held::Many(Box::new(sample)) };
        let steady: Vec<_> = (0..120).map(|n| one(1_000 + n, 42.0)).collect();
        assert_eq!(check(&steady), 1 + 120 + 2, "a value that stays takes a byte");
        check(&[one(1, 0.0), one(2, -1.5), one(9, f64::MAX), one(4_000_000_000, 1e-300)]);
        let spread = Sample::values([(1.0, 2.0), (1e9, 0.5), (-3.0, 7.0)]);
        check(&[one(5, 1.0), many(6, spread), many(7, Sample::set(10.0, 5.0, 0.0, 1.0)), one(80, 2.0)]);
    }
}
