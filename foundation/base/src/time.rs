use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// A moment: milliseconds since 1970-01-01T00:00:00Z. It comes from a request's context or from an observation,
/// never from a clock inside the control plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    pub const ZERO: Time = Time(0);
    pub const MAX: Time = Time(i64::MAX);

    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to this moment; zero when `earlier` is later.
    pub fn ms_since(self, earlier: Time) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// `2026-01-31T12:00:00.000Z`, as the query services print it.
    pub fn iso8601_ms(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        self.date_time().format(&format).unwrap_or_default()
    }

    /// `2026-01-31T12:00:00Z`, as activity texts print it.
    pub fn iso8601_s(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        self.date_time().format(&format).unwrap_or_default()
    }

    /// Reads an ISO 8601 moment with an offset.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// The moment as calendar date and time in UTC; clamped to the years that AWS can write.
    pub fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601_ms())
    }
}

/// A duration such as `PT1H30M` or `P1D`; none when it is not one in days, hours, minutes and whole seconds.
pub fn parse_iso8601_duration(text: &str) -> Option<Duration> {
    let (days, times) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let units = [(days, &[('D', 86_400)][..]), (times, &[('H', 3_600), ('M', 60), ('S', 1)])];
    let mut seconds: u64 = 0;
    let mut some = false;
    for (mut rest, units) in units {
        for (letter, factor) in units {
            if let Some((number, after)) = rest.split_once(*letter) {
                let count: u64 = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
                seconds = seconds.checked_add(count.checked_mul(*factor)?)?;
                (rest, some) = (after, true);
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    some.then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::{Time, parse_iso8601_duration};

    #[test]
    fn reads_durations() {
        let seconds = |text| parse_iso8601_duration(text).map(|d| d.as_secs());
        for (text, expected) in [("PT0S", 0), ("PT15M", 900), ("PT1H30M5S", 5_405), ("P1D", 86_400), ("P1DT1S", 86_401)] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "P", "PT", "15M", "PT1.5S", "PT-1S", "PTM", "PT5S5M", "PT1X", "PT99999999999999999999S"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn prints_and_reads_iso8601() {
        let t = Time::from_unix_ms(1_769_860_800_250);
        assert_eq!(t.iso8601_ms(), "2026-01-31T12:00:00.250Z");
        assert_eq!(t.iso8601_s(), "2026-01-31T12:00:00Z");
        assert_eq!(Time::parse_iso8601("2026-01-31T13:00:00.250+01:00"), Some(t));
        assert_eq!(Time::parse_iso8601("yesterday"), None);
    }
}
