//! The row of a lifecycle hook, its limits, and how it is put and taken away.

use std::fmt;

use base::GroupName;
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::message;
use crate::error::Error;
use crate::member::{Hooks, Member};
use crate::transitions::find_group;

/// "Quotas for Amazon EC2 Auto Scaling": lifecycle hooks a group.
pub const HOOKS_MAX: usize = 50;
/// "PutLifecycleHook", HeartbeatTimeout: 30 to 7,200 s, an hour where it is not said.
const HEARTBEAT_S: std::ops::RangeInclusive<u32> = 30..=7_200;
const HEARTBEAT_S_DEFAULT: u32 = 3_600;
/// "PutLifecycleHook": an action waits 48 hours or 100 heartbeats at most, whichever is the shorter.
const GLOBAL_S_MAX: u32 = 172_800;
const HEARTBEATS_MAX: u32 = 100;
const METADATA_CHARS_MAX: usize = 4_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecycleHook {
    pub key: HookKey,
    pub transition: Transition,
    pub heartbeat_s: u32,
    pub default_result: HookResult,
    pub target: Option<String>,
    /// A record: this region's services reach its topics without a role.
    pub role: Option<String>,
    pub metadata: Option<String>,
    /// Under which id a stack knows it.
    #[serde(default)]
    pub physical_id: Option<String>,
}

impl LifecycleHook {
    /// The longest that one action of it waits, in seconds, heartbeats or not.
    pub fn global_s(&self) -> u32 {
        self.heartbeat_s.saturating_mul(HEARTBEATS_MAX).min(GLOBAL_S_MAX)
    }
}

/// Group and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HookKey(pub GroupName, pub String);

impl fmt::Display for HookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl Row for LifecycleHook {
    const TABLE: &'static str = "autoscaling.hook";
    type Key = HookKey;

    fn key(&self) -> HookKey {
        self.key.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.key.0);
        if let Some(id) = &self.physical_id {
            add("physical", id);
        }
    }
}

/// When a hook holds an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transition {
    Launching,
    Terminating,
}

impl Transition {
    pub const ALL: [Transition; 2] = [Transition::Launching, Transition::Terminating];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launching => "autoscaling:EC2_INSTANCE_LAUNCHING",
            Self::Terminating => "autoscaling:EC2_INSTANCE_TERMINATING",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|t| t.as_str() == text);
        found.ok_or_else(|| {
            Error::Invalid(format!(
                "Lifecycle transition {text} is not valid. Valid values are: {}, {}.",
                Self::ALL[0].as_str(),
                Self::ALL[1].as_str()
            ))
        })
    }
}

/// How a lifecycle action ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookResult {
    Continue,
    Abandon,
}

impl HookResult {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        let found = [Self::Continue, Self::Abandon].into_iter().find(|r| r.as_str() == text);
        found.ok_or_else(|| Error::Invalid(format!("The result '{text}' must be either CONTINUE or ABANDON.")))
    }
}

/// What a request says about a hook; what is absent stays as it is, or has AWS's default in a new hook.
#[derive(Clone, Debug, Default)]
pub struct HookChange {
    pub transition: Option<String>,
    pub heartbeat_s: Option<i64>,
    pub default_result: Option<String>,
    /// Empty takes it away, here and below.
    pub target: Option<String>,
    pub role: Option<String>,
    pub metadata: Option<String>,
}

impl HookChange {
    /// What a template does not say, a hook has as a new one does, whatever it had before.
    pub(crate) fn or_defaults(mut self) -> Self {
        self.heartbeat_s.get_or_insert(HEARTBEAT_S_DEFAULT.into());
        self.default_result.get_or_insert_with(|| HookResult::Abandon.as_str().into());
        self.metadata.get_or_insert_default();
        self.target.get_or_insert_default();
        self.role.get_or_insert_default();
        self
    }
}

/// Makes or changes a hook. Actions under way keep what they began with.
pub fn put_hook(tx: &mut Tx, cx: &Cx, group: &str, name: &str, change: HookChange) -> Result<(), Error> {
    let group = find_group(tx, group)?.name.clone();
    check_name(name)?;
    let key = HookKey(group.clone(), name.into());
    let mut hook = match (tx.get::<LifecycleHook>(&key).cloned(), &change.transition) {
        (Some(hook), None) => hook,
        (None, None) => {
            return Err(Error::Invalid("LifecycleTransition is required to create a new lifecycle hook.".into()));
        }
        (old, Some(transition)) => {
            let transition = Transition::parse(transition)?;
            match old {
                Some(old) => LifecycleHook { transition, ..old },
                None => new_hook(tx, key, transition)?,
            }
        }
    };
    if let Some(seconds) = change.heartbeat_s {
        hook.heartbeat_s = heartbeat(seconds)?;
    }
    if let Some(result) = &change.default_result {
        hook.default_result = HookResult::parse(result)?;
    }
    if let Some(metadata) = change.metadata {
        if metadata.chars().count() > METADATA_CHARS_MAX {
            let text = format!("NotificationMetadata must not be longer than {METADATA_CHARS_MAX} characters.");
            return Err(Error::Invalid(text));
        }
        hook.metadata = (!metadata.is_empty()).then_some(metadata);
    }
    hook.role = change.role.or(hook.role).filter(|role| !role.is_empty());
    if let Some(target) = change.target {
        hook.target = target_of(target)?;
        if let Some(target) = &hook.target {
            message::test(tx, cx, &group, target)?;
        }
    }
    tx.put(hook);
    Ok(())
}

fn new_hook(state: &State, key: HookKey, transition: Transition) -> Result<LifecycleHook, Error> {
    if state.count_where::<LifecycleHook>("group", &key.0) >= HOOKS_MAX {
        return Err(Error::LimitExceeded(format!("A group has at most {HOOKS_MAX} lifecycle hooks.")));
    }
    Ok(LifecycleHook {
        key,
        transition,
        heartbeat_s: HEARTBEAT_S_DEFAULT,
        // "PutLifecycleHook": the default value is ABANDON.
        default_result: HookResult::Abandon,
        target: None,
        role: None,
        metadata: None,
        physical_id: None,
    })
}

/// "PutLifecycleHook": letters, digits, `-`, `_` and `/`, 255 at most.
fn check_name(name: &str) -> Result<(), Error> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
    if (1..=255).contains(&name.chars().count()) && name.chars().all(fine) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "1 validation error detected: Value '{name}' at 'lifecycleHookName' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9\\-_\\/]+"
    )))
}

fn heartbeat(seconds: i64) -> Result<u32, Error> {
    let found = u32::try_from(seconds).ok().filter(|s| HEARTBEAT_S.contains(s));
    found.ok_or_else(|| {
        let (least, most) = (HEARTBEAT_S.start(), HEARTBEAT_S.end());
        Error::Invalid(format!("HeartbeatTimeout must be {least} to {most} seconds, not {seconds}."))
    })
}

/// Topics are reached; this region has no SQS queues.
fn target_of(arn: String) -> Result<Option<String>, Error> {
    if arn.is_empty() {
        return Ok(None);
    }
    if arn.split(':').nth(2) == Some("sns") {
        return Ok(Some(arn));
    }
    Err(Error::Unsupported(format!("The notification target '{arn}', which is no SNS topic,")))
}

/// The hook of this name.
pub fn find_hook<'a>(state: &'a State, group: &GroupName, name: &str) -> Result<&'a LifecycleHook, Error> {
    let found = state.get::<LifecycleHook>(&HookKey(group.clone(), name.into()));
    found.ok_or_else(|| Error::Invalid(format!("No Lifecycle Hook found with name: {name} for AutoScalingGroup: {group}")))
}

/// Takes a hook away. Actions under way end first: launches are abandoned, terminations go on ("DeleteLifecycleHook").
pub fn delete_hook(tx: &mut Tx, cx: &Cx, group: &str, name: &str) -> Result<(), Error> {
    let key = find_hook(tx, &find_group(tx, group)?.name, name)?.key.clone();
    let waits = |m: &&Member| m.hooks == Hooks::Waiting && m.actions.iter().any(|a| a.hook == name);
    let waiting: Vec<_> = tx.rows_where::<Member>("group", &key.0).filter(waits).map(|m| m.instance.clone()).collect();
    for id in waiting {
        let launches = tx.get::<Member>(&id).is_some_and(|m| !m.lifecycle.is_ending());
        let result = if launches { HookResult::Abandon } else { HookResult::Continue };
        super::actions::finish_action(tx, cx, &id, name, result);
    }
    tx.remove::<LifecycleHook>(&key);
    Ok(())
}

/// Whether a group has a hook for a transition.
pub(crate) fn has_hook(state: &State, group: &GroupName, transition: Transition) -> bool {
    state.rows_where::<LifecycleHook>("group", group).any(|h| h.transition == transition)
}
