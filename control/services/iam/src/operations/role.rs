use base::Fault;
use kernel::{Cx, Registry, Tx};
use shapes::iam::{self as s, ops};

use super::{parts, under};
use crate::document;
use crate::role::{self, NewRole, Role};
use crate::validate;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreateRole>(create);
    registry.operation::<ops::GetRole>(get);
    registry.operation::<ops::DeleteRole>(delete);
    registry.operation::<ops::ListRoles>(list);
    registry.operation::<ops::UpdateRole>(update);
    registry.operation::<ops::UpdateRoleDescription>(update_description);
    registry.operation::<ops::UpdateAssumeRolePolicy>(update_trust);
    registry.operation::<ops::TagRole>(tag);
    registry.operation::<ops::UntagRole>(untag);
    registry.operation::<ops::ListRoleTags>(list_tags);
}

fn create(tx: &mut Tx, cx: &Cx, input: s::CreateRoleRequest) -> Result<s::CreateRoleResponse, Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let new = NewRole {
        name: input.role_name,
        path: input.path,
        trust: input.assume_role_policy_document,
        description: input.description,
        max_session_s: input.max_session_duration,
        boundary: input.permissions_boundary,
        tags: validate::tags(input.tags)?,
    };
    let role = role::create(tx, cx, new)?;
    Ok(s::CreateRoleResponse { role: whole(&role) })
}

fn get(tx: &mut Tx, _: &Cx, input: s::GetRoleRequest) -> Result<s::GetRoleResponse, Fault> {
    Ok(s::GetRoleResponse { role: whole(role::find(tx, &input.role_name)?) })
}

fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteRoleRequest) -> Result<(), Fault> {
    Ok(role::delete(tx, &input.role_name)?)
}

fn list(tx: &mut Tx, _: &Cx, input: s::ListRolesRequest) -> Result<s::ListRolesResponse, Fault> {
    let found = tx.rows::<Role>().filter(|role| under(&role.path, input.path_prefix.as_ref()));
    let page = validate::cut(found, |role| role.name.clone(), input.marker, input.max_items)?;
    let (roles, is_truncated, marker) = parts(page);
    Ok(s::ListRolesResponse { roles: roles.into_iter().map(brief).collect(), is_truncated, marker })
}

/// What the request does not name stays as it is.
fn update(tx: &mut Tx, _: &Cx, input: s::UpdateRoleRequest) -> Result<s::UpdateRoleResponse, Fault> {
    validate::description(input.description.as_ref())?;
    role::change(tx, &input.role_name, |role| {
        if let Some(description) = input.description {
            role.description = Some(description);
        }
        if let Some(seconds) = input.max_session_duration {
            role.max_session_s = validate::session_duration(Some(seconds))?;
        }
        Ok(())
    })?;
    Ok(s::UpdateRoleResponse {})
}

fn update_description(
    tx: &mut Tx,
    _: &Cx,
    input: s::UpdateRoleDescriptionRequest,
) -> Result<s::UpdateRoleDescriptionResponse, Fault> {
    validate::description(Some(&input.description))?;
    let role = role::change(tx, &input.role_name, |role| {
        role.description = Some(input.description);
        Ok(())
    })?;
    Ok(s::UpdateRoleDescriptionResponse { role: Some(whole(&role)) })
}

fn update_trust(tx: &mut Tx, _: &Cx, input: s::UpdateAssumeRolePolicyRequest) -> Result<(), Fault> {
    Ok(role::set_trust(tx, &input.role_name, input.policy_document)?)
}

fn tag(tx: &mut Tx, _: &Cx, input: s::TagRoleRequest) -> Result<(), Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let given = input.tags.into_iter().map(|t| (t.key, t.value));
    role::change(tx, &input.role_name, |role| validate::add_tags(&mut role.tags, given))?;
    Ok(())
}

fn untag(tx: &mut Tx, _: &Cx, input: s::UntagRoleRequest) -> Result<(), Fault> {
    role::change(tx, &input.role_name, |role| validate::remove_tags(&mut role.tags, &input.tag_keys))?;
    Ok(())
}

fn list_tags(tx: &mut Tx, _: &Cx, input: s::ListRoleTagsRequest) -> Result<s::ListRoleTagsResponse, Fault> {
    let tags = &role::find(tx, &input.role_name)?.tags;
    let (tags, is_truncated, marker) = parts(validate::cut_tags(tags, input.marker, input.max_items)?);
    Ok(s::ListRoleTagsResponse { tags, is_truncated, marker })
}

/// A role as the listings show it: without boundary, tags and last use.
pub(super) fn brief(role: &Role) -> s::Role {
    s::Role {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.clone(),
        arn: role.arn.clone(),
        create_date: role.created_at,
        assume_role_policy_document: Some(document::encoded(&role.trust)),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_s),
        ..s::Role::default()
    }
}

/// A role in full. It was never used: no credentials are given out for it yet.
pub(super) fn whole(role: &Role) -> s::Role {
    s::Role {
        permissions_boundary: role.boundary.clone().map(|arn| s::AttachedPermissionsBoundary {
            permissions_boundary_type: Some("Policy".into()),
            permissions_boundary_arn: Some(arn),
        }),
        tags: validate::tag_list(&role.tags),
        role_last_used: Some(s::RoleLastUsed::default()),
        ..brief(role)
    }
}
