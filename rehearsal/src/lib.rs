//! The region in a simulated world: the same services and kernel, virtual time, and a host and an edge that are
//! models. A seed and a commit reproduce any run. It does no real IO.
//!
//! [`Rehearsal`] owns the clock and the order of events; [`Model`] is the world's side; [`checks`] are the rules
//! that must hold after every commit.

pub mod checks;
mod model;
mod run;

pub use model::{Delays, Model};
pub use run::{Faults, Rehearsal};
