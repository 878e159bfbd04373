//! Managed policies of the account with their versions, and the names of AWS's own.

use std::collections::BTreeMap;

use base::{Tags, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::aws_policies;
use crate::document::{self, Kind};
use crate::error::Error;
use crate::role::Role;
use crate::validate;

pub const POLICIES_MAX: usize = 1_500;
pub const VERSIONS_MAX: usize = 5;
/// White space not counted.
pub const POLICY_SIZE_MAX: usize = 6_144;

/// A managed policy of the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub arn: String,
    pub name: String,
    pub path: String,
    /// `ANPA` and 17 letters and digits.
    pub id: String,
    pub description: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
    /// By number; `v1` is 1. At least one.
    pub versions: BTreeMap<u32, PolicyVersion>,
    pub default_version: u32,
    /// The highest number that was ever given.
    pub last_version: u32,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub document: String,
    pub created_at: Time,
}

impl Row for Policy {
    const TABLE: &'static str = "iam.policy";
    type Key = String;

    fn key(&self) -> String {
        self.arn.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("lower-name", &self.name.to_lowercase());
    }
}

/// What a policy is made from.
#[derive(Clone, Debug, Default)]
pub struct NewPolicy {
    pub name: String,
    pub path: Option<String>,
    pub document: String,
    pub description: Option<String>,
    pub tags: Tags,
}

/// Whether a version becomes the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    Set,
    Keep,
}

pub fn create(tx: &mut Tx, cx: &Cx, new: NewPolicy) -> Result<Policy, Error> {
    validate::name("policyName", &new.name, 128)?;
    validate::description(new.description.as_ref())?;
    let path = validate::path(new.path)?;
    check_document(&new.document)?;
    if tx.rows_where::<Policy>("lower-name", &new.name.to_lowercase()).next().is_some() {
        return Err(Error::PolicyExists(new.name));
    }
    if tx.count::<Policy>() >= POLICIES_MAX {
        return Err(Error::Quota("PoliciesPerAccount", POLICIES_MAX));
    }
    let policy = Policy {
        arn: cx.scope.global_arn("iam", format_args!("policy{path}{}", new.name)),
        id: format!("ANPA{}", cx.rng().base32(17)),
        name: new.name,
        path,
        description: new.description,
        created_at: cx.now,
        updated_at: cx.now,
        versions: BTreeMap::from([(1, PolicyVersion { document: new.document, created_at: cx.now })]),
        default_version: 1,
        last_version: 1,
        tags: new.tags,
    };
    tx.put(policy.clone());
    Ok(policy)
}

pub fn find<'a>(state: &'a State, arn: &str) -> Result<&'a Policy, Error> {
    state.get::<Policy>(&arn.to_string()).ok_or_else(|| Error::NoPolicy(arn.into()))
}

/// Adds a version; returns its number.
pub fn add_version(tx: &mut Tx, cx: &Cx, arn: &str, document: String, default: Default) -> Result<u32, Error> {
    let mut policy = find(tx, arn)?.clone();
    check_document(&document)?;
    if policy.versions.len() >= VERSIONS_MAX {
        return Err(Error::VersionLimit);
    }
    policy.last_version += 1;
    policy.versions.insert(policy.last_version, PolicyVersion { document, created_at: cx.now });
    if default == Default::Set {
        policy.default_version = policy.last_version;
    }
    policy.updated_at = cx.now;
    let number = policy.last_version;
    tx.put(policy);
    Ok(number)
}

/// Replaces the document in force, making room for it: what CloudFormation does with a changed policy.
pub(crate) fn replace_document(tx: &mut Tx, cx: &Cx, arn: &str, document: String) -> Result<(), Error> {
    let policy = find(tx, arn)?;
    let oldest = policy.versions.keys().copied().find(|number| *number != policy.default_version);
    if let Some(oldest) = oldest.filter(|_| policy.versions.len() >= VERSIONS_MAX) {
        tx.update::<Policy>(&arn.to_string(), |p| {
            p.versions.remove(&oldest);
        });
    }
    add_version(tx, cx, arn, document, Default::Set).map(|_| ())
}

pub fn delete_version(tx: &mut Tx, cx: &Cx, arn: &str, version: &str) -> Result<(), Error> {
    let mut policy = find(tx, arn)?.clone();
    let number = version_number(&policy, version)?;
    if number == policy.default_version {
        return Err(Error::DefaultVersion);
    }
    policy.versions.remove(&number);
    policy.updated_at = cx.now;
    tx.put(policy);
    Ok(())
}

/// Removes a policy that is attached to nothing and has one version.
pub fn delete(tx: &mut Tx, arn: &str) -> Result<(), Error> {
    let policy = find(tx, arn)?;
    if attachments(tx, arn) > 0 || boundary_uses(tx, arn) > 0 {
        return Err(Error::PolicyAttached);
    }
    if policy.versions.len() > 1 {
        return Err(Error::PolicyHasVersions);
    }
    tx.remove::<Policy>(&arn.to_string());
    Ok(())
}

/// The number of `v3`, when the policy has that version.
pub(crate) fn version_number(policy: &Policy, version: &str) -> Result<u32, Error> {
    let after = version.strip_prefix('v').unwrap_or_default();
    let digits = after.split_once('.').map_or(after, |(digits, _)| digits);
    if !digits.starts_with(|c: char| ('1'..='9').contains(&c)) || !digits.chars().all(|c| c.is_ascii_digit()) {
        let rule = "Member must satisfy regular expression pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?";
        return Err(validate::constraint("versionId", version, rule));
    }
    let number = after.parse().ok().filter(|n| policy.versions.contains_key(n));
    number.ok_or_else(|| Error::NoPolicyVersion { arn: policy.arn.clone(), version: version.into() })
}

/// To how many roles a policy is attached.
pub(crate) fn attachments(state: &State, arn: &str) -> i64 {
    state.rows_where::<Role>("policy", arn).fold(0, |count, _| count + 1)
}

/// Of how many roles a policy is the boundary.
pub(crate) fn boundary_uses(state: &State, arn: &str) -> i64 {
    state.rows_where::<Role>("boundary", arn).fold(0, |count, _| count + 1)
}

/// Path and name of a policy from its ARN, `arn:aws:iam::ACCOUNT:policy/PATH/NAME`.
pub(crate) fn split_arn(arn: &str) -> (String, String) {
    let full = arn.split_once(":policy").map_or(arn, |(_, full)| full);
    let (path, name) = full.rsplit_once('/').unwrap_or(("", full));
    (format!("{path}/"), name.into())
}

/// Changes the tags; the change may refuse.
pub(crate) fn change_tags(tx: &mut Tx, arn: &str, change: impl FnOnce(&mut Tags) -> Result<(), Error>) -> Result<(), Error> {
    let mut policy = find(tx, arn)?.clone();
    change(&mut policy.tags)?;
    tx.put(policy);
    Ok(())
}

/// Refuses an ARN under which no policy is known.
pub(crate) fn check_exists(state: &State, arn: &str) -> Result<(), Error> {
    if aws_policies::by_arn(arn).is_some() { Ok(()) } else { find(state, arn).map(|_| ()) }
}

/// Refuses an ARN that is neither a policy of the account nor a known one of AWS.
pub(crate) fn check_attachable(state: &State, arn: &str) -> Result<(), Error> {
    if state.get::<Policy>(&arn.to_string()).is_some() || aws_policies::by_arn(arn).is_some() {
        return Ok(());
    }
    if !arn.starts_with("arn:") || !arn.contains(":policy/") {
        return Err(Error::Invalid(format!("ARN {arn} is not valid.")));
    }
    Err(Error::NotAttachable(arn.into()))
}

fn check_document(document: &str) -> Result<(), Error> {
    document::check(document, Kind::Identity)?;
    if document::size(document) > POLICY_SIZE_MAX {
        return Err(Error::Quota("PolicySize", POLICY_SIZE_MAX));
    }
    Ok(())
}
