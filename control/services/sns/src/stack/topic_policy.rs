//! `AWS::SNS::TopicPolicy`: the access policy of one or several topics.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, Row, StackResource, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{document, no_attribute, read};
use crate::topic::{self, Topic};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    policy_document: Json,
    topics: Vec<String>,
}

/// Which topics a policy of a stack was given to, and what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TopicPolicy {
    id: String,
    topics: Vec<String>,
    policy: String,
}

impl Row for TopicPolicy {
    const TABLE: &'static str = "sns.topic_policy";
    type Key = String;
    fn key(&self) -> String {
        self.id.clone()
    }
}

pub(super) struct TopicPolicyType;

impl StackResource for TopicPolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::TopicPolicy"
    }

    fn schema(&self) -> &'static str {
        include_str!("topic_policy.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let text = document(&properties.policy_document);
        for arn in &properties.topics {
            topic::set_attribute(tx, arn, "Policy", &text)?;
        }
        let id = request.physical_name(cx, 255);
        tx.put(TopicPolicy { id: id.clone(), topics: properties.topics, policy: text });
        Ok(id)
    }

    fn update(&self, tx: &mut Tx, _: &Cx, id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let (before, after): (Properties, Properties) = (read(old)?, read(request.properties)?);
        let (was, text) = (document(&before.policy_document), document(&after.policy_document));
        for arn in before.topics.iter().filter(|t| !after.topics.contains(t)) {
            take_back(tx, arn, &was)?;
        }
        for arn in &after.topics {
            topic::set_attribute(tx, arn, "Policy", &text)?;
        }
        tx.put(TopicPolicy { id: id.into(), topics: after.topics, policy: text });
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, id: &str) -> Result<Progress, Fault> {
        if let Some(row) = tx.remove::<TopicPolicy>(&id.to_string()) {
            for arn in &row.topics {
                take_back(tx, arn, &row.policy)?;
            }
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, id: &str, name: &str) -> Result<Json, Fault> {
        match name {
            "Id" => Ok(id.into()),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}

/// Gives a topic its default policy again, unless somebody has given it another one since.
fn take_back(tx: &mut Tx, arn: &str, policy: &str) -> Result<(), Fault> {
    if tx.find::<Topic, str>(arn).is_some_and(|t| t.attributes.get("Policy").map(String::as_str) == Some(policy)) {
        topic::set_attribute(tx, arn, "Policy", "")?;
    }
    Ok(())
}
