//! Subnets: blocks of a VPC, each in one zone.

use base::{NetworkAclId, Scope, SubnetId, Tags, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::cidr::Cidr;
use super::interface::{NetworkInterface, free_addresses};
use super::vpc::{self, Vpc};
use super::{route_table, zone};
use crate::describe::Described;
use crate::error::Error;
use crate::kind::Kind;
use crate::tags;

/// Most subnets of a VPC ("Amazon VPC quotas").
pub const SUBNETS_MAX: usize = 200;
/// Prefix lengths that a subnet may have ("Subnet sizing").
pub const PREFIX_BITS: std::ops::RangeInclusive<u8> = 16..=28;

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: SubnetId,
    pub vpc: VpcId,
    pub cidr: Cidr,
    pub zone: String,
    /// The zone's subnet for launches that name none.
    pub default_for_zone: bool,
    /// Kept as it was asked; this region has no public addresses.
    pub map_public_ip_on_launch: bool,
}

impl Row for Subnet {
    const TABLE: &'static str = "ec2.subnet";
    type Key = SubnetId;

    fn key(&self) -> SubnetId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("vpc", &self.vpc);
    }
}

impl Subnet {
    /// Id of the association between the subnet and its VPC's network ACL.
    pub fn acl_association(&self) -> String {
        self.id.replacen(SubnetId::PREFIX, "aclassoc-", 1)
    }

    /// Free to use once its VPC is there.
    pub fn state(&self, state: &State) -> &'static str {
        state.get::<Vpc>(&self.vpc).map_or("pending", Vpc::state)
    }

    pub fn network_acl<'a>(&self, state: &'a State) -> Option<&'a NetworkAclId> {
        state.get::<Vpc>(&self.vpc).map(|vpc| &vpc.default_network_acl)
    }
}

/// The subnet of this id.
pub fn find<'a>(state: &'a State, id: &SubnetId) -> Result<&'a Subnet, Error> {
    Kind::Subnet.check(id)?;
    state.get::<Subnet>(id).ok_or_else(|| Error::NoSubnet(id.clone()))
}

/// The default subnet of a zone, or of the zone where it has the most free addresses.
pub fn default_subnet<'a>(state: &'a State, zone: Option<&str>) -> Result<&'a Subnet, Error> {
    let vpc = vpc::default_vpc(state).ok_or(Error::NoDefaultVpc)?;
    let subnets = state.rows_where::<Subnet>("vpc", &vpc.id).filter(|s| s.default_for_zone);
    let found = match zone {
        Some(zone) => subnets.clone().find(|s| s.zone == zone),
        None => subnets.min_by_key(|s| (u32::MAX - free_addresses(state, s), s.zone.clone())),
    };
    found.ok_or_else(|| Error::NoDefaultSubnet { zone: zone.map(Into::into) })
}

/// What a subnet is made from.
#[derive(Clone, Debug)]
pub struct NewSubnet {
    pub vpc: VpcId,
    pub cidr: Cidr,
    /// None for the zone where the VPC has the fewest subnets.
    pub zone: Option<String>,
    pub default_for_zone: bool,
    pub map_public_ip_on_launch: bool,
    pub tags: Tags,
}

/// Makes a subnet. Errors: `InvalidSubnet.Range` outside of the VPC or of the sizes, `InvalidSubnet.Conflict`.
pub fn create_subnet(tx: &mut Tx, cx: &Cx, new: NewSubnet) -> Result<SubnetId, Error> {
    let vpc = vpc::find(tx, &new.vpc)?;
    if !PREFIX_BITS.contains(&new.cidr.bits()) || !vpc.cidr.covers(&new.cidr) {
        return Err(Error::SubnetRange(new.cidr.to_string()));
    }
    let others = tx.rows_where::<Subnet>("vpc", &new.vpc);
    if others.clone().any(|s| s.cidr.overlaps(&new.cidr)) {
        return Err(Error::SubnetConflict(new.cidr.to_string()));
    }
    if others.count() >= SUBNETS_MAX {
        return Err(Error::LimitExceeded("SubnetLimitExceeded", format!("{SUBNETS_MAX} subnets in a VPC")));
    }
    let zone = match new.zone {
        Some(zone) => zone::check(&cx.scope, zone)?,
        None => emptiest_zone(tx, &cx.scope, &new.vpc),
    };
    let id = SubnetId::generate(&mut cx.rng());
    tx.put(Subnet {
        id: id.clone(),
        vpc: new.vpc,
        cidr: new.cidr,
        zone,
        default_for_zone: new.default_for_zone,
        map_public_ip_on_launch: new.map_public_ip_on_launch,
    });
    tags::add(tx, &id, new.tags)?;
    Ok(id)
}

/// The zone where a VPC has the fewest subnets, the first of them.
fn emptiest_zone(state: &State, scope: &Scope, vpc: &VpcId) -> String {
    let in_zone = |zone: &String| state.rows_where::<Subnet>("vpc", vpc).filter(|s| s.zone == *zone).count();
    scope.zones.iter().min_by_key(|zone| in_zone(zone)).cloned().unwrap_or_default()
}

/// Deletes a subnet without interfaces, and its association with a route table.
pub fn delete_subnet(tx: &mut Tx, id: &SubnetId) -> Result<(), Error> {
    find(tx, id)?;
    if tx.rows_where::<NetworkInterface>("subnet", id).next().is_some() {
        return Err(Error::InUse(format!("The subnet '{id}'")));
    }
    route_table::release_subnet(tx, id);
    tx.remove::<Subnet>(id);
    tags::forget(tx, id);
    Ok(())
}

/// Whether instances ask for a public address unless told otherwise.
pub fn set_map_public_ip(tx: &mut Tx, id: &SubnetId, on_launch: bool) -> Result<(), Error> {
    find(tx, id)?;
    tx.update::<Subnet>(id, |s| s.map_public_ip_on_launch = on_launch);
    Ok(())
}

impl Described for Subnet {
    const KIND: Kind = Kind::Subnet;
    const FILTERS: &'static [&'static str] = &[
        "availability-zone",
        "availabilityZone",
        "availability-zone-id",
        "availabilityZoneId",
        "available-ip-address-count",
        "cidr",
        "cidr-block",
        "cidrBlock",
        "default-for-az",
        "defaultForAz",
        "map-public-ip-on-launch",
        "owner-id",
        "state",
        "subnet-arn",
        "subnet-id",
        "vpc-id",
    ];

    fn values(&self, state: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        let flag = |on: bool| if on { "true" } else { "false" };
        match name {
            "availability-zone" | "availabilityZone" => add(&self.zone),
            "availability-zone-id" | "availabilityZoneId" => add(&zone::id(scope, &self.zone)),
            "available-ip-address-count" => add(&free_addresses(state, self).to_string()),
            "cidr" | "cidr-block" | "cidrBlock" => add(&self.cidr.to_string()),
            "default-for-az" | "defaultForAz" => add(flag(self.default_for_zone)),
            "map-public-ip-on-launch" => add(flag(self.map_public_ip_on_launch)),
            "owner-id" => add(&scope.account),
            "state" => add(self.state(state)),
            "subnet-arn" => add(&scope.arn("ec2", format_args!("subnet/{}", self.id))),
            "subnet-id" => add(&self.id),
            "vpc-id" => add(&self.vpc),
            _ => {}
        }
    }
}
