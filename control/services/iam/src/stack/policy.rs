use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use super::attachment::{Attachment, forget, noted, unless_gone};
use super::properties;
use crate::error::Error;
use crate::role;

/// `AWS::IAM::Policy`: one inline policy, written into each of its roles.
pub(super) struct PolicyType;

impl StackResource for PolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Policy"
    }

    fn schema(&self) -> &'static str {
        include_str!("policy.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let id = request.physical_name(cx, 128);
        write(tx, &id, request)?;
        Ok(id)
    }

    fn update(&self, tx: &mut Tx, _: &Cx, id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        Ok(write(tx, id, request)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        let note = noted(tx, id);
        for role in &note.roles {
            unless_gone(role::delete_policy(tx, role, &note.policy))?;
        }
        forget(tx, id);
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, id: &str, name: &str) -> Result<Json, Fault> {
        match state.get::<Attachment>(&id.to_string()) {
            Some(note) if name == "Id" => Ok(note.id.clone().into()),
            Some(_) => Err(Error::NoAttribute(name.into()).into()),
            None => Err(Error::NoRolePolicy(id.into()).into()),
        }
    }
}

/// Writes the policy into the roles that it names and takes it from those that it named before.
fn write(tx: &mut Tx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
    let document = properties::required_document(request.properties, "PolicyDocument")?;
    let policy = properties::text(request.properties, "PolicyName").unwrap_or_default();
    let roles = properties::texts(request.properties, "Roles");
    if roles.is_empty() {
        return Err(Error::Invalid("At least one of [Groups,Roles,Users] must be non-empty.".into()));
    }
    let before = noted(tx, id);
    for role in before.roles.iter().filter(|role| before.policy != policy || !roles.contains(*role)) {
        unless_gone(role::delete_policy(tx, role, &before.policy))?;
    }
    for role in &roles {
        role::put_policy(tx, role, &policy, document.clone())?;
    }
    tx.put(Attachment { id: id.into(), policy, roles });
    Ok(())
}
