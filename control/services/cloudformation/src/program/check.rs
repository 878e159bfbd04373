//! Everything about a template that can be told before anything is created.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kernel::{Cx, Registry, Tx};
use serde_json::Value as Json;
use template::{ExpressionKind, Schema, Template, TemplateErrors};

use super::surroundings::Account;
use super::{parse, rules};
use crate::error::Error;
use crate::state::ParameterValue;

/// What a template needs of its caller.
pub(crate) struct Checked {
    pub(crate) capabilities: Vec<&'static str>,
    pub(crate) parameters: BTreeMap<String, ParameterValue>,
}

/// A template at a glance.
pub(crate) struct Summary {
    pub(crate) parameters: Vec<SummaryParameter>,
    pub(crate) description: Option<String>,
    /// Each once, sorted.
    pub(crate) resource_types: Vec<String>,
    pub(crate) version: Option<String>,
    /// As JSON.
    pub(crate) metadata: Option<String>,
    pub(crate) capabilities: Vec<&'static str>,
}

pub(crate) struct SummaryParameter {
    pub(crate) key: String,
    pub(crate) type_name: String,
    pub(crate) default: Option<String>,
    pub(crate) no_echo: bool,
    pub(crate) description: Option<String>,
    pub(crate) allowed_values: Vec<String>,
}

/// The schema of a resource type that is registered.
///
/// # Panics
/// When a service registered a schema that is wrong: a mistake of ours, found by the first test.
pub(crate) fn schema_of(registry: &Registry, type_name: &str) -> Option<Arc<Schema>> {
    thread_local! {
        static SCHEMAS: RefCell<HashMap<&'static str, Arc<Schema>>> = RefCell::default();
    }
    let resource = registry.stack_resource(type_name)?;
    let name = resource.type_name();
    if let Some(known) = SCHEMAS.with_borrow(|all| all.get(name).cloned()) {
        return Some(known);
    }
    let schema = Schema::parse(resource.schema()).unwrap_or_else(|e| panic!("the schema of {name} is wrong: {e}"));
    let schema = Arc::new(schema);
    SCHEMAS.with_borrow_mut(|all| all.insert(name, schema.clone()));
    Some(schema)
}

fn wrong(errors: &TemplateErrors) -> Error {
    Error::Template(errors.to_string())
}

/// The template of a text, with everything in it that names or types something checked.
fn checked(registry: &Registry, text: &str) -> Result<std::rc::Rc<Template>, Error> {
    let parsed = parse(text).map_err(|e| wrong(&e))?;
    template::check(&parsed, &|type_name: &str| schema_of(registry, type_name)).map_err(|e| wrong(&e))?;
    Ok(parsed)
}

/// Checks a template and the parameters given for it.
pub(crate) fn check(tx: &Tx, cx: &Cx, text: &str, given: &BTreeMap<String, String>) -> Result<Checked, Error> {
    let template = checked(tx.registry(), text)?;
    let values = template::resolve_parameters(&template, given, &Account { state: tx, cx }).map_err(Error::Invalid)?;
    rules::check(tx, cx, &template, &values)?;
    let value = |(name, value): (String, template::ParameterValue)| {
        (name, ParameterValue { given: value.text, resolved: value.resolved })
    };
    Ok(Checked { capabilities: capabilities(&template), parameters: values.into_iter().map(value).collect() })
}

pub(crate) fn summary(tx: &Tx, text: &str) -> Result<Summary, Error> {
    let template = checked(tx.registry(), text)?;
    let parameter = |p: &template::Parameter| SummaryParameter {
        key: p.name.clone(),
        type_name: p.kind.to_string(),
        default: p.default.clone(),
        no_echo: p.no_echo,
        description: p.description.clone(),
        allowed_values: p.allowed_values.clone(),
    };
    Ok(Summary {
        parameters: template.parameters.iter().map(parameter).collect(),
        description: template.description.clone(),
        resource_types: template.resource_types().into_iter().map(str::to_string).collect(),
        version: template.version.clone(),
        metadata: template.metadata.as_ref().map(|m| plain(&m.kind).to_string()),
        capabilities: capabilities(&template),
    })
}

/// An expression as JSON, functions left out: metadata has none to speak of.
fn plain(kind: &ExpressionKind) -> Json {
    match kind {
        ExpressionKind::Literal(json) => json.clone(),
        ExpressionKind::List(items) => items.iter().map(|i| plain(&i.kind)).collect(),
        ExpressionKind::Map(members) => members.iter().map(|m| (m.key.clone(), plain(&m.value.kind))).collect(),
        ExpressionKind::Function(_) => Json::Null,
    }
}

/// Whether a resource type gives permissions, which a caller must acknowledge: certificates do not.
pub(crate) fn gives_permissions(type_name: &str) -> bool {
    type_name.starts_with("AWS::IAM::") && type_name != "AWS::IAM::ServerCertificate"
}

/// What the caller must acknowledge ("Acknowledging IAM resources in CloudFormation templates").
fn capabilities(template: &Template) -> Vec<&'static str> {
    let iam: Vec<_> = template.resources.iter().filter(|r| gives_permissions(&r.type_name)).collect();
    let is_named = |r: &&template::Resource| {
        let name = match r.type_name.as_str() {
            "AWS::IAM::Role" => "RoleName",
            "AWS::IAM::InstanceProfile" => "InstanceProfileName",
            "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
            _ => return false,
        };
        let members = r.properties.as_ref().map(|p| &p.kind);
        matches!(members, Some(ExpressionKind::Map(members)) if members.iter().any(|m| m.key == name))
    };
    match (iam.is_empty(), iam.iter().any(is_named)) {
        (true, _) => Vec::new(),
        (false, true) => vec!["CAPABILITY_NAMED_IAM"],
        (false, false) => vec!["CAPABILITY_IAM"],
    }
}
