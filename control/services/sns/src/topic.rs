//! Topics: their rows, attributes and transitions.

use std::collections::BTreeMap;

use base::{Tags, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::policy::DeliveryPolicy;
use crate::subscription::{self, Subscription};
use crate::{arn, tags};

/// Most topics of this region.
pub const TOPICS_MAX: usize = 10_000;
/// Longest name ("CreateTopic", SNS API Reference).
pub const NAME_CHARS_MAX: usize = 256;
/// Longest document, of a policy or of a delivery policy.
const DOCUMENT_BYTES_MAX: usize = 30 * 1_024;
/// Most statements that `AddPermission` leaves a policy ("Amazon SNS endpoints and quotas").
const STATEMENTS_MAX: usize = 20;
const DISPLAY_NAME_CHARS_MAX: usize = 100;
const FIFO_SUFFIX: &str = ".fifo";

/// A topic. Its attributes are kept under AWS's names, checked when they are set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    pub name: String,
    pub arn: String,
    pub attributes: BTreeMap<String, String>,
    pub tags: Tags,
    pub created_at: Time,
    /// Subscriptions that were ended.
    pub deleted_subscriptions: u64,
}

impl Row for Topic {
    const TABLE: &'static str = "sns.topic";
    type Key = String;
    fn key(&self) -> String {
        self.arn.clone()
    }
}

impl Topic {
    /// How deliveries to `http` and `https` are repeated, where the subscription says nothing else.
    pub(crate) fn delivery_policy(&self) -> Option<DeliveryPolicy> {
        self.attributes.get("DeliveryPolicy").and_then(|text| DeliveryPolicy::of_topic(text).ok())
    }
}

/// The topic of an ARN.
pub(crate) fn find<'a>(state: &'a State, topic_arn: &str) -> Result<&'a Topic, Error> {
    arn::check("TopicArn", topic_arn)?;
    state.find::<Topic, str>(topic_arn).ok_or(Error::TopicNotFound)
}

/// Makes a topic, or finds the one that is there with the same attributes and tags ("CreateTopic": idempotent). Returns its
/// ARN.
pub(crate) fn create(
    tx: &mut Tx,
    cx: &Cx,
    name: &str,
    attributes: BTreeMap<String, String>,
    tags: Tags,
) -> Result<String, Error> {
    check_name(name)?;
    let arn = cx.scope.arn("sns", name);
    let mut checked = BTreeMap::new();
    for (attribute, value) in attributes {
        if let Some(value) = check_attribute(&attribute, &value, Unknown::Attributes)? {
            checked.insert(attribute, value);
        }
    }
    if let Some(topic) = tx.get::<Topic>(&arn) {
        // What the request does not name may be anything.
        if checked.iter().any(|(name, value)| shown_attribute(cx, topic, name).as_ref() != Some(value)) {
            return Err(Error::parameter("Attributes Reason: Topic already exists with different attributes"));
        }
        if !tags.is_empty() && tags != topic.tags {
            return Err(Error::parameter("Tags Reason: Topic already exists with different tags"));
        }
        return Ok(arn);
    }
    if tx.count::<Topic>() >= TOPICS_MAX {
        return Err(Error::TooManyTopics);
    }
    tags::check_count(&tags)?;
    tx.put(Topic {
        name: name.into(),
        arn: arn.clone(),
        attributes: checked,
        tags,
        created_at: cx.now,
        deleted_subscriptions: 0,
    });
    Ok(arn)
}

/// "CreateTopic": up to 256 ASCII letters, digits, hyphens and underscores. Topics that keep an order are not there.
fn check_name(name: &str) -> Result<(), Error> {
    if name.ends_with(FIFO_SUFFIX) {
        return Err(fifo());
    }
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(known) {
        true => Ok(()),
        false => Err(Error::parameter("Topic Name")),
    }
}

fn fifo() -> Error {
    Error::parameter("Attributes Reason: FIFO topics are not available in this region")
}

/// Deletes a topic, its subscriptions and the messages on their way to them; one that does not exist is deleted already
/// ("DeleteTopic").
pub(crate) fn delete(tx: &mut Tx, topic_arn: &str) -> Result<(), Error> {
    arn::check("TopicArn", topic_arn)?;
    let subscriptions: Vec<String> = tx.rows_where::<Subscription>("topic", topic_arn).map(|s| s.arn.clone()).collect();
    for arn in subscriptions {
        subscription::remove(tx, &arn);
    }
    tx.remove::<Topic>(&topic_arn.to_string());
    Ok(())
}

pub(crate) fn set_attribute(tx: &mut Tx, topic_arn: &str, name: &str, value: &str) -> Result<(), Error> {
    let arn = find(tx, topic_arn)?.arn.clone();
    let value = check_attribute(name, value, Unknown::AttributeName)?;
    tx.update::<Topic>(&arn, |t| {
        match value {
            Some(value) => t.attributes.insert(name.into(), value),
            None => t.attributes.remove(name),
        };
    });
    Ok(())
}

/// How an attribute that does not exist is told.
#[derive(Clone, Copy)]
pub(crate) enum Unknown {
    /// In a map of attributes.
    Attributes,
    /// By itself.
    AttributeName,
}

impl Unknown {
    pub(crate) fn error(self, name: &str) -> Error {
        match self {
            Unknown::Attributes => Error::Parameter(format!("Attributes Reason: Unknown attribute {name}")),
            Unknown::AttributeName => Error::parameter("AttributeName"),
        }
    }
}

/// Checks a topic's attribute ("SetTopicAttributes"); none stands for its default.
fn check_attribute(name: &str, value: &str, unknown: Unknown) -> Result<Option<String>, Error> {
    let bad = |reason: &str| Err(Error::Parameter(format!("Attributes Reason: {name}: {reason}")));
    if value.is_empty() && name != "DisplayName" {
        return Ok(None);
    }
    match name {
        "DisplayName" if value.chars().count() > DISPLAY_NAME_CHARS_MAX || value.chars().any(char::is_control) => {
            return Err(Error::parameter("DisplayName"));
        }
        "DisplayName" if value.is_empty() => return Ok(None),
        "DisplayName" => {}
        "Policy" => {
            check_policy(value)?;
        }
        "DeliveryPolicy" => {
            DeliveryPolicy::of_topic(value)?;
        }
        "FifoTopic" | "ContentBasedDeduplication" | "FifoThroughputScope" | "ArchivePolicy" => match value {
            "false" => return Ok(None),
            _ => return Err(fifo()),
        },
        "KmsMasterKeyId" => return bad("encryption with KMS keys is not available in this region"),
        "SignatureVersion" => match value {
            "2" => {}
            "1" => return bad("messages are signed with SHA256 (version 2); SHA1 (version 1) is not available in this region"),
            _ => return Err(Error::parameter("SignatureVersion")),
        },
        "TracingConfig" => match value {
            "PassThrough" => {}
            "Active" => return bad("tracing is not available in this region"),
            _ => return Err(Error::parameter("TracingConfig")),
        },
        // Terraform names the sample rates that a configuration leaves out: 0 percent of the deliveries are logged.
        _ if is_feedback(name) => match (name.ends_with("SampleRate"), value) {
            (true, "0") => return Ok(None),
            _ => return bad("delivery status logging is not available in this region"),
        },
        _ => return Err(unknown.error(name)),
    }
    Ok(Some(value.into()))
}

/// The attributes of delivery status logging, such as `HTTPSuccessFeedbackRoleArn`.
fn is_feedback(name: &str) -> bool {
    let protocols = ["HTTP", "Firehose", "Lambda", "Application", "SQS"];
    let ends = ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];
    protocols.iter().any(|p| name.strip_prefix(p).is_some_and(|rest| ends.contains(&rest)))
}

/// A topic's access policy: a JSON object with statements. It is kept and shown; the account's root user, who may do all, is
/// the only one who can ask.
pub(crate) fn check_policy(text: &str) -> Result<Json, Error> {
    let bad = |reason: &str| Error::Parameter(format!("Policy Error: {reason}"));
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(bad("PolicyLengthExceeded"));
    }
    let policy: Json = serde_json::from_str(text).map_err(|_| bad("null"))?;
    let statements = match policy.get("Statement") {
        Some(Json::Array(statements)) => statements.as_slice(),
        Some(one @ Json::Object(_)) => std::slice::from_ref(one),
        _ => return Err(bad("the policy has no statement")),
    };
    let is_whole = |s: &Json| {
        ["Effect", "Principal", "Action"].iter().all(|key| s.get(key).is_some() || s.get(format!("Not{key}")).is_some())
    };
    if statements.is_empty() || !statements.iter().all(is_whole) {
        return Err(bad("each statement needs Effect, Principal and Action"));
    }
    Ok(policy)
}

/// All attributes as `GetTopicAttributes` shows them.
pub(crate) fn shown(state: &State, cx: &Cx, topic: &Topic) -> BTreeMap<String, String> {
    let mut all = topic.attributes.clone();
    for name in ["DisplayName", "Policy", "EffectiveDeliveryPolicy"] {
        if let Some(value) = shown_attribute(cx, topic, name) {
            all.insert(name.into(), value);
        }
    }
    let of_topic = state.rows_where::<Subscription>("topic", &topic.arn).filter(|s| !s.ended);
    let (pending, confirmed): (Vec<_>, Vec<_>) = of_topic.partition(|s| s.confirmed.is_none());
    all.insert("TopicArn".into(), topic.arn.clone());
    all.insert("Owner".into(), cx.scope.account.clone());
    all.insert("SubscriptionsPending".into(), pending.len().to_string());
    all.insert("SubscriptionsConfirmed".into(), confirmed.len().to_string());
    all.insert("SubscriptionsDeleted".into(), topic.deleted_subscriptions.to_string());
    all
}

/// One attribute, or its default.
fn shown_attribute(cx: &Cx, topic: &Topic, name: &str) -> Option<String> {
    match (topic.attributes.get(name), name) {
        (Some(value), _) => Some(value.clone()),
        (None, "DisplayName") => Some(String::new()),
        (None, "Policy") => Some(default_policy(cx, &topic.arn).to_string()),
        (None, "SignatureVersion") => Some("2".into()),
        (None, "TracingConfig") => Some("PassThrough".into()),
        (None, "EffectiveDeliveryPolicy") => Some(topic.delivery_policy().unwrap_or_default().effective_of_topic().to_string()),
        _ => None,
    }
}

/// What AWS gives a new topic: everyone in the account may do everything.
fn default_policy(cx: &Cx, topic_arn: &str) -> Json {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions.map(|a| format!("SNS:{a}")),
            "Resource": topic_arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": cx.scope.account } },
        }],
    })
}

/// Adds a statement to the topic's policy ("AddPermission").
pub(crate) fn add_permission(
    tx: &mut Tx,
    cx: &Cx,
    topic_arn: &str,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<(), Error> {
    let topic = find(tx, topic_arn)?;
    let is_account = |a: &String| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit());
    if accounts.is_empty() || !accounts.iter().all(is_account) {
        return Err(Error::parameter("AWSAccountId"));
    }
    let known = |a: &String| a == "*" || a.bytes().all(|b| b.is_ascii_alphanumeric());
    if actions.is_empty() || !actions.iter().all(|a| !a.is_empty() && known(a)) {
        return Err(Error::parameter("ActionName"));
    }
    if label.is_empty() {
        return Err(Error::parameter("Label"));
    }
    let mut policy = policy_of(cx, topic)?;
    let statements = statements(&mut policy)?;
    if statements.iter().any(|s| s["Sid"] == label) {
        return Err(Error::parameter("Statement already exists"));
    }
    if statements.len() >= STATEMENTS_MAX {
        return Err(Error::parameter("Policy statement number exceeds limit"));
    }
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": accounts.iter().map(|a| format!("arn:{}:iam::{a}:root", cx.scope.partition)).collect::<Vec<_>>() },
        "Action": actions.iter().map(|a| format!("SNS:{a}")).collect::<Vec<_>>(),
        "Resource": topic_arn,
    }));
    set_attribute(tx, topic_arn, "Policy", &policy.to_string())
}

/// Takes a statement out of the topic's policy; one that is not there is gone already.
pub(crate) fn remove_permission(tx: &mut Tx, cx: &Cx, topic_arn: &str, label: &str) -> Result<(), Error> {
    let mut policy = policy_of(cx, find(tx, topic_arn)?)?;
    let statements = statements(&mut policy)?;
    let before = statements.len();
    statements.retain(|s| s["Sid"] != label);
    match statements.len() {
        len if len == before => Ok(()),
        0 => set_attribute(tx, topic_arn, "Policy", ""),
        _ => set_attribute(tx, topic_arn, "Policy", &policy.to_string()),
    }
}

fn policy_of(cx: &Cx, topic: &Topic) -> Result<Json, Error> {
    match topic.attributes.get("Policy") {
        Some(text) => check_policy(text),
        None => Ok(default_policy(cx, &topic.arn)),
    }
}

fn statements(policy: &mut Json) -> Result<&mut Vec<Json>, Error> {
    let statement = policy.get_mut("Statement").ok_or(Error::Internal)?;
    if statement.is_object() {
        *statement = Json::Array(vec![statement.take()]);
    }
    statement.as_array_mut().ok_or(Error::Internal)
}
