//! Tests of the crate as its consumers see it.

mod fuzz;
mod stacks;
