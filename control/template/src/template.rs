use std::collections::BTreeMap;

use crate::error::{Position, TemplateErrors};
use crate::expression::Expression;
use crate::parameter::ParameterType;

/// Most resources of a template (CloudFormation quotas).
pub const RESOURCES_MAX: usize = 500;
/// Most parameters.
pub const PARAMETERS_MAX: usize = 200;
/// Most outputs.
pub const OUTPUTS_MAX: usize = 200;
/// Most mappings.
pub const MAPPINGS_MAX: usize = 200;
/// Most conditions. AWS names no limit; this one bounds the work.
pub const CONDITIONS_MAX: usize = 500;
/// Most rules. AWS names no limit; this one bounds the work.
pub const RULES_MAX: usize = 200;
/// Longest description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// A template whose structure is right: sections, attributes, functions' shapes. Whether names and properties mean
/// something is told by [`check`](crate::check()).
///
/// Everything named is kept in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    pub version: Option<String>,
    pub description: Option<String>,
    pub metadata: Option<Expression>,
    pub parameters: Vec<Parameter>,
    pub rules: Vec<Rule>,
    pub mappings: Vec<Mapping>,
    pub conditions: Vec<Condition>,
    pub resources: Vec<Resource>,
    pub outputs: Vec<Output>,
    pub(crate) sections: BTreeMap<String, Position>,
}

/// A declared parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub position: Position,
    pub kind: ParameterType,
    pub default: Option<String>,
    pub description: Option<String>,
    pub allowed_values: Vec<String>,
    /// A regular expression that the whole value must match.
    pub allowed_pattern: Option<String>,
    pub constraint_description: Option<String>,
    /// In characters.
    pub min_length: Option<u64>,
    /// In characters.
    pub max_length: Option<u64>,
    pub min_value: Option<f64>,
    pub max_value: Option<f64>,
    pub no_echo: bool,
}

/// A two-level table of strings and lists of strings.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    pub name: String,
    pub position: Position,
    pub rows: BTreeMap<String, BTreeMap<String, MappingValue>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingValue {
    One(String),
    List(Vec<String>),
}

/// What a template demands of its parameters together.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub name: String,
    pub position: Position,
    /// When it does not hold, nothing is demanded.
    pub condition: Option<Expression>,
    pub assertions: Vec<Assertion>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    pub assert: Expression,
    /// What the user is told when it does not hold.
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub name: String,
    pub position: Position,
    pub expression: Expression,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub logical_id: String,
    pub position: Position,
    /// `AWS::SERVICE::Type`.
    pub type_name: String,
    pub type_position: Position,
    /// A map, or none when the resource has no properties.
    pub properties: Option<Expression>,
    pub depends_on: Vec<String>,
    pub condition: Option<String>,
    pub deletion_policy: DeletionPolicy,
    pub update_replace_policy: DeletionPolicy,
    pub creation_policy: Option<Expression>,
    pub update_policy: Option<Expression>,
    pub metadata: Option<Expression>,
    pub description: Option<String>,
    pub(crate) depends_on_position: Position,
}

/// What becomes of a resource that its stack no longer wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    #[default]
    Delete,
    Retain,
    /// Retained, unless the creation of the resource itself is rolled back.
    RetainExceptOnCreate,
    Snapshot,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: String,
    pub position: Position,
    pub value: Expression,
    pub description: Option<String>,
    pub export: Option<Expression>,
    pub condition: Option<String>,
}

impl Template {
    /// Reads a template in YAML or JSON.
    pub fn parse(text: &str) -> Result<Self, TemplateErrors> {
        crate::sections::parse(&crate::read::read(text)?)
    }

    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name == name)
    }

    pub fn mapping(&self, name: &str) -> Option<&Mapping> {
        self.mappings.iter().find(|m| m.name == name)
    }

    pub fn condition(&self, name: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.name == name)
    }

    pub fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources.iter().find(|r| r.logical_id == logical_id)
    }

    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|o| o.name == name)
    }

    /// The distinct resource types, sorted.
    pub fn resource_types(&self) -> Vec<&str> {
        let all: std::collections::BTreeSet<&str> = self.resources.iter().map(|r| r.type_name.as_str()).collect();
        all.into_iter().collect()
    }
}
