use world::Histogram;

/// What is known of some measured values: how many, their sum, least and greatest, and, unless only a statistic set was
/// given, how they are spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// AWS lets counts be fractions.
    pub count: f64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    /// `(bucket, how many)` of [`Histogram::bucket_of`], in order of bucket. Empty for a statistic set, which has no percentiles.
    pub buckets: Vec<(i16, f64)>,
}

impl Sample {
    pub fn value(value: f64) -> Self {
        Self { count: 1.0, sum: value, min: value, max: value, buckets: vec![(Histogram::bucket_of(value), 1.0)] }
    }

    /// A statistic set. One of a single value, or of equal values, has percentiles all the same, as at AWS.
    pub fn set(count: f64, sum: f64, min: f64, max: f64) -> Self {
        let buckets = if min == max { vec![(Histogram::bucket_of(min), count)] } else { Vec::new() };
        Self { count, sum, min, max, buckets }
    }

    /// Values, each as often as its count says.
    pub fn values(values: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut sample = Self::default();
        values.into_iter().for_each(|(value, count)| sample.add(value, count));
        sample
    }

    /// What another room has counted.
    pub fn histogram(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count as f64,
            sum: histogram.sum,
            min: histogram.min,
            max: histogram.max,
            buckets: histogram.buckets.iter().map(|(bucket, count)| (*bucket, *count as f64)).collect(),
        }
    }

    /// Adds what another sample knows. Percentiles are lost when the other has none.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = other.clone();
            return;
        }
        self.add_totals(other.count, other.sum, other.min, other.max);
        if self.buckets.is_empty() || other.buckets.is_empty() {
            self.buckets.clear();
            return;
        }
        other.buckets.iter().for_each(|(bucket, count)| self.add_to_bucket(*bucket, *count));
    }

    /// Adds a value that came `count` times.
    pub(crate) fn add(&mut self, value: f64, count: f64) {
        if count == 0.0 {
            return;
        }
        let spread = self.count == 0.0 || !self.buckets.is_empty();
        self.add_totals(count, value * count, value, value);
        if spread {
            self.add_to_bucket(Histogram::bucket_of(value), count);
        }
    }

    /// Adds to all but the buckets.
    pub(crate) fn add_totals(&mut self, count: f64, sum: f64, min: f64, max: f64) {
        if self.count == 0.0 {
            (self.min, self.max) = (min, max);
        } else {
            (self.min, self.max) = (self.min.min(min), self.max.max(max));
        }
        self.count += count;
        self.sum += sum;
    }

    fn add_to_bucket(&mut self, bucket: i16, count: f64) {
        match self.buckets.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }
}
