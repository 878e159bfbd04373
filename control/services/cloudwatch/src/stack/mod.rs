//! CloudFormation resource types of CloudWatch's alarms.

mod alarm;
mod composite;

use base::Fault;
use kernel::{Cx, Progress, Registry, ResourceRequest, State, Tx};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use shapes::cloudwatch as s;

use crate::alarm::{Alarm, check_parents};
use crate::tags;

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(alarm::Alarm);
    registry.resource(composite::CompositeAlarm);
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: String,
    value: String,
}

pub(crate) fn read<P: DeserializeOwned>(properties: &Json) -> Result<P, Fault> {
    serde_json::from_value(properties.clone()).map_err(|e| Fault::validation(format!("Properties validation failed: {e}")))
}

/// The alarm's name, its owner's or a new one; a name that is taken is refused, so that no stack takes another's alarm over.
fn new_name(state: &State, cx: &Cx, own: Option<String>, request: &ResourceRequest, max: usize) -> Result<String, Fault> {
    let name = own.unwrap_or_else(|| request.physical_name(cx, max));
    if state.get::<Alarm>(&name).is_some() {
        return Err(Fault::client("AlreadyExists", format!("{name} already exists")));
    }
    Ok(name)
}

/// A resource's own tags and the stack's. Those that a user has added to one with the properties `old` stay.
pub(crate) fn put_tags(tx: &mut Tx, arn: &str, own: Vec<Tag>, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
    let own = tags::from_user(own.into_iter().map(|t| s::Tag { key: t.key, value: t.value }).collect())?;
    let was_own = |key: &str| old["Tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag["Key"] == key));
    let mut all = request.kept_tags(&tags::of(tx, arn), was_own);
    all.extend(request.tags.clone());
    all.extend(own);
    tags::check_count(&all)?;
    tags::set(tx, arn, all);
    Ok(())
}

fn remove(tx: &mut Tx, cx: &Cx, name: &str) -> Result<Progress, Fault> {
    if tx.get::<Alarm>(&name.to_string()).is_some() {
        check_parents(tx, name, &[])?;
        crate::alarm::delete(tx, cx, &[name.to_string()]);
    }
    Ok(Progress::Ready)
}

fn arn_of(state: &State, _: &Cx, name: &str, attribute: &str) -> Result<Json, Fault> {
    match (state.get::<Alarm>(&name.to_string()), attribute) {
        (Some(alarm), "Arn") => Ok(alarm.arn.clone().into()),
        (None, _) => Err(Fault::validation(format!("The alarm {name} does not exist"))),
        (_, other) => Err(Fault::validation(format!("An alarm has no attribute {other}"))),
    }
}
