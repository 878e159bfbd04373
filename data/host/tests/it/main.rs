//! Tests of the host executor with real namespaces, packets and processes. They need root.
#![allow(unsafe_code, clippy::unwrap_used)]

mod image;
mod kills;
mod life;
mod metadata;
mod relay;
mod support;
mod takeover;
mod traffic;
mod usage;
