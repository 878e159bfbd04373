//! Signals to resources: a creation that waits until its instances say that they work (`CreationPolicy`), and
//! `SignalResource`, by which they say so. It owns the signals of a creation under way; those to an update are the
//! resource's.
//!
//! AWS behaviour: CloudFormation Template Reference Guide, "CreationPolicy attribute"; API Reference, "SignalResource".

use std::time::Duration;

use base::{Fault, InstanceId, Time};
use kernel::{Cx, Progress, Row, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shapes::cloudformation::SignalResourceInput;

use crate::error::Error;
use crate::event;
use crate::program::Program;
use crate::stack::find_alive;
use crate::state::{Member, MemberStatus, Stack};
use crate::wait_condition;

/// Most signals kept of one creation.
const SIGNALS_MAX: usize = 10_000;
const UNIQUE_ID_CHARS: std::ops::RangeInclusive<usize> = 1..=64;
/// "CreationPolicy attribute": the default of `Timeout`, and its bound of 12 hours.
const TIMEOUT: Duration = Duration::from_secs(300);
const TIMEOUT_MAX: Duration = Duration::from_secs(12 * 3_600);
const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";

/// A signal that came to a resource while it was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceSignal {
    /// Key of the stack's member.
    pub member: String,
    pub unique_id: String,
    pub success: bool,
}

impl Row for ResourceSignal {
    const TABLE: &'static str = "cloudformation.resource-signal";
    type Key = String;
    fn key(&self) -> String {
        format!("{}/{}", self.member, self.unique_id)
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("member", &self.member);
    }
}

/// What a creation waits for.
struct Wanted {
    count: usize,
    timeout: Duration,
    /// Of a group: so many percent must succeed.
    percent: usize,
}

impl Wanted {
    /// So many signals must be of success. "MinSuccessfulInstancesPercent": of five instances at 50 percent three must succeed.
    fn needed(&self, of_group: bool) -> usize {
        let percent = if of_group { self.percent.min(100) } else { 100 };
        self.count / 100 * percent + (self.count % 100 * percent).div_ceil(100)
    }
}

/// What the creation policy of a resource asks for; none when it asks for no signals.
fn wanted(policy: Option<&Json>) -> Result<Option<Wanted>, String> {
    let Some(policy) = policy else { return Ok(None) };
    let Some(signal) = policy.get("ResourceSignal") else { return Ok(None) };
    let number = |value: Option<&Json>| {
        let value = value?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok()).and_then(|n| usize::try_from(n).ok())
    };
    let timeout = match signal.get("Timeout").and_then(Json::as_str) {
        None => TIMEOUT,
        Some(text) => base::parse_iso8601_duration(text)
            .filter(|t| *t <= TIMEOUT_MAX)
            .ok_or_else(|| format!("CreationPolicy Timeout must be a duration such as PT15M, at most PT12H, not '{text}'."))?,
    };
    let percent = number(policy.pointer("/AutoScalingCreationPolicy/MinSuccessfulInstancesPercent"));
    Ok(Some(Wanted { count: number(signal.get("Count")).unwrap_or(1), timeout, percent: percent.unwrap_or(100) }))
}

/// How long a creation waits for signals.
pub(crate) fn timeout(policy: Option<&Json>) -> Duration {
    wanted(policy).ok().flatten().map(|w| w.timeout + Duration::from_secs(1)).unwrap_or_default()
}

/// Whether a creation has its signals, and when to look again.
pub(crate) fn progress(state: &State, cx: &Cx, member: &Member, policy: Option<&Json>) -> (Progress, Option<Time>) {
    let wanted = match wanted(policy) {
        Ok(None) => return (Progress::Ready, None),
        Ok(Some(wanted)) => wanted,
        Err(reason) => return (Progress::Failed(reason), None),
    };
    let of_group = member.type_name == GROUP;
    let key = member.key();
    let signals = state.rows_where::<ResourceSignal>("member", &key);
    let (successes, failures): (Vec<_>, Vec<_>) = signals.partition(|s| s.success);
    let deadline = member.changed + wanted.timeout;
    let missing = wanted.count.saturating_sub(successes.len() + failures.len());
    // One that does not signal in time has failed.
    let needed = wanted.needed(of_group);
    let unable = |count: usize, what: &str| {
        let (all, percent) = (wanted.count, wanted.percent);
        format!(
            "Received {count} {what} signal(s) out of {all}.  Unable to satisfy {percent}% MinSuccessfulInstancesPercent requirement"
        )
    };
    if failures.len() > wanted.count.saturating_sub(needed) {
        let first = failures.first().map(|s| s.unique_id.clone()).unwrap_or_default();
        let reason =
            if of_group { unable(failures.len(), "FAILURE") } else { format!("Received FAILURE signal with UniqueId {first}") };
        return (Progress::Failed(reason), None);
    }
    if missing == 0 {
        return (Progress::Ready, None);
    }
    if cx.now < deadline {
        return (Progress::Pending, Some(deadline));
    }
    if successes.len() >= needed {
        return (Progress::Ready, None);
    }
    let reason = match of_group {
        true => unable(successes.len(), "SUCCESS"),
        false => format!("Failed to receive {missing} resource signal(s) within the specified duration"),
    };
    (Progress::Failed(reason), None)
}

/// Forgets the signals of a creation, before another and after it, however it ended.
pub(crate) fn forget(tx: &mut Tx, member: &str) {
    let keys: Vec<String> = tx.rows_where::<ResourceSignal>("member", member).map(Row::key).collect();
    for key in keys {
        tx.remove::<ResourceSignal>(&key);
    }
}

/// `SignalResource`: for a wait condition, and for what has a creation or an update policy that waits for signals.
pub(crate) fn signal_resource(tx: &mut Tx, cx: &Cx, input: SignalResourceInput) -> Result<(), Fault> {
    let success = match input.status.as_str() {
        "SUCCESS" => true,
        "FAILURE" => false,
        other => return Err(Error::Invalid(format!("Status must be SUCCESS or FAILURE, not '{other}'")).into()),
    };
    if !UNIQUE_ID_CHARS.contains(&input.unique_id.chars().count()) {
        return Err(Error::Invalid("UniqueId must have 1 to 64 characters".into()).into());
    }
    let stack = find_alive(tx, &input.stack_name)?.clone();
    let none = || Error::NoResource { resource: input.logical_resource_id.clone(), stack: input.stack_name.clone() };
    let key = Member::key_of(&stack.id, &input.logical_resource_id);
    let member = tx.get::<Member>(&key).cloned().ok_or_else(none)?;
    if wait_condition::signal(tx, &member, &input.unique_id, success)? {
        return Ok(());
    }
    if !stack.status.is_in_progress() {
        let (stack, status) = (stack.id.to_string(), stack.status.name());
        return Err(Error::WrongStatus { stack, status, verb: "signaled" }.into());
    }
    if !(take_for_creation(tx, cx, &stack, &member, &input.unique_id, success)?
        || take_for_update(tx, cx, &member, &input.unique_id, success)?)
    {
        let text = format!("Resource {} is in {} state and cannot take signals", input.logical_resource_id, member.status.name());
        return Err(Error::Invalid(text).into());
    }
    let word = if success { "SUCCESS" } else { "FAILURE" };
    let reason = Some(format!("Received {word} signal with UniqueId {}", input.unique_id));
    event::of_member(tx, cx, &stack, &Member { reason, ..member });
    Ok(())
}

/// Whether a resource is being made, also in the place of another.
pub(crate) fn is_created(member: &Member) -> bool {
    match member.status {
        MemberStatus::CreateInProgress => true,
        MemberStatus::UpdateInProgress => member.replaced.is_some() && !member.in_place,
        _ => false,
    }
}

fn take_for_creation(
    tx: &mut Tx,
    cx: &Cx,
    stack: &Stack,
    member: &Member,
    unique_id: &str,
    success: bool,
) -> Result<bool, Fault> {
    if !is_created(member) {
        return Ok(false);
    }
    let program = Program::of(tx, cx, stack).ok();
    let policy = program.as_ref().and_then(|p| p.declaration(&member.logical_id)?.creation_policy.as_ref());
    if !matches!(wanted(policy), Ok(Some(_))) {
        return Ok(false);
    }
    if tx.count_where::<ResourceSignal>("member", &member.key()) >= SIGNALS_MAX {
        return Err(Error::LimitExceeded(format!("A resource takes at most {SIGNALS_MAX} signals")).into());
    }
    let signal = ResourceSignal { member: member.key(), unique_id: unique_id.into(), success };
    // "SignalResource": a repeated id is the same signal.
    if tx.get::<ResourceSignal>(&signal.key()).is_none() {
        tx.put(signal);
    }
    Ok(true)
}

fn take_for_update(tx: &mut Tx, cx: &Cx, member: &Member, unique_id: &str, success: bool) -> Result<bool, Fault> {
    let Some(physical) = member.physical.as_ref().filter(|_| member.status == MemberStatus::UpdateInProgress) else {
        return Ok(false);
    };
    match tx.registry().stack_resource(&member.type_name) {
        Some(resource) => resource.signal(tx, cx, &physical.id, unique_id, success),
        None => Ok(false),
    }
}

/// A signal that an instance sends for itself, without a user's credentials: it knows the secret of its identity, and it may
/// signal resources of the stack that its tags name, under its own id.
pub fn signal_from_instance(
    tx: &mut Tx,
    cx: &Cx,
    instance: &InstanceId,
    secret: &str,
    input: SignalResourceInput,
) -> Result<(), Fault> {
    let denied = || Fault::new(403, "AccessDenied", format!("The instance {instance} may not signal stack {}", input.stack_name));
    if !ec2::identity_is(tx, instance, secret) {
        return Err(denied());
    }
    // A name may be another stack's by now.
    let own = ec2::tags::of(tx, instance).get("aws:cloudformation:stack-id");
    if own.is_none_or(|own| !find_alive(tx, &input.stack_name).is_ok_and(|stack| *stack.id == **own)) {
        return Err(denied());
    }
    signal_resource(tx, cx, SignalResourceInput { unique_id: instance.to_string(), ..input })
}

pub(crate) fn register(registry: &mut kernel::Registry) {
    registry.table::<ResourceSignal>();
    registry.operation::<shapes::cloudformation::ops::SignalResource>(signal_resource);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::wanted;

    #[test]
    fn a_share_of_the_instances_is_rounded_up() {
        for (count, percent, expected) in [
            (json!(5), 50, 3),
            (json!("4"), 50, 2),
            (json!(3), 0, 0),
            (json!(107), 50, 54),
            (json!(i64::MAX), 100, i64::MAX as usize),
        ] {
            let policy = json!({
                "ResourceSignal": {"Count": count},
                "AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": percent},
            });
            assert_eq!(wanted(Some(&policy)).unwrap().unwrap().needed(true), expected, "{policy}");
        }
    }
}
