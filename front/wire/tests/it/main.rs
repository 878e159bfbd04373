//! Golden requests and answers per protocol, signatures that botocore made, and random bytes.
#![allow(clippy::unwrap_used)]

mod bounds;
mod codec;
mod fuzz;
mod packed;
mod signature;
