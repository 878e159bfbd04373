use base::Fault;
use kernel::{Cx, Registry, State, Tx};
use shapes::iam::{self as s, ops};

use super::{parts, under};
use crate::aws_policies::{self, AwsPolicy};
use crate::error::Error;
use crate::policy::{self, NewPolicy, Policy};
use crate::role::Role;
use crate::validate;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreatePolicy>(create);
    registry.operation::<ops::GetPolicy>(get);
    registry.operation::<ops::DeletePolicy>(delete);
    registry.operation::<ops::ListPolicies>(list);
    registry.operation::<ops::ListEntitiesForPolicy>(list_entities);
    registry.operation::<ops::TagPolicy>(tag);
    registry.operation::<ops::UntagPolicy>(untag);
}

fn create(tx: &mut Tx, cx: &Cx, input: s::CreatePolicyRequest) -> Result<s::CreatePolicyResponse, Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let new = NewPolicy {
        name: input.policy_name,
        path: input.path,
        document: input.policy_document,
        description: input.description,
        tags: validate::tags(input.tags)?,
    };
    let policy = policy::create(tx, cx, new)?;
    Ok(s::CreatePolicyResponse { policy: Some(whole(tx, &policy)) })
}

fn get(tx: &mut Tx, _: &Cx, input: s::GetPolicyRequest) -> Result<s::GetPolicyResponse, Fault> {
    let policy = match aws_policies::by_arn(&input.policy_arn) {
        Some(aws) => of_aws(tx, aws),
        None => whole(tx, policy::find(tx, &input.policy_arn)?),
    };
    Ok(s::GetPolicyResponse { policy: Some(policy) })
}

fn delete(tx: &mut Tx, _: &Cx, input: s::DeletePolicyRequest) -> Result<(), Fault> {
    Ok(policy::delete(tx, &input.policy_arn)?)
}

/// How a policy is used, as the listings' `PolicyUsageFilter` says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Usage {
    Permissions,
    Boundary,
}

fn usage(filter: Option<&str>) -> Result<Option<Usage>, Error> {
    match filter {
        None => Ok(None),
        Some("PermissionsPolicy") => Ok(Some(Usage::Permissions)),
        Some("PermissionsBoundary") => Ok(Some(Usage::Boundary)),
        Some(other) => Err(Error::Invalid(format!("PolicyUsageFilter {other} is not valid."))),
    }
}

fn list(tx: &mut Tx, _: &Cx, input: s::ListPoliciesRequest) -> Result<s::ListPoliciesResponse, Fault> {
    let usage = usage(input.policy_usage_filter.as_deref())?;
    let (of_account, of_aws_too) = match input.scope.as_deref() {
        None | Some("All") => (true, true),
        Some("Local") => (true, false),
        Some("AWS") => (false, true),
        Some(other) => return Err(Error::Invalid(format!("Scope {other} is not valid.")).into()),
    };
    let local = tx.rows::<Policy>().filter(|_| of_account).map(|policy| brief(tx, policy));
    let aws = aws_policies::all().filter(|_| of_aws_too).map(|policy| of_aws(tx, policy));
    let wanted = |policy: &s::Policy| {
        let attached = policy.attachment_count.unwrap_or_default() > 0;
        let boundary = policy.permissions_boundary_usage_count.unwrap_or_default() > 0;
        let used = if usage == Some(Usage::Boundary) { boundary } else { attached };
        let needed = input.only_attached == Some(true) || usage == Some(Usage::Boundary);
        under(policy.path.as_deref().unwrap_or("/"), input.path_prefix.as_ref()) && (used || !needed)
    };
    let mut found: Vec<s::Policy> = local.chain(aws).filter(wanted).collect();
    found.sort_by(|a, b| a.arn.cmp(&b.arn));
    let key = |policy: &s::Policy| policy.arn.clone().unwrap_or_default();
    let (policies, is_truncated, marker) = parts(validate::cut(found.into_iter(), key, input.marker, input.max_items)?);
    Ok(s::ListPoliciesResponse { policies, is_truncated, marker })
}

/// Roles that have the policy attached or as their boundary. There are no users and groups here.
fn list_entities(tx: &mut Tx, _: &Cx, input: s::ListEntitiesForPolicyRequest) -> Result<s::ListEntitiesForPolicyResponse, Fault> {
    let arn = &input.policy_arn;
    let usage = usage(input.policy_usage_filter.as_deref())?;
    policy::check_exists(tx, arn)?;
    let wanted = |role: &&Role| {
        let attached = usage != Some(Usage::Boundary) && role.attached.contains(arn);
        let boundary = usage != Some(Usage::Permissions) && role.boundary.as_ref() == Some(arn);
        let roles = input.entity_filter.as_deref().is_none_or(|kind| kind == "Role");
        roles && (attached || boundary) && under(&role.path, input.path_prefix.as_ref())
    };
    let found = tx.rows::<Role>().filter(wanted);
    let (roles, is_truncated, marker) = parts(validate::cut(found, |role| role.name.clone(), input.marker, input.max_items)?);
    let answer = |role: &Role| s::PolicyRole { role_name: Some(role.name.clone()), role_id: Some(role.id.clone()) };
    Ok(s::ListEntitiesForPolicyResponse {
        policy_groups: Vec::new(),
        policy_users: Vec::new(),
        policy_roles: roles.into_iter().map(answer).collect(),
        is_truncated,
        marker,
    })
}

fn tag(tx: &mut Tx, _: &Cx, input: s::TagPolicyRequest) -> Result<(), Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let given = input.tags.into_iter().map(|t| (t.key, t.value));
    Ok(policy::change_tags(tx, &input.policy_arn, |tags| validate::add_tags(tags, given))?)
}

fn untag(tx: &mut Tx, _: &Cx, input: s::UntagPolicyRequest) -> Result<(), Fault> {
    Ok(policy::change_tags(tx, &input.policy_arn, |tags| validate::remove_tags(tags, &input.tag_keys))?)
}

/// A policy as the listings show it: without description and tags.
fn brief(state: &State, policy: &Policy) -> s::Policy {
    s::Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(policy.arn.clone()),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: Some(policy::attachments(state, &policy.arn)),
        permissions_boundary_usage_count: Some(policy::boundary_uses(state, &policy.arn)),
        is_attachable: Some(true),
        description: None,
        create_date: Some(policy.created_at),
        update_date: Some(policy.updated_at),
        tags: Vec::new(),
    }
}

fn whole(state: &State, policy: &Policy) -> s::Policy {
    s::Policy { description: policy.description.clone(), tags: validate::tag_list(&policy.tags), ..brief(state, policy) }
}

/// One of AWS's own. Its dates and versions are not known here.
fn of_aws(state: &State, policy: AwsPolicy) -> s::Policy {
    let arn = policy.arn();
    s::Policy {
        policy_name: Some(policy.name().into()),
        policy_id: Some(policy.id()),
        path: Some(policy.path().into()),
        attachment_count: Some(policy::attachments(state, &arn)),
        permissions_boundary_usage_count: Some(policy::boundary_uses(state, &arn)),
        is_attachable: Some(true),
        arn: Some(arn),
        ..s::Policy::default()
    }
}
