//! Topics and their permissions.

use base::Fault;
use kernel::{Cx, Tx, page};
use shapes::sns as s;

use super::{PAGE_ITEMS, bad_token};
use crate::error::Error;
use crate::tags;
use crate::topic::{self, Topic};

pub(crate) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateTopicInput) -> Result<s::CreateTopicResponse, Fault> {
    if input.data_protection_policy.is_some_and(|p| !p.is_empty()) {
        return Err(Error::parameter("DataProtectionPolicy Reason: it is not available in this region").into());
    }
    let arn = topic::create(tx, cx, &input.name, input.attributes, tags::from_user(input.tags)?)?;
    Ok(s::CreateTopicResponse { topic_arn: Some(arn) })
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteTopicInput) -> Result<(), Fault> {
    Ok(topic::delete(tx, &input.topic_arn)?)
}

pub(crate) fn attributes(
    tx: &mut Tx,
    cx: &Cx,
    input: s::GetTopicAttributesInput,
) -> Result<s::GetTopicAttributesResponse, Fault> {
    let attributes = topic::shown(tx, cx, topic::find(tx, &input.topic_arn)?);
    Ok(s::GetTopicAttributesResponse { attributes })
}

pub(crate) fn set_attributes(tx: &mut Tx, _: &Cx, input: s::SetTopicAttributesInput) -> Result<(), Fault> {
    let value = input.attribute_value.unwrap_or_default();
    Ok(topic::set_attribute(tx, &input.topic_arn, &input.attribute_name, &value)?)
}

pub(crate) fn list(tx: &mut Tx, _: &Cx, input: s::ListTopicsInput) -> Result<s::ListTopicsResponse, Fault> {
    let page = page(tx.rows::<Topic>(), |t| t.arn.clone(), input.next_token.as_deref(), PAGE_ITEMS, bad_token)?;
    let topics = page.items.into_iter().map(|t| s::Topic { topic_arn: Some(t.arn.clone()) }).collect();
    Ok(s::ListTopicsResponse { topics, next_token: page.next_token })
}

pub(crate) fn add_permission(tx: &mut Tx, cx: &Cx, input: s::AddPermissionInput) -> Result<(), Fault> {
    Ok(topic::add_permission(tx, cx, &input.topic_arn, &input.label, &input.aws_account_id, &input.action_name)?)
}

pub(crate) fn remove_permission(tx: &mut Tx, cx: &Cx, input: s::RemovePermissionInput) -> Result<(), Fault> {
    Ok(topic::remove_permission(tx, cx, &input.topic_arn, &input.label)?)
}
