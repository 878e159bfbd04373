//! EC2 in a kernel of its own, with a world that the test plays.
#![allow(clippy::unwrap_used)]

mod compute;
mod compute_stack;
mod launch_template;
mod monitoring;
mod network;
mod network_stack;
mod region;
