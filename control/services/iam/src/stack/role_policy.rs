use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use super::attachment::unless_gone;
use super::properties;
use crate::error::Error;
use crate::role;

/// `AWS::IAM::RolePolicy`: an inline policy of one role. Its physical id is `POLICY|ROLE`; neither name can hold a bar.
pub(super) struct RolePolicyType;

impl StackResource for RolePolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::RolePolicy"
    }

    fn schema(&self) -> &'static str {
        include_str!("role_policy.schema")
    }

    fn create(&self, tx: &mut Tx, _: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let policy = properties::text(request.properties, "PolicyName").unwrap_or_default();
        let role = properties::text(request.properties, "RoleName").unwrap_or_default();
        if role::find(tx, &role)?.inline.contains_key(&policy) {
            return Err(Error::RolePolicyExists { policy, role }.into());
        }
        role::put_policy(tx, &role, &policy, properties::required_document(request.properties, "PolicyDocument")?)?;
        Ok(format!("{policy}|{role}"))
    }

    fn update(&self, tx: &mut Tx, _: &Cx, id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let (policy, role) = id.split_once('|').ok_or_else(|| Error::NoRolePolicy(id.into()))?;
        Ok(role::put_policy(tx, role, policy, properties::required_document(request.properties, "PolicyDocument")?)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        if let Some((policy, role)) = id.split_once('|') {
            unless_gone(role::delete_policy(tx, role, policy))?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Error::NoAttribute(name.into()).into())
    }
}
