//! Tags of every EC2 resource, in one table by resource id ("Tag your Amazon EC2 resources"). It owns the rows and
//! the rules for keys and values; whether a resource exists is asked of the half that owns it.

use std::collections::BTreeSet;

use base::{Fault, Tags};
use kernel::{Cx, Registry, Row, State, Tx, page};
use serde::{Deserialize, Serialize};
use shapes::ec2 as s;
use shapes::ec2::ops;

use crate::describe::results_max;
use crate::error::{Error, unless_dry};
use crate::filter::Filters;
use crate::kind::Kind;
use crate::{compute, network};

/// Most tags of one resource; `aws:` tags do not count.
pub const TAGS_MAX: usize = 50;
/// Most resources that one call can tag.
pub const TAGGED_MAX: usize = 1_000;
/// Longest key and value, in characters.
pub const KEY_CHARS_MAX: usize = 128;
pub const VALUE_CHARS_MAX: usize = 256;
/// Keys that only AWS's services set.
pub const RESERVED_PREFIX: &str = "aws:";

/// The tags of one resource; a resource without tags has no row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagSet {
    pub resource: String,
    pub tags: Tags,
}

impl Row for TagSet {
    const TABLE: &'static str = "ec2.tags";
    type Key = String;

    fn key(&self) -> String {
        self.resource.clone()
    }
}

static NONE: Tags = Tags::new();

/// The tags of a resource.
pub fn of<'a>(state: &'a State, resource: &str) -> &'a Tags {
    state.get::<TagSet>(&resource.to_string()).map_or(&NONE, |set| &set.tags)
}

/// The tags of a resource as the Describe calls show them.
pub fn shapes(state: &State, resource: &str) -> Vec<s::Tag> {
    of(state, resource).iter().map(|(key, value)| s::Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

/// Adds tags or changes their values. `aws:` keys pass: what a user sends goes through [`from_user`] first.
pub fn add(tx: &mut Tx, resource: &str, tags: Tags) -> Result<(), Error> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut all = of(tx, resource).clone();
    all.extend(tags);
    if all.keys().filter(|key| !key.starts_with(RESERVED_PREFIX)).count() > TAGS_MAX {
        return Err(Error::TooManyTags);
    }
    tx.put(TagSet { resource: resource.into(), tags: all });
    Ok(())
}

/// Gives a resource exactly these tags.
pub fn replace(tx: &mut Tx, resource: &str, tags: Tags) -> Result<(), Error> {
    forget(tx, resource);
    add(tx, resource, tags)
}

/// Takes tags away: by key alone, or only when the value is this one.
pub fn remove(tx: &mut Tx, resource: &str, which: &[(String, Option<String>)]) {
    let mut left = of(tx, resource).clone();
    left.retain(|key, value| !which.iter().any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value)));
    match left.is_empty() {
        true => forget(tx, resource),
        false => tx.put(TagSet { resource: resource.into(), tags: left }),
    }
}

/// Forgets the tags of a resource that is no more.
pub fn forget(tx: &mut Tx, resource: &str) {
    tx.remove::<TagSet>(&resource.to_string());
}

/// Tags that a user sends, checked.
pub fn from_user(sent: Vec<s::Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in sent {
        let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
        check(&key, &value)?;
        if tags.insert(key.clone(), value).is_some() {
            return Err(Error::InvalidParameter(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    Ok(tags)
}

/// Refuses a tag that a user may not set.
pub(crate) fn check(key: &str, value: &str) -> Result<(), Error> {
    if value.chars().count() > VALUE_CHARS_MAX {
        return Err(Error::InvalidParameter(format!("Tag value exceeds the maximum length of {VALUE_CHARS_MAX} characters")));
    }
    check_key(key)
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
        return Err(Error::ReservedTag);
    }
    match key.chars().count() {
        0 => Err(Error::InvalidParameter("Tag key cannot be empty".into())),
        1..=KEY_CHARS_MAX => Ok(()),
        _ => Err(Error::InvalidParameter(format!("Tag key exceeds the maximum length of {KEY_CHARS_MAX} characters"))),
    }
}

/// The tags that a create call gives to its only resource. Another resource type is refused.
pub fn specified(specifications: Vec<s::TagSpecification>, kind: Kind) -> Result<Tags, Error> {
    let mut all = Vec::new();
    for specification in specifications {
        let Some(type_name) = specification.resource_type else {
            return Err(Error::InvalidParameter("Tag specification resource type must have a value".into()));
        };
        if type_name != kind.type_name() {
            return Err(Error::InvalidParameter(format!(
                "'{type_name}' is not a valid taggable resource type for this operation."
            )));
        }
        all.extend(specification.tags);
    }
    from_user(all)
}

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<TagSet>();
    registry.operation::<ops::CreateTags>(create_tags);
    registry.operation::<ops::DeleteTags>(delete_tags);
    registry.operation::<ops::DescribeTags>(describe_tags);
}

fn check_count(ids: &[String]) -> Result<(), Error> {
    match ids.len() {
        0 => Err(Error::Missing("The request must contain the parameter resourceIdSet".into())),
        1..=TAGGED_MAX => Ok(()),
        _ => Err(Error::InvalidParameter(format!("At most {TAGGED_MAX} resources can be tagged in one request."))),
    }
}

/// The resources, each of which must exist.
fn resources(state: &State, ids: Vec<String>) -> Result<BTreeSet<String>, Error> {
    check_count(&ids)?;
    for id in &ids {
        let kind = Kind::of(id).ok_or_else(|| Error::BadTagId(id.clone()))?;
        kind.check(id)?;
        if !network::exists(state, kind, id) && !compute::exists(state, kind, id) {
            return Err(Error::NotFound(kind, vec![id.clone()]));
        }
    }
    Ok(ids.into_iter().collect())
}

fn create_tags(tx: &mut Tx, _: &Cx, input: s::CreateTagsRequest) -> Result<(), Fault> {
    if input.tags.is_empty() {
        return Err(Error::Missing("The request must contain the parameter tagSet".into()).into());
    }
    let tags = from_user(input.tags)?;
    for resource in resources(tx, input.resources)? {
        add(tx, &resource, tags.clone())?;
    }
    unless_dry(input.dry_run, ())
}

/// Without tags in the request it takes all but the `aws:` ones; a tag with an empty value only where it is empty.
fn delete_tags(tx: &mut Tx, _: &Cx, input: s::DeleteTagsRequest) -> Result<(), Fault> {
    let mut which = Vec::with_capacity(input.tags.len());
    for tag in input.tags {
        let key = tag.key.unwrap_or_default();
        check_key(&key)?;
        which.push((key, tag.value));
    }
    check_count(&input.resources)?;
    // A resource that is no more has no tags: AWS lets that pass.
    for resource in &input.resources {
        if which.is_empty() {
            let own: Vec<_> =
                of(tx, resource).keys().filter(|k| !k.starts_with(RESERVED_PREFIX)).map(|k| (k.clone(), None)).collect();
            remove(tx, resource, &own);
        } else {
            remove(tx, resource, &which);
        }
    }
    unless_dry(input.dry_run, ())
}

fn describe_tags(tx: &mut Tx, _: &Cx, input: s::DescribeTagsRequest) -> Result<s::DescribeTagsResult, Fault> {
    let filters = Filters::parse(input.filters, &["key", "resource-id", "resource-type", "value"])?;
    let type_of = |resource: &str| Kind::of(resource).map_or("", Kind::type_name);
    // Most callers ask for the tags of few resources: those are looked up.
    let sets: Vec<&TagSet> = match filters.exact("resource-id") {
        Some(ids) => ids.iter().collect::<BTreeSet<_>>().into_iter().filter_map(|id| tx.get::<TagSet>(id)).collect(),
        None => tx.rows::<TagSet>().collect(),
    };
    let all = sets.into_iter().flat_map(|set| set.tags.iter().map(move |(key, value)| (set, key, value)));
    let passed = all.filter(|(set, key, value)| {
        filters.pass(&set.tags, |name, add| match name {
            "key" => add(key),
            "resource-id" => add(&set.resource),
            "resource-type" => add(type_of(&set.resource)),
            "value" => add(value),
            _ => {}
        })
    });
    let max = results_max(input.max_results)?;
    let part = page(
        passed,
        |(set, key, _)| format!("{} {key}", set.resource),
        input.next_token.as_deref(),
        max,
        || Error::BadToken.into(),
    )?;
    let shape = |(set, key, value): (&TagSet, &String, &String)| s::TagDescription {
        key: Some(key.clone()),
        resource_id: Some(set.resource.clone()),
        resource_type: Some(type_of(&set.resource).into()),
        value: Some(value.clone()),
    };
    let tags = part.items.into_iter().map(shape).collect();
    unless_dry(input.dry_run, s::DescribeTagsResult { next_token: part.next_token, tags })
}
