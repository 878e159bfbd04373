//! Lifecycle hooks and actions.

use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::autoscaling as s;

use crate::error::Error;
use crate::lifecycle::{self, HookChange, LifecycleHook, Named, Transition};
use crate::transitions::find_group;

pub(crate) fn put(tx: &mut Tx, cx: &Cx, input: s::PutLifecycleHookType) -> Result<s::PutLifecycleHookAnswer, Fault> {
    let change = HookChange {
        transition: input.lifecycle_transition,
        heartbeat_s: input.heartbeat_timeout,
        default_result: input.default_result,
        target: input.notification_target_arn,
        role: input.role_arn,
        metadata: input.notification_metadata,
    };
    lifecycle::put_hook(tx, cx, &input.auto_scaling_group_name, &input.lifecycle_hook_name, change)?;
    Ok(s::PutLifecycleHookAnswer {})
}

/// The hooks that a group is created with, or that a stack's group has from now on.
pub(crate) fn put_all(tx: &mut Tx, cx: &Cx, group: &str, hooks: Vec<s::LifecycleHookSpecification>) -> Result<(), Error> {
    for hook in hooks {
        let change = HookChange {
            transition: Some(hook.lifecycle_transition),
            heartbeat_s: hook.heartbeat_timeout,
            default_result: hook.default_result,
            target: hook.notification_target_arn,
            role: hook.role_arn,
            metadata: hook.notification_metadata,
        };
        lifecycle::put_hook(tx, cx, group, &hook.lifecycle_hook_name, change.or_defaults())?;
    }
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx, cx: &Cx, input: s::DeleteLifecycleHookType) -> Result<s::DeleteLifecycleHookAnswer, Fault> {
    lifecycle::delete_hook(tx, cx, &input.auto_scaling_group_name, &input.lifecycle_hook_name)?;
    Ok(s::DeleteLifecycleHookAnswer {})
}

pub(crate) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeLifecycleHooksType,
) -> Result<s::DescribeLifecycleHooksAnswer, Fault> {
    let state: &State = tx;
    let group = &find_group(state, &input.auto_scaling_group_name)?.name;
    let named = |h: &&LifecycleHook| input.lifecycle_hook_names.is_empty() || input.lifecycle_hook_names.contains(&h.key.1);
    let lifecycle_hooks = state.rows_where::<LifecycleHook>("group", group).filter(named).map(answer).collect();
    Ok(s::DescribeLifecycleHooksAnswer { lifecycle_hooks })
}

fn answer(hook: &LifecycleHook) -> s::LifecycleHook {
    s::LifecycleHook {
        lifecycle_hook_name: Some(hook.key.1.clone()),
        auto_scaling_group_name: Some(hook.key.0.to_string()),
        lifecycle_transition: Some(hook.transition.as_str().into()),
        notification_target_arn: hook.target.clone(),
        role_arn: hook.role.clone(),
        notification_metadata: hook.metadata.clone(),
        heartbeat_timeout: Some(hook.heartbeat_s.into()),
        global_timeout: Some(hook.global_s().into()),
        default_result: Some(hook.default_result.as_str().into()),
    }
}

pub(crate) fn describe_types(_: &mut Tx, _: &Cx, (): ()) -> Result<s::DescribeLifecycleHookTypesAnswer, Fault> {
    let lifecycle_hook_types = Transition::ALL.into_iter().map(|t| t.as_str().into()).collect();
    Ok(s::DescribeLifecycleHookTypesAnswer { lifecycle_hook_types })
}

pub(crate) fn complete(
    tx: &mut Tx,
    cx: &Cx,
    input: s::CompleteLifecycleActionType,
) -> Result<s::CompleteLifecycleActionAnswer, Fault> {
    let named = Named { token: input.lifecycle_action_token, instance: input.instance_id.map(Into::into) };
    let (group, hook) = (&input.auto_scaling_group_name, &input.lifecycle_hook_name);
    lifecycle::complete(tx, cx, group, hook, &named, &input.lifecycle_action_result)?;
    Ok(s::CompleteLifecycleActionAnswer {})
}

pub(crate) fn heartbeat(
    tx: &mut Tx,
    cx: &Cx,
    input: s::RecordLifecycleActionHeartbeatType,
) -> Result<s::RecordLifecycleActionHeartbeatAnswer, Fault> {
    let named = Named { token: input.lifecycle_action_token, instance: input.instance_id.map(Into::into) };
    lifecycle::heartbeat(tx, cx, &input.auto_scaling_group_name, &input.lifecycle_hook_name, &named)?;
    Ok(s::RecordLifecycleActionHeartbeatAnswer {})
}
