//! `Fn::Cidr`: the first blocks of a larger one (CloudFormation User Guide, "Fn::Cidr").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most blocks of one `Fn::Cidr`.
pub(crate) const CIDR_COUNT_MAX: u128 = 256;
/// Host bits where the template names none; AWS documents no default.
pub(crate) const CIDR_BITS_DEFAULT: u128 = 8;

/// The first `count` blocks with `bits` host bits in `block`, which may be IPv4 or IPv6.
pub(crate) fn blocks(block: &str, count: u128, bits: u128) -> Result<Vec<String>, String> {
    let (base, prefix, width) =
        parse(block).ok_or_else(|| format!("Template error: Fn::Cidr: {block} is not an IP address block"))?;
    if !(1..=CIDR_COUNT_MAX).contains(&count) {
        return Err(format!("Template error: Fn::Cidr: the number of CIDRs must be between 1 and {CIDR_COUNT_MAX}, not {count}"));
    }
    let host_bits = u32::try_from(bits).ok().filter(|bits| (1..=width - prefix).contains(bits));
    let fits = host_bits.filter(|bits| {
        let free = width - prefix - bits;
        free >= 9 || count <= 1 << free
    });
    let Some(host_bits) = fits else {
        return Err(format!("Template error: Fn::Cidr: {count} CIDRs with {bits} subnet bits do not fit into {block}"));
    };
    // One block of the whole of IPv6 would shift by all 128 bits; there is nothing to add for the first block.
    let at = |i: u128| base + i.checked_shl(host_bits).unwrap_or(0);
    Ok((0..count).map(|i| format!("{}/{}", address(at(i), width), width - host_bits)).collect())
}

/// Network address, prefix length and width of the address in bits.
fn parse(block: &str) -> Option<(u128, u32, u32)> {
    let (address, prefix) = block.trim().split_once('/')?;
    let (bits, width) = match address.parse().ok()? {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let is_plain = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix: u32 = prefix.parse().ok().filter(|prefix| is_plain && *prefix <= width)?;
    let host = width - prefix;
    let network = bits.checked_shr(host).and_then(|b| b.checked_shl(host)).unwrap_or(0);
    Some((network, prefix, width))
}

fn address(bits: u128, width: u32) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if width == 32 => IpAddr::V4(Ipv4Addr::from_bits(bits)),
        _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::blocks;
    use proptest::prelude::{any, proptest};

    #[test]
    fn cuts_blocks() {
        let cases: [(&str, u128, u128, &[&str]); 7] = [
            ("192.168.0.0/24", 3, 5, &["192.168.0.0/27", "192.168.0.32/27", "192.168.0.64/27"]),
            ("10.0.0.0/16", 2, 8, &["10.0.0.0/24", "10.0.1.0/24"]),
            ("10.0.7.9/16", 1, 8, &["10.0.0.0/24"]),
            ("10.0.0.0/24", 1, 8, &["10.0.0.0/24"]),
            ("255.255.255.0/24", 2, 7, &["255.255.255.0/25", "255.255.255.128/25"]),
            ("2001:db8:1:2f00::/56", 2, 64, &["2001:db8:1:2f00::/64", "2001:db8:1:2f01::/64"]),
            ("::/0", 1, 128, &["::/0"]),
        ];
        for (block, count, bits, expected) in cases {
            assert_eq!(blocks(block, count, bits).unwrap(), expected, "{block}");
        }
        assert_eq!(blocks("10.0.0.0/16", 256, 8).unwrap()[255], "10.0.255.0/24");
        assert_eq!(blocks("0.0.0.0/0", 256, 24).unwrap()[255], "255.0.0.0/8");
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let cases = [
            ("10.0.0.0/24", 2, 8, "2 CIDRs with 8 subnet bits do not fit into 10.0.0.0/24"),
            ("10.0.0.0/24", 1, 9, "do not fit"),
            ("10.0.0.0/24", 1, 0, "do not fit"),
            ("10.0.0.0/24", 0, 4, "between 1 and 256, not 0"),
            ("10.0.0.0/8", 257, 4, "between 1 and 256, not 257"),
            ("10.0.0.0", 1, 4, "10.0.0.0 is not an IP address block"),
            ("10.0.0.0/33", 1, 4, "is not an IP address block"),
            ("10.0.0.0/+8", 1, 4, "is not an IP address block"),
            ("web/8", 1, 4, "is not an IP address block"),
        ];
        for (block, count, bits, expected) in cases {
            let message = blocks(block, count, bits).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(v6 in any::<bool>(), address in any::<u128>(), prefix in 0..=130_u32, count in 0..=300_u128, bits in 0..=140_u128) {
            let low = u32::try_from(address & u128::from(u32::MAX)).unwrap();
            let address = if v6 { std::net::Ipv6Addr::from_bits(address).to_string() } else { std::net::Ipv4Addr::from_bits(low).to_string() };
            if let Ok(all) = blocks(&format!("{address}/{prefix}"), count, bits) {
                let distinct: std::collections::BTreeSet<_> = all.iter().collect();
                assert_eq!(distinct.len() as u128, count);
            }
        }
    }
}
