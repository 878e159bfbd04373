//! Rules of listeners, as the API makes, orders, shows and ends them.

use shapes::elbv2 as s;
use shapes::elbv2::ops;

use crate::region::{Region, forward, path};
use crate::target_groups::modify;

struct Web {
    region: Region,
    balancer: String,
    listener: String,
    group: String,
}

impl Web {
    fn new() -> Self {
        let mut region = Region::new();
        let balancer = region.balancer_arn("web", "application");
        let group = region.group("web", "HTTP");
        let listener = region.listener(&balancer, "HTTP", 80, forward(&group));
        Self { region, balancer, listener, group }
    }

    fn rule(&mut self, priority: i64, pattern: &str) -> String {
        let (listener, group) = (self.listener.clone(), self.group.clone());
        self.region.rule(&listener, priority, pattern, &group)
    }

    fn describe(&mut self) -> Vec<s::Rule> {
        let input = s::DescribeRulesInput { listener_arn: Some(self.listener.clone()), ..Default::default() };
        self.region.call::<ops::DescribeRules>(input).unwrap().rules
    }

    fn priorities(&mut self) -> Vec<String> {
        self.describe().into_iter().map(|r| r.priority.unwrap()).collect()
    }

    fn set_priorities(&mut self, pairs: &[(&str, i64)]) -> Result<s::SetRulePrioritiesOutput, base::Fault> {
        let pair =
            |(arn, priority): &(&str, i64)| s::RulePriorityPair { rule_arn: Some((*arn).to_string()), priority: Some(*priority) };
        let input = s::SetRulePrioritiesInput { rule_priorities: pairs.iter().map(pair).collect() };
        self.region.call::<ops::SetRulePriorities>(input)
    }
}

#[test]
fn rules_are_shown_and_planned_in_order_of_priority() {
    let mut web = Web::new();
    for (priority, pattern) in [(20, "/b/*"), (3, "/a/*"), (1_000, "/c")] {
        web.rule(priority, pattern);
    }
    assert_eq!(web.priorities(), ["3", "20", "1000", "default"]);
    let rules = web.region.plan(&web.balancer).listeners.remove(0).rules;
    assert_eq!(rules.iter().map(|r| r.priority).collect::<Vec<_>>(), [3, 20, 1_000]);
    let described = web.describe();
    assert_eq!(described[3].is_default, Some(true));
    assert!(described[0].rule_arn.as_ref().unwrap().starts_with(&web.listener.replace(":listener/", ":listener-rule/")));
    let input =
        s::DescribeRulesInput { rule_arns: described.iter().filter_map(|r| r.rule_arn.clone()).collect(), ..Default::default() };
    assert_eq!(web.region.call::<ops::DescribeRules>(input).unwrap().rules.len(), 4);
}

/// Ansible compares what is shown with what it gave.
#[test]
fn an_order_is_shown_where_one_was_given() {
    let mut web = Web::new();
    let rule = web.rule(1, "/a");
    let orders = |web: &mut Web| web.describe().iter().map(|r| r.actions[0].order).collect::<Vec<_>>();
    assert_eq!(orders(&mut web), [None, None]);
    let actions = vec![s::Action { order: Some(7), ..forward(&web.group) }];
    let modify = s::ModifyRuleInput { rule_arn: rule, actions: actions.clone(), ..Default::default() };
    web.region.call::<ops::ModifyRule>(modify).unwrap();
    let modify = s::ModifyListenerInput { listener_arn: web.listener.clone(), default_actions: actions, ..Default::default() };
    web.region.call::<ops::ModifyListener>(modify).unwrap();
    assert_eq!(orders(&mut web), [Some(7), Some(7)]);
    let modify = s::ModifyListenerInput { listener_arn: web.listener.clone(), port: Some(81), ..Default::default() };
    let shown = web.region.call::<ops::ModifyListener>(modify).unwrap().listeners.remove(0);
    assert_eq!(shown.default_actions[0].order, Some(7));
}

#[test]
fn what_describe_shows_makes_the_same_rule_again() {
    let mut web = Web::new();
    let (listener, group) = (web.listener.clone(), web.group.clone());
    let header = s::HttpHeaderConditionConfig {
        http_header_name: Some("X-Team".into()),
        values: vec!["blue*".into()],
        regex_values: vec![],
    };
    let header = s::RuleCondition { field: Some("http-header".into()), http_header_config: Some(header), ..Default::default() };
    let rewrite = s::RewriteConfig { regex: "^/a/(.*)".into(), replace: "/$1".into() };
    let rewrite = s::RuleTransform {
        r#type: "url-rewrite".into(),
        url_rewrite_config: Some(s::UrlRewriteConfig { rewrites: vec![rewrite] }),
        ..Default::default()
    };
    let mut input = Region::rule_input(&listener, 5, path(&["/a/*"]), forward(&group));
    input.conditions.push(header);
    input.transforms.push(rewrite);
    let made = web.region.call::<ops::CreateRule>(input).unwrap().rules.remove(0);
    let again = s::CreateRuleInput {
        listener_arn: listener,
        priority: 6,
        conditions: made.conditions.clone(),
        actions: made.actions.clone(),
        transforms: made.transforms.clone(),
        tags: Vec::new(),
    };
    let second = web.region.call::<ops::CreateRule>(again).unwrap().rules.remove(0);
    assert_eq!((second.conditions, second.actions, second.transforms), (made.conditions, made.actions, made.transforms));
    let rules = web.region.plan(&web.balancer).listeners.remove(0).rules;
    assert_eq!((&rules[0].conditions, &rules[0].transforms), (&rules[1].conditions, &rules[1].transforms));
}

/// A rule that the edge could not compile would keep its whole load balancer as it was: it is refused at the call ("ELB User
/// Guide, Listener rules: Rule basics" and "API Reference, RewriteConfig").
#[test]
fn what_the_edge_cannot_compile_is_never_a_rule() {
    let mut web = Web::new();
    let rule = web.rule(1, "/a");
    let (listener, group) = (web.listener.clone(), web.group.clone());
    let regex = |field: &str, value: &str| s::RuleCondition {
        field: Some(field.into()),
        regex_values: vec![value.into()],
        ..Default::default()
    };
    for (field, value) in [
        ("path-pattern", r"^/\p{L}+"),
        ("path-pattern", "^/[\u{e9}]+"),
        ("path-pattern", "^/[^\u{e9}]$"),
        ("path-pattern", "(?R)"),
        ("host-header", "(a{255}){100}"),
    ] {
        let input = Region::rule_input(&listener, 2, regex(field, value), forward(&group));
        let refusal = web.region.refusal::<ops::CreateRule>(input);
        assert!(refusal.starts_with("ValidationError 400: ") && refusal.contains(value), "{refusal}");
        let conditions = vec![regex(field, value)];
        let input = s::ModifyRuleInput { rule_arn: rule.clone(), conditions, ..Default::default() };
        assert_eq!(web.region.refusal::<ops::ModifyRule>(input), refusal);
    }
    let rewrite = s::RewriteConfig { regex: "^/(.*)".into(), replace: "/$2".into() };
    let transform = s::RuleTransform {
        r#type: "url-rewrite".into(),
        url_rewrite_config: Some(s::UrlRewriteConfig { rewrites: vec![rewrite] }),
        ..Default::default()
    };
    let mut input = Region::rule_input(&listener, 2, path(&["/b"]), forward(&group));
    input.transforms.push(transform);
    let refusal = web.region.refusal::<ops::CreateRule>(input);
    assert!(refusal.starts_with("ValidationError 400: ") && refusal.contains("group $2"), "{refusal}");
    let redirect = |port: &str| s::Action {
        r#type: "redirect".into(),
        redirect_config: Some(s::RedirectActionConfig {
            port: Some(port.into()),
            status_code: "HTTP_302".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refusal = web.region.refusal::<ops::CreateRule>(Region::rule_input(&listener, 2, path(&["/b"]), redirect("+80")));
    assert!(refusal.starts_with("InvalidLoadBalancerAction 400: ") && refusal.contains("'+80'"), "{refusal}");
    web.region.call::<ops::CreateRule>(Region::rule_input(&listener, 2, path(&["/b"]), redirect("8080"))).unwrap();
    assert_eq!(web.priorities(), ["1", "2", "default"]);
}

#[test]
fn a_priority_is_had_by_one_rule_and_two_rules_may_swap() {
    let mut web = Web::new();
    let (a, b) = (web.rule(1, "/a"), web.rule(2, "/b"));
    let taken = Region::rule_input(&web.listener.clone(), 1, path(&["/c"]), forward(&web.group.clone()));
    assert_eq!(web.region.refusal::<ops::CreateRule>(taken), "PriorityInUse 400: Priority '1' is currently in use");
    let swapped = web.set_priorities(&[(&a, 2), (&b, 1)]).unwrap();
    assert_eq!(swapped.rules.iter().map(|r| r.priority.clone().unwrap()).collect::<Vec<_>>(), ["2", "1"]);
    for (pairs, code) in [
        (vec![(a.as_str(), 1)], "PriorityInUse"),
        (vec![(&a, 7), (&b, 7)], "PriorityInUse"),
        (vec![(&a, 0)], "ValidationError"),
        (vec![(&a, 50_001)], "ValidationError"),
        (vec![("arn:none", 5)], "ValidationError"),
        (vec![(format!("{a}0").as_str(), 5)], "RuleNotFound"),
    ] {
        assert_eq!(web.set_priorities(&pairs).unwrap_err().code, code, "{pairs:?}");
    }
    assert_eq!(web.priorities(), ["1", "2", "default"]);
}

#[test]
fn a_rule_changes_in_part_and_ends() {
    let mut web = Web::new();
    let rule = web.rule(1, "/a");
    let action = s::Action {
        r#type: "redirect".into(),
        redirect_config: Some(s::RedirectActionConfig {
            protocol: Some("HTTPS".into()),
            status_code: "HTTP_302".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let input = s::ModifyRuleInput { rule_arn: rule.clone(), actions: vec![action], ..Default::default() };
    let changed = web.region.call::<ops::ModifyRule>(input).unwrap().rules.remove(0);
    assert_eq!(changed.conditions[0].values, ["/a"]);
    let config = changed.actions[0].redirect_config.clone().unwrap();
    assert_eq!((config.port.as_deref(), config.path.as_deref()), (Some("#{port}"), Some("/#{path}")));
    let delete = |arn: &str| s::DeleteRuleInput { rule_arn: arn.into() };
    web.region.call::<ops::DeleteRule>(delete(&rule)).unwrap();
    assert_eq!(web.region.refusal::<ops::DeleteRule>(delete(&rule)), "RuleNotFound 400: One or more rules not found");
    let default = web.describe()[0].rule_arn.clone().unwrap();
    let refusal = web.region.refusal::<ops::DeleteRule>(delete(&default));
    assert_eq!(refusal, format!("OperationNotPermitted 400: Default rule '{default}' cannot be deleted"));
    assert!(web.region.plan(&web.balancer).listeners[0].rules.is_empty());
}

#[test]
fn a_hundred_rules_are_the_most_and_go_with_their_listener() {
    let mut web = Web::new();
    for priority in 1..=100 {
        web.rule(priority, "/a");
    }
    let one_more = Region::rule_input(&web.listener.clone(), 101, path(&["/c"]), forward(&web.group.clone()));
    assert!(web.region.refusal::<ops::CreateRule>(one_more).starts_with("TooManyRules 400: "));
    web.region.call::<ops::DeleteListener>(s::DeleteListenerInput { listener_arn: web.listener.clone() }).unwrap();
    assert_eq!(web.region.state().count::<elb::Rule>(), 0);
}

#[test]
fn a_group_that_only_a_rule_uses_is_in_use() {
    let mut web = Web::new();
    let group = web.region.group("other", "HTTP");
    let listener = web.listener.clone();
    let rule = web.region.rule(&listener, 1, "/o", &group);
    let delete = s::DeleteTargetGroupInput { target_group_arn: group.clone() };
    assert!(web.region.refusal::<ops::DeleteTargetGroup>(delete.clone()).starts_with("ResourceInUse"));
    assert_eq!(web.region.plan(&web.balancer).target_groups.len(), 2);
    let second = web.region.balancer_arn("second", "application");
    let stolen = Region::listener_input(&second, "HTTP", 80, forward(&group));
    assert!(web.region.refusal::<ops::CreateListener>(stolen).starts_with("TargetGroupAssociationLimit"));
    web.region.call::<ops::DeleteRule>(s::DeleteRuleInput { rule_arn: rule }).unwrap();
    web.region.call::<ops::DeleteTargetGroup>(delete).unwrap();
}

#[test]
fn rules_have_tags_and_survive_a_crash() {
    let mut web = Web::new();
    let rule = web.rule(1, "/a");
    let tag = s::Tag { key: "team".into(), value: Some("blue".into()) };
    let add = s::AddTagsInput { resource_arns: vec![rule.clone()], tags: vec![tag] };
    web.region.call::<ops::AddTags>(add).unwrap();
    web.region.reopen();
    let described = web.region.call::<ops::DescribeTags>(s::DescribeTagsInput { resource_arns: vec![rule] }).unwrap();
    assert_eq!(described.tag_descriptions[0].tags.len(), 1);
    assert_eq!(web.priorities(), ["1", "default"]);
}

/// AWS: "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups", whichever
/// comes last.
#[test]
fn clients_of_sticky_targets_are_kept_at_their_group_too() {
    let Web { mut region, listener, balancer, group } = Web::new();
    let other = region.group("other", "HTTP");
    let divide = |sticky: bool, groups: &[&String]| {
        let tuple = |arn: &&String| s::TargetGroupTuple { target_group_arn: Some((*arn).clone()), weight: Some(1) };
        let stickiness = s::TargetGroupStickinessConfig { enabled: Some(sticky), duration_seconds: sticky.then_some(60) };
        let config = s::ForwardActionConfig {
            target_groups: groups.iter().map(tuple).collect(),
            target_group_stickiness_config: Some(stickiness),
        };
        s::Action { r#type: "forward".into(), forward_config: Some(config), ..Default::default() }
    };
    let rule = |priority, action| Region::rule_input(&listener, priority, path(&["/a"]), action);
    let both = [&group, &other];
    let made = region.call::<ops::CreateRule>(rule(1, divide(false, &both))).unwrap().rules.remove(0).rule_arn.unwrap();
    let stick = |value| modify(&group, &[("stickiness.enabled", value)]);
    let refusal = region.refusal::<ops::ModifyTargetGroupAttributes>(stick("true"));
    let expected = format!(
        "InvalidConfigurationRequest 400: This target group appears behind a rule with group stickiness disabled ({group})"
    );
    assert!(refusal.starts_with(&expected), "{refusal}");
    let change = |action| s::ModifyRuleInput { rule_arn: made.clone(), actions: vec![action], ..Default::default() };
    region.call::<ops::ModifyRule>(change(divide(true, &both))).unwrap();
    region.call::<ops::ModifyTargetGroupAttributes>(stick("true")).unwrap();
    let freely = || divide(false, &both);
    let expected = "InvalidLoadBalancerAction 400: You must enable group stickiness on a rule if you enabled target stickiness";
    for refusal in [
        region.refusal::<ops::ModifyRule>(change(freely())),
        region.refusal::<ops::CreateRule>(rule(2, freely())),
        region.refusal::<ops::CreateListener>(Region::listener_input(&balancer, "HTTP", 81, freely())),
        region.refusal::<ops::ModifyListener>(s::ModifyListenerInput {
            listener_arn: listener.clone(),
            default_actions: vec![freely()],
            ..Default::default()
        }),
    ] {
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    region.call::<ops::CreateRule>(rule(3, divide(false, &[&group]))).unwrap();
    region.call::<ops::ModifyTargetGroupAttributes>(stick("false")).unwrap();
    region.call::<ops::ModifyRule>(change(freely())).unwrap();
}
