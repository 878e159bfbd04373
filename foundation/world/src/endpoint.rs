//! Which addresses the region may call for a subscriber: loopback, and what the whole Internet can reach. All else (private
//! networks, link-local services such as a cloud's metadata, the networks of instances) is called only where the machine's
//! owner has named its network. This decides about addresses, never about names: who connects asks about what a name stood for.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses, such as `10.1.0.0/16`, `fd00::/8`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpNetwork {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no [`IpNetwork`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotANetwork(String);

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotANetwork {}

impl FromStr for IpNetwork {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let wrong = || NotANetwork(format!("'{text}' is no network: an address and its bits are expected, such as 10.1.0.0/16"));
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = bits.map_or(Ok(all), str::parse).map_err(|_| wrong())?;
        if text.contains('+') || bits > all {
            return Err(wrong());
        }
        let first = first(address, bits);
        if first != address {
            return Err(NotANetwork(format!("'{text}' has bits set beyond its network; {first}/{bits} may be meant")));
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl IpNetwork {
    const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits }
    }

    const fn v6(a: u16, b: u16, bits: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)), bits }
    }

    /// A block of IPv4 in IPv6's clothes.
    fn is_mapped(&self) -> bool {
        matches!(self.address, IpAddr::V6(a) if a.to_ipv4_mapped().is_some())
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && first(address, self.bits) == self.address
    }
}

/// The first address of the block of so many bits that an address is in.
fn first(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => Ipv4Addr::from(a.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).into(),
        IpAddr::V6(a) => Ipv6Addr::from(a.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).into(),
    }
}

/// What the Internet cannot reach of IPv4 ("IANA IPv4 Special-Purpose Address Registry").
const SPECIAL_V4: [(IpNetwork, &str); 14] = [
    (IpNetwork::v4(0, 0, 0, 8), "an address of no host"),
    (IpNetwork::v4(10, 0, 0, 8), PRIVATE),
    (IpNetwork::v4(100, 64, 0, 10), "a private address of a carrier"),
    (IpNetwork::v4(169, 254, 0, 16), LINK_LOCAL),
    (IpNetwork::v4(172, 16, 0, 12), PRIVATE),
    (IpNetwork::v4(192, 0, 0, 24), RESERVED),
    (IpNetwork::v4(192, 0, 2, 24), DOCUMENTATION),
    (IpNetwork::v4(192, 88, 99, 24), RESERVED),
    (IpNetwork::v4(192, 168, 0, 16), PRIVATE),
    (IpNetwork::v4(198, 18, 0, 15), "an address for measurements"),
    (IpNetwork::v4(198, 51, 100, 24), DOCUMENTATION),
    (IpNetwork::v4(203, 0, 113, 24), DOCUMENTATION),
    (IpNetwork::v4(224, 0, 0, 4), MULTICAST),
    (IpNetwork::v4(240, 0, 0, 4), RESERVED),
];
/// And of IPv6 ("IANA IPv6 Special-Purpose Address Registry"); beside [`GLOBAL_V6`] nothing is given out.
const SPECIAL_V6: [(IpNetwork, &str); 7] = [
    (IpNetwork::v6(0xfc00, 0, 7), PRIVATE),
    (IpNetwork::v6(0xfe80, 0, 10), LINK_LOCAL),
    (IpNetwork::v6(0xff00, 0, 8), MULTICAST),
    (IpNetwork::v6(0x2001, 0, 23), RESERVED),
    (IpNetwork::v6(0x2001, 0xdb8, 32), DOCUMENTATION),
    (IpNetwork::v6(0x2002, 0, 16), "an address of IPv4 in IPv6"),
    (IpNetwork::v6(0x3fff, 0, 20), DOCUMENTATION),
];
const GLOBAL_V6: IpNetwork = IpNetwork::v6(0x2000, 0, 3);
/// Hosts of IPv4 for those who have IPv6 only, through a translator (RFC 6052).
const TRANSLATED: IpNetwork = IpNetwork::v6(0x64, 0xff9b, 96);
const PRIVATE: &str = "a private address";
const LINK_LOCAL: &str = "a link-local address";
const MULTICAST: &str = "a multicast address";
const DOCUMENTATION: &str = "an address for documentation";
const RESERVED: &str = "a reserved address";

/// Most networks that an owner may name.
pub const ENDPOINT_NETWORKS_MAX: usize = 256;

/// The networks that subscribers' endpoints may be in beside loopback and the Internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointNetworks(Vec<IpNetwork>);

/// An address that is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAddress {
    pub address: IpAddr,
    /// What kind of address it is, with its article.
    pub kind: &'static str,
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, kind } = self;
        write!(
            f,
            "{address} is {kind}; endpoints must be on the Internet or on this machine's loopback, or in a network that \
             `allod serve --endpoint-network` names"
        )
    }
}

impl Error for RefusedAddress {}

impl EndpointNetworks {
    /// Of more than [`ENDPOINT_NETWORKS_MAX`], the first count.
    pub fn new(networks: impl IntoIterator<Item = IpNetwork>) -> Self {
        Self(networks.into_iter().take(ENDPOINT_NETWORKS_MAX).collect())
    }

    /// Whether an address may be called.
    pub fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        // An IPv4 address in IPv6's clothes is called as the IPv4 address: who names `::/0` means no private ones of IPv4.
        let meant = address.to_canonical();
        if self.0.iter().any(|network| network.contains(meant) || network.is_mapped() && network.contains(address)) {
            return Ok(());
        }
        special(meant).map_or(Ok(()), |kind| Err(RefusedAddress { address, kind }))
    }
}

/// What an address is, unless it is loopback or the Internet's.
fn special(address: IpAddr) -> Option<&'static str> {
    if address.is_loopback() {
        return None;
    }
    let among =
        |all: &[(IpNetwork, &'static str)]| all.iter().find(|(network, _)| network.contains(address)).map(|(_, kind)| *kind);
    match address {
        IpAddr::V4(_) => among(&SPECIAL_V4),
        IpAddr::V6(a) if TRANSLATED.contains(address) => {
            let translated = Ipv4Addr::from(a.to_bits() as u32);
            if translated.is_loopback() { Some(RESERVED) } else { special(translated.into()) }
        }
        IpAddr::V6(_) => among(&SPECIAL_V6).or((!GLOBAL_V6.contains(address)).then_some(RESERVED)),
    }
}

#[cfg(test)]
mod tests {
    use super::{EndpointNetworks, IpNetwork};
    use std::net::IpAddr;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn loopback_and_the_internet_may_be_called() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            "::ffff:127.0.0.1",
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(EndpointNetworks::default().check(address(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_the_internet_cannot_reach_is_refused() {
        for (text, kind) in [
            ("0.0.0.0", "an address of no host"),
            ("0.1.2.3", "an address of no host"),
            ("10.0.0.0", "a private address"),
            ("10.255.255.255", "a private address"),
            ("100.64.0.0", "a private address of a carrier"),
            ("100.127.255.255", "a private address of a carrier"),
            ("169.254.169.254", "a link-local address"),
            ("172.16.0.0", "a private address"),
            ("172.31.255.255", "a private address"),
            ("192.0.0.170", "a reserved address"),
            ("192.0.2.1", "an address for documentation"),
            ("192.88.99.1", "a reserved address"),
            ("192.168.0.1", "a private address"),
            ("192.168.255.255", "a private address"),
            ("198.18.0.0", "an address for measurements"),
            ("198.19.255.255", "an address for measurements"),
            ("198.51.100.1", "an address for documentation"),
            ("203.0.113.1", "an address for documentation"),
            ("224.0.0.1", "a multicast address"),
            ("239.255.255.255", "a multicast address"),
            ("240.0.0.1", "a reserved address"),
            ("255.255.255.255", "a reserved address"),
            ("::", "a reserved address"),
            ("::ffff:10.0.0.1", "a private address"),
            ("::ffff:169.254.169.254", "a link-local address"),
            ("::10.0.0.1", "a reserved address"),
            ("64:ff9b::10.0.0.1", "a private address"),
            ("64:ff9b::127.0.0.1", "a reserved address"),
            ("64:ff9b:1::1", "a reserved address"),
            ("100::1", "a reserved address"),
            ("fc00::1", "a private address"),
            ("fd00:ec2::254", "a private address"),
            ("fe80::1", "a link-local address"),
            ("fec0::1", "a reserved address"),
            ("ff02::1", "a multicast address"),
            ("2001::1", "a reserved address"),
            ("2001:db8::1", "an address for documentation"),
            ("2002:a00:1::1", "an address of IPv4 in IPv6"),
            ("3fff::1", "an address for documentation"),
            ("4000::1", "a reserved address"),
            ("5f00::1", "a reserved address"),
        ] {
            let refused = EndpointNetworks::default().check(address(text)).expect_err(text);
            assert_eq!(refused.kind, kind, "{text}");
            assert!(refused.to_string().contains("--endpoint-network"), "{refused}");
        }
    }

    #[test]
    fn a_network_that_the_owner_names_may_be_called() {
        let named = ["10.1.0.0/16", "fd12::/16", "169.254.7.7"].map(|n| n.parse::<IpNetwork>().expect("a network"));
        let networks = EndpointNetworks::new(named);
        for text in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "fd12:3::1", "169.254.7.7", "127.0.0.1", "8.8.8.8"] {
            assert_eq!(networks.check(address(text)), Ok(()), "{text}");
        }
        for text in ["10.0.255.255", "10.2.0.0", "fd13::1", "169.254.7.8", "192.168.0.1"] {
            assert!(networks.check(address(text)).is_err(), "{text}");
        }
        let only = |network: &str| EndpointNetworks::new([network.parse().expect("a network")]);
        assert_eq!(only("0.0.0.0/0").check(address("10.0.0.1")), Ok(()));
        assert_eq!(only("::ffff:10.1.0.0/112").check(address("::ffff:10.1.2.3")), Ok(()));
        assert_eq!(only("::/0").check(address("fe80::1")), Ok(()));
        assert!(only("::/0").check(address("::ffff:169.254.169.254")).is_err(), "it is called as the address of IPv4");
    }

    #[test]
    fn networks_are_read_and_nonsense_is_told() {
        for text in ["10.1.0.0/16", "0.0.0.0/0", "::/0", "fd00::/8", "1.2.3.4/32"] {
            assert_eq!(text.parse::<IpNetwork>().map(|n| n.to_string()), Ok(text.into()));
        }
        assert_eq!("1.2.3.4".parse::<IpNetwork>().map(|n| n.to_string()), Ok("1.2.3.4/32".into()));
        for (text, told) in [
            ("10.1.0.0/33", "no network"),
            ("::/129", "no network"),
            ("10.1.0/16", "no network"),
            ("10.1.0.0/", "no network"),
            ("10.1.0.0/-1", "no network"),
            ("10.0.0.0/+8", "no network"),
            ("example.com", "no network"),
            ("", "no network"),
            ("10.1.2.3/16", "10.1.0.0/16 may be meant"),
            ("fd00::1/8", "fd00::/8 may be meant"),
        ] {
            let wrong = text.parse::<IpNetwork>().expect_err(text).to_string();
            assert!(wrong.contains(told), "{wrong}");
        }
    }
}
