//! Reads the sections of a template out of its nodes, in CloudFormation's words where they are wrong.

use std::collections::{BTreeMap, HashSet};

use crate::error::{Collector, Position, TemplateErrors};
use crate::expression::{Expression, ExpressionKind};
use crate::function::{Place, Reader, null_message};
use crate::node::{Entry, Node, NodeKind};
use crate::path::Path;
use crate::template::{
    CONDITIONS_MAX, Condition, DESCRIPTION_BYTES_MAX, MAPPINGS_MAX, Mapping, MappingValue, OUTPUTS_MAX, Output, PARAMETERS_MAX,
    RESOURCES_MAX, RULES_MAX, Template,
};

const VERSION: &str = "2010-09-09";

pub(crate) fn parse(root: &Node) -> Result<Template, TemplateErrors> {
    let mut reader = SectionReader { errors: Collector::default() };
    let template = reader.template(root);
    reader.errors.finish(template)
}

pub(crate) struct SectionReader {
    pub(crate) errors: Collector,
}

impl SectionReader {
    fn template(&mut self, root: &Node) -> Template {
        let path = Path::ROOT;
        let mut template = Template::default();
        let NodeKind::Map(entries) = &root.kind else {
            self.errors.add(root.position, &path, "Template format error: unsupported structure.");
            return template;
        };
        for entry in entries {
            template.sections.insert(entry.key.clone(), entry.key_position);
            let (node, path) = (&entry.value, path.key(&entry.key));
            match entry.key.as_str() {
                "AWSTemplateFormatVersion" => template.version = self.version(node, &path),
                "Description" => template.description = self.description(node, &path),
                "Metadata" => template.metadata = Some(self.expression(node, &path)),
                "Parameters" => template.parameters = self.named(node, &path, PARAMETERS_MAX, Self::parameter),
                "Mappings" => template.mappings = self.named(node, &path, MAPPINGS_MAX, Self::mapping),
                "Conditions" => template.conditions = self.named(node, &path, CONDITIONS_MAX, Self::condition),
                "Resources" => template.resources = self.named(node, &path, RESOURCES_MAX, Self::resource),
                "Outputs" => template.outputs = self.named(node, &path, OUTPUTS_MAX, Self::output),
                "Rules" => template.rules = self.named(node, &path, RULES_MAX, Self::rule),
                "Transform" | "Hooks" => {
                    let message = format!("Template format error: the section {} is not supported in this region", entry.key);
                    self.errors.add(entry.key_position, &path, message);
                }
                other => {
                    let message = format!("Invalid template property or properties [{other}]");
                    self.errors.add(entry.key_position, &path, message);
                }
            }
        }
        if template.resources.is_empty() {
            let at = template.sections.get("Resources").copied().unwrap_or(root.position);
            self.errors.add(at, &path, "Template format error: At least one Resources member must be defined.");
        }
        template
    }

    fn version(&mut self, node: &Node, path: &Path<'_>) -> Option<String> {
        let version = self.string(node, path)?;
        if version != VERSION {
            let message =
                format!("Template format error: {version} is not a supported value for AWSTemplateFormatVersion: use {VERSION}.");
            self.errors.add(node.position, path, message);
        }
        Some(version)
    }

    pub(crate) fn description(&mut self, node: &Node, path: &Path<'_>) -> Option<String> {
        let text = self.string(node, path)?;
        if text.len() > DESCRIPTION_BYTES_MAX {
            let message = format!("Template format error: 'Description' length is greater than {DESCRIPTION_BYTES_MAX}.");
            self.errors.add(node.position, path, message);
        }
        Some(text)
    }

    /// The members of a section, each with an alphanumeric name.
    fn named<T>(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        max: usize,
        read: fn(&mut Self, &Entry, &Path<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(entries) = self.map(node, path) else { return Vec::new() };
        let section = path.to_string();
        if entries.len() > max {
            let message = format!(
                "Template format error: Number of {}, {}, is greater than maximum allowed, {max}",
                section.to_lowercase(),
                entries.len()
            );
            self.errors.add(node.position, path, message);
            return Vec::new();
        }
        let mut all = Vec::new();
        for entry in entries {
            let path = path.key(&entry.key);
            let is_plain =
                entry.key.len() <= 255 && !entry.key.is_empty() && entry.key.chars().all(|c| c.is_ascii_alphanumeric());
            if !is_plain {
                let kind = section.trim_end_matches('s');
                let message = format!("Template format error: {kind} name {} is non alphanumeric.", entry.key);
                self.errors.add(entry.key_position, &path, message);
            }
            all.extend(read(self, entry, &path));
        }
        all
    }

    fn mapping(&mut self, entry: &Entry, path: &Path<'_>) -> Option<Mapping> {
        let mut rows = BTreeMap::new();
        for top in self.map(&entry.value, path)? {
            let path = path.key(&top.key);
            let mut row = BTreeMap::new();
            for second in self.map(&top.value, &path).into_iter().flatten() {
                let path = path.key(&second.key);
                if let Some(value) = self.mapping_value(&second.value, &path) {
                    row.insert(second.key.clone(), value);
                }
            }
            rows.insert(top.key.clone(), row);
        }
        Some(Mapping { name: entry.key.clone(), position: entry.key_position, rows })
    }

    fn mapping_value(&mut self, node: &Node, path: &Path<'_>) -> Option<MappingValue> {
        let list = match &node.kind {
            NodeKind::List(items) if node.tag.is_none() => items.iter().map(|i| i.text().map(str::to_string)).collect(),
            _ => None,
        };
        let value = node.text().map(|text| MappingValue::One(text.into())).or(list.map(MappingValue::List));
        if value.is_none() {
            self.errors.add(node.position, path, "Template format error: Every Mappings attribute must be a String or a List.");
        }
        value
    }

    fn condition(&mut self, entry: &Entry, path: &Path<'_>) -> Option<Condition> {
        let expression = Reader { errors: &mut self.errors, place: Place::Condition }.read(&entry.value, path);
        if !expression.function().is_some_and(crate::Function::is_boolean) {
            let message = "Template format error: Every Conditions member must be a condition function: Fn::And, Fn::Equals, Fn::Not, Fn::Or or Condition";
            self.errors.add(entry.value.position, path, message);
        }
        Some(Condition { name: entry.key.clone(), position: entry.key_position, expression })
    }

    fn output(&mut self, entry: &Entry, path: &Path<'_>) -> Option<Output> {
        let mut output = Output {
            name: entry.key.clone(),
            position: entry.key_position,
            value: Expression { kind: ExpressionKind::List(Vec::new()), position: entry.value.position },
            description: None,
            export: None,
            condition: None,
        };
        let mut has_value = false;
        for attribute in self.map(&entry.value, path)? {
            let (node, path) = (&attribute.value, path.key(&attribute.key));
            match attribute.key.as_str() {
                "Value" => {
                    has_value = true;
                    output.value = self.expression(node, &path);
                }
                "Description" => output.description = self.description(node, &path),
                "Condition" => output.condition = self.string(node, &path),
                "Export" => output.export = self.export(node, &path, &entry.key),
                other => {
                    let message = format!(
                        "Template format error: Output {} has the invalid attribute {other}: expected Value, Description, Export or Condition",
                        entry.key
                    );
                    self.errors.add(attribute.key_position, &path, message);
                }
            }
        }
        if !has_value {
            let message = format!(
                "Template format error: Output {} is malformed. Every Outputs member must contain a Value object",
                entry.key
            );
            self.errors.add(entry.key_position, path, message);
        }
        Some(output)
    }

    fn export(&mut self, node: &Node, path: &Path<'_>, output: &str) -> Option<Expression> {
        let entries = self.map(node, path)?;
        let name = match entries {
            [Entry { key, value, .. }] if key == "Name" => value,
            _ => {
                let message = format!(
                    "Template format error: Output {output} is malformed. The Name field of every Export member must be specified."
                );
                self.errors.add(node.position, path, message);
                return None;
            }
        };
        Some(self.expression(name, &path.key("Name")))
    }

    pub(crate) fn expression(&mut self, node: &Node, path: &Path<'_>) -> Expression {
        Reader { errors: &mut self.errors, place: Place::Value }.read(node, path)
    }

    /// The entries of a map.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, path: &Path<'_>) -> Option<&'n [Entry]> {
        match &node.kind {
            NodeKind::Map(entries) if node.tag.is_none() => return Some(entries),
            NodeKind::Scalar(scalar) if scalar.is_null() => self.errors.add(node.position, path, null_message(path)),
            _ => {
                let message = format!("Template format error: [{}] must be an object, not {}", path.slashed(), node.kind_name());
                self.errors.add(node.position, path, message);
            }
        }
        None
    }

    /// A literal string.
    pub(crate) fn string(&mut self, node: &Node, path: &Path<'_>) -> Option<String> {
        match &node.kind {
            NodeKind::Scalar(scalar) if scalar.is_null() => self.errors.add(node.position, path, null_message(path)),
            NodeKind::Scalar(scalar) if node.tag.is_none() => return Some(scalar.text.clone()),
            _ => {
                let slashed = path.slashed();
                let member = slashed.rsplit('/').next().unwrap_or_default();
                let what = node.tag.as_ref().map_or_else(|| node.kind_name().to_string(), |tag| format!("the function !{tag}"));
                let message = format!("Template format error: Every {member} member must be a string, not {what}.");
                self.errors.add(node.position, path, message);
            }
        }
        None
    }

    /// A string or a list of strings, without repetition.
    pub(crate) fn strings(&mut self, node: &Node, path: &Path<'_>) -> Vec<String> {
        let all: Vec<String> = match &node.kind {
            NodeKind::List(items) if node.tag.is_none() => {
                items.iter().enumerate().filter_map(|(i, item)| self.string(item, &path.index(i))).collect()
            }
            _ => self.string(node, path).into_iter().collect(),
        };
        let mut seen = HashSet::new();
        all.into_iter().filter(|one| seen.insert(one.clone())).collect()
    }

    pub(crate) fn wrong(&mut self, position: Position, path: &Path<'_>, message: impl Into<String>) {
        self.errors.add(position, path, message);
    }
}
