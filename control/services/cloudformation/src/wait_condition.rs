//! `AWS::CloudFormation::WaitCondition` and its handle: a stack waits until something outside says that it is done, by
//! a PUT to the handle's address. Source: "Create wait conditions in a CloudFormation template", CloudFormation User Guide.

use std::time::Duration;

use base::{Fault, Time};
use kernel::{Cx, Progress, Registry, ResourceRequest, Row, StackResource, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::state::{Member, MemberStatus};

/// Most signals kept of one handle: as many as a condition may count.
const SIGNALS_MAX: usize = 10_000;
/// Longest signal, in bytes.
const SIGNAL_BYTES_MAX: usize = 4_096;
const TIMER: &str = "cloudformation.wait-condition";

/// A condition that waits. Its physical id is its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitCondition {
    pub id: String,
    /// Key of the handle, the last part of its address.
    pub handle: String,
    pub count: usize,
    pub deadline: Time,
    /// The deadline came first.
    pub expired: bool,
}

impl Row for WaitCondition {
    const TABLE: &'static str = "cloudformation.wait-condition";
    type Key = String;
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A signal that came to a handle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    pub handle: String,
    pub unique_id: String,
    pub success: bool,
    pub reason: String,
    pub data: String,
}

impl Row for Signal {
    const TABLE: &'static str = "cloudformation.signal";
    type Key = String;
    fn key(&self) -> String {
        format!("{}/{}", self.handle, self.unique_id)
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("handle", &self.handle);
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(Handle);
    registry.resource(Condition);
    registry.reconciler(TIMER, expire);
    registry.watch::<WaitCondition>(TIMER, |_, condition, due| due.push(condition.id.clone()));
}

fn expire(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let key = key.to_string();
    let Some(condition) = tx.get::<WaitCondition>(&key).filter(|c| !c.expired).cloned() else { return Ok(None) };
    if cx.now < condition.deadline {
        return Ok(Some(condition.deadline));
    }
    tx.put(WaitCondition { expired: true, ..condition });
    Ok(None)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignalBody {
    status: String,
    unique_id: String,
    #[serde(default)]
    data: Json,
    #[serde(default)]
    reason: Json,
}

/// Takes in a signal that was PUT to a handle's address. `handle` is the last part of the address.
pub fn signal_wait_condition(tx: &mut Tx, _: &Cx, handle: &str, body: &[u8]) -> Result<(), Fault> {
    // A stack that has ended still shows what it had.
    let known = tx.rows_where::<Member>("wait-handle", handle).any(|m| m.status != MemberStatus::DeleteComplete);
    if !known || handle.is_empty() {
        return Err(Fault::new(404, "NotFound", "There is no such wait condition handle"));
    }
    if body.len() > SIGNAL_BYTES_MAX {
        return Err(Fault::new(413, "RequestEntityTooLarge", format!("A signal has at most {SIGNAL_BYTES_MAX} bytes")));
    }
    let malformed =
        |e: String| Fault::client("MalformedSignal", format!("A signal is JSON with Status, UniqueId, Data and Reason: {e}"));
    let signal: SignalBody = serde_json::from_slice(body).map_err(|e| malformed(e.to_string()))?;
    let success = match signal.status.as_str() {
        "SUCCESS" => true,
        "FAILURE" => false,
        other => return Err(malformed(format!("Status is SUCCESS or FAILURE, not {other}"))),
    };
    add(tx, handle, &signal.unique_id, success, text(&signal.reason), text(&signal.data))
}

fn text(json: &Json) -> String {
    json.as_str().map_or_else(|| if json.is_null() { String::new() } else { json.to_string() }, str::to_string)
}

fn add(tx: &mut Tx, handle: &str, unique_id: &str, success: bool, reason: String, data: String) -> Result<(), Fault> {
    if tx.count_where::<Signal>("handle", handle) >= SIGNALS_MAX {
        return Err(Error::LimitExceeded(format!("A wait condition takes at most {SIGNALS_MAX} signals")).into());
    }
    let signal = Signal { handle: handle.into(), unique_id: unique_id.into(), success, reason, data };
    // A repeated id is the same signal.
    if tx.get::<Signal>(&signal.key()).is_none() {
        tx.put(signal);
    }
    Ok(())
}

/// `SignalResource` for a wait condition under way; false when the member is none.
pub(crate) fn signal(tx: &mut Tx, member: &Member, unique_id: &str, success: bool) -> Result<bool, Fault> {
    let condition = member.physical.as_ref().and_then(|p| tx.get::<WaitCondition>(&p.id));
    let Some(condition) = condition.filter(|_| member.status == MemberStatus::CreateInProgress) else { return Ok(false) };
    let handle = condition.handle.clone();
    add(tx, &handle, unique_id, success, String::new(), String::new())?;
    Ok(true)
}

/// How long a condition waits by its own word, and a moment for it to say that it has.
pub(crate) fn timeout(member: &Member) -> Duration {
    let physical = member.physical.as_ref().filter(|_| member.type_name == Condition.type_name());
    let seconds = physical.and_then(|p| p.properties.get("Timeout")?.as_u64()).unwrap_or_default();
    Duration::from_secs(seconds.saturating_add(1))
}

/// The key of a handle in its address.
fn key_of(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or_default()
}

struct Handle;

impl StackResource for Handle {
    fn type_name(&self) -> &'static str {
        "AWS::CloudFormation::WaitConditionHandle"
    }

    fn schema(&self) -> &'static str {
        include_str!("wait_condition_handle.schema")
    }

    fn create(&self, _: &mut Tx, cx: &Cx, _: &ResourceRequest) -> Result<String, Fault> {
        // Whoever knows the address may signal: it must not be guessed.
        Ok(format!("{}/_allod/wait/{}", cx.settings.endpoint, cx.secret_hex(48)?))
    }

    fn update(&self, _: &mut Tx, _: &Cx, _: &str, _: &Json, _: &ResourceRequest) -> Result<(), Fault> {
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let signals: Vec<String> = tx.rows_where::<Signal>("handle", key_of(physical_id)).map(Row::key).collect();
        for signal in signals {
            tx.remove::<Signal>(&signal);
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Error::Invalid(format!("a wait condition handle has no attribute {name}")).into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    handle: String,
    timeout: u64,
    count: Option<usize>,
}

struct Condition;

impl Condition {
    fn properties(request: &ResourceRequest) -> Result<Properties, Error> {
        serde_json::from_value(request.properties.clone())
            .map_err(|e| Error::Invalid(format!("Properties validation failed: {e}")))
    }
}

impl StackResource for Condition {
    fn type_name(&self) -> &'static str {
        "AWS::CloudFormation::WaitCondition"
    }

    fn schema(&self) -> &'static str {
        include_str!("wait_condition.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = Self::properties(request)?;
        let id =
            cx.scope.arn("cloudformation", format!("stack/{}/{}/{}", request.stack_name, cx.rng().uuid(), request.logical_id));
        tx.put(WaitCondition {
            id: id.clone(),
            handle: key_of(&properties.handle).into(),
            count: properties.count.unwrap_or(1),
            deadline: cx.now + Duration::from_secs(properties.timeout),
            expired: false,
        });
        Ok(id)
    }

    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        let Some(condition) = state.get::<WaitCondition>(&physical_id.to_string()) else {
            return Progress::Failed("The wait condition is gone".into());
        };
        let signals = || state.rows_where::<Signal>("handle", &condition.handle);
        if let Some(failure) = signals().find(|s| !s.success) {
            return Progress::Failed(format!(
                "WaitCondition received failed message: '{}' for uniqueId: {}",
                failure.reason, failure.unique_id
            ));
        }
        let received = signals().count();
        if received >= condition.count {
            return Progress::Ready;
        }
        if condition.expired {
            let text = format!("WaitCondition timed out. Received {received} conditions when expecting {}", condition.count);
            return Progress::Failed(text);
        }
        Progress::Pending
    }

    fn update(&self, _: &mut Tx, _: &Cx, _: &str, _: &Json, _: &ResourceRequest) -> Result<(), Fault> {
        Err(Error::Unsupported("Update to resource type AWS::CloudFormation::WaitCondition is not supported.".into()).into())
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        tx.remove::<WaitCondition>(&physical_id.to_string());
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, _: &str) -> Result<Json, Fault> {
        let handle = state.get::<WaitCondition>(&physical_id.to_string()).map(|c| c.handle.clone()).unwrap_or_default();
        let data: serde_json::Map<String, Json> =
            state.rows_where::<Signal>("handle", &handle).map(|s| (s.unique_id.clone(), json!(s.data))).collect();
        Ok(Json::String(Json::Object(data).to_string()))
    }
}
