//! Load balancers in a kernel of their own, with an edge that the test plays.
#![allow(clippy::unwrap_used)]

mod traffic;
