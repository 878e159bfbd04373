//! Checks that the names in a template's functions mean something: parameters, resources and their attributes,
//! mappings, conditions.

use std::fmt;

use crate::check::Checker;
use crate::error::Position;
use crate::expression::{Expression, ExpressionKind, Function, SubPart, scalar_text};
use crate::nearest::nearest;
use crate::parameter::ParameterType;
use crate::path::Path;
use crate::template::MappingValue;

const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// The section in which an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Rules,
    Conditions,
    Resources,
    Outputs,
}

impl Block {
    /// It is read before there are resources.
    fn is_early(self) -> bool {
        matches!(self, Block::Rules | Block::Conditions)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Checker<'_> {
    /// Notes what is wrong with names anywhere in the expression.
    pub(crate) fn names(&mut self, expression: &Expression, block: Block, path: &Path<'_>) {
        match &expression.kind {
            ExpressionKind::Literal(json) => self.dynamic_reference(json.as_str(), expression.position, block, path),
            ExpressionKind::List(items) => {
                items.iter().enumerate().for_each(|(i, item)| self.names(item, block, &path.index(i)));
            }
            ExpressionKind::Map(members) => {
                members.iter().for_each(|member| self.names(&member.value, block, &path.key(&member.key)));
            }
            ExpressionKind::Function(function) => {
                let path = path.key(function.name());
                if block == Block::Rules && !function.is_for_rules() {
                    let message =
                        format!("Template format error: {} cannot be used in the Rules block of the template", function.name());
                    return self.errors.add(expression.position, &path, message);
                }
                if !block.is_early() && function.is_boolean() {
                    let message =
                        format!("Template error: {} can only be used in the Conditions block of the template", function.name());
                    return self.errors.add(expression.position, &path, message);
                }
                self.function(function, expression.position, block, &path);
                function.arguments().into_iter().for_each(|argument| self.names(argument, block, &path));
            }
        }
    }

    fn function(&mut self, function: &Function, at: Position, block: Block, path: &Path<'_>) {
        match function {
            Function::Ref(name) => self.reference(name, at, block, path),
            Function::GetAtt { resource, attribute } => {
                let attribute = attribute.literal_text();
                self.attribute(resource, attribute.as_deref(), at, block, path);
            }
            Function::Sub { parts, .. } => {
                for part in parts {
                    match part {
                        SubPart::Reference(name) => self.reference(name, at, block, path),
                        SubPart::Attribute { resource, attribute } => self.attribute(resource, Some(attribute), at, block, path),
                        SubPart::Text(text) => self.dynamic_reference(Some(text), at, block, path),
                        SubPart::Variable(_) => {}
                    }
                }
            }
            Function::If { condition: name, .. } | Function::Condition(name) if self.template.condition(name).is_none() => {
                let message =
                    format!("Template format error: Unresolved condition dependency {name} in the {block} block of the template");
                self.errors.add(at, path, message);
            }
            Function::FindInMap { map, top, second } => self.find_in_map([map, top, second], at, path),
            Function::ImportValue(_) | Function::GetAzs(_) | Function::Cidr { .. } if block == Block::Conditions => {
                let message = format!("Template format error: Cannot use {} in Conditions.", function.name());
                self.errors.add(at, path, message);
            }
            Function::ValueOf { parameter, .. } if !self.parameters.contains_key(parameter.as_str()) => {
                let message =
                    format!("Template format error: Fn::ValueOf refers to the parameter {parameter}, which is not there");
                self.errors.add(at, path, message);
            }
            Function::RefAll(kind) | Function::ValueOfAll { kind, .. } if !ParameterType::is_of_account(kind) => {
                let message = format!("Template format error: {} knows no parameter type {kind}", function.name());
                self.errors.add(at, path, message);
            }
            _ => {}
        }
    }

    /// Dynamic references to what only other services hold are refused: a resource would get the words of the reference in
    /// place of what they stand for (CloudFormation User Guide, "Dynamic references").
    fn dynamic_reference(&mut self, text: Option<&str>, at: Position, block: Block, path: &Path<'_>) {
        let mut services = text.unwrap_or_default().split("{{resolve:").skip(1);
        let other = services.find(|reference| !reference.starts_with("ssm:"));
        if let Some(other) = other.filter(|_| block == Block::Resources) {
            let service = other.split(':').next().unwrap_or_default();
            let message =
                format!("Template error: dynamic references to {service} are not supported by this region yet: those to ssm are");
            self.errors.add(at, path, message);
        }
    }

    /// A name that `Ref` may give: of a parameter, a pseudo parameter or a resource.
    fn reference(&mut self, name: &str, at: Position, block: Block, path: &Path<'_>) {
        if self.parameters.contains_key(name) || PSEUDO_PARAMETERS.contains(&name) {
            return;
        }
        if block.is_early() {
            let message = format!(
                "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the {block} block of the template"
            );
            self.errors.add(at, path, message);
        } else if !self.resources.contains_key(name) {
            self.unresolved(name, at, block, path);
        }
    }

    pub(crate) fn unresolved(&mut self, name: &str, at: Position, block: Block, path: &Path<'_>) {
        let message =
            format!("Template format error: Unresolved resource dependencies [{name}] in the {block} block of the template");
        self.errors.add(at, path, message);
    }

    fn attribute(&mut self, name: &str, attribute: Option<&str>, at: Position, block: Block, path: &Path<'_>) {
        let resource = match self.resources.get(name) {
            Some(resource) if block != Block::Conditions => resource,
            _ if block == Block::Conditions => return self.reference(name, at, block, path),
            _ => {
                let message = format!("Template error: instance of Fn::GetAtt references undefined resource {name}");
                return self.errors.add(at, path, message);
            }
        };
        let (Some(attribute), Some(schema)) = (attribute, self.schemas.get(resource.type_name.as_str())) else { return };
        if !schema.has_attribute(attribute) {
            let meant = nearest(attribute, schema.attributes()).map(|meant| format!("; did you mean {meant}?"));
            let message = format!(
                "Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt{}",
                meant.unwrap_or_default()
            );
            self.errors.add(at, path, message);
        }
    }

    /// Notes the first of the keys that is written out and not there, and references that cannot be known in time.
    fn find_in_map(&mut self, keys: [&Expression; 3], at: Position, path: &Path<'_>) {
        for key in keys {
            if let Some(Function::Ref(name)) =
                key.function().filter(|f| matches!(f, Function::Ref(name) if self.resources.contains_key(name.as_str())))
            {
                let message = format!(
                    "Template error: Fn::FindInMap cannot refer to the resource {name}: its keys must be known before there are resources"
                );
                self.errors.add(key.position, path, message);
            }
        }
        let [map, top, second] = keys.map(literal);
        let Some(name) = map else { return };
        let Some(mapping) = self.template.mapping(&name) else {
            let message = format!("Template error: Mapping named '{name}' is not present in the 'Mappings' section of template.");
            return self.errors.add(at, path, message);
        };
        let has_second =
            |row: &std::collections::BTreeMap<String, MappingValue>| second.as_ref().is_none_or(|key| row.contains_key(key));
        let is_there = match &top {
            Some(top) => mapping.rows.get(top).is_some_and(has_second),
            None => mapping.rows.values().any(has_second),
        };
        if !is_there {
            let shown = |key: Option<String>| key.unwrap_or_else(|| "*".into());
            let message = format!("Template error: Unable to get mapping for {name}::{}::{}", shown(top), shown(second));
            self.errors.add(at, path, message);
        }
    }
}

fn literal(expression: &Expression) -> Option<String> {
    match &expression.kind {
        ExpressionKind::Literal(json) => Some(scalar_text(json)),
        _ => None,
    }
}
