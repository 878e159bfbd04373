use std::fmt;

use world::Histogram;

use crate::Sample;

/// What to say of a sample ("CloudWatch statistics definitions").
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
    /// 0 to 100.
    Percentile(f64),
}

impl Statistic {
    /// Reads `Average`, `p99.9` and so on; none when AWS has no such statistic.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => {
                let percent: f64 = text.strip_prefix('p')?.parse().ok()?;
                return (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent));
            }
        })
    }

    /// The statistic of a sample; none for a percentile of a statistic set.
    pub fn of(self, sample: &Sample) -> Option<f64> {
        Some(match self {
            Self::SampleCount => sample.count,
            Self::Sum => sample.sum,
            Self::Average => sample.sum / sample.count,
            Self::Minimum => sample.min,
            Self::Maximum => sample.max,
            Self::Percentile(percent) => return percentile(sample, percent),
        })
    }
}

fn percentile(sample: &Sample, percent: f64) -> Option<f64> {
    let rank = sample.count * percent / 100.0;
    let mut below = 0.0;
    for (bucket, count) in &sample.buckets {
        below += count;
        if below >= rank {
            return Some(Histogram::value_of(*bucket).clamp(sample.min, sample.max));
        }
    }
    sample.buckets.last().map(|_| sample.max)
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => write!(f, "p{percent}"),
            other => write!(f, "{other:?}"),
        }
    }
}
