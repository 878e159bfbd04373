//! Rules for names, paths, descriptions and tags ("IAM and AWS STS quotas", "IAM identifiers").

use base::{Fault, Tags};
use kernel::{Page, page};
use shapes::iam as s;

use crate::error::Error;

/// Most tags of a role, instance profile or policy.
pub const TAGS_MAX: usize = 50;
/// Entries of a page when the call does not say.
const PAGE_DEFAULT: i64 = 100;
const PAGE_MAX: i64 = 1_000;

/// A name of letters, digits and `+=,.@_-`, at most `max` characters long. `field` is AWS's name of the member.
pub(crate) fn name(field: &str, value: &str, max: usize) -> Result<(), Error> {
    length(field, value, 1, max)?;
    if value.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "The specified value for {field} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )))
}

/// The path of an entity, `/` when none is given.
pub(crate) fn path(value: Option<String>) -> Result<String, Error> {
    let value = value.unwrap_or_else(|| "/".into());
    length("path", &value, 1, 512)?;
    let inside = |c: char| ('!'..='\x7e').contains(&c);
    if value.starts_with('/') && value.ends_with('/') && !value.contains("//") && value.chars().all(inside) {
        return Ok(value);
    }
    Err(Error::Invalid(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
            .into(),
    ))
}

pub(crate) fn description(value: Option<&String>) -> Result<(), Error> {
    value.map_or(Ok(()), |text| length("description", text, 0, 1_000))
}

/// The duration of sessions in seconds, an hour when none is given.
pub(crate) fn session_duration(value: Option<i64>) -> Result<i64, Error> {
    let value = value.unwrap_or(3_600);
    if (3_600..=43_200).contains(&value) {
        return Ok(value);
    }
    let bound = if value < 3_600 { "greater than or equal to 3600" } else { "less than or equal to 43200" };
    Err(constraint("maxSessionDuration", &value.to_string(), &format!("Member must have value {bound}")))
}

fn length(field: &str, value: &str, least: usize, most: usize) -> Result<(), Error> {
    let count = value.chars().count();
    if count < least {
        return Err(constraint(field, value, &format!("Member must have length greater than or equal to {least}")));
    }
    if count > most {
        return Err(constraint(field, value, &format!("Member must have length less than or equal to {most}")));
    }
    Ok(())
}

pub(crate) fn constraint(field: &str, value: &str, text: &str) -> Error {
    Error::Invalid(format!("1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {text}"))
}

/// Tags as a new entity gets them: each key once.
pub(crate) fn tags(given: Vec<s::Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    add_tags(&mut tags, given.into_iter().map(|t| (t.key, t.value)))?;
    Ok(tags)
}

/// Adds tags or changes their values. A key must not come twice in one call; keys count without case.
pub(crate) fn add_tags(tags: &mut Tags, given: impl Iterator<Item = (String, String)>) -> Result<(), Error> {
    let mut seen: Vec<String> = Vec::new();
    for (key, value) in given {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(Error::Tags("A tag key has 1 to 128 characters and its value at most 256.".into()));
        }
        let lower = key.to_lowercase();
        if seen.contains(&lower) {
            return Err(Error::Tags("Duplicate tag keys found. Please note that Tag keys are case insensitive.".into()));
        }
        tags.retain(|present, _| present.to_lowercase() != lower);
        seen.push(lower);
        tags.insert(key, value);
    }
    // Tags that AWS's services set do not count.
    if tags.keys().filter(|key| !is_reserved(key)).count() > TAGS_MAX {
        return Err(Error::Quota("TagsPerEntity", TAGS_MAX));
    }
    Ok(())
}

/// Takes tags away; keys that are not there do not matter.
pub(crate) fn remove_tags(tags: &mut Tags, keys: &[String]) -> Result<(), Error> {
    no_reserved(keys.iter().map(String::as_str))?;
    tags.retain(|present, _| !keys.iter().any(|key| key.to_lowercase() == present.to_lowercase()));
    Ok(())
}

fn is_reserved(key: &str) -> bool {
    key.to_lowercase().starts_with("aws:")
}

/// A user may not set or remove tags that AWS reserves.
pub(crate) fn no_reserved<'a>(mut keys: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    match keys.find(|key| is_reserved(key)) {
        Some(key) => {
            Err(Error::Tags(format!("Caller is not allowed to modify tag {key}: keys with the prefix aws: are reserved.")))
        }
        None => Ok(()),
    }
}

pub(crate) fn tag_list(tags: &Tags) -> Vec<s::Tag> {
    tags.iter().map(|(key, value)| s::Tag { key: key.clone(), value: value.clone() }).collect()
}

/// A page of an entity's tags.
pub(crate) fn cut_tags(tags: &Tags, marker: Option<String>, max_items: Option<i64>) -> Result<Page<s::Tag>, Fault> {
    cut(tag_list(tags).into_iter(), |tag| tag.key.clone(), marker, max_items)
}

/// A page of a listing that is sorted by `key`.
pub(crate) fn cut<T>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
    marker: Option<String>,
    max_items: Option<i64>,
) -> Result<Page<T>, Fault> {
    let max = usize::try_from(max_items.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)).unwrap_or(1);
    page(items, key, marker.as_deref(), max, || Fault::validation("Invalid Marker."))
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_and_names_follow_aws() {
        for (path, fine) in
            [("/", true), ("/a/b/", true), ("", false), ("a/", false), ("/a", false), ("//", false), ("/a b/", false)]
        {
            assert_eq!(super::path(Some(path.into())).is_ok(), fine, "{path}");
        }
        for (name, fine) in [("web-1_x@=,.+", true), ("", false), ("a/b", false), ("ü", false), ("aaaaa", false)] {
            assert_eq!(super::name("roleName", name, 12.min(if name == "aaaaa" { 4 } else { 12 })).is_ok(), fine, "{name}");
        }
    }
}
