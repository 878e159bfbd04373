use base::Fault;
use kernel::{Cx, Registry, State, Tx};
use shapes::iam::{self as s, ops};

use super::role::brief;
use super::{parts, under};
use crate::instance_profile::{self, InstanceProfile};
use crate::role::{self, Role};
use crate::validate;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreateInstanceProfile>(create);
    registry.operation::<ops::GetInstanceProfile>(get);
    registry.operation::<ops::DeleteInstanceProfile>(delete);
    registry.operation::<ops::ListInstanceProfiles>(list);
    registry.operation::<ops::ListInstanceProfilesForRole>(list_for_role);
    registry.operation::<ops::AddRoleToInstanceProfile>(add_role);
    registry.operation::<ops::RemoveRoleFromInstanceProfile>(remove_role);
    registry.operation::<ops::TagInstanceProfile>(tag);
    registry.operation::<ops::UntagInstanceProfile>(untag);
    registry.operation::<ops::ListInstanceProfileTags>(list_tags);
}

fn create(tx: &mut Tx, cx: &Cx, input: s::CreateInstanceProfileRequest) -> Result<s::CreateInstanceProfileResponse, Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let tags = validate::tags(input.tags)?;
    let profile = instance_profile::create(tx, cx, input.instance_profile_name, input.path, tags)?;
    Ok(s::CreateInstanceProfileResponse { instance_profile: whole(tx, &profile) })
}

fn get(tx: &mut Tx, _: &Cx, input: s::GetInstanceProfileRequest) -> Result<s::GetInstanceProfileResponse, Fault> {
    let profile = instance_profile::find(tx, &input.instance_profile_name)?;
    Ok(s::GetInstanceProfileResponse { instance_profile: whole(tx, profile) })
}

fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteInstanceProfileRequest) -> Result<(), Fault> {
    Ok(instance_profile::delete(tx, &input.instance_profile_name)?)
}

fn list(tx: &mut Tx, _: &Cx, input: s::ListInstanceProfilesRequest) -> Result<s::ListInstanceProfilesResponse, Fault> {
    let found = tx.rows::<InstanceProfile>().filter(|profile| under(&profile.path, input.path_prefix.as_ref()));
    let page = validate::cut(found, |profile| profile.name.clone(), input.marker, input.max_items)?;
    let (found, is_truncated, marker) = parts(page);
    let instance_profiles = found.into_iter().map(|profile| without_tags(tx, profile)).collect();
    Ok(s::ListInstanceProfilesResponse { instance_profiles, is_truncated, marker })
}

fn list_for_role(
    tx: &mut Tx,
    _: &Cx,
    input: s::ListInstanceProfilesForRoleRequest,
) -> Result<s::ListInstanceProfilesForRoleResponse, Fault> {
    role::find(tx, &input.role_name)?;
    let found = tx.rows_where::<InstanceProfile>("role", &input.role_name);
    let page = validate::cut(found, |profile| profile.name.clone(), input.marker, input.max_items)?;
    let (found, is_truncated, marker) = parts(page);
    let instance_profiles = found.into_iter().map(|profile| without_tags(tx, profile)).collect();
    Ok(s::ListInstanceProfilesForRoleResponse { instance_profiles, is_truncated, marker })
}

fn add_role(tx: &mut Tx, _: &Cx, input: s::AddRoleToInstanceProfileRequest) -> Result<(), Fault> {
    Ok(instance_profile::add_role(tx, &input.instance_profile_name, &input.role_name)?)
}

fn remove_role(tx: &mut Tx, _: &Cx, input: s::RemoveRoleFromInstanceProfileRequest) -> Result<(), Fault> {
    Ok(instance_profile::remove_role(tx, &input.instance_profile_name, &input.role_name)?)
}

fn tag(tx: &mut Tx, _: &Cx, input: s::TagInstanceProfileRequest) -> Result<(), Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let given = input.tags.into_iter().map(|t| (t.key, t.value));
    instance_profile::change_tags(tx, &input.instance_profile_name, |tags| validate::add_tags(tags, given))?;
    Ok(())
}

fn untag(tx: &mut Tx, _: &Cx, input: s::UntagInstanceProfileRequest) -> Result<(), Fault> {
    let keys = input.tag_keys;
    instance_profile::change_tags(tx, &input.instance_profile_name, |tags| validate::remove_tags(tags, &keys))?;
    Ok(())
}

fn list_tags(tx: &mut Tx, _: &Cx, input: s::ListInstanceProfileTagsRequest) -> Result<s::ListInstanceProfileTagsResponse, Fault> {
    let tags = &instance_profile::find(tx, &input.instance_profile_name)?.tags;
    let (tags, is_truncated, marker) = parts(validate::cut_tags(tags, input.marker, input.max_items)?);
    Ok(s::ListInstanceProfileTagsResponse { tags, is_truncated, marker })
}

/// An instance profile as the listings show it.
fn without_tags(state: &State, profile: &InstanceProfile) -> s::InstanceProfile {
    let role = profile.role.as_ref().and_then(|name| state.get::<Role>(name));
    s::InstanceProfile {
        path: profile.path.clone(),
        instance_profile_name: profile.name.clone(),
        instance_profile_id: profile.id.clone(),
        arn: profile.arn.clone(),
        create_date: profile.created_at,
        roles: role.into_iter().map(brief).collect(),
        tags: Vec::new(),
    }
}

fn whole(state: &State, profile: &InstanceProfile) -> s::InstanceProfile {
    s::InstanceProfile { tags: validate::tag_list(&profile.tags), ..without_tags(state, profile) }
}
