//! Which target a flow goes to: a hash of its addresses decides, so that it needs no memory and is the same after a restart
//! ("Network Load Balancers: Routing algorithm": "selects a target using a flow hash algorithm, based on the protocol, source
//! IP address, source port, destination IP address, destination port"). Each target keeps its flows when others come and go.

use std::net::{IpAddr, SocketAddr};

use super::share::{Share, draw};
use super::{Kind, Site};
use crate::target::{InFlight, Seeker};

/// A target, and the node from which it is reached.
pub struct Chosen<'a> {
    /// Its group's.
    pub share: &'a Share,
    pub node: usize,
    pub flight: InFlight,
    /// There are too few healthy targets, so that any could be chosen.
    pub fails_open: bool,
}

/// Chooses a target for a flow, other than those tried already: first its group, then the target. Where several nodes answer,
/// those without enough healthy targets come last, as DNS would not name them.
pub fn choose<'a>(site: &'a Site, client: SocketAddr, at: SocketAddr, now_ms: u64, tried: &[u64]) -> Option<Chosen<'a>> {
    let hash = |sticky| if sticky { of_client(client.ip()) } else { of_flow(site.kind, client, at) };
    // A client that is to stay with its target stays with that one's group.
    let share = draw(&site.shares, || hash(site.shares.iter().any(|share| share.sticky)))?;
    let (group, hash) = (&share.group, hash(share.sticky));
    let start = usize::try_from(hash >> 32).unwrap_or(0).checked_rem(site.nodes.len())?;
    let (before, after) = site.nodes.split_at(start);
    let nodes = || after.iter().chain(before).copied();
    let at_node = |node: usize| {
        let flight = group.choose_by_hash(Seeker { node, now_ms, tried, wanted: None }, hash)?;
        Some(Chosen { share, node, flight, fails_open: group.fails_open(node) })
    };
    nodes().filter(|node| !group.fails_open(*node)).find_map(at_node).or_else(|| nodes().find_map(at_node))
}

/// Where a flow is counted that finds no target.
pub fn home(site: &Site) -> usize {
    site.nodes.first().copied().unwrap_or(0)
}

fn of_flow(kind: Kind, client: SocketAddr, at: SocketAddr) -> u64 {
    let protocol = if kind == Kind::Udp { 17 } else { 6 };
    let ports = u64::from(client.port()) << 32 | u64::from(at.port()) << 8 | protocol;
    mix(mix(of_client(client.ip()) ^ address(at.ip())) ^ ports)
}

fn of_client(client: IpAddr) -> u64 {
    mix(address(client))
}

fn address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            mix((bits >> 64) as u64) ^ (bits & u128::from(u64::MAX)) as u64
        }
    }
}

/// Spreads numbers that are near each other all over the range (the finalizer of SplitMix64).
pub fn mix(number: u64) -> u64 {
    let number = (number.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::SocketAddr;

    use super::{Kind, mix, of_client, of_flow};

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_part_of_a_flow_counts_and_only_the_client_where_it_is_sticky() {
        let (client, door) = (at("127.0.0.1:40000"), at("127.9.0.1:80"));
        let all = [
            of_flow(Kind::Tcp, client, door),
            of_flow(Kind::Udp, client, door),
            of_flow(Kind::Tcp, at("127.0.0.2:40000"), door),
            of_flow(Kind::Tcp, at("127.0.0.1:40001"), door),
            of_flow(Kind::Tcp, client, at("127.9.0.2:80")),
            of_flow(Kind::Tcp, client, at("127.9.0.1:81")),
            of_flow(Kind::Tcp, at("[::1]:40000"), door),
        ];
        for (index, hash) in all.iter().enumerate() {
            assert!(!all[..index].contains(hash), "{index}");
        }
        assert_eq!(of_flow(Kind::Tcp, client, door), of_flow(Kind::Tls, client, door), "both are TCP");
        assert_eq!(of_client(client.ip()), of_client(at("127.0.0.1:1").ip()));
    }

    #[test]
    fn neighbouring_ports_are_spread_evenly() {
        let mut counts = [0_u32; 4];
        for port in 40_000..44_000 {
            let hash = of_flow(Kind::Tcp, SocketAddr::from(([127, 0, 0, 1], port)), at("127.9.0.1:80"));
            let best = (0..4_u64).max_by_key(|target| mix(hash ^ mix(*target))).unwrap();
            counts[usize::try_from(best).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
