//! Subscriptions: asked for, confirmed, ended.

use base::Caller;
use kernel::Wanted;
use shapes::sns as s;
use shapes::sns::ops;
use std::time::Duration;
use world::MessageKind;

use crate::region::{HOOK, Region, map};

fn attributes(region: &mut Region, arn: &str) -> std::collections::BTreeMap<String, String> {
    let input = s::GetSubscriptionAttributesInput { subscription_arn: arn.into() };
    region.call::<ops::GetSubscriptionAttributes>(input).unwrap().attributes
}

/// Follows a link of a message, which needs no signature.
fn unsubscribe_by_link(region: &mut Region, arn: &str) -> Result<base::Value, base::Fault> {
    use base::IntoValue;
    let (now, input) = (region.now, s::UnsubscribeInput { subscription_arn: arn.into() });
    let answer = region.kernel.call(now, Caller::anonymous(), "r", "sns", "Unsubscribe", input.into_value());
    region.settle();
    answer
}

#[test]
fn a_subscription_is_pending_until_its_token_comes_back() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let input = s::SubscribeInput {
        topic_arn: topic.clone(),
        protocol: "http".into(),
        endpoint: Some(HOOK.into()),
        ..Default::default()
    };
    let asked = region.call::<ops::Subscribe>(input).unwrap();
    assert_eq!(asked.subscription_arn.as_deref(), Some("pending confirmation"));
    let listed = region.call::<ops::ListSubscriptions>(s::ListSubscriptionsInput::default()).unwrap();
    assert_eq!(listed.subscriptions[0].subscription_arn.as_deref(), Some("PendingConfirmation"));
    region.publish(&topic, "too early").unwrap();
    let [question] = region.under_way().try_into().unwrap();
    assert_eq!(question.kind, MessageKind::SubscriptionConfirmation);
    let token = question.token.clone().unwrap();
    assert!(question.link.contains("Action=ConfirmSubscription") && question.link.ends_with(&token), "{}", question.link);

    let wrong = s::ConfirmSubscriptionInput { topic_arn: topic.clone(), token: "0".into(), authenticate_on_unsubscribe: None };
    assert_eq!(region.call::<ops::ConfirmSubscription>(wrong).unwrap_err().message, "Invalid parameter: Token");
    for _ in 0..2 {
        let right =
            s::ConfirmSubscriptionInput { topic_arn: topic.clone(), token: token.clone(), authenticate_on_unsubscribe: None };
        region.call::<ops::ConfirmSubscription>(right).unwrap();
    }
    region.deliver(&question);
    region.publish(&topic, "now").unwrap();
    assert_eq!(region.under_way().len(), 1);
    assert_eq!(region.under_way()[0].message, "now");
}

#[test]
fn a_question_that_nobody_answers_ends_after_two_days() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let arn = region.subscribe(&topic, "email", "ops@example.com", &[]).unwrap();
    let token = region.under_way()[0].token.clone().unwrap();
    region.pass(Duration::from_secs(2 * 24 * 3_600 - 1));
    assert_eq!(attributes(&mut region, &arn)["PendingConfirmation"], "true");
    region.pass(Duration::from_secs(1));
    let late = s::ConfirmSubscriptionInput { topic_arn: topic, token, authenticate_on_unsubscribe: None };
    assert_eq!(region.call::<ops::ConfirmSubscription>(late).unwrap_err().code, "InvalidParameter");
    assert!(region.under_way().is_empty());
}

#[test]
fn subscribing_again_finds_the_subscription_or_asks_again() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let first = region.subscribe(&topic, "http", HOOK, &[]).unwrap();
    assert_eq!(region.subscribe(&topic, "http", HOOK, &[]).unwrap(), first);
    assert_eq!(region.under_way().len(), 2);
    let fault = region.subscribe(&topic, "http", HOOK, &[("RawMessageDelivery", "true")]).unwrap_err();
    let text = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes";
    assert_eq!(fault.message, text);
}

#[test]
fn protocols_and_endpoints_are_checked() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    for (protocol, endpoint, message) in [
        ("sqs", "arn:aws:sqs:x", "Protocol Reason: sqs subscriptions are not available in this region"),
        ("carrier-pigeon", "x", "Amazon SNS does not support this protocol string: carrier-pigeon"),
        ("https", HOOK, "Endpoint must match the specified protocol"),
        ("email", "nobody", "Email address"),
        ("http", "", "Endpoint"),
    ] {
        let fault = region.subscribe(&topic, protocol, endpoint, &[]).unwrap_err();
        assert_eq!(fault.message, format!("Invalid parameter: {message}"));
    }
    for (attribute, value, words) in [
        ("RedrivePolicy", "{}", "it has no SQS"),
        ("FilterPolicy", "[]", "must be a JSON object"),
        ("FilterPolicyScope", "Both", "Please use either MessageBody or MessageAttributes"),
        ("RawMessageDelivery", "perhaps", "Must be true or false"),
        ("DeliveryPolicy", "{\"healthyRetryPolicy\":{\"numRetries\":-1}}", "DeliveryPolicy"),
        ("Colour", "red", "Unknown attribute Colour"),
    ] {
        let fault = region.subscribe(&topic, "http", HOOK, &[(attribute, value)]).unwrap_err();
        assert!(fault.message.contains(words), "{}", fault.message);
    }
    assert!(region.subscribe(&topic, "email", "a@b.c", &[("RawMessageDelivery", "true")]).is_err());
}

#[test]
fn the_password_of_an_endpoint_is_for_the_courier_alone() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    for (endpoint, shown) in [
        ("http://me:se:cr@t@127.0.0.1:9/a@b:c", "http://me:****@127.0.0.1:9/a@b:c"),
        ("http://me@127.0.0.1:9/", "http://me@127.0.0.1:9/"),
        ("http://127.0.0.1:9/?a=b:c@d", "http://127.0.0.1:9/?a=b:c@d"),
    ] {
        let arn = region.subscribe(&topic, "http", endpoint, &[]).unwrap();
        assert_eq!(attributes(&mut region, &arn)["Endpoint"], shown);
        let listed = attributes_of_all(&mut region, &topic);
        assert!(listed.iter().any(|s| s.endpoint.as_deref() == Some(shown)), "{listed:?}");
        let url = |d: &world::Delivery| matches!(&d.destination, world::Destination::Http { url, .. } if url == endpoint);
        assert!(region.under_way().iter().any(url), "the courier needs it whole");
    }
}

#[test]
fn whoever_has_the_link_can_unsubscribe_unless_that_was_forbidden() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let open = region.subscribed(&topic, "http", HOOK, &[]);
    unsubscribe_by_link(&mut region, &open).unwrap();
    let listed = attributes_of_all(&mut region, &topic);
    assert_eq!(listed[0].subscription_arn.as_deref(), Some("Deleted"));
    region.publish(&topic, "not for it").unwrap();
    let [told] = region.under_way().try_into().unwrap();
    assert_eq!((told.kind, told.token.is_some()), (MessageKind::UnsubscribeConfirmation, true));
    region.deliver(&told);
    let again =
        s::ConfirmSubscriptionInput { topic_arn: topic.clone(), token: told.token.unwrap(), authenticate_on_unsubscribe: None };
    region.call::<ops::ConfirmSubscription>(again).unwrap();
    assert_eq!(attributes(&mut region, &open)["PendingConfirmation"], "false");
    unsubscribe_by_link(&mut region, &open).unwrap();

    let closed = region.subscribe(&topic, "http", HOOK, &[]).unwrap();
    let token = region.under_way()[0].token.clone().unwrap();
    let input = s::ConfirmSubscriptionInput { topic_arn: topic.clone(), token, authenticate_on_unsubscribe: Some("true".into()) };
    region.call::<ops::ConfirmSubscription>(input).unwrap();
    assert_eq!(unsubscribe_by_link(&mut region, &closed).unwrap_err().code, "AuthorizationError");
    for _ in 0..2 {
        region.call::<ops::Unsubscribe>(s::UnsubscribeInput { subscription_arn: closed.clone() }).unwrap();
    }
    let bad = region.call::<ops::Unsubscribe>(s::UnsubscribeInput { subscription_arn: "PendingConfirmation".into() });
    assert_eq!(bad.unwrap_err().code, "InvalidParameter");
    assert_eq!(region.state().rows::<sns::Topic>().next().unwrap().deleted_subscriptions, 3);
}

fn attributes_of_all(region: &mut Region, topic: &str) -> Vec<s::Subscription> {
    let input = s::ListSubscriptionsByTopicInput { topic_arn: topic.into(), next_token: None };
    region.call::<ops::ListSubscriptionsByTopic>(input).unwrap().subscriptions
}

#[test]
fn attributes_of_a_subscription_are_set_and_shown() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let arn = region.subscribed(&topic, "http", HOOK, &[("FilterPolicy", r#"{"kind":["a"]}"#)]);
    let mut set = |name: &str, value: &str| {
        let (attribute_name, attribute_value) = (name.into(), Some(value.into()));
        region.call::<ops::SetSubscriptionAttributes>(s::SetSubscriptionAttributesInput {
            subscription_arn: arn.clone(),
            attribute_name,
            attribute_value,
        })
    };
    set("RawMessageDelivery", "true").unwrap();
    set("DeliveryPolicy", r#"{"healthyRetryPolicy":{"numRetries":7}}"#).unwrap();
    assert_eq!(set("Colour", "red").unwrap_err().message, "Invalid parameter: AttributeName");
    set("FilterPolicyScope", "MessageBody").unwrap();
    set("FilterPolicy", r#"{"a":{"b":[1]}}"#).unwrap();
    assert!(set("FilterPolicyScope", "MessageAttributes").is_err(), "a nested policy fits bodies only");
    let shown = attributes(&mut region, &arn);
    let expected = map(&[
        ("PendingConfirmation", "false"),
        ("ConfirmationWasAuthenticated", "true"),
        ("RawMessageDelivery", "true"),
        ("FilterPolicyScope", "MessageBody"),
        ("Endpoint", HOOK),
        ("TopicArn", &topic),
    ]);
    for (name, value) in expected {
        assert_eq!(shown[&name], value, "{name}");
    }
    assert!(shown["EffectiveDeliveryPolicy"].contains(r#""numRetries":7"#));
}

#[test]
fn a_deleted_topic_takes_subscriptions_and_messages_with_it() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    region.publish(&topic, "lost").unwrap();
    for _ in 0..2 {
        region.call::<ops::DeleteTopic>(s::DeleteTopicInput { topic_arn: topic.clone() }).unwrap();
    }
    assert_eq!((region.under_way().len(), region.state().count::<sns::Subscription>()), (0, 0));
    assert_eq!(region.state().count::<sns::Delivery>(), 0);
    assert!(region.state().rows::<Wanted>().all(|w| w.want.is_none()));
}
