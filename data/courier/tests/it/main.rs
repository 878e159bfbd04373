//! The courier against endpoints and mail servers that behave well and badly, all on the loopback.

#![allow(clippy::unwrap_used)]

mod http;
mod mail;
mod rig;
