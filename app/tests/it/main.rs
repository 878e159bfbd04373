//! The application as a process, asked over real connections on the loopback.

#![allow(clippy::unwrap_used)]

mod connections;
mod identity;
mod pages;
mod sessions;
mod stop;
mod support;
mod work;
