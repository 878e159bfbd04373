//! Blocks of addresses in CIDR notation.

use std::net::IpAddr;
use std::str::FromStr;

use world::{UnfitRule, parse_cidr};

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    V4 { network: u32, mask: u32 },
    V6 { network: u128, mask: u128 },
}

impl FromStr for Block {
    type Err = UnfitRule;

    fn from_str(text: &str) -> Result<Self, UnfitRule> {
        Ok(match parse_cidr(text)? {
            (IpAddr::V4(address), bits) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Block::V4 { network: address.to_bits() & mask, mask }
            }
            (IpAddr::V6(address), bits) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Block::V6 { network: address.to_bits() & mask, mask }
            }
        })
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
        assert!("192.0.2.0".parse::<Block>().is_err());
    }
}
