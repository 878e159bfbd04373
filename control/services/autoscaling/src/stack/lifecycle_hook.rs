//! `AWS::AutoScaling::LifecycleHook`. `Ref` gives the hook's name; where hooks of other groups in stacks have the same
//! name, the group's stands before it, for a stack knows its resources by this id alone.

use base::Fault;
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::error::Error;
use crate::lifecycle::{self, HookChange, HookKey, LifecycleHook as Hook};
use crate::transitions::find_group;

const NAME_CHARS_MAX: usize = 255;

pub(super) struct LifecycleHook;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    auto_scaling_group_name: String,
    lifecycle_hook_name: Option<String>,
    lifecycle_transition: String,
    default_result: Option<String>,
    heartbeat_timeout: Option<i64>,
    notification_metadata: Option<String>,
    #[serde(rename = "NotificationTargetARN")]
    target: Option<String>,
    #[serde(rename = "RoleARN")]
    role: Option<String>,
}

impl Properties {
    fn of(json: &Json) -> Result<Self, Error> {
        serde_json::from_value(json.clone()).map_err(|e| Error::Invalid(format!("Properties validation failed: {e}")))
    }

    fn change(self) -> HookChange {
        HookChange {
            transition: Some(self.lifecycle_transition),
            heartbeat_s: self.heartbeat_timeout,
            default_result: self.default_result,
            target: self.target,
            role: self.role,
            metadata: self.notification_metadata,
        }
    }
}

fn key_of(state: &State, physical_id: &str) -> Option<HookKey> {
    state.rows_where::<Hook>("physical", physical_id).next().map(|h| h.key.clone())
}

impl StackResource for LifecycleHook {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::LifecycleHook"
    }

    fn schema(&self) -> &'static str {
        include_str!("lifecycle_hook.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = Properties::of(request.properties)?;
        let name = properties.lifecycle_hook_name.clone().unwrap_or_else(|| request.physical_name(cx, NAME_CHARS_MAX));
        let group = properties.auto_scaling_group_name.clone();
        let key = HookKey(find_group(tx, &group)?.name.clone(), name.clone());
        if tx.get::<Hook>(&key).is_some() {
            return Err(Error::Invalid(format!("The group {group} already has a lifecycle hook named {name}.")).into());
        }
        lifecycle::put_hook(tx, cx, &group, &name, properties.change())?;
        let physical_id = if key_of(tx, &name).is_none() { name } else { format!("{}|{name}", key.0) };
        tx.update::<Hook>(&key, |h| h.physical_id = Some(physical_id.clone()));
        Ok(physical_id)
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let properties = Properties::of(request.properties)?;
        let key = key_of(tx, physical_id).ok_or_else(|| Error::Invalid(format!("The hook {physical_id} is gone")))?;
        lifecycle::put_hook(tx, cx, &key.0, &key.1, properties.change().or_defaults())?;
        Ok(())
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        if let Some(HookKey(group, name)) = key_of(tx, physical_id)
            && find_group(tx, &group).is_ok()
        {
            lifecycle::delete_hook(tx, cx, &group, &name)?;
        }
        Ok(Progress::Ready)
    }

    fn attribute(&self, _: &State, _: &Cx, _: &str, name: &str) -> Result<Json, Fault> {
        Err(Error::Invalid(format!("A lifecycle hook has no attribute {name}")).into())
    }
}
