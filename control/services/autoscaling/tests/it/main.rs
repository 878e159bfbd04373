//! Auto Scaling in a kernel of its own, with EC2 and ELB and a world that the test plays.
#![allow(clippy::unwrap_used)]

mod customized_metrics;
mod failures;
mod group_metrics;
mod groups;
mod health;
mod hooks;
mod launch_configurations;
mod notifications;
mod pages;
mod policies;
mod policy_stack;
mod predictive;
mod refresh;
mod region;
mod rules;
mod schedules;
mod stack;
mod stack_types;
mod standby;
mod warm_pools;
