//! Amazon EC2 Auto Scaling: groups of instances that keep their size, their zones in balance and their health.
//!
//! It owns groups, which instances belong to them, and scaling activities. It launches and ends instances through
//! `ec2` and registers them through `elb`; their rows are theirs.

mod activity;
mod apply;
mod error;
mod group;
mod lifecycle;
mod member;
mod membership;
mod operations;
mod plan;
mod reconcile;
mod refresh;
mod select;
mod stack;
mod transitions;

pub use activity::{Activity, Status};
pub use error::Error;
pub use group::{Group, HealthCheck, Process};
pub use member::{Health, Lifecycle, Member};
pub use refresh::{Refresh, RefreshStatus};

use kernel::Registry;

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    registry.table::<Group>();
    registry.table::<Member>();
    registry.table::<lifecycle::LifecycleHook>();
    registry.table::<Activity>();
    operations::register(registry);
    stack::register(registry);
    refresh::register(registry);
    registry.reconciler("autoscaling.group", reconcile::reconcile);
    registry.watch::<Group>("autoscaling.group", |_, group, due| due.push(group.name.to_string()));
    registry.watch::<Member>("autoscaling.group", |_, member, due| due.push(member.group.to_string()));
    registry.watch::<ec2::Instance>("autoscaling.group", |state, instance, due| {
        due.extend(state.get::<Member>(&instance.id).map(|m| m.group.to_string()));
    });
    // A load balancer's checks tell of an instance's health, and the end of its draining that it may go.
    registry.watch::<elb::Registration>("autoscaling.group", |state, registration, due| {
        due.extend(state.get::<Member>(&registration.target.id.as_str().into()).map(|m| m.group.to_string()));
    });
}
