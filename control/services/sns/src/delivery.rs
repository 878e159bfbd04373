//! Deliveries: one row for each message and subscriber, from publishing until the receiver has it or its retries are used
//! up. The courier of the world makes the attempts; this decides when ("Amazon SNS message delivery retries").

use base::{Fault, Time};
use kernel::{Cx, Row, Tx, Wanted};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use world::{Delivery as Wish, Destination, MessageForm, MessageKind, Slot, SlotKind, Want};

use crate::counts::{self, Count};
use crate::error::Error;
use crate::policy::{CONTENT_TYPE, RetryPolicy};
use crate::publish::Published;
use crate::subscription::{Protocol, Subscription};
use crate::topic::Topic;

/// Most deliveries under way, and most bytes of messages in them; beyond, publishing is throttled.
pub const DELIVERIES_MAX: usize = 10_000;
pub const DELIVERY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most deliveries that were given up on that are remembered.
pub const LOST_MAX: usize = 1_000;
/// What a delivery takes beside its message, roughly.
const OVERHEAD_BYTES: u64 = 1_024;
/// Where the region shows the certificate of its signatures.
const CERTIFICATE_PATH: &str = "/_allod/sns/SimpleNotificationService.pem";
const API_VERSION: &str = "2010-03-31";

/// A message on its way to one subscriber.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub wish: Wish,
    /// The subscription's ARN.
    pub subscription: String,
    /// The version of the wish under way; none while it waits for its (next) attempt.
    pub sent: Option<u64>,
    pub not_before: Time,
    bytes: u64,
}

impl Row for Delivery {
    const TABLE: &'static str = "sns.delivery";
    type Key = String;
    fn key(&self) -> String {
        self.wish.id.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("subscription", &self.subscription);
    }
}

/// The bytes of all deliveries. One row, with key 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Backlog {
    bytes: u64,
}

impl Row for Backlog {
    const TABLE: &'static str = "sns.backlog";
    type Key = u8;
    fn key(&self) -> u8 {
        0
    }
}

/// A delivery that was given up on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// The delivery's id; ids grow.
    pub id: String,
    pub message_id: String,
    pub subscription: String,
    pub attempts: u32,
    pub at: Time,
    /// What the last attempt said.
    pub reason: String,
}

impl Row for Lost {
    const TABLE: &'static str = "sns.lost";
    type Key = String;
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// Sends a published message to a subscriber.
pub(crate) fn send(tx: &mut Tx, cx: &Cx, topic: &Topic, subscription: &Subscription, published: &Published) -> Result<(), Error> {
    let policy = subscription.delivery_policy(topic);
    let mut wish = wish(cx, subscription, MessageKind::Notification, published.message_id.clone());
    wish.subject.clone_from(&published.subject);
    published.body_for(subscription.protocol).clone_into(&mut wish.message);
    wish.attributes.clone_from(&published.attributes);
    wish.form = match subscription.protocol {
        Protocol::Http | Protocol::Https if subscription.is_raw() => MessageForm::Raw,
        Protocol::Email => MessageForm::Text,
        _ => MessageForm::Envelope,
    };
    wish.link = link(cx, &[("Action", "Unsubscribe"), ("SubscriptionArn", &subscription.arn)]);
    if let (Destination::Http { content_type, .. }, Some(wanted)) = (&mut wish.destination, policy.content_type) {
        *content_type = wanted;
    }
    // "Throttle policy": so many messages in a second at most; those beyond wait.
    let not_before = match policy.receives_per_second {
        None => cx.now,
        Some(rate) => {
            let at = subscription.next_at.max(cx.now);
            let pause = std::time::Duration::from_millis(1_000_u64.div_ceil(u64::from(rate.max(1))));
            tx.update::<Subscription>(&subscription.arn, |s| s.next_at = at + pause);
            at
        }
    };
    add(tx, wish, &subscription.arn, not_before)
}

/// Asks an endpoint to confirm its subscription.
pub(crate) fn ask(tx: &mut Tx, cx: &Cx, subscription: &Subscription) -> Result<(), Error> {
    let question = format!(
        "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
        subscription.topic_arn
    );
    let wish = with_token(cx, subscription, MessageKind::SubscriptionConfirmation, question);
    add(tx, wish, &subscription.arn, cx.now)
}

/// Tells an endpoint that its subscription has ended, and how to have it again.
pub(crate) fn tell_end(tx: &mut Tx, cx: &Cx, subscription: &Subscription) -> Result<(), Error> {
    let text = format!(
        "You have chosen to deactivate subscription {}.\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message.",
        subscription.arn
    );
    let wish = with_token(cx, subscription, MessageKind::UnsubscribeConfirmation, text);
    add(tx, wish, &subscription.arn, cx.now)
}

fn with_token(cx: &Cx, subscription: &Subscription, kind: MessageKind, text: String) -> Wish {
    let mut wish = wish(cx, subscription, kind, cx.rng().uuid());
    wish.message = text;
    wish.subscription_arn = None;
    wish.token = Some(subscription.token.clone());
    wish.form = if subscription.protocol == Protocol::Email { MessageForm::Text } else { MessageForm::Envelope };
    let parameters =
        [("Action", "ConfirmSubscription"), ("TopicArn", &subscription.topic_arn), ("Token", subscription.token.as_str())];
    wish.link = link(cx, &parameters);
    wish
}

fn wish(cx: &Cx, subscription: &Subscription, kind: MessageKind, message_id: String) -> Wish {
    let destination = match subscription.protocol.is_http() {
        true => Destination::Http { url: subscription.endpoint.clone(), content_type: CONTENT_TYPE.into() },
        false => Destination::Email { address: subscription.endpoint.clone() },
    };
    Wish {
        id: String::new(),
        attempt: 1,
        destination,
        form: MessageForm::Envelope,
        kind,
        message_id,
        topic_arn: subscription.topic_arn.clone(),
        subscription_arn: Some(subscription.arn.clone()),
        subject: None,
        message: String::new(),
        published_at: cx.now,
        attributes: BTreeMap::new(),
        link: String::new(),
        token: None,
        certificate_url: format!("{}{CERTIFICATE_PATH}", cx.settings.endpoint),
    }
}

/// A link to the API that needs no signature.
fn link(cx: &Cx, parameters: &[(&str, &str)]) -> String {
    // ARNs and tokens hold nothing that a URL's query would have to escape.
    let all: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}/?Version={API_VERSION}&{}", cx.settings.endpoint, all.join("&"))
}

fn add(tx: &mut Tx, mut wish: Wish, subscription: &str, not_before: Time) -> Result<(), Error> {
    let attributes: usize = wish.attributes.iter().map(|(name, a)| name.len() + a.data_type.len() + a.value.len()).sum();
    let bytes = (wish.message.len() + attributes) as u64 + OVERHEAD_BYTES;
    let waiting = tx.get::<Backlog>(&0).map_or(0, |b| b.bytes);
    if tx.count::<Delivery>() >= DELIVERIES_MAX || waiting + bytes > DELIVERY_BYTES_MAX {
        return Err(Error::Throttling);
    }
    tx.put(Backlog { bytes: waiting + bytes });
    wish.id = format!("{:016}", tx.next_sequence());
    tx.put(Delivery { wish, subscription: subscription.into(), sent: None, not_before, bytes });
    Ok(())
}

/// Forgets a delivery; its reconciler takes back the wish.
fn remove(tx: &mut Tx, id: &str) {
    let Some(delivery) = tx.remove::<Delivery>(&id.to_string()) else { return };
    let waiting = tx.get::<Backlog>(&0).map_or(0, |b| b.bytes);
    tx.put(Backlog { bytes: waiting.saturating_sub(delivery.bytes) });
}

/// Drops what is on its way to a subscription.
pub(crate) fn drop_all(tx: &mut Tx, subscription: &str) {
    let ids: Vec<String> = tx.rows_where::<Delivery>("subscription", subscription).map(|d| d.wish.id.clone()).collect();
    ids.iter().for_each(|id| remove(tx, id));
}

/// Sends what is due, and decides by the courier's answer: done, another attempt later, or given up.
pub(crate) fn reconcile(tx: &mut Tx, cx: &Cx, id: &str) -> Result<Option<Time>, Fault> {
    let slot = Slot::new(SlotKind::Delivery, id);
    let Some(delivery) = tx.find::<Delivery, str>(id).cloned() else {
        tx.want(slot, None);
        return Ok(None);
    };
    let Some(version) = delivery.sent else {
        if cx.now < delivery.not_before {
            return Ok(Some(delivery.not_before));
        }
        let version = tx.want(slot, Some(Want::Delivery(Box::new(delivery.wish))));
        tx.update::<Delivery>(&id.to_string(), |d| d.sent = Some(version));
        return Ok(None);
    };
    let answer = tx.get::<Wanted>(&slot).filter(|w| w.version == version).map(|w| (w.applied, w.refused.clone()));
    match answer {
        Some((true, _)) => delivered(tx, cx, &delivery),
        Some((false, None)) => return Ok(None),
        Some((false, Some(reason))) => failed(tx, cx, delivery, &reason),
        // The wish is nowhere: make it anew.
        None => {
            tx.update::<Delivery>(&id.to_string(), |d| d.sent = None);
        }
    }
    if tx.find::<Delivery, str>(id).is_none_or(|d| d.sent.is_none()) {
        tx.want(slot, None);
    }
    Ok(None)
}

/// After an attempt that the receiver has taken.
fn delivered(tx: &mut Tx, cx: &Cx, delivery: &Delivery) {
    remove(tx, &delivery.wish.id);
    tell(tx, cx, &delivery.wish, Count::Delivered);
}

/// Only messages of topics are counted, not the region's own questions.
fn tell(tx: &mut Tx, cx: &Cx, wish: &Wish, count: Count) {
    if wish.kind == MessageKind::Notification {
        counts::tell(tx, cx, &wish.topic_arn, count);
    }
}

/// After an attempt that failed: another one when the policy has one left.
fn failed(tx: &mut Tx, cx: &Cx, delivery: Delivery, reason: &str) {
    let (reason, for_good) = Wish::read_refusal(reason);
    let retry = retry_policy(tx, &delivery).delay(delivery.wish.attempt).filter(|_| !for_good);
    if retry.is_none() || matches!(delivery.wish.destination, Destination::Http { .. }) {
        tell(tx, cx, &delivery.wish, Count::Failed);
    }
    if let Some(pause) = retry {
        tx.update::<Delivery>(&delivery.wish.id, |d| {
            d.wish.attempt += 1;
            d.sent = None;
            d.not_before = cx.now + pause;
        });
        return;
    }
    tracing::warn!(
        subscription = delivery.subscription,
        message_id = delivery.wish.message_id,
        attempts = delivery.wish.attempt,
        reason,
        "a notification could not be delivered and is given up"
    );
    remove(tx, &delivery.wish.id);
    let oldest = tx.rows::<Lost>().next().map(|l| l.id.clone());
    if let Some(oldest) = oldest.filter(|_| tx.count::<Lost>() >= LOST_MAX) {
        tx.remove::<Lost>(&oldest);
    }
    tx.put(Lost {
        id: delivery.wish.id,
        message_id: delivery.wish.message_id,
        subscription: delivery.subscription,
        attempts: delivery.wish.attempt,
        at: cx.now,
        reason: reason.into(),
    });
}

fn retry_policy(tx: &Tx, delivery: &Delivery) -> RetryPolicy {
    if matches!(delivery.wish.destination, Destination::Email { .. }) {
        return RetryPolicy::email();
    }
    let topic = tx.find::<Topic, str>(&delivery.wish.topic_arn);
    let subscription = tx.find::<Subscription, str>(&delivery.subscription);
    let policy = topic.zip(subscription).map(|(topic, subscription)| subscription.delivery_policy(topic));
    policy.and_then(|p| p.retry).unwrap_or_default()
}
