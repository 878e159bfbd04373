#![allow(clippy::unwrap_used)]

mod http;
mod mail;
mod rig;
