//! The stack engine over a resource type of the tests' own, in a kernel of its own with virtual time.
#![allow(clippy::unwrap_used)]

mod afterwards;
mod change_sets;
mod dynamic;
mod engine;
mod region;
mod signals;
mod thing;
