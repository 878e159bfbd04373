//! Where runs of bytes of one class end: those of tokens, of a header's value, of a request's target. Sixteen bytes are looked
//! at at once.

use wide::u8x16;

const BLOCK: usize = 16;

/// Where the token (RFC 9110, 5.6.2) that begins at `from` ends, and whether it is of letters, digits and hyphens only ("ELB User
/// Guide, routing.http.drop_invalid_header_fields.enabled").
#[inline]
pub fn token_end(bytes: &[u8], from: usize) -> (usize, bool) {
    let end = first(bytes, from, |block| !is_plain(block));
    match bytes.get(end) {
        Some(byte) if is_other_token(*byte) => (end + rest_of_token(&bytes[end..]), false),
        _ => (end, true),
    }
}

/// Where what may be in a header's value (RFC 9110, 5.5) ends: the first control character other than a tab.
#[inline]
pub fn text_end(bytes: &[u8], from: usize) -> usize {
    first(bytes, from, |block| (up_to(block, 0x1f) & !is(block, b'\t')) | is(block, 0x7f))
}

/// Where what may be in a request's target ends: the first space or control character.
pub fn target_end(bytes: &[u8], from: usize) -> usize {
    first(bytes, from, |block| up_to(block, b' ') | is(block, 0x7f))
}

/// Whether all of it is one token.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && token_end(text, 0).0 == text.len()
}

/// The first byte from `from` on for which `stops` says so, by setting all of its bits; else the end.
#[inline]
fn first(bytes: &[u8], from: usize, stops: impl Fn(u8x16) -> u8x16) -> usize {
    let mut at = from;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        let found = stops(u8x16::new(*block)).to_bitmask();
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    // What is left lies at the end of a whole block all the same, but for the shortest of texts.
    let left = bytes.len() - at;
    let found = match bytes.last_chunk::<BLOCK>() {
        Some(block) => stops(u8x16::new(*block)).to_bitmask() >> (BLOCK - left),
        None => {
            let mut block = [0; BLOCK];
            block[..left].copy_from_slice(&bytes[at..]);
            stops(u8x16::new(block)).to_bitmask()
        }
    };
    at + left.min(found.trailing_zeros() as usize)
}

fn is(block: u8x16, byte: u8) -> u8x16 {
    block.simd_eq(u8x16::splat(byte))
}

fn up_to(block: u8x16, byte: u8) -> u8x16 {
    block.min(u8x16::splat(byte)).simd_eq(block)
}

/// Letters, digits and hyphens.
fn is_plain(block: u8x16) -> u8x16 {
    let letters = up_to((block | u8x16::splat(0x20)) - u8x16::splat(b'a'), b'z' - b'a');
    let digits = up_to(block - u8x16::splat(b'0'), 9);
    letters | digits | is(block, b'-')
}

/// Of the bytes that tokens may have, those beside letters, digits and hyphens.
fn is_other_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cold]
fn rest_of_token(bytes: &[u8]) -> usize {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || is_other_token(*byte);
    bytes.iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_other_token, target_end, text_end, token_end};

    proptest! {
        #[test]
        fn runs_end_where_the_first_other_byte_is(bytes in prop::collection::vec(any::<u8>(), 0..60), from in 0..60usize) {
            let from = from.min(bytes.len());
            let end = |belongs: &dyn Fn(u8) -> bool| {
                from + bytes[from..].iter().position(|b| !belongs(*b)).unwrap_or(bytes.len() - from)
            };
            prop_assert_eq!(text_end(&bytes, from), end(&|b| (b >= b' ' && b != 0x7f) || b == b'\t'));
            prop_assert_eq!(target_end(&bytes, from), end(&|b| b > b' ' && b != 0x7f));
            let plain = end(&|b| b.is_ascii_alphanumeric() || b == b'-');
            let token = end(&|b| b.is_ascii_alphanumeric() || b == b'-' || is_other_token(b));
            prop_assert_eq!(token_end(&bytes, from), (token, token == plain));
        }

        #[test]
        fn long_runs_end_likewise(length in 0..70usize, behind in 0..40usize, stop in prop::sample::select(vec![b':', b'_', b' ', 0x7f, 0x80])) {
            let bytes = [vec![b'x'; length], vec![stop], vec![b'y'; behind]].concat();
            let is_stop = |stops: &[u8]| stops.contains(&stop);
            let all = bytes.len();
            prop_assert_eq!(token_end(&bytes, 0), if stop == b'_' { (all, false) } else { (length, true) });
            prop_assert_eq!(target_end(&bytes, 0), if is_stop(b" \x7f") { length } else { all });
            prop_assert_eq!(text_end(&bytes, 0), if is_stop(b"\x7f") { length } else { all });
        }
    }
}
