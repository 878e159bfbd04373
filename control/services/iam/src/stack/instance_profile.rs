use base::{Fault, Tags};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use super::properties;
use crate::error::Error;
use crate::instance_profile::{self, InstanceProfile};

/// `AWS::IAM::InstanceProfile`. Its physical id is its name.
pub(super) struct InstanceProfileType;

impl StackResource for InstanceProfileType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::InstanceProfile"
    }

    fn schema(&self) -> &'static str {
        include_str!("instance_profile.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let role = the_role(request)?;
        let name = properties::name_or(request, "InstanceProfileName", || request.physical_name(cx, 128));
        // CloudFormation gives no tags to instance profiles: the type has no property for them.
        let profile = instance_profile::create(tx, cx, name, properties::text(request.properties, "Path"), Tags::new())?;
        instance_profile::add_role(tx, &profile.name, &role)?;
        Ok(profile.name)
    }

    fn update(&self, tx: &mut Tx, _: &Cx, id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let role = the_role(request)?;
        let present = instance_profile::find(tx, id)?.clone();
        if present.role.as_ref() == Some(&role) {
            return Ok(());
        }
        tx.put(InstanceProfile { role: None, ..present });
        Ok(instance_profile::add_role(tx, id, &role)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        tx.remove::<InstanceProfile>(&id.to_string());
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, id: &str, name: &str) -> Result<Json, Fault> {
        let profile = instance_profile::find(state, id)?;
        match name {
            "Arn" => Ok(profile.arn.clone().into()),
            _ => Err(Error::NoAttribute(name.into()).into()),
        }
    }
}

/// The property is a list, but AWS allows one role.
fn the_role(request: &ResourceRequest) -> Result<String, Error> {
    let mut roles = properties::texts(request.properties, "Roles").into_iter();
    match (roles.next(), roles.next()) {
        (Some(role), None) => Ok(role),
        _ => Err(Error::Invalid("Property Roles must name exactly one role.".into())),
    }
}
