use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;

use super::cut;
use crate::error::Error;
use crate::health_check::change_of_health_check;
use crate::target_group::{self, NewTargetGroup, TargetGroup, load_balancer_of};
use crate::{listener, load_balancer, protocol, tags};

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateTargetGroupInput) -> Result<s::CreateTargetGroupOutput, Fault> {
    let tags = tags::from_user(&input.tags)?;
    let arn = target_group::create(tx, cx, NewTargetGroup::of(input, tags)?)?;
    let shape = shape(tx, target_group::find(tx, &arn)?);
    Ok(s::CreateTargetGroupOutput { target_groups: vec![shape] })
}

pub(super) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeTargetGroupsInput) -> Result<s::DescribeTargetGroupsOutput, Fault> {
    let by = [input.load_balancer_arn.is_some(), !input.target_group_arns.is_empty(), !input.names.is_empty()];
    if by.iter().filter(|given| **given).count() > 1 {
        let text = "You can specify only one of a load balancer ARN, target group ARNs and target group names";
        return Err(Error::Validation(text.into()).into());
    }
    let mut rows: Vec<&TargetGroup> = Vec::new();
    if let Some(arn) = &input.load_balancer_arn {
        let balancer = load_balancer::find(tx, arn)?;
        rows.extend(listener::groups_of(tx, &balancer.arn).iter().filter_map(|group| tx.get::<TargetGroup>(group)));
    } else if by == [false; 3] {
        rows.extend(tx.rows::<TargetGroup>());
    }
    for arn in &input.target_group_arns {
        rows.push(target_group::find(tx, arn)?);
    }
    for name in &input.names {
        let row = tx.rows_where::<TargetGroup>("name", name).next();
        rows.push(row.ok_or_else(|| Error::NoTargetGroup(name.clone()))?);
    }
    rows.sort_by(|a, b| a.arn.cmp(&b.arn));
    rows.dedup();
    let page = cut(rows, |g| g.arn.to_string(), input.marker.as_deref(), input.page_size)?;
    let target_groups = page.items.into_iter().map(|g| shape(tx, g)).collect();
    Ok(s::DescribeTargetGroupsOutput { target_groups, next_marker: page.next_token })
}

fn shape(state: &State, group: &TargetGroup) -> s::TargetGroup {
    let check = &group.health_check;
    let by_request = protocol::is_http(check.protocol);
    let is_grpc = group.version == world::ProtocolVersion::Grpc;
    s::TargetGroup {
        target_group_arn: Some(group.arn.to_string()),
        target_group_name: Some(group.name.clone()),
        protocol: Some(protocol::name(group.protocol).into()),
        port: Some(i64::from(group.port)),
        vpc_id: Some(group.vpc.to_string()),
        health_check_protocol: Some(protocol::name(check.protocol).into()),
        health_check_port: Some(check.port_text()),
        health_check_enabled: Some(true),
        health_check_interval_seconds: Some(check.interval_s),
        health_check_timeout_seconds: Some(check.timeout_s),
        healthy_threshold_count: Some(check.healthy_threshold),
        unhealthy_threshold_count: Some(check.unhealthy_threshold),
        health_check_path: by_request.then(|| check.path.clone()),
        matcher: by_request.then_some(if is_grpc {
            s::Matcher { http_code: None, grpc_code: Some(check.matcher.clone()) }
        } else {
            s::Matcher { http_code: Some(check.matcher.clone()), grpc_code: None }
        }),
        load_balancer_arns: load_balancer_of(state, &group.arn).map(|a| a.to_string()).into_iter().collect(),
        target_type: Some(group.target_type.as_str().into()),
        protocol_version: protocol::is_http(group.protocol).then(|| protocol::version_name(group.version).into()),
        ip_address_type: Some("ipv4".into()),
        target_control_port: None,
    }
}

pub(super) fn modify(tx: &mut Tx, _: &Cx, input: s::ModifyTargetGroupInput) -> Result<s::ModifyTargetGroupOutput, Fault> {
    target_group::modify(tx, &input.target_group_arn, change_of_health_check!(input))?;
    let shape = shape(tx, target_group::find(tx, &input.target_group_arn)?);
    Ok(s::ModifyTargetGroupOutput { target_groups: vec![shape] })
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteTargetGroupInput) -> Result<s::DeleteTargetGroupOutput, Fault> {
    target_group::delete(tx, &input.target_group_arn)?;
    Ok(s::DeleteTargetGroupOutput {})
}
