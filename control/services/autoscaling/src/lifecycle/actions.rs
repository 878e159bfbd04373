//! Lifecycle actions: an instance held by its hooks, until each was completed or its time is over.

use std::time::Duration;

use base::{GroupName, InstanceId, Time};
use kernel::{Cx, State, Tx};
use serde::{Deserialize, Serialize};

use super::hook::{HookResult, LifecycleHook, Transition, find_hook};
use super::message;
use crate::activity::{self, Status};
use crate::apply::begin_termination;
use crate::error::Error;
use crate::group::Group;
use crate::member::{Hooks, Lifecycle, Member};
use crate::transitions::find_present;

/// One hook that holds an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecycleAction {
    pub hook: String,
    /// A UUID.
    pub token: String,
    pub heartbeat_s: u32,
    pub default_result: HookResult,
    /// Without a heartbeat it ends then.
    pub expires_at: Time,
    /// It ends then, heartbeats or not.
    pub ends_at: Time,
}

impl LifecycleAction {
    /// When it ends by itself.
    pub(crate) fn due_at(&self) -> Time {
        self.expires_at.min(self.ends_at)
    }
}

fn seconds(s: u32) -> Duration {
    Duration::from_secs(u64::from(s))
}

fn transition_of(lifecycle: Lifecycle) -> Transition {
    if lifecycle.is_ending() { Transition::Terminating } else { Transition::Launching }
}

/// Puts an instance into its wait state and tells the hooks' targets. All hooks of the transition begin together and the
/// instance waits for the last ("How lifecycle hooks work").
pub(crate) fn begin_hooks(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    let transition = transition_of(member.lifecycle);
    let hooks: Vec<LifecycleHook> =
        tx.rows_where::<LifecycleHook>("group", &member.group).filter(|h| h.transition == transition).cloned().collect();
    let action = |hook: &LifecycleHook| LifecycleAction {
        hook: hook.key.1.clone(),
        token: cx.rng().uuid(),
        heartbeat_s: hook.heartbeat_s,
        default_result: hook.default_result,
        expires_at: cx.now + seconds(hook.heartbeat_s),
        ends_at: cx.now + seconds(hook.global_s()),
    };
    let actions: Vec<LifecycleAction> = hooks.iter().map(action).collect();
    tx.update::<Member>(id, |m| {
        m.hooks = if actions.is_empty() { Hooks::Skipped } else { Hooks::Waiting };
        m.actions = actions.clone();
    });
    if let Some(key) = member.activity.as_ref().filter(|_| !actions.is_empty()) {
        let status = match transition {
            Transition::Launching => Status::MidLifecycleAction,
            Transition::Terminating => Status::MidTerminatingLifecycleAction,
        };
        activity::move_on(tx, cx, key, status);
    }
    for (hook, action) in hooks.iter().zip(&actions) {
        message::tell_hook(tx, cx, hook, action, &member);
    }
}

/// Ends the actions whose time is over, each with its hook's default result ("CompleteLifecycleAction").
pub(crate) fn expire(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    let actions = tx.get::<Member>(id).map(|m| m.actions.clone()).unwrap_or_default();
    for action in actions.iter().filter(|a| a.due_at() <= cx.now) {
        finish_action(tx, cx, id, &action.hook, action.default_result);
    }
}

/// Ends one action. A launch that is abandoned ends the instance; a termination goes on either way, but what is abandoned
/// leaves out the other hooks ("CompleteLifecycleAction", LifecycleActionResult).
pub(crate) fn finish_action(tx: &mut Tx, cx: &Cx, id: &InstanceId, hook: &str, result: HookResult) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    if !member.actions.iter().any(|a| a.hook == hook) {
        return;
    }
    let ending = member.lifecycle.is_ending();
    if result == HookResult::Abandon && !ending {
        let cause = activity::text::abandoned(cx.now, id, hook);
        if let Some(key) = &member.activity {
            let message = format!("Lifecycle action of the hook {hook} was abandoned.");
            activity::fail(tx, cx, key, Status::Cancelled, &message);
        }
        tx.update::<Group>(&member.group, |g| g.note_failure(&member.zone, &cause, cx.now));
        begin_termination(tx, cx, id, cause, false);
        return;
    }
    tx.update::<Member>(id, |m| {
        m.actions.retain(|a| a.hook != hook && !(ending && result == HookResult::Abandon));
        if m.actions.is_empty() {
            m.hooks = Hooks::Done;
        }
    });
    let over = tx.get::<Member>(id).is_some_and(|m| m.hooks == Hooks::Done);
    if let Some(key) = member.activity.filter(|_| over) {
        activity::move_on(tx, cx, &key, Status::InProgress);
    }
}

/// Which action of a hook a request means: by its token, or by its instance.
#[derive(Clone, Debug)]
pub struct Named {
    pub token: Option<String>,
    pub instance: Option<InstanceId>,
}

/// `CompleteLifecycleAction`.
pub fn complete(tx: &mut Tx, cx: &Cx, group: &str, hook: &str, named: &Named, result: &str) -> Result<(), Error> {
    let result = HookResult::parse(result)?;
    let id = find_action(tx, group, hook, named)?;
    finish_action(tx, cx, &id, hook, result);
    Ok(())
}

/// `RecordLifecycleActionHeartbeat`: the action's time begins anew, its longest wait does not.
pub fn heartbeat(tx: &mut Tx, cx: &Cx, group: &str, hook: &str, named: &Named) -> Result<(), Error> {
    let id = find_action(tx, group, hook, named)?;
    tx.update::<Member>(&id, |m| {
        for action in m.actions.iter_mut().filter(|a| a.hook == hook) {
            action.expires_at = cx.now + seconds(action.heartbeat_s);
        }
    });
    Ok(())
}

fn find_action(state: &State, group: &str, hook: &str, named: &Named) -> Result<InstanceId, Error> {
    // Instances of a group that is being deleted are held by its hooks as others are.
    let group: GroupName = find_present(state, group)?.name.clone();
    find_hook(state, &group, hook)?;
    let none = || {
        let what = match named {
            Named { token: Some(token), .. } => format!("with token {token}"),
            Named { instance: Some(id), .. } => format!("with instance ID {id}"),
            _ => "without a token or an instance ID".into(),
        };
        Error::Invalid(format!("No active Lifecycle Action found {what}"))
    };
    let held = |m: &&Member| m.hooks == Hooks::Waiting && m.actions.iter().any(|a| a.hook == hook);
    let found = match named {
        Named { token: Some(token), instance } => state
            .rows_where::<Member>("group", &group)
            .filter(held)
            .filter(|m| instance.as_ref().is_none_or(|id| m.instance == *id))
            .find(|m| m.actions.iter().any(|a| a.hook == hook && a.token == *token)),
        Named { instance: Some(id), .. } => state.get::<Member>(id).filter(|m| m.group == group).filter(held),
        _ => None,
    };
    found.map(|m| m.instance.clone()).ok_or_else(none)
}
