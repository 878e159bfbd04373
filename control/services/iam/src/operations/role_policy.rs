use base::Fault;
use kernel::{Cx, Registry, Tx};
use shapes::iam::{self as s, ops};

use super::{parts, under};
use crate::document;
use crate::error::Error;
use crate::policy;
use crate::role;
use crate::validate;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::PutRolePolicy>(put);
    registry.operation::<ops::GetRolePolicy>(get);
    registry.operation::<ops::DeleteRolePolicy>(delete);
    registry.operation::<ops::ListRolePolicies>(list);
    registry.operation::<ops::AttachRolePolicy>(attach);
    registry.operation::<ops::DetachRolePolicy>(detach);
    registry.operation::<ops::ListAttachedRolePolicies>(list_attached);
}

fn put(tx: &mut Tx, _: &Cx, input: s::PutRolePolicyRequest) -> Result<(), Fault> {
    Ok(role::put_policy(tx, &input.role_name, &input.policy_name, input.policy_document)?)
}

fn get(tx: &mut Tx, _: &Cx, input: s::GetRolePolicyRequest) -> Result<s::GetRolePolicyResponse, Fault> {
    let role = role::find(tx, &input.role_name)?;
    let text = role.inline.get(&input.policy_name).ok_or_else(|| Error::NoRolePolicy(input.policy_name.clone()))?;
    Ok(s::GetRolePolicyResponse {
        role_name: role.name.clone(),
        policy_name: input.policy_name,
        policy_document: document::encoded(text),
    })
}

fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteRolePolicyRequest) -> Result<(), Fault> {
    Ok(role::delete_policy(tx, &input.role_name, &input.policy_name)?)
}

fn list(tx: &mut Tx, _: &Cx, input: s::ListRolePoliciesRequest) -> Result<s::ListRolePoliciesResponse, Fault> {
    let names = role::find(tx, &input.role_name)?.inline.keys().cloned();
    let (policy_names, is_truncated, marker) = parts(validate::cut(names, Clone::clone, input.marker, input.max_items)?);
    Ok(s::ListRolePoliciesResponse { policy_names, is_truncated, marker })
}

fn attach(tx: &mut Tx, _: &Cx, input: s::AttachRolePolicyRequest) -> Result<(), Fault> {
    Ok(role::attach(tx, &input.role_name, &input.policy_arn)?)
}

fn detach(tx: &mut Tx, _: &Cx, input: s::DetachRolePolicyRequest) -> Result<(), Fault> {
    Ok(role::detach(tx, &input.role_name, &input.policy_arn)?)
}

fn list_attached(
    tx: &mut Tx,
    _: &Cx,
    input: s::ListAttachedRolePoliciesRequest,
) -> Result<s::ListAttachedRolePoliciesResponse, Fault> {
    let arns = &role::find(tx, &input.role_name)?.attached;
    let found = arns.iter().filter(|arn| under(&policy::split_arn(arn).0, input.path_prefix.as_ref()));
    let page = validate::cut(found, |arn| (*arn).clone(), input.marker, input.max_items)?;
    let (arns, is_truncated, marker) = parts(page);
    let answer = |arn: &String| s::AttachedPolicy { policy_name: Some(policy::split_arn(arn).1), policy_arn: Some(arn.clone()) };
    Ok(s::ListAttachedRolePoliciesResponse { attached_policies: arns.into_iter().map(answer).collect(), is_truncated, marker })
}
