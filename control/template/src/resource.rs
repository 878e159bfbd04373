//! Reads the members of `Resources`.

use crate::error::Position;
use crate::expression::{Expression, ExpressionKind};
use crate::node::{Entry, Node};
use crate::path::Path;
use crate::sections::SectionReader;
use crate::template::{DeletionPolicy, Resource};

impl SectionReader {
    pub(crate) fn resource(&mut self, entry: &Entry, path: &Path<'_>) -> Option<Resource> {
        let mut resource = Resource {
            logical_id: entry.key.clone(),
            position: entry.key_position,
            type_name: String::new(),
            type_position: entry.key_position,
            properties: None,
            depends_on: Vec::new(),
            condition: None,
            deletion_policy: DeletionPolicy::Delete,
            update_replace_policy: DeletionPolicy::Delete,
            creation_policy: None,
            update_policy: None,
            metadata: None,
            description: None,
            depends_on_position: Position::default(),
        };
        let mut has_type = false;
        for attribute in self.map(&entry.value, path)? {
            has_type |= attribute.key == "Type";
            self.resource_attribute(&mut resource, attribute, &path.key(&attribute.key));
        }
        if !has_type {
            let message =
                format!("Template format error: [{}] Every Resources object must contain a Type member.", path.slashed());
            self.wrong(entry.key_position, path, message);
            return None;
        }
        Some(resource)
    }

    fn resource_attribute(&mut self, resource: &mut Resource, attribute: &Entry, path: &Path<'_>) {
        let node = &attribute.value;
        match attribute.key.as_str() {
            "Type" => {
                resource.type_position = node.position;
                resource.type_name = self.string(node, path).unwrap_or_default();
            }
            "Properties" => resource.properties = self.object(node, path),
            "DependsOn" => {
                resource.depends_on_position = node.position;
                resource.depends_on = self.strings(node, path);
            }
            "Condition" => resource.condition = self.string(node, path),
            "DeletionPolicy" => resource.deletion_policy = self.policy(node, path, &resource.logical_id),
            "UpdateReplacePolicy" => resource.update_replace_policy = self.policy(node, path, &resource.logical_id),
            "CreationPolicy" => resource.creation_policy = self.object(node, path),
            "UpdatePolicy" => resource.update_policy = self.object(node, path),
            "Metadata" => resource.metadata = Some(self.expression(node, path)),
            "Description" => resource.description = self.description(node, path),
            other => self.wrong(attribute.key_position, path, format!("Invalid template resource property '{other}'")),
        }
    }

    /// A map in which functions may stand; as a whole it may not be a function.
    fn object(&mut self, node: &Node, path: &Path<'_>) -> Option<Expression> {
        let expression = self.expression(node, path);
        match expression.kind {
            ExpressionKind::Map(_) => Some(expression),
            // A null was already refused.
            ExpressionKind::Literal(serde_json::Value::Null) => None,
            _ => {
                let message = format!("Template format error: [{}] must be an object, not {}", path.slashed(), node.kind_name());
                self.wrong(node.position, path, message);
                None
            }
        }
    }

    fn policy(&mut self, node: &Node, path: &Path<'_>, logical_id: &str) -> DeletionPolicy {
        let slashed = path.slashed();
        let attribute = slashed.rsplit('/').next().unwrap_or_default();
        let Some(text) = self.string(node, path) else { return DeletionPolicy::Delete };
        match text.as_str() {
            "Delete" => DeletionPolicy::Delete,
            "Retain" => DeletionPolicy::Retain,
            "RetainExceptOnCreate" if attribute == "DeletionPolicy" => DeletionPolicy::RetainExceptOnCreate,
            "Snapshot" => DeletionPolicy::Snapshot,
            other => {
                let message = format!("Template format error: Unrecognized {attribute} {other} for resource {logical_id}");
                self.wrong(node.position, path, message);
                DeletionPolicy::Delete
            }
        }
    }
}
