//! Instance profiles: the envelope in which EC2 takes a role.

use base::{Tags, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::role;
use crate::validate;

pub const INSTANCE_PROFILES_MAX: usize = 1_000;

/// An instance profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceProfile {
    pub name: String,
    pub path: String,
    /// `AIPA` and 17 letters and digits.
    pub id: String,
    pub arn: String,
    pub created_at: Time,
    /// Name of its role; AWS allows one.
    pub role: Option<String>,
    pub tags: Tags,
}

impl Row for InstanceProfile {
    const TABLE: &'static str = "iam.instance-profile";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("lower-name", &self.name.to_lowercase());
        add("arn", &self.arn);
        if let Some(role) = &self.role {
            add("role", role);
        }
    }
}

/// The instance profile of a name or an ARN.
pub fn find_instance_profile(state: &State, name_or_arn: &str) -> Option<InstanceProfile> {
    if name_or_arn.starts_with("arn:") {
        return state.rows_where::<InstanceProfile>("arn", name_or_arn).next().cloned();
    }
    state.get::<InstanceProfile>(&name_or_arn.to_string()).cloned()
}

pub(crate) fn find<'a>(state: &'a State, name: &str) -> Result<&'a InstanceProfile, Error> {
    state.get::<InstanceProfile>(&name.to_string()).ok_or_else(|| Error::NoInstanceProfile(name.into()))
}

/// Makes an instance profile without a role. Names are unique without regard to case.
pub fn create(tx: &mut Tx, cx: &Cx, name: String, path: Option<String>, tags: Tags) -> Result<InstanceProfile, Error> {
    validate::name("instanceProfileName", &name, 128)?;
    let path = validate::path(path)?;
    if tx.rows_where::<InstanceProfile>("lower-name", &name.to_lowercase()).next().is_some() {
        return Err(Error::InstanceProfileExists(name));
    }
    if tx.count::<InstanceProfile>() >= INSTANCE_PROFILES_MAX {
        return Err(Error::Quota("InstanceProfilesPerAccount", INSTANCE_PROFILES_MAX));
    }
    let profile = InstanceProfile {
        id: format!("AIPA{}", cx.rng().base32(17)),
        arn: cx.scope.global_arn("iam", format_args!("instance-profile{path}{name}")),
        name,
        path,
        created_at: cx.now,
        role: None,
        tags,
    };
    tx.put(profile.clone());
    Ok(profile)
}

/// Removes an instance profile without a role. Instances that have it keep what they know of it, as at AWS.
pub fn delete(tx: &mut Tx, name: &str) -> Result<(), Error> {
    if find(tx, name)?.role.is_some() {
        return Err(Error::DeleteConflict("must remove roles from instance profile first"));
    }
    tx.remove::<InstanceProfile>(&name.to_string());
    Ok(())
}

/// Gives an instance profile its role.
pub fn add_role(tx: &mut Tx, name: &str, role: &str) -> Result<(), Error> {
    let profile = find(tx, name)?.clone();
    role::find(tx, role)?;
    if profile.role.is_some() {
        return Err(Error::Quota("InstanceSessionsPerInstanceProfile", 1));
    }
    tx.put(InstanceProfile { role: Some(role.into()), ..profile });
    Ok(())
}

pub fn remove_role(tx: &mut Tx, name: &str, role: &str) -> Result<(), Error> {
    let profile = find(tx, name)?.clone();
    role::find(tx, role)?;
    if profile.role.as_deref() != Some(role) {
        return Err(Error::NoRoleInProfile(role.into()));
    }
    tx.put(InstanceProfile { role: None, ..profile });
    Ok(())
}

/// Changes the tags; the change may refuse.
pub(crate) fn change_tags(tx: &mut Tx, name: &str, change: impl FnOnce(&mut Tags) -> Result<(), Error>) -> Result<(), Error> {
    let mut profile = find(tx, name)?.clone();
    change(&mut profile.tags)?;
    tx.put(profile);
    Ok(())
}
