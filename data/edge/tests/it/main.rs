//! The edge as its neighbours see it: real sockets on loopback addresses that each test has to itself, a `serve` that
//! speaks frames, and targets that do what the test says.

mod client;
mod headers;
mod origin;
mod rig;
mod smuggling;
mod traffic;
