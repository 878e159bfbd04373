//! `AWS::SNS::*` as the stack engine calls them.

use kernel::Progress;
use serde_json::json;

use crate::region::{HOOK, Region};

fn delete(region: &mut Region, kind: &str, id: &str) {
    for _ in 0..2 {
        assert_eq!(region.end(kind, id).unwrap(), Progress::Ready);
    }
}

#[test]
fn a_topic_with_inline_subscriptions_is_made_changed_and_removed() {
    let kind = "AWS::SNS::Topic";
    let mut region = Region::new();
    let one = json!({"Endpoint": HOOK, "Protocol": "http"});
    let two = json!({"Endpoint": "ops@example.com", "Protocol": "email"});
    let first = json!({"DisplayName": "Alerts", "Subscription": [one], "Tags": [{"Key": "team", "Value": "blue"}]});
    let arn = region.make(kind, &first).unwrap();
    assert!(arn.starts_with("arn:aws:sns:eu-central-1:000000000000:web-Thing-"), "{arn}");
    assert_eq!(region.attribute(kind, &arn, "TopicArn").unwrap(), json!(arn));
    assert_eq!(region.attribute(kind, &arn, "TopicName").unwrap(), json!(arn.rsplit(':').next()));
    let second = json!({"Subscription": [two]});
    region.change(kind, &arn, &first, &second).unwrap();
    let topic = region.state().rows::<sns::Topic>().next().unwrap();
    assert!(topic.attributes.is_empty() && !topic.tags.contains_key("team") && topic.tags.len() == 1);
    let endpoints: Vec<&str> = region.state().rows::<sns::Subscription>().map(|s| s.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["ops@example.com"]);
    delete(&mut region, kind, &arn);
    assert_eq!(region.state().count::<sns::Subscription>(), 0);
    let named = json!({"TopicName": "alerts"});
    region.make(kind, &named).unwrap();
    assert_eq!(region.make(kind, &named).unwrap_err().code, "AlreadyExists");
}

#[test]
fn a_subscription_and_a_policy_of_a_stack() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let kind = "AWS::SNS::Subscription";
    let first = json!({"TopicArn": topic, "Protocol": "http", "Endpoint": HOOK, "FilterPolicy": {"a": ["x"]}});
    let arn = region.make(kind, &first).unwrap();
    let second = json!({"TopicArn": topic, "Protocol": "http", "Endpoint": HOOK, "RawMessageDelivery": true});
    region.change(kind, &arn, &first, &second).unwrap();
    let row = region.state().rows::<sns::Subscription>().next().unwrap();
    assert_eq!(row.attributes.keys().collect::<Vec<_>>(), ["RawMessageDelivery"]);
    delete(&mut region, kind, &arn);

    let kind = "AWS::SNS::TopicPolicy";
    let statement = json!({"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic});
    let properties = json!({"PolicyDocument": {"Statement": [statement]}, "Topics": [topic]});
    let id = region.make(kind, &properties).unwrap();
    assert!(region.state().rows::<sns::Topic>().next().unwrap().attributes["Policy"].contains("sns:Publish"));
    delete(&mut region, kind, &id);
    assert!(region.state().rows::<sns::Topic>().next().unwrap().attributes.is_empty());
}

#[test]
fn a_stack_gives_a_topic_no_more_filters_than_it_may_have() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    for n in 0..200 {
        region.subscribe(&topic, "http", &format!("http://127.0.0.1/{n}"), &[("FilterPolicy", r#"{"a": ["x"]}"#)]).unwrap();
    }
    let kind = "AWS::SNS::Subscription";
    let plain = json!({"TopicArn": topic, "Protocol": "http", "Endpoint": HOOK});
    let arn = region.make(kind, &plain).unwrap();
    let filtered = json!({"TopicArn": topic, "Protocol": "http", "Endpoint": HOOK, "FilterPolicy": {"a": ["x"]}});
    assert_eq!(region.change(kind, &arn, &plain, &filtered).unwrap_err().code, "FilterPolicyLimitExceeded");
    region.change(kind, &arn, &plain, &plain).unwrap();
}
