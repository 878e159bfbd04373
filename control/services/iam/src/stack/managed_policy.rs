use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use super::attachment::{Attachment, forget, noted, unless_gone};
use super::properties;
use crate::error::Error;
use crate::policy::{self, NewPolicy, Policy};
use crate::role;

/// `AWS::IAM::ManagedPolicy`. Its physical id is its ARN.
pub(super) struct ManagedPolicyType;

impl StackResource for ManagedPolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::ManagedPolicy"
    }

    fn schema(&self) -> &'static str {
        include_str!("managed_policy.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let wanted = request.properties;
        let new = NewPolicy {
            name: properties::name_or(request, "ManagedPolicyName", || request.physical_name(cx, 128)),
            path: properties::text(wanted, "Path"),
            document: properties::required_document(wanted, "PolicyDocument")?,
            description: properties::text(wanted, "Description"),
            tags: properties::tags(request)?,
        };
        let arn = policy::create(tx, cx, new)?.arn;
        attach(tx, &arn, wanted)?;
        Ok(arn)
    }

    /// A changed document becomes the policy's newest version, which is in force; the oldest other makes room for it.
    fn update(&self, tx: &mut Tx, cx: &Cx, id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let document = properties::required_document(request.properties, "PolicyDocument")?;
        let present = policy::find(tx, id)?;
        if present.versions.get(&present.default_version).is_none_or(|version| version.document != document) {
            policy::replace_document(tx, cx, id, document)?;
        }
        let wanted = properties::retagged(&policy::find(tx, id)?.tags, old, request)?;
        policy::change_tags(tx, id, |tags| {
            *tags = wanted;
            Ok(())
        })?;
        Ok(attach(tx, id, request.properties)?)
    }

    /// The policy goes with all its versions. What attached it beside this resource keeps it from ending.
    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        for role in noted(tx, id).roles {
            unless_gone(role::detach(tx, &role, id))?;
        }
        forget(tx, id);
        tx.update::<Policy>(&id.to_string(), |policy| policy.versions.retain(|number, _| *number == policy.default_version));
        unless_gone(policy::delete(tx, id))?;
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, id: &str, name: &str) -> Result<Json, Fault> {
        let policy = policy::find(state, id)?;
        Ok(match name {
            "AttachmentCount" => policy::attachments(state, id).into(),
            "CreateDate" => policy.created_at.iso8601_s().into(),
            "DefaultVersionId" => format!("v{}", policy.default_version).into(),
            "IsAttachable" => true.into(),
            "PermissionsBoundaryUsageCount" => policy::boundary_uses(state, id).into(),
            "PolicyArn" => policy.arn.clone().into(),
            "PolicyId" => policy.id.clone().into(),
            "UpdateDate" => policy.updated_at.iso8601_s().into(),
            _ => return Err(Error::NoAttribute(name.into()).into()),
        })
    }
}

/// Attaches the policy to the roles that it names and detaches it from those that it named before.
fn attach(tx: &mut Tx, arn: &str, wanted: &Json) -> Result<(), Error> {
    let roles = properties::texts(wanted, "Roles");
    for gone in noted(tx, arn).roles.difference(&roles) {
        unless_gone(role::detach(tx, gone, arn))?;
    }
    roles.iter().try_for_each(|role| role::attach(tx, role, arn))?;
    tx.put(Attachment { id: arn.into(), policy: arn.into(), roles });
    Ok(())
}
