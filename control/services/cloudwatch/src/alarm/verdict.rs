//! What an alarm's state is to be, from which of its newest data points breach the threshold and which are missing. Pure.

use super::row::{AlarmState, MissingData};

/// So many data points more than N are looked at: the evaluation range ("How alarm state is evaluated when data is missing"; its
/// tables look at five for an N of three).
pub(crate) const RANGE_EXTRA: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Becomes(AlarmState),
    /// The current state is kept.
    Stays,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub verdict: Verdict,
    /// How many of the newest data points that exist were evaluated.
    pub real: usize,
    /// How many missing ones were filled in for the rest of N.
    pub filled: usize,
}

/// Judges the evaluation range, oldest data point first: whether it breaches, or none where it is missing ("Configuring how
/// CloudWatch alarms treat missing data").
pub(crate) fn judge(range: &[Option<bool>], n: u32, m: u32, missing: MissingData) -> Judged {
    let (n, m) = (n as usize, m as usize);
    let mut real = 0;
    let mut breaching = 0;
    // With N or more existing data points the newest N of them decide, and how to treat missing ones does not matter.
    for breaches in range.iter().rev().flatten().take(n) {
        real += 1;
        breaching += usize::from(*breaches);
    }
    let filled = n - real;
    let crossed = |breaching: usize| Verdict::Becomes(if breaching >= m { AlarmState::Alarm } else { AlarmState::Ok });
    let verdict = match missing {
        _ if filled == 0 => crossed(breaching),
        MissingData::Breaching => crossed(breaching + filled),
        MissingData::NotBreaching => crossed(breaching),
        _ if breaching >= m || breaching < real => crossed(breaching),
        MissingData::Ignore => Verdict::Stays,
        MissingData::Missing if real > 0 && is_old_enough(range, m) => Verdict::Becomes(AlarmState::Alarm),
        MissingData::Missing => Verdict::Becomes(AlarmState::InsufficientData),
    };
    Judged { verdict, real, filled }
}

/// "Avoiding premature transitions to alarm state": where all data points that exist breach, they raise the alarm, even when
/// they are fewer than M, once the oldest of them is at least M periods old.
fn is_old_enough(range: &[Option<bool>], m: usize) -> bool {
    range.iter().position(Option::is_some).is_some_and(|oldest| range.len() - oldest >= m)
}

#[cfg(test)]
mod tests {
    use super::{Judged, Verdict, judge};
    use crate::alarm::{AlarmState, MissingData};

    const TREATMENTS: [MissingData; 4] =
        [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];

    /// Data points as AWS's tables print them, and a letter for each treatment: Ok, Alarm, Insufficient data, Retain.
    fn check(n: u32, m: u32, table: &[(&str, &str)]) {
        for (points, expected) in table {
            let range: Vec<_> = points.split(' ').map(|p| (p != "-").then_some(p == "X")).collect();
            for (missing, letter) in TREATMENTS.into_iter().zip(expected.chars()) {
                let verdict = match letter {
                    'O' => Verdict::Becomes(AlarmState::Ok),
                    'A' => Verdict::Becomes(AlarmState::Alarm),
                    'I' => Verdict::Becomes(AlarmState::InsufficientData),
                    _ => Verdict::Stays,
                };
                assert_eq!(judge(&range, n, m, missing).verdict, verdict, "{points} of {m}/{n} as {missing:?}");
            }
        }
    }

    #[test]
    fn how_alarm_state_is_evaluated_when_data_is_missing_3_of_3() {
        check(
            3,
            3,
            &[
                ("0 - X - X", "OOOO"),
                ("0 - - - -", "OOOO"),
                ("- - - - 0", "OOOO"),
                ("- - - - -", "IRAO"),
                ("0 X X - X", "AAAA"),
                ("- - X - -", "ARAO"),
                ("X - - - -", "ARAO"),
            ],
        );
    }

    #[test]
    fn how_alarm_state_is_evaluated_when_data_is_missing_2_of_3() {
        check(
            3,
            2,
            &[
                ("0 - X - X", "AAAA"),
                ("0 0 X 0 X", "AAAA"),
                ("0 - X - -", "OOAO"),
                ("- - - - 0", "OOAO"),
                ("- - - X -", "ARAO"),
                ("- - - - X", "IRAO"),
            ],
        );
    }

    #[test]
    fn avoiding_premature_transitions_to_alarm_state() {
        check(3, 3, &[("- - - - X", "IRAO"), ("- - - X -", "IRAO"), ("- - X - -", "ARAO"), ("- - - X 0", "OOOO")]);
    }

    #[test]
    fn missing_data_points_are_used_as_few_times_as_possible() {
        let filled = |range: &[Option<bool>]| judge(range, 3, 3, MissingData::Breaching);
        let alarm = Verdict::Becomes(AlarmState::Alarm);
        assert_eq!(filled(&[None, Some(true), None, Some(true), None]), Judged { verdict: alarm, real: 2, filled: 1 });
        let ok = Verdict::Becomes(AlarmState::Ok);
        assert_eq!(filled(&[Some(false), Some(true), None, Some(true), None]), Judged { verdict: ok, real: 3, filled: 0 });
    }
}
