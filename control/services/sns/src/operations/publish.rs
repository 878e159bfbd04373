//! `Publish` and `PublishBatch`.

use std::collections::{BTreeMap, BTreeSet};

use base::Fault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::{Cx, Tx};
use shapes::sns as s;
use world::MessageAttribute;

use crate::error::Error;
use crate::publish::{MESSAGE_BYTES_MAX, Published, deliver, size};
use crate::topic;

/// Most messages of one batch ("PublishBatch").
const ENTRIES_MAX: usize = 10;
const ENTRY_ID_CHARS_MAX: usize = 80;
const ATTRIBUTE_NAME_CHARS_MAX: usize = 256;

pub(crate) fn publish(tx: &mut Tx, cx: &Cx, input: s::PublishInput) -> Result<s::PublishResponse, Fault> {
    if input.phone_number.is_some() {
        return Err(Error::parameter("PhoneNumber Reason: SMS is not available in this region").into());
    }
    let arn = match (input.topic_arn, input.target_arn) {
        (Some(arn), None) | (None, Some(arn)) => arn,
        (None, None) => {
            return Err(Error::parameter("TopicArn or TargetArn Reason: no value for required parameter").into());
        }
        (Some(_), Some(_)) => {
            return Err(Error::parameter("Parameters 'TopicArn' and 'TargetArn' cannot be used together").into());
        }
    };
    topic::find(tx, &arn)?;
    refuse_order(input.message_group_id.as_deref(), input.message_deduplication_id.as_deref())?;
    let attributes = attributes(input.message_attributes)?;
    let published = Published::new(cx, input.message, input.subject, input.message_structure.as_deref(), attributes)?;
    deliver(tx, cx, &arn, &published)?;
    Ok(s::PublishResponse { message_id: Some(published.message_id), sequence_number: None })
}

/// Only topics that keep an order know message groups and deduplication.
fn refuse_order(group: Option<&str>, deduplication: Option<&str>) -> Result<(), Error> {
    let reason = "The request includes a parameter that is not valid for this topic type";
    match (group, deduplication) {
        (_, Some(_)) => Err(Error::Parameter(format!("MessageDeduplicationId Reason: {reason}"))),
        (Some(_), None) => Err(Error::Parameter(format!("MessageGroupId Reason: {reason}"))),
        (None, None) => Ok(()),
    }
}

/// Each entry by itself: some may be published and others not.
pub(crate) fn batch(tx: &mut Tx, cx: &Cx, input: s::PublishBatchInput) -> Result<s::PublishBatchResponse, Fault> {
    let entries = input.publish_batch_request_entries;
    topic::find(tx, &input.topic_arn)?;
    check_batch(&entries)?;
    let mut result = s::PublishBatchResponse::default();
    for entry in entries {
        let id = entry.id.clone();
        let outcome = tx.attempt(|tx| publish_entry(tx, cx, &input.topic_arn, entry));
        match outcome {
            Ok(message_id) => result.successful.push(s::PublishBatchResultEntry {
                id: Some(id),
                message_id: Some(message_id),
                sequence_number: None,
            }),
            Err(error) => {
                let fault = Fault::from(error);
                let (code, message) = (fault.code.into_owned(), Some(fault.message));
                result.failed.push(s::BatchResultErrorEntry { id, code, message, sender_fault: fault.http < 500 });
            }
        }
    }
    Ok(result)
}

fn check_batch(entries: &[s::PublishBatchRequestEntry]) -> Result<(), Error> {
    if entries.is_empty() {
        return Err(Error::EmptyBatch);
    }
    if entries.len() > ENTRIES_MAX {
        return Err(Error::TooManyEntries(entries.len()));
    }
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !entries.iter().all(|e| (1..=ENTRY_ID_CHARS_MAX).contains(&e.id.len()) && e.id.bytes().all(known)) {
        return Err(Error::BadEntryId);
    }
    let ids: BTreeSet<&str> = entries.iter().map(|e| e.id.as_str()).collect();
    if ids.len() < entries.len() {
        return Err(Error::IdsNotDistinct);
    }
    let total: usize = entries
        .iter()
        .map(|e| {
            let values = e.message_attributes.iter().map(|(name, a)| {
                let value = a.string_value.as_ref().map_or(0, String::len) + a.binary_value.as_ref().map_or(0, Vec::len);
                name.len() + a.data_type.len() + value
            });
            size(&e.message, &BTreeMap::new()) + values.sum::<usize>()
        })
        .sum();
    if total > MESSAGE_BYTES_MAX { Err(Error::BatchTooLong) } else { Ok(()) }
}

fn publish_entry(tx: &mut Tx, cx: &Cx, topic_arn: &str, entry: s::PublishBatchRequestEntry) -> Result<String, Error> {
    refuse_order(entry.message_group_id.as_deref(), entry.message_deduplication_id.as_deref())?;
    let attributes = attributes(entry.message_attributes)?;
    let published = Published::new(cx, entry.message, entry.subject, entry.message_structure.as_deref(), attributes)?;
    deliver(tx, cx, topic_arn, &published)?;
    Ok(published.message_id)
}

/// "Amazon SNS message attributes": names, types and values.
fn attributes(sent: BTreeMap<String, s::MessageAttributeValue>) -> Result<BTreeMap<String, MessageAttribute>, Error> {
    sent.into_iter().map(|(name, value)| attribute(&name, value).map(|value| (name, value))).collect()
}

fn attribute(name: &str, sent: s::MessageAttributeValue) -> Result<MessageAttribute, Error> {
    let bad = |reason: &str| Error::ParameterValue(format!("The message attribute '{name}' {reason}"));
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    if !(1..=ATTRIBUTE_NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(known) || dots {
        return Err(bad("has an invalid name: letters, digits, hyphens, underscores and single periods within it are allowed."));
    }
    let kind = sent.data_type.split('.').next().unwrap_or_default();
    let value = match kind {
        "String" | "Number" => sent.string_value,
        "Binary" => sent.binary_value.map(|bytes| STANDARD.encode(bytes)),
        _ => {
            return Err(bad(
                "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
            ));
        }
    };
    let value = value.filter(|v| !v.is_empty()).ok_or_else(|| {
        bad(&format!("must contain non-empty message attribute value for message attribute type '{}'.", sent.data_type))
    })?;
    if kind == "Number" && value.parse::<f64>().map_or(true, |n| !n.is_finite()) {
        return Err(bad(&format!("with type 'Number' must use a valid number, not '{value}'.")));
    }
    Ok(MessageAttribute { data_type: sent.data_type, value })
}
