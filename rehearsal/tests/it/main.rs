//! The reference stack in the simulated world: whole lives of it by seed, and a crash at every commit.
#![allow(clippy::unwrap_used)]

mod crashes;
mod life;
mod predict;
mod queue;
mod scaling;
mod seeds;
