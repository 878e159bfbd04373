//! Alarms: what they watch, their states, their history and the actions they invoke.

mod row;

pub use row::{Alarm, AlarmState, Comparison, Invocation, MetricQuery, MissingData, StateChange, Suppressor, Watched};

use base::Fault;
use kernel::{Cx, Registry, Tx};

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<Alarm>();
    registry.table::<Invocation>();
}

/// Puts an alarm of another service, as `PutMetricAlarm` does for users: a new one begins with too little data, a changed
/// one keeps its state.
pub fn put(tx: &mut Tx, _cx: &Cx, alarm: Alarm) -> Result<(), Fault> {
    tx.put(alarm);
    Ok(())
}

/// Deletes alarms; names that do not exist are passed over.
pub fn delete(tx: &mut Tx, names: &[String]) {
    for name in names {
        tx.remove::<Alarm>(name);
    }
}

/// Takes an invocation off the list: whoever acts on it calls this in the same transaction.
pub fn done(tx: &mut Tx, key: &str) {
    tx.remove::<Invocation>(&key.to_string());
}
