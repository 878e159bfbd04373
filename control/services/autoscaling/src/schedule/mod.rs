//! Scheduled actions: sizes that a group gets at a moment, once or again and again ("Scheduled scaling for Amazon EC2 Auto
//! Scaling"). It owns the actions and when they are due; what a new size brings is the group's reconciler's.

mod cron;

use std::fmt;

use base::{Fault, GroupName, Time};
use kernel::{Cx, Registry, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::activity::{self, Beginning, Status};
use crate::error::Error;
use crate::group::{Group, Process};
use crate::transitions::{self, Change, find_group};
use cron::{Recurrence, parse_zone};

const RECONCILER: &str = "autoscaling.schedule";
/// Most scheduled actions of a group ("Quotas for Auto Scaling resources and groups").
const ACTIONS_MAX: usize = 125;
const NAME_CHARS_MAX: usize = 255;
/// "Scheduled scaling": an action may come up to two minutes late. What is later, because the region was down, is left out.
const LATE_MAX_MS: u64 = 120_000;

/// A scheduled action of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScheduledAction {
    pub(crate) group: GroupName,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) recurrence: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) end: Option<Time>,
    pub(crate) min_size: Option<u32>,
    pub(crate) max_size: Option<u32>,
    pub(crate) desired_capacity: Option<u32>,
    /// When it is due next.
    pub(crate) next_at: Time,
}

/// Group and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ActionKey(pub(crate) GroupName, pub(crate) String);

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A group's name has no slash.
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl Row for ScheduledAction {
    const TABLE: &'static str = "autoscaling.scheduled-action";
    type Key = ActionKey;

    fn key(&self) -> ActionKey {
        ActionKey(self.group.clone(), self.name.clone())
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.group);
    }
}

/// A scheduled action as it was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) name: String,
    pub(crate) start: Option<Time>,
    pub(crate) end: Option<Time>,
    pub(crate) recurrence: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) min_size: Option<u32>,
    pub(crate) max_size: Option<u32>,
    pub(crate) desired_capacity: Option<u32>,
}

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<ScheduledAction>();
    registry.reconciler(RECONCILER, reconcile);
    registry.watch::<ScheduledAction>(RECONCILER, |_, action, due| due.push(action.key().to_string()));
}

/// Makes an action or changes the one of its name; what the request leaves out, a changed action no longer has.
pub(crate) fn put(tx: &mut Tx, cx: &Cx, group: &str, wish: Wish) -> Result<(), Error> {
    let group = find_group(tx, group)?.name.clone();
    let key = ActionKey(group.clone(), wish.name.clone());
    let old = tx.get::<ScheduledAction>(&key);
    if old.is_none() && tx.count_where::<ScheduledAction>("group", &group) >= ACTIONS_MAX {
        return Err(Error::LimitExceeded(format!("At most {ACTIONS_MAX} scheduled actions are allowed for each group.")));
    }
    let next_at = wish.check(cx.now)?;
    // "Scheduled scaling": a scheduled action must have a time of its own.
    if tx.rows_where::<ScheduledAction>("group", &group).any(|a| a.name != wish.name && a.next_at == next_at) {
        let text = "A scheduled action with the same start time already exists for the Auto Scaling group.";
        return Err(Error::Exists(text.into()));
    }
    let new_arn = || {
        let uuid = cx.rng().uuid();
        let resource =
            format!("scheduledUpdateGroupAction:{uuid}:autoScalingGroupName/{group}:scheduledActionName/{}", wish.name);
        cx.scope.arn("autoscaling", resource)
    };
    let arn = old.map_or_else(new_arn, |a| a.arn.clone());
    let Wish { name, recurrence, time_zone, end, min_size, max_size, desired_capacity, .. } = wish;
    tx.put(ScheduledAction { group, name, arn, recurrence, time_zone, end, min_size, max_size, desired_capacity, next_at });
    Ok(())
}

impl Wish {
    /// AWS's checks ("PutScheduledUpdateGroupAction"); gives when it is due first.
    fn check(&self, now: Time) -> Result<Time, Error> {
        let invalid = |text: &str| Err(Error::Invalid(text.into()));
        if !(1..=NAME_CHARS_MAX).contains(&self.name.chars().count()) || self.name.chars().any(char::is_control) {
            return invalid(&format!("ScheduledActionName must have 1 to {NAME_CHARS_MAX} characters."));
        }
        if self.min_size.is_none() && self.max_size.is_none() && self.desired_capacity.is_none() {
            return invalid("At least one of MinSize, MaxSize and DesiredCapacity must be specified.");
        }
        if let (Some(min), Some(max)) = (self.min_size, self.max_size)
            && min > max
        {
            return invalid(&format!("Max bound, {max}, must be greater than or equal to min bound, {min}"));
        }
        if let Some(desired) = self.desired_capacity
            && (self.min_size.is_some_and(|min| desired < min) || self.max_size.is_some_and(|max| desired > max))
        {
            return invalid("DesiredCapacity must be between MinSize and MaxSize.");
        }
        if self.start.is_some_and(|at| at <= now) {
            return invalid("Given start time is in the past");
        }
        if self.end.is_some_and(|at| at <= now) {
            return invalid("Given end time is in the past");
        }
        let zone = self.time_zone.as_deref();
        parse_zone(zone)?;
        let recurrence = self.recurrence.as_deref().map(|text| Recurrence::parse(text, zone)).transpose()?;
        let first = self.start.or_else(|| recurrence.and_then(|r| r.next_after(now)));
        let Some(first) = first else {
            return match &self.recurrence {
                Some(text) => invalid(&format!("Given recurrence string: {text} never comes due")),
                None => invalid("StartTime or Recurrence must be specified."),
            };
        };
        if self.end.is_some_and(|end| end < first) {
            return invalid("Given end time is before the start time");
        }
        Ok(first)
    }
}

/// Deletes an action.
pub(crate) fn delete(tx: &mut Tx, group: &str, name: &str) -> Result<(), Error> {
    let key = ActionKey(find_group(tx, group)?.name.clone(), name.into());
    let gone = || Error::Invalid(format!("Scheduled action name not found: {name}"));
    tx.remove::<ScheduledAction>(&key).map(|_| ()).ok_or_else(gone)
}

/// Forgets everything of a group that is gone.
pub(crate) fn forget(tx: &mut Tx, group: &GroupName) {
    let keys: Vec<_> = tx.rows_where::<ScheduledAction>("group", group).map(Row::key).collect();
    for key in keys {
        tx.remove::<ScheduledAction>(&key);
    }
}

fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let Some((group, name)) = key.split_once('/') else { return Ok(None) };
    let key = ActionKey(group.into(), name.into());
    let Some(action) = tx.get::<ScheduledAction>(&key).cloned() else { return Ok(None) };
    if cx.now < action.next_at {
        return Ok(Some(action.next_at));
    }
    if cx.now.ms_since(action.next_at) <= LATE_MAX_MS {
        run(tx, cx, &action);
    }
    match following(&action, cx.now) {
        Some(next_at) => {
            tx.update::<ScheduledAction>(&key, |a| a.next_at = next_at);
            Ok(Some(next_at))
        }
        // "Scheduled scaling": an action that will not run again is deleted.
        None => {
            tx.remove::<ScheduledAction>(&key);
            Ok(None)
        }
    }
}

/// When an action is due after `now`; none when it has come for the last time.
fn following(action: &ScheduledAction, now: Time) -> Option<Time> {
    let recurrence = Recurrence::parse(action.recurrence.as_deref()?, action.time_zone.as_deref()).ok()?;
    recurrence.next_after(now).filter(|next| action.end.is_none_or(|end| *next <= end))
}

/// Gives the group the action's sizes; what does not fit is told as a failed activity.
fn run(tx: &mut Tx, cx: &Cx, action: &ScheduledAction) {
    // "Suspend and resume Amazon EC2 Auto Scaling processes": ScheduledActions.
    let paused = |g: &Group| g.deleting || g.suspended.contains_key(&Process::ScheduledActions);
    let Some(before) = tx.get::<Group>(&action.group).filter(|g| !paused(g)).cloned() else { return };
    let change = Change {
        min_size: action.min_size,
        max_size: action.max_size,
        desired_capacity: action.desired_capacity,
        ..Default::default()
    };
    let outcome = tx.attempt(|tx| transitions::update_group(tx, cx, &action.group, change));
    let after = tx.get::<Group>(&action.group).cloned().unwrap_or_else(|| before.clone());
    let cause = cause(action, cx.now, &before, &after);
    match outcome {
        Ok(()) if before.desired_capacity != after.desired_capacity => {
            tx.update::<Group>(&action.group, |g| g.request = Some(cause));
        }
        Ok(()) => {}
        Err(error) => {
            let beginning = Beginning {
                group: &action.group,
                description: format!("Executing scheduled action: {}", action.name),
                cause,
                status: Status::InProgress,
                zone: before.zones.first().map_or("", String::as_str),
                subnet: None,
            };
            let key = activity::begin(tx, cx, beginning);
            activity::fail(tx, cx, &key, Status::Failed, &error.to_string());
        }
    }
}

fn cause(action: &ScheduledAction, now: Time, before: &Group, after: &Group) -> String {
    let mut text = format!("At {} the scheduled action {} executed.", now.iso8601_s(), action.name);
    let sizes = [
        ("min size", action.min_size.map(|to| (before.min_size, to))),
        ("max size", action.max_size.map(|to| (before.max_size, to))),
        ("desired capacity", Some((before.desired_capacity, action.desired_capacity.unwrap_or(after.desired_capacity)))),
    ];
    for (what, change) in sizes {
        if let Some((from, to)) = change.filter(|(from, to)| from != to) {
            text.push_str(&format!(" Setting {what} from {from} to {to}."));
        }
    }
    text
}

/// Moments at which an action is due within a span, for who asks what is coming.
pub(crate) fn is_due_within(action: &ScheduledAction, from: Option<Time>, until: Option<Time>) -> bool {
    from.is_none_or(|from| action.next_at >= from) && until.is_none_or(|until| action.next_at <= until)
}

/// All actions in order of group and name.
pub(crate) fn all(state: &State) -> impl Iterator<Item = &ScheduledAction> {
    state.rows::<ScheduledAction>()
}
