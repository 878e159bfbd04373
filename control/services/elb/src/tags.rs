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

/// Tags as a user gave them: checked, without AWS's own prefix.
pub(crate) fn from_user(tags: &[Tag]) -> Result<Tags, Error> {
    let mut all = Tags::new();
    for tag in tags {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Error::Validation("Tag keys starting with 'aws:' are reserved for system use".into()));
        }
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
    match all.keys().filter(|k| !k.starts_with("aws:")).count() {
        count if count > TAGS_MAX => Err(Error::TooMany("TooManyTags", format!("A resource has at most {TAGS_MAX} tags"))),
        _ => Ok(()),
    }
}

pub(crate) fn remove(tx: &mut Tx, arn: &str, keys: &[String]) {
    let mut all = of(tx, arn);
    all.retain(|key, _| !keys.contains(key));
    set(tx, arn, all);
}

/// Gives a resource exactly these tags.
pub(crate) fn set(tx: &mut Tx, arn: &str, tags: Tags) {
    if tags.is_empty() {
        tx.remove::<TagSet>(&arn.to_string());
    } else {
        tx.put(TagSet { arn: arn.into(), tags });
    }
}
