//! Subscriptions: asked for, confirmed, ended, listed.

use base::Fault;
use kernel::{Cx, Tx, page};
use shapes::sns as s;

use super::{PAGE_ITEMS, bad_token};
use crate::error::Error;
use crate::subscription::{self, Subscription};
use crate::topic;

pub(crate) fn subscribe(tx: &mut Tx, cx: &Cx, input: s::SubscribeInput) -> Result<s::SubscribeResponse, Fault> {
    let endpoint = input.endpoint.filter(|e| !e.is_empty()).ok_or_else(|| Error::parameter("Endpoint"))?;
    let subscription = subscription::subscribe(tx, cx, &input.topic_arn, &input.protocol, &endpoint, input.attributes)?;
    // "ReturnSubscriptionArn": without it, the ARN of what is not confirmed is not told.
    let is_told = subscription.confirmed.is_some() || input.return_subscription_arn == Some(true);
    let arn = if is_told { subscription.arn } else { "pending confirmation".into() };
    Ok(s::SubscribeResponse { subscription_arn: Some(arn) })
}

pub(crate) fn confirm(tx: &mut Tx, cx: &Cx, input: s::ConfirmSubscriptionInput) -> Result<s::ConfirmSubscriptionResponse, Fault> {
    let authenticate = match input.authenticate_on_unsubscribe.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("true") => true,
        None | Some("" | "false") => false,
        Some(_) => return Err(Error::parameter("AuthenticateOnUnsubscribe").into()),
    };
    let arn = subscription::confirm(tx, cx, &input.topic_arn, &input.token, authenticate)?;
    Ok(s::ConfirmSubscriptionResponse { subscription_arn: Some(arn) })
}

pub(crate) fn unsubscribe(tx: &mut Tx, cx: &Cx, input: s::UnsubscribeInput) -> Result<(), Fault> {
    Ok(subscription::unsubscribe(tx, cx, &input.subscription_arn)?)
}

pub(crate) fn attributes(
    tx: &mut Tx,
    cx: &Cx,
    input: s::GetSubscriptionAttributesInput,
) -> Result<s::GetSubscriptionAttributesResponse, Fault> {
    let attributes = subscription::shown(tx, cx, subscription::find(tx, &input.subscription_arn)?);
    Ok(s::GetSubscriptionAttributesResponse { attributes })
}

pub(crate) fn set_attributes(tx: &mut Tx, _: &Cx, input: s::SetSubscriptionAttributesInput) -> Result<(), Fault> {
    let value = input.attribute_value.unwrap_or_default();
    Ok(subscription::set_attribute(tx, &input.subscription_arn, &input.attribute_name, &value)?)
}

pub(crate) fn list(tx: &mut Tx, cx: &Cx, input: s::ListSubscriptionsInput) -> Result<s::ListSubscriptionsResponse, Fault> {
    let page = page(tx.rows::<Subscription>(), |s| s.arn.clone(), input.next_token.as_deref(), PAGE_ITEMS, bad_token)?;
    let subscriptions = page.items.into_iter().map(|s| shown(cx, s)).collect();
    Ok(s::ListSubscriptionsResponse { subscriptions, next_token: page.next_token })
}

pub(crate) fn list_by_topic(
    tx: &mut Tx,
    cx: &Cx,
    input: s::ListSubscriptionsByTopicInput,
) -> Result<s::ListSubscriptionsByTopicResponse, Fault> {
    topic::find(tx, &input.topic_arn)?;
    let of_topic = tx.rows_where::<Subscription>("topic", &input.topic_arn);
    let page = page(of_topic, |s| s.arn.clone(), input.next_token.as_deref(), PAGE_ITEMS, bad_token)?;
    let subscriptions = page.items.into_iter().map(|s| shown(cx, s)).collect();
    Ok(s::ListSubscriptionsByTopicResponse { subscriptions, next_token: page.next_token })
}

fn shown(cx: &Cx, subscription: &Subscription) -> s::Subscription {
    s::Subscription {
        subscription_arn: Some(subscription.shown_arn().into()),
        owner: Some(cx.scope.account.clone()),
        protocol: Some(subscription.protocol.as_str().into()),
        endpoint: Some(subscription.shown_endpoint()),
        topic_arn: Some(subscription.topic_arn.clone()),
    }
}
