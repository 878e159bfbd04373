//! Tags of groups.

use std::collections::BTreeMap;

use base::Fault;
use kernel::{Cx, Tx};
use shapes::autoscaling as s;

use super::cut;
use crate::error::Error;
use crate::group::{Group, GroupTag};
use crate::transitions;

pub(crate) fn create_or_update(tx: &mut Tx, _: &Cx, input: s::CreateOrUpdateTagsType) -> Result<(), Fault> {
    for tag in input.tags {
        let group = named_group(&tag)?;
        check_key(&tag.key)?;
        let name = transitions::find_group(tx, &group)?.name.clone();
        let value =
            GroupTag { value: tag.value.unwrap_or_default(), propagate_at_launch: tag.propagate_at_launch.unwrap_or_default() };
        transitions::set_tags(tx, &name, BTreeMap::from([(tag.key, value)]))?;
    }
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteTagsType) -> Result<(), Fault> {
    for tag in input.tags {
        let group = named_group(&tag)?;
        let name = transitions::find_group(tx, &group)?.name.clone();
        tx.update::<Group>(&name, |g| {
            // A value that is given must be the tag's own.
            let same = g.tags.get(&tag.key).is_some_and(|t| tag.value.as_ref().is_none_or(|v| *v == t.value));
            if same {
                g.tags.remove(&tag.key);
            }
        });
    }
    Ok(())
}

pub(crate) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeTagsType) -> Result<s::TagsType, Fault> {
    for filter in &input.filters {
        let name = filter.name.as_deref().unwrap_or_default();
        if !["auto-scaling-group", "key", "value", "propagate-at-launch"].contains(&name) {
            return Err(Error::Invalid(format!(
                "Filter type {name} is not correct. Allowed filter types are: auto-scaling-group key value propagate-at-launch"
            ))
            .into());
        }
    }
    let all = tx.rows::<Group>().flat_map(|g| g.tags.iter().map(move |(key, tag)| (g, key, tag)));
    let kept = all.filter(|(group, key, tag)| {
        input.filters.iter().all(|filter| {
            let value = match filter.name.as_deref() {
                Some("auto-scaling-group") => group.name.as_str(),
                Some("key") => key,
                Some("value") => &tag.value,
                _ if tag.propagate_at_launch => "true",
                _ => "false",
            };
            filter.values.iter().any(|v| v == value)
        })
    });
    let order = |(group, key, _): &(&Group, &String, &GroupTag)| format!("{}\0{key}", group.name);
    let page = cut(kept, order, input.next_token.as_deref(), input.max_records)?;
    let tags = page.items.into_iter().map(|(group, key, tag)| answer(group, key, tag)).collect();
    Ok(s::TagsType { tags, next_token: page.next_token })
}

pub(crate) fn answer(group: &Group, key: &str, tag: &GroupTag) -> s::TagDescription {
    s::TagDescription {
        resource_id: Some(group.name.to_string()),
        resource_type: Some("auto-scaling-group".into()),
        key: Some(key.into()),
        value: Some(tag.value.clone()),
        propagate_at_launch: Some(tag.propagate_at_launch),
    }
}

/// Keys that begin with `aws:` are the services' own.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(Error::Invalid(format!("aws: prefixed tag key names are not allowed for external use: {key}")));
    }
    Ok(())
}

fn named_group(tag: &s::Tag) -> Result<String, Error> {
    if tag.resource_type.as_deref().is_some_and(|t| t != "auto-scaling-group") {
        return Err(Error::Invalid("The only supported value for ResourceType is auto-scaling-group.".into()));
    }
    tag.resource_id.clone().ok_or_else(|| Error::Invalid(format!("The tag '{}' must name its group as ResourceId.", tag.key)))
}
