//! Publishing: what a message may be, and who gets it ("Publish", SNS API Reference).

use std::collections::BTreeMap;

use base::Fault;
use kernel::{Cx, Tx};
use serde_json::Value as Json;
use world::MessageAttribute;

use crate::counts::{self, Count, Filtered};
use crate::delivery;
use crate::error::Error;
use crate::filter::{Body, Scope};
use crate::subscription::{Protocol, Subscription};
use crate::topic;

/// Longest message with its attributes, in bytes of UTF-8.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 * 1024;
const SUBJECT_CHARS_MAX: usize = 100;

/// What another service publishes to a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub subject: Option<String>,
    pub body: String,
}

/// Publishes to a topic by its ARN; what is subscribed gets it after the commit. A topic that does not exist is a
/// fault `NotFound`, which the publishing service notes in its own history.
pub fn publish(tx: &mut Tx, cx: &Cx, topic_arn: &str, message: Message) -> Result<(), Fault> {
    let published = Published::new(cx, message.body, message.subject, None, BTreeMap::new())?;
    // The publishing service may go on after a failure: then nobody shall have got the message.
    tx.attempt(|tx| deliver(tx, cx, topic_arn, &published))?;
    Ok(())
}

/// A message that was found to be good.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) message_id: String,
    pub(crate) subject: Option<String>,
    /// As it came, with its attributes.
    size_bytes: usize,
    body: String,
    /// With `MessageStructure=json`: other bodies, by protocol.
    bodies: BTreeMap<String, String>,
    pub(crate) attributes: BTreeMap<String, MessageAttribute>,
}

impl Published {
    pub(crate) fn new(
        cx: &Cx,
        message: String,
        subject: Option<String>,
        structure: Option<&str>,
        attributes: BTreeMap<String, MessageAttribute>,
    ) -> Result<Self, Error> {
        if message.is_empty() {
            return Err(Error::parameter("Empty message"));
        }
        let size_bytes = size(&message, &attributes);
        if size_bytes > MESSAGE_BYTES_MAX {
            return Err(Error::parameter("Message too long"));
        }
        check_subject(subject.as_deref())?;
        let mut bodies = match structure {
            None | Some("") => BTreeMap::new(),
            Some("json") => read_structure(&message)?,
            Some(_) => return Err(Error::parameter("MessageStructure")),
        };
        let body = bodies.remove("default").unwrap_or(message);
        Ok(Self { message_id: cx.rng().uuid(), subject, size_bytes, body, bodies, attributes })
    }

    /// What subscribers of a protocol get.
    pub(crate) fn body_for(&self, protocol: Protocol) -> &str {
        self.bodies.get(protocol.as_str()).unwrap_or(&self.body)
    }
}

/// Bytes that count against the limit: the message, and names, types and values of its attributes.
pub(crate) fn size(message: &str, attributes: &BTreeMap<String, MessageAttribute>) -> usize {
    message.len() + attributes.iter().map(|(name, a)| name.len() + a.data_type.len() + value_bytes(a)).sum::<usize>()
}

/// A binary value is kept in base64, and counts as what it stands for.
fn value_bytes(attribute: &MessageAttribute) -> usize {
    let text = attribute.value.as_str();
    match attribute.data_type.split('.').next() {
        Some("Binary") => text.trim_end_matches('=').len() * 3 / 4,
        _ => text.len(),
    }
}

/// A subject is one line of at most 100 characters, without control characters.
fn check_subject(subject: Option<&str>) -> Result<(), Error> {
    let Some(subject) = subject else { return Ok(()) };
    let fits = (1..=SUBJECT_CHARS_MAX).contains(&subject.chars().count()) && !subject.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Error::parameter("Subject")) }
}

/// A message for each protocol: a JSON object of texts with at least `default`.
fn read_structure(message: &str) -> Result<BTreeMap<String, String>, Error> {
    let bad = |text: &str| Error::Parameter(format!("Message Structure - {text}"));
    let Ok(Json::Object(all)) = serde_json::from_str(message) else {
        return Err(bad("JSON message body failed to parse"));
    };
    // "Values that are not strings cause the key to be ignored."
    let texts = all.into_iter().filter_map(|(protocol, text)| Some((protocol, text.as_str()?.to_string())));
    let texts: BTreeMap<String, String> = texts.collect();
    if texts.contains_key("default") { Ok(texts) } else { Err(bad("No default entry in JSON message body")) }
}

/// Puts a message on its way to every confirmed subscriber whose filter lets it pass.
pub(crate) fn deliver(tx: &mut Tx, cx: &Cx, topic_arn: &str, published: &Published) -> Result<(), Error> {
    let topic = topic::find(tx, topic_arn)?.clone();
    let all: Vec<Subscription> =
        tx.rows_where::<Subscription>("topic", topic_arn).filter(|s| s.confirmed.is_some()).cloned().collect();
    let (mut of_attributes, mut of_body) = (None, None);
    let mut filtered: BTreeMap<Filtered, usize> = BTreeMap::new();
    for subscription in all {
        if let Some(filter) = subscription.filter() {
            let passes = match subscription.scope() {
                Scope::MessageAttributes => {
                    filter.matches(of_attributes.get_or_insert_with(|| Body::of_attributes(&published.attributes)))
                }
                Scope::MessageBody => filter.matches(of_body.get_or_insert_with(|| Body::of_message(&published.body))),
            };
            if !passes {
                let why = match subscription.scope() {
                    Scope::MessageBody => Filtered::Body,
                    Scope::MessageAttributes if published.attributes.is_empty() => Filtered::NoAttributes,
                    Scope::MessageAttributes => Filtered::Attributes,
                };
                *filtered.entry(why).or_default() += 1;
                continue;
            }
        }
        delivery::send(tx, cx, &topic, &subscription, published)?;
    }
    counts::tell(tx, cx, topic_arn, Count::Published { bytes: published.size_bytes });
    for (why, subscribers) in filtered {
        counts::tell(tx, cx, topic_arn, Count::FilteredOut(why, subscribers));
    }
    Ok(())
}
