//! `AWS::SSM::Parameter`. `Ref` gives the parameter's name.

use base::{Fault, Tags};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde_json::Value as Json;

use crate::error::Error;
use crate::operations::{kind, tier};
use crate::parameter::{self, NewValue, Parameter};
use crate::tags;

pub(crate) struct ParameterResource;

impl StackResource for ParameterResource {
    fn type_name(&self) -> &'static str {
        "AWS::SSM::Parameter"
    }

    fn schema(&self) -> &'static str {
        include_str!("parameter.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let name = match text(request.properties, "Name") {
            Some(name) => name,
            // CloudFormation's own form; a stack's name could begin with a reserved prefix.
            None => format!("CFN-{}-{}", request.logical_id, cx.rng().base32(12)),
        };
        let parameter = parameter::create(tx, cx, &name, new_value(request.properties)?, all_tags(request)?)?;
        Ok(parameter.name)
    }

    /// Writes a new version, unless only tags changed. What the template no longer says goes back to its default.
    fn update(&self, tx: &mut Tx, cx: &Cx, id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let present = parameter::find(tx, id)?;
        let mut tags = request.kept_tags(&present.tags, |key| old["Tags"].get(key).is_some());
        tags.extend(all_tags(request)?);
        tags::check_count(&tags)?;
        tx.update::<Parameter>(&id.to_string(), |p| p.tags = tags);
        if without_tags(old) == without_tags(request.properties) {
            return Ok(());
        }
        let mut new = new_value(request.properties)?;
        new.data_type.get_or_insert_with(|| "text".into());
        tx.update::<Parameter>(&id.to_string(), |p| (p.description, p.allowed_pattern) = (None, None));
        parameter::overwrite(tx, cx, id, new)?;
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        match parameter::delete(tx, id) {
            Ok(()) | Err(Error::NotFound(_)) => Ok(Progress::Ready),
            Err(error) => Err(error.into()),
        }
    }

    fn attribute(&self, state: &State, _: &Cx, id: &str, name: &str) -> Result<Json, Fault> {
        let parameter = parameter::find(state, id)?;
        match name {
            "Type" => Ok(parameter.kind.as_str().into()),
            "Value" => Ok(parameter.value.clone().into()),
            other => Err(Error::Invalid(format!("AWS::SSM::Parameter has no attribute {other}.")).into()),
        }
    }
}

fn without_tags(properties: &Json) -> Vec<(&String, &Json)> {
    properties.as_object().into_iter().flatten().filter(|(name, _)| *name != "Tags").collect()
}

fn text(properties: &Json, name: &str) -> Option<String> {
    properties.get(name)?.as_str().map(Into::into)
}

fn new_value(properties: &Json) -> Result<NewValue, Error> {
    Ok(NewValue {
        kind: text(properties, "Type").as_deref().map(kind).transpose()?,
        value: text(properties, "Value").unwrap_or_default(),
        description: text(properties, "Description"),
        tier: text(properties, "Tier").as_deref().map(tier).transpose()?,
        data_type: text(properties, "DataType"),
        allowed_pattern: text(properties, "AllowedPattern").filter(|p| !p.is_empty()),
    })
}

/// The stack's tags, and over them the parameter's own.
fn all_tags(request: &ResourceRequest) -> Result<Tags, Error> {
    let mut all = request.tags.clone();
    if let Some(own) = request.properties.get("Tags").and_then(Json::as_object) {
        let sent = own.iter().map(|(key, value)| shapes::ssm::Tag {
            key: key.clone(),
            value: value.as_str().map_or_else(|| value.to_string(), Into::into),
        });
        all.extend(tags::from_user(sent.collect())?);
    }
    Ok(all)
}
