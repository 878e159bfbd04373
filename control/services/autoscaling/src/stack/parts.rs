//! What stands inside a group's resource and is a thing of its own: lifecycle hooks and notifications.

use base::{Fault, GroupName};
use kernel::{Cx, Tx};
use serde::Deserialize;
use shapes::autoscaling as s;

use crate::error::Error;
use crate::group::MaintenancePolicy;
use crate::lifecycle;
use crate::notifications;
use crate::operations::{groups, hooks};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct Parts {
    instance_maintenance_policy: Option<Maintenance>,
    lifecycle_hook_specification_list: Vec<Hook>,
    notification_configurations: Vec<Notification>,
    notification_configuration: Option<Notification>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Maintenance {
    min_healthy_percentage: Option<i64>,
    max_healthy_percentage: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Hook {
    lifecycle_hook_name: String,
    lifecycle_transition: String,
    heartbeat_timeout: Option<i64>,
    default_result: Option<String>,
    notification_metadata: Option<String>,
    #[serde(rename = "NotificationTargetARN")]
    notification_target_arn: Option<String>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    #[serde(default)]
    notification_types: Vec<String>,
    #[serde(rename = "TopicARN")]
    topic: String,
}

impl Parts {
    /// `InstanceMaintenancePolicy`; absent takes it away.
    pub(super) fn maintenance(&self) -> Result<Option<MaintenancePolicy>, Error> {
        let shape = self.instance_maintenance_policy.as_ref().map(|p| s::InstanceMaintenancePolicy {
            min_healthy_percentage: p.min_healthy_percentage,
            max_healthy_percentage: p.max_healthy_percentage,
        });
        Ok(groups::maintenance(shape)?.flatten())
    }

    /// Puts what differs from before, and takes away what is no longer there.
    pub(super) fn put(&self, tx: &mut Tx, cx: &Cx, name: &GroupName, before: &Parts) -> Result<(), Fault> {
        let named = |hook: &Hook| {
            self.lifecycle_hook_specification_list.iter().any(|h| h.lifecycle_hook_name == hook.lifecycle_hook_name)
        };
        for gone in before.lifecycle_hook_specification_list.iter().filter(|h| !named(h)) {
            // A user may have deleted it meanwhile.
            let _ = tx.attempt(|tx| lifecycle::delete_hook(tx, cx, name, &gone.lifecycle_hook_name));
        }
        let changed =
            self.lifecycle_hook_specification_list.iter().filter(|h| !before.lifecycle_hook_specification_list.contains(h));
        let shapes = changed.cloned().map(|h| s::LifecycleHookSpecification {
            lifecycle_hook_name: h.lifecycle_hook_name,
            lifecycle_transition: h.lifecycle_transition,
            notification_metadata: h.notification_metadata,
            heartbeat_timeout: h.heartbeat_timeout,
            default_result: h.default_result,
            notification_target_arn: h.notification_target_arn,
            role_arn: h.role_arn,
        });
        hooks::put_all(tx, cx, name, shapes.collect())?;
        let stays = |topic: &String| self.notifications().any(|n| n.topic == *topic);
        for gone in before.notifications().map(|n| &n.topic).filter(|t| !stays(t)) {
            let _ = tx.attempt(|tx| notifications::delete_notification(tx, name, gone));
        }
        for notification in self.notifications().filter(|n| before.notifications().all(|old| old != *n)) {
            notifications::put_notification(tx, cx, name, &notification.topic, &notification.notification_types)?;
        }
        Ok(())
    }

    fn notifications(&self) -> impl Iterator<Item = &Notification> {
        self.notification_configurations.iter().chain(&self.notification_configuration)
    }
}
