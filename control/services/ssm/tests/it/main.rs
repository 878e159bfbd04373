//! Parameter Store in a kernel of its own.
#![allow(clippy::unwrap_used)]

mod api;
mod region;
mod stack;
