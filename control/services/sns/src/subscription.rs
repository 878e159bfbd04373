//! Subscriptions: their rows, attributes and life from the question to confirm them to their end.

use base::{Fault, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::delivery;
use crate::error::Error;
use crate::filter::{Policy, Scope};
use crate::policy::DeliveryPolicy;
use crate::topic::{self, Topic, Unknown};
use crate::{arn, endpoint};

/// Most subscriptions of this region.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Most filter policies of a topic ("Amazon SNS endpoints and quotas").
pub const FILTERS_MAX: usize = 200;
/// How long a confirmation's token is good ("Subscribe": two days); a question that nobody answered ends with it.
const TOKEN_LIFE: Duration = Duration::from_secs(2 * 24 * 3_600);
const TOKEN_DIGITS: usize = 128;
/// What AWS shows for the ARN of a subscription that is not confirmed.
const PENDING: &str = "PendingConfirmation";
/// And of one that its endpoint has ended, as long as it can have it again.
const DELETED: &str = "Deleted";

/// How a subscriber gets its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Http,
    Https,
    Email,
    EmailJson,
}

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Email => "email",
            Protocol::EmailJson => "email-json",
        }
    }

    pub fn is_http(self) -> bool {
        matches!(self, Protocol::Http | Protocol::Https)
    }

    /// "Subscribe", SNS API Reference: the protocols.
    fn parse(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "http" => Protocol::Http,
            "https" => Protocol::Https,
            "email" => Protocol::Email,
            "email-json" => Protocol::EmailJson,
            "sqs" | "lambda" | "sms" | "application" | "firehose" => {
                return Err(Error::Parameter(format!("Protocol Reason: {text} subscriptions are not available in this region")));
            }
            _ => return Err(Error::Parameter(format!("Amazon SNS does not support this protocol string: {text}"))),
        })
    }
}

/// How a subscription was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirmed {
    /// By whoever had the token.
    ByToken,
    /// By a signed request.
    Signed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub arn: String,
    pub topic_arn: String,
    pub protocol: Protocol,
    pub endpoint: String,
    /// Under AWS's names, checked when they are set.
    pub attributes: BTreeMap<String, String>,
    pub token: String,
    /// When the last question to confirm was asked.
    pub asked_at: Time,
    /// None until the endpoint's owner has said yes.
    pub confirmed: Option<Confirmed>,
    /// Only a signed request may end it.
    pub authenticate_on_unsubscribe: bool,
    /// Its endpoint has ended it, and can still have it again by the token.
    #[serde(default)]
    pub ended: bool,
    /// With a throttle policy: when the next message may leave.
    #[serde(default)]
    pub next_at: Time,
}

impl Row for Subscription {
    const TABLE: &'static str = "sns.subscription";
    type Key = String;
    fn key(&self) -> String {
        self.arn.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("topic", &self.topic_arn);
        add("token", &self.token);
        add("endpoint", &format!("{}\n{}\n{}", self.topic_arn, self.protocol.as_str(), self.endpoint));
    }
}

impl Subscription {
    pub(crate) fn filter(&self) -> Option<Policy> {
        let text = self.attributes.get("FilterPolicy")?;
        Policy::parse(text, self.scope()).ok()
    }

    pub(crate) fn scope(&self) -> Scope {
        match self.attributes.get("FilterPolicyScope").map(String::as_str) {
            Some("MessageBody") => Scope::MessageBody,
            _ => Scope::MessageAttributes,
        }
    }

    pub(crate) fn is_raw(&self) -> bool {
        self.attributes.get("RawMessageDelivery").is_some_and(|v| v == "true")
    }

    /// What holds for its deliveries: its own policy, and where that says nothing, the topic's.
    pub(crate) fn delivery_policy(&self, topic: &Topic) -> DeliveryPolicy {
        let own = self.attributes.get("DeliveryPolicy").and_then(|text| DeliveryPolicy::of_subscription(text).ok());
        own.unwrap_or_default().over(topic.delivery_policy())
    }

    /// The endpoint as listings show it, without the password of a URL.
    pub fn shown_endpoint(&self) -> String {
        let (scheme, rest) = self.endpoint.split_once("://").filter(|_| self.protocol.is_http()).unwrap_or(("", ""));
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
            Some((user, host)) => format!("{scheme}://{user}:****@{host}{}", &rest[authority.len()..]),
            None => self.endpoint.clone(),
        }
    }

    /// The ARN as listings show it.
    pub(crate) fn shown_arn(&self) -> &str {
        match self.confirmed {
            Some(_) => &self.arn,
            None if self.ended => DELETED,
            None => PENDING,
        }
    }

    /// When it ends by itself because nobody has confirmed it.
    pub(crate) fn lapses_at(&self) -> Time {
        self.asked_at + TOKEN_LIFE
    }
}

/// The subscription of an ARN.
pub(crate) fn find<'a>(state: &'a State, subscription_arn: &str) -> Result<&'a Subscription, Error> {
    arn::check("SubscriptionArn", subscription_arn)?;
    state.find::<Subscription, str>(subscription_arn).filter(|s| !s.ended).ok_or(Error::SubscriptionNotFound)
}

/// Subscribes an endpoint and asks it to confirm; the same endpoint again is asked again, or finds what it has.
pub(crate) fn subscribe(
    tx: &mut Tx,
    cx: &Cx,
    topic_arn: &str,
    protocol: &str,
    endpoint: &str,
    attributes: BTreeMap<String, String>,
) -> Result<Subscription, Error> {
    let topic_arn = topic::find(tx, topic_arn)?.arn.clone();
    let protocol = Protocol::parse(protocol)?;
    endpoint::check(protocol, endpoint, &cx.settings.endpoint_networks)?;
    let attributes = checked_attributes(protocol, attributes)?;
    let same = format!("{topic_arn}\n{}\n{endpoint}", protocol.as_str());
    let mut known = tx.rows_where::<Subscription>("endpoint", &same).next().cloned();
    if let Some(ended) = known.take_if(|s| s.ended) {
        remove(tx, &ended.arn);
    }
    if let Some(mut known) = known {
        if !attributes.is_empty() && attributes != known.attributes {
            return Err(Error::parameter("Attributes Reason: Subscription already exists with different attributes"));
        }
        if known.confirmed.is_none() {
            known.asked_at = cx.now;
            tx.put(known.clone());
            delivery::ask(tx, cx, &known)?;
        }
        return Ok(known);
    }
    check_room(tx, &topic_arn, attributes.contains_key("FilterPolicy"))?;
    let subscription = Subscription {
        // Whoever knows it may end the subscription by an unsigned link.
        arn: format!("{topic_arn}:{}", cx.secret_uuid().map_err(|_| Error::Internal)?),
        topic_arn,
        protocol,
        endpoint: endpoint.into(),
        attributes,
        token: cx.secret_hex(TOKEN_DIGITS).map_err(|_| Error::Internal)?,
        asked_at: cx.now,
        confirmed: None,
        authenticate_on_unsubscribe: false,
        ended: false,
        next_at: Time::ZERO,
    };
    tx.put(subscription.clone());
    delivery::ask(tx, cx, &subscription)?;
    Ok(subscription)
}

fn check_room(state: &State, topic_arn: &str, filters: bool) -> Result<(), Error> {
    if state.count::<Subscription>() >= SUBSCRIPTIONS_MAX {
        return Err(Error::TooManySubscriptions);
    }
    let has_filter = |s: &&Subscription| s.attributes.contains_key("FilterPolicy");
    if filters && state.rows_where::<Subscription>("topic", topic_arn).filter(has_filter).count() >= FILTERS_MAX {
        return Err(Error::TooManyFilters);
    }
    Ok(())
}

/// Confirms the subscription that a token was sent for; doing so again finds it confirmed ("ConfirmSubscription").
pub(crate) fn confirm(
    tx: &mut Tx,
    cx: &Cx,
    topic_arn: &str,
    token: &str,
    authenticate_on_unsubscribe: bool,
) -> Result<String, Error> {
    topic::find(tx, topic_arn)?;
    let found = tx.rows_where::<Subscription>("token", token).find(|s| s.topic_arn == topic_arn);
    let mut subscription = found.cloned().ok_or_else(|| Error::parameter("Token"))?;
    if subscription.confirmed.is_none() {
        if cx.now >= subscription.lapses_at() {
            return Err(Error::parameter("Token Reason: the token has expired"));
        }
        let is_signed = !cx.caller.is_anonymous();
        subscription.ended = false;
        subscription.confirmed = Some(if is_signed { Confirmed::Signed } else { Confirmed::ByToken });
        // Whoever has only a token cannot keep others from unsubscribing.
        subscription.authenticate_on_unsubscribe = authenticate_on_unsubscribe && is_signed;
        tx.put(subscription.clone());
    }
    Ok(subscription.arn)
}

/// Ends a subscription; one that does not exist has ended. Who follows the link in a message needs no signature, unless the
/// subscription was confirmed so, and the endpoint is told ("Unsubscribe").
pub(crate) fn unsubscribe(tx: &mut Tx, cx: &Cx, subscription_arn: &str) -> Result<(), Error> {
    let subscription = match find(tx, subscription_arn) {
        Ok(subscription) => subscription.clone(),
        Err(Error::SubscriptionNotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    if cx.caller.is_anonymous() && subscription.authenticate_on_unsubscribe {
        return Err(Error::Unauthorized("This subscription can be ended by a signed request only".into()));
    }
    if !cx.caller.is_anonymous() || subscription.confirmed.is_none() || !subscription.protocol.is_http() {
        remove(tx, &subscription.arn);
        return Ok(());
    }
    delivery::drop_all(tx, &subscription.arn);
    tx.update::<Topic>(&subscription.topic_arn, |t| t.deleted_subscriptions += 1);
    tx.update::<Subscription>(&subscription.arn, |s| (s.confirmed, s.ended, s.asked_at) = (None, true, cx.now));
    delivery::tell_end(tx, cx, &subscription)
}

/// Removes a subscription and the messages on their way to it.
pub(crate) fn remove(tx: &mut Tx, arn: &str) {
    let Some(subscription) = tx.remove::<Subscription>(&arn.to_string()) else { return };
    if !subscription.ended {
        tx.update::<Topic>(&subscription.topic_arn, |t| t.deleted_subscriptions += 1);
    }
    delivery::drop_all(tx, arn);
}

/// Ends a subscription that nobody has confirmed in time; watched for every subscription.
pub(crate) fn reconcile(tx: &mut Tx, cx: &Cx, arn: &str) -> Result<Option<Time>, Fault> {
    let Some(subscription) = tx.find::<Subscription, str>(arn).filter(|s| s.confirmed.is_none()) else { return Ok(None) };
    let lapses_at = subscription.lapses_at();
    if cx.now < lapses_at {
        return Ok(Some(lapses_at));
    }
    remove(tx, arn);
    Ok(None)
}

pub(crate) fn set_attribute(tx: &mut Tx, subscription_arn: &str, name: &str, value: &str) -> Result<(), Error> {
    let subscription = find(tx, subscription_arn)?;
    let mut attributes = subscription.attributes.clone();
    match check_attribute(subscription.protocol, name, value, Unknown::AttributeName)? {
        Some(value) => attributes.insert(name.into(), value),
        None => attributes.remove(name),
    };
    check_filter(&attributes)?;
    replace_attributes(tx, subscription_arn, attributes)
}

/// Gives a subscription other attributes, all of them and checked.
pub(crate) fn replace_attributes(tx: &mut Tx, subscription_arn: &str, attributes: BTreeMap<String, String>) -> Result<(), Error> {
    let subscription = find(tx, subscription_arn)?;
    if attributes.contains_key("FilterPolicy") && !subscription.attributes.contains_key("FilterPolicy") {
        check_room_for_filter(tx, &subscription.topic_arn)?;
    }
    tx.update::<Subscription>(&subscription_arn.to_string(), |s| s.attributes = attributes);
    Ok(())
}

fn check_room_for_filter(state: &State, topic_arn: &str) -> Result<(), Error> {
    let filters = state.rows_where::<Subscription>("topic", topic_arn).filter(|s| s.attributes.contains_key("FilterPolicy"));
    if filters.count() >= FILTERS_MAX { Err(Error::TooManyFilters) } else { Ok(()) }
}

pub(crate) fn checked_attributes(
    protocol: Protocol,
    attributes: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut checked = BTreeMap::new();
    for (name, value) in attributes {
        if let Some(value) = check_attribute(protocol, &name, &value, Unknown::Attributes)? {
            checked.insert(name, value);
        }
    }
    check_filter(&checked)?;
    Ok(checked)
}

/// A filter policy and its scope must fit each other.
fn check_filter(attributes: &BTreeMap<String, String>) -> Result<(), Error> {
    let scope = match attributes.get("FilterPolicyScope").map(String::as_str) {
        Some("MessageBody") => Scope::MessageBody,
        _ => Scope::MessageAttributes,
    };
    attributes.get("FilterPolicy").map_or(Ok(()), |text| Policy::parse(text, scope).map(|_| ()))
}

/// Checks an attribute by itself ("SetSubscriptionAttributes"); none stands for its default.
fn check_attribute(protocol: Protocol, name: &str, value: &str, unknown: Unknown) -> Result<Option<String>, Error> {
    let refused = |reason: &str| Err(Error::Parameter(format!("Attributes Reason: {name}: {reason}")));
    if value.is_empty() || (name == "FilterPolicy" && value.trim() == "{}") {
        let known =
            ["FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "DeliveryPolicy", "RedrivePolicy", "ReplayPolicy"];
        return if known.contains(&name) { Ok(None) } else { Err(unknown.error(name)) };
    }
    match name {
        "FilterPolicy" => {}
        "FilterPolicyScope" if ["MessageAttributes", "MessageBody"].contains(&value) => {}
        "FilterPolicyScope" => {
            return Err(Error::Parameter(format!(
                "FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
            )));
        }
        "RawMessageDelivery" => match value.to_ascii_lowercase().as_str() {
            "true" if protocol.is_http() => return Ok(Some("true".into())),
            "true" => {
                return Err(Error::Parameter(format!(
                    "Attributes Reason: Delivery protocol [{}] does not support raw message delivery.",
                    protocol.as_str()
                )));
            }
            "false" => return Ok(Some("false".into())),
            _ => return refused("Invalid value. Must be true or false."),
        },
        "DeliveryPolicy" => {
            if !protocol.is_http() {
                return refused("delivery policies are for http and https");
            }
            DeliveryPolicy::of_subscription(value)?;
        }
        "RedrivePolicy" => return refused("dead-letter queues are not available in this region: it has no SQS"),
        "ReplayPolicy" | "SubscriptionRoleArn" => return refused("it is not available in this region"),
        _ => return Err(unknown.error(name)),
    }
    Ok(Some(value.into()))
}

/// All attributes as `GetSubscriptionAttributes` shows them.
pub(crate) fn shown(state: &State, cx: &Cx, subscription: &Subscription) -> BTreeMap<String, String> {
    let mut all = subscription.attributes.clone();
    let mut set = |name: &str, value: String| all.insert(name.into(), value);
    set("SubscriptionArn", subscription.arn.clone());
    set("TopicArn", subscription.topic_arn.clone());
    set("Owner", cx.scope.account.clone());
    set("Protocol", subscription.protocol.as_str().into());
    set("Endpoint", subscription.shown_endpoint());
    set("SubscriptionPrincipal", cx.scope.global_arn("iam", "root"));
    set("PendingConfirmation", subscription.confirmed.is_none().to_string());
    set("ConfirmationWasAuthenticated", (subscription.confirmed == Some(Confirmed::Signed)).to_string());
    set("RawMessageDelivery", subscription.is_raw().to_string());
    if subscription.attributes.contains_key("FilterPolicy") {
        let scope = subscription.attributes.get("FilterPolicyScope").map_or("MessageAttributes", String::as_str);
        set("FilterPolicyScope", scope.into());
    }
    if let Some(topic) = state.find::<Topic, str>(&subscription.topic_arn).filter(|_| subscription.protocol.is_http()) {
        set("EffectiveDeliveryPolicy", subscription.delivery_policy(topic).effective_of_subscription().to_string());
    }
    all
}
