//! Pieces of log lines: moments, durations and text that somebody else has chosen.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A moment of the wall clock, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    #[cfg(test)]
    pub fn of_micros(micros: u64) -> Self {
        Self(micros)
    }

    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How many whole periods have passed since 1970.
    pub fn periods(self, period: Duration) -> u64 {
        self.0 / u64::try_from(period.as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// Year, month and day, by the civil calendar.
    pub fn date(self) -> (u64, u64, u64) {
        // Days since the first of March of the year zero, in eras of 400 years: leap days then come last.
        let days = self.0 / 86_400_000_000 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (era * 400 + year_of_era + u64::from(month <= 2), month, day)
    }

    /// Hour and minute.
    pub fn time(self) -> (u64, u64) {
        let minutes = self.0 / 60_000_000;
        (minutes / 60 % 24, minutes % 60)
    }

    /// Writes it with seconds: `2018-12-20T02:59:40`.
    pub fn push_seconds(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.date();
        let (hour, minute) = self.time();
        let second = self.0 / 1_000_000 % 60;
        let mut text = *b"0000-00-00T00:00:00";
        for (at, digits, number) in [(0, 4, year), (5, 2, month), (8, 2, day), (11, 2, hour), (14, 2, minute), (17, 2, second)] {
            fill(&mut text[at..at + digits], number);
        }
        out.extend_from_slice(&text);
    }

    /// Writes it with microseconds: `2018-07-02T22:23:00.186641Z`.
    pub fn push(self, out: &mut Vec<u8>) {
        self.push_seconds(out);
        let mut text = *b".000000Z";
        fill(&mut text[1..7], self.0 % 1_000_000);
        out.extend_from_slice(&text);
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(27);
        self.push(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Decimal digits, as many as there is space.
fn fill(space: &mut [u8], mut number: u64) {
    for digit in space.iter_mut().rev() {
        *digit = HEX[(number % 10) as usize];
        number /= 10;
    }
}

/// Seconds with milliseconds: `0.086`.
pub fn push_millis(out: &mut Vec<u8>, time: Duration) {
    crate::http::text::push_number(out, time.as_secs());
    let mut text = *b".000";
    fill(&mut text[1..], time.subsec_millis().into());
    out.extend_from_slice(&text);
}

/// Seconds with nanoseconds: `0.019584011`.
pub fn push_nanos(out: &mut Vec<u8>, time: Duration) {
    crate::http::text::push_number(out, time.as_secs());
    let mut text = *b".000000000";
    fill(&mut text[1..], time.subsec_nanos().into());
    out.extend_from_slice(&text);
}

/// Text that came from outside. What would end a field or a line, and what is not ASCII, is written `\xHH`.
pub fn push_safe(out: &mut Vec<u8>, text: &[u8]) {
    let is_plain = |b: &u8| (0x20..0x7f).contains(b) && *b != b'"' && *b != b'\\';
    let mut rest = text;
    loop {
        let plain = rest.iter().position(|b| !is_plain(b)).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        let Some(byte) = rest.get(plain) else { return };
        out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        rest = &rest[plain + 1..];
    }
}

/// An id of a connection, `TID_` and 32 digits, that only this one has: of the thread's secret and the connection's number there.
pub fn push_trace_id(out: &mut Vec<u8>, secret: u64, number: u64) {
    let mut rng = fastrand::Rng::with_seed(secret ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut text = *b"TID_00000000000000000000000000000000";
    crate::http::text::fill_hex(&mut text[4..20], rng.u64(..));
    crate::http::text::fill_hex(&mut text[20..], rng.u64(..));
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::{Moment, push_millis, push_nanos, push_safe};

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_530_570_180_186_641, "2018-07-02T22:23:00.186641Z"),
            (1_735_689_599_999_999, "2024-12-31T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Moment::of_micros(micros).to_string(), expected);
        }
    }

    #[test]
    fn text_from_outside_ends_no_field() {
        let mut out = Vec::new();
        push_safe(&mut out, b"a \"b\" \\ \x00\r\n\xff~");
        assert_eq!(out, br"a \x22b\x22 \x5C \x00\x0D\x0A\xFF~");
    }

    #[test]
    fn durations_have_their_digits() {
        let (mut millis, mut nanos) = (Vec::new(), Vec::new());
        push_millis(&mut millis, Duration::from_micros(12_086_999));
        push_nanos(&mut nanos, Duration::from_nanos(19_584_011));
        assert_eq!((millis, nanos), (b"12.086".to_vec(), b"0.019584011".to_vec()));
    }
}
