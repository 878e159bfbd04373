//! The region in a simulated world: the same services and kernel, virtual time, and a host and an edge that are
//! models. A seed and a commit reproduce any run. It does no real IO.
//!
//! [`Rehearsal`] owns the clock and the order of events; [`Model`] is the world's side; [`Load`] are its users; [`checks`]
//! are the rules that must hold after every commit and at rest; [`web_tier`] is the reference stack in it, and [`day()`] a
//! day of a large one; [`predict()`] is what users get of it.

mod bill;
pub mod checks;
mod day;
mod disk;
mod event;
mod load;
mod model;
mod predict;
pub mod prices;
mod run;
mod standing;
pub mod web_tier;

pub use bill::Bill;
pub use day::{Day, DayReport, day};
pub use load::{
    Clock, Demand, Failures, Load, PATTERNS, Per, Spread, Station, Step, TICK, Tally, Times, Trace, TraceError, Variability,
    parse_moment, seconds, step,
};
pub use model::{Delays, Model, REFUSES};
pub use predict::{
    ActivityNote, AlarmNote, Cause, LENGTH_MAX, POINT, Point, Prediction, PredictionError, Scenario, Slow, Totals, predict,
};
pub use run::{Faults, Place, Rehearsal, Scrutiny};
