//! IAM and STS as a caller and as a stack see them, on a kernel with a journal in memory.
#![allow(clippy::unwrap_used)]

mod operations;
mod paging;
mod region;
mod server_certificates;
mod stack;
