//! Random histories: an alarm's state is what a slow evaluation, written from AWS's description, says.

use std::time::Duration;

use cloudwatch::AlarmState;
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::{collection, option};
use shapes::cloudwatch as s;

use crate::alarms::{Region, input};

/// The evaluation range of AWS's tables: two data points more than N.
const EXTRA: usize = 2;

/// "How alarm state is evaluated when data is missing", step by step. `all` are the data points so far, oldest first.
fn reference(all: &[Option<bool>], n: usize, m: usize, missing: &str, current: AlarmState) -> AlarmState {
    let mut range: Vec<Option<bool>> = vec![None; (n + EXTRA).saturating_sub(all.len())];
    range.extend(&all[all.len().saturating_sub(n + EXTRA)..]);
    let existing: Vec<bool> = range.iter().rev().filter_map(|p| *p).collect();
    let by = |breaching: usize| if breaching >= m { AlarmState::Alarm } else { AlarmState::Ok };
    if existing.len() >= n {
        return by(existing[..n].iter().filter(|b| **b).count());
    }
    let breaching = existing.iter().filter(|b| **b).count();
    match missing {
        "breaching" => by(breaching + n - existing.len()),
        "notBreaching" => by(breaching),
        _ if breaching >= m => AlarmState::Alarm,
        _ if existing.contains(&false) => AlarmState::Ok,
        "ignore" => current,
        _ => match range.iter().rev().enumerate().filter(|(_, p)| p.is_some()).map(|(n, _)| n + 1).max() {
            Some(age) if age >= m => AlarmState::Alarm,
            _ => AlarmState::InsufficientData,
        },
    }
}

fn treatments() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("missing"), Just("ignore"), Just("breaching"), Just("notBreaching")]
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]

    #[test]
    fn states_are_those_of_the_slow_reference(
        points in collection::vec(option::of(proptest::bool::ANY), 1..20),
        n in 1..5_usize,
        m in 1..5_usize,
        missing in treatments(),
    ) {
        let m = m.min(n);
        let mut region = Region::new();
        region.put(s::PutMetricAlarmInput {
            evaluation_periods: Some(i64::try_from(n).unwrap()),
            datapoints_to_alarm: Some(i64::try_from(m).unwrap()),
            treat_missing_data: Some(missing.into()),
            ..input("high")
        });
        region.go(Duration::from_secs(1));
        region.act();
        let mut expected = reference(&[], n, m, missing, AlarmState::InsufficientData);
        assert_eq!(region.is("high"), expected);
        for end in 1..=points.len() {
            region.minute(points[end - 1].map(|breaches| if breaches { 51.0 } else { 50.0 }));
            expected = reference(&points[..end], n, m, missing, expected);
            assert_eq!(region.is("high"), expected, "{:?}", &points[..end]);
            // Actions: one at the change, then one a period.
            assert_eq!(region.act(), usize::from(expected == AlarmState::Alarm));
        }
    }

    #[test]
    fn no_rule_breaks_the_region(rule in "[A-Z ()\"a-zNOT]{0,60}") {
        let mut region = Region::new();
        let input = s::PutCompositeAlarmInput { alarm_name: "c".into(), alarm_rule: rule, ..Default::default() };
        let _ = region.call::<s::ops::PutCompositeAlarm>(input);
        assert_eq!(region.kernel.take_trouble(), None);
    }
}
