//! The rolling update of a group that belongs to a stack: its obsolete instances are replaced in batches, and each batch may
//! have to signal that it works. It owns the update under way; launches and terminations are the group's own.
//!
//! AWS behaviour: CloudFormation Template Reference Guide, "UpdatePolicy attribute", AutoScalingRollingUpdate.

mod plan;
mod reconcile;

pub(crate) use reconcile::LAUNCH_FAILURES_MAX;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{GroupName, InstanceId, Time};
use kernel::{Cx, Registry, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::group::{Group, Process};
use crate::member::Member;
use crate::refresh::{is_away, is_current};

const NAME: &str = "autoscaling.rolling-update";
/// Most signals kept of an update.
const SIGNALS_MAX: usize = 10_000;
/// Longest `UniqueId`, in characters.
const UNIQUE_ID_CHARS_MAX: usize = 64;

/// A rolling update, until the stack has seen how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollingUpdate {
    pub group: GroupName,
    pub policy: Policy,
    /// Instances that it replaces, whether they are still there or not.
    pub obsolete: BTreeSet<InstanceId>,
    /// How many there were.
    pub total: u32,
    /// Instances that were as they shall be when it began: it waits for no signal of theirs.
    #[serde(default)]
    pub spared: BTreeSet<InstanceId>,
    pub phase: Phase,
    /// New instances that it has waited for so far, and whose signals it expects.
    pub expected: u32,
    /// By `UniqueId`: success or failure.
    pub signals: BTreeMap<String, bool>,
    /// Signals that did not come in time: each counts as a failure.
    pub missed: u32,
    /// Instances whose signals are among those: what they signal now is of no batch any more.
    #[serde(default)]
    pub overdue: BTreeSet<InstanceId>,
    /// What the stack's events are to tell, until they do.
    pub notes: Vec<String>,
    pub outcome: Option<Outcome>,
    /// Processes that it has suspended and will resume.
    pub suspended: BTreeSet<Process>,
}

/// `AutoScalingRollingUpdate`, with AWS's defaults filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub batch_max: u32,
    pub min_in_service: u32,
    pub min_active_percent: u32,
    pub min_successful_percent: u32,
    pub pause: Pause,
    pub suspends: Vec<Process>,
}

/// What follows when new instances are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub time: Duration,
    /// As its owner wrote it, such as `PT5M`.
    pub text: String,
    /// It ends early once all have signalled.
    pub signals: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Instances come, and these go.
    Moving { ending: Vec<InstanceId> },
    /// New instances are there; signals or time are waited for.
    Settling { until: Time },
    /// The next batch may go.
    Ready,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Done,
    Failed(String),
}

impl Row for RollingUpdate {
    const TABLE: &'static str = "autoscaling.rolling-update";
    type Key = GroupName;

    fn key(&self) -> GroupName {
        self.group.clone()
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<RollingUpdate>();
    registry.reconciler(NAME, reconcile::reconcile);
    registry.watch::<RollingUpdate>(NAME, |_, update, due| due.push(update.group.to_string()));
    registry.watch::<Group>(NAME, |state, group, due| due_if_there(state, &group.name, due));
    registry.watch::<Member>(NAME, |state, member, due| due_if_there(state, &member.group, due));
    registry.watch::<elb::Registration>(NAME, |state, registration, due| {
        if let Some(member) = state.get::<Member>(&registration.target.id.as_str().into()) {
            due_if_there(state, &member.group, due);
        }
    });
}

fn due_if_there(state: &State, group: &GroupName, due: &mut Vec<String>) {
    if is_under_way(state, group) {
        due.push(group.to_string());
    }
}

/// Whether a group's instances are being replaced.
pub(crate) fn is_under_way(state: &State, group: &GroupName) -> bool {
    state.get::<RollingUpdate>(group).is_some_and(|u| u.outcome.is_none())
}

/// Begins to replace the instances that are not as the group starts them now; does nothing when all are. It takes the place
/// of an update that was under way.
pub(crate) fn start(tx: &mut Tx, cx: &Cx, name: &GroupName, policy: Policy) -> Result<(), Error> {
    forget(tx, name);
    let Some(group) = tx.get::<Group>(name).cloned() else { return Err(Error::NoGroup(name.clone())) };
    // "UpdatePolicy attribute": MinInstancesInService must leave room under the group's maximum.
    if policy.min_in_service >= group.max_size && group.max_size > 0 {
        return Err(Error::Invalid("MinInstancesInService must be less than the autoscaling group's MaxSize".into()));
    }
    let is_old = |m: &&Member| {
        let outside = !group.subnets.is_empty() && !group.subnets.contains(&m.subnet);
        outside || !is_current(tx, &group, m)
    };
    let members = tx.rows_where::<Member>("group", name).filter(|m| !is_away(m));
    let (old, others): (Vec<&Member>, Vec<&Member>) = members.partition(is_old);
    let ids = |members: Vec<&Member>| -> BTreeSet<InstanceId> { members.into_iter().map(|m| m.instance.clone()).collect() };
    let (obsolete, spared) = (ids(old), ids(others));
    if obsolete.is_empty() {
        return Ok(());
    }
    if crate::refresh::active(tx, name).is_some() {
        return Err(Error::RefreshInProgress);
    }
    let suspended: BTreeSet<Process> = policy.suspends.iter().filter(|p| !group.suspended.contains_key(p)).copied().collect();
    tx.update::<Group>(name, |g| g.suspended.extend(suspended.iter().map(|p| (*p, cx.now))));
    let total = u32::try_from(obsolete.len()).unwrap_or(u32::MAX);
    let notes = vec![initiated(&policy, total)];
    let phase = Phase::Moving { ending: Vec::new() };
    tx.put(RollingUpdate {
        group: name.clone(),
        policy,
        obsolete,
        total,
        spared,
        phase,
        expected: 0,
        signals: BTreeMap::new(),
        missed: 0,
        overdue: BTreeSet::new(),
        notes,
        outcome: None,
        suspended,
    });
    Ok(())
}

/// The first event of an update, in CloudFormation's words.
fn initiated(policy: &Policy, total: u32) -> String {
    let Pause { time, text, signals } = &policy.pause;
    let then = match (signals, time.is_zero()) {
        (true, _) => format!(
            " Waiting on resource signals with a timeout of {text} when new instances are added to the autoscaling group."
        ),
        (false, false) => format!(" Pausing for {text} when new instances are added to the autoscaling group."),
        (false, true) => String::new(),
    };
    let (batch, least) = (policy.batch_max, policy.min_in_service);
    format!(
        "Rolling update initiated. Terminating {total} obsolete instance(s) in batches of {batch}, while keeping at least {least} instance(s) in service.{then}"
    )
}

/// Forgets an update; what one under way had suspended goes on, as when it ends by itself.
pub(crate) fn forget(tx: &mut Tx, name: &GroupName) {
    let Some(update) = tx.remove::<RollingUpdate>(name).filter(|u| u.outcome.is_none()) else { return };
    release(tx, &update);
}

/// The group is its owner's again.
fn release(tx: &mut Tx, update: &RollingUpdate) {
    tx.update::<Group>(&update.group, |g| {
        g.surplus = 0;
        g.suspended.retain(|process, _| !update.suspended.contains(process));
    });
}

/// Takes a signal to an update under way; false when there is none that waits for signals.
pub(crate) fn signal(tx: &mut Tx, name: &GroupName, unique_id: &str, success: bool) -> Result<bool, Error> {
    let Some(update) = tx.get::<RollingUpdate>(name).filter(|u| u.outcome.is_none() && u.policy.pause.signals) else {
        return Ok(false);
    };
    if update.signals.len() >= SIGNALS_MAX || unique_id.chars().count() > UNIQUE_ID_CHARS_MAX {
        return Err(Error::LimitExceeded(format!("An update takes at most {SIGNALS_MAX} signals")));
    }
    let instance = InstanceId::from(unique_id);
    if [&update.obsolete, &update.spared, &update.overdue].iter().any(|none| none.contains(&instance)) {
        return Ok(true);
    }
    tx.update::<RollingUpdate>(name, |u| {
        // A repeated id is the same signal.
        u.signals.entry(unique_id.into()).or_insert(success);
    });
    Ok(true)
}

/// What is new to tell, once.
pub(crate) fn take_notes(tx: &mut Tx, name: &GroupName) -> Vec<String> {
    let notes = tx.get::<RollingUpdate>(name).map(|u| u.notes.clone()).unwrap_or_default();
    if !notes.is_empty() {
        tx.update::<RollingUpdate>(name, |u| u.notes.clear());
    }
    notes
}
