use base::Fault;
use kernel::{Cx, Registry, State, Tx};
use shapes::iam::{self as s, ops};

use super::parts;
use crate::aws_policies;
use crate::document;
use crate::error::Error;
use crate::policy::{self, Default as Standing, Policy};
use crate::validate;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreatePolicyVersion>(create);
    registry.operation::<ops::GetPolicyVersion>(get);
    registry.operation::<ops::DeletePolicyVersion>(delete);
    registry.operation::<ops::ListPolicyVersions>(list);
}

fn create(tx: &mut Tx, cx: &Cx, input: s::CreatePolicyVersionRequest) -> Result<s::CreatePolicyVersionResponse, Fault> {
    let standing = if input.set_as_default == Some(true) { Standing::Set } else { Standing::Keep };
    let number = policy::add_version(tx, cx, &input.policy_arn, input.policy_document, standing)?;
    let version = answer(policy::find(tx, &input.policy_arn)?, number);
    Ok(s::CreatePolicyVersionResponse { policy_version: Some(version) })
}

fn get(tx: &mut Tx, _: &Cx, input: s::GetPolicyVersionRequest) -> Result<s::GetPolicyVersionResponse, Fault> {
    let policy = find(tx, &input.policy_arn)?;
    let number = policy::version_number(policy, &input.version_id)?;
    let document = policy.versions.get(&number).map(|version| document::encoded(&version.document));
    Ok(s::GetPolicyVersionResponse { policy_version: Some(s::PolicyVersion { document, ..answer(policy, number) }) })
}

fn delete(tx: &mut Tx, cx: &Cx, input: s::DeletePolicyVersionRequest) -> Result<(), Fault> {
    Ok(policy::delete_version(tx, cx, &input.policy_arn, &input.version_id)?)
}

/// Newest first, as AWS lists them.
fn list(tx: &mut Tx, _: &Cx, input: s::ListPolicyVersionsRequest) -> Result<s::ListPolicyVersionsResponse, Fault> {
    let policy = find(tx, &input.policy_arn)?;
    // The order of the keys is that of the page: the newest has the least.
    let key = |number: &u32| format!("{:010}", u32::MAX - number);
    let page = validate::cut(policy.versions.keys().rev().copied(), key, input.marker, input.max_items)?;
    let (numbers, is_truncated, marker) = parts(page);
    let versions = numbers.into_iter().map(|number| answer(policy, number)).collect();
    Ok(s::ListPolicyVersionsResponse { versions, is_truncated, marker })
}

fn find<'a>(state: &'a State, arn: &str) -> Result<&'a Policy, Error> {
    if aws_policies::by_arn(arn).is_some() {
        return Err(Error::Unsupported(format!("The documents of AWS's managed policies are not kept here: {arn}.")));
    }
    policy::find(state, arn)
}

/// A version without its document, which only `GetPolicyVersion` shows.
fn answer(policy: &Policy, number: u32) -> s::PolicyVersion {
    s::PolicyVersion {
        document: None,
        version_id: Some(format!("v{number}")),
        is_default_version: Some(number == policy.default_version),
        create_date: policy.versions.get(&number).map(|version| version.created_at),
    }
}
