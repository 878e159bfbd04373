//! Scaling activities: what a group did, when and why, in AWS's words ("Verify a scaling activity").

use std::fmt;

use base::{GroupName, InstanceId, Time};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

/// Activities kept for each group, the newest ones; AWS keeps six weeks.
pub const ACTIVITIES_MAX: usize = 500;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    pub key: ActivityKey,
    /// A UUID.
    pub id: String,
    pub description: String,
    pub cause: String,
    pub started_at: Time,
    pub ended_at: Option<Time>,
    pub status: Status,
    pub message: Option<String>,
    /// JSON with zone and subnet.
    pub details: String,
}

/// Group and running number: activities of a group in the order of their start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActivityKey(pub GroupName, pub u64);

impl fmt::Display for ActivityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    PreInService,
    InProgress,
    /// Requests under way at the instance are let finish.
    WaitingForElbConnectionDraining,
    /// A hook holds an instance that comes.
    MidLifecycleAction,
    /// A hook holds an instance that goes.
    MidTerminatingLifecycleAction,
    Successful,
    Failed,
    Cancelled,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreInService => "PreInService",
            Self::InProgress => "InProgress",
            Self::WaitingForElbConnectionDraining => "WaitingForELBConnectionDraining",
            Self::MidLifecycleAction => "MidLifecycleAction",
            Self::MidTerminatingLifecycleAction => "MidTerminatingLifecycleAction",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Percent, as AWS shows it.
    pub fn progress(self) -> i64 {
        match self {
            Self::PreInService => 25,
            Self::InProgress | Self::WaitingForElbConnectionDraining => 50,
            Self::MidLifecycleAction | Self::MidTerminatingLifecycleAction => 60,
            Self::Successful | Self::Failed | Self::Cancelled => 100,
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Successful | Self::Failed | Self::Cancelled)
    }
}

impl Row for Activity {
    const TABLE: &'static str = "autoscaling.activity";
    type Key = ActivityKey;

    fn key(&self) -> ActivityKey {
        self.key.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.key.0);
        if self.status.is_over() {
            add("over", &self.key.0);
        }
    }
}

/// What an activity begins with.
pub(crate) struct Beginning<'a> {
    pub(crate) group: &'a GroupName,
    pub(crate) description: String,
    pub(crate) cause: String,
    pub(crate) status: Status,
    pub(crate) zone: &'a str,
    pub(crate) subnet: Option<&'a str>,
}

/// Notes the start of something; forgets the oldest that is over when there are too many.
pub(crate) fn begin(tx: &mut Tx, cx: &Cx, beginning: Beginning) -> ActivityKey {
    let key = ActivityKey(beginning.group.clone(), tx.next_sequence());
    let mut details = serde_json::Map::new();
    if let Some(subnet) = beginning.subnet {
        details.insert("Subnet ID".into(), subnet.into());
    }
    details.insert("Availability Zone".into(), beginning.zone.into());
    tx.put(Activity {
        key: key.clone(),
        id: cx.rng().uuid(),
        description: beginning.description,
        cause: beginning.cause,
        started_at: cx.now,
        ended_at: beginning.status.is_over().then_some(cx.now),
        status: beginning.status,
        message: None,
        details: serde_json::Value::Object(details).to_string(),
    });
    if tx.count_where::<Activity>("group", beginning.group) > ACTIVITIES_MAX {
        let oldest = tx.rows_where::<Activity>("over", beginning.group).next().map(Row::key);
        if let Some(oldest) = oldest {
            tx.remove::<Activity>(&oldest);
        }
    }
    key
}

/// Moves an activity on.
pub(crate) fn move_on(tx: &mut Tx, cx: &Cx, key: &ActivityKey, status: Status) {
    tx.update::<Activity>(key, |a| {
        if !a.status.is_over() {
            a.status = status;
            a.ended_at = status.is_over().then_some(cx.now);
        }
    });
}

/// Ends an activity without success.
pub(crate) fn fail(tx: &mut Tx, cx: &Cx, key: &ActivityKey, status: Status, message: &str) {
    move_on(tx, cx, key, status);
    tx.update::<Activity>(key, |a| {
        a.message = Some(message.into());
        a.description = format!("{}.  Status Reason: {message}", a.description.trim_end_matches('.'));
    });
}

/// Activities of a group that are under way.
pub(crate) fn under_way<'a>(state: &'a State, group: &GroupName) -> impl Iterator<Item = &'a Activity> {
    state.rows_where::<Activity>("group", group).filter(|a| !a.status.is_over())
}

/// The sentences that AWS writes as causes. `now` stands at the head of each.
pub(crate) mod text {
    use super::{InstanceId, Time};

    pub(crate) fn created(now: Time, desired: u32) -> String {
        let at = now.iso8601_s();
        format!("At {at} a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}.")
    }

    pub(crate) fn updated(now: Time, (min, max): (u32, u32), from: u32, to: u32) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} a user request update of AutoScalingGroup constraints to min: {min}, max: {max}, desired: {to} changing the desired capacity from {from} to {to}."
        )
    }

    pub(crate) fn desired_set(now: Time, from: u32, to: u32) -> String {
        let at = now.iso8601_s();
        format!("At {at} a user request explicitly set group desired capacity changing the desired capacity from {from} to {to}.")
    }

    pub(crate) fn deleted(now: Time, from: u32) -> String {
        let at = now.iso8601_s();
        format!("At {at} a user request force deleted AutoScalingGroup changing the desired capacity from {from} to 0.")
    }

    pub(crate) fn grown(now: Time, from: usize, to: usize) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} an instance was started in response to a difference between desired and actual capacity, increasing the capacity from {from} to {to}."
        )
    }

    pub(crate) fn shrunk(now: Time, from: usize, to: usize) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from {from} to {to}."
        )
    }

    pub(crate) fn selected(now: Time, instance: &InstanceId) -> String {
        format!("At {} instance {instance} was selected for termination.", now.iso8601_s())
    }

    pub(crate) fn replacing(now: Time) -> String {
        format!("At {} an instance was launched in response to an unhealthy instance needing to be replaced.", now.iso8601_s())
    }

    pub(crate) fn balancing(now: Time, short: &str) -> String {
        format!(
            "At {} instances were launched to balance instances in zones {short} with other zones resulting in more than desired number of instances in the group.",
            now.iso8601_s()
        )
    }

    pub(crate) fn sick_ec2(now: Time) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped."
        )
    }

    pub(crate) fn sick_elb(now: Time) -> String {
        let at = now.iso8601_s();
        format!("At {at} an instance was taken out of service in response to an ELB system health check failure.")
    }

    pub(crate) fn sick_user(now: Time) -> String {
        format!("At {} an instance was taken out of service in response to a user health-check.", now.iso8601_s())
    }

    pub(crate) fn abandoned(now: Time, instance: &InstanceId, hook: &str) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} instance {instance} was taken out of service because its lifecycle action of the hook {hook} was abandoned."
        )
    }

    pub(crate) fn out_of_standby(now: Time, instance: &InstanceId, from: u32, to: u32) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} instance {instance} was moved out of standby in response to a user request, increasing the capacity from {from} to {to}."
        )
    }

    pub(crate) fn expired(now: Time) -> String {
        let at = now.iso8601_s();
        format!("At {at} an instance was taken out of service in response to the maximum instance lifetime of the group.")
    }

    pub(crate) fn unbalanced(now: Time) -> String {
        let at = now.iso8601_s();
        format!("At {at} an instance was taken out of service to balance instances in its zone with other zones.")
    }

    pub(crate) fn renewing(now: Time) -> String {
        let at = now.iso8601_s();
        format!("At {at} an instance was launched in response to the maximum instance lifetime of the group.")
    }

    pub(crate) fn prepared(now: Time) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} an instance was launched in response to a difference between the wanted and the actual size of the warm pool."
        )
    }

    pub(crate) fn pool_shrunk(now: Time) -> String {
        let at = now.iso8601_s();
        format!(
            "At {at} an instance was taken out of the warm pool in response to a difference between its wanted and its actual size."
        )
    }

    pub(crate) fn launch_failed(now: Time) -> String {
        format!("At {} an instance was taken out of service because its launch failed.", now.iso8601_s())
    }

    pub(crate) fn refreshed(now: Time, instance: &InstanceId) -> String {
        let at = now.iso8601_s();
        let refreshed = format!("At {at} an instance was taken out of service in response to an instance refresh.");
        join([refreshed, selected(now, instance)])
    }

    /// `verb`: `taken out of service`, `detached`, ...; `sizes`: the capacity before and after, when it changes.
    pub(crate) fn user_request(now: Time, instance: &InstanceId, verb: &str, sizes: Option<(u32, u32)>) -> String {
        let at = now.iso8601_s();
        match sizes {
            None => format!("At {at} instance {instance} was {verb} in response to a user request."),
            Some((from, to)) => {
                format!(
                    "At {at} instance {instance} was {verb} in response to a user request, shrinking the capacity from {from} to {to}."
                )
            }
        }
    }

    pub(crate) fn attached(now: Time, from: u32, to: u32) -> String {
        let at = now.iso8601_s();
        format!("At {at} an instance was attached in response to a user request, increasing the capacity from {from} to {to}.")
    }

    /// Sentences joined as AWS does.
    pub(crate) fn join(sentences: impl IntoIterator<Item = String>) -> String {
        sentences.into_iter().collect::<Vec<_>>().join("  ")
    }
}
