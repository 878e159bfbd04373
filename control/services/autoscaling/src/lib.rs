//! Amazon EC2 Auto Scaling: groups of instances that keep their size, their zones in balance and their health.
//!
//! It owns groups, which instances belong to them, and scaling activities. It launches and ends instances through
//! `ec2` and registers them through `elb`; their rows are theirs.

mod activity;
mod group;
mod member;
mod plan;
mod select;

pub use activity::{Activity, ActivityKey, Status};
pub use group::{Group, HealthCheck, Process, TerminationPolicy};
pub use member::{Health, Lifecycle, Member, Sickness};
