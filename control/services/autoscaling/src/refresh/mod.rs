//! Instance refresh: every instance of a group is replaced in steps, so that enough of them serve at each moment. It owns
//! the refreshes and decides which instances go when; launches and terminations are the group's own.
//!
//! AWS behaviour: EC2 Auto Scaling User Guide, "How an instance refresh works in an Auto Scaling group", "Understand the
//! default values for an instance refresh", "Add checkpoints to an instance refresh", "Undo changes with a rollback".

mod plan;
mod pool;
mod reconcile;
mod row;
mod transitions;

use std::collections::BTreeSet;

use base::{GroupName, InstanceId, Time};
use kernel::{Registry, State, Tx};

use crate::group::{Group, TemplateChoice};
use crate::member::Member;
use crate::warm_pool::WarmPool;

pub(crate) use reconcile::passes_checks;
pub use row::{Blocked, Preferences, Refresh, RefreshStatus};
pub(crate) use transitions::{cancel, is_away, is_current, roll_back, start};

const NAME: &str = "autoscaling.refresh";
/// Refreshes kept of a group, the newest ones, and for how long ("DescribeInstanceRefreshes": six weeks).
const KEPT_MAX: usize = 200;
const KEPT_MS: u64 = 42 * 24 * 3_600 * 1_000;

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<Refresh>();
    registry.reconciler(NAME, reconcile::reconcile);
    registry.watch::<Refresh>(NAME, |_, refresh, due| {
        if refresh.status.is_active() {
            due.push(refresh.group.to_string());
        }
    });
    registry.watch::<Group>(NAME, |state, group, due| due_if_active(state, &group.name, due));
    registry.watch::<Member>(NAME, |state, member, due| due_if_active(state, &member.group, due));
    registry.watch::<WarmPool>(NAME, |state, pool, due| due_if_active(state, &pool.group, due));
    registry.watch::<elb::Registration>(NAME, |state, registration, due| {
        if let Some(member) = state.get::<Member>(&registration.target.id.as_str().into()) {
            due_if_active(state, &member.group, due);
        }
    });
    registry.watch::<cloudwatch::Alarm>(NAME, |state, alarm, due| {
        let watched = state.rows_where::<Refresh>("alarm", &alarm.name);
        due.extend(watched.map(|refresh| refresh.group.to_string()));
    });
}

fn due_if_active(state: &State, group: &GroupName, due: &mut Vec<String>) {
    if state.count_where::<Refresh>("active", group) > 0 {
        due.push(group.to_string());
    }
}

/// The refresh of a group that is under way.
pub(crate) fn active<'a>(state: &'a State, group: &GroupName) -> Option<&'a Refresh> {
    state.rows_where::<Refresh>("active", group).next()
}

/// The launch template that instances of a group start from now: the desired configuration while a refresh brings it.
pub(crate) fn template_of(state: &State, group: &Group) -> TemplateChoice {
    let desired = active(state, &group.name).filter(|r| r.rollback.is_none()).and_then(|r| r.desired.clone());
    desired.unwrap_or_else(|| group.template.clone())
}

/// The instances of a group that are not called out of the warm pool: a refresh replaces them.
pub(crate) fn passed_over<'a>(state: &'a State, group: &GroupName) -> Option<&'a BTreeSet<InstanceId>> {
    active(state, group).filter(|r| r.status != RefreshStatus::Cancelling).map(|r| &r.obsolete)
}

/// Forgets the refreshes of a group that is gone.
pub(crate) fn forget(tx: &mut Tx, group: &GroupName) {
    let keys: Vec<_> = tx.rows_where::<Refresh>("group", group).map(|r| r.key.clone()).collect();
    for key in keys {
        tx.remove::<Refresh>(&key);
    }
}

/// Forgets what is over and old, or too many.
fn prune(tx: &mut Tx, group: &GroupName, now: Time) {
    let over: Vec<_> = tx.rows_where::<Refresh>("group", group).filter(|r| !r.status.is_active()).collect();
    let surplus = over.len().saturating_sub(KEPT_MAX);
    let old = |r: &Refresh| r.ended_at.is_some_and(|at| now.ms_since(at) > KEPT_MS);
    let keys: Vec<_> = over.iter().enumerate().filter(|(i, r)| *i < surplus || old(r)).map(|(_, r)| r.key.clone()).collect();
    for key in keys {
        tx.remove::<Refresh>(&key);
    }
}
