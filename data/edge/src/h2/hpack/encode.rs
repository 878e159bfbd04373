//! Writes header blocks. It remembers nothing between them: a worker holds no table for each connection, and answers cost less
//! time and a few bytes more.

use super::fixed::{index_of, status_index};

/// Longest name that is looked up.
const NAME_BYTES_MAX: usize = 32;
/// A literal that no table is to remember (RFC 7541, 6.2.2), and one that is never to be remembered (6.2.3).
const PLAIN: u8 = 0x00;
const NEVER: u8 = 0x10;
const INDEXED: u8 = 0x80;

/// Appends `:status`.
pub fn status(to: &mut Vec<u8>, status: u16) {
    let (index, whole) = status_index(status);
    if whole {
        return to.push(INDEXED | index);
    }
    integer(to, PLAIN, 4, index.into());
    let digit = |of: u16| b'0' + u8::try_from(status / of % 10).unwrap_or(0);
    to.extend_from_slice(&[3, digit(100), digit(10), digit(1)]);
}

/// Appends a field. Its name may be in any case; in HTTP/2 it is in lower case (RFC 9113, 8.2).
pub fn field(to: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let mut lower = [0; NAME_BYTES_MAX];
    let lower = lower.get_mut(..name.len()).map(|lower| {
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        &*lower
    });
    match lower.and_then(index_of) {
        // What is set for one user is no other's to guess (RFC 7541, 7.1).
        Some(index @ 55) => integer(to, NEVER, 4, index.into()),
        Some(index) => integer(to, PLAIN, 4, index.into()),
        None => {
            to.push(PLAIN);
            integer(to, 0, 7, name.len());
            match lower {
                Some(lower) => to.extend_from_slice(lower),
                None => to.extend(name.iter().map(u8::to_ascii_lowercase)),
            }
        }
    }
    integer(to, 0, 7, value.len());
    to.extend_from_slice(value);
}

/// Appends an integer that begins in the low `bits` of a byte whose others are `first` (RFC 7541, 5.1).
fn integer(to: &mut Vec<u8>, first: u8, bits: u8, value: usize) {
    let most = (1 << bits) - 1;
    if value < most {
        return to.push(first | value.to_le_bytes()[0]);
    }
    to.push(first | most.to_le_bytes()[0]);
    let mut rest = value - most;
    while rest >= 128 {
        to.push(rest.to_le_bytes()[0] | 128);
        rest >>= 7;
    }
    to.push(rest.to_le_bytes()[0]);
}
