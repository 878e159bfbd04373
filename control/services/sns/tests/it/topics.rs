//! Topics, their attributes, permissions and tags.

use shapes::sns as s;
use shapes::sns::ops;

use crate::region::{Region, map};

fn create(name: &str, attributes: &[(&str, &str)], tags: &[(&str, &str)]) -> s::CreateTopicInput {
    let tags = tags.iter().map(|(key, value)| s::Tag { key: (*key).into(), value: (*value).into() }).collect();
    s::CreateTopicInput { name: name.into(), attributes: map(attributes), tags, data_protection_policy: None }
}

fn attributes(region: &mut Region, arn: &str) -> std::collections::BTreeMap<String, String> {
    let input = s::GetTopicAttributesInput { topic_arn: arn.into() };
    region.call::<ops::GetTopicAttributes>(input).unwrap().attributes
}

#[test]
fn creating_a_topic_again_finds_it_and_contradictions_are_refused() {
    let mut region = Region::new();
    let arn = region.topic("alerts");
    assert_eq!(arn, "arn:aws:sns:eu-central-1:000000000000:alerts");
    assert_eq!(region.topic("alerts"), arn);
    let other = region.call::<ops::CreateTopic>(create("alerts", &[("DisplayName", "Alerts")], &[])).unwrap_err();
    assert_eq!(other.message, "Invalid parameter: Attributes Reason: Topic already exists with different attributes");
    let other = region.call::<ops::CreateTopic>(create("alerts", &[], &[("team", "blue")])).unwrap_err();
    assert_eq!(other.message, "Invalid parameter: Tags Reason: Topic already exists with different tags");
}

#[test]
fn bad_names_and_attributes_are_refused_in_the_words_of_aws() {
    let mut region = Region::new();
    let long = "x".repeat(257);
    for (name, attributes, message) in [
        ("", &[][..], "Topic Name"),
        ("a b", &[], "Topic Name"),
        (long.as_str(), &[], "Topic Name"),
        ("orders.fifo", &[("FifoTopic", "true")], "Attributes Reason: FIFO topics are not available in this region"),
        ("orders", &[("Colour", "red")], "Attributes Reason: Unknown attribute Colour"),
        ("orders", &[("Policy", "{")], "Policy Error: null"),
        (
            "orders",
            &[("HTTPSuccessFeedbackSampleRate", "10")],
            "Attributes Reason: HTTPSuccessFeedbackSampleRate: delivery status logging is not available in this region",
        ),
    ] {
        let fault = region.call::<ops::CreateTopic>(create(name, attributes, &[])).unwrap_err();
        assert_eq!((fault.code.as_ref(), fault.message), ("InvalidParameter", format!("Invalid parameter: {message}")));
    }
    let fault = region.publish("nonsense", "hello").unwrap_err();
    assert_eq!(fault.message, "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1");
    let missing = region.publish("arn:aws:sns:eu-central-1:000000000000:missing", "hello").unwrap_err();
    assert_eq!((missing.code.as_ref(), missing.http, missing.message.as_str()), ("NotFound", 404, "Topic does not exist"));
}

#[test]
fn attributes_are_set_shown_and_reset() {
    let mut region = Region::new();
    let arn = region.topic("alerts");
    let mut set = |name: &str, value: &str| {
        let (attribute_name, attribute_value) = (name.into(), Some(value.into()));
        region.call::<ops::SetTopicAttributes>(s::SetTopicAttributesInput {
            topic_arn: arn.clone(),
            attribute_name,
            attribute_value,
        })
    };
    set("DisplayName", "Alerts").unwrap();
    set("DeliveryPolicy", r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":5}}}"#).unwrap();
    assert_eq!(set("Colour", "red").unwrap_err().message, "Invalid parameter: AttributeName");
    assert!(set("DeliveryPolicy", r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":500}}}"#).is_err());
    // Terraform sets the sample rates that a configuration leaves out.
    set("HTTPSuccessFeedbackSampleRate", "0").unwrap();
    let shown = attributes(&mut region, &arn);
    assert!(!shown.contains_key("HTTPSuccessFeedbackSampleRate"));
    assert_eq!(shown["DisplayName"], "Alerts");
    assert!(shown["EffectiveDeliveryPolicy"].contains(r#""numRetries":5"#));
    assert!(shown["Policy"].contains("__default_policy_ID"));
    let reset =
        s::SetTopicAttributesInput { topic_arn: arn.clone(), attribute_name: "DeliveryPolicy".into(), attribute_value: None };
    region.call::<ops::SetTopicAttributes>(reset).unwrap();
    assert!(attributes(&mut region, &arn)["EffectiveDeliveryPolicy"].contains(r#""numRetries":3"#));
}

#[test]
fn permissions_are_statements_of_the_policy() {
    let mut region = Region::new();
    let arn = region.topic("alerts");
    let add = s::AddPermissionInput {
        topic_arn: arn.clone(),
        label: "partner".into(),
        aws_account_id: vec!["111122223333".into()],
        action_name: vec!["Publish".into()],
    };
    region.call::<ops::AddPermission>(add.clone()).unwrap();
    assert_eq!(region.call::<ops::AddPermission>(add).unwrap_err().message, "Invalid parameter: Statement already exists");
    let policy = attributes(&mut region, &arn)["Policy"].clone();
    assert!(policy.contains("arn:aws:iam::111122223333:root") && policy.contains("__default_statement_ID"), "{policy}");
    for _ in 0..2 {
        let remove = s::RemovePermissionInput { topic_arn: arn.clone(), label: "partner".into() };
        region.call::<ops::RemovePermission>(remove).unwrap();
    }
    assert!(!attributes(&mut region, &arn)["Policy"].contains("partner"));
}

#[test]
fn topics_are_listed_in_pages_of_a_hundred() {
    let mut region = Region::new();
    for n in 0..150 {
        region.topic(&format!("t{n:03}"));
    }
    let first = region.call::<ops::ListTopics>(s::ListTopicsInput::default()).unwrap();
    assert_eq!(first.topics.len(), 100);
    let second = region.call::<ops::ListTopics>(s::ListTopicsInput { next_token: first.next_token }).unwrap();
    assert_eq!((second.topics.len(), second.next_token), (50, None));
    let bad = region.call::<ops::ListTopics>(s::ListTopicsInput { next_token: Some("x".into()) }).unwrap_err();
    assert_eq!(bad.message, "Invalid parameter: NextToken");
}

#[test]
fn tags_are_added_listed_and_removed() {
    let mut region = Region::new();
    let arn = region.topic("alerts");
    let tags = |n: usize| (0..n).map(|n| s::Tag { key: format!("k{n}"), value: "v".into() }).collect();
    region.call::<ops::TagResource>(s::TagResourceRequest { resource_arn: arn.clone(), tags: tags(50) }).unwrap();
    let one_more = vec![s::Tag { key: "more".into(), value: String::new() }];
    let fault = region.call::<ops::TagResource>(s::TagResourceRequest { resource_arn: arn.clone(), tags: one_more }).unwrap_err();
    assert_eq!(fault.code, "TagLimitExceeded");
    let untag = s::UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["k0".into(), "k1".into()] };
    region.call::<ops::UntagResource>(untag).unwrap();
    let listed = region.call::<ops::ListTagsForResource>(s::ListTagsForResourceRequest { resource_arn: arn }).unwrap();
    assert_eq!(listed.tags.len(), 48);
    let missing = region.call::<ops::ListTagsForResource>(s::ListTagsForResourceRequest { resource_arn: "arn:x".into() });
    assert_eq!(missing.unwrap_err().code, "ResourceNotFound");
}
