//! Roles: who may assume them, the policies attached to and written into them. They are records: who may
//! do what is not decided here.

use std::collections::{BTreeMap, BTreeSet};

use base::{Tags, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::document::{self, Kind};
use crate::error::Error;
use crate::instance_profile::InstanceProfile;
use crate::policy;
use crate::validate;

/// Quotas of "IAM and AWS STS quotas".
pub const ROLES_MAX: usize = 1_000;
pub const ATTACHED_MAX: usize = 10;
/// Sum of the inline policies of a role, white space not counted.
pub const INLINE_SIZE_MAX: usize = 10_240;
pub const TRUST_SIZE_MAX: usize = 2_048;

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub path: String,
    /// `AROA` and 17 letters and digits.
    pub id: String,
    pub arn: String,
    pub created_at: Time,
    /// The trust policy, as it was given.
    pub trust: String,
    pub description: Option<String>,
    pub max_session_s: i64,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    pub tags: Tags,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub attached: BTreeSet<String>,
}

impl Row for Role {
    const TABLE: &'static str = "iam.role";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("lower-name", &self.name.to_lowercase());
        self.attached.iter().for_each(|arn| add("policy", arn));
        if let Some(boundary) = &self.boundary {
            add("boundary", boundary);
        }
    }
}

/// What a role is made from.
#[derive(Clone, Debug, Default)]
pub struct NewRole {
    pub name: String,
    pub path: Option<String>,
    pub trust: String,
    pub description: Option<String>,
    pub max_session_s: Option<i64>,
    pub boundary: Option<String>,
    pub tags: Tags,
}

/// Makes a role. Names are unique without regard to case.
pub fn create(tx: &mut Tx, cx: &Cx, new: NewRole) -> Result<Role, Error> {
    validate::name("roleName", &new.name, 64)?;
    validate::description(new.description.as_ref())?;
    let path = validate::path(new.path)?;
    let max_session_s = validate::session_duration(new.max_session_s)?;
    check_trust(&new.trust)?;
    if let Some(boundary) = &new.boundary {
        policy::check_attachable(tx, boundary)?;
    }
    if tx.rows_where::<Role>("lower-name", &new.name.to_lowercase()).next().is_some() {
        return Err(Error::RoleExists(new.name));
    }
    if tx.count::<Role>() >= ROLES_MAX {
        return Err(Error::Quota("RolesPerAccount", ROLES_MAX));
    }
    let role = Role {
        id: format!("AROA{}", cx.rng().base32(17)),
        arn: cx.scope.global_arn("iam", format_args!("role{path}{}", new.name)),
        name: new.name,
        path,
        created_at: cx.now,
        trust: new.trust,
        description: new.description,
        max_session_s,
        boundary: new.boundary,
        tags: new.tags,
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
    };
    tx.put(role.clone());
    Ok(role)
}

/// The role of this name.
pub fn find<'a>(state: &'a State, name: &str) -> Result<&'a Role, Error> {
    state.get::<Role>(&name.to_string()).ok_or_else(|| Error::NoRole(name.into()))
}

/// Changes a role; the change may refuse.
pub(crate) fn change(tx: &mut Tx, name: &str, change: impl FnOnce(&mut Role) -> Result<(), Error>) -> Result<Role, Error> {
    let mut role = find(tx, name)?.clone();
    change(&mut role)?;
    tx.put(role.clone());
    Ok(role)
}

/// Removes a role that has neither policies nor instance profiles.
pub fn delete(tx: &mut Tx, name: &str) -> Result<(), Error> {
    let role = find(tx, name)?;
    if tx.rows_where::<InstanceProfile>("role", name).next().is_some() {
        return Err(Error::DeleteConflict("must remove roles from instance profile first"));
    }
    if !role.attached.is_empty() {
        return Err(Error::DeleteConflict("must detach all policies first"));
    }
    if !role.inline.is_empty() {
        return Err(Error::DeleteConflict("must delete policies first"));
    }
    tx.remove::<Role>(&name.to_string());
    Ok(())
}

pub fn set_trust(tx: &mut Tx, name: &str, document: String) -> Result<(), Error> {
    find(tx, name)?;
    check_trust(&document)?;
    change(tx, name, |role| {
        role.trust = document;
        Ok(())
    })?;
    Ok(())
}

/// Writes an inline policy, new or changed.
pub fn put_policy(tx: &mut Tx, name: &str, policy: &str, document: String) -> Result<(), Error> {
    put_policies(tx, name, BTreeMap::from([(policy.into(), document)]))
}

/// Writes inline policies by name; what counts is how large the role's are in the end.
pub(crate) fn put_policies(tx: &mut Tx, name: &str, policies: BTreeMap<String, String>) -> Result<(), Error> {
    policies.keys().try_for_each(|policy| validate::name("policyName", policy, 128))?;
    find(tx, name)?;
    policies.values().try_for_each(|document| document::check(document, Kind::Identity))?;
    change(tx, name, |role| {
        role.inline.extend(policies);
        let size: usize = role.inline.values().map(|d| document::size(d)).sum();
        if size > INLINE_SIZE_MAX {
            return Err(Error::InlineSize { max: INLINE_SIZE_MAX, role: role.name.clone() });
        }
        Ok(())
    })?;
    Ok(())
}

pub fn delete_policy(tx: &mut Tx, name: &str, policy: &str) -> Result<(), Error> {
    change(tx, name, |role| match role.inline.remove(policy) {
        Some(_) => Ok(()),
        None => Err(Error::NoRolePolicy(policy.into())),
    })?;
    Ok(())
}

/// Attaches a managed policy; attaching it twice changes nothing.
pub fn attach(tx: &mut Tx, name: &str, arn: &str) -> Result<(), Error> {
    find(tx, name)?;
    policy::check_attachable(tx, arn)?;
    change(tx, name, |role| {
        role.attached.insert(arn.into());
        if role.attached.len() > ATTACHED_MAX {
            return Err(Error::Quota("PoliciesPerRole", ATTACHED_MAX));
        }
        Ok(())
    })?;
    Ok(())
}

pub fn detach(tx: &mut Tx, name: &str, arn: &str) -> Result<(), Error> {
    change(tx, name, |role| if role.attached.remove(arn) { Ok(()) } else { Err(Error::NoPolicy(arn.into())) })?;
    Ok(())
}

fn check_trust(document: &str) -> Result<(), Error> {
    document::check(document, Kind::Trust)?;
    if document::size(document) > TRUST_SIZE_MAX {
        return Err(Error::Quota("ACLSizePerRole", TRUST_SIZE_MAX));
    }
    Ok(())
}
