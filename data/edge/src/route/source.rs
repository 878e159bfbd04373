//! Blocks of addresses in CIDR notation.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    V4 { network: u32, mask: u32 },
    V6 { network: u128, mask: u128 },
}

impl FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(address, bits)| {
            let bits: u32 = bits.parse().ok().filter(|_| bits.bytes().all(|b| b.is_ascii_digit()))?;
            match address.parse().ok()? {
                IpAddr::V4(address) if bits <= 32 => {
                    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                    Some(Block::V4 { network: address.to_bits() & mask, mask })
                }
                IpAddr::V6(address) if bits <= 128 => {
                    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                    Some(Block::V6 { network: address.to_bits() & mask, mask })
                }
                _ => None,
            }
        });
        parsed.ok_or_else(|| format!("{text:?} is no block of addresses in CIDR notation"))
    }
}

impl Block {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Block::V4 { network, mask }, IpAddr::V4(address)) => address.to_bits() & mask == *network,
            (Block::V6 { network, mask }, IpAddr::V6(address)) => address.to_bits() & mask == *network,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Block;

    #[test]
    fn blocks_contain_what_shares_their_first_bits() {
        let check = |block: &str, address: &str, wanted| {
            assert_eq!(block.parse::<Block>().unwrap().contains(address.parse().unwrap()), wanted, "{address} in {block}");
        };
        check("192.0.2.0/24", "192.0.2.255", true);
        check("192.0.2.0/24", "192.0.3.0", false);
        check("192.0.2.77/32", "192.0.2.77", true);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "::1", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("::/0", "2001:db9::", true);
        for bad in ["192.0.2.0", "192.0.2.0/33", "192.0.2/24", "::/129", "1.2.3.4/+8", ""] {
            assert!(bad.parse::<Block>().is_err(), "{bad}");
        }
    }
}
