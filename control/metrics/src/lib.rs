//! The store of metric samples: takes in samples at a high rate, rolls them up, forgets them when AWS would, and answers
//! for any span and period. It owns the numbers, never what they mean: it knows no service and no alarm. Time comes in
//! with each call.
//!
//! A metric's samples lie in one of four tiers by their age; each tier has closed, compressed chunks of points and an open
//! head. A sample is in one tier only: it moves to the next when it is too old, put together with its neighbours. Given a
//! port ([`Keep`]) a store survives its process.

mod bytes;
mod file_keep;
mod fold;
mod keep;
mod load;
mod log;
mod metric;
mod point;
mod sample;
mod series;
mod statistic;
mod store;
mod tier;

pub use file_keep::FileKeep;
pub use keep::{Keep, MemoryKeep};
pub use metric::Metric;
pub use sample::Sample;
pub use statistic::{Bound, Statistic, Trim};
pub use store::{Full, METRICS_MAX, Resolution, SeriesId, Store};
