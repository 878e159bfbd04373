//! One period's sample as the store holds it: most hold a single value, which takes no room beyond itself.

use crate::Sample;

/// A sample at rest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Held {
    /// One value, once.
    One(f64),
    Many(Box<Sample>),
}

/// A sample in passing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<'a> {
    One(f64),
    Many(&'a Sample),
}

/// A sample and its period: how many periods of its tier's length since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub slot: u32,
    pub held: Held,
}

impl<'a> Seen<'a> {
    #[expect(clippy::float_cmp, reason = "one value is its own sum, least and greatest, to the last bit")]
    pub(crate) fn of(sample: &'a Sample) -> Self {
        let one = sample.count == 1.0 && sample.sum == sample.min && sample.min == sample.max;
        if one { Self::One(sample.sum) } else { Self::Many(sample) }
    }

    pub(crate) fn held(self) -> Held {
        match self {
            Self::One(value) => Held::One(value),
            Self::Many(sample) => Held::Many(Box::new(sample.clone())),
        }
    }
}

impl Held {
    pub(crate) fn seen(&self) -> Seen<'_> {
        match self {
            Self::One(value) => Seen::One(*value),
            Self::Many(sample) => Seen::Many(sample),
        }
    }

    pub(crate) fn merge(&mut self, other: Seen) {
        let mut all = match std::mem::replace(self, Self::One(0.0)) {
            Self::One(value) => Box::new(Sample::value(value)),
            Self::Many(sample) => sample,
        };
        match other {
            Seen::One(value) => all.add(value, 1.0),
            Seen::Many(sample) => all.merge(sample),
        }
        *self = Self::Many(all);
    }
}

/// Puts a sample among points in order of time.
pub(crate) fn insert(points: &mut Vec<Point>, slot: u32, sample: Seen) {
    match points.last_mut() {
        Some(last) if last.slot == slot => last.held.merge(sample),
        Some(last) if last.slot > slot => match points.binary_search_by_key(&slot, |p| p.slot) {
            Ok(at) => points[at].held.merge(sample),
            Err(at) => points.insert(at, Point { slot, held: sample.held() }),
        },
        _ => points.push(Point { slot, held: sample.held() }),
    }
}
