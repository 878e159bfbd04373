//! Target groups of a group, under their older name and as traffic sources.

use base::{Fault, TargetGroupArn};
use kernel::{Cx, State, Tx};
use shapes::autoscaling as s;

use super::cut;
use crate::error::Error;
use crate::group::{Group, HealthCheck};
use crate::member::{Lifecycle, Member};
use crate::transitions;

/// The only type of traffic source here.
const TYPE: &str = "elbv2";

pub(crate) fn attach_target_groups(
    tx: &mut Tx,
    _: &Cx,
    input: s::AttachLoadBalancerTargetGroupsType,
) -> Result<s::AttachLoadBalancerTargetGroupsResultType, Fault> {
    transitions::attach_target_groups(tx, &input.auto_scaling_group_name, &arns(input.target_group_arns))?;
    Ok(Default::default())
}

pub(crate) fn detach_target_groups(
    tx: &mut Tx,
    _: &Cx,
    input: s::DetachLoadBalancerTargetGroupsType,
) -> Result<s::DetachLoadBalancerTargetGroupsResultType, Fault> {
    transitions::detach_target_groups(tx, &input.auto_scaling_group_name, &arns(input.target_group_arns))?;
    Ok(Default::default())
}

pub(crate) fn describe_target_groups(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeLoadBalancerTargetGroupsRequest,
) -> Result<s::DescribeLoadBalancerTargetGroupsResponse, Fault> {
    let states = states(tx, &input.auto_scaling_group_name)?;
    let page = cut(states.into_iter(), |(arn, _)| arn.to_string(), input.next_token.as_deref(), input.max_records)?;
    let answer = |(arn, state): (TargetGroupArn, &str)| s::LoadBalancerTargetGroupState {
        load_balancer_target_group_arn: Some(arn.into()),
        state: Some(state.into()),
    };
    Ok(s::DescribeLoadBalancerTargetGroupsResponse {
        load_balancer_target_groups: page.items.into_iter().map(answer).collect(),
        next_token: page.next_token,
    })
}

pub(crate) fn attach(
    tx: &mut Tx,
    _: &Cx,
    input: s::AttachTrafficSourcesType,
) -> Result<s::AttachTrafficSourcesResultType, Fault> {
    transitions::attach_target_groups(tx, &input.auto_scaling_group_name, &target_groups(input.traffic_sources)?)?;
    Ok(Default::default())
}

pub(crate) fn detach(
    tx: &mut Tx,
    _: &Cx,
    input: s::DetachTrafficSourcesType,
) -> Result<s::DetachTrafficSourcesResultType, Fault> {
    transitions::detach_target_groups(tx, &input.auto_scaling_group_name, &target_groups(input.traffic_sources)?)?;
    Ok(Default::default())
}

pub(crate) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeTrafficSourcesRequest,
) -> Result<s::DescribeTrafficSourcesResponse, Fault> {
    let mut states = states(tx, &input.auto_scaling_group_name)?;
    if input.traffic_source_type.is_some_and(|t| t != TYPE) {
        states.clear();
    }
    let page = cut(states.into_iter(), |(arn, _)| arn.to_string(), input.next_token.as_deref(), input.max_records)?;
    let answer = |(arn, state): (TargetGroupArn, &str)| s::TrafficSourceState {
        traffic_source: Some(arn.to_string()),
        state: Some(state.into()),
        identifier: Some(arn.into()),
        r#type: Some(TYPE.into()),
    };
    Ok(s::DescribeTrafficSourcesResponse {
        traffic_sources: page.items.into_iter().map(answer).collect(),
        next_token: page.next_token,
    })
}

/// Target groups out of traffic sources.
pub(crate) fn target_groups(sources: Vec<s::TrafficSourceIdentifier>) -> Result<Vec<TargetGroupArn>, Error> {
    let parse = |source: s::TrafficSourceIdentifier| match source.r#type.as_deref() {
        None | Some(TYPE) => Ok(source.identifier.into()),
        Some(other) => Err(Error::Unsupported(format!("A traffic source of type '{other}'"))),
    };
    sources.into_iter().map(parse).collect()
}

fn arns(names: Vec<String>) -> Vec<TargetGroupArn> {
    names.into_iter().map(Into::into).collect()
}

/// Each attached or leaving target group with AWS's word for how that goes, in order of ARN.
fn states(state: &State, name: &str) -> Result<Vec<(TargetGroupArn, &'static str)>, Error> {
    let group = transitions::find_group(state, name)?;
    let members: Vec<&Member> =
        state.rows_where::<Member>("group", &group.name).filter(|m| m.lifecycle == Lifecycle::InService).collect();
    let attached = group.target_groups.iter().map(|arn| (arn.clone(), attached_state(state, group, &members, arn)));
    let mut all: Vec<_> = attached.chain(group.detaching.iter().map(|arn| (arn.clone(), "Removing"))).collect();
    all.sort();
    Ok(all)
}

fn attached_state(state: &State, group: &Group, members: &[&Member], arn: &TargetGroupArn) -> &'static str {
    if members.iter().any(|m| !m.handled.contains(arn)) {
        return "Adding";
    }
    let healthy = |m: &&Member| matches!(elb::target_health(state, arn, &m.instance), Some(elb::Health::Healthy));
    if group.health_check == HealthCheck::Elb && members.iter().any(healthy) { "InService" } else { "Added" }
}
