//! What benchmarks share: a region to measure, clients that load it, readings of processes, and the report. The
//! benchmarks are the programs in `src/bin`; `cargo xtask bench` builds and runs them in release.
//!
//! It sends traffic to 127.0.0.0/8 only, ends only processes that it started, and leaves nothing behind.

mod api;
mod connection;
mod facts;
mod load;
mod process;
mod region;
mod report;
mod web_tier;

pub use api::{Api, Service};
pub use connection::{Answer, Connection};
pub use facts::facts;
pub use load::{Load, rate};
pub use process::{Process, bound};
pub use region::Region;
pub use report::{Limit, Measured, Report, ms, percentile, wait_for};
pub use web_tier::{front, import_web_tier};

/// Why something could not be measured.
#[derive(Debug)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(e.to_string())
    }
}

pub type Result<T> = std::result::Result<T, Failure>;

/// A failure in these words.
pub fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure(text.into()))
}
