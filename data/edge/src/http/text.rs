//! Pieces of heads, written without the machinery of formatting.

use std::net::IpAddr;

use super::fields::Header;

const HEX: &[u8; 16] = b"0123456789abcdef";

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
    for digit in space.iter_mut().rev() {
        *digit = HEX[(number & 0xf) as usize];
        number >>= 4;
    }
}

/// An address, with its port where one is given.
pub fn push_address(out: &mut Vec<u8>, address: IpAddr, port: Option<u16>) {
    match address {
        IpAddr::V4(address) => {
            for (i, octet) in address.octets().into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                push_number(out, octet);
            }
        }
        IpAddr::V6(address) if port.is_some() => push(out, &["[", &address.to_string(), "]"]),
        IpAddr::V6(address) => push(out, &[&address.to_string()]),
    }
    if let Some(port) = port {
        out.push(b':');
        push_number(out, port);
    }
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
        let mut hex = [0; 8];
        fill_hex(&mut hex, 0x12_3abc);
        assert_eq!(&hex, b"00123abc");
        for (address, port, expected) in [
            ("192.0.2.7", None, "192.0.2.7"),
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
