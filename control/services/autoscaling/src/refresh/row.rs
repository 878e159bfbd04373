//! The row of an instance refresh.

use std::collections::BTreeSet;

use base::{GroupName, InstanceId, Time};
use kernel::Row;
use serde::{Deserialize, Serialize};

use crate::group::TemplateChoice;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refresh {
    /// Group and running number: refreshes of a group in the order of their start.
    pub key: String,
    /// A UUID.
    pub id: String,
    pub group: GroupName,
    pub status: RefreshStatus,
    pub reason: Option<String>,
    pub started_at: Time,
    pub ended_at: Option<Time>,
    pub preferences: Preferences,
    /// What new instances start from, and the group's template once all is done.
    pub desired: Option<TemplateChoice>,
    /// Instances that it replaces, whether they are still there or not.
    pub obsolete: BTreeSet<InstanceId>,
    /// How many there were to replace at the start.
    pub total: u32,
    /// How many are left, as it was last seen.
    pub remaining: u32,
    pub percent: u32,
    /// Instances of the warm pool that it had to replace at the start, and those that are left.
    #[serde(default)]
    pub pool_total: u32,
    #[serde(default)]
    pub pool_remaining: u32,
    /// Checkpoints that are behind it, and until when it waits at the last one.
    pub checkpoints: usize,
    pub waits_until: Option<Time>,
    /// When it last came nearer to its end.
    pub progressed_at: Time,
    pub baking_until: Option<Time>,
    /// While it is cancelled: whether instances on their way in and out are waited for.
    pub waits_for_transitions: bool,
    pub rollback: Option<Rollback>,
}

/// A refresh on its way back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    pub reason: String,
    pub started_at: Time,
    /// How far the refresh had come.
    pub percent: u32,
    pub remaining: u32,
}

/// Statuses of "DescribeInstanceRefreshes".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefreshStatus {
    Pending,
    InProgress,
    Baking,
    Successful,
    Failed,
    Cancelling,
    Cancelled,
    RollbackInProgress,
    RollbackFailed,
    RollbackSuccessful,
}

impl RefreshStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Baking => "Baking",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
            Self::RollbackInProgress => "RollbackInProgress",
            Self::RollbackFailed => "RollbackFailed",
            Self::RollbackSuccessful => "RollbackSuccessful",
        }
    }

    pub fn is_active(self) -> bool {
        use RefreshStatus::{Baking, Cancelling, InProgress, Pending, RollbackInProgress};
        matches!(self, Pending | InProgress | Baking | Cancelling | RollbackInProgress)
    }
}

/// How a refresh goes about it, with every default filled in when it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    pub min_healthy_percent: u32,
    pub max_healthy_percent: u32,
    pub warmup_s: u32,
    /// Ascending; empty without checkpoints.
    pub checkpoints: Vec<u32>,
    pub checkpoint_delay_s: u32,
    pub skip_matching: bool,
    pub auto_rollback: bool,
    pub protected: Blocked,
    pub standby: Blocked,
    pub bake_s: u32,
    pub alarms: Vec<String>,
}

/// What is done about an instance that is protected from scale-in, or on standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blocked {
    /// `Refresh` or `Terminate`.
    Replace,
    Ignore,
    Wait,
}

impl Row for Refresh {
    const TABLE: &'static str = "autoscaling.refresh";
    type Key = String;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.group);
        if self.status.is_active() {
            add("active", &self.group);
            self.preferences.alarms.iter().for_each(|alarm| add("alarm", alarm));
        }
    }
}
