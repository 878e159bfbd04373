//! Tags of certificates ("Tagging AWS Certificate Manager resources").

use base::{Fault, Tags};
use kernel::{Cx, Tx};
use shapes::acm as s;

use crate::certificate::find;
use crate::error::Error;
use crate::operations::set_tags;

/// Most tags of one certificate; `aws:` tags do not count.
pub const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const RESERVED_PREFIX: &str = "aws:";

/// Tags that a user sends, checked.
pub(crate) fn from_user(sent: Vec<s::Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in sent {
        let value = tag.value.unwrap_or_default();
        if tag.key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
            return Err(Error::InvalidTag("aws: prefixed tag key names are not allowed for external use.".into()));
        }
        if !(1..=KEY_CHARS_MAX).contains(&tag.key.chars().count()) || value.chars().count() > VALUE_CHARS_MAX {
            let text = format!("A tag has a key of 1 to {KEY_CHARS_MAX} and a value of at most {VALUE_CHARS_MAX} characters.");
            return Err(Error::InvalidTag(text));
        }
        if tags.insert(tag.key.clone(), value).is_some() {
            return Err(Error::InvalidParameter(format!("Duplicate tag key '{}'.", tag.key)));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

/// Refuses more tags than a certificate may have.
pub(crate) fn check_count(tags: &Tags) -> Result<(), Error> {
    let own = tags.keys().filter(|key| !key.starts_with(RESERVED_PREFIX)).count();
    if own > TAGS_MAX { Err(Error::TooManyTags) } else { Ok(()) }
}

pub(crate) fn add(tx: &mut Tx, _: &Cx, input: s::AddTagsToCertificateRequest) -> Result<(), Fault> {
    let mut tags = find(tx, &input.certificate_arn)?.tags.clone();
    tags.extend(from_user(input.tags)?);
    check_count(&tags)?;
    set_tags(tx, &input.certificate_arn, tags);
    Ok(())
}

/// A tag goes away when its value is not given, or is the one that it has.
pub(crate) fn remove(tx: &mut Tx, _: &Cx, input: s::RemoveTagsFromCertificateRequest) -> Result<(), Fault> {
    let mut tags = find(tx, &input.certificate_arn)?.tags.clone();
    for tag in input.tags {
        if tag.key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
            return Err(Error::InvalidTag("aws: prefixed tag key names are not allowed for external use.".into()).into());
        }
        tags.retain(|key, value| *key != tag.key || tag.value.as_ref().is_some_and(|given| given != value));
    }
    set_tags(tx, &input.certificate_arn, tags);
    Ok(())
}

pub(crate) fn list(
    tx: &mut Tx,
    _: &Cx,
    input: s::ListTagsForCertificateRequest,
) -> Result<s::ListTagsForCertificateResponse, Fault> {
    let tags = &find(tx, &input.certificate_arn)?.tags;
    let tags = tags.iter().map(|(key, value)| s::Tag { key: key.clone(), value: Some(value.clone()) }).collect();
    Ok(s::ListTagsForCertificateResponse { tags })
}
