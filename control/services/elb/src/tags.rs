use std::sync::LazyLock;

use base::Tags;
use kernel::{Row, State, Tx};
use regex::Regex;
use serde::{Deserialize, Serialize};
use shapes::elbv2::Tag;

use crate::error::Error;

/// Most tags of a resource ("Quotas for your Application Load Balancers").
const TAGS_MAX: usize = 50;
/// What keys and values consist of ("API Reference, Tag").
const PATTERN: &str = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$";
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
/// Most breaches told at once, as by AWS's validator.
const BREACHES_MAX: usize = 10;

static ALLOWED: LazyLock<Regex> = LazyLock::new(|| Regex::new(PATTERN).expect("the pattern is a constant that compiles"));

/// The tags of one resource, by its ARN; a resource without tags has no row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagSet {
    pub arn: String,
    pub tags: Tags,
}

impl Row for TagSet {
    const TABLE: &'static str = "elb.tags";
    type Key = String;
    fn key(&self) -> String {
        self.arn.clone()
    }
}

pub(crate) fn of(state: &State, arn: &str) -> Tags {
    state.get::<TagSet>(&arn.to_string()).map(|t| t.tags.clone()).unwrap_or_default()
}

/// AWS's own tags are nobody's to set or to take away ("ELB User Guide, Tag a load balancer": "You can't edit or delete tag names
/// or values with this prefix").
const RESERVED_PREFIX: &str = "aws:";

fn check_key(key: &str) -> Result<(), Error> {
    if key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
        return Err(Error::Validation(format!("Tag key '{key}' cannot start with '{RESERVED_PREFIX}'")));
    }
    Ok(())
}

/// What is wrong with a key or a value, in the words of AWS's validator. Lengths are checked at the border too, but for stacks.
fn breaches(at: &str, text: &str, is_key: bool) -> Vec<String> {
    let max = if is_key { KEY_CHARS_MAX } else { VALUE_CHARS_MAX };
    let breach = |constraint: &str| format!("Value '{text}' at '{at}' failed to satisfy constraint: Member must {constraint}");
    let mut all = Vec::new();
    if is_key && text.is_empty() {
        all.push(breach("have length greater than or equal to 1"));
    }
    if text.chars().count() > max {
        all.push(breach(&format!("have length less than or equal to {max}")));
    }
    if !ALLOWED.is_match(text) {
        all.push(breach(&format!("satisfy regular expression pattern: {PATTERN}")));
    }
    all
}

fn refuse_breaches(breaches: impl Iterator<Item = String>) -> Result<(), Error> {
    let all: Vec<String> = breaches.take(BREACHES_MAX).collect();
    match all.len() {
        0 => Ok(()),
        1 => Err(Error::Validation(format!("1 validation error detected: {}", all[0]))),
        count => Err(Error::Validation(format!("{count} validation errors detected: {}", all.join("; ")))),
    }
}

/// Keys and values of tags have the characters and lengths that AWS takes; a request is refused for others before all else.
pub(crate) fn check_texts(tags: &[Tag]) -> Result<(), Error> {
    refuse_breaches(tags.iter().zip(1..).flat_map(|(tag, n)| {
        let mut all = breaches(&format!("tags.{n}.member.key"), &tag.key, true);
        all.extend(tag.value.iter().flat_map(|value| breaches(&format!("tags.{n}.member.value"), value, false)));
        all
    }))
}

/// Likewise, keys that are to be taken away.
pub(crate) fn check_keys(keys: &[String]) -> Result<(), Error> {
    refuse_breaches(keys.iter().zip(1..).flat_map(|(key, n)| breaches(&format!("tagKeys.{n}.member"), key, true)))
}

/// Tags as a user gave them: checked, without AWS's own prefix.
pub(crate) fn from_user(tags: &[Tag]) -> Result<Tags, Error> {
    check_texts(tags)?;
    let mut all = Tags::new();
    for tag in tags {
        check_key(&tag.key)?;
        if all.insert(tag.key.clone(), tag.value.clone().unwrap_or_default()).is_some() {
            return Err(Error::DuplicateTagKeys(tag.key.clone()));
        }
    }
    Ok(all)
}

/// Adds tags or changes their values.
pub(crate) fn add(tx: &mut Tx, arn: &str, tags: Tags) -> Result<(), Error> {
    let mut all = of(tx, arn);
    all.extend(tags);
    check_count(&all)?;
    set(tx, arn, all);
    Ok(())
}

/// AWS's own tags do not count.
pub(crate) fn check_count(all: &Tags) -> Result<(), Error> {
    match all.keys().filter(|k| !k.starts_with(RESERVED_PREFIX)).count() {
        count if count > TAGS_MAX => Err(Error::TooMany("TooManyTags", format!("A resource has at most {TAGS_MAX} tags"))),
        _ => Ok(()),
    }
}

/// Takes a user's tags away; those that are not there are gone already.
pub(crate) fn remove(tx: &mut Tx, arn: &str, keys: &[String]) -> Result<(), Error> {
    keys.iter().try_for_each(|key| check_key(key))?;
    let mut all = of(tx, arn);
    all.retain(|key, _| !keys.contains(key));
    set(tx, arn, all);
    Ok(())
}

/// Gives a resource exactly these tags.
pub(crate) fn set(tx: &mut Tx, arn: &str, tags: Tags) {
    if tags.is_empty() {
        tx.remove::<TagSet>(&arn.to_string());
    } else {
        tx.put(TagSet { arn: arn.into(), tags });
    }
}
