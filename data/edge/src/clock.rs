//! The clocks of the edge: milliseconds since it started, for deadlines, and the wall clock, for headers.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Time;
use rustix::time::{ClockId, clock_gettime};
use time::OffsetDateTime;
use time::macros::format_description;

/// Milliseconds since the first call in this process, plus one: zero is free to mean "never". It is the kernel's coarse
/// clock, some milliseconds behind at most and read many times a request.
pub fn now_ms() -> u64 {
    static START: OnceLock<u64> = OnceLock::new();
    let now = coarse_ms(ClockId::MonotonicCoarse);
    now.saturating_sub(*START.get_or_init(|| now)).saturating_add(1)
}

/// How long ago a moment of [`now_ms`] was.
pub fn elapsed(since_ms: u64) -> Duration {
    Duration::from_millis(now_ms().saturating_sub(since_ms))
}

fn coarse_ms(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// The wall clock.
pub fn wall() -> Time {
    Time::from_unix_ms(i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX))
}

/// Whole seconds since 1970.
pub fn unix_seconds() -> u64 {
    u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or(0)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The text of the `Date` header, made once a second.
#[derive(Debug, Default)]
pub struct DateText {
    second: Cell<u64>,
    text: RefCell<String>,
}

impl DateText {
    /// Calls `with` with the present date as RFC 9110 writes it.
    pub fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        let second = unix_seconds();
        if self.second.replace(second) != second {
            *self.text.borrow_mut() = http_date(second);
        }
        with(&self.text.borrow())
    }
}

/// A moment as RFC 9110 writes it.
pub fn http_date(second: u64) -> String {
    let format = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let moment = i64::try_from(second).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    moment.and_then(|m| m.format(&format).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
