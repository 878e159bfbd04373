#![allow(clippy::unwrap_used)]

mod delivery;
mod filters;
mod publishing;
mod region;
mod stack;
mod subscriptions;
mod topics;
