//! The clocks of the edge: milliseconds since it started, for deadlines, and the wall clock, for headers.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::Time;
use time::OffsetDateTime;
use time::macros::format_description;

/// Milliseconds since the first call in this process, plus one: zero is free to mean "never".
pub fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX - 1).saturating_add(1)
}

/// The wall clock.
pub fn wall() -> Time {
    Time::from_unix_ms(i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX))
}

/// Whole seconds since 1970.
pub fn unix_seconds() -> u64 {
    since_epoch().as_secs()
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
