//! What a group and its instances do next, decided from their present state alone: pure, no clock, no transactions.
//! `reconcile` builds the views and `apply` carries the plans out. An instance's own way is in `member`; how many there
//! are, and where, in `group`.

mod group;
mod maintain;
mod member;
mod select;
mod zones;

use std::time::Duration;

pub(crate) use group::{Action, Counts, GroupPlan, GroupView, plan_group};
pub(crate) use maintain::Ready;
pub(crate) use member::{MemberPlan, MemberView, Rules, Step, plan_member};
pub(crate) use zones::{Place, Site, ZoneCount};

use crate::member::Sickness;

/// An instance that is not up so long after its launch has failed.
pub(crate) const LAUNCH_TIMEOUT: Duration = Duration::from_secs(120);

/// What EC2 knows of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Starting,
    Up,
    /// It boots anew.
    Rebooting,
    Stopping,
    /// Stopped.
    Down,
    /// Shutting down for good.
    Ending,
    Gone,
}

/// How a registration with a target group goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Healthy, or not yet known, or not in use.
    Fine,
    Unhealthy,
    Draining,
}

/// Why an instance is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    Unhealthy(Sickness),
    /// It did not come up.
    LaunchFailed,
    /// There are more than wanted; the capacity before and after.
    TooMany {
        from: usize,
        to: usize,
    },
    /// It is older than instances of the group may be.
    Expired,
    /// Its zone has too many, and nothing may be launched ahead.
    Unbalanced,
    /// The warm pool has more than it shall have.
    PoolTooLarge,
    /// All of them go; how many there were.
    GroupDeleted {
        from: usize,
    },
}

/// Why an instance is launched, or called out of the warm pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaunchReason {
    /// The capacity before and after.
    TooFew {
        from: usize,
        to: usize,
    },
    Replacement,
    /// Its zone has too few.
    Balance,
    /// Before another one ends, for this reason.
    Ahead(Because),
}

impl LaunchReason {
    /// It is one more than wanted, for a while.
    pub(crate) fn is_extra(self) -> bool {
        matches!(self, Self::Balance | Self::Ahead(_))
    }
}

#[cfg(test)]
mod tests;
