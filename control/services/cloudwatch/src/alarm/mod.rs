//! Alarms: what they watch, their states, their history and the actions they invoke.

mod action;
mod composite;
mod evaluate;
mod history;
mod message;
pub(crate) mod operations;
mod reason;
mod reconcile;
mod row;
mod rule;
mod transition;
mod verdict;
mod view;

pub use action::PENDING_MAX;
pub use history::{HISTORY_MAX, HISTORY_OF_ALARM_MAX};
pub use reconcile::{DELAY, LATE, START_DELAY, stood_still};
pub use row::{
    Alarm, AlarmState, Comparison, Invocation, MetricQuery, MissingData, StateChange, SuppressedBy, Suppression, Suppressor,
    Watched,
};
pub use transition::ALARMS_MAX;

pub(crate) use operations::{check_parents, check_readable};
pub(crate) use transition::arn;

use base::Fault;
use kernel::{Cx, Registry, State, Tx};

const NAME: &str = "cloudwatch.alarm";

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<Alarm>();
    registry.table::<Invocation>();
    registry.table::<history::Item>();
    operations::register(registry);
    registry.store::<reconcile::Schedule>();
    registry.reconciler(NAME, reconcile::run);
    registry.watch::<Alarm>(NAME, |state, alarm, due| {
        due.push(alarm.name.clone());
        due.extend(state.rows_where::<Alarm>("child", &alarm.name).map(|parent| parent.name.clone()));
    });
}

/// Puts an alarm of another service, as `PutMetricAlarm` does for users: a new one begins with too little data, a changed
/// one keeps its state. Its ARN, state and times are set here.
pub fn put(tx: &mut Tx, cx: &Cx, alarm: Alarm) -> Result<(), Fault> {
    transition::put(tx, cx, alarm)
}

/// Checks what an alarm of another service is to watch, in the words of `PutMetricAlarm`; [`put`] takes it as checked.
pub fn check(queries: &[MetricQuery]) -> Result<(), Fault> {
    operations::check(queries)
}

/// Whether any alarm watches a metric of this namespace that has this dimension.
pub fn watches_any(state: &State, namespace: &str, dimension: &str) -> bool {
    let is_such = |m: &metrics::Metric| m.namespace == namespace && m.dimensions.iter().any(|(name, _)| name == dimension);
    state.rows::<Alarm>().any(|alarm| match &alarm.watched {
        Watched::Metrics { queries, .. } => queries.iter().filter_map(|q| q.metric.as_ref()).any(is_such),
        Watched::Rule { .. } => false,
    })
}

/// Deletes alarms with what they have invoked, and says so in their history; names that do not exist are passed over.
pub fn delete(tx: &mut Tx, cx: &Cx, names: &[String]) {
    for name in names {
        if let Some(alarm) = transition::delete(tx, name) {
            history::deleted(tx, cx, &alarm);
        }
    }
}

/// Takes an invocation off the list: whoever acts on it calls this in the same transaction, and says why it could not be
/// done, if so. The history has it for the change of state, not again for each minute that the state lasts.
pub fn done(tx: &mut Tx, cx: &Cx, key: &str, error: Option<&str>) {
    let Some(invocation) = tx.remove::<Invocation>(&key.to_string()) else { return };
    let Some(alarm) = tx.get::<Alarm>(&invocation.alarm).cloned() else { return };
    if invocation.at == alarm.state.at {
        history::acted(tx, cx, &alarm, &invocation.action, None, error);
    }
}
