//! The Huffman code of RFC 7541, Appendix B. It is canonical: codes follow from their lengths, shorter ones first and symbols in
//! order among those of one length.

use super::Broken;

/// Symbols: 256 bytes, and the end of the string, which no string may contain.
const SYMBOLS: usize = 257;
const END: u16 = 256;
const BITS_MAX: usize = 30;
/// Codes of up to so many bits, which all usual characters have, are looked up.
const SHORT_BITS: usize = 9;

/// Bits of each symbol's code.
const BITS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28,
    28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7,
    6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24,
    23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27,
    26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
    24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

struct Code {
    /// By their first bits: the symbol in the low byte and the bits of its code above; zero where the code is longer.
    short: [u16; 1 << SHORT_BITS],
    /// Symbols in the order of their codes.
    order: [u16; SYMBOLS],
    /// For each length: the first code behind those of that length, its bits at the top of a word.
    limit: [u64; BITS_MAX + 1],
    /// For each length: the place in `order` of its first symbol, less its first code.
    base: [i64; BITS_MAX + 1],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut made = Code { short: [0; 1 << SHORT_BITS], order: [0; SYMBOLS], limit: [0; BITS_MAX + 1], base: [0; BITS_MAX + 1] };
    let (mut next, mut placed, mut bits) = (0_u64, 0, 1);
    while bits <= BITS_MAX {
        next <<= 1;
        made.base[bits] = placed as i64 - next as i64;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if BITS[symbol] as usize == bits {
                if bits <= SHORT_BITS {
                    let (mut at, many) = ((next as usize) << (SHORT_BITS - bits), 1 << (SHORT_BITS - bits));
                    let behind = at + many;
                    while at < behind {
                        made.short[at] = symbol as u16 | (bits as u16) << 8;
                        at += 1;
                    }
                }
                made.order[placed] = symbol as u16;
                placed += 1;
                next += 1;
            }
            symbol += 1;
        }
        made.limit[bits] = next << (64 - bits);
        bits += 1;
    }
    made
}

/// Appends what `coded` says. The end may only be filled up with the first bits of the end symbol's code, which are ones, and
/// with fewer than eight (RFC 7541, 5.2).
pub fn decode(coded: &[u8], to: &mut Vec<u8>) -> Result<(), Broken> {
    // Bits that wait, at the top, and how many.
    let (mut word, mut count) = (0_u64, 0_usize);
    let mut rest = coded.iter();
    loop {
        while count <= 56
            && let Some(byte) = rest.next()
        {
            word |= u64::from(*byte) << (56 - count);
            count += 8;
        }
        let found = CODE.short[(word >> (64 - SHORT_BITS)) as usize];
        let (bits, symbol) = if found != 0 { (usize::from(found >> 8), found & 0xff) } else { long(word)? };
        if bits > count {
            let is_padding = count < 8 && word == !(u64::MAX.checked_shr(count as u32).unwrap_or(0));
            return if is_padding { Ok(()) } else { Err(Broken) };
        }
        // What the end of the code word may be is refused above as one that is too long to be there.
        to.push(u8::try_from(symbol).map_err(|_| Broken)?);
        word <<= bits;
        count -= bits;
    }
}

/// A code of more than the short bits: its length and symbol.
#[cold]
fn long(word: u64) -> Result<(usize, u16), Broken> {
    for bits in SHORT_BITS + 1..=BITS_MAX {
        // The last code of all is followed by none.
        if word < CODE.limit[bits] || CODE.limit[bits] == 0 {
            let at = (word >> (64 - bits)) as i64 + CODE.base[bits];
            let symbol = usize::try_from(at).ok().and_then(|at| CODE.order.get(at)).copied().ok_or(Broken)?;
            return if symbol == END { Ok((BITS_MAX, END)) } else { Ok((bits, symbol)) };
        }
    }
    Err(Broken)
}

#[cfg(test)]
mod tests {
    use super::{BITS, Broken, CODE, SYMBOLS, decode};

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    /// The code of a symbol, its bits at the bottom.
    fn code_of(symbol: usize) -> (u64, usize) {
        let bits = usize::from(BITS[symbol]);
        let place = CODE.order.iter().position(|s| usize::from(*s) == symbol).unwrap_or_default();
        (u64::try_from(place as i64 - CODE.base[bits]).unwrap_or_default(), bits)
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        for byte in text {
            let (code, count) = code_of(usize::from(*byte));
            bits.extend((0..count).rev().map(|bit| code >> bit & 1 == 1));
        }
        bits.resize(bits.len().next_multiple_of(8), true);
        bits.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
    }

    /// RFC 7541, Appendix B, from its beginning, middle and end.
    #[test]
    fn codes_are_those_of_the_standard() {
        let some = [(b'0', 0x0, 5), (b't', 0x9, 5), (b' ', 0x14, 6), (b'X', 0xfc, 8), (b'!', 0x3f8, 10), (b'<', 0x7ffc, 15)];
        for (symbol, code, bits) in some {
            assert_eq!(code_of(usize::from(symbol)), (code, bits), "{symbol}");
        }
        assert_eq!((code_of(0), code_of(1), code_of(255)), ((0x1ff8, 13), (0x007f_ffd8, 23), (0x03ff_ffee, 26)));
        assert_eq!((code_of(10), code_of(22), code_of(256)), ((0x3fff_fffc, 30), (0x3fff_fffe, 30), (0x3fff_ffff, 30)));
    }

    #[test]
    fn the_standards_examples_are_read() {
        // RFC 7541, C.4.1, C.4.2 and C.6.1.
        let example = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decoded(&example), Ok(b"www.example.com".to_vec()));
        assert_eq!(decoded(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]), Ok(b"no-cache".to_vec()));
        assert_eq!(decoded(&[0x64, 0x02]), Ok(b"302".to_vec()));
        assert_eq!(decoded(&[]), Ok(Vec::new()));
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encoded(&all)), Ok(all.clone()));
        for byte in all {
            assert_eq!(decoded(&encoded(&[byte, b'a', byte])), Ok(vec![byte, b'a', byte]));
        }
    }

    #[test]
    fn an_end_that_is_no_padding_is_refused() {
        // Eight ones; zeros; the end symbol itself; half a code.
        for coded in [&[0xff][..], &[0x07, 0xff], &[0xff; 4], &[0xff; 40], &[0x00, 0x00, 0x00][..2], &[0xfe]] {
            let is_text = decoded(coded).is_ok_and(|text| encoded(&text) == coded);
            assert!(decoded(coded).is_err() || is_text, "{coded:?}");
        }
        assert_eq!(decoded(&[0xff]), Err(Broken));
        assert_eq!(decoded(&[0x1f, 0xff]), Err(Broken), "'a' and more than seven ones");
        assert_eq!(decoded(&[0x18]), Err(Broken), "'a' and zeros");
        assert_eq!(decoded(&[0xff; 4]), Err(Broken), "the end symbol");
        assert_eq!(CODE.order.len(), SYMBOLS);
    }
}
