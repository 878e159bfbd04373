use std::time::Duration;

use base::{StackId, Time};
use kernel::{Cx, Row, StackResource, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::state::{Member, Stack};

/// Most events kept of one stack; older ones are forgotten. A stack of 500 resources makes 1,500 when it is created.
const EVENTS_MAX: usize = 5_000;

/// Something that happened to a stack or one of its resources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub stack: StackId,
    pub stack_name: String,
    /// Orders the events of a region.
    pub sequence: u64,
    pub id: String,
    pub at: Time,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub type_name: String,
    pub status: String,
    pub reason: Option<String>,
    #[serde(default)]
    pub properties: Option<String>,
    #[serde(default)]
    pub client_token: Option<String>,
}

impl Row for Event {
    const TABLE: &'static str = "cloudformation.event";
    type Key = String;
    fn key(&self) -> String {
        format!("{}|{:020}", self.stack, self.sequence)
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("stack", &self.stack);
    }
}

/// Notes the stack's present status.
pub fn of_stack(tx: &mut Tx, cx: &Cx, stack: &Stack) {
    let event = Event {
        stack: stack.id.clone(),
        stack_name: stack.name.clone(),
        sequence: 0,
        id: String::new(),
        at: cx.now,
        logical_id: stack.name.clone(),
        physical_id: Some(stack.id.to_string()),
        type_name: "AWS::CloudFormation::Stack".into(),
        status: stack.status.name().into(),
        reason: stack.reason.clone(),
        properties: None,
        client_token: stack.client_token.clone(),
    };
    add(tx, cx, event);
}

/// Notes a resource's present status.
pub fn of_member(tx: &mut Tx, cx: &Cx, stack: &Stack, member: &Member) {
    let event = Event {
        stack: stack.id.clone(),
        stack_name: stack.name.clone(),
        sequence: 0,
        id: String::new(),
        at: cx.now,
        logical_id: member.logical_id.clone(),
        physical_id: member.physical.as_ref().map(|p| p.id.clone()),
        type_name: member.type_name.clone(),
        status: member.status.name().into(),
        reason: member.reason.clone(),
        properties: member.physical.as_ref().map(|p| told(tx, &member.type_name, &p.properties)),
        client_token: stack.client_token.clone(),
    };
    add(tx, cx, event);
}

/// A resource's properties as events tell them, with asterisks for what its type calls secret.
fn told(tx: &Tx, type_name: &str, properties: &Json) -> String {
    let secrets = tx.registry().stack_resource(type_name).map_or(&[][..], StackResource::secrets);
    let mut properties = properties.clone();
    for name in secrets {
        if let Some(secret) = properties.get_mut(name) {
            *secret = "****".into();
        }
    }
    properties.to_string()
}

/// A stack's events have times of their own, a millisecond apart where they come at once: clients sort by them, and CDK
/// would tell the completion of a resource before its beginning.
fn add(tx: &mut Tx, cx: &Cx, mut event: Event) {
    let newest = newest_first(tx, &event.stack).next();
    event.at = newest.map_or(cx.now, |newest| cx.now.max(newest.at + Duration::from_millis(1)));
    event.sequence = tx.next_sequence();
    event.id = cx.rng().uuid();
    if tx.count_where::<Event>("stack", &event.stack) >= EVENTS_MAX {
        let oldest = tx.rows_where::<Event>("stack", &event.stack).next().map(Row::key);
        oldest.iter().for_each(|oldest| drop(tx.remove::<Event>(oldest)));
    }
    tx.put(event);
}

/// Forgets a stack's events.
pub fn forget(tx: &mut Tx, stack: &StackId) {
    let keys: Vec<String> = tx.rows_where::<Event>("stack", stack).map(Row::key).collect();
    for key in keys {
        tx.remove::<Event>(&key);
    }
}

/// A stack's events, newest first.
pub fn newest_first<'a>(state: &'a State, stack: &StackId) -> impl Iterator<Item = &'a Event> {
    state.rows_where::<Event>("stack", stack).rev()
}
