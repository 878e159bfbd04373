//! What alarms invoke.

use base::Time;
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
        // The minute that ended a moment ago.
        let begin = Time::from_unix_ms(region.now.unix_ms() / 60_000 * 60_000 - 60_000);
        assert_eq!(one.value, Some((begin, value)));
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
fn the_history_says_what_came_of_an_action_once_for_each_change() {
    let mut region = Region::new();
    region.put(input("high"));
    let acted = |region: &mut Region, error: Option<&str>| {
        let found = region.invocations();
        let done = |tx: &mut kernel::Tx, cx: &kernel::Cx| {
            found.iter().for_each(|i| cloudwatch::alarm::done(tx, cx, &i.key, error));
            Ok(())
        };
        region.run(done).unwrap();
        let items = region.history("high", "Action");
        items.into_iter().map(|i| i.history_summary.unwrap()).collect::<Vec<_>>()
    };
    region.minute(Some(90.0));
    assert_eq!(region.history("high", "Action"), [], "nobody has acted yet");
    let succeeded = format!("Successfully executed action {POLICY}");
    assert_eq!(acted(&mut region, None), std::slice::from_ref(&succeeded));
    region.minute(Some(90.0));
    assert_eq!(acted(&mut region, None), std::slice::from_ref(&succeeded), "the state lasts");
    region.minute(Some(10.0));
    region.minute(Some(90.0));
    let failed = format!("Failed to execute action {POLICY}. Received error: \"gone\"");
    assert_eq!(acted(&mut region, Some("gone")), [failed, succeeded]);
    let item = region.history("high", "Action").remove(0).history_data.unwrap();
    let data: serde_json::Value = serde_json::from_str(&item).unwrap();
    assert_eq!((&data["actionState"], &data["notificationResource"]), (&"Failed".into(), &POLICY.into()));
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

/// A topic with a web subscriber that has agreed.
fn topic(region: &mut Region) -> String {
    use shapes::sns::{self as n, ops};
    let topic = n::CreateTopicInput { name: "page".into(), ..Default::default() };
    let arn = region.call::<ops::CreateTopic>(topic).unwrap().topic_arn.unwrap();
    let subscribe = n::SubscribeInput {
        topic_arn: arn.clone(),
        protocol: "http".into(),
        endpoint: Some("http://pager.test/".into()),
        ..Default::default()
    };
    region.call::<ops::Subscribe>(subscribe).unwrap();
    let token = region.state().rows::<sns::Delivery>().find_map(|d| d.wish.token.clone()).unwrap();
    let confirm = n::ConfirmSubscriptionInput { topic_arn: arn.clone(), token, authenticate_on_unsubscribe: None };
    region.call::<ops::ConfirmSubscription>(confirm).unwrap();
    arn
}

/// Messages on their way to the subscriber, as JSON.
fn messages(region: &Region) -> Vec<String> {
    let all = region.state().rows::<sns::Delivery>().filter(|d| d.wish.token.is_none());
    all.map(|d| serde_json::to_string(&d.wish).unwrap()).collect()
}

#[test]
fn a_topic_gets_one_message_for_each_change_of_state() {
    let mut region = Region::new();
    let topic = topic(&mut region);
    region.put(s::PutMetricAlarmInput {
        alarm_actions: vec![topic.clone()],
        alarm_description: Some("Busy".into()),
        ..input("high")
    });
    region.minute(Some(10.0));
    assert_eq!(messages(&region).len(), 0);
    region.minute(Some(92.3));
    region.minute(Some(93.0));
    let sent = messages(&region);
    assert_eq!(sent.len(), 1, "other actions than those of Auto Scaling are invoked at changes only");
    assert!(sent[0].contains("EU (Frankfurt)"), "{}", sent[0]);
    let item = region.history("high", "Action").remove(0);
    assert_eq!(item.history_summary, Some(format!("Successfully executed action {topic}")));
    let data: serde_json::Value = serde_json::from_str(&item.history_data.unwrap()).unwrap();
    let message: serde_json::Value = serde_json::from_str(data["publishedMessage"].as_str().unwrap()).unwrap();
    let facts = [
        ("/AlarmName", "high"),
        ("/AlarmDescription", "Busy"),
        ("/AWSAccountId", "000000000000"),
        ("/NewStateValue", "ALARM"),
        ("/OldStateValue", "OK"),
        ("/Region", "EU (Frankfurt)"),
        ("/StateChangeTime", "2027-01-15T08:02:00.300+0000"),
        ("/AlarmArn", "arn:aws:cloudwatch:eu-central-1:000000000000:alarm:high"),
        ("/Trigger/MetricName", "Load"),
        ("/Trigger/Statistic", "AVERAGE"),
        ("/Trigger/Dimensions/0/value", "a"),
        ("/Trigger/ComparisonOperator", "GreaterThanThreshold"),
    ];
    for (path, expected) in facts {
        assert_eq!(message.pointer(path).and_then(|v| v.as_str()), Some(expected), "{path}");
    }
    assert_eq!(message["Trigger"]["Threshold"], 50.0);
    assert!(message["NewStateReason"].as_str().unwrap().starts_with("Threshold Crossed: 1 out of the last 1 datapoints [92.3 "));
}

#[test]
fn a_topic_that_does_not_exist_is_noted_in_the_history() {
    let mut region = Region::new();
    let topic = "arn:aws:sns:eu-central-1:000000000000:gone".to_string();
    region.put(s::PutMetricAlarmInput { alarm_actions: vec![topic.clone()], ..input("high") });
    region.minute(Some(90.0));
    assert_eq!(region.is("high"), AlarmState::Alarm);
    let summary = region.history("high", "Action").remove(0).history_summary.unwrap();
    assert!(summary.starts_with(&format!("Failed to execute action {topic}. Received error: ")), "{summary}");
}
