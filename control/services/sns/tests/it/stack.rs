//! `AWS::SNS::*` as the stack engine calls them.

use base::{Fault, Tags};
use kernel::{Progress, ResourceRequest};
use serde_json::{Value as Json, json};

use crate::region::{HOOK, Region};

fn request<'a>(properties: &'a Json, tags: &'a Tags) -> ResourceRequest<'a> {
    ResourceRequest {
        stack_id: "arn:stack",
        stack_name: "web",
        logical_id: "Alerts",
        properties,
        tags,
        creation_policy: None,
        update_policy: None,
    }
}

fn create(region: &mut Region, kind: &str, properties: &Json) -> Result<String, Fault> {
    let tags = Tags::from([("aws:cloudformation:stack-name".to_string(), "web".to_string())]);
    region.run(|tx, cx| tx.registry().stack_resource(kind).unwrap().create(tx, cx, &request(properties, &tags)))
}

fn update(region: &mut Region, kind: &str, id: &str, old: &Json, new: &Json) -> Result<(), Fault> {
    let tags = Tags::new();
    region.run(|tx, cx| tx.registry().stack_resource(kind).unwrap().update(tx, cx, id, old, &request(new, &tags)))
}

fn delete(region: &mut Region, kind: &str, id: &str) {
    for _ in 0..2 {
        let gone = region.run(|tx, cx| tx.registry().stack_resource(kind).unwrap().delete(tx, cx, id));
        assert_eq!(gone.unwrap(), Progress::Ready);
    }
}

fn attribute(region: &mut Region, kind: &str, id: &str, name: &str) -> Json {
    region.run(|tx, cx| tx.registry().stack_resource(kind).unwrap().attribute(tx, cx, id, name)).unwrap()
}

#[test]
fn a_topic_with_inline_subscriptions_is_made_changed_and_removed() {
    let kind = "AWS::SNS::Topic";
    let mut region = Region::new();
    let one = json!({"Endpoint": HOOK, "Protocol": "http"});
    let two = json!({"Endpoint": "ops@example.com", "Protocol": "email"});
    let first = json!({"DisplayName": "Alerts", "Subscription": [one], "Tags": [{"Key": "team", "Value": "blue"}]});
    let arn = create(&mut region, kind, &first).unwrap();
    assert!(arn.starts_with("arn:aws:sns:eu-central-1:000000000000:web-Alerts-"), "{arn}");
    assert_eq!(attribute(&mut region, kind, &arn, "TopicArn"), json!(arn));
    assert_eq!(attribute(&mut region, kind, &arn, "TopicName"), json!(arn.rsplit(':').next()));
    let second = json!({"Subscription": [two]});
    update(&mut region, kind, &arn, &first, &second).unwrap();
    let topic = region.state().rows::<sns::Topic>().next().unwrap();
    assert!(topic.attributes.is_empty() && !topic.tags.contains_key("team") && topic.tags.len() == 1);
    let endpoints: Vec<&str> = region.state().rows::<sns::Subscription>().map(|s| s.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["ops@example.com"]);
    delete(&mut region, kind, &arn);
    assert_eq!(region.state().count::<sns::Subscription>(), 0);
    let named = json!({"TopicName": "alerts"});
    create(&mut region, kind, &named).unwrap();
    assert_eq!(create(&mut region, kind, &named).unwrap_err().code, "AlreadyExists");
}

#[test]
fn a_subscription_and_a_policy_of_a_stack() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let kind = "AWS::SNS::Subscription";
    let first = json!({"TopicArn": topic, "Protocol": "http", "Endpoint": HOOK, "FilterPolicy": {"a": ["x"]}});
    let arn = create(&mut region, kind, &first).unwrap();
    let second = json!({"TopicArn": topic, "Protocol": "http", "Endpoint": HOOK, "RawMessageDelivery": true});
    update(&mut region, kind, &arn, &first, &second).unwrap();
    let row = region.state().rows::<sns::Subscription>().next().unwrap();
    assert_eq!(row.attributes.keys().collect::<Vec<_>>(), ["RawMessageDelivery"]);
    delete(&mut region, kind, &arn);

    let kind = "AWS::SNS::TopicPolicy";
    let statement = json!({"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": topic});
    let properties = json!({"PolicyDocument": {"Statement": [statement]}, "Topics": [topic]});
    let id = create(&mut region, kind, &properties).unwrap();
    assert!(region.state().rows::<sns::Topic>().next().unwrap().attributes["Policy"].contains("sns:Publish"));
    delete(&mut region, kind, &id);
    assert!(region.state().rows::<sns::Topic>().next().unwrap().attributes.is_empty());
}
