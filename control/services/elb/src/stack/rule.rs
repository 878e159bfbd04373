use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;

use super::{retag, served_listener, shape::FromJson, tags_of};
use crate::rule::{self, Rule};

/// `AWS::ElasticLoadBalancingV2::ListenerRule`.
pub(super) struct Type;

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::ListenerRule"
    }

    fn schema(&self) -> &'static str {
        include_str!("rule.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        Ok(rule::create(tx, cx, s::CreateRuleInput::from_json(request.properties), tags_of(request)?)?)
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        let rule = rule::find(state, physical_id, "read");
        rule.map_or_else(|e| Progress::Failed(e.to_string()), |rule| served_listener(state, &rule.listener))
    }

    fn shares_fate(&self) -> bool {
        true
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let wanted = s::CreateRuleInput::from_json(request.properties);
        rule::set_priorities(tx, &[(physical_id.into(), wanted.priority)])?;
        let modify = s::ModifyRuleInput {
            rule_arn: physical_id.into(),
            conditions: wanted.conditions,
            actions: wanted.actions,
            reset_transforms: Some(wanted.transforms.is_empty()),
            transforms: wanted.transforms,
        };
        rule::modify(tx, cx, modify)?;
        Ok(retag(tx, physical_id, old, request)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        rule::delete(tx, physical_id);
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        rule::find(state, physical_id, "read").map(Rule::to_shape)?;
        Ok(match name {
            // A default rule is its listener's: it is never a resource of its own.
            "IsDefault" => json!(false),
            _ => json!(physical_id),
        })
    }
}
