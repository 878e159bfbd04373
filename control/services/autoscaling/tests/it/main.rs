//! Auto Scaling in a kernel of its own, with EC2 and ELB and a world that the test plays.
#![allow(clippy::unwrap_used)]

mod failures;
mod groups;
mod health;
mod refresh;
mod region;
mod stack;
