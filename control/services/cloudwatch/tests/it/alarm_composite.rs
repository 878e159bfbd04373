//! Composite alarms: their rules, and the suppression of their actions.

use std::time::Duration;

use base::Fault;
use cloudwatch::AlarmState;
use shapes::cloudwatch::{self as s, ops};

use crate::alarms::{Region, input};

fn region() -> Region {
    let mut region = Region::new();
    for name in ["a", "b", "quiet"] {
        let keeps = Some("ignore".to_string());
        region.put(s::PutMetricAlarmInput { alarm_actions: Vec::new(), treat_missing_data: keeps, ..input(name) });
    }
    region
}

fn composite(name: &str, rule: &str) -> s::PutCompositeAlarmInput {
    s::PutCompositeAlarmInput { alarm_name: name.into(), alarm_rule: rule.into(), ..Default::default() }
}

fn put(region: &mut Region, input: s::PutCompositeAlarmInput) -> Result<(), Fault> {
    region.call::<ops::PutCompositeAlarm>(input)
}

fn set(region: &mut Region, name: &str, state: &str) {
    let input = s::SetAlarmStateInput {
        alarm_name: name.into(),
        state_value: state.into(),
        state_reason: "a test".into(),
        ..Default::default()
    };
    region.call::<ops::SetAlarmState>(input).unwrap();
}

#[test]
fn a_composite_alarm_follows_its_children() {
    let mut region = region();
    let rule = "(ALARM(\"a\") OR ALARM(arn:aws:cloudwatch:eu-central-1:000000000000:alarm:b)) AND NOT ALARM(quiet)";
    put(&mut region, composite("both", rule)).unwrap();
    assert_eq!(region.is("both"), AlarmState::Ok);
    let arn = "arn:aws:cloudwatch:eu-central-1:000000000000:alarm:both";
    assert_eq!(region.alarm("both").state.reason, format!("{arn} was created and its alarm rule evaluates to OK"));
    set(&mut region, "b", "ALARM");
    assert_eq!(region.is("both"), AlarmState::Alarm);
    assert_eq!(
        region.alarm("both").state.reason,
        "arn:aws:cloudwatch:eu-central-1:000000000000:alarm:b transitioned to ALARM at Friday 15 January, 2027 08:00:00 UTC"
    );
    set(&mut region, "quiet", "ALARM");
    assert_eq!(region.is("both"), AlarmState::Ok);
    set(&mut region, "quiet", "OK");
    set(&mut region, "both", "OK");
    assert_eq!(region.is("both"), AlarmState::Ok, "a state that is set lasts until a child changes");
    set(&mut region, "a", "ALARM");
    assert_eq!(region.is("both"), AlarmState::Alarm);
    region.reopen();
    assert_eq!(region.is("both"), AlarmState::Alarm);
}

#[test]
fn rules_that_are_none_are_refused() {
    let mut region = region();
    let long = format!("ALARM(a){}", " AND ALARM(a)".repeat(900));
    let deep = format!("{}TRUE{}", "(".repeat(200), ")".repeat(200));
    let bad = ["", "ALARM", "ALARM()", "ALARM(a", "ALARM(a) AND", "a", "ALARM(a) ALARM(b)", "NOT", "ALARM(nobody)", &long, &deep];
    for rule in bad {
        let fault = put(&mut region, composite("c", rule)).unwrap_err();
        assert_eq!(fault.code, "ValidationError", "{rule}");
    }
    for rule in ["TRUE", "not false", "OK(a) and (INSUFFICIENT_DATA(\"b\"))", "NOT NOT TRUE"] {
        put(&mut region, composite("c", rule)).unwrap();
    }
}

#[test]
fn cycles_are_refused_and_children_stay_while_they_are_needed() {
    let mut region = region();
    put(&mut region, composite("c", "ALARM(a)")).unwrap();
    put(&mut region, composite("d", "ALARM(c)")).unwrap();
    assert!(put(&mut region, composite("c", "ALARM(d)")).unwrap_err().message.contains("cycle"));
    assert!(put(&mut region, composite("c", "ALARM(c)")).unwrap_err().message.contains("cycle"));
    let delete = |names: &[&str]| s::DeleteAlarmsInput { alarm_names: names.iter().map(ToString::to_string).collect() };
    let fault = region.call::<ops::DeleteAlarms>(delete(&["a"])).unwrap_err();
    assert_eq!(fault.message, "Cannot delete a as there are composite alarm(s) depending on it.");
    assert_eq!(region.call::<ops::DeleteAlarms>(delete(&["b", "nobody"])).unwrap_err().code, "ResourceNotFound");
    region.alarm("b");
    assert!(region.call::<ops::DeleteAlarms>(delete(&["c", "d"])).unwrap_err().message.contains("Only one composite"));
    region.call::<ops::DeleteAlarms>(delete(&["d"])).unwrap();
    region.call::<ops::DeleteAlarms>(delete(&["c", "a", "b"])).unwrap();
    let relatives = s::DescribeAlarmsInput { children_of_alarm_name: Some("c".into()), ..Default::default() };
    assert_eq!(region.call::<ops::DescribeAlarms>(relatives).unwrap_err().code, "ResourceNotFound");
}

/// A composite alarm that waits 20 s for its suppressor, and 30 s after it.
fn suppressed() -> (Region, String) {
    let mut region = region();
    let topic = "arn:aws:sns:eu-central-1:000000000000:gone".to_string();
    let input = s::PutCompositeAlarmInput {
        alarm_actions: vec![topic.clone()],
        actions_suppressor: Some("quiet".into()),
        actions_suppressor_wait_period: Some(20),
        actions_suppressor_extension_period: Some(30),
        ..composite("both", "ALARM(a)")
    };
    put(&mut region, input).unwrap();
    region.go(Duration::from_secs(25));
    (region, topic)
}

fn suppressed_by(region: &mut Region) -> Option<String> {
    let input = s::DescribeAlarmsInput { alarm_types: vec!["CompositeAlarm".into()], ..Default::default() };
    region.call::<ops::DescribeAlarms>(input).unwrap().composite_alarms.remove(0).actions_suppressed_by
}

#[test]
fn actions_run_when_the_suppressor_does_not_come_within_the_wait_period() {
    let (mut region, _) = suppressed();
    set(&mut region, "a", "ALARM");
    assert_eq!((region.is("both"), suppressed_by(&mut region).as_deref()), (AlarmState::Alarm, Some("WaitPeriod")));
    region.go(Duration::from_secs(19));
    assert_eq!(region.history("both", "Action").len(), 0);
    region.go(Duration::from_secs(1));
    assert_eq!((region.history("both", "Action").len(), suppressed_by(&mut region)), (1, None));
}

#[test]
fn actions_are_kept_back_while_the_suppressor_is_in_alarm_and_for_the_extension_period() {
    let (mut region, _) = suppressed();
    set(&mut region, "a", "ALARM");
    region.go(Duration::from_secs(5));
    set(&mut region, "quiet", "ALARM");
    assert_eq!(suppressed_by(&mut region).as_deref(), Some("Alarm"));
    region.go(Duration::from_secs(20));
    set(&mut region, "quiet", "OK");
    assert_eq!(suppressed_by(&mut region).as_deref(), Some("ExtensionPeriod"));
    assert_eq!(region.history("both", "Action").len(), 0);
    set(&mut region, "a", "OK");
    set(&mut region, "a", "ALARM");
    region.reopen();
    region.go(Duration::from_secs(30));
    assert_eq!((region.history("both", "Action").len(), suppressed_by(&mut region)), (1, None));
}
