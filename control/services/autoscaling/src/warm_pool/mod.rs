//! Warm pools: instances that a group keeps ready beside it ("Decrease latency for applications with long boot times
//! using warm pools"). It owns the pools' rows; their instances are members like others, in states of their own.

use base::GroupName;
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::group::{Group, SIZE_MAX};
use crate::member::Member;
use crate::transitions::find_group;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarmPool {
    pub group: GroupName,
    pub min_size: u32,
    /// Most instances of group and pool together; the group's maximum where it is not said.
    pub max_prepared: Option<u32>,
    pub state: PoolState,
    /// What leaves the group when that shrinks goes back to the pool.
    pub reuses: bool,
    /// Its instances end, and then the pool does.
    pub deleting: bool,
}

/// What the pool keeps its instances as. This region's instances cannot hibernate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolState {
    Stopped,
    Running,
}

impl PoolState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "Stopped",
            Self::Running => "Running",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "Stopped" => Ok(Self::Stopped),
            "Running" => Ok(Self::Running),
            "Hibernated" => Err(Error::Unsupported("A warm pool of hibernated instances".into())),
            other => Err(Error::Invalid(format!("PoolState must be Stopped, Running or Hibernated, not '{other}'."))),
        }
    }
}

impl Row for WarmPool {
    const TABLE: &'static str = "autoscaling.warm-pool";
    type Key = GroupName;

    fn key(&self) -> GroupName {
        self.group.clone()
    }
}

impl WarmPool {
    /// How many instances it shall have: what the group may still grow by, and its minimum at least ("Create a warm pool
    /// for an Auto Scaling group", MaxGroupPreparedCapacity).
    pub(crate) fn wanted(&self, group: &Group) -> usize {
        if self.deleting {
            return 0;
        }
        let prepared = self.max_prepared.unwrap_or(group.max_size);
        prepared.saturating_sub(group.desired_capacity).max(self.min_size) as usize
    }
}

/// What a request says about a pool; what is absent has AWS's default, as each put says all.
#[derive(Clone, Debug, Default)]
pub struct PoolChange {
    pub min_size: Option<i64>,
    /// -1 takes it away.
    pub max_prepared: Option<i64>,
    pub state: Option<String>,
    pub reuses: Option<bool>,
}

/// Makes or changes the pool of a group.
pub fn put_pool(tx: &mut Tx, _: &Cx, group: &str, change: PoolChange) -> Result<(), Error> {
    let group = find_group(tx, group)?.clone();
    let old = tx.get::<WarmPool>(&group.name).cloned();
    if old.as_ref().is_some_and(|p| p.deleting) {
        return Err(Error::Invalid(format!("The warm pool of {} is being deleted.", group.name)));
    }
    let size = |what: &str, value: i64| {
        let found = u32::try_from(value).ok().filter(|n| *n <= SIZE_MAX);
        found.ok_or_else(|| Error::Invalid(format!("{what} must be 0 to {SIZE_MAX}, not {value}.")))
    };
    let max_prepared = match change.max_prepared {
        Some(-1) => None,
        Some(value) => Some(size("MaxGroupPreparedCapacity", value)?),
        None => old.as_ref().and_then(|p| p.max_prepared),
    };
    let min_size = match change.min_size {
        Some(value) => size("MinSize", value)?,
        None => old.as_ref().map_or(0, |p| p.min_size),
    };
    if max_prepared.is_some_and(|max| min_size > max) {
        let text = "MaxGroupPreparedCapacity must be greater than or equal to the MinSize of the warm pool.";
        return Err(Error::Invalid(text.into()));
    }
    let state = match change.state.as_deref() {
        Some(text) => PoolState::parse(text)?,
        None => old.as_ref().map_or(PoolState::Stopped, |p| p.state),
    };
    let reuses = change.reuses.unwrap_or_else(|| old.as_ref().is_some_and(|p| p.reuses));
    tx.put(WarmPool { group: group.name, min_size, max_prepared, state, reuses, deleting: false });
    Ok(())
}

/// Ends a pool and its instances; by force they end without waiting for their hooks ("DeleteWarmPool").
pub fn delete_pool(tx: &mut Tx, group: &str, force: Force) -> Result<(), Error> {
    let group = find_group(tx, group)?.name.clone();
    let pool = find_pool(tx, &group)?.clone();
    if members(tx, &group).next().is_none() {
        tx.remove::<WarmPool>(&group);
        return Ok(());
    }
    if force == Force::Yes {
        let ids: Vec<_> = members(tx, &group).map(|m| m.instance.clone()).collect();
        for id in ids {
            tx.update::<Member>(&id, |m| m.forced = true);
        }
    }
    tx.put(WarmPool { deleting: true, ..pool });
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    Yes,
    No,
}

pub fn find_pool<'a>(state: &'a State, group: &GroupName) -> Result<&'a WarmPool, Error> {
    state.get::<WarmPool>(group).ok_or_else(|| Error::Invalid(format!("No warm pool found for AutoScalingGroup: {group}")))
}

/// The instances of a pool.
pub(crate) fn members<'a>(state: &'a State, group: &GroupName) -> impl Iterator<Item = &'a Member> {
    state.rows_where::<Member>("group", group).filter(|m| m.lifecycle.is_warm())
}
