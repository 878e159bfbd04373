//! What CloudWatch hears of groups: their sizes, where the owner has asked for them, and what their instances use together. It
//! owns which metrics are collected; it measures nothing.

mod roster;
mod sizes;
mod spread;
mod usage;

pub(crate) use sizes::{Collection, GRANULARITY, NAMES, disable, enable};
pub use sizes::{in_service, members_by_type};

use base::GroupName;
use kernel::{Registry, Tx};

pub(crate) fn register(registry: &mut Registry) {
    sizes::register(registry);
    roster::register(registry);
    usage::register(registry);
}

/// Forgets everything of a group that is gone.
pub(crate) fn forget(tx: &mut Tx, group: &GroupName) {
    tx.remove::<Collection>(group);
}
