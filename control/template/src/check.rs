//! Refuses what can be refused of a template before anything is created, each with its place.
//!
//! It knows no resource type: schemas are asked of the caller. It evaluates nothing; what only values can tell is found
//! when they are there (`evaluate`, `coerce`).

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Collector, TemplateErrors};
use crate::expression::{Expression, Function};
use crate::fit::{Fitter, Shape, shape};
use crate::graph::{note_condition_cycles, note_resource_cycles};
use crate::names::Block;
use crate::parameter::ParameterType;
use crate::path::Path;
use crate::policy::{creation_schema, may_have, update_schema};
use crate::schema::Schema;
use crate::template::{Output, Resource, Template};

/// Checks the names, types, properties and policies of a template against the schemas of its resource types;
/// `schema_of` gives the schema of a type such as `AWS::EC2::VPC`, or none when the region does not have it.
///
/// # Errors
/// All that was found, in the order of the text, up to [`crate::ERRORS_MAX`].
pub fn check(template: &Template, schema_of: &dyn Fn(&str) -> Option<Arc<Schema>>) -> Result<(), TemplateErrors> {
    let types = template.resource_types().into_iter();
    let mut checker = Checker {
        template,
        parameters: template.parameters.iter().map(|p| (p.name.as_str(), &p.kind)).collect(),
        resources: template.resources.iter().map(|r| (r.logical_id.as_str(), r)).collect(),
        schemas: types.filter_map(|name| Some((name, schema_of(name)?))).collect(),
        errors: Collector::default(),
    };
    checker.rules();
    checker.conditions();
    template.resources.iter().for_each(|resource| checker.resource(resource));
    checker.outputs();
    note_condition_cycles(template, &mut checker.errors);
    note_resource_cycles(template, &mut checker.errors);
    checker.errors.finish(())
}

pub(crate) struct Checker<'t> {
    pub(crate) template: &'t Template,
    pub(crate) parameters: HashMap<&'t str, &'t ParameterType>,
    pub(crate) resources: HashMap<&'t str, &'t Resource>,
    /// Of the types that the region has.
    pub(crate) schemas: HashMap<&'t str, Arc<Schema>>,
    pub(crate) errors: Collector,
}

impl Checker<'_> {
    fn rules(&mut self) {
        let path = Path::ROOT.key("Rules");
        for rule in &self.template.rules {
            let path = path.key(&rule.name);
            rule.condition.iter().for_each(|c| self.names(c, Block::Rules, &path.key("RuleCondition")));
            for (i, assertion) in rule.assertions.iter().enumerate() {
                self.names(&assertion.assert, Block::Rules, &path.key("Assertions").index(i).key("Assert"));
            }
        }
    }

    fn conditions(&mut self) {
        let path = Path::ROOT.key("Conditions");
        for condition in &self.template.conditions {
            self.names(&condition.expression, Block::Conditions, &path.key(&condition.name));
        }
    }

    fn resource(&mut self, resource: &Resource) {
        let section = Path::ROOT.key("Resources");
        let path = section.key(&resource.logical_id);
        if self.parameters.contains_key(resource.logical_id.as_str()) {
            let message = format!("Template format error: {} names both a parameter and a resource", resource.logical_id);
            self.errors.add(resource.position, &path, message);
        }
        let attributes = [
            ("Properties", &resource.properties),
            ("Metadata", &resource.metadata),
            ("CreationPolicy", &resource.creation_policy),
            ("UpdatePolicy", &resource.update_policy),
        ];
        for (name, expression) in attributes {
            expression.iter().for_each(|expression| self.names(expression, Block::Resources, &path.key(name)));
        }
        for name in resource.depends_on.iter().filter(|name| !self.resources.contains_key(name.as_str())).collect::<Vec<_>>() {
            self.unresolved(name, resource.depends_on_position, Block::Resources, &path.key("DependsOn"));
        }
        if let Some(condition) = &resource.condition
            && self.template.condition(condition).is_none()
        {
            let message = format!("Template format error: Condition {condition} is not defined.");
            self.errors.add(resource.position, &path.key("Condition"), message);
        }
        self.properties(resource, &path);
        self.policies(resource, &path);
    }

    fn properties(&mut self, resource: &Resource, path: &Path<'_>) {
        let Some(schema) = self.schemas.get(resource.type_name.as_str()).cloned() else {
            let message = format!("Template format error: Unrecognized resource types: [{}]", resource.type_name);
            return self.errors.add(resource.type_position, &path.key("Type"), message);
        };
        self.fitter(&schema, path, "Properties").properties(resource.properties.as_ref(), resource.position);
    }

    fn policies(&mut self, resource: &Resource, path: &Path<'_>) {
        if let Some(policy) = &resource.creation_policy {
            self.fitter(&creation_schema(), path, "CreationPolicy").properties(Some(policy), policy.position);
        }
        if let Some(policy) = &resource.update_policy {
            self.fitter(&update_schema(), path, "UpdatePolicy").properties(Some(policy), policy.position);
        }
        let policies = [
            ("DeletionPolicy", "deletion policy", resource.deletion_policy),
            ("UpdateReplacePolicy", "update replace policy", resource.update_replace_policy),
        ];
        for (key, words, _) in policies.into_iter().filter(|(.., policy)| !may_have(&resource.type_name, *policy)) {
            let message = format!("Template error: resource type {} does not support {words} Snapshot", resource.type_name);
            self.errors.add(resource.position, &path.key(key), message);
        }
    }

    fn fitter<'a>(&'a mut self, schema: &'a Schema, path: &Path<'_>, attribute: &str) -> Fitter<'a> {
        let place = path.key(attribute).to_string();
        Fitter { schema, parameters: &self.parameters, errors: &mut self.errors, place }
    }

    fn outputs(&mut self) {
        let section = Path::ROOT.key("Outputs");
        let mut exports = HashMap::new();
        for output in &self.template.outputs {
            let path = section.key(&output.name);
            self.names(&output.value, Block::Outputs, &path.key("Value"));
            if !self.is_text(&output.value) {
                let message = "Template format error: The Value field of every Outputs member must evaluate to a String.";
                self.errors.add(output.value.position, &path.key("Value"), message);
            }
            if let Some(condition) = &output.condition
                && self.template.condition(condition).is_none()
            {
                let message = format!("Template format error: Condition {condition} is not defined.");
                self.errors.add(output.position, &path.key("Condition"), message);
            }
            if let Some(name) = &output.export {
                self.export(output, name, &path.key("Export"));
                let other = name.literal_text().and_then(|text| exports.insert(text, output));
                if let Some(other) = other.filter(|other| other.condition.is_none() && output.condition.is_none()) {
                    let message = format!("Template format error: Output {} is exported under the same name", other.name);
                    self.errors.add(name.position, &path.key("Export"), message);
                }
            }
        }
    }

    /// The name of an export may not depend on a resource (CloudFormation User Guide, "Outputs").
    fn export(&mut self, output: &Output, name: &Expression, path: &Path<'_>) {
        self.names(name, Block::Outputs, path);
        if !self.is_text(name) || name.literal_text().is_some_and(|text| text.is_empty()) {
            let message =
                format!("Template format error: Output {} is malformed. The Name of an Export must be a String.", output.name);
            self.errors.add(name.position, path, message);
        }
        let mut named = Vec::new();
        name.visit(&mut |function, at| match function {
            Function::Ref(name) | Function::GetAtt { resource: name, .. } => named.push((name.as_str(), at)),
            Function::Sub { parts, .. } => named.extend(parts.iter().filter_map(|part| Some((part.resource()?, at)))),
            _ => {}
        });
        for (name, at) in named {
            if self.resources.contains_key(name) {
                let message = format!("Template format error: The Name of an Export cannot depend on the resource {name}.");
                self.errors.add(at, path, message);
            }
        }
    }

    /// Whether the value may be a string, as far as can be told.
    fn is_text(&self, expression: &Expression) -> bool {
        match expression.function() {
            Some(Function::If { then, otherwise, .. }) => self.is_text(then) && self.is_text(otherwise),
            _ => matches!(shape(expression, &self.parameters), Shape::Scalar | Shape::Open),
        }
    }
}

#[cfg(test)]
mod tests;
