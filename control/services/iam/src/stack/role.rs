use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use super::attachment::unless_gone;
use super::properties;
use crate::error::Error;
use crate::policy;
use crate::role::{self, NewRole, Role};
use crate::validate;

/// `AWS::IAM::Role`. Its physical id is its name.
pub(super) struct RoleType;

impl StackResource for RoleType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Role"
    }

    fn schema(&self) -> &'static str {
        include_str!("role.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let wanted = request.properties;
        let new = NewRole {
            name: properties::name_or(request, "RoleName", || request.physical_name(cx, 64)),
            path: properties::text(wanted, "Path"),
            trust: properties::required_document(wanted, "AssumeRolePolicyDocument")?,
            description: properties::text(wanted, "Description"),
            max_session_s: wanted.get("MaxSessionDuration").and_then(Json::as_i64),
            boundary: properties::text(wanted, "PermissionsBoundary"),
            tags: properties::tags(request)?,
        };
        let name = role::create(tx, cx, new)?.name;
        write_policies(tx, &name, wanted)?;
        Ok(name)
    }

    fn update(&self, tx: &mut Tx, _: &Cx, id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let wanted = request.properties;
        role::set_trust(tx, id, properties::required_document(wanted, "AssumeRolePolicyDocument")?)?;
        let boundary = properties::text(wanted, "PermissionsBoundary");
        boundary.as_ref().map_or(Ok(()), |arn| policy::check_attachable(tx, arn))?;
        let description = properties::text(wanted, "Description");
        validate::description(description.as_ref())?;
        let max_session_s = validate::session_duration(wanted.get("MaxSessionDuration").and_then(Json::as_i64))?;
        let tags = properties::retagged(&role::find(tx, id)?.tags, old, request)?;
        role::change(tx, id, |role| {
            *role = Role { description, max_session_s, boundary, tags, ..role.clone() };
            Ok(())
        })?;
        // What goes makes room for what comes.
        let kept = properties::inline_policies(wanted)?;
        for gone in properties::inline_policies(old)?.keys().filter(|name| !kept.contains_key(*name)) {
            unless_gone(role::delete_policy(tx, id, gone))?;
        }
        let kept = properties::texts(wanted, "ManagedPolicyArns");
        for gone in properties::texts(old, "ManagedPolicyArns").difference(&kept) {
            unless_gone(role::detach(tx, id, gone))?;
        }
        Ok(write_policies(tx, id, wanted)?)
    }

    /// The role's policies end with it. An instance profile that holds it keeps it from ending.
    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        let emptied = role::change(tx, id, |role| {
            role.inline.clear();
            role.attached.clear();
            Ok(())
        });
        match emptied {
            Err(Error::NoRole(_)) => Ok(Progress::Ready),
            Err(other) => Err(other.into()),
            Ok(_) => {
                role::delete(tx, id)?;
                Ok(Progress::Ready)
            }
        }
    }

    fn attribute(&self, state: &State, _: &Cx, id: &str, name: &str) -> Result<Json, Fault> {
        let role = role::find(state, id)?;
        match name {
            "Arn" => Ok(role.arn.clone().into()),
            "RoleId" => Ok(role.id.clone().into()),
            _ => Err(Error::NoAttribute(name.into()).into()),
        }
    }
}

fn write_policies(tx: &mut Tx, name: &str, wanted: &Json) -> Result<(), Error> {
    role::put_policies(tx, name, properties::inline_policies(wanted)?)?;
    properties::texts(wanted, "ManagedPolicyArns").iter().try_for_each(|arn| role::attach(tx, name, arn))
}
