//! Publishing: limits, structures, attributes, batches, and what other services publish.

use shapes::sns as s;
use shapes::sns::ops;
use world::{Destination, MessageForm};

use crate::region::{HOOK, Region};

fn message(topic: &str, text: &str) -> s::PublishInput {
    s::PublishInput { topic_arn: Some(topic.into()), message: text.into(), ..Default::default() }
}

fn text(value: &str) -> s::MessageAttributeValue {
    s::MessageAttributeValue { data_type: "String".into(), string_value: Some(value.into()), binary_value: None }
}

#[test]
fn a_message_is_not_empty_and_has_at_most_256_kib() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    assert_eq!(region.publish(&topic, "").unwrap_err().message, "Invalid parameter: Empty message");
    let full = "x".repeat(256 * 1024);
    region.publish(&topic, &full).unwrap();
    let fault = region.publish(&topic, &format!("{full}x")).unwrap_err();
    assert_eq!(fault.message, "Invalid parameter: Message too long");
    let mut with_attribute = message(&topic, &full);
    with_attribute.message_attributes.insert("a".into(), text("b"));
    assert_eq!(region.call::<ops::Publish>(with_attribute).unwrap_err().message, "Invalid parameter: Message too long");
}

/// "Publish": the limit is of bytes as they are, not as the courier writes them.
#[test]
fn bytes_of_a_binary_attribute_count_once() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let with = |bytes: usize| {
        let binary =
            s::MessageAttributeValue { data_type: "Binary".into(), string_value: None, binary_value: Some(vec![7; bytes]) };
        s::PublishInput { message_attributes: [("a".to_string(), binary)].into(), ..message(&topic, "hello") }
    };
    let room = 256 * 1024 - "hello".len() - "a".len() - "Binary".len();
    region.call::<ops::Publish>(with(room)).unwrap();
    assert_eq!(region.call::<ops::Publish>(with(room + 1)).unwrap_err().message, "Invalid parameter: Message too long");
}

#[test]
fn what_a_message_may_not_be_is_refused() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let base = message(&topic, "hello");
    let attribute = |name: &str, value: s::MessageAttributeValue| s::PublishInput {
        message_attributes: [(name.to_string(), value)].into(),
        ..base.clone()
    };
    let of = |data_type: &str, value: &str| s::MessageAttributeValue { data_type: data_type.into(), ..text(value) };
    for (input, code) in [
        (s::PublishInput { subject: Some(String::new()), ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { subject: Some("two\nlines".into()), ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { subject: Some("x".repeat(101)), ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { message_structure: Some("xml".into()), ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { message_structure: Some("json".into()), ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { target_arn: Some(topic.clone()), ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { topic_arn: None, ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { topic_arn: None, phone_number: Some("+49".into()), ..base.clone() }, "InvalidParameter"),
        (s::PublishInput { message_group_id: Some("g".into()), ..base.clone() }, "InvalidParameter"),
        (attribute("a", of("Colour", "red")), "ParameterValueInvalid"),
        (attribute("a", of("Number", "red")), "ParameterValueInvalid"),
        (attribute("a", of("String", "")), "ParameterValueInvalid"),
        (attribute("a..b", of("String", "x")), "ParameterValueInvalid"),
    ] {
        assert_eq!(region.call::<ops::Publish>(input.clone()).unwrap_err().code, code, "{input:?}");
    }
}

#[test]
fn each_protocol_gets_its_own_text_and_form() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    let policy = r#"{"requestPolicy":{"headerContentType":"application/json"}}"#;
    region.subscribed(&topic, "http", "http://raw.test/", &[("RawMessageDelivery", "true"), ("DeliveryPolicy", policy)]);
    region.subscribed(&topic, "email", "ops@example.com", &[]);
    region.subscribed(&topic, "email-json", "ops@example.com", &[]);
    let structure = r#"{"default": "for all", "http": "for hooks", "email": "for people", "sms": 5}"#;
    let input =
        s::PublishInput { message_structure: Some("json".into()), subject: Some("Weather".into()), ..message(&topic, structure) };
    let id = region.call::<ops::Publish>(input).unwrap().message_id.unwrap();
    let sent = region.under_way();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|d| d.message_id == id && d.subject.as_deref() == Some("Weather")));
    assert!(sent.iter().all(|d| d.link.contains("Action=Unsubscribe")));
    let got = |endpoint: &str, form: MessageForm| {
        let fits = |d: &&world::Delivery| match &d.destination {
            Destination::Http { url, .. } => url == endpoint && d.form == form,
            Destination::Email { address } => address == endpoint && d.form == form,
        };
        sent.iter().find(fits).unwrap().message.clone()
    };
    assert_eq!(got(HOOK, MessageForm::Envelope), "for hooks");
    assert_eq!(got("http://raw.test/", MessageForm::Raw), "for hooks");
    assert_eq!(got("ops@example.com", MessageForm::Text), "for people");
    assert_eq!(got("ops@example.com", MessageForm::Envelope), "for all");
    let types: Vec<&str> = sent
        .iter()
        .filter_map(|d| match &d.destination {
            Destination::Http { content_type, .. } => Some(content_type.as_str()),
            Destination::Email { .. } => None,
        })
        .collect();
    assert!(types.contains(&"application/json") && types.contains(&"text/plain; charset=UTF-8"), "{types:?}");
}

#[test]
fn a_batch_is_published_entry_by_entry() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    let entry =
        |id: &str, message: &str| s::PublishBatchRequestEntry { id: id.into(), message: message.into(), ..Default::default() };
    let mut batch = |entries: Vec<s::PublishBatchRequestEntry>| {
        let input = s::PublishBatchInput { topic_arn: topic.clone(), publish_batch_request_entries: entries };
        region.call::<ops::PublishBatch>(input)
    };
    let result = batch(vec![entry("a", "one"), entry("b", ""), entry("c", "three")]).unwrap();
    assert_eq!((result.successful.len(), result.failed.len()), (2, 1));
    assert_eq!((result.failed[0].id.as_str(), result.failed[0].code.as_str()), ("b", "InvalidParameter"));
    assert!(result.failed[0].sender_fault);
    let half = "x".repeat(200 * 1024);
    for (entries, code) in [
        (vec![], "EmptyBatchRequest"),
        ((0..11).map(|n| entry(&n.to_string(), "x")).collect(), "TooManyEntriesInBatchRequest"),
        (vec![entry("a", "x"), entry("a", "y")], "BatchEntryIdsNotDistinct"),
        (vec![entry("a b", "x")], "InvalidBatchEntryId"),
        (vec![entry("a", &half), entry("b", &half)], "BatchRequestTooLong"),
    ] {
        assert_eq!(batch(entries).unwrap_err().code, code);
    }
    assert_eq!(region.under_way().len(), 2);
}

#[test]
fn other_services_publish_in_their_own_transactions() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    region.subscribed(&topic, "http", HOOK, &[]);
    let message = sns::Message { subject: Some("ALARM".into()), body: "it burns".into() };
    region.run(|tx, cx| sns::publish(tx, cx, &topic, message.clone())).unwrap();
    assert_eq!(region.under_way()[0].message, "it burns");
    let missing = "arn:aws:sns:eu-central-1:000000000000:missing";
    let fault = region.run(|tx, cx| sns::publish(tx, cx, missing, message)).unwrap_err();
    assert_eq!(fault.code, "NotFound");
}
