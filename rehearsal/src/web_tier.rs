//! The reference stack in the simulated world: `stacks/web-tier.yaml`, its image, and a day of its life.

use std::time::Duration;

use base::{Fault, InstanceId};
use region::autoscaling::{Group, Lifecycle, Member};
use region::cloudformation::{Stack, StackStatus};
use shapes::{autoscaling as a, cloudformation as s, ec2};

use crate::{Delays, Rehearsal, Scrutiny};

/// The template as users deploy it.
pub const TEMPLATE: &str = include_str!("../../stacks/web-tier.yaml");
/// The stack's name in the calls of this module.
pub const STACK: &str = "web-tier";

/// How a stack is created: parameters by name, all others at their defaults.
pub type Parameters<'a> = &'a [(&'a str, &'a str)];

/// A region that has the web tier's image.
pub fn region(seed: u64, scrutiny: Scrutiny) -> Rehearsal {
    let mut region = Rehearsal::new(seed, Delays::default(), scrutiny);
    let image =
        ec2::RegisterImageRequest { name: "web-tier".into(), image_location: Some("web-tier-1".into()), ..Default::default() };
    if let Err(fault) = region.call::<ec2::ops::RegisterImage>(image) {
        region.breach(format!("an image cannot be registered: {fault}"));
    }
    region
}

/// Begins to create a stack from a template.
pub fn create(region: &mut Rehearsal, name: &str, template: &str, parameters: Parameters) -> Result<(), Fault> {
    let input = s::CreateStackInput {
        stack_name: name.into(),
        template_body: Some(template.into()),
        parameters: shapes_of(parameters),
        capabilities: vec!["CAPABILITY_IAM".into()],
        ..Default::default()
    };
    region.call::<s::ops::CreateStack>(input).map(drop)
}

/// Begins to update a stack; parameters not named go back to their defaults.
pub fn update(region: &mut Rehearsal, name: &str, template: &str, parameters: Parameters) -> Result<(), Fault> {
    let input = s::UpdateStackInput {
        stack_name: name.into(),
        template_body: Some(template.into()),
        parameters: shapes_of(parameters),
        capabilities: vec!["CAPABILITY_IAM".into()],
        ..Default::default()
    };
    region.call::<s::ops::UpdateStack>(input).map(drop)
}

/// Begins to delete a stack.
pub fn delete(region: &mut Rehearsal, name: &str) -> Result<(), Fault> {
    let input = s::DeleteStackInput { stack_name: name.into(), ..Default::default() };
    region.call::<s::ops::DeleteStack>(input).map(drop)
}

/// Sets the wanted capacity of a group.
pub fn set_capacity(region: &mut Rehearsal, group: &str, desired: i64) -> Result<(), Fault> {
    let input =
        a::SetDesiredCapacityType { auto_scaling_group_name: group.into(), desired_capacity: desired, ..Default::default() };
    region.call::<a::ops::SetDesiredCapacity>(input).map(drop)
}

fn shapes_of(parameters: Parameters) -> Vec<s::Parameter> {
    let shape = |(key, value): &(&str, &str)| s::Parameter {
        parameter_key: Some((*key).into()),
        parameter_value: Some((*value).into()),
        ..Default::default()
    };
    parameters.iter().map(shape).collect()
}

/// The newest stack of this name, also a deleted one.
pub fn stack<'a>(region: &'a Rehearsal, name: &str) -> Option<&'a Stack> {
    region.state().rows::<Stack>().filter(|s| s.name == name).max_by_key(|s| s.created)
}

pub fn status(region: &Rehearsal, name: &str) -> Option<StackStatus> {
    stack(region, name).map(|s| s.status)
}

/// What failed in a stack's life, one line for each event that says so.
pub fn failures(region: &mut Rehearsal, name: &str) -> Vec<String> {
    let Some(id) = stack(region, name).map(|s| s.id.to_string()) else { return Vec::new() };
    let input = s::DescribeStackEventsInput { stack_name: id, ..Default::default() };
    let events = region.call::<s::ops::DescribeStackEvents>(input).map(|told| told.stack_events).unwrap_or_default();
    let failed = events.into_iter().filter(|e| e.resource_status.as_deref().is_some_and(|s| s.ends_with("_FAILED")));
    let line = |e: s::StackEvent| {
        format!("{} {}", e.logical_resource_id.unwrap_or_default(), e.resource_status_reason.unwrap_or_default())
    };
    failed.map(line).collect()
}

/// Waits until nothing is under way with the stack any more; false when that takes longer than `limit`.
pub fn settle(region: &mut Rehearsal, name: &str, limit: Duration) -> bool {
    region.run_until(limit, |r| status(r, name).is_none_or(|s| !s.is_in_progress()))
}

/// Instances in service, in order of id.
pub fn in_service(region: &Rehearsal) -> Vec<InstanceId> {
    let members = region.state().rows::<Member>().filter(|m| m.lifecycle == Lifecycle::InService);
    members.map(|m| m.instance.clone()).collect()
}

/// The first group's name.
pub fn group(region: &Rehearsal) -> Option<String> {
    region.state().rows::<Group>().next().map(|g| g.name.to_string())
}
