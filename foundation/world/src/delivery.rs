use std::collections::BTreeMap;

use base::Time;
use serde::{Deserialize, Serialize};

/// A message on its way to one subscriber. Applied: its receiver has taken it. Refused: this attempt failed; the control
/// plane decides about another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The slot's id: one for each message and subscriber, the same in every attempt.
    pub id: String,
    /// From 1; so that a further attempt is a new wish.
    pub attempt: u32,
    pub destination: Destination,
    pub form: MessageForm,
    /// Not called `kind` in JSON: that is the wish's own tag.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    pub message_id: String,
    pub topic_arn: String,
    /// None for a question to confirm a subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub message: String,
    pub published_at: Time,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// What the receiver opens: to confirm the subscription, or to end it.
    pub link: String,
    /// Proves, in a confirmation, that the receiver got the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where receivers find the certificate of the signature.
    pub certificate_url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// A POST to this `http` or `https` URL.
    Http {
        url: String,
        content_type: String,
    },
    Email {
        address: String,
    },
}

/// How the message is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageForm {
    /// A JSON object with all that is known about the message, signed.
    Envelope,
    /// The message alone.
    Raw,
    /// For people: the message, and how to confirm or end the subscription.
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageKind {
    Notification,
    SubscriptionConfirmation,
    UnsubscribeConfirmation,
}

impl MessageKind {
    pub fn as_str(self) -> &'static str {
        match self {
            MessageKind::Notification => "Notification",
            MessageKind::SubscriptionConfirmation => "SubscriptionConfirmation",
            MessageKind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAttribute {
    /// `String`, `String.Array`, `Number` or `Binary`, perhaps with a label of the user's behind a dot.
    pub data_type: String,
    /// Of a binary one, the bytes in base64.
    pub value: String,
}

/// Begins the reason of a refusal that further attempts would only repeat.
const FOR_GOOD: &str = "for good: ";

impl Delivery {
    /// The reason of a refusal that no further attempt can change.
    pub fn refused_for_good(reason: &str) -> String {
        format!("{FOR_GOOD}{reason}")
    }

    /// A refusal's reason, and whether further attempts would only repeat it.
    pub fn read_refusal(reason: &str) -> (&str, bool) {
        reason.strip_prefix(FOR_GOOD).map_or((reason, false), |reason| (reason, true))
    }
}
