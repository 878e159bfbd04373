//! Load balancers in a kernel of their own, with an edge that the test plays.
#![allow(clippy::unwrap_used)]

mod flow_traffic;
mod listeners;
mod load_balancers;
mod quotas;
mod region;
mod rules;
mod server_certificates;
mod stack;
mod tags;
mod target_groups;
mod targets;
mod tls;
mod traffic;
mod trust_stores;
