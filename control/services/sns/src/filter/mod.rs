//! Filter policies: which messages a subscriber wants ("Amazon SNS message filtering", SNS Developer Guide).

mod condition;
mod parse;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use world::MessageAttribute;

pub(crate) use condition::Condition;

/// What a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    MessageAttributes,
    MessageBody,
}

/// A policy: every key must match, and one of the alternatives if there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Policy {
    keys: Vec<(String, Rule)>,
    /// `$or`.
    alternatives: Vec<Policy>,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// One of them must hold.
    Values(Vec<Condition>),
    /// A policy for what lies below; in the scope of the message's body only.
    Nested(Policy),
}

/// What policies are held against: the message's attributes, or its body. None when the body is no JSON object: then no
/// policy lets it pass.
pub(crate) struct Body(Option<Map<String, Json>>);

impl Body {
    /// "Filter policy scope": a body that is no JSON object passes no filter.
    pub(crate) fn of_message(message: &str) -> Self {
        match serde_json::from_str(message) {
            Ok(Json::Object(object)) => Body(Some(object)),
            _ => Body(None),
        }
    }

    /// "String.Array" holds several values; binary attributes are passed over ("Message attributes and filtering").
    pub(crate) fn of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Self {
        let of = |attribute: &MessageAttribute| {
            let mut parts = attribute.data_type.splitn(2, '.');
            match (parts.next(), parts.next()) {
                (Some("Number"), _) => attribute.value.parse::<f64>().ok().map(Json::from),
                (Some("String"), Some("Array")) => match serde_json::from_str(&attribute.value) {
                    Ok(Json::Array(values)) => Some(Json::Array(values)),
                    _ => None,
                },
                (Some("String"), _) => Some(Json::String(attribute.value.clone())),
                _ => None,
            }
        };
        Body(Some(attributes.iter().filter_map(|(name, a)| Some((name.clone(), of(a)?))).collect()))
    }
}

impl Policy {
    pub(crate) fn matches(&self, body: &Body) -> bool {
        body.0.as_ref().is_some_and(|object| self.fits(object))
    }

    fn fits(&self, object: &Map<String, Json>) -> bool {
        self.keys.iter().all(|(key, rule)| rule.fits(object.get(key)))
            && (self.alternatives.is_empty() || self.alternatives.iter().any(|policy| policy.fits(object)))
    }
}

impl Rule {
    fn fits(&self, value: Option<&Json>) -> bool {
        match (self, value) {
            (Rule::Values(conditions), value) => conditions.iter().any(|condition| condition.holds(value)),
            (Rule::Nested(policy), Some(Json::Object(object))) => policy.fits(object),
            (Rule::Nested(policy), Some(Json::Array(items))) => {
                items.iter().filter_map(Json::as_object).any(|object| policy.fits(object))
            }
            (Rule::Nested(policy), _) => policy.fits(&Map::new()),
        }
    }
}
