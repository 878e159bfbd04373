//! Tags of every kind of resource: what their keys and values consist of ("API Reference, Tag").

use base::Tags;
use shapes::elbv2 as s;
use shapes::elbv2::ops;

use crate::region::{Region, forward, path};

const PATTERN: &str = r"Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$";

fn tag(key: &str, value: &str) -> s::Tag {
    s::Tag { key: key.into(), value: Some(value.into()) }
}

fn pattern(value: &str, at: &str) -> String {
    format!("ValidationError 400: 1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: {PATTERN}")
}

#[test]
fn keys_and_values_have_the_characters_of_aws() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let add = |tags: Vec<s::Tag>| s::AddTagsInput { resource_arns: vec![web.clone()], tags };
    let fine = [
        tag("Team \u{e9}\u{4e16} \u{bd}\u{2167}", "a b\u{a0}c"),
        tag("a_.:/=+-@", "https://example.com/a"),
        tag(&"\u{e9}".repeat(128), &"\u{e9}".repeat(256)),
        tag("none", ""),
    ];
    for one in fine {
        region.call::<ops::AddTags>(add(vec![one])).unwrap();
    }
    region.call::<ops::AddTags>(add(vec![s::Tag { key: "absent".into(), value: None }])).unwrap();
    for wrong in ["k!", "a#b", "x<y>", "a\tb", "a\n", "a\u{301}", "\u{1f600}", "a,b", "a*", "(a)"] {
        let one = vec![tag("fine", "fine"), tag(wrong, "fine")];
        assert_eq!(region.refusal::<ops::AddTags>(add(one)), pattern(wrong, "tags.2.member.key"));
        assert_eq!(region.refusal::<ops::AddTags>(add(vec![tag("fine", wrong)])), pattern(wrong, "tags.1.member.value"));
    }
    let both = region.refusal::<ops::AddTags>(add(vec![tag("a#b", "x<y>")]));
    let detected = format!(
        "ValidationError 400: 2 validation errors detected: Value 'a#b' at 'tags.1.member.key' failed to satisfy constraint: \
         {PATTERN}; Value 'x<y>' at 'tags.1.member.value' failed to satisfy constraint: {PATTERN}"
    );
    assert_eq!(both, detected);
    let input = s::DescribeTagsInput { resource_arns: vec![web.clone()] };
    assert_eq!(region.call::<ops::DescribeTags>(input).unwrap().tag_descriptions[0].tags.len(), 5, "nothing is added in part");
    let remove = s::RemoveTagsInput { resource_arns: vec![web.clone()], tag_keys: vec!["none".into(), "k!".into()] };
    assert_eq!(region.refusal::<ops::RemoveTags>(remove), pattern("k!", "tagKeys.2.member"));
    let nowhere = s::AddTagsInput { resource_arns: vec!["arn:none".into()], tags: vec![tag("k!", "")] };
    assert_eq!(region.refusal::<ops::AddTags>(nowhere), pattern("k!", "tags.1.member.key"), "before all else");
}

/// The front refuses lengths for a request; a stack's resources come here without it.
#[test]
fn lengths_are_bounded() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let longest = |bound: usize| format!("Member must have length less than or equal to {bound}");
    for (key, value, expected) in [
        (String::new(), String::new(), "Member must have length greater than or equal to 1".to_string()),
        ("k".repeat(129), String::new(), longest(128)),
        ("k".into(), "v".repeat(257), longest(256)),
    ] {
        let input = s::AddTagsInput { resource_arns: vec![web.clone()], tags: vec![tag(&key, &value)] };
        let refusal = region.refusal::<ops::AddTags>(input);
        assert!(
            refusal.starts_with("ValidationError 400: 1 validation error detected: ") && refusal.ends_with(&expected),
            "{refusal}"
        );
    }
}

#[test]
fn whatever_is_made_with_tags_checks_them() {
    let mut region = Region::new();
    let web = region.balancer_arn("web", "application");
    let group = region.group("web", "HTTP");
    let listener = region.listener(&web, "HTTP", 80, forward(&group));
    let tags = || vec![tag("k", "x<y>")];
    let expected = pattern("x<y>", "tags.1.member.value");
    let balancer =
        s::CreateLoadBalancerInput { name: "two".into(), subnets: region.subnets.clone(), tags: tags(), ..Default::default() };
    assert_eq!(region.refusal::<ops::CreateLoadBalancer>(balancer), expected);
    let input = s::CreateTargetGroupInput { tags: tags(), ..region.group_input("two", "HTTP") };
    assert_eq!(region.refusal::<ops::CreateTargetGroup>(input), expected);
    let input = s::CreateListenerInput { tags: tags(), ..Region::listener_input(&web, "HTTP", 81, forward(&group)) };
    assert_eq!(region.refusal::<ops::CreateListener>(input), expected);
    let rule = s::CreateRuleInput { tags: tags(), ..Region::rule_input(&listener, 1, path(&["/a"]), forward(&group)) };
    assert_eq!(region.refusal::<ops::CreateRule>(rule), expected);
    let store = s::CreateTrustStoreInput { name: "s".into(), tags: tags(), ..Default::default() };
    assert_eq!(region.refusal::<ops::CreateTrustStore>(store), expected);
    region.stack_tags = Tags::from([("k".into(), "x<y>".into())]);
    let properties = serde_json::json!({"LoadBalancerArn": web, "Port": 82, "Protocol": "HTTP",
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}]});
    let fault = region.make("AWS::ElasticLoadBalancingV2::Listener", &properties).unwrap_err();
    assert!(fault.code == "ValidationError" && expected.ends_with(&fault.message), "{}", fault.message);
}

/// A user's own tags are none of the stack's.
#[test]
fn an_update_of_a_stack_takes_back_only_the_tags_that_it_gave() {
    let mut region = Region::new();
    let of = |region: &Region, kind: &str, tags: serde_json::Value| match kind {
        "LoadBalancer" => serde_json::json!({"Subnets": region.subnets, "Tags": tags}),
        _ => serde_json::json!({"VpcId": region.vpc, "Protocol": "HTTP", "Port": 80, "Tags": tags}),
    };
    for kind in ["LoadBalancer", "TargetGroup"] {
        region.stack_tags = Tags::from([("stage".into(), "test".into())]);
        let first = of(&region, kind, serde_json::json!([{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": "1"}]));
        let name = format!("AWS::ElasticLoadBalancingV2::{kind}");
        let arn = region.make(&name, &first).unwrap();
        let tags = vec![s::Tag { key: "mine".into(), value: Some("m".into()) }];
        region.call::<ops::AddTags>(s::AddTagsInput { resource_arns: vec![arn.clone()], tags }).unwrap();
        region.stack_tags.clear();
        let second = of(&region, kind, serde_json::json!([{"Key": "team", "Value": "red"}]));
        region.change(&name, &arn, &first, &second).unwrap();
        let input = s::DescribeTagsInput { resource_arns: vec![arn] };
        let shown = region.call::<ops::DescribeTags>(input).unwrap().tag_descriptions.remove(0).tags;
        let shown: Vec<_> = shown.into_iter().map(|tag| (tag.key, tag.value.unwrap())).collect();
        assert_eq!(shown, [("mine".to_string(), "m".to_string()), ("team".into(), "red".into())], "{kind}");
    }
}

#[test]
fn listeners_and_rules_get_and_lose_the_tags_of_their_stack() {
    let mut region = Region::new();
    let (web, group) = (region.balancer_arn("web", "application"), region.group("web", "HTTP"));
    let forward = serde_json::json!([{"Type": "forward", "TargetGroupArn": group}]);
    let listener = serde_json::json!({"LoadBalancerArn": web, "Port": 80, "Protocol": "HTTP", "DefaultActions": forward,
        "Tags": [{"Key": "own", "Value": "o"}]});
    let of_stack = |key: &str| Tags::from([(key.to_string(), "1".to_string())]);
    region.stack_tags = of_stack("before");
    let listener_arn = region.make("AWS::ElasticLoadBalancingV2::Listener", &listener).unwrap();
    let rule = serde_json::json!({"ListenerArn": listener_arn, "Priority": 1, "Actions": forward,
        "Conditions": [{"Field": "path-pattern", "Values": ["/a"]}], "Tags": [{"Key": "own", "Value": "o"}]});
    let rule_arn = region.make("AWS::ElasticLoadBalancingV2::ListenerRule", &rule).unwrap();
    for (kind, arn, properties) in [("Listener", listener_arn, listener), ("ListenerRule", rule_arn, rule)] {
        region.stack_tags = of_stack("before");
        let name = format!("AWS::ElasticLoadBalancingV2::{kind}");
        region.change(&name, &arn, &properties, &properties).unwrap();
        let add = s::AddTagsInput { resource_arns: vec![arn.clone()], tags: vec![tag("mine", "m")] };
        region.call::<ops::AddTags>(add).unwrap();
        region.stack_tags = of_stack("after");
        region.change(&name, &arn, &properties, &properties).unwrap();
        let shown = region.call::<ops::DescribeTags>(s::DescribeTagsInput { resource_arns: vec![arn] }).unwrap();
        let shown: Vec<_> = shown.tag_descriptions[0].tags.iter().map(|tag| tag.key.as_str()).collect();
        assert_eq!(shown, ["after", "mine", "own"], "{kind}");
    }
}
