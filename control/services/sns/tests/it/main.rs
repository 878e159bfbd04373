//! SNS from outside: typed requests in, deliveries and answers out, on a kernel that is driven by hand.

#![allow(clippy::unwrap_used)]

mod delivery;
mod filters;
mod publishing;
mod region;
mod stack;
mod subscriptions;
mod topics;
