use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;

use super::cut;
use crate::arn::Named;
use crate::error::Error;
use crate::listener::{self, Listener};
use crate::rule::{self, Rule};
use crate::{action, tags};

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateRuleInput) -> Result<s::CreateRuleOutput, Fault> {
    let tags = tags::from_user(&input.tags)?;
    let arn = rule::create(tx, cx, input, tags)?;
    Ok(s::CreateRuleOutput { rules: shapes_of(tx, &[arn]) })
}

fn shapes_of(state: &State, arns: &[String]) -> Vec<s::Rule> {
    arns.iter().filter_map(|arn| state.get::<Rule>(arn)).map(Rule::to_shape).collect()
}

fn default_shape(listener: &Listener) -> s::Rule {
    s::Rule {
        rule_arn: Some(listener.default_rule_arn()),
        priority: Some("default".into()),
        actions: vec![action::to_shape(&listener.default_action, listener.order)],
        is_default: Some(true),
        ..Default::default()
    }
}

/// A listener's rules in order of priority with the default one last, or those of these ARNs.
pub(super) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeRulesInput) -> Result<s::DescribeRulesOutput, Fault> {
    let mut all: Vec<(String, s::Rule)> = Vec::new();
    match (&input.listener_arn, input.rule_arns.is_empty()) {
        (Some(arn), true) => {
            let listener = listener::find(tx, arn)?;
            let rules = tx.rows_where::<Rule>("listener", &listener.arn);
            all.extend(rules.map(|rule| (format!("{:05}", rule.priority), rule.to_shape())));
            all.push(("default".into(), default_shape(listener)));
        }
        (None, false) => {
            for arn in &input.rule_arns {
                let shape = match (tx.get::<Rule>(arn), rule::default_of(tx, arn)) {
                    (Some(rule), _) => rule.to_shape(),
                    (None, Some(listener)) => default_shape(listener),
                    (None, None) => return Err(Named::Rule.missing(arn).into()),
                };
                all.push((arn.clone(), shape));
            }
        }
        _ => return Err(Error::Validation("You must specify either listener rule ARNs or a listener ARN".into()).into()),
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup_by(|a, b| a.0 == b.0);
    let page = cut(all.iter().collect(), |(key, _)| key.clone(), input.marker.as_deref(), input.page_size)?;
    let rules = page.items.into_iter().map(|(_, shape)| shape.clone()).collect();
    Ok(s::DescribeRulesOutput { rules, next_marker: page.next_token })
}

pub(super) fn modify(tx: &mut Tx, cx: &Cx, input: s::ModifyRuleInput) -> Result<s::ModifyRuleOutput, Fault> {
    let arn = input.rule_arn.clone();
    rule::modify(tx, cx, input)?;
    Ok(s::ModifyRuleOutput { rules: shapes_of(tx, &[arn]) })
}

pub(super) fn set_priorities(tx: &mut Tx, _: &Cx, input: s::SetRulePrioritiesInput) -> Result<s::SetRulePrioritiesOutput, Fault> {
    if input.rule_priorities.is_empty() {
        return Err(Error::Validation("At least one rule priority must be specified".into()).into());
    }
    let missing = || Error::Validation("A rule priority needs a RuleArn and a Priority".into());
    let pair = |pair: s::RulePriorityPair| pair.rule_arn.zip(pair.priority).ok_or_else(missing);
    let pairs = input.rule_priorities.into_iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let arns = rule::set_priorities(tx, &pairs)?;
    Ok(s::SetRulePrioritiesOutput { rules: shapes_of(tx, &arns) })
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteRuleInput) -> Result<s::DeleteRuleOutput, Fault> {
    let arn = rule::find(tx, &input.rule_arn, "deleted")?.arn.clone();
    rule::delete(tx, &arn);
    Ok(s::DeleteRuleOutput {})
}
