//! CloudFormation resource types of Auto Scaling.

mod group;
mod launch_configuration;
mod lifecycle_hook;
mod parts;
mod policy;
mod policy_properties;
mod scheduled_action;
mod warm_pool;

use kernel::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.resource(group::AutoScalingGroup);
    registry.resource(launch_configuration::LaunchConfiguration);
    registry.resource(lifecycle_hook::LifecycleHook);
    registry.resource(policy::ScalingPolicy);
    registry.resource(scheduled_action::ScheduledAction);
    registry.resource(warm_pool::WarmPool);
}
