//! The row of an instance in a group, in its warm pool too. The instance itself is EC2's.

use std::collections::BTreeSet;

use base::{GroupName, InstanceId, SubnetId, TargetGroupArn, Time};
use kernel::Row;
use serde::{Deserialize, Serialize};

use crate::activity::ActivityKey;
use crate::lifecycle::LifecycleAction;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub instance: InstanceId,
    pub group: GroupName,
    pub zone: String,
    pub subnet: SubnetId,
    pub instance_type: String,
    pub image: String,
    /// Version of the group's launch template that it came from; none of an attached instance.
    pub template: Option<MemberTemplate>,
    /// The launch configuration that it came from.
    #[serde(default)]
    pub configuration: Option<MemberConfiguration>,
    pub launched_at: Time,
    /// When it began to come into the group, where that is not its launch: out of the warm pool, or of standby.
    #[serde(default)]
    pub called_at: Option<Time>,
    /// When it entered service; its grace period begins then.
    pub in_service_at: Option<Time>,
    pub lifecycle: Lifecycle,
    /// How far the lifecycle hooks of its present transition are.
    #[serde(default)]
    pub hooks: Hooks,
    /// What these hooks still wait for.
    #[serde(default)]
    pub actions: Vec<LifecycleAction>,
    /// It goes from the warm pool into the group, or from the group into the pool.
    #[serde(default)]
    pub pooled: bool,
    pub health: Health,
    pub protected: bool,
    /// Launched to even out the zones: it counts only once it is in service.
    pub extra: bool,
    /// Target groups with which it was registered, or would have been if that were not suspended.
    pub handled: BTreeSet<TargetGroupArn>,
    /// It ends without waiting for requests under way, or for hooks.
    pub forced: bool,
    /// What is under way with it, told to the end when it is over.
    pub activity: Option<ActivityKey>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberTemplate {
    pub id: String,
    pub name: String,
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberConfiguration {
    pub name: String,
    pub created_at: Time,
}

/// Where an instance is in "Amazon EC2 Auto Scaling instance lifecycle" and, in a warm pool, in "Lifecycle state
/// transitions for instances in a warm pool". With [`Hooks`] it makes up AWS's state: see [`Member::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifecycle {
    Pending,
    InService,
    /// It finishes its requests and then stands by.
    EnteringStandby,
    Standby,
    Terminating,
    Detaching,
    /// It is made ready for the warm pool.
    WarmedPending,
    WarmedRunning,
    WarmedStopped,
    WarmedTerminating,
}

impl Lifecycle {
    /// Of the group's capacity, now or soon.
    pub fn serves(self) -> bool {
        matches!(self, Self::Pending | Self::InService)
    }

    /// Of the warm pool.
    pub fn is_warm(self) -> bool {
        matches!(self, Self::WarmedPending | Self::WarmedRunning | Self::WarmedStopped | Self::WarmedTerminating)
    }

    /// On its way out for good.
    pub fn is_ending(self) -> bool {
        matches!(self, Self::Terminating | Self::WarmedTerminating)
    }
}

/// How far the lifecycle hooks of a transition are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hooks {
    /// They have not begun.
    #[default]
    Ahead,
    Waiting,
    /// They are over.
    Done,
    /// This transition has none, as a return from standby.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    Healthy,
    /// As a user's `SetInstanceHealth` said, or a health check found.
    Unhealthy(Sickness),
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Unhealthy(_) => "Unhealthy",
        }
    }
}

/// Who found an instance unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sickness {
    /// It does not run.
    Ec2,
    /// A load balancer's checks fail.
    Elb,
    User,
}

/// What a member counts as when a group's size is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Pending,
    /// Pending, and one more than wanted until it serves.
    Extra,
    InService,
    /// In service and unhealthy: what must not be replaced stays.
    Unwell,
    Standby,
    /// Terminating or detaching.
    Leaving,
    /// Being made ready for the warm pool.
    Warming,
    /// Ready in the warm pool.
    Warm,
    WarmLeaving,
}

impl Class {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Extra => "extra",
            Self::InService => "in-service",
            Self::Unwell => "unwell",
            Self::Standby => "standby",
            Self::Leaving => "leaving",
            Self::Warming => "warming",
            Self::Warm => "warm",
            Self::WarmLeaving => "warm-leaving",
        }
    }

    /// The value of the indexes `class`, `zone` and `subnet`; `place` is empty for the whole group.
    pub(crate) fn of(self, group: &str, place: &str) -> String {
        format!("{group}\0{place}\0{}", self.as_str())
    }
}

impl Member {
    pub(crate) fn class(&self) -> Class {
        match (self.lifecycle, self.health) {
            (Lifecycle::Pending, _) if self.extra => Class::Extra,
            (Lifecycle::Pending, _) => Class::Pending,
            (Lifecycle::InService, Health::Healthy) => Class::InService,
            (Lifecycle::InService, Health::Unhealthy(_)) => Class::Unwell,
            (Lifecycle::EnteringStandby | Lifecycle::Standby, _) => Class::Standby,
            (Lifecycle::Terminating | Lifecycle::Detaching, _) => Class::Leaving,
            (Lifecycle::WarmedPending, _) => Class::Warming,
            (Lifecycle::WarmedRunning | Lifecycle::WarmedStopped, _) => Class::Warm,
            (Lifecycle::WarmedTerminating, _) => Class::WarmLeaving,
        }
    }

    /// The state in AWS's words.
    pub fn state(&self) -> &'static str {
        match (self.lifecycle, self.hooks) {
            (Lifecycle::Pending, Hooks::Waiting) => "Pending:Wait",
            (Lifecycle::Pending, Hooks::Done) => "Pending:Proceed",
            (Lifecycle::Pending, _) => "Pending",
            (Lifecycle::InService, _) => "InService",
            (Lifecycle::EnteringStandby, _) => "EnteringStandby",
            (Lifecycle::Standby, _) => "Standby",
            (Lifecycle::Terminating, Hooks::Waiting) => "Terminating:Wait",
            (Lifecycle::Terminating, Hooks::Done) => "Terminating:Proceed",
            (Lifecycle::Terminating, _) => "Terminating",
            (Lifecycle::Detaching, _) => "Detaching",
            (Lifecycle::WarmedPending, Hooks::Waiting) => "Warmed:Pending:Wait",
            (Lifecycle::WarmedPending, Hooks::Done) => "Warmed:Pending:Proceed",
            (Lifecycle::WarmedPending, _) => "Warmed:Pending",
            (Lifecycle::WarmedRunning, _) => "Warmed:Running",
            (Lifecycle::WarmedStopped, _) => "Warmed:Stopped",
            (Lifecycle::WarmedTerminating, Hooks::Waiting) => "Warmed:Terminating:Wait",
            (Lifecycle::WarmedTerminating, Hooks::Done) => "Warmed:Terminating:Proceed",
            (Lifecycle::WarmedTerminating, _) => "Warmed:Terminating",
        }
    }

    /// Begins another part of its life, whose hooks are ahead.
    pub(crate) fn turn(&mut self, lifecycle: Lifecycle) {
        self.lifecycle = lifecycle;
        self.hooks = Hooks::Ahead;
        self.actions.clear();
    }
}

impl Row for Member {
    const TABLE: &'static str = "autoscaling.instance";
    type Key = InstanceId;

    fn key(&self) -> InstanceId {
        self.instance.clone()
    }

    /// By group; and counted by class in the whole group, in a zone and in a subnet, so that a group's size is decided
    /// without a look at every instance.
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        let class = self.class();
        add("group", &self.group);
        add("type", &self.instance_type);
        add("class", &class.of(&self.group, ""));
        add("zone", &class.of(&self.group, &self.zone));
        add("subnet", &class.of(&self.group, &self.subnet));
    }
}
