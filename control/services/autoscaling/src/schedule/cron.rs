//! When a schedule's expression is due next. Pure: the moment comes in; the time zones' rules are built in.

use std::str::FromStr;

use base::Time;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::error::Error;

/// A cron expression in a time zone ("Scheduled scaling for Amazon EC2 Auto Scaling"): five fields, and daylight saving as
/// the zone has it.
pub(super) struct Recurrence {
    cron: Cron,
    zone: Tz,
}

impl Recurrence {
    /// Reads an expression and the IANA name of a zone, UTC where there is none.
    pub(super) fn parse(text: &str, zone: Option<&str>) -> Result<Self, Error> {
        let bad = || Error::Invalid(format!("Given recurrence string: {text} is invalid"));
        if text.split_whitespace().count() != 5 {
            return Err(bad());
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|_| bad())?;
        Ok(Self { cron, zone: parse_zone(zone)? })
    }

    /// The first moment after `moment`; none when there is none, such as for the 30th of February.
    pub(super) fn next_after(&self, moment: Time) -> Option<Time> {
        let at = DateTime::<Utc>::from_timestamp_millis(moment.unix_ms())?.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&at, false).ok()?;
        Some(Time::from_unix_ms(next.timestamp_millis()))
    }
}

pub(super) fn parse_zone(zone: Option<&str>) -> Result<Tz, Error> {
    let zone = zone.unwrap_or("UTC");
    Tz::from_str(zone).map_err(|_| {
        Error::Invalid(format!("Given time zone: {zone} is invalid. It must be a name of the IANA time zone database."))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Recurrence;
    use base::Time;

    fn next(text: &str, zone: &str, from: &str) -> String {
        let recurrence = Recurrence::parse(text, Some(zone)).unwrap();
        recurrence.next_after(Time::parse_iso8601(from).unwrap()).map_or("never".into(), Time::iso8601_s)
    }

    #[test]
    fn daylight_saving_is_the_zones() {
        let cases = [
            ("30 8 * * *", "UTC", "2026-03-28T08:30:00Z", "2026-03-29T08:30:00Z"),
            // Clocks in Berlin go forward on the 29th of March 2026.
            ("30 8 * * *", "Europe/Berlin", "2026-03-27T23:00:00Z", "2026-03-28T07:30:00Z"),
            ("30 8 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T06:30:00Z"),
            // What falls into the hour that is left out comes when it ends.
            ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            // What falls into the hour that comes twice comes once.
            ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("0 9 * * MON-FRI", "America/New_York", "2026-11-20T20:00:00Z", "2026-11-23T14:00:00Z"),
            // Day of month or day of week, as cron has it.
            ("0 0 1 * 1", "UTC", "2026-11-24T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("0 0 30 2 *", "UTC", "2026-11-24T00:00:00Z", "never"),
        ];
        for (text, zone, from, expected) in cases {
            assert_eq!(next(text, zone, from), expected, "{text} {zone} {from}");
        }
    }

    #[test]
    fn what_is_no_cron_is_refused() {
        for text in ["", "* * * *", "60 * * * *", "@daily", "* * * * * *", "a b c d e"] {
            let error = Recurrence::parse(text, None).err().unwrap();
            assert_eq!(error.to_string(), format!("Given recurrence string: {text} is invalid"));
        }
        assert!(Recurrence::parse("0 0 * * *", Some("Mars/Olympus")).is_err());
    }
}
