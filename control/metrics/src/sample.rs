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
        for (value, count) in values {
            let one =
                Self { count, sum: value * count, min: value, max: value, buckets: vec![(Histogram::bucket_of(value), count)] };
            sample.merge(&one);
        }
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
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if self.buckets.is_empty() || other.buckets.is_empty() {
            self.buckets.clear();
            return;
        }
        for (bucket, count) in &other.buckets {
            match self.buckets.binary_search_by_key(bucket, |(b, _)| *b) {
                Ok(at) => self.buckets[at].1 += count,
                Err(at) => self.buckets.insert(at, (*bucket, *count)),
            }
        }
    }
}
