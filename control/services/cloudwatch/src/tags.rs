//! Tags of alarms and dashboards ("TagResource"): the rows, what a user may send, and the three operations.

use base::{Fault, Tags};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use shapes::cloudwatch as s;

use crate::alarm::Alarm;
use crate::dashboard::Dashboard;

/// Most tags of one resource; `aws:` tags do not count.
pub const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const RESERVED_PREFIX: &str = "aws:";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tagged {
    arn: String,
    tags: Tags,
}

impl Row for Tagged {
    const TABLE: &'static str = "cloudwatch.tags";
    type Key = String;

    fn key(&self) -> String {
        self.arn.clone()
    }
}

pub(crate) fn register(registry: &mut kernel::Registry) {
    registry.table::<Tagged>();
    registry.operation::<s::ops::TagResource>(tag);
    registry.operation::<s::ops::UntagResource>(untag);
    registry.operation::<s::ops::ListTagsForResource>(list);
}

/// The tags of a resource, by its ARN.
pub(crate) fn of(state: &State, arn: &str) -> Tags {
    state.find::<Tagged, str>(arn).map(|t| t.tags.clone()).unwrap_or_default()
}

/// Sets all tags of a resource.
pub(crate) fn set(tx: &mut Tx, arn: &str, tags: Tags) {
    if tags.is_empty() {
        tx.remove::<Tagged>(&arn.to_string());
    } else {
        tx.put(Tagged { arn: arn.into(), tags });
    }
}

/// Forgets the tags of a resource that is gone.
pub(crate) fn forget(tx: &mut Tx, arn: &str) {
    tx.remove::<Tagged>(&arn.to_string());
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::client("InvalidParameterValue", text)
}

/// Tags that a user sends, checked ("Tagging your Amazon CloudWatch resources").
pub(crate) fn from_user(sent: Vec<s::Tag>) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for tag in sent {
        if tag.key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
            return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
        }
        if !(1..=KEY_CHARS_MAX).contains(&tag.key.chars().count()) {
            return Err(invalid(format!("A tag key must have 1 to {KEY_CHARS_MAX} characters.")));
        }
        if tag.value.chars().count() > VALUE_CHARS_MAX {
            return Err(invalid(format!("A tag value can have at most {VALUE_CHARS_MAX} characters.")));
        }
        if tags.insert(tag.key.clone(), tag.value).is_some() {
            return Err(invalid(format!("Duplicate tag key '{}'.", tag.key)));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

pub(crate) fn check_count(tags: &Tags) -> Result<(), Fault> {
    let own = tags.keys().filter(|key| !key.starts_with(RESERVED_PREFIX)).count();
    if own > TAGS_MAX {
        return Err(invalid(format!("A resource can have at most {TAGS_MAX} tags.")));
    }
    Ok(())
}

/// Whether there is such an alarm or dashboard here.
fn check(state: &State, cx: &Cx, arn: &str) -> Result<(), Fault> {
    let alarm = arn.splitn(7, ':').nth(6).and_then(|name| state.find::<Alarm, str>(name));
    let dashboard = arn.split_once(":dashboard/").and_then(|(_, name)| state.find::<Dashboard, str>(name));
    let is_dashboard = dashboard.is_some_and(|d| cx.scope.global_arn("cloudwatch", format_args!("dashboard/{}", d.name)) == arn);
    if is_dashboard || alarm.is_some_and(|alarm| alarm.arn == arn) {
        return Ok(());
    }
    Err(Fault::new(404, "ResourceNotFoundException", format!("The resource {arn} does not exist.")))
}

fn tag(tx: &mut Tx, cx: &Cx, input: s::TagResourceInput) -> Result<s::TagResourceOutput, Fault> {
    check(tx, cx, &input.resource_arn)?;
    let mut tags = of(tx, &input.resource_arn);
    tags.extend(from_user(input.tags)?);
    check_count(&tags)?;
    set(tx, &input.resource_arn, tags);
    Ok(s::TagResourceOutput {})
}

fn untag(tx: &mut Tx, cx: &Cx, input: s::UntagResourceInput) -> Result<s::UntagResourceOutput, Fault> {
    check(tx, cx, &input.resource_arn)?;
    if input.tag_keys.iter().any(|key| key.to_ascii_lowercase().starts_with(RESERVED_PREFIX)) {
        return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
    }
    let mut tags = of(tx, &input.resource_arn);
    tags.retain(|key, _| !input.tag_keys.contains(key));
    set(tx, &input.resource_arn, tags);
    Ok(s::UntagResourceOutput {})
}

fn list(tx: &mut Tx, cx: &Cx, input: s::ListTagsForResourceInput) -> Result<s::ListTagsForResourceOutput, Fault> {
    check(tx, cx, &input.resource_arn)?;
    let tags = of(tx, &input.resource_arn).into_iter().map(|(key, value)| s::Tag { key, value }).collect();
    Ok(s::ListTagsForResourceOutput { tags })
}
