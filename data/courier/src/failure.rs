use std::fmt;

use world::Delivery;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another attempt may succeed.
    ForNow(String),
    /// Another attempt would only repeat it.
    ForGood(String),
}

impl Failure {
    pub(crate) fn for_now(e: impl fmt::Display) -> Self {
        Failure::ForNow(e.to_string())
    }

    pub(crate) fn for_good(e: impl fmt::Display) -> Self {
        Failure::ForGood(e.to_string())
    }

    /// The reason as the control plane is told.
    pub(crate) fn reason(&self) -> String {
        match self {
            Failure::ForNow(reason) => reason.clone(),
            Failure::ForGood(reason) => Delivery::refused_for_good(reason),
        }
    }
}
