//! The row of a parameter, its rules and transitions. It holds the newest version only: older values are gone once
//! a parameter is written anew.

use std::fmt;

use base::{Scope, Tags, Time};
use fancy_regex::RegexBuilder;
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::{name, tags};

/// Most parameters of a region's user, as AWS's quota for standard ones.
pub const PARAMETERS_MAX: usize = 10_000;
/// Longest values, in bytes ("Managing parameter tiers").
pub const STANDARD_BYTES_MAX: usize = 4 * 1024;
pub const ADVANCED_BYTES_MAX: usize = 8 * 1024;
const DESCRIPTION_CHARS_MAX: usize = 1_024;
const PATTERN_CHARS_MAX: usize = 1_024;
/// Memory that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// The one key that a SecureString can name here.
pub(crate) const DEFAULT_KEY: &str = "alias/aws/ssm";
const TEXT: &str = "text";
const IMAGE: &str = "aws:ec2:image";

/// A parameter. This region has no KMS yet: a SecureString's value is journalled as it is, so it is as safe as the
/// region's data directory and no safer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterType,
    pub value: String,
    /// Counts writes, from 1.
    pub version: u64,
    pub description: Option<String>,
    pub tier: Tier,
    /// `text` or `aws:ec2:image`.
    pub data_type: String,
    pub allowed_pattern: Option<String>,
    pub tags: Tags,
    pub modified_at: Time,
    /// ARN of who wrote it last.
    pub modified_by: String,
    /// Set by the region for all to read, not by a user.
    pub public: bool,
}

/// Keeps values out of logs.
impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parameter {{ name: {:?}, kind: {:?}, version: {} }}", self.name, self.kind, self.version)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterType {
    String,
    StringList,
    SecureString,
}

impl ParameterType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::StringList => "StringList",
            Self::SecureString => "SecureString",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::String, Self::StringList, Self::SecureString].into_iter().find(|k| k.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    Standard,
    Advanced,
}

impl Tier {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Advanced => "Advanced",
        }
    }
}

impl Row for Parameter {
    const TABLE: &'static str = "ssm.parameter";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("owner", if self.public { "region" } else { "user" });
    }
}

impl Parameter {
    /// The ARN; that of a public parameter names no account, as at AWS.
    pub fn arn(&self, scope: &Scope) -> String {
        let slash = if self.name.starts_with('/') { "" } else { "/" };
        let account = if self.public { "" } else { &scope.account };
        format!("arn:{}:ssm:{}:{account}:parameter{slash}{}", scope.partition, scope.region, self.name)
    }

    /// What stands for a SecureString where decryption was not asked for. AWS shows KMS's ciphertext there; without
    /// a KMS this is a stand-in that only tells versions apart and holds nothing of the value.
    pub fn ciphertext(&self) -> String {
        format!("{DEFAULT_KEY}:not-decrypted:{}:{}", self.name, self.version)
    }
}

/// What a write says. What is absent stays as it was, or has AWS's default in a new parameter.
#[derive(Clone, Debug, Default)]
pub struct NewValue {
    pub kind: Option<ParameterType>,
    pub value: String,
    pub description: Option<String>,
    pub tier: Option<WantedTier>,
    pub data_type: Option<String>,
    pub allowed_pattern: Option<String>,
}

/// The tier that a write asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedTier {
    Fixed(Tier),
    /// Advanced only when the value needs it.
    Intelligent,
}

impl WantedTier {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Standard" => Some(Self::Fixed(Tier::Standard)),
            "Advanced" => Some(Self::Fixed(Tier::Advanced)),
            "Intelligent-Tiering" => Some(Self::Intelligent),
            _ => None,
        }
    }
}

/// The parameter that a name or `NAME:VERSION` stands for.
pub fn find<'a>(state: &'a State, asked: &str) -> Result<&'a Parameter, Error> {
    let (name, selector) = name::split_selector(asked);
    selected(asked, state.get::<Parameter>(&name.to_string()), selector)
}

/// The parameter that a name, `NAME:VERSION` or an ARN of this account stands for.
pub(crate) fn find_asked<'a>(state: &'a State, scope: &Scope, asked: &str) -> Result<&'a Parameter, Error> {
    let (arn, selector) = name::split_selector(asked);
    let Some(bare) = name::of_arn(arn) else { return find(state, asked) };
    let by_name = |name: String| state.get::<Parameter>(&name).filter(|p| p.arn(scope) == arn);
    selected(asked, by_name(format!("/{bare}")).or_else(|| by_name(bare.to_string())), selector)
}

fn selected<'a>(asked: &str, found: Option<&'a Parameter>, selector: Option<&str>) -> Result<&'a Parameter, Error> {
    let parameter = found.ok_or_else(|| Error::NotFound(asked.into()))?;
    match selector {
        None => Ok(parameter),
        Some(version) if version.parse() == Ok(parameter.version) => Ok(parameter),
        Some(other) => Err(Error::VersionNotFound { name: name::split_selector(asked).0.into(), selector: other.into() }),
    }
}

/// Makes a parameter.
pub fn create(tx: &mut Tx, cx: &Cx, name: &str, new: NewValue, tags: Tags) -> Result<Parameter, Error> {
    name::check(name)?;
    tags::check_count(&tags)?;
    if tx.get::<Parameter>(&name.to_string()).is_some() {
        return Err(Error::AlreadyExists);
    }
    if tx.rows_where::<Parameter>("owner", "user").count() >= PARAMETERS_MAX {
        return Err(Error::TooManyParameters);
    }
    let kind = new.kind.ok_or_else(|| Error::Invalid("A parameter type is required when you create a parameter.".into()))?;
    let parameter = Parameter {
        name: name.into(),
        kind,
        version: 1,
        tier: tier_of(new.tier, Tier::Standard, new.value.len()),
        data_type: new.data_type.unwrap_or_else(|| TEXT.into()),
        value: new.value,
        description: new.description,
        allowed_pattern: new.allowed_pattern,
        tags,
        modified_at: cx.now,
        modified_by: cx.caller.arn.clone(),
        public: false,
    };
    validate(&parameter)?;
    tx.put(parameter.clone());
    Ok(parameter)
}

/// Writes a new version of a parameter that exists.
pub fn overwrite(tx: &mut Tx, cx: &Cx, name: &str, new: NewValue) -> Result<Parameter, Error> {
    name::check(name)?;
    let old = tx.get::<Parameter>(&name.to_string()).cloned().ok_or_else(|| Error::NotFound(name.into()))?;
    let kind = new.kind.unwrap_or(old.kind);
    if kind != old.kind && [kind, old.kind].contains(&ParameterType::SecureString) {
        return Err(Error::TypeMismatch { from: old.kind.as_str(), to: kind.as_str() });
    }
    if old.tier == Tier::Advanced && new.tier == Some(WantedTier::Fixed(Tier::Standard)) {
        return Err(Error::Invalid(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier."
                .into(),
        ));
    }
    let parameter = Parameter {
        kind,
        version: old.version + 1,
        tier: tier_of(new.tier, old.tier, new.value.len()),
        data_type: new.data_type.unwrap_or(old.data_type),
        value: new.value,
        description: new.description.or(old.description),
        allowed_pattern: new.allowed_pattern.or(old.allowed_pattern),
        modified_at: cx.now,
        modified_by: cx.caller.arn.clone(),
        ..old
    };
    validate(&parameter)?;
    tx.put(parameter.clone());
    Ok(parameter)
}

/// Removes a user's parameter.
pub fn delete(tx: &mut Tx, name: &str) -> Result<(), Error> {
    match tx.get::<Parameter>(&name.to_string()) {
        Some(parameter) if parameter.public => Err(Error::Reserved(name.into())),
        Some(_) => {
            tx.remove::<Parameter>(&name.to_string());
            Ok(())
        }
        None => Err(Error::NotFound(name.into())),
    }
}

/// A tier once advanced stays so.
fn tier_of(wanted: Option<WantedTier>, present: Tier, value_bytes: usize) -> Tier {
    match wanted {
        Some(WantedTier::Fixed(tier)) => tier,
        Some(WantedTier::Intelligent) if value_bytes > STANDARD_BYTES_MAX => Tier::Advanced,
        _ => present,
    }
}

fn validate(parameter: &Parameter) -> Result<(), Error> {
    validate_value(parameter)?;
    if parameter.description.as_ref().is_some_and(|d| d.chars().count() > DESCRIPTION_CHARS_MAX) {
        return Err(Error::Invalid(format!("A description can have at most {DESCRIPTION_CHARS_MAX} characters.")));
    }
    match parameter.data_type.as_str() {
        TEXT => {}
        IMAGE if parameter.kind != ParameterType::String => {
            return Err(Error::Invalid(format!("Data type {IMAGE} is only valid for parameters of type String.")));
        }
        IMAGE if !parameter.value.starts_with("ami-") => {
            return Err(Error::Invalid(format!("A parameter of data type {IMAGE} must hold the id of an image.")));
        }
        IMAGE => {}
        other => {
            let text = format!("The following data type is not supported: {other} (Data type names are all lowercase.)");
            return Err(Error::Invalid(text));
        }
    }
    match &parameter.allowed_pattern {
        Some(pattern) => check_pattern(pattern, &parameter.value),
        None => Ok(()),
    }
}

fn validate_value(parameter: &Parameter) -> Result<(), Error> {
    let value = &parameter.value;
    if value.is_empty() {
        return Err(Error::Invalid("A parameter value must have at least one character.".into()));
    }
    if value.contains("{{") && value.contains("}}") {
        return Err(Error::Invalid(
            "Parameters can't be referenced or nested in the values of other parameters: a value cannot hold double brackets {{}}.".into(),
        ));
    }
    match parameter.tier {
        Tier::Standard if value.len() > STANDARD_BYTES_MAX => Err(Error::Invalid(format!(
            "Standard tier parameters support a maximum parameter value of {STANDARD_BYTES_MAX} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
        ))),
        Tier::Advanced if value.len() > ADVANCED_BYTES_MAX => Err(Error::Invalid(format!(
            "Advanced tier parameters support a maximum parameter value of {ADVANCED_BYTES_MAX} characters."
        ))),
        _ => Ok(()),
    }
}

/// Patterns find a match anywhere unless they are anchored. What takes too many steps to find is none.
fn check_pattern(pattern: &str, value: &str) -> Result<(), Error> {
    if pattern.chars().count() > PATTERN_CHARS_MAX {
        return Err(Error::InvalidPattern(format!("A pattern can have at most {PATTERN_CHARS_MAX} characters.")));
    }
    let compiled = RegexBuilder::new(pattern).delegate_size_limit(PATTERN_BYTES_MAX).build();
    let compiled = compiled.map_err(|_| Error::InvalidPattern(format!("The pattern {pattern} cannot be read.")))?;
    if compiled.is_match(value).unwrap_or(false) { Ok(()) } else { Err(Error::PatternMismatch(pattern.into())) }
}
