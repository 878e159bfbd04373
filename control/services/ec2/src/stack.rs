//! What the CloudFormation resource types of both halves share: typed views of properties, and tags. It owns no
//! resource type and no row.

use base::{Fault, Tags};
use kernel::{ResourceRequest, Tx};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use shapes::ec2 as s;

use crate::compute::Tag;
use crate::error::Error;
use crate::tags;

/// Reads a typed view of properties; the template's schema has checked them already.
pub(crate) fn read<T: DeserializeOwned>(properties: &Json) -> Result<T, Error> {
    T::deserialize(properties).map_err(|e| Error::InvalidParameter(format!("Properties validation failed: {e}")))
}

/// The stack's tags, and over them the resource's own.
pub(crate) fn all_tags(request: &ResourceRequest, own: &[Tag]) -> Result<Tags, Error> {
    let mut all = request.tags.clone();
    all.extend(tags::from_user(own.iter().map(|t| s::Tag { key: Some(t.key.clone()), value: Some(t.value.clone()) }).collect())?);
    Ok(all)
}

/// Gives a resource its new tags and takes away those that only the old properties or the stack named before. Others,
/// which a user may have added meanwhile, stay.
pub(crate) fn retag(tx: &mut Tx, request: &ResourceRequest, id: &str, old: &[Tag], new: &[Tag]) -> Result<(), Error> {
    let new = all_tags(request, new)?;
    let before = old.iter().map(|t| &t.key).chain(request.old_tags.iter().flat_map(|tags| tags.keys()));
    let gone: Vec<_> = before.filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), None)).collect();
    tags::remove(tx, id, &gone);
    tags::add(tx, id, new)
}

/// The schema lists each type's attributes, so this is asked for none other.
pub(crate) fn no_attribute(type_name: &str, name: &str) -> Fault {
    Fault::validation(format!("Attribute {name} does not exist for resource type {type_name}"))
}
