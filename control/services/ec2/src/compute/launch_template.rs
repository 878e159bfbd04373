//! Launch templates and their versions: rows and transitions. What a version holds is `launch_data`'s.

use std::fmt;

use base::{LaunchTemplateId, Tags, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::error::ComputeError;
use super::launch_data::LaunchData;
use crate::Kind;
use crate::error::Error;
use crate::tags;

/// Most launch templates of a region, as AWS's quota.
pub const TEMPLATES_MAX: usize = 5_000;
/// Most versions of one template, as AWS's quota.
pub const VERSIONS_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    pub id: LaunchTemplateId,
    pub name: String,
    pub created_at: Time,
    /// ARN of who made it.
    pub created_by: String,
    pub default_version: u64,
    /// The newest version that was ever made; numbers are not used again.
    pub latest_version: u64,
    /// What the request that made it called itself; the same request again makes no other template.
    #[serde(default)]
    pub client_token: Option<String>,
}

impl Row for LaunchTemplate {
    const TABLE: &'static str = "ec2.launch-template";
    type Key = LaunchTemplateId;

    fn key(&self) -> LaunchTemplateId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("name", &self.name);
        self.client_token.iter().for_each(|token| add("client-token", token));
    }
}

/// One version; it never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplateVersion {
    pub template: LaunchTemplateId,
    pub number: u64,
    pub description: Option<String>,
    pub created_at: Time,
    pub created_by: String,
    pub data: LaunchData,
    /// As a template's own.
    #[serde(default)]
    pub client_token: Option<String>,
}

/// Template and number of a version, in that order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionKey(pub LaunchTemplateId, pub u64);

impl fmt::Display for VersionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl Row for LaunchTemplateVersion {
    const TABLE: &'static str = "ec2.launch-template-version";
    type Key = VersionKey;

    fn key(&self) -> VersionKey {
        VersionKey(self.template.clone(), self.number)
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("template", &self.template);
        self.client_token.iter().for_each(|token| add("client-token", token));
    }
}

/// Names a template by its id or its name, as requests do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateName {
    Id(LaunchTemplateId),
    Name(String),
}

impl TemplateName {
    /// From a request's two members, of which exactly one must be there.
    pub fn of(id: Option<String>, name: Option<String>) -> Result<Self, Error> {
        match (id, name) {
            (Some(id), None) if id.starts_with(LaunchTemplateId::PREFIX) => Ok(Self::Id(id.into())),
            (Some(id), None) => Err(Error::Malformed(Kind::LaunchTemplate, id)),
            (None, Some(name)) => Ok(Self::Name(name)),
            (Some(_), Some(_)) => Err(Error::InvalidCombination(
                "The parameters LaunchTemplateId and LaunchTemplateName cannot be used together; specify one of them.".into(),
            )),
            (None, None) => Err(Error::Missing(
                "Either a launch template ID or a launch template name must be specified in the request.".into(),
            )),
        }
    }
}

/// The template of this id or name.
pub fn find_template<'a>(state: &'a State, name: &TemplateName) -> Result<&'a LaunchTemplate, Error> {
    let found = match name {
        TemplateName::Id(id) => state.get::<LaunchTemplate>(id),
        TemplateName::Name(name) => state.rows_where::<LaunchTemplate>("name", name).next(),
    };
    found.ok_or_else(|| ComputeError::NoTemplate(name.clone()).into())
}

/// The number that `$Latest`, `$Default` or digits stand for; `$Default` when nothing is said. The newest version
/// that still exists is the latest.
pub fn version_number(state: &State, template: &LaunchTemplate, version: Option<&str>) -> Result<u64, Error> {
    let number = match version {
        None | Some("" | "$Default") => template.default_version,
        Some("$Latest") => latest_version(state, template),
        Some(digits) => match digits.parse() {
            Ok(number) => number,
            Err(_) => return Err(ComputeError::MalformedTemplateVersion(digits.into()).into()),
        },
    };
    match state.get::<LaunchTemplateVersion>(&VersionKey(template.id.clone(), number)) {
        Some(_) => Ok(number),
        None => Err(ComputeError::NoTemplateVersion { template: template.id.clone(), version: number.to_string() }.into()),
    }
}

/// The highest number that exists. The default version always does.
pub fn latest_version(state: &State, template: &LaunchTemplate) -> u64 {
    state.rows_where::<LaunchTemplateVersion>("template", &template.id).next_back().map_or(template.default_version, |v| v.number)
}

/// The data of a version by template and number.
pub fn version_data(state: &State, template: &LaunchTemplateId, number: u64) -> Option<LaunchData> {
    state.get::<LaunchTemplateVersion>(&VersionKey(template.clone(), number)).map(|v| v.data.clone())
}

/// Makes a template with its first version.
pub fn create_template(
    tx: &mut Tx,
    cx: &Cx,
    name: &str,
    description: Option<String>,
    data: LaunchData,
    tags: Tags,
    client_token: Option<String>,
) -> Result<LaunchTemplateId, Error> {
    check_name(name)?;
    if tx.rows_where::<LaunchTemplate>("name", name).next().is_some() {
        return Err(ComputeError::TemplateNameInUse.into());
    }
    if tx.count::<LaunchTemplate>() >= TEMPLATES_MAX {
        return Err(Error::LimitExceeded("ResourceLimitExceeded", format!("at most {TEMPLATES_MAX} launch templates")));
    }
    let id = LaunchTemplateId::generate(&mut cx.rng());
    tx.put(LaunchTemplate {
        id: id.clone(),
        name: name.into(),
        created_at: cx.now,
        created_by: cx.caller.arn.clone(),
        default_version: 1,
        latest_version: 1,
        client_token,
    });
    put_version(tx, cx, &VersionKey(id.clone(), 1), description, data, None);
    tags::add(tx, &id, tags)?;
    Ok(id)
}

/// Adds a version; `source` gives what `data` does not say.
pub fn create_version(
    tx: &mut Tx,
    cx: &Cx,
    name: &TemplateName,
    source: Option<&str>,
    description: Option<String>,
    data: LaunchData,
    client_token: Option<String>,
) -> Result<VersionKey, Error> {
    let template = find_template(tx, name)?.clone();
    let data = match source {
        None => data,
        Some(version) => {
            let number = version_number(tx, &template, Some(version))?;
            data.over(version_data(tx, &template.id, number).unwrap_or_default())
        }
    };
    if tx.rows_where::<LaunchTemplateVersion>("template", &template.id).count() >= VERSIONS_MAX {
        return Err(Error::LimitExceeded(
            "VersionLimitExceeded",
            format!("at most {VERSIONS_MAX} versions of a launch template"),
        ));
    }
    let number = template.latest_version + 1;
    let key = VersionKey(template.id, number);
    put_version(tx, cx, &key, description, data, client_token);
    tx.update::<LaunchTemplate>(&key.0, |t| t.latest_version = number);
    Ok(key)
}

/// Makes another version the default.
pub fn set_default_version(tx: &mut Tx, name: &TemplateName, version: &str) -> Result<LaunchTemplateId, Error> {
    let template = find_template(tx, name)?.clone();
    let number = version_number(tx, &template, Some(version))?;
    tx.update::<LaunchTemplate>(&template.id, |t| t.default_version = number);
    Ok(template.id)
}

/// Removes a version. The default one cannot be removed.
pub fn delete_version(tx: &mut Tx, template: &LaunchTemplate, number: u64) -> Result<(), Error> {
    if number == template.default_version {
        return Err(ComputeError::DefaultTemplateVersion.into());
    }
    match tx.remove::<LaunchTemplateVersion>(&VersionKey(template.id.clone(), number)) {
        Some(_) => Ok(()),
        None => Err(ComputeError::NoTemplateVersion { template: template.id.clone(), version: number.to_string() }.into()),
    }
}

/// Removes a template with all versions. Instances that came from it stay.
pub fn delete_template(tx: &mut Tx, name: &TemplateName) -> Result<LaunchTemplate, Error> {
    let template = find_template(tx, name)?.clone();
    let keys: Vec<_> = tx.rows_where::<LaunchTemplateVersion>("template", &template.id).map(Row::key).collect();
    for key in keys {
        tx.remove::<LaunchTemplateVersion>(&key);
    }
    tx.remove::<LaunchTemplate>(&template.id);
    tags::forget(tx, &template.id);
    Ok(template)
}

fn put_version(
    tx: &mut Tx,
    cx: &Cx,
    key: &VersionKey,
    description: Option<String>,
    data: LaunchData,
    client_token: Option<String>,
) {
    tx.put(LaunchTemplateVersion {
        template: key.0.clone(),
        number: key.1,
        description,
        created_at: cx.now,
        created_by: cx.caller.arn.clone(),
        data,
        client_token,
    });
}

/// The template that a request with this token made, from this data; the token may not come with another request.
pub fn made_template(state: &State, token: &str, name: &str, data: &LaunchData) -> Result<Option<LaunchTemplateId>, Error> {
    let Some(made) = state.rows_where::<LaunchTemplate>("client-token", token).next() else { return Ok(None) };
    let same_data = version_data(state, &made.id, 1).is_none_or(|first| first == *data);
    if made.name == name && same_data { Ok(Some(made.id.clone())) } else { Err(ComputeError::IdempotentMismatch.into()) }
}

/// The version of this template that a request with this token made.
pub fn made_version(state: &State, token: &str, template: &TemplateName) -> Result<Option<VersionKey>, Error> {
    let Some(made) = state.rows_where::<LaunchTemplateVersion>("client-token", token).next() else { return Ok(None) };
    let same = find_template(state, template)?.id == made.template;
    if same { Ok(Some(made.key())) } else { Err(ComputeError::IdempotentMismatch.into()) }
}

/// 3 to 128 letters, digits and `( ) . - / _`.
fn check_name(name: &str) -> Result<(), Error> {
    let known = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if (3..=128).contains(&name.len()) && name.chars().all(known) {
        Ok(())
    } else {
        Err(ComputeError::MalformedTemplateName(name.into()).into())
    }
}
