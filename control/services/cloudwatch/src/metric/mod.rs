//! Metrics: what is put in, by users and by the region's own services, and what is asked of them.

pub(crate) mod math;
mod statistic;

use base::Time;
use kernel::{Registry, State, Tx};
use metrics::{Metric, Resolution, Sample, Store};

pub(crate) fn register(registry: &mut Registry) {
    registry.store::<Store>();
}

/// The store of samples, to read from.
pub fn store(state: &State) -> &Store {
    state.store()
}

/// Takes in a sample of the region's own (`AWS/...`). Call it last in a transaction: it is not taken back with it.
pub fn publish(tx: &mut Tx, metric: &Metric, unit: &str, resolution: Resolution, at: Time, sample: &Sample) {
    tx.store_mut::<Store>().put(metric, unit, resolution, at, sample);
}
