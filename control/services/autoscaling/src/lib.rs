//! Amazon EC2 Auto Scaling: groups of instances that keep their size, their zones in balance and their health.
//!
//! It owns groups, which instances belong to them, and scaling activities. It launches and ends instances through
//! `ec2` and registers them through `elb`; their rows are theirs.

mod activity;
mod apply;
mod error;
mod forecast;
mod group;
mod group_metrics;
mod launch;
mod launch_configuration;
mod lifecycle;
mod member;
mod membership;
mod notifications;
mod operations;
mod plan;
mod policy;
mod reconcile;
mod refresh;
mod rolling;
mod schedule;
mod stack;
mod standby;
mod transitions;
mod warm_pool;

pub use activity::{Activity, Status};
pub use error::Error;
pub use group::{Group, HealthCheck, Process};
pub use group_metrics::{in_service, members_by_type};
pub use member::{Health, Lifecycle, Member};
pub use policy::Cooldown;
pub use refresh::{Refresh, RefreshStatus};
pub use warm_pool::WarmPool;

use kernel::Registry;

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    registry.table::<Group>();
    registry.table::<Member>();
    registry.table::<lifecycle::LifecycleHook>();
    registry.table::<warm_pool::WarmPool>();
    registry.table::<launch_configuration::LaunchConfiguration>();
    registry.table::<notifications::Notification>();
    registry.table::<Activity>();
    operations::register(registry);
    stack::register(registry);
    refresh::register(registry);
    policy::register(registry);
    schedule::register(registry);
    forecast::register(registry);
    group_metrics::register(registry);
    rolling::register(registry);
    reconcile::register(registry);
}
