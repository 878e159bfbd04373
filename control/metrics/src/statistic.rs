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
    /// Of the values between two bounds only.
    Trimmed {
        of: Trim,
        from: Bound,
        until: Bound,
    },
}

/// What is said of the values between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// `TM`.
    Mean,
    /// `WM`: values outside count as the bound next to them.
    WinsorizedMean,
    /// `TC`.
    Count,
    /// `TS`.
    Sum,
    /// `PR`: how many of a hundred values lie between.
    Rank,
}

/// An end of a range: below it values are excluded, above included, as in `PR(100:2000)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    None,
    /// 0 to 100.
    Percent(f64),
    Value(f64),
}

impl Statistic {
    /// Reads `Average`, `p99.9`, `tm90`, `TM(10%:90%)`, `PR(:300)`, `IQM` and so on; none when AWS has no such statistic.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "IQM" | "iqm" => Self::Trimmed { of: Trim::Mean, from: Bound::Percent(25.0), until: Bound::Percent(75.0) },
            _ => match text.strip_prefix('p') {
                Some(number) => Self::Percentile(percent(number)?),
                None => trimmed(text)?,
            },
        })
    }

    /// Whether it takes how the values are spread, not only their count, sum, least and greatest.
    pub fn needs_spread(self) -> bool {
        matches!(self, Self::Percentile(_) | Self::Trimmed { .. })
    }

    /// The statistic of a sample; none for a percentile or the like of a statistic set, and for one beyond all numbers, such as
    /// the average of a great sum over a tiny count.
    pub fn of(self, sample: &Sample) -> Option<f64> {
        let value = match self {
            Self::SampleCount => sample.count,
            Self::Sum => sample.sum,
            Self::Average => sample.sum / sample.count,
            Self::Minimum => sample.min,
            Self::Maximum => sample.max,
            Self::Percentile(percent) => percentile(sample, percent)?,
            Self::Trimmed { of, from, until } => between(sample, of, from, until)?,
        };
        value.is_finite().then_some(value)
    }
}

fn percent(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let percent: f64 = text.parse().ok().filter(|_| plain)?;
    (0.0..=100.0).contains(&percent).then_some(percent)
}

fn trimmed(text: &str) -> Option<Statistic> {
    let (name, rest) = text.split_at_checked(2)?;
    let of = match name {
        "tm" | "TM" => Trim::Mean,
        "wm" | "WM" => Trim::WinsorizedMean,
        "tc" | "TC" => Trim::Count,
        "ts" | "TS" => Trim::Sum,
        "PR" => Trim::Rank,
        _ => return None,
    };
    let Some(range) = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')) else {
        let until = Bound::Percent(percent(rest).filter(|_| of != Trim::Rank && name.starts_with('t') | name.starts_with('w'))?);
        return Some(Statistic::Trimmed { of, from: Bound::None, until });
    };
    let (from, until) = range.split_once(':')?;
    let (from, until) = (bound(from)?, bound(until)?);
    let good = match (from, until) {
        (Bound::None, Bound::None) => false,
        (Bound::Percent(a), Bound::Percent(b)) | (Bound::Value(a), Bound::Value(b)) => a < b,
        (Bound::Percent(_), Bound::Value(_)) | (Bound::Value(_), Bound::Percent(_)) => false,
        _ => true,
    };
    // A percentile rank has no use for percentages.
    let rank = of == Trim::Rank && (matches!(from, Bound::Percent(_)) || matches!(until, Bound::Percent(_)));
    (good && !rank).then_some(Statistic::Trimmed { of, from, until })
}

fn bound(text: &str) -> Option<Bound> {
    match (text, text.strip_suffix('%')) {
        ("", _) => Some(Bound::None),
        (_, Some(number)) => percent(number).map(Bound::Percent),
        (number, None) => number.parse().ok().filter(|n: &f64| n.is_finite()).map(Bound::Value),
    }
}

/// Values and how often each comes, in order, as far as buckets tell.
fn spread(sample: &Sample) -> impl Iterator<Item = (f64, f64)> {
    sample.buckets.iter().map(|(bucket, count)| (Histogram::value_of(*bucket).clamp(sample.min, sample.max), *count))
}

fn percentile(sample: &Sample, percent: f64) -> Option<f64> {
    let rank = sample.count * percent / 100.0;
    let mut below = 0.0;
    for (value, count) in spread(sample) {
        below += count;
        if below >= rank {
            return Some(value);
        }
    }
    sample.buckets.last().map(|_| sample.max)
}

/// Of each bucket the part that lies between the bounds counts.
fn between(sample: &Sample, of: Trim, from: Bound, until: Bound) -> Option<f64> {
    if sample.buckets.is_empty() {
        return None;
    }
    let rank = |bound, open: f64| if let Bound::Percent(percent) = bound { sample.count * percent / 100.0 } else { open };
    let (low, high) = (rank(from, 0.0), rank(until, sample.count));
    let inside = |value: f64| {
        !matches!(from, Bound::Value(least) if value <= least) && !matches!(until, Bound::Value(most) if value > most)
    };
    let edge = |bound, open| match bound {
        Bound::None => Some(open),
        Bound::Value(value) => Some(value),
        Bound::Percent(percent) => percentile(sample, percent),
    };
    let (least, most) = (edge(from, sample.min)?, edge(until, sample.max)?);
    let (mut below, mut count, mut sum, mut winsorized) = (0.0, 0.0, 0.0, 0.0);
    for (value, times) in spread(sample) {
        let overlap = ((below + times).min(high) - f64::max(below, low)).max(0.0);
        let part = if inside(value) { overlap } else { 0.0 };
        below += times;
        count += part;
        sum += part * value;
        winsorized += part * value + (times - part) * value.clamp(least.min(most), most.max(least));
    }
    match of {
        Trim::Count => Some(count),
        Trim::Rank => Some(100.0 * count / sample.count),
        Trim::WinsorizedMean => Some(winsorized / sample.count),
        Trim::Sum => (count > 0.0).then_some(sum),
        Trim::Mean => (count > 0.0).then_some(sum / count),
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => write!(f, "p{percent}"),
            Self::Trimmed { of, from, until } => {
                let name = match of {
                    Trim::Mean => "TM",
                    Trim::WinsorizedMean => "WM",
                    Trim::Count => "TC",
                    Trim::Sum => "TS",
                    Trim::Rank => "PR",
                };
                write!(f, "{name}({from}:{until})")
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Value(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Statistic;
    use crate::Sample;

    #[test]
    fn statistics_are_read_as_aws_writes_them() {
        for text in [
            "p0",
            "p99.9",
            "p100",
            "tm90",
            "TM(10%:90%)",
            "TM(:95%)",
            "TM(150:1000)",
            "wm98",
            "WM(5%:)",
            "tc90",
            "ts90.5",
            "PR(:300)",
            "PR(100:2000)",
            "IQM",
        ] {
            assert!(Statistic::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "p",
            "p101",
            "p-1",
            "pNaN",
            "p1e1",
            "average",
            "tm",
            "TM90",
            "TM()",
            "TM(:)",
            "TM(90%:10%)",
            "TM(1:5%)",
            "PR(1%:2%)",
            "pr90",
            "PR90",
            "zz90",
            "\u{e9}",
        ] {
            assert_eq!(Statistic::parse(text), None, "{text}");
        }
    }

    #[test]
    fn trimmed_statistics_leave_out_what_is_outside() {
        let sample = Sample::values((1..=100).map(|n| (f64::from(n), 1.0)));
        for (text, expected) in [
            ("tm90", 45.5),
            ("TM(10%:90%)", 50.5),
            ("IQM", 50.5),
            ("TM(20:40)", 30.5),
            ("tc90", 90.0),
            ("TC(:50)", 50.0),
            ("PR(:30)", 30.0),
            ("PR(50:)", 50.0),
            ("ts50", 1275.0),
            ("wm90", 50.05),
            ("p50", 50.0),
        ] {
            let got = Statistic::parse(text).unwrap().of(&sample).unwrap();
            assert!((got - expected).abs() <= 0.03 * expected + 1.5, "{text}: {got}, not {expected}");
        }
        assert_eq!(
            Statistic::parse("tm90").unwrap().of(&Sample::set(5.0, 10.0, 1.0, 3.0)),
            None,
            "a statistic set has no spread"
        );
        assert_eq!(Statistic::parse("tm99").unwrap().of(&Sample::value(7.25)), Some(7.25));
    }
}
