//! `AWS::SNS::Topic` with its inline subscriptions. `Ref` gives the topic's ARN.

use base::{Fault, Tags};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;
use shapes::sns as s;
use std::collections::BTreeMap;

use super::{attributes, no_attribute, read};
use crate::error::Error;
use crate::subscription::{self, Subscription};
use crate::tags;
use crate::topic::{self, NAME_CHARS_MAX};

/// Properties that are attributes of the same name.
const ATTRIBUTES: [&str; 7] = [
    "DisplayName",
    "KmsMasterKeyId",
    "FifoTopic",
    "ContentBasedDeduplication",
    "SignatureVersion",
    "TracingConfig",
    "ArchivePolicy",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    topic_name: Option<String>,
    #[serde(default, rename = "Subscription")]
    subscriptions: Vec<Inline>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inline {
    endpoint: String,
    protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

pub(super) struct TopicType;

impl StackResource for TopicType {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::Topic"
    }

    fn schema(&self) -> &'static str {
        include_str!("topic.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let name = properties.topic_name.clone().unwrap_or_else(|| request.physical_name(cx, NAME_CHARS_MAX));
        let arn = cx.scope.arn("sns", &name);
        if tx.find::<crate::Topic, str>(&arn).is_some() {
            return Err(Fault::client("AlreadyExists", format!("{name} already exists")));
        }
        let arn = topic::create(tx, cx, &name, topic_attributes(request.properties), all_tags(request, &properties)?)?;
        for inline in &properties.subscriptions {
            subscription::subscribe(tx, cx, &arn, &inline.protocol, &inline.endpoint, BTreeMap::new())?;
        }
        Ok(arn)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, arn: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let (before, after): (Properties, Properties) = (read(old)?, read(request.properties)?);
        let (was, is) = (topic_attributes(old), topic_attributes(request.properties));
        for name in was.keys().filter(|name| !is.contains_key(*name)) {
            topic::set_attribute(tx, arn, name, "")?;
        }
        for (name, value) in &is {
            topic::set_attribute(tx, arn, name, value)?;
        }
        let gone = before.subscriptions.iter().filter(|s| !after.subscriptions.contains(s));
        gone.for_each(|inline| end(tx, arn, inline));
        for inline in after.subscriptions.iter().filter(|s| !before.subscriptions.contains(s)) {
            subscription::subscribe(tx, cx, arn, &inline.protocol, &inline.endpoint, BTreeMap::new())?;
        }
        let tags = all_tags(request, &after)?;
        tags::check_count(&tags)?;
        tx.update::<crate::Topic>(&arn.to_string(), |t| {
            t.tags.retain(|key, _| !before.tags.iter().any(|tag| tag.key == *key) && !request.had_of_stack(key));
            t.tags.extend(tags);
        });
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, arn: &str) -> Result<Progress, Fault> {
        topic::delete(tx, arn)?;
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, arn: &str, name: &str) -> Result<Json, Fault> {
        let topic = topic::find(state, arn)?;
        match name {
            "TopicArn" => Ok(topic.arn.clone().into()),
            "TopicName" => Ok(topic.name.clone().into()),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}

fn topic_attributes(properties: &Json) -> BTreeMap<String, String> {
    attributes(properties, &ATTRIBUTES)
}

/// The stack's tags, and over them the topic's own.
fn all_tags(request: &ResourceRequest, properties: &Properties) -> Result<Tags, Error> {
    let own = properties.tags.iter().map(|t| s::Tag { key: t.key.clone(), value: t.value.clone() }).collect();
    let mut all = request.tags.clone();
    all.extend(tags::from_user(own)?);
    Ok(all)
}

/// Ends the subscription that an inline one made.
fn end(tx: &mut Tx, topic_arn: &str, inline: &Inline) {
    let same = |s: &&Subscription| s.protocol.as_str() == inline.protocol && s.endpoint == inline.endpoint;
    let found = tx.rows_where::<Subscription>("topic", topic_arn).find(same).map(|s| s.arn.clone());
    if let Some(arn) = found {
        subscription::remove(tx, &arn);
    }
}
