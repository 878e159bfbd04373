//! The store of metric samples: takes in samples at a high rate, rolls them up, forgets them when AWS would, and answers
//! for any span and period. It owns the numbers, never what they mean: it knows no service and no alarm. Time comes in
//! with each call.

mod metric;
mod sample;
mod statistic;
mod store;

pub use metric::Metric;
pub use sample::Sample;
pub use statistic::Statistic;
pub use store::{Resolution, Store};
