//! The text of a VPC's packet filter: one table in its router namespace. Security groups become sets of member
//! addresses and chains of rules; an interface is an element in a few maps. Pure: text in, text out. Nothing is
//! put into the text that was not parsed or checked first.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;

use base::SecurityGroupId;
use world::{Interface, Network, Peer, Rule, Traffic};

use crate::failure::{Failure, Result};
use crate::naming;

pub(crate) const TABLE: &str = "inet allod";
/// Where an instance finds its metadata.
pub(crate) const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
pub(crate) const METADATA_PORT: u16 = 80;

/// An interface with the router's end of its veth pair.
pub(crate) struct Member<'a> {
    pub device: &'a str,
    pub interface: &'a Interface,
}

/// What the table holds beyond elements: sets of groups and chains of their combinations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    groups: BTreeSet<SecurityGroupId>,
    combinations: BTreeSet<String>,
}

/// An IPv4 block with its host bits cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    pub address: Ipv4Addr,
    pub bits: u8,
}

impl Cidr {
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: Ipv4Addr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        Some(Self { address: Ipv4Addr::from_bits(address.to_bits() & mask), bits })
    }
}

/// The whole table, replacing what is there in one transaction. Tracked connections stay tracked.
pub(crate) fn table(network: Option<&Network>, members: &[Member<'_>]) -> Result<(String, Known)> {
    let mut text = format!("table {TABLE} {{\n}}\ndelete table {TABLE}\ntable {TABLE} {{\n{BASE}}}\n");
    let mut known = Known::default();
    let groups = network.map_or(&[][..], |n| n.security_groups.as_slice());
    for group in groups {
        declare_group(&mut text, &group.id, &mut known)?;
    }
    for group in groups {
        let name = group_name(&group.id)?;
        for (prefix, rules, side) in [("gi", &group.ingress, "saddr"), ("ge", &group.egress, "daddr")] {
            for rule in rules {
                if let Peer::Group(peer) = &rule.peer {
                    declare_group(&mut text, peer, &mut known)?;
                }
                if let Some(matches) = matches(rule, side)? {
                    writeln!(text, "add rule {TABLE} {prefix}_{name} {matches} accept").ok();
                }
            }
        }
    }
    for member in members {
        text.push_str(&add(member, &mut known)?);
    }
    Ok((text, known))
}

/// What brings an interface into the table.
pub(crate) fn add(member: &Member<'_>, known: &mut Known) -> Result<String> {
    let mut text = String::new();
    let groups: BTreeSet<&SecurityGroupId> = member.interface.groups.iter().collect();
    for group in &groups {
        declare_group(&mut text, group, known)?;
    }
    let combination = combination(&groups);
    if !known.combinations.contains(&combination) {
        for (chain, group_chain) in [("ci", "gi"), ("ce", "ge")] {
            writeln!(text, "add chain {TABLE} {chain}_{combination}").ok();
            for group in &groups {
                writeln!(text, "add rule {TABLE} {chain}_{combination} jump {group_chain}_{}", group_name(group)?).ok();
            }
        }
        known.combinations.insert(combination);
    }
    elements(&mut text, "add", member, &groups)?;
    Ok(text)
}

/// What takes an interface out again. It must have been added with the same groups.
pub(crate) fn remove(member: &Member<'_>) -> Result<String> {
    let mut text = String::new();
    elements(&mut text, "delete", member, &member.interface.groups.iter().collect())?;
    Ok(text)
}

fn elements(text: &mut String, verb: &str, member: &Member<'_>, groups: &BTreeSet<&SecurityGroupId>) -> Result<()> {
    let (device, address) = (member.device, member.interface.address);
    let mut element = |map: &str, element: &str| writeln!(text, "{verb} element {TABLE} {map} {{ {element} }}").ok();
    if member.interface.source_dest_check {
        element("port_ip", &format!("\"{device}\" . {address} : accept"));
    } else {
        element("nosrccheck", &format!("\"{device}\""));
    }
    let combination = combination(groups);
    element("eni_in", &format!("{address} : goto ci_{combination}"));
    element("eni_out", &format!("{address} : goto ce_{combination}"));
    for group in groups {
        element(&format!("sg_{}", group_name(group)?), &address.to_string());
    }
    Ok(())
}

/// Makes a group's set and chains exist: empty ones when the network does not describe the group (yet).
fn declare_group(text: &mut String, id: &SecurityGroupId, known: &mut Known) -> Result<()> {
    let name = group_name(id)?;
    if known.groups.insert(id.clone()) {
        writeln!(text, "add set {TABLE} sg_{name} {{ type ipv4_addr; }}").ok();
        writeln!(text, "add chain {TABLE} gi_{name}\nadd chain {TABLE} ge_{name}").ok();
    }
    Ok(())
}

fn group_name(id: &SecurityGroupId) -> Result<String> {
    if !naming::is_plain(id) {
        return Err(Failure::new(format!("{id:?} is not the id of a security group")));
    }
    Ok(id.replace('-', "_"))
}

/// Names the set of an interface's groups.
fn combination(groups: &BTreeSet<&SecurityGroupId>) -> String {
    let bytes = groups.iter().flat_map(|group| group.bytes().chain([0]));
    format!("{:016x}", naming::hash(bytes))
}

/// What a packet must look like for a rule; none for IPv6, which no interface speaks yet.
fn matches(rule: &Rule, side: &str) -> Result<Option<String>> {
    let peer = match &rule.peer {
        Peer::Group(group) => format!("ip {side} @sg_{}", group_name(group)?),
        Peer::Cidr(text) => match Cidr::parse(text) {
            Some(Cidr { bits: 0, .. }) => "meta nfproto ipv4".into(),
            Some(Cidr { address, bits }) => format!("ip {side} {address}/{bits}"),
            None if is_ipv6_block(text) => return Ok(None),
            None => return Err(Failure::new(format!("{text:?} is not a CIDR block"))),
        },
    };
    let ports = |protocol: &str, from: u16, to: u16| match (from, to) {
        (0, u16::MAX) => Ok(format!("meta l4proto {protocol}")),
        (from, to) if from < to => Ok(format!("{protocol} dport {from}-{to}")),
        (from, to) if from == to => Ok(format!("{protocol} dport {from}")),
        _ => Err(Failure::new(format!("the port range {from}-{to} is upside down"))),
    };
    let traffic = match &rule.traffic {
        Traffic::All => return Ok(Some(peer)),
        Traffic::Tcp { from, to } => ports("tcp", *from, *to)?,
        Traffic::Udp { from, to } => ports("udp", *from, *to)?,
        Traffic::Icmp { kind: None, .. } => "meta l4proto icmp".into(),
        Traffic::Icmp { kind: Some(kind), code: None } => format!("icmp type {kind}"),
        Traffic::Icmp { kind: Some(kind), code: Some(code) } => format!("icmp type {kind} icmp code {code}"),
        Traffic::Protocol(number) => format!("meta l4proto {number}"),
    };
    Ok(Some(format!("{peer} {traffic}")))
}

fn is_ipv6_block(text: &str) -> bool {
    let parsed = text.split_once('/').map(|(address, bits)| (address.parse::<std::net::Ipv6Addr>(), bits.parse::<u8>()));
    matches!(parsed, Some((Ok(_), Ok(0..=128))))
}

/// What every VPC has. An accept ends only its own base chain, so egress and ingress must both agree. The priorities
/// leave room for route marks (-200), network ACLs (-25 forward) and address translation.
const BASE: &str = "
    map port_ip { type ifname . ipv4_addr : verdict; }
    set nosrccheck { type ifname; }
    map eni_in { type ipv4_addr : verdict; }
    map eni_out { type ipv4_addr : verdict; }
    chain srccheck {
        type filter hook prerouting priority -310; policy drop;
        iifname \"lo\" accept
        iifname @nosrccheck accept
        iifname . ip saddr vmap @port_ip
    }
    chain sg_egress {
        type filter hook forward priority 0; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        ip saddr vmap @eni_out
    }
    chain sg_ingress {
        type filter hook forward priority 10; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        ip daddr vmap @eni_in
    }
    chain local {
        type filter hook input priority 0; policy drop;
        iifname \"lo\" accept
        ct state vmap { established : accept, related : accept, invalid : drop }
        ip daddr 169.254.169.254 tcp dport 80 accept
    }
";

#[cfg(test)]
mod tests {
    use super::{Cidr, Known, Member, add, matches, remove, table};
    use std::net::Ipv4Addr;
    use world::{Interface, Network, Peer, Rule, SecurityGroup, Traffic};

    fn interface(groups: &[&str], source_dest_check: bool) -> Interface {
        Interface {
            id: "eni-1".into(),
            vpc: "vpc-1".into(),
            subnet: "subnet-1".into(),
            zone: "z".into(),
            address: Ipv4Addr::new(10, 0, 1, 5),
            prefix_bits: 24,
            mac: "06:00:00:00:00:01".into(),
            groups: groups.iter().map(|g| (*g).into()).collect(),
            source_dest_check,
        }
    }

    fn text_of(traffic: Traffic, peer: Peer) -> Option<String> {
        matches(&Rule { traffic, peer }, "saddr").expect("a good rule")
    }

    #[test]
    fn rules_become_matches() {
        let any = || Peer::Cidr("0.0.0.0/0".into());
        let block = || Peer::Cidr("10.0.1.77/24".into());
        for (traffic, peer, wanted) in [
            (Traffic::All, any(), "meta nfproto ipv4"),
            (Traffic::Tcp { from: 80, to: 80 }, block(), "ip saddr 10.0.1.0/24 tcp dport 80"),
            (Traffic::Udp { from: 1, to: 9 }, Peer::Group("sg-a".into()), "ip saddr @sg_sg_a udp dport 1-9"),
            (Traffic::Tcp { from: 0, to: 65535 }, any(), "meta nfproto ipv4 meta l4proto tcp"),
            (Traffic::Icmp { kind: None, code: None }, any(), "meta nfproto ipv4 meta l4proto icmp"),
            (Traffic::Icmp { kind: Some(8), code: Some(0) }, any(), "meta nfproto ipv4 icmp type 8 icmp code 0"),
            (Traffic::Protocol(47), block(), "ip saddr 10.0.1.0/24 meta l4proto 47"),
        ] {
            assert_eq!(text_of(traffic, peer).as_deref(), Some(wanted));
        }
        assert_eq!(text_of(Traffic::All, Peer::Cidr("::/0".into())), None);
    }

    #[test]
    fn nothing_unparsed_reaches_the_text() {
        for peer in ["10.0.0.0/33", "10.0.0.0", "0.0.0.0/0 accept; drop", "::/129"] {
            assert!(matches(&Rule { traffic: Traffic::All, peer: Peer::Cidr(peer.into()) }, "saddr").is_err(), "{peer}");
        }
        let bad = Rule { traffic: Traffic::All, peer: Peer::Group("a } drop".into()) };
        assert!(matches(&bad, "saddr").is_err());
        let upside_down = Rule { traffic: Traffic::Tcp { from: 9, to: 1 }, peer: Peer::Cidr("0.0.0.0/0".into()) };
        assert!(matches(&upside_down, "saddr").is_err());
        let interface = interface(&["sg-1; flush ruleset"], true);
        assert!(add(&Member { device: "v1", interface: &interface }, &mut Known::default()).is_err());
    }

    #[test]
    fn a_table_replaces_itself_and_declares_what_it_names() {
        let ingress = vec![Rule { traffic: Traffic::Tcp { from: 80, to: 80 }, peer: Peer::Group("sg-lb".into()) }];
        let network = Network {
            id: "vpc-1".into(),
            cidrs: vec!["10.0.0.0/16".into()],
            subnets: vec![],
            security_groups: vec![SecurityGroup { id: "sg-web".into(), ingress, egress: vec![] }],
        };
        let interface = interface(&["sg-web"], true);
        let (text, _) = table(Some(&network), &[Member { device: "v7", interface: &interface }]).expect("good");
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in {text}"));
        assert!(at("delete table inet allod") < at("map port_ip"));
        assert!(at("add set inet allod sg_sg_lb") < at("ip saddr @sg_sg_lb tcp dport 80 accept"));
        assert!(at("add chain inet allod gi_sg_web") < at("jump gi_sg_web"));
        at("add element inet allod port_ip { \"v7\" . 10.0.1.5 : accept }");
    }

    #[test]
    fn an_interface_leaves_as_it_came() {
        let (mut known, interface) = (Known::default(), interface(&["sg-b", "sg-a", "sg-b"], false));
        let member = Member { device: "v9", interface: &interface };
        let first = add(&member, &mut known).expect("good");
        let second = add(&member, &mut known).expect("good");
        assert!(first.contains("add chain"));
        assert_eq!(first.matches("add element inet allod sg_sg_b").count(), 1);
        assert!(!second.contains("add chain"), "chains of a known combination are not made twice");
        assert_eq!(second.replace("add element", "delete element"), remove(&member).expect("good"));
        assert!(second.contains("nosrccheck { \"v9\" }"));
    }

    #[test]
    fn blocks_lose_their_host_bits() {
        assert_eq!(Cidr::parse("10.1.2.3/0").map(|c| c.address), Some(Ipv4Addr::UNSPECIFIED));
        assert_eq!(Cidr::parse("10.1.2.3/31").map(|c| c.address), Some(Ipv4Addr::new(10, 1, 2, 2)));
        assert_eq!(Cidr::parse("10.1.2.3/32").map(|c| c.address), Some(Ipv4Addr::new(10, 1, 2, 3)));
    }
}
