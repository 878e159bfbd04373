//! CloudFormation's resource types of instances, launch templates and key pairs. Properties come as JSON that was
//! checked against the schema of the type; what they mean is the business of the transitions that the API uses too.

mod instance;
mod instance_update;
mod key_pair;
mod launch_data;
mod launch_template;

use base::Tags;
use kernel::{Registry, ResourceRequest, Tx};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use shapes::ec2 as s;

use super::launch_data::Tag;
use crate::error::Error;
use crate::tags;

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(instance::InstanceResource);
    registry.resource(key_pair::KeyPairResource);
    registry.resource(launch_template::LaunchTemplateResource);
}

/// Reads a typed view of properties.
fn read<T: DeserializeOwned>(json: &Json) -> Result<T, Error> {
    serde_json::from_value(json.clone()).map_err(|e| Error::InvalidParameter(format!("Properties validation failed: {e}")))
}

/// The resource's own tags, checked.
fn own_tags(own: &[Tag]) -> Result<Tags, Error> {
    tags::from_user(own.iter().map(|t| s::Tag { key: Some(t.key.clone()), value: Some(t.value.clone()) }).collect())
}

/// The stack's tags, and over them the resource's own.
fn all_tags(request: &ResourceRequest, own: &[Tag]) -> Result<Tags, Error> {
    let mut all = request.tags.clone();
    all.extend(own_tags(own)?);
    Ok(all)
}

/// Gives a resource its new tags and takes away those that only the old properties named. Others, which a user may
/// have added meanwhile, stay.
fn retag(tx: &mut Tx, request: &ResourceRequest, id: &str, old: &[Tag], new: &[Tag]) -> Result<(), Error> {
    let new = all_tags(request, new)?;
    let gone: Vec<_> = old.iter().filter(|t| !new.contains_key(&t.key)).map(|t| (t.key.clone(), None)).collect();
    tags::remove(tx, id, &gone);
    tags::add(tx, id, new)
}

fn no_attribute(type_name: &str, name: &str) -> Error {
    Error::InvalidParameter(format!("{type_name} has no attribute {name}."))
}
