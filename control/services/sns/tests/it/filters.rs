//! Filter policies, seen through what is delivered ("Amazon SNS message filtering").

use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};
use shapes::sns as s;
use shapes::sns::ops;

use crate::region::{HOOK, Region, map};

struct Filtered {
    region: Region,
    topic: String,
    arn: String,
}

impl Filtered {
    fn new() -> Self {
        let mut region = Region::new();
        let topic = region.topic("alerts");
        let arn = region.subscribed(&topic, "http", HOOK, &[]);
        Self { region, topic, arn }
    }

    fn set(&mut self, policy: &str, scope: &str) -> Result<(), base::Fault> {
        for (name, value) in [("FilterPolicy", "{}"), ("FilterPolicyScope", scope), ("FilterPolicy", policy)] {
            self.region.call::<ops::SetSubscriptionAttributes>(s::SetSubscriptionAttributesInput {
                subscription_arn: self.arn.clone(),
                attribute_name: name.into(),
                attribute_value: Some(value.into()),
            })?;
        }
        Ok(())
    }

    /// Whether the message passes.
    fn passes(&mut self, message: &str, attributes: &[(&str, &str, &str)]) -> bool {
        let of = |(name, data_type, value): &(&str, &str, &str)| {
            let value = s::MessageAttributeValue {
                data_type: (*data_type).into(),
                string_value: Some((*value).into()),
                binary_value: None,
            };
            (name.to_string(), value)
        };
        let input = s::PublishInput {
            topic_arn: Some(self.topic.clone()),
            message: message.into(),
            message_attributes: attributes.iter().map(of).collect(),
            ..Default::default()
        };
        self.region.call::<ops::Publish>(input).unwrap();
        let sent = self.region.under_way();
        sent.iter().for_each(|d| self.region.deliver(d));
        !sent.is_empty()
    }
}

#[test]
fn attributes_are_held_against_every_kind_of_condition() {
    let mut filtered = Filtered::new();
    let array = ("a", "String.Array", r#"["rugby","baseball"]"#);
    for (policy, attribute, passes) in [
        (json!({"a": ["x", "y"]}), ("a", "String", "y"), true),
        (json!({"a": ["x", "y"]}), ("a", "String", "z"), false),
        (json!({"a": ["x"]}), ("b", "String", "x"), false),
        (json!({"a": [{"prefix": "ab"}]}), ("a", "String", "abc"), true),
        (json!({"a": [{"suffix": "bc"}]}), ("a", "String", "abc"), true),
        (json!({"a": [{"suffix": "ab"}]}), ("a", "String", "abc"), false),
        (json!({"a": [{"equals-ignore-case": "TeNNis"}]}), ("a", "String", "tennis"), true),
        (json!({"a": [{"wildcard": "a*c"}]}), ("a", "String", "abbc"), true),
        (json!({"a": [{"cidr": "10.0.0.0/24"}]}), ("a", "String", "10.0.0.255"), true),
        (json!({"a": [{"cidr": "10.0.0.0/24"}]}), ("a", "String", "10.0.1.0"), false),
        (json!({"a": [{"cidr": "2001:db8::/32"}]}), ("a", "String", "2001:db8::1"), true),
        (json!({"a": [{"cidr": "0.0.0.0/0"}]}), ("a", "String", "::1"), false),
        (json!({"a": [{"anything-but": ["x", "y"]}]}), ("a", "String", "z"), true),
        (json!({"a": [{"anything-but": "z"}]}), ("a", "String", "z"), false),
        (json!({"a": [{"anything-but": "z"}]}), ("b", "String", "y"), false),
        (json!({"a": [{"anything-but": {"prefix": "z"}}]}), ("a", "String", "zz"), false),
        (json!({"a": [{"anything-but": {"suffix": "z"}}]}), ("a", "String", "zy"), true),
        (json!({"a": [{"anything-but": ["rugby", "tennis"]}]}), array, true),
        (json!({"a": [{"anything-but": ["rugby", "baseball"]}]}), array, false),
        (json!({"a": ["baseball"]}), array, true),
        (json!({"a": [{"numeric": ["=", 3.015]}]}), ("a", "Number", "3.015"), true),
        (json!({"a": [{"numeric": [">", 0, "<=", 150]}]}), ("a", "Number", "150"), true),
        (json!({"a": [{"numeric": [">", 0, "<=", 150]}]}), ("a", "Number", "0"), false),
        (json!({"a": [{"numeric": ["<", -1]}]}), ("a", "Number", "-3"), true),
        (json!({"a": [100]}), ("a", "Number", "100.0"), true),
        (json!({"a": [100]}), ("a", "String", "100"), false),
        (json!({"a": [{"exists": true}]}), ("a", "String", "x"), true),
        (json!({"a": [{"exists": true}]}), ("b", "String", "x"), false),
        (json!({"a": [{"exists": false}]}), ("b", "String", "x"), true),
        (json!({"a": [{"exists": false}]}), ("a", "String", "x"), false),
        (json!({"$or": [{"a": ["x"]}, {"b": ["y"]}]}), ("b", "String", "y"), true),
        (json!({"$or": [{"a": ["x"]}, {"b": ["y"]}]}), ("b", "String", "x"), false),
    ] {
        filtered.set(&policy.to_string(), "MessageAttributes").unwrap();
        assert_eq!(filtered.passes("m", &[attribute]), passes, "{policy} {attribute:?}");
    }
    filtered.set(r#"{"a": ["x"], "b": [{"exists": false}]}"#, "MessageAttributes").unwrap();
    assert!(!filtered.passes("m", &[("a", "String", "x"), ("b", "String", "x")]), "all keys must match");
}

#[test]
fn bodies_are_held_against_nested_policies() {
    let mut filtered = Filtered::new();
    for (policy, body, passes) in [
        (json!({"a": {"b": ["x"]}}), r#"{"a": {"b": "x"}}"#, true),
        (json!({"a": {"b": ["x"]}}), r#"{"a": {"b": "y"}}"#, false),
        (json!({"a": {"b": ["x"]}}), r#"{"a": [{"b": "y"}, {"b": ["z", "x"]}]}"#, true),
        (json!({"a": {"b": ["x"], "c": ["y"]}}), r#"{"a": [{"b": "x"}, {"c": "y"}]}"#, false),
        (json!({"a": {"b": [{"exists": false}]}}), "{}", true),
        (json!({"a": [true, null]}), r#"{"a": null}"#, true),
        (json!({"a": [{"numeric": [">=", 5]}]}), r#"{"a": 5}"#, true),
        (json!({"a": ["x"]}), "not json", false),
        (json!({"a": [{"exists": false}]}), "[1]", false),
        (json!({"d": {"$or": [{"a": [1]}, {"b": [2]}]}}), r#"{"d": {"b": 2}}"#, true),
    ] {
        filtered.set(&policy.to_string(), "MessageBody").unwrap();
        assert_eq!(filtered.passes(body, &[]), passes, "{policy} {body}");
    }
}

#[test]
fn policies_beyond_the_limits_or_without_sense_are_refused() {
    let mut filtered = Filtered::new();
    let many: Vec<Json> = (0..13).map(|n| json!(n)).collect();
    for policy in [
        json!([]),
        json!({"a": "x"}),
        json!({"a": []}),
        json!({"a": [["x"]]}),
        json!({"a": [{"like": "x"}]}),
        json!({"a": [{"prefix": "x", "suffix": "y"}]}),
        json!({"a": [{"prefix": 5}]}),
        json!({"a": [{"exists": "yes"}]}),
        json!({"a": [{"cidr": "10.0.0.0/33"}]}),
        json!({"a": [{"numeric": ["<", 5, ">", 1]}]}),
        json!({"a": [{"numeric": [">", 5, "<", 1]}]}),
        json!({"a": [{"numeric": ["=", "5"]}]}),
        json!({"a": [{"numeric": ["=", 2e9]}]}),
        json!({"a": [{"numeric": []}]}),
        json!({"a": [{"anything-but": []}]}),
        json!({"a": {"b": ["nested"]}}),
        json!({"$or": [{"a": ["x"]}]}),
        json!({"a": ["1"], "b": ["1"], "c": ["1"], "d": ["1"], "e": ["1"], "f": ["1"]}),
        json!({"a": many, "b": many}),
    ] {
        let fault = filtered.set(&policy.to_string(), "MessageAttributes").unwrap_err();
        assert!(fault.message.starts_with("Invalid parameter: FilterPolicy: "), "{policy}: {}", fault.message);
    }
}

#[test]
fn a_topic_has_at_most_two_hundred_filter_policies() {
    let mut region = Region::new();
    let topic = region.topic("alerts");
    let filter = [("FilterPolicy", r#"{"a":["x"]}"#)];
    for n in 0..200 {
        region.subscribe(&topic, "http", &format!("{HOOK}/{n}"), &filter).unwrap();
    }
    assert_eq!(region.subscribe(&topic, "http", HOOK, &filter).unwrap_err().code, "FilterPolicyLimitExceeded");
    region.subscribe(&topic, "http", HOOK, &[]).unwrap();
    assert_eq!(map(&filter).len(), 1);
}

/// Any JSON, deeper and wider than a policy may be.
fn nonsense() -> impl Strategy<Value = Json> {
    let word = prop::sample::select(vec!["a", "$or", "prefix", "numeric", "exists", "anything-but", "cidr", "=", ">"]);
    let leaf = proptest::prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        word.clone().prop_map(Json::from),
        proptest::prelude::Just(Json::Null),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let key = word.clone().prop_map(str::to_string);
        proptest::prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|m| Json::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]

    #[test]
    fn no_policy_breaks_the_region(policy in nonsense(), body in nonsense()) {
        let mut filtered = Filtered::new();
        if filtered.set(&policy.to_string(), "MessageBody").is_ok() {
            filtered.passes(&body.to_string(), &[]);
        }
        prop_assert_eq!(filtered.region.kernel.take_trouble(), None);
    }

    #[test]
    fn a_value_passes_its_own_policy_and_not_its_opposite(value in "[a-z]{1,8}") {
        let mut filtered = Filtered::new();
        for (condition, passes) in [
            (json!(value), true),
            (json!({"anything-but": value}), false),
            (json!({"prefix": &value[..1]}), true),
            (json!({"equals-ignore-case": value.to_uppercase()}), true),
        ] {
            filtered.set(&json!({"a": [condition]}).to_string(), "MessageAttributes").unwrap();
            prop_assert!(filtered.passes("m", &[("a", "String", &value)]) == passes);
        }
    }
}
