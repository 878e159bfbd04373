//! CloudFormation's resource types of this service. Properties come as JSON that was checked against the schema; each
//! type has a typed view of them.

mod listener;
mod load_balancer;
mod target_group;

use std::collections::BTreeMap;

use base::Tags;
use kernel::{Registry, ResourceRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::error::Error;

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(listener::Type);
    registry.resource(load_balancer::Type);
    registry.resource(target_group::Type);
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// `LoadBalancerAttributes` and their like.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    key: String,
    value: String,
}

fn properties<T: DeserializeOwned>(json: &Json) -> Result<T, Error> {
    serde_json::from_value(json.clone()).map_err(|e| Error::Validation(format!("Properties validation failed: {e}")))
}

/// The resource's own tags over the stack's.
fn tags_of(request: &ResourceRequest, own: &[Tag]) -> Tags {
    let mut all = request.tags.clone();
    all.extend(own.iter().map(|t| (t.key.clone(), t.value.clone())));
    all
}

/// What to set so that attributes become `new` where they were `old`: those that are gone get their default.
fn attribute_changes(old: &[Attribute], new: &[Attribute], default: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    all.extend(old.iter().filter_map(|a| Some((a.key.clone(), default(&a.key)?))));
    all.extend(new.iter().map(|a| (a.key.clone(), a.value.clone())));
    all.into_iter().collect()
}
