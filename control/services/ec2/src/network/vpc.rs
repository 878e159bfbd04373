//! VPCs: the row, and what comes and goes with one (main route table, default security group, default network ACL).

use base::{NetworkAclId, RouteTableId, Scope, SecurityGroupId, Tags, VpcId};
use kernel::{Cx, Row, State, Tx, Wanted};
use serde::{Deserialize, Serialize};
use world::{Slot, SlotKind};

use super::cidr::Cidr;
use super::interface::NetworkInterface;
use super::internet_gateway;
use super::network_acl::{self, NetworkAcl};
use super::route_table::{self, RouteTable};
use super::security_group::{self, SecurityGroup};
use super::subnet::Subnet;
use crate::describe::Described;
use crate::error::Error;
use crate::kind::Kind;
use crate::tags;

/// Most VPCs of a region ("Amazon VPC quotas").
pub const VPCS_MAX: usize = 5;
/// Prefix lengths that a VPC's block may have ("VPC CIDR blocks").
pub const PREFIX_BITS: std::ops::RangeInclusive<u8> = 16..=28;
/// Blocks that no VPC can be in: this network, loopback, link-local, multicast and reserved.
const FORBIDDEN: [&str; 5] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"];

/// A VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    pub id: VpcId,
    pub cidr: Cidr,
    pub purpose: Purpose,
    pub dns_support: bool,
    pub dns_hostnames: bool,
    pub default_security_group: SecurityGroupId,
    pub default_network_acl: NetworkAclId,
    pub main_route_table: RouteTableId,
    /// The world has built it. Written by the reconciler only.
    pub built: bool,
}

/// Whether a VPC is the region's default one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    Default,
    Custom,
}

impl Row for Vpc {
    const TABLE: &'static str = "ec2.vpc";
    type Key = VpcId;

    fn key(&self) -> VpcId {
        self.id.clone()
    }
}

impl Vpc {
    pub fn slot(&self) -> Slot {
        slot(&self.id)
    }

    pub fn is_default(&self) -> bool {
        self.purpose == Purpose::Default
    }

    pub fn state(&self) -> &'static str {
        if self.built { "available" } else { "pending" }
    }

    /// Id of the association between the VPC and its block.
    pub fn cidr_association(&self) -> String {
        self.id.replacen(VpcId::PREFIX, "vpc-cidr-assoc-", 1)
    }
}

pub(super) fn slot(id: &VpcId) -> Slot {
    Slot::new(SlotKind::Network, id.as_str())
}

/// The VPC of this id.
pub fn find<'a>(state: &'a State, id: &VpcId) -> Result<&'a Vpc, Error> {
    Kind::Vpc.check(id)?;
    state.get::<Vpc>(id).ok_or_else(|| Error::NoVpc(id.clone()))
}

/// The region's default VPC.
pub fn default_vpc(state: &State) -> Option<&Vpc> {
    state.rows::<Vpc>().find(|v| v.is_default())
}

/// Makes a VPC with its main route table, default security group and default network ACL.
pub fn create_vpc(tx: &mut Tx, cx: &Cx, cidr: Cidr, purpose: Purpose, tags: Tags) -> Result<VpcId, Error> {
    if !PREFIX_BITS.contains(&cidr.bits()) || is_forbidden(&cidr) {
        return Err(Error::VpcRange(cidr.to_string()));
    }
    if tx.count::<Vpc>() >= VPCS_MAX {
        return Err(Error::LimitExceeded("VpcLimitExceeded", format!("{VPCS_MAX} VPCs")));
    }
    let id = VpcId::generate(&mut cx.rng());
    let vpc = Vpc {
        id: id.clone(),
        cidr,
        purpose,
        dns_support: true,
        dns_hostnames: purpose == Purpose::Default,
        default_security_group: security_group::put_default(tx, cx, &id),
        default_network_acl: network_acl::put_default(tx, cx, &id),
        main_route_table: route_table::put_main(tx, cx, &id),
        built: false,
    };
    tx.put(vpc);
    tags::add(tx, &id, tags)?;
    Ok(id)
}

fn is_forbidden(cidr: &Cidr) -> bool {
    FORBIDDEN.iter().filter_map(|text| text.parse::<Cidr>().ok()).any(|block| block.overlaps(cidr))
}

/// Deletes a VPC that holds nothing but what came with it.
pub fn delete_vpc(tx: &mut Tx, id: &VpcId) -> Result<(), Error> {
    let vpc = find(tx, id)?.clone();
    let others = |found: usize| found > 0;
    let blocked = others(tx.rows_where::<Subnet>("vpc", id).count())
        || others(tx.rows_where::<NetworkInterface>("vpc", id).count())
        || internet_gateway::of_vpc(tx, id).is_some()
        || others(tx.rows_where::<RouteTable>("vpc", id).filter(|t| t.id != vpc.main_route_table).count())
        || others(tx.rows_where::<SecurityGroup>("vpc", id).filter(|g| g.id != vpc.default_security_group).count());
    if blocked {
        return Err(Error::InUse(format!("The vpc '{id}'")));
    }
    route_table::forget(tx, &vpc.main_route_table);
    security_group::forget(tx, &vpc.default_security_group);
    tx.remove::<NetworkAcl>(&vpc.default_network_acl);
    tags::forget(tx, &vpc.default_network_acl);
    tx.remove::<Vpc>(id);
    tags::forget(tx, id);
    Ok(())
}

/// An attribute of a VPC that can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    DnsSupport(bool),
    DnsHostnames(bool),
}

pub fn modify_vpc(tx: &mut Tx, id: &VpcId, attribute: Attribute) -> Result<(), Error> {
    find(tx, id)?;
    tx.update::<Vpc>(id, |vpc| match attribute {
        Attribute::DnsSupport(on) => vpc.dns_support = on,
        Attribute::DnsHostnames(on) => vpc.dns_hostnames = on,
    });
    Ok(())
}

/// Why the world could not build the VPC.
pub(super) fn refusal(state: &State, id: &VpcId) -> Option<String> {
    state.get::<Wanted>(&slot(id))?.refused.clone()
}

impl Described for Vpc {
    const KIND: Kind = Kind::Vpc;
    const FILTERS: &'static [&'static str] = &[
        "cidr",
        // As of subnets; of VPCs the API Reference lists only the first, and Ansible asks by the second.
        "cidr-block",
        "cidrBlock",
        "cidr-block-association.association-id",
        "cidr-block-association.cidr-block",
        "cidr-block-association.state",
        "dhcp-options-id",
        "is-default",
        "isDefault",
        "owner-id",
        "state",
        "vpc-id",
    ];

    fn values(&self, _: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "cidr" | "cidr-block" | "cidrBlock" | "cidr-block-association.cidr-block" => add(&self.cidr.to_string()),
            "cidr-block-association.association-id" => add(&self.cidr_association()),
            "cidr-block-association.state" => add("associated"),
            "dhcp-options-id" => add("default"),
            "is-default" | "isDefault" => add(if self.is_default() { "true" } else { "false" }),
            "owner-id" => add(&scope.account),
            "state" => add(self.state()),
            "vpc-id" => add(&self.id),
            _ => {}
        }
    }
}
