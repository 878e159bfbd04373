//! IPv4 and IPv6 CIDR blocks in their canonical form: the bits past the prefix are zero, as AWS keeps them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cidr {
    base: u32,
    bits: u8,
}

/// The text is no CIDR block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCidr;

impl fmt::Display for NoCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a CIDR block")
    }
}

impl Cidr {
    /// The block of `bits` prefix bits (at most 32) around an address.
    pub const fn around(address: Ipv4Addr, bits: u8) -> Self {
        let bits = if bits > 32 { 32 } else { bits };
        Self { base: address.to_bits() & mask(bits), bits }
    }

    pub const fn bits(&self) -> u8 {
        self.bits
    }

    pub const fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base)
    }

    pub const fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base | !mask(self.bits))
    }

    pub const fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.bits) == self.base
    }

    /// Whether every address of the other block is in this one.
    pub const fn covers(&self, other: &Cidr) -> bool {
        self.bits <= other.bits && self.contains(other.first())
    }

    pub const fn overlaps(&self, other: &Cidr) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The address so many after the first; none past the last.
    pub fn nth(&self, offset: u32) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from_bits(self.base.checked_add(offset)?);
        self.contains(address).then_some(address)
    }
}

const fn mask(bits: u8) -> u32 {
    match bits {
        0 => 0,
        bits => u32::MAX << (32 - bits),
    }
}

impl FromStr for Cidr {
    type Err = NoCidr;

    fn from_str(text: &str) -> Result<Self, NoCidr> {
        let (address, bits) = halves(text, 32)?;
        Ok(Self::around(address.parse().map_err(|_| NoCidr)?, bits))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.bits)
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr {
    type Error = NoCidr;
    fn try_from(text: String) -> Result<Self, NoCidr> {
        text.parse()
    }
}

/// An IPv6 block, which only security group rules may name so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cidr6 {
    base: u128,
    bits: u8,
}

impl FromStr for Cidr6 {
    type Err = NoCidr;

    fn from_str(text: &str) -> Result<Self, NoCidr> {
        let (address, bits) = halves(text, 128)?;
        let address: Ipv6Addr = address.parse().map_err(|_| NoCidr)?;
        let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
        Ok(Self { base: address.to_bits() & mask, bits })
    }
}

impl fmt::Display for Cidr6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from_bits(self.base), self.bits)
    }
}

impl From<Cidr6> for String {
    fn from(cidr: Cidr6) -> String {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr6 {
    type Error = NoCidr;
    fn try_from(text: String) -> Result<Self, NoCidr> {
        text.parse()
    }
}

/// Address and prefix length, the latter without signs, leading zeros or more than `bits_max`.
fn halves(text: &str, bits_max: u8) -> Result<(&str, u8), NoCidr> {
    let (address, bits) = text.split_once('/').ok_or(NoCidr)?;
    let plain = bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    match bits.parse() {
        Ok(bits) if plain && bits <= bits_max => Ok((address, bits)),
        _ => Err(NoCidr),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use std::net::Ipv4Addr;

    use super::{Cidr, Cidr6};

    #[test]
    fn reads_canonically_and_refuses_nonsense() {
        let cidr = |text: &str| text.parse::<Cidr>().map(|c| c.to_string()).ok();
        assert_eq!(cidr("100.68.0.18/18").as_deref(), Some("100.68.0.0/18"));
        assert_eq!(cidr("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        for bad in
            ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ", "::/0", "a/b"]
        {
            assert_eq!(cidr(bad), None, "{bad}");
        }
        assert_eq!("2001:db8::1/32".parse::<Cidr6>().unwrap().to_string(), "2001:db8::/32");
        assert_eq!("::/0".parse::<Cidr6>().unwrap().to_string(), "::/0");
        assert!("::/129".parse::<Cidr6>().is_err());
    }

    proptest! {
        #[test]
        fn a_block_holds_just_the_addresses_between_its_ends(base: u32, bits in 0u8..=32, address: u32, other_bits in 0u8..=32) {
            let block = Cidr::around(base.into(), bits);
            let inside = (block.first()..=block.last()).contains(&Ipv4Addr::from(address));
            prop_assert_eq!(block.contains(address.into()), inside);
            let other = Cidr::around(address.into(), other_bits);
            let apart = other.last() < block.first() || block.last() < other.first();
            prop_assert_eq!(block.overlaps(&other), !apart);
            prop_assert_eq!(block.to_string().parse::<Cidr>(), Ok(block));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = text.parse::<Cidr>();
            prop_assert!(text.parse::<Cidr6>().is_ok() <= text.contains('/'));
        }
    }
}
