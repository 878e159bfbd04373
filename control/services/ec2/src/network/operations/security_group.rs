//! The API of security groups themselves; that of their rules is in `security_group_rule`.

use base::{Fault, SecurityGroupId, VpcId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use super::permission;
use crate::describe::{Asked, IDS_MAX, describe};
use crate::error::{Error, unless_dry};
use crate::kind::Kind;
use crate::network::default_vpc;
use crate::network::security_group::{SecurityGroup, create_security_group, delete_security_group, find, find_by_name};
use crate::tags;

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateSecurityGroupRequest) -> Result<s::CreateSecurityGroupResult, Fault> {
    let tags = tags::specified(input.tag_specifications, Kind::SecurityGroup)?;
    let vpc = match input.vpc_id {
        Some(id) => VpcId::from(id),
        None => default_id(tx)?,
    };
    let id = create_security_group(tx, cx, &vpc, input.group_name, input.description, tags)?;
    let answer = s::CreateSecurityGroupResult {
        tags: tags::shapes(tx, &id),
        security_group_arn: Some(arn(cx, &id)),
        group_id: Some(id.to_string()),
    };
    unless_dry(input.dry_run, answer)
}

fn default_id(state: &State) -> Result<VpcId, Error> {
    default_vpc(state).map(|vpc| vpc.id.clone()).ok_or(Error::NoDefaultVpc)
}

fn arn(cx: &Cx, id: &SecurityGroupId) -> String {
    cx.scope.arn("ec2", format_args!("security-group/{id}"))
}

/// The group that a request names by id, or by name in the default VPC.
pub(in crate::network) fn named(state: &State, id: Option<String>, name: Option<String>) -> Result<&SecurityGroup, Error> {
    match (id, name) {
        (Some(id), _) => find(state, &SecurityGroupId::from(id)),
        (None, Some(name)) => find_by_name(state, &default_id(state)?, &name),
        (None, None) => Err(Error::Missing("The request must contain the parameter groupName or groupId".into())),
    }
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteSecurityGroupRequest) -> Result<s::DeleteSecurityGroupResult, Fault> {
    let id = named(tx, input.group_id, input.group_name)?.id.clone();
    delete_security_group(tx, &id)?;
    unless_dry(input.dry_run, s::DeleteSecurityGroupResult { r#return: Some(true), group_id: Some(id.to_string()) })
}

pub(super) fn describe_groups(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeSecurityGroupsRequest,
) -> Result<s::DescribeSecurityGroupsResult, Fault> {
    let mut ids = input.group_ids;
    if input.group_names.len() > IDS_MAX {
        return Err(Error::InvalidParameter(format!("At most {IDS_MAX} names can be given in one request.")).into());
    }
    for name in input.group_names {
        ids.push(find_by_name(tx, &default_id(tx)?, &name)?.id.to_string());
    }
    let asked = Asked { ids, filters: input.filters, max_results: input.max_results, next_token: input.next_token };
    let page = describe::<SecurityGroup>(tx, cx, asked)?;
    let security_groups = page.items.into_iter().map(|group| group_shape(tx, cx, group)).collect();
    unless_dry(input.dry_run, s::DescribeSecurityGroupsResult { next_token: page.next_token, security_groups })
}

fn group_shape(state: &State, cx: &Cx, group: &SecurityGroup) -> s::SecurityGroup {
    let rules = group.rules(state);
    s::SecurityGroup {
        group_id: Some(group.id.to_string()),
        ip_permissions_egress: permission::permissions(cx, rules.clone().filter(|r| r.is_egress())),
        ip_permissions: permission::permissions(cx, rules.filter(|r| !r.is_egress())),
        tags: tags::shapes(state, &group.id),
        vpc_id: Some(group.vpc.to_string()),
        security_group_arn: Some(arn(cx, &group.id)),
        owner_id: Some(cx.scope.account.clone()),
        group_name: Some(group.name.clone()),
        description: Some(group.description.clone()),
    }
}
