use base::Tags;
use kernel::{Row, State, Tx};
use serde::{Deserialize, Serialize};
use shapes::elbv2::Tag;

use crate::error::Error;

/// Most tags of a resource ("Quotas for your Application Load Balancers").
const TAGS_MAX: usize = 50;

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

/// Tags as a user gave them: checked, without AWS's own prefix.
pub(crate) fn from_user(tags: &[Tag]) -> Result<Tags, Error> {
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
