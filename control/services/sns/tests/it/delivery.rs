//! Attempts, retries and the end of them ("Amazon SNS message delivery retries").

use kernel::Wanted;
use shapes::sns as s;
use shapes::sns::ops;
use std::time::Duration;
use world::Delivery;

use crate::region::{HOOK, Region};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_delivered_message_leaves_nothing_behind() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    region.publish(&topic, "hello").unwrap();
    let [sent] = region.under_way().try_into().unwrap();
    region.deliver(&sent);
    assert_eq!((region.state().count::<sns::Delivery>(), region.state().count::<Wanted>()), (0, 0));
    assert_eq!(region.state().count::<sns::Lost>(), 0);
    assert_eq!(region.kernel.take_trouble(), None);
}

#[test]
fn three_retries_twenty_seconds_apart_and_then_it_is_given_up() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let arn = region.subscribed(&topic, "http", HOOK, &[]);
    let id = region.publish(&topic, "hello").unwrap();
    for attempt in 1..=4 {
        let [sent] = region.under_way().try_into().unwrap();
        assert_eq!((sent.attempt, &sent.message_id), (attempt, &id));
        region.refuse(&sent, "HTTP status 500");
        assert!(region.under_way().is_empty());
        region.pass(19 * SECOND);
        assert!(region.under_way().is_empty(), "it is too early for another attempt");
        region.pass(SECOND);
    }
    let [lost]: [&sns::Lost; 1] = region.state().rows::<sns::Lost>().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((lost.attempts, lost.reason.as_str(), &lost.subscription), (4, "HTTP status 500", &arn));
    assert_eq!((region.state().count::<sns::Delivery>(), region.state().count::<Wanted>()), (0, 0));
}

#[test]
fn the_subscriptions_own_policy_decides_and_a_lasting_refusal_ends_it() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let policy = r#"{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":1,"minDelayTarget":5,"maxDelayTarget":5}}"#;
    region.subscribed(&topic, "http", HOOK, &[("DeliveryPolicy", policy)]);
    region.publish(&topic, "hello").unwrap();
    let refuse = |region: &mut Region, reason: &str| {
        let [sent] = region.under_way().try_into().unwrap();
        region.refuse(&sent, reason);
    };
    refuse(&mut region, "broken");
    refuse(&mut region, "broken");
    assert!(region.under_way().is_empty());
    region.pass(5 * SECOND);
    refuse(&mut region, "broken");
    assert_eq!(region.state().rows::<sns::Lost>().next().unwrap().attempts, 3);

    region.publish(&topic, "hello").unwrap();
    refuse(&mut region, &Delivery::refused_for_good("HTTP status 404"));
    let lost = region.state().rows::<sns::Lost>().next_back().unwrap();
    assert_eq!((lost.attempts, lost.reason.as_str()), (1, "HTTP status 404"));
}

#[test]
fn attempts_go_on_after_a_crash() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    let id = region.publish(&topic, "hello").unwrap();
    let before = region.under_way();
    region.reopen();
    assert_eq!(region.under_way(), before);
    region.refuse(&before[0], "HTTP status 503");
    region.reopen();
    region.pass(20 * SECOND);
    let [again] = region.under_way().try_into().unwrap();
    assert_eq!((again.attempt, again.message_id), (2, id));
}

#[test]
fn a_throttle_policy_spaces_the_messages() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[("DeliveryPolicy", r#"{"throttlePolicy":{"maxReceivesPerSecond":2}}"#)]);
    for n in 0..6 {
        region.publish(&topic, &n.to_string()).unwrap();
    }
    assert_eq!(region.under_way().len(), 1);
    region.pass(SECOND);
    assert_eq!(region.under_way().len(), 3);
    region.pass(10 * SECOND);
    assert_eq!(region.under_way().len(), 6);
}

#[test]
fn deliveries_that_wait_are_bounded_and_publishing_is_throttled() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    let large = "x".repeat(256 * 1024);
    let room = sns::DELIVERY_BYTES_MAX / large.len() as u64;
    let mut taken = 0;
    let fault = loop {
        match region.publish(&topic, &large) {
            Ok(_) => taken += 1,
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.code, "Throttling");
    assert!((room - 2..=room).contains(&taken), "{taken} of {room}");
    let first = region.under_way().remove(0);
    region.deliver(&first);
    region.publish(&topic, &large).unwrap();
    region.call::<ops::DeleteTopic>(s::DeleteTopicInput { topic_arn: topic }).unwrap();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    region.publish(&topic, &large).unwrap();
}

/// The sum of a metric of a topic over everything.
fn told(region: &Region, topic: &str, name: &str) -> f64 {
    let metric = metrics::Metric::new("AWS/SNS", name, &[("TopicName", topic)]);
    let (from, until) = (base::Time::ZERO, region.now + 60 * SECOND);
    region.state().store::<metrics::Store>().points(&metric, from, until, 60).iter().map(|(_, sample)| sample.sum).sum()
}

#[test]
fn cloudwatch_hears_of_messages_deliveries_failures_and_filters() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let check = |region: &Region, counts: [f64; 4]| {
        let names = ["MessagesPublished", "NotificationsDelivered", "NotificationsFailed", "NotificationsFilteredOut"];
        for (name, count) in names.iter().zip(counts) {
            assert_eq!(told(region, "alerts", &format!("NumberOf{name}")), count, "{name}");
        }
    };
    region.subscribed(
        &topic,
        "http",
        HOOK,
        &[("DeliveryPolicy", r#"{"healthyRetryPolicy":{"numRetries":2,"minDelayTarget":1,"maxDelayTarget":1}}"#)],
    );
    check(&region, [0.0; 4]);
    region.publish(&topic, "hello").unwrap();
    for refused in 1..=2 {
        let [sent] = region.under_way().try_into().unwrap();
        region.refuse(&sent, "HTTP status 500");
        check(&region, [1.0, 0.0, f64::from(refused), 0.0]);
        region.pass(SECOND);
    }
    let [sent] = region.under_way().try_into().unwrap();
    region.deliver(&sent);
    check(&region, [1.0, 1.0, 2.0, 0.0]);

    let arn = region.subscribed(&topic, "email", "a@b.c", &[("FilterPolicy", r#"{"kind":["fire"]}"#)]);
    region.publish(&topic, "twenty bytes of text").unwrap();
    let [sent] = region.under_way().try_into().unwrap();
    region.deliver(&sent);
    check(&region, [2.0, 2.0, 2.0, 1.0]);
    assert_eq!(told(&region, "alerts", "NumberOfNotificationsFilteredOut-NoMessageAttributes"), 1.0);
    assert_eq!(told(&region, "alerts", "PublishSize"), 25.0);
    // Mail counts once it is given up.
    let none = s::SetSubscriptionAttributesInput {
        subscription_arn: arn,
        attribute_name: "FilterPolicy".into(),
        attribute_value: Some("{}".into()),
    };
    region.call::<ops::SetSubscriptionAttributes>(none).unwrap();
    region.publish(&topic, "hello").unwrap();
    for sent in region.under_way() {
        match sent.destination {
            world::Destination::Http { .. } => region.deliver(&sent),
            world::Destination::Email { .. } => region.refuse(&sent, "the mail server is away"),
        }
    }
    check(&region, [3.0, 3.0, 2.0, 1.0]);
    region.pass(3_600 * SECOND);
    let [again] = region.under_way().try_into().unwrap();
    region.refuse(&again, &Delivery::refused_for_good("no such user"));
    check(&region, [3.0, 3.0, 3.0, 1.0]);
}
