//! Why a property changes in an update: as change sets tell it ("ResourceChangeDetail").

use serde::{Deserialize, Serialize};
use template::{ExpressionKind, Reference};

use super::Program;
use super::surroundings::Surroundings;
use crate::state::Wish;

/// One reason for which a property changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cause {
    pub(crate) property: String,
    pub(crate) source: Source,
    /// The parameter, the resource, or the resource and its attribute.
    pub(crate) entity: Option<String>,
    /// Only the update itself tells the new value ("ResourceChangeDetail", Evaluation).
    pub(crate) is_dynamic: bool,
}

/// `ChangeSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    ResourceReference,
    ParameterReference,
    ResourceAttribute,
    DirectModification,
}

impl Source {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ResourceReference => "ResourceReference",
            Self::ParameterReference => "ParameterReference",
            Self::ResourceAttribute => "ResourceAttribute",
            Self::DirectModification => "DirectModification",
        }
    }
}

/// Whether a parameter's value is another now.
fn is_other(name: &str, old: &Wish, new: &Wish) -> bool {
    let value = |wish: &Wish| wish.parameters.get(name).map(|v| (v.given.clone(), v.resolved.clone()));
    new.parameters.contains_key(name) && value(old) != value(new)
}

/// The causes of one property's change: what it refers to that changes, or else its owner's own words.
pub(super) fn causes(
    program: &Program,
    surroundings: &Surroundings,
    wishes: (&Wish, &Wish),
    logical_id: &str,
    property: &str,
) -> Vec<Cause> {
    let mut found: Vec<Cause> = Vec::new();
    let mut add = |source, entity: Option<String>, is_dynamic| {
        let cause = Cause { property: property.into(), source, entity, is_dynamic };
        if !found.contains(&cause) {
            found.push(cause);
        }
    };
    let mut has_parameter = false;
    each_reference(program, logical_id, property, &mut |reference| match reference {
        Reference::Name(name) if is_other(name, wishes.0, wishes.1) => {
            has_parameter = true;
            add(Source::ParameterReference, Some(name.into()), false);
        }
        Reference::Name(name) if surroundings.is_unknown(name) => add(Source::ResourceReference, Some(name.into()), true),
        Reference::Attribute { resource, attribute } if surroundings.is_unknown(resource) => {
            add(Source::ResourceAttribute, Some(attribute.map_or(resource.into(), |a| format!("{resource}.{a}"))), true);
        }
        _ => {}
    });
    // With a parameter CloudFormation also lists the property itself, evaluated when the update runs.
    if has_parameter || found.is_empty() {
        found.push(Cause {
            property: property.into(),
            source: Source::DirectModification,
            entity: None,
            is_dynamic: has_parameter,
        });
    }
    found
}

/// The properties that refer to resources of which nobody knows yet what they will be.
pub(super) fn unknown_properties(program: &Program, surroundings: &Surroundings, logical_id: &str) -> Vec<String> {
    let is_unknown = |property: &&str| {
        let mut is_unknown = false;
        each_reference(program, logical_id, property, &mut |reference| {
            let (Reference::Name(name) | Reference::Attribute { resource: name, .. }) = reference;
            is_unknown |= surroundings.is_unknown(name);
        });
        is_unknown
    };
    written(program, logical_id).filter(is_unknown).map(str::to_string).collect()
}

/// The names of a resource's properties, where it lists them itself.
fn written<'a>(program: &'a Program, logical_id: &str) -> impl Iterator<Item = &'a str> {
    let properties = program.template.resource(logical_id).and_then(|r| r.properties.as_ref());
    let members = match properties.map(|p| &p.kind) {
        Some(ExpressionKind::Map(members)) => members.as_slice(),
        _ => &[],
    };
    members.iter().map(|m| m.key.as_str())
}

fn each_reference<'a>(program: &'a Program, logical_id: &str, property: &str, each: &mut dyn FnMut(Reference<'a>)) {
    let Some(properties) = program.template.resource(logical_id).and_then(|r| r.properties.as_ref()) else { return };
    // Without a list of its own every property may come from anywhere in it.
    let expression = match &properties.kind {
        ExpressionKind::Map(members) => members.iter().find(|m| m.key == property).map(|m| &m.value),
        _ => Some(properties),
    };
    if let Some(expression) = expression {
        template::references(expression, Some(&program.conditions), each);
    }
}
