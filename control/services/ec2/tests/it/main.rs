//! EC2 in a kernel of its own, with a world that the test plays.
#![allow(clippy::unwrap_used)]

mod compute;
mod region;
