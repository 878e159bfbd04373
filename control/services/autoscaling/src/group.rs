//! The row of an Auto Scaling group: what its owner wants, and what launches have taught.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{GroupName, LaunchTemplateId, SubnetId, TargetGroupArn, Time};
use kernel::Row;
use serde::{Deserialize, Serialize};

/// Most groups of a region, as AWS's quota.
pub const GROUPS_MAX: usize = 500;
/// Most instances that a group may want.
pub const SIZE_MAX: u32 = 10_000;
/// Most target groups of a group, as AWS's quota.
pub const TARGET_GROUPS_MAX: usize = 50;
/// Most tags of a group.
pub const TAGS_MAX: usize = 50;
/// An instance that dies within this time of entering service has died early.
pub(crate) const EARLY_DEATH: Duration = Duration::from_secs(30);
/// So many early deaths in a zone are replaced at once.
const EARLY_DEATHS_FREE: u32 = 3;
const EARLY_DEATH_WAIT_MAX: Duration = Duration::from_secs(60);
/// A zone where nothing failed for so long starts anew.
const FAILURE_FORGOTTEN: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub name: GroupName,
    pub arn: String,
    pub created_at: Time,
    /// Empty in a group that launches from a launch configuration.
    pub template: TemplateChoice,
    #[serde(default)]
    pub launch_configuration: Option<String>,
    pub min_size: u32,
    pub max_size: u32,
    pub desired_capacity: u32,
    /// Instances that it may have above its desired capacity for a while: an instance refresh launches before it ends.
    #[serde(default)]
    pub surplus: u32,
    /// Zones in order of name.
    pub zones: Vec<String>,
    /// `VPCZoneIdentifier`; empty when default subnets of the zones are meant.
    pub subnets: Vec<SubnetId>,
    pub health_check: HealthCheck,
    pub grace_s: u32,
    /// For simple scaling policies that say none ("Scaling cooldowns").
    pub default_cooldown_s: u32,
    /// "Set the default instance warmup for an Auto Scaling group".
    pub default_instance_warmup_s: Option<u32>,
    /// How many instances must and may be there while some are replaced.
    #[serde(default)]
    pub maintenance: Option<MaintenancePolicy>,
    pub target_groups: Vec<TargetGroupArn>,
    /// Detached, and instances still drain from them.
    pub detaching: BTreeSet<TargetGroupArn>,
    pub termination_policies: Vec<TerminationPolicy>,
    pub protects_new: bool,
    /// A record: only Spot Instances are at risk of being taken away ("Capacity Rebalancing in Auto Scaling to replace at-risk
    /// Spot Instances"), and there are none here.
    pub capacity_rebalance: bool,
    pub suspended: BTreeMap<Process, Time>,
    pub tags: BTreeMap<String, GroupTag>,
    pub context: Option<String>,
    pub service_linked_role: String,
    /// Unhealthy instances that were taken out and not made up for yet.
    #[serde(default)]
    pub replacing: u32,
    /// Instances older than this are replaced.
    #[serde(default)]
    pub max_instance_lifetime_s: Option<u32>,
    /// Being deleted with all its instances.
    pub deleting: bool,
    /// While it is deleted, instances may finish their requests.
    pub drains: bool,
    /// The last request that changed the capacity, for the activities that follow from it.
    pub request: Option<String>,
    /// Zones in which launches fail, and until when no other is tried.
    pub failing: BTreeMap<String, ZoneFailure>,
    /// Launches that failed since one last succeeded, and what the last one said.
    pub failures: u32,
    pub last_failure: Option<String>,
}

impl Row for Group {
    const TABLE: &'static str = "autoscaling.group";
    type Key = GroupName;

    fn key(&self) -> GroupName {
        self.name.clone()
    }
}

impl Group {
    /// Keeps the wanted capacity within the bounds, as AWS does when a bound moves past it.
    pub(crate) fn clamp(&mut self) {
        self.desired_capacity = self.desired_capacity.clamp(self.min_size, self.max_size.max(self.min_size));
    }

    /// A launch in the zone has failed; the next one there waits longer. Several of one batch count once.
    pub(crate) fn note_failure(&mut self, zone: &str, reason: &str, now: Time) {
        self.last_failure = Some(reason.into());
        let failure = self.failure_in(zone, now);
        if failure.retry_at <= now {
            failure.launches = failure.launches.saturating_add(1);
            failure.retry_at = now + backoff(failure.launches);
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// An instance has died soon after it came up: after a few in a row the next launch in its zone waits, so that
    /// machines that cannot live are not started over and over.
    pub(crate) fn note_early_death(&mut self, zone: &str, now: Time) {
        let failure = self.failure_in(zone, now);
        if failure.retry_at <= now {
            failure.deaths = failure.deaths.saturating_add(1);
            let above = failure.deaths.saturating_sub(EARLY_DEATHS_FREE);
            if above > 0 {
                failure.retry_at = now + backoff(above).min(EARLY_DEATH_WAIT_MAX);
            }
        }
    }

    /// A launch in the zone has succeeded.
    pub(crate) fn note_success(&mut self, zone: &str, now: Time) {
        if let Some(failure) = self.failing.get_mut(zone)
            && failure.launches > 0
        {
            failure.launches = 0;
            failure.retry_at = now;
        }
        self.failing.retain(|_, f| f.launches > 0 || f.deaths > 0);
        self.failures = 0;
        self.last_failure = None;
    }

    fn failure_in(&mut self, zone: &str, now: Time) -> &mut ZoneFailure {
        let none = ZoneFailure { launches: 0, deaths: 0, last_at: now, retry_at: now };
        let failure = self.failing.entry(zone.into()).or_insert_with(|| none.clone());
        if now >= failure.last_at + FAILURE_FORGOTTEN && now >= failure.retry_at {
            *failure = none;
        }
        failure.last_at = now;
        failure
    }
}

/// 2 s after the first failed launch, twice as long after each further one, five minutes at most.
fn backoff(failures: u32) -> Duration {
    const SECONDS_MAX: u64 = 300;
    Duration::from_secs(1_u64.checked_shl(failures.min(16)).unwrap_or(SECONDS_MAX).min(SECONDS_MAX))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneFailure {
    /// Launches that failed, one after the other.
    pub launches: u32,
    /// Instances that died soon after they came up.
    pub deaths: u32,
    pub last_at: Time,
    /// No launch there before.
    pub retry_at: Time,
}

/// `InstanceMaintenancePolicy`: the least and the most instances in percent of the desired capacity while some are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenancePolicy {
    pub min_percent: u32,
    pub max_percent: u32,
}

/// The launch template of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateChoice {
    pub id: LaunchTemplateId,
    pub name: String,
    /// As it was given: `$Latest`, `$Default` or a number; the default version when absent.
    pub version: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthCheck {
    #[serde(rename = "EC2")]
    Ec2,
    #[serde(rename = "ELB")]
    Elb,
}

impl HealthCheck {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Elb => "ELB",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTag {
    pub value: String,
    pub propagate_at_launch: bool,
}

/// What a group does by itself ("Suspend and resume Amazon EC2 Auto Scaling processes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Process {
    Launch,
    Terminate,
    AddToLoadBalancer,
    AlarmNotification,
    #[serde(rename = "AZRebalance")]
    AzRebalance,
    HealthCheck,
    InstanceRefresh,
    ReplaceUnhealthy,
    ScheduledActions,
}

impl Process {
    pub const ALL: [Process; 9] = [
        Process::Launch,
        Process::Terminate,
        Process::AddToLoadBalancer,
        Process::AlarmNotification,
        Process::AzRebalance,
        Process::HealthCheck,
        Process::InstanceRefresh,
        Process::ReplaceUnhealthy,
        Process::ScheduledActions,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "Launch",
            Self::Terminate => "Terminate",
            Self::AddToLoadBalancer => "AddToLoadBalancer",
            Self::AlarmNotification => "AlarmNotification",
            Self::AzRebalance => "AZRebalance",
            Self::HealthCheck => "HealthCheck",
            Self::InstanceRefresh => "InstanceRefresh",
            Self::ReplaceUnhealthy => "ReplaceUnhealthy",
            Self::ScheduledActions => "ScheduledActions",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}

/// Which instance goes first when the group shrinks ("Configure termination policies").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TerminationPolicy {
    Default,
    OldestInstance,
    NewestInstance,
    ClosestToNextInstanceHour,
    OldestLaunchTemplate,
    /// Every instance comes from a launch template, so it tells none apart.
    OldestLaunchConfiguration,
    /// Instances of a group differ in nothing that it could allocate, so it tells none apart.
    AllocationStrategy,
}

impl TerminationPolicy {
    pub const ALL: [TerminationPolicy; 7] = [
        TerminationPolicy::Default,
        TerminationPolicy::OldestInstance,
        TerminationPolicy::NewestInstance,
        TerminationPolicy::ClosestToNextInstanceHour,
        TerminationPolicy::OldestLaunchTemplate,
        TerminationPolicy::OldestLaunchConfiguration,
        TerminationPolicy::AllocationStrategy,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::OldestInstance => "OldestInstance",
            Self::NewestInstance => "NewestInstance",
            Self::ClosestToNextInstanceHour => "ClosestToNextInstanceHour",
            Self::OldestLaunchTemplate => "OldestLaunchTemplate",
            Self::OldestLaunchConfiguration => "OldestLaunchConfiguration",
            Self::AllocationStrategy => "AllocationStrategy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}
