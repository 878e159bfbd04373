//! What alarms invoke.

use cloudwatch::AlarmState;
use cloudwatch::alarm::PENDING_MAX;
use shapes::cloudwatch::{self as s, ops};

use crate::alarms::{POLICY, Region, input};

#[test]
fn actions_of_auto_scaling_are_invoked_once_a_period_as_long_as_the_state_lasts() {
    let mut region = Region::new();
    region.put(input("high"));
    region.minute(Some(10.0));
    assert_eq!(region.act(), 0);
    for value in [60.0, 70.0, 80.0] {
        region.minute(Some(value));
        let found = region.invocations();
        assert_eq!(found.len(), 1);
        let one = &found[0];
        assert_eq!((one.action.as_str(), one.alarm.as_str(), one.state), (POLICY, "high", AlarmState::Alarm));
        assert_eq!(one.value, Some(value));
        region.act();
    }
    region.minute(Some(10.0));
    assert_eq!(region.act(), 0);
}

#[test]
fn actions_of_auto_scaling_are_invoked_at_most_once_a_minute() {
    let mut region = Region::new();
    region.put(s::PutMetricAlarmInput { period: Some(10), treat_missing_data: Some("breaching".into()), ..input("high") });
    let mut count = 0;
    for _ in 0..31 {
        region.go(std::time::Duration::from_secs(10));
        count += region.act();
    }
    assert!((5..=6).contains(&count), "{count}");
}

#[test]
fn invocations_do_not_pile_up_and_go_with_their_alarm() {
    let mut region = Region::new();
    for n in 0..PENDING_MAX + 4 {
        region.put(input(&format!("high{n}")));
    }
    for _ in 0..5 {
        region.minute(Some(90.0));
    }
    assert_eq!(region.invocations().len(), PENDING_MAX);
    let names = (0..PENDING_MAX + 4).map(|n| format!("high{n}")).collect();
    region.call::<ops::DeleteAlarms>(s::DeleteAlarmsInput { alarm_names: names }).unwrap();
    assert_eq!(region.invocations(), []);
}

#[test]
fn disabled_actions_are_not_invoked() {
    let mut region = Region::new();
    region.put(input("high"));
    region.call::<ops::DisableAlarmActions>(s::DisableAlarmActionsInput { alarm_names: vec!["high".into()] }).unwrap();
    region.minute(Some(90.0));
    assert_eq!((region.is("high"), region.act()), (AlarmState::Alarm, 0));
    region.call::<ops::EnableAlarmActions>(s::EnableAlarmActionsInput { alarm_names: vec!["high".into()] }).unwrap();
    region.minute(Some(90.0));
    assert_eq!(region.act(), 1, "the state lasts");
}
