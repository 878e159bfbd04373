//! Rules of application load balancers' listeners, beside the default one that each listener has.

use base::{ListenerArn, LoadBalancerArn, Tags, TargetGroupArn};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use shapes::elbv2 as s;
use world::{Action, BalancerKind, Condition, Transform};

use crate::arn::Named;
use crate::error::Error;
use crate::listener::{self, Listener};
use crate::{action, condition, load_balancer, quota, tags, target_group, transform};

/// "Quotas for your Application Load Balancers": rules a load balancer, not counting default rules.
pub(crate) const RULES_MAX: usize = 100;
const PRIORITY: (i64, i64) = (1, 50_000);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub arn: String,
    pub listener: ListenerArn,
    pub load_balancer: LoadBalancerArn,
    /// 1 to 50,000; the lowest comes first.
    pub priority: u32,
    pub conditions: Vec<Condition>,
    pub transforms: Vec<Transform>,
    pub action: Action,
    /// The order that its action was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i64>,
}

impl Row for Rule {
    const TABLE: &'static str = "elb.rule";
    type Key = String;
    fn key(&self) -> String {
        self.arn.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("listener", &self.listener);
        add("load-balancer", &self.load_balancer);
        for group in self.groups() {
            add("group", group);
        }
    }
}

impl Rule {
    /// The groups that it forwards to.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &TargetGroupArn> {
        action::groups_of(&self.action)
    }

    pub(crate) fn to_shape(&self) -> s::Rule {
        s::Rule {
            rule_arn: Some(self.arn.clone()),
            priority: Some(self.priority.to_string()),
            conditions: self.conditions.iter().map(condition::to_shape).collect(),
            actions: vec![action::to_shape(&self.action, self.order)],
            is_default: Some(false),
            transforms: self.transforms.iter().map(transform::to_shape).collect(),
        }
    }
}

/// The listener whose default rule it is, if any.
pub(crate) fn default_of<'a>(state: &'a State, arn: &str) -> Option<&'a Listener> {
    let (head, id) = arn.rsplit_once('/')?;
    let listener = listener::find(state, &head.replacen(":listener-rule/", ":listener/", 1)).ok()?;
    (listener.default_rule_arn().ends_with(id) && listener.default_rule_arn() == arn).then_some(listener)
}

/// A rule that is no default one; `verb` says what was to become of it.
pub(crate) fn find<'a>(state: &'a State, arn: &str, verb: &str) -> Result<&'a Rule, Error> {
    match state.get::<Rule>(&arn.to_string()) {
        Some(rule) => Ok(rule),
        None if default_of(state, arn).is_some() => {
            Err(Error::Coded("OperationNotPermitted", format!("Default rule '{arn}' cannot be {verb}")))
        }
        None => Err(Named::Rule.missing(arn)),
    }
}

fn priority(value: i64) -> Result<u32, Error> {
    let (least, most) = PRIORITY;
    let priority = u32::try_from(value).ok().filter(|_| (least..=most).contains(&value));
    priority.ok_or_else(|| Error::Validation(format!("Priority '{value}' must be between {least} and {most}")))
}

/// Makes a rule.
pub(crate) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateRuleInput, tags: Tags) -> Result<String, Error> {
    let listener = listener::find(tx, &input.listener_arn)?.clone();
    let balancer = load_balancer::find(tx, &listener.load_balancer)?.clone();
    if balancer.kind != BalancerKind::Application {
        return Err(Error::Unsupported("Rules can only be created for listeners of application load balancers".into()));
    }
    let priority = priority(input.priority)?;
    let conditions = condition::of_shapes(input.conditions)?;
    let transforms = transform::of_shapes(input.transforms)?;
    let order = action::order_of(&input.actions);
    let action = action::of_shapes(input.actions)?;
    if tx.rows_where::<Rule>("listener", &listener.arn).any(|r| r.priority == priority) {
        return Err(Error::PriorityInUse(priority));
    }
    if tx.count_where::<Rule>("load-balancer", &balancer.arn) >= RULES_MAX {
        let text = format!("The maximum number of rules has been reached on load balancer '{}'", balancer.arn);
        return Err(Error::TooMany("TooManyRules", text));
    }
    listener::check_groups(tx, &balancer, listener.protocol, &action)?;
    target_group::check_divided(tx, &action)?;
    let head = listener.arn.replacen(":listener/", ":listener-rule/", 1);
    let arn = format!("{head}/{}", cx.rng().hex(16));
    let before = listener::groups_of(tx, &balancer.arn);
    let load_balancer = balancer.arn.clone();
    tx.put(Rule { arn: arn.clone(), listener: listener.arn, load_balancer, priority, conditions, transforms, action, order });
    quota::check_added(tx, cx, &balancer.arn, &before)?;
    tags::add(tx, &arn, tags)?;
    Ok(arn)
}

/// Changes a rule; what is empty stays.
pub(crate) fn modify(tx: &mut Tx, cx: &Cx, input: s::ModifyRuleInput) -> Result<(), Error> {
    let mut rule = find(tx, &input.rule_arn, "modified")?.clone();
    if !input.conditions.is_empty() {
        rule.conditions = condition::of_shapes(input.conditions)?;
    }
    match (input.reset_transforms == Some(true), input.transforms.is_empty()) {
        (true, false) => return Err(Error::Validation("Transforms and ResetTransforms cannot be specified together".into())),
        (true, true) => rule.transforms.clear(),
        (false, false) => rule.transforms = transform::of_shapes(input.transforms)?,
        (false, true) => {}
    }
    if !input.actions.is_empty() {
        let order = action::order_of(&input.actions);
        let action = action::of_shapes(input.actions)?;
        let balancer = load_balancer::find(tx, &rule.load_balancer)?.clone();
        let protocol = listener::find(tx, &rule.listener)?.protocol;
        listener::check_groups(tx, &balancer, protocol, &action)?;
        if rule.action != action {
            target_group::check_divided(tx, &action)?;
        }
        (rule.action, rule.order) = (action, order);
    }
    let balancer = rule.load_balancer.clone();
    let before = listener::groups_of(tx, &balancer);
    tx.put(rule);
    quota::check_added(tx, cx, &balancer, &before)
}

/// Gives rules other priorities, all at once: two may change places.
pub(crate) fn set_priorities(tx: &mut Tx, pairs: &[(String, i64)]) -> Result<Vec<String>, Error> {
    let mut changed: Vec<Rule> = Vec::new();
    for (arn, value) in pairs {
        let mut rule = find(tx, arn, "given a priority")?.clone();
        if changed.iter().any(|r| r.arn == rule.arn) {
            return Err(Error::Validation(format!("Rule '{arn}' is given more than once")));
        }
        rule.priority = priority(*value)?;
        changed.push(rule);
    }
    for (index, rule) in changed.iter().enumerate() {
        let same = |other: &Rule| other.listener == rule.listener && other.priority == rule.priority;
        let stays = |other: &&Rule| !changed.iter().any(|c| c.arn == other.arn);
        let is_taken = tx.rows_where::<Rule>("listener", &rule.listener).filter(stays).any(same);
        if is_taken || changed[..index].iter().any(same) {
            return Err(Error::PriorityInUse(rule.priority));
        }
    }
    let arns = changed.iter().map(|r| r.arn.clone()).collect();
    for rule in changed {
        tx.put(rule);
    }
    Ok(arns)
}

/// Ends a rule.
pub(crate) fn delete(tx: &mut Tx, arn: &str) {
    tags::set(tx, arn, Tags::new());
    tx.remove::<Rule>(&arn.to_string());
}
