//! The row of an instance in a group. The instance itself is EC2's.

use std::collections::BTreeSet;

use base::{GroupName, InstanceId, SubnetId, TargetGroupArn, Time};
use kernel::Row;
use serde::{Deserialize, Serialize};

use crate::activity::ActivityKey;

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
    pub launched_at: Time,
    /// When it entered service; its grace period begins then.
    pub in_service_at: Option<Time>,
    pub lifecycle: Lifecycle,
    pub health: Health,
    pub protected: bool,
    /// Launched to even out the zones: it counts only once it is in service.
    pub extra: bool,
    /// Target groups with which it was registered, or would have been if that were not suspended.
    pub handled: BTreeSet<TargetGroupArn>,
    /// It ends without waiting for requests under way.
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

/// States of "Amazon EC2 Auto Scaling instance lifecycle".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifecycle {
    Pending,
    InService,
    Terminating,
    Detaching,
}

impl Lifecycle {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
            Self::Detaching => "Detaching",
        }
    }
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

impl Row for Member {
    const TABLE: &'static str = "autoscaling.instance";
    type Key = InstanceId;

    fn key(&self) -> InstanceId {
        self.instance.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.group);
    }
}
