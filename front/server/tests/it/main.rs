//! The whole server over a real socket, in a data directory of its own, without executors.
#![allow(clippy::unwrap_used)]

mod disk;
mod garbage;
mod large;
mod refusals;
mod rig;
mod secrets;
mod status;
