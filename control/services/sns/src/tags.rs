//! Tags of topics ("Amazon SNS topic tagging").

use base::{Fault, Tags};
use kernel::{Cx, State, Tx};
use shapes::sns as s;

use crate::error::Error;
use crate::topic::Topic;

/// Most tags of one topic; those of AWS itself do not count.
const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const RESERVED_PREFIX: &str = "aws:";

/// Tags that a user sends, checked.
pub(crate) fn from_user(sent: Vec<s::Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in sent {
        let keeps_to_lengths =
            (1..=KEY_CHARS_MAX).contains(&tag.key.chars().count()) && tag.value.chars().count() <= VALUE_CHARS_MAX;
        if !keeps_to_lengths || tag.key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
            return Err(Error::parameter("Tags Reason: invalid tag key or value"));
        }
        if tags.insert(tag.key, tag.value).is_some() {
            return Err(Error::parameter("Duplicated keys are not allowed."));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

pub(crate) fn check_count(tags: &Tags) -> Result<(), Error> {
    let own = tags.keys().filter(|key| !key.starts_with(RESERVED_PREFIX)).count();
    if own > TAGS_MAX { Err(Error::TooManyTags) } else { Ok(()) }
}

fn tagged<'a>(state: &'a State, arn: &str) -> Result<&'a Topic, Error> {
    state.find::<Topic, str>(arn).ok_or(Error::ResourceNotFound)
}

pub(crate) fn add(tx: &mut Tx, _: &Cx, input: s::TagResourceRequest) -> Result<s::TagResourceResponse, Fault> {
    let mut tags = tagged(tx, &input.resource_arn)?.tags.clone();
    tags.extend(from_user(input.tags)?);
    check_count(&tags)?;
    tx.update::<Topic>(&input.resource_arn, |t| t.tags = tags);
    Ok(s::TagResourceResponse {})
}

pub(crate) fn remove(tx: &mut Tx, _: &Cx, input: s::UntagResourceRequest) -> Result<s::UntagResourceResponse, Fault> {
    tagged(tx, &input.resource_arn)?;
    if input.tag_keys.iter().any(|key| key.to_ascii_lowercase().starts_with(RESERVED_PREFIX)) {
        return Err(Error::parameter("TagKeys Reason: tags of AWS cannot be removed").into());
    }
    tx.update::<Topic>(&input.resource_arn, |t| t.tags.retain(|key, _| !input.tag_keys.contains(key)));
    Ok(s::UntagResourceResponse {})
}

pub(crate) fn list(tx: &mut Tx, _: &Cx, input: s::ListTagsForResourceRequest) -> Result<s::ListTagsForResourceResponse, Fault> {
    let tags = &tagged(tx, &input.resource_arn)?.tags;
    Ok(s::ListTagsForResourceResponse {
        tags: tags.iter().map(|(key, value)| s::Tag { key: key.clone(), value: value.clone() }).collect(),
    })
}
