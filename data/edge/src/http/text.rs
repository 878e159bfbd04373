//! Pieces of heads, written without the machinery of formatting.

use std::net::IpAddr;

use super::fields::Header;

pub fn push(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

pub fn push_header(out: &mut Vec<u8>, header: &Header<'_>) {
    if !header.line.is_empty() {
        return out.extend_from_slice(header.line);
    }
    for part in [header.name, b": ", header.value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// In decimal digits.
pub fn push_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// In as many hexadecimal digits as there is space.
pub fn fill_hex(space: &mut [u8], mut number: u64) {
    let (rest, words) = space.as_rchunks_mut::<8>();
    for word in words.iter_mut().rev() {
        *word = hex(number & u64::from(u32::MAX));
        number >>= 32;
    }
    for digit in rest.iter_mut().rev() {
        *digit = hex(number & 0xf)[7];
        number >>= 4;
    }
}

/// Eight digits at once: each half of a byte moves to a byte of its own, and from ten on to the letters.
fn hex(number: u64) -> [u8; 8] {
    const ONES: u64 = u64::MAX / 0xff;
    let halves = (number & 0xffff) | (number & 0xffff_0000) << 16;
    let quarters = (halves & 0xff_0000_00ff) | (halves & 0xff00_0000_ff00) << 8;
    let digits = (quarters & 0xf_000f_000f_000f) | (quarters & 0xf0_00f0_00f0_00f0) << 4;
    let letters = ((digits + 6 * ONES) >> 4) & ONES;
    (digits + ONES * u64::from(b'0') + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// An address, with its port where one is given.
pub fn push_address(out: &mut Vec<u8>, address: IpAddr, port: Option<u16>) {
    match address {
        IpAddr::V4(address) => push_octets(out, address.octets()),
        IpAddr::V6(address) if port.is_some() => push(out, &["[", &address.to_string(), "]"]),
        IpAddr::V6(address) => push(out, &[&address.to_string()]),
    }
    if let Some(port) = port {
        out.push(b':');
        push_number(out, port);
    }
}

/// Octets in decimal digits with dots between them, made in one piece.
fn push_octets(out: &mut Vec<u8>, octets: [u8; 4]) {
    let mut text = [b'.'; "255.255.255.255".len() + 1];
    let mut end = 0;
    for octet in octets {
        if octet >= 100 {
            text[end] = b'0' + octet / 100;
            end += 1;
        }
        if octet >= 10 {
            text[end] = b'0' + octet / 10 % 10;
            end += 1;
        }
        text[end] = b'0' + octet % 10;
        // Behind it is a dot already.
        end += 2;
    }
    out.extend_from_slice(&text[..end - 1]);
}

#[cfg(test)]
mod tests {
    use super::{fill_hex, push_address, push_number};

    #[test]
    fn numbers_and_addresses_are_written_whole() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
        for (number, digits) in [(0x12_3abc, 8), (0xfedc_ba98_7654_3210, 16), (0x1234_5678_9abc_def0, 14), (0xa, 3), (0, 24)] {
            let mut hex = vec![0; digits];
            fill_hex(&mut hex, number);
            let expected = format!("{number:024x}");
            assert_eq!(hex, expected.as_bytes()[24 - digits..]);
        }
        for (address, port, expected) in [
            ("192.0.2.7", None, "192.0.2.7"),
            ("255.100.10.0", None, "255.100.10.0"),
            ("1.99.9.255", None, "1.99.9.255"),
            ("192.0.2.7", Some(80), "192.0.2.7:80"),
            ("2001:db8::1", None, "2001:db8::1"),
            ("2001:db8::1", Some(65_535), "[2001:db8::1]:65535"),
        ] {
            let mut out = Vec::new();
            push_address(&mut out, address.parse().unwrap_or(std::net::IpAddr::from([0; 4])), port);
            assert_eq!(out, expected.as_bytes());
        }
    }
}
