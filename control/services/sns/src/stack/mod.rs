//! The CloudFormation resource types of SNS.

mod subscription;
mod topic;
mod topic_policy;

use std::collections::BTreeMap;

use base::Fault;
use kernel::Registry;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::error::Error;

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<topic_policy::TopicPolicy>();
    registry.resource(topic::TopicType);
    registry.resource(subscription::SubscriptionType);
    registry.resource(topic_policy::TopicPolicyType);
}

/// Reads a typed view of properties; the template's schema has checked them already.
fn read<T: DeserializeOwned>(properties: &Json) -> Result<T, Error> {
    T::deserialize(properties).map_err(|e| Error::Parameter(format!("Properties validation failed: {e}")))
}

/// A JSON document as the API takes it: templates may write it as an object or as text.
fn document(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), Into::into)
}

/// Attributes under the API's names from properties under the same names.
fn attributes(properties: &Json, names: &[&str]) -> BTreeMap<String, String> {
    let given = names.iter().filter_map(|name| Some((*name, properties.get(*name)?)));
    given.map(|(name, json)| (name.to_string(), document(json))).collect()
}

/// The schema lists each type's attributes, so this is asked for none other.
fn no_attribute(type_name: &str, name: &str) -> Fault {
    Fault::validation(format!("Attribute {name} does not exist for resource type {type_name}"))
}
