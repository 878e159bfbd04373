use std::net::Ipv4Addr;

use base::{NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId};
use serde::{Deserialize, Serialize};

/// A VPC as the packet plane sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub id: VpcId,
    /// CIDR blocks in text, such as `10.0.0.0/16`.
    pub cidrs: Vec<String>,
    pub subnets: Vec<Subnet>,
    pub security_groups: Vec<SecurityGroup>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: SubnetId,
    pub cidr: String,
    pub zone: String,
}

/// The rules of a security group. Its members are the interfaces that name it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub id: SecurityGroupId,
    pub ingress: Vec<Rule>,
    pub egress: Vec<Rule>,
}

/// Traffic that a group lets pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    pub traffic: Traffic,
    pub peer: Peer,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// All protocols and ports.
    All,
    /// Inclusive port range.
    Tcp { from: u16, to: u16 },
    /// Inclusive port range.
    Udp { from: u16, to: u16 },
    /// None means every type or code.
    Icmp { kind: Option<u8>, code: Option<u8> },
    /// Another IP protocol by number.
    Protocol(u8),
}

/// The other end of a rule: the source of ingress, the destination of egress.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// An IPv4 or IPv6 CIDR block in text.
    Cidr(String),
    /// Every interface that is a member of the group.
    Group(SecurityGroupId),
}

/// A network interface: one address in a subnet, behind one end of a routed veth pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    pub id: NetworkInterfaceId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: String,
    pub address: Ipv4Addr,
    /// Length of the subnet's prefix in bits.
    pub prefix_bits: u8,
    /// Six bytes in text, `06:..`.
    pub mac: String,
    pub groups: Vec<SecurityGroupId>,
    /// Drop what does not carry the interface's own address.
    pub source_dest_check: bool,
}
