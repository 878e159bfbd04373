//! What is sent: the message alone, the signed JSON around it ("HTTP/HTTPS notification JSON format"), or a text for
//! people.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use world::{Delivery, MessageForm, MessageKind};

use crate::failure::Failure;
use crate::signature::Signer;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'a str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    #[serde(rename = "SubscribeURL", skip_serializing_if = "Option::is_none")]
    subscribe_url: Option<&'a str>,
    timestamp: String,
    signature_version: &'a str,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'a str,
    #[serde(rename = "UnsubscribeURL", skip_serializing_if = "Option::is_none")]
    unsubscribe_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    message_attributes: Map<String, Json>,
}

/// SHA256.
const SIGNATURE_VERSION: &str = "2";

pub(crate) fn body(delivery: &Delivery, signer: &Signer) -> Result<String, Failure> {
    match delivery.form {
        MessageForm::Raw => Ok(delivery.message.clone()),
        MessageForm::Text => Ok(text(delivery)),
        MessageForm::Envelope => envelope(delivery, signer),
    }
}

fn envelope(delivery: &Delivery, signer: &Signer) -> Result<String, Failure> {
    let is_notification = delivery.kind == MessageKind::Notification;
    let timestamp = delivery.published_at.iso8601_ms();
    let signature = signer.sign(&signed_text(delivery, &timestamp)).map_err(Failure::for_now)?;
    let of = |a: &world::MessageAttribute| json!({"Type": a.data_type, "Value": a.value});
    let envelope = Envelope {
        r#type: delivery.kind.as_str(),
        message_id: &delivery.message_id,
        token: delivery.token.as_deref(),
        topic_arn: &delivery.topic_arn,
        subject: delivery.subject.as_deref(),
        message: &delivery.message,
        subscribe_url: (!is_notification).then_some(delivery.link.as_str()),
        timestamp,
        signature_version: SIGNATURE_VERSION,
        signature,
        signing_cert_url: &delivery.certificate_url,
        unsubscribe_url: is_notification.then_some(delivery.link.as_str()),
        message_attributes: delivery.attributes.iter().map(|(name, a)| (name.clone(), of(a))).collect(),
    };
    serde_json::to_string_pretty(&envelope).map_err(Failure::for_good)
}

/// The text that is signed: names and values in turn, in order of name, a line each.
fn signed_text(delivery: &Delivery, timestamp: &str) -> String {
    let mut pairs = vec![("Message", delivery.message.as_str()), ("MessageId", &delivery.message_id)];
    if delivery.kind == MessageKind::Notification {
        pairs.extend(delivery.subject.as_deref().map(|subject| ("Subject", subject)));
        pairs.push(("Timestamp", timestamp));
    } else {
        pairs.extend([("SubscribeURL", delivery.link.as_str()), ("Timestamp", timestamp)]);
        pairs.extend(delivery.token.as_deref().map(|token| ("Token", token)));
    }
    pairs.extend([("TopicArn", delivery.topic_arn.as_str()), ("Type", delivery.kind.as_str())]);
    pairs.into_iter().map(|(name, value)| format!("{name}\n{value}\n")).collect()
}

/// The text of a mail for people.
fn text(delivery: &Delivery) -> String {
    let (message, link, topic) = (&delivery.message, &delivery.link, &delivery.topic_arn);
    match delivery.kind {
        MessageKind::Notification => format!(
            "{message}\n\n--\nIf you wish to stop receiving notifications from this topic, please open the link below to unsubscribe:\n{link}\n"
        ),
        MessageKind::SubscriptionConfirmation => format!(
            "You have chosen to subscribe to the topic:\n{topic}\n\nTo confirm this subscription, open the link below. If this was in error, no action is necessary.\n{link}\n"
        ),
        MessageKind::UnsubscribeConfirmation => {
            format!("Your subscription to the topic below has ended:\n{topic}\n\nTo have it again, open this link:\n{link}\n")
        }
    }
}
