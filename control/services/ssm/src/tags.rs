//! Tags of parameters ("Tagging your parameters"): what a user may send, and the three operations.

use base::{Fault, Tags};
use kernel::{Cx, State, Tx};
use shapes::ssm as s;

use crate::error::Error;
use crate::parameter::Parameter;

/// Most tags of one parameter; `aws:` tags do not count.
pub const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const RESERVED_PREFIX: &str = "aws:";

/// Tags that a user sends, checked.
pub(crate) fn from_user(sent: Vec<s::Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in sent {
        check(&tag.key, &tag.value)?;
        if tags.insert(tag.key.clone(), tag.value).is_some() {
            return Err(Error::Invalid(format!("Duplicate tag key '{}'.", tag.key)));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check(key: &str, value: &str) -> Result<(), Error> {
    if key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
        return Err(Error::Invalid("aws: prefixed tag key names are not allowed for external use.".into()));
    }
    if !(1..=KEY_CHARS_MAX).contains(&key.chars().count()) {
        return Err(Error::Invalid(format!("A tag key must have 1 to {KEY_CHARS_MAX} characters.")));
    }
    if value.chars().count() > VALUE_CHARS_MAX {
        return Err(Error::Invalid(format!("A tag value can have at most {VALUE_CHARS_MAX} characters.")));
    }
    Ok(())
}

/// Refuses more tags than a parameter may have.
pub(crate) fn check_count(tags: &Tags) -> Result<(), Error> {
    let own = tags.keys().filter(|key| !key.starts_with(RESERVED_PREFIX)).count();
    if own > TAGS_MAX { Err(Error::TooManyTags) } else { Ok(()) }
}

/// The user's parameter that a request about tags names.
fn tagged<'a>(state: &'a State, kind: &str, id: &str) -> Result<&'a Parameter, Error> {
    if kind != "Parameter" {
        return Err(Error::ResourceType(kind.into()));
    }
    let found = state.get::<Parameter>(&id.to_string()).filter(|p| !p.public);
    found.ok_or_else(|| Error::ResourceId(id.into()))
}

pub(crate) fn add(tx: &mut Tx, _: &Cx, input: s::AddTagsToResourceRequest) -> Result<s::AddTagsToResourceResult, Fault> {
    let mut tags = tagged(tx, &input.resource_type, &input.resource_id)?.tags.clone();
    tags.extend(from_user(input.tags)?);
    check_count(&tags)?;
    tx.update::<Parameter>(&input.resource_id, |p| p.tags = tags);
    Ok(s::AddTagsToResourceResult {})
}

pub(crate) fn remove(
    tx: &mut Tx,
    _: &Cx,
    input: s::RemoveTagsFromResourceRequest,
) -> Result<s::RemoveTagsFromResourceResult, Fault> {
    tagged(tx, &input.resource_type, &input.resource_id)?;
    if input.tag_keys.iter().any(|key| key.to_ascii_lowercase().starts_with(RESERVED_PREFIX)) {
        return Err(Error::Invalid("aws: prefixed tag key names are not allowed for external use.".into()).into());
    }
    tx.update::<Parameter>(&input.resource_id, |p| p.tags.retain(|key, _| !input.tag_keys.contains(key)));
    Ok(s::RemoveTagsFromResourceResult {})
}

pub(crate) fn list(tx: &mut Tx, _: &Cx, input: s::ListTagsForResourceRequest) -> Result<s::ListTagsForResourceResult, Fault> {
    let tags = &tagged(tx, &input.resource_type, &input.resource_id)?.tags;
    let tag_list = tags.iter().map(|(key, value)| s::Tag { key: key.clone(), value: value.clone() }).collect();
    Ok(s::ListTagsForResourceResult { tag_list })
}
