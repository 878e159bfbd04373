//! Reads the properties of a stack's resource, which its schema has checked already.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, Tags};
use kernel::ResourceRequest;
use serde_json::Value as Json;

use crate::error::Error;
use crate::validate;

pub(super) fn text(properties: &Json, name: &str) -> Option<String> {
    properties.get(name).and_then(Json::as_str).map(Into::into)
}

pub(super) fn texts(properties: &Json, name: &str) -> BTreeSet<String> {
    items(properties, name).filter_map(Json::as_str).map(Into::into).collect()
}

/// A policy document as text; templates write it as an object or as a string that holds one.
pub(super) fn document(properties: &Json, name: &str) -> Option<String> {
    match properties.get(name) {
        None | Some(Json::Null) => None,
        Some(Json::String(text)) => Some(text.clone()),
        Some(document) => Some(document.to_string()),
    }
}

pub(super) fn required_document(properties: &Json, name: &str) -> Result<String, Error> {
    document(properties, name).ok_or_else(|| Error::Invalid(format!("Property {name} must not be empty.")))
}

/// The name that the template gives, or one made for the stack.
pub(super) fn name_or(request: &ResourceRequest, property: &str, make: impl FnOnce() -> String) -> String {
    text(request.properties, property).unwrap_or_else(make)
}

/// Inline policies by name.
pub(super) fn inline_policies(properties: &Json) -> Result<BTreeMap<String, String>, Error> {
    let mut policies = BTreeMap::new();
    for item in items(properties, "Policies") {
        let name = text(item, "PolicyName").unwrap_or_default();
        let document = required_document(item, "PolicyDocument")?;
        if policies.insert(name.clone(), document).is_some() {
            return Err(Error::Invalid(format!("Policies names {name} more than once.")));
        }
    }
    Ok(policies)
}

/// The resource's own tags over those of its stack.
pub(super) fn tags(request: &ResourceRequest) -> Result<Tags, Fault> {
    let own: Vec<(String, String)> = own_tags(request.properties).collect();
    validate::no_reserved(own.iter().map(|(key, _)| key.as_str()))?;
    let mut tags = request.tags.clone();
    validate::add_tags(&mut tags, own.into_iter())?;
    Ok(tags)
}

/// What an update makes of the tags that a resource has; those that a user has added stay.
pub(super) fn retagged(present: &Tags, old: &Json, request: &ResourceRequest) -> Result<Tags, Fault> {
    let mut tags = request.kept_tags(present, |key| own_tags(old).any(|(own, _)| own == key));
    validate::add_tags(&mut tags, self::tags(request)?.into_iter())?;
    Ok(tags)
}

fn own_tags(properties: &Json) -> impl Iterator<Item = (String, String)> {
    items(properties, "Tags").map(|tag| (text(tag, "Key").unwrap_or_default(), text(tag, "Value").unwrap_or_default()))
}

fn items<'a>(properties: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    properties.get(name).and_then(Json::as_array).into_iter().flatten()
}
