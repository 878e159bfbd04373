//! The plain vocabulary that every room shares: ids and ARNs, time, seeded randomness, tags, faults and the
//! value tree of the AWS protocols. This crate never does IO and never reads a clock.

mod fault;
mod id;
mod rng;
mod scope;
mod time;
mod value;

pub use fault::Fault;
pub use id::*;
pub use rng::{Rng, uuid};
pub use scope::{Caller, Scope};
pub use time::{Time, parse_iso8601_duration};
pub use value::{FromValue, IntoValue, Operation, Value};

/// Tags of a resource, sorted by key as the describe calls print them.
pub type Tags = std::collections::BTreeMap<String, String>;
