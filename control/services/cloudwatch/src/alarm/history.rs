//! What happened to alarms ("DescribeAlarmHistory"): kept for 30 days, bounded for each alarm and over all.

use std::fmt::Write;
use std::time::Duration;

use base::Time;
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::row::{Alarm, StateChange};
use super::view;

/// "CloudWatch preserves alarm history for 30 days".
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Most items kept of one alarm; the oldest make room.
pub const HISTORY_OF_ALARM_MAX: usize = 200;
/// Most items kept of all alarms.
pub const HISTORY_MAX: usize = 50_000;
/// The data of a change of state, beside the two states' texts: no longer than this, unless those have much to escape.
const FRAME_BYTES: usize = 192;
/// Most items taken off for one that is added.
const DROPPED_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ItemType {
    ConfigurationUpdate,
    StateUpdate,
    Action,
}

impl ItemType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ConfigurationUpdate => "ConfigurationUpdate",
            Self::StateUpdate => "StateUpdate",
            Self::Action => "Action",
        }
    }
}

/// One item. Its number is in order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub no: u64,
    pub alarm: String,
    pub composite: bool,
    pub at: Time,
    pub kind: ItemType,
    pub summary: String,
    /// JSON.
    pub data: String,
}

impl Row for Item {
    const TABLE: &'static str = "cloudwatch.alarm-history";
    type Key = u64;

    fn key(&self) -> u64 {
        self.no
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("alarm", &self.alarm);
    }
}

/// Whether an item is still kept.
pub(super) fn is_kept(item: &Item, now: Time) -> bool {
    item.at >= now - KEPT
}

fn add(tx: &mut Tx, cx: &Cx, alarm: &Alarm, kind: ItemType, summary: String, data: String) {
    let no = tx.next_sequence();
    let (name, composite) = (alarm.name.clone(), alarm.is_composite());
    tx.put(Item { no, alarm: name, composite, at: cx.now, kind, summary, data });
    for no in surplus(tx, cx.now, &alarm.name) {
        tx.remove::<Item>(&no);
    }
}

fn surplus(state: &State, now: Time, alarm: &str) -> Vec<u64> {
    let of_alarm = state.count_where::<Item>("alarm", alarm).saturating_sub(HISTORY_OF_ALARM_MAX);
    let mut all: Vec<u64> = state.rows_where::<Item>("alarm", alarm).take(of_alarm.min(DROPPED_MAX)).map(|i| i.no).collect();
    let over = state.count::<Item>().saturating_sub(HISTORY_MAX);
    let old = state.rows::<Item>().take(DROPPED_MAX).enumerate();
    all.extend(old.filter(|(n, item)| *n < over || !is_kept(item, now)).map(|(_, item)| item.no));
    all
}

pub(super) fn created(tx: &mut Tx, cx: &Cx, alarm: &Alarm) {
    let data = json!({ "type": "Create", "version": "1.0", "createdAlarm": view::configuration(alarm) });
    add(tx, cx, alarm, ItemType::ConfigurationUpdate, format!("Alarm \"{}\" created", alarm.name), data.to_string());
}

pub(super) fn updated(tx: &mut Tx, cx: &Cx, old: &Alarm, alarm: &Alarm) {
    let (before, after) = (view::configuration(old), view::configuration(alarm));
    let mut original = serde_json::Map::new();
    for (name, value) in before.as_object().into_iter().flatten() {
        if after.get(name) != Some(value) {
            original.insert(name.clone(), value.clone());
        }
    }
    let data = json!({ "type": "Update", "version": "1.0", "updatedAlarm": after, "originalUpdatedFields": original });
    add(tx, cx, alarm, ItemType::ConfigurationUpdate, format!("Alarm \"{}\" updated", alarm.name), data.to_string());
}

pub(super) fn deleted(tx: &mut Tx, cx: &Cx, alarm: &Alarm) {
    let data = json!({ "type": "Delete", "version": "1.0", "deletedAlarm": view::configuration(alarm) });
    add(tx, cx, alarm, ItemType::ConfigurationUpdate, format!("Alarm \"{}\" deleted", alarm.name), data.to_string());
}

/// `alarm` has the new state already.
pub(super) fn changed(tx: &mut Tx, cx: &Cx, alarm: &Alarm, old: &StateChange) {
    let texts: usize = [old, &alarm.state].iter().map(|s| s.reason.len() + s.reason_data.len()).sum();
    let mut data = String::with_capacity(texts + FRAME_BYTES);
    data.push_str(r#"{"version":"1.0","oldState":"#);
    put_state(&mut data, old);
    data.push_str(r#","newState":"#);
    put_state(&mut data, &alarm.state);
    data.push('}');
    let summary = format!("Alarm updated from {} to {}", old.state.as_str(), alarm.state.state.as_str());
    add(tx, cx, alarm, ItemType::StateUpdate, summary, data);
}

/// A state as JSON. Its `reason_data` is JSON already: it is put in as it is, for thousands of alarms can change at once.
fn put_state(data: &mut String, change: &StateChange) {
    data.push_str(r#"{"stateValue":""#);
    data.push_str(change.state.as_str());
    data.push_str(r#"","stateReason":"#);
    // A text as JSON; writing to a string does not fail.
    let _ = write!(data, "{}", Json::from(change.reason.as_str()));
    if !change.reason_data.is_empty() {
        data.push_str(r#","stateReasonData":"#);
        data.push_str(&change.reason_data);
    }
    data.push('}');
}

/// What came of an action.
pub(super) fn acted(tx: &mut Tx, cx: &Cx, alarm: &Alarm, action: &str, message: Option<&str>, error: Option<&str>) {
    let mut data = json!({
        "actionState": if error.is_some() { "Failed" } else { "Succeeded" },
        "stateUpdateTimestamp": alarm.state.at.unix_ms(),
        "notificationResource": action,
    });
    if let Some(message) = message {
        data["publishedMessage"] = message.into();
    }
    let summary = match error {
        None => format!("Successfully executed action {action}"),
        Some(error) => format!("Failed to execute action {action}. Received error: \"{error}\""),
    };
    if let Some(error) = error {
        data["error"] = error.into();
    }
    add(tx, cx, alarm, ItemType::Action, summary, data.to_string());
}
