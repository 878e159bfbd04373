//! HPACK (RFC 7541): header blocks of HTTP/2, read with the table that they build up, and written without one.

mod decode;
mod encode;
mod fixed;
mod huffman;

pub use decode::{Decoder, Fields};
pub use encode::{field, status};

/// A header block that breaks the rules: the connection cannot go on (RFC 9113, 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What a field counts beyond its bytes (RFC 7541, 4.1).
pub const FIELD_OVERHEAD_BYTES: usize = 32;

#[cfg(test)]
mod tests;
