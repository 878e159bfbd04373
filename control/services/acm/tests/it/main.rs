//! ACM in a kernel of its own, with an authority that the tests play.
#![allow(clippy::unwrap_used)]

mod imports;
mod region;
mod renewal;
mod requests;
mod stack;
