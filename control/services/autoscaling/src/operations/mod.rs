//! The API: validates typed requests, calls transitions, builds typed answers.

mod describe;
mod group_metrics;
pub(crate) mod groups;
pub(crate) mod hooks;
mod instances;
pub(crate) mod launch_configurations;
mod notifications;
mod policies;
mod refresh;
pub(crate) mod schedules;
mod standby;
mod tags;
pub(crate) mod traffic;
mod warm_pools;

use base::{Fault, GroupName};
use kernel::{Page, Registry, page};
use shapes::autoscaling::ops;

use crate::error::Error;

/// Results of one page where the request does not say.
const PAGE_DEFAULT: usize = 50;
/// Most results of one page.
const PAGE_MAX: usize = 100;

pub(crate) fn register(registry: &mut Registry) {
    policies::register(registry);
    schedules::register(registry);
    group_metrics::register(registry);
    registry.operation::<ops::CreateAutoScalingGroup>(groups::create);
    registry.operation::<ops::UpdateAutoScalingGroup>(groups::update);
    registry.operation::<ops::DeleteAutoScalingGroup>(groups::delete);
    registry.operation::<ops::SetDesiredCapacity>(groups::set_desired_capacity);
    registry.operation::<ops::SuspendProcesses>(groups::suspend);
    registry.operation::<ops::ResumeProcesses>(groups::resume);
    registry.operation::<ops::DescribeAutoScalingGroups>(describe::groups);
    registry.operation::<ops::DescribeAutoScalingInstances>(describe::instances);
    registry.operation::<ops::DescribeScalingActivities>(describe::activities);
    registry.operation::<ops::DescribeAccountLimits>(describe::account_limits);
    registry.operation::<ops::StartInstanceRefresh>(refresh::start);
    registry.operation::<ops::CancelInstanceRefresh>(refresh::cancel);
    registry.operation::<ops::RollbackInstanceRefresh>(refresh::roll_back);
    registry.operation::<ops::DescribeInstanceRefreshes>(refresh::describe);
    registry.operation::<ops::CreateLaunchConfiguration>(launch_configurations::create);
    registry.operation::<ops::DescribeLaunchConfigurations>(launch_configurations::describe);
    registry.operation::<ops::DeleteLaunchConfiguration>(launch_configurations::delete);
    registry.operation::<ops::PutLifecycleHook>(hooks::put);
    registry.operation::<ops::DeleteLifecycleHook>(hooks::delete);
    registry.operation::<ops::DescribeLifecycleHooks>(hooks::describe);
    registry.operation::<ops::DescribeLifecycleHookTypes>(hooks::describe_types);
    registry.operation::<ops::CompleteLifecycleAction>(hooks::complete);
    registry.operation::<ops::RecordLifecycleActionHeartbeat>(hooks::heartbeat);
    registry.operation::<ops::EnterStandby>(standby::enter);
    registry.operation::<ops::ExitStandby>(standby::exit);
    registry.operation::<ops::PutWarmPool>(warm_pools::put);
    registry.operation::<ops::DescribeWarmPool>(warm_pools::describe);
    registry.operation::<ops::DeleteWarmPool>(warm_pools::delete);
    registry.operation::<ops::PutNotificationConfiguration>(notifications::put);
    registry.operation::<ops::DeleteNotificationConfiguration>(notifications::delete);
    registry.operation::<ops::DescribeNotificationConfigurations>(notifications::describe);
    registry.operation::<ops::DescribeAutoScalingNotificationTypes>(notifications::describe_types);
    registry.operation::<ops::DescribeScalingProcessTypes>(describe::process_types);
    registry.operation::<ops::DescribeTerminationPolicyTypes>(describe::termination_policy_types);
    registry.operation::<ops::AttachInstances>(instances::attach);
    registry.operation::<ops::DetachInstances>(instances::detach);
    registry.operation::<ops::TerminateInstanceInAutoScalingGroup>(instances::terminate);
    registry.operation::<ops::SetInstanceHealth>(instances::set_health);
    registry.operation::<ops::SetInstanceProtection>(instances::set_protection);
    registry.operation::<ops::AttachLoadBalancerTargetGroups>(traffic::attach_target_groups);
    registry.operation::<ops::DetachLoadBalancerTargetGroups>(traffic::detach_target_groups);
    registry.operation::<ops::DescribeLoadBalancerTargetGroups>(traffic::describe_target_groups);
    registry.operation::<ops::AttachTrafficSources>(traffic::attach);
    registry.operation::<ops::DetachTrafficSources>(traffic::detach);
    registry.operation::<ops::DescribeTrafficSources>(traffic::describe);
    registry.operation::<ops::CreateOrUpdateTags>(tags::create_or_update);
    registry.operation::<ops::DeleteTags>(tags::delete);
    registry.operation::<ops::DescribeTags>(tags::describe);
}

/// A page of a listing, as every describe call here cuts it.
fn cut<T>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    max_records: Option<i64>,
) -> Result<Page<T>, Fault> {
    let max = match max_records {
        None => PAGE_DEFAULT,
        Some(max) => match usize::try_from(max) {
            Ok(max) if (1..=PAGE_MAX).contains(&max) => max,
            _ => return Err(Error::Invalid(format!("MaxRecords must be 1 to {PAGE_MAX}, not {max}.")).into()),
        },
    };
    page(items, key, token.filter(|t| !t.is_empty()), max, || Error::InvalidNextToken.into())
}

/// A number of a request that must not be negative.
fn number(parameter: &str, value: i64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Error::Invalid(format!("{parameter} must be 0 to {}, not {value}.", u32::MAX)))
}

/// The name of a group out of a name or an ARN.
fn short_name(name: &str) -> GroupName {
    name.split_once(":autoScalingGroupName/").map_or(name, |(_, short)| short).into()
}
