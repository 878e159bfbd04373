//! The command as a user meets it: as a process, judged by what it prints and how it exits.
#![allow(clippy::unwrap_used)]

mod reboot;
mod region;
mod restart;
mod rig;
mod simulate;
mod usage;
