//! The store against a plain map of samples, and over crashes.
#![allow(clippy::unwrap_used)]

mod keeping;
mod model;
