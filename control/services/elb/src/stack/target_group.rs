use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::{Value as Json, json};
use shapes::elbv2 as s;

use super::{attribute_changes, attributes, retag, served, shape::FromJson, tags_of};
use crate::health_check::change_of_health_check;
use crate::load_balancer::LoadBalancer;
use crate::operations::targets::asked;
use crate::target_group::{self, NewTargetGroup, load_balancer_of};
use crate::{attribute, target};

/// `AWS::ElasticLoadBalancingV2::TargetGroup`.
pub(super) struct Type;

/// A target's id and port.
type Named = (String, Option<u16>);

/// The targets of a template, each with its port: the group's where none is named.
fn targets(tx: &Tx, arn: &str, json: &Json) -> Result<Vec<Named>, Fault> {
    let shapes: Vec<s::TargetDescription> = FromJson::from_json(&json["Targets"]);
    if shapes.is_empty() {
        return Ok(Vec::new());
    }
    let group = target_group::find(tx, arn)?;
    Ok(asked(tx, group, shapes)?.into_iter().map(|(id, port)| (id, port.or(Some(group.port)))).collect())
}

fn without(all: &[Named], others: &[Named]) -> Vec<Named> {
    all.iter().filter(|target| !others.contains(target)).cloned().collect()
}

impl StackResource for Type {
    fn type_name(&self) -> &'static str {
        "AWS::ElasticLoadBalancingV2::TargetGroup"
    }

    fn schema(&self) -> &'static str {
        include_str!("target_group.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let mut input = s::CreateTargetGroupInput::from_json(request.properties);
        if input.name.is_empty() {
            input.name = request.physical_name(cx, 32);
        }
        target_group::refuse_existing(tx, &input.name)?;
        let arn = target_group::create(tx, cx, NewTargetGroup::of(input, tags_of(request)?)?)?;
        let wanted = attribute_changes(&[], &attributes(request.properties, "TargetGroupAttributes"), |_| None);
        target_group::set_attributes(tx, cx, &arn, &wanted)?;
        let targets = targets(tx, &arn, request.properties)?;
        target::register(tx, cx, &arn, &targets)?;
        Ok(arn.to_string())
    }

    /// One that no load balancer uses is served by nobody.
    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        let Ok(group) = target_group::find(state, physical_id) else { return Progress::Failed(format!("{physical_id} is gone")) };
        let balancer = load_balancer_of(state, &group.arn).and_then(|arn| state.get::<LoadBalancer>(&arn));
        balancer.map_or(Progress::Ready, |balancer| served(state, balancer))
    }

    fn shares_fate(&self) -> bool {
        true
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        // What the template no longer names goes back to its default.
        let input = s::CreateTargetGroupInput::from_json(request.properties);
        target_group::reset_health_check(tx, physical_id, change_of_health_check!(input))?;
        let names = "TargetGroupAttributes";
        let row = target_group::find(tx, physical_id)?;
        let default = |name: &str| attribute::default_of_target_group(row, name).map(str::to_string);
        let changes = attribute_changes(&attributes(old, names), &attributes(request.properties, names), default);
        target_group::set_attributes(tx, cx, physical_id, &changes)?;
        let (was, is) = (targets(tx, physical_id, old)?, targets(tx, physical_id, request.properties)?);
        let (gone, come) = (without(&was, &is), without(&is, &was));
        target::deregister(tx, cx, physical_id, &gone)?;
        target::register(tx, cx, physical_id, &come)?;
        Ok(retag(tx, physical_id, old, request)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        target_group::delete(tx, physical_id)?;
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let group = target_group::find(state, physical_id)?;
        Ok(match name {
            "TargetGroupName" => json!(group.name),
            "TargetGroupFullName" => json!(group.full_name()),
            "LoadBalancerArns" => json!(load_balancer_of(state, &group.arn).into_iter().collect::<Vec<_>>()),
            _ => json!(group.arn),
        })
    }
}
