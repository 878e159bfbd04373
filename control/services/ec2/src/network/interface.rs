//! Network interfaces: one address of a subnet each, given to an instance or to a service such as a load balancer.
//! This module owns the addresses: none is given twice, and none that AWS keeps for itself.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use base::{InstanceId, NetworkInterfaceId, SecurityGroupId, SubnetId, Time, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use world::{Slot, SlotKind};

use super::cidr::Cidr;
use super::security_group::{self, SecurityGroup};
use super::subnet::{self, Subnet};
use super::vpc::Vpc;
use crate::compute::INSTANCES_MAX;
use crate::error::Error;
use crate::tags;

/// Most security groups of an interface ("Amazon VPC quotas").
pub const GROUPS_MAX: usize = 5;
/// Most interfaces of a region: one for each instance that may be, and those of load balancers.
pub const INTERFACES_MAX: usize = INSTANCES_MAX + 3_000;
/// Addresses at the start of a subnet that are not given out, the network's own, the router, DNS and one for
/// the future; the last one, the broadcast address, is not given either ("Subnet sizing").
pub const RESERVED_FIRST: u32 = 4;
pub const RESERVED: u32 = RESERVED_FIRST + 1;

/// Who has an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceOwner {
    /// The instance's own wish carries the interface into the world.
    Instance(InstanceId),
    /// A service, such as `amazon-elb`; the interface is a wish of its own.
    Service { requester: String },
}

/// What an interface is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInterface {
    pub subnet: SubnetId,
    /// Empty for the VPC's default group.
    pub groups: Vec<SecurityGroupId>,
    /// None for the lowest free address.
    pub address: Option<Ipv4Addr>,
    pub description: String,
    pub owner: InterfaceOwner,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub id: NetworkInterfaceId,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    pub zone: String,
    pub address: Ipv4Addr,
    pub mac: String,
    /// One to five, in the order that was given.
    pub groups: Vec<SecurityGroupId>,
    pub description: String,
    pub owner: InterfaceOwner,
    pub source_dest_check: bool,
    pub created_at: Time,
    /// Its end was asked for; the address stays taken until the world has let go of it.
    pub leaving: bool,
}

impl Row for NetworkInterface {
    const TABLE: &'static str = "ec2.network-interface";
    type Key = NetworkInterfaceId;

    fn key(&self) -> NetworkInterfaceId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("vpc", &self.vpc);
        add("subnet", &self.subnet);
        add("mac", &self.mac);
        add("block", &block_value(&self.subnet, block_of(self.address)));
        self.groups.iter().for_each(|group| add("group", group));
    }
}

impl NetworkInterface {
    pub fn slot(&self) -> Slot {
        Slot::new(SlotKind::Interface, self.id.as_str())
    }

    /// Such as `ip-10-0-1-23.eu-central-1.compute.internal`.
    pub fn private_dns_name(&self, region: &str) -> String {
        let [a, b, c, d] = self.address.octets();
        let domain = if region == "us-east-1" { "ec2.internal".into() } else { format!("{region}.compute.internal") };
        format!("ip-{a}-{b}-{c}-{d}.{domain}")
    }
}

/// Makes an interface with an address of its own.
///
/// Errors: an unknown subnet or group, groups of another VPC, more than [`GROUPS_MAX`] groups, an address that is
/// taken or outside, `InsufficientFreeAddressesInSubnet`.
pub fn create_interface(tx: &mut Tx, cx: &Cx, new: NewInterface) -> Result<NetworkInterfaceId, Error> {
    let subnet = subnet::find(tx, &new.subnet)?.clone();
    if tx.count::<NetworkInterface>() >= INTERFACES_MAX {
        return Err(Error::LimitExceeded("NetworkInterfaceLimitExceeded", format!("{INTERFACES_MAX} network interfaces")));
    }
    let groups = check_groups(tx, &subnet, new.groups)?;
    let address = match new.address {
        Some(address) => check_address(&subnet, &taken_addresses(tx, &subnet.id, block_of(address)), address)?,
        None => {
            let count = |block| count_in(tx, &subnet.id, block);
            let free = lowest_free(&subnet.cidr, count, |block| taken_addresses(tx, &subnet.id, block));
            free.ok_or_else(|| Error::NoFreeAddress(subnet.id.clone()))?
        }
    };
    let id = NetworkInterfaceId::generate(&mut cx.rng());
    tx.put(NetworkInterface {
        id: id.clone(),
        vpc: subnet.vpc,
        subnet: subnet.id,
        zone: subnet.zone,
        address,
        mac: new_mac(tx, cx),
        groups,
        description: new.description,
        owner: new.owner,
        source_dest_check: true,
        created_at: cx.now,
        leaving: false,
    });
    Ok(id)
}

/// Ends an interface. An instance's is gone at once, for the instance must have left the world already; a service's
/// address is free again once the world has let go of it. Nothing to do when there is none.
pub fn delete_interface(tx: &mut Tx, _: &Cx, id: &NetworkInterfaceId) -> Result<(), Error> {
    let Some(interface) = tx.get::<NetworkInterface>(id) else { return Ok(()) };
    match interface.owner {
        InterfaceOwner::Instance(_) => forget(tx, id),
        InterfaceOwner::Service { .. } => {
            tx.update::<NetworkInterface>(id, |i| i.leaving = true);
        }
    }
    Ok(())
}

/// Drops the row and its tags.
pub(super) fn forget(tx: &mut Tx, id: &NetworkInterfaceId) {
    tx.remove::<NetworkInterface>(id);
    tags::forget(tx, id);
}

/// Gives an interface other security groups, all of its VPC.
pub fn set_interface_groups(tx: &mut Tx, _: &Cx, id: &NetworkInterfaceId, groups: Vec<SecurityGroupId>) -> Result<(), Error> {
    let interface = tx.get::<NetworkInterface>(id).ok_or_else(|| Error::NoNetworkInterface(id.clone()))?;
    let subnet = subnet::find(tx, &interface.subnet)?.clone();
    let groups = check_groups(tx, &subnet, groups)?;
    tx.update::<NetworkInterface>(id, |i| i.groups = groups);
    Ok(())
}

/// Turns the check on or off that an instance is the source or destination of what it sends and gets.
pub fn set_source_dest_check(tx: &mut Tx, id: &NetworkInterfaceId, check: SourceDestCheck) -> Result<(), Error> {
    let found = tx.update::<NetworkInterface>(id, |i| i.source_dest_check = check == SourceDestCheck::On);
    if found { Ok(()) } else { Err(Error::NoNetworkInterface(id.clone())) }
}

/// Whether packets with foreign addresses are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceDestCheck {
    On,
    Off,
}

/// The interface as the world shall have it; none when it is gone or leaving.
pub fn world_interface(state: &State, id: &NetworkInterfaceId) -> Option<world::Interface> {
    let interface = state.get::<NetworkInterface>(id).filter(|i| !i.leaving)?;
    let subnet = state.get::<Subnet>(&interface.subnet)?;
    let mut groups = interface.groups.clone();
    groups.sort_unstable();
    Some(world::Interface {
        id: interface.id.clone(),
        vpc: interface.vpc.clone(),
        subnet: interface.subnet.clone(),
        zone: interface.zone.clone(),
        address: interface.address,
        prefix_bits: subnet.cidr.bits(),
        mac: interface.mac.clone(),
        groups,
        source_dest_check: interface.source_dest_check,
    })
}

/// How many addresses of a subnet can still be given.
pub fn free_addresses(state: &State, subnet: &Subnet) -> u32 {
    let taken = state.count_where::<NetworkInterface>("subnet", &subnet.id);
    addresses_of(&subnet.cidr).saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
}

/// How many addresses of a block are given out at all.
fn addresses_of(cidr: &Cidr) -> u32 {
    let size = cidr.last().to_bits() - cidr.first().to_bits();
    (size + 1).saturating_sub(RESERVED)
}

/// Taken addresses are counted by blocks of so many, so that a large subnet is searched without a look at each.
const BLOCK_BITS: u32 = 6;

fn block_of(address: Ipv4Addr) -> u32 {
    address.to_bits() >> BLOCK_BITS
}

/// The value of the index `block`.
fn block_value(subnet: &SubnetId, block: u32) -> String {
    format!("{subnet}\0{block}")
}

fn count_in(state: &State, subnet: &SubnetId, block: u32) -> usize {
    state.count_where::<NetworkInterface>("block", &block_value(subnet, block))
}

fn taken_addresses(state: &State, subnet: &SubnetId, block: u32) -> BTreeSet<Ipv4Addr> {
    state.rows_where::<NetworkInterface>("block", &block_value(subnet, block)).map(|i| i.address).collect()
}

/// The lowest address that is neither taken nor reserved, where of each block is told how many addresses are taken, and which.
fn lowest_free(cidr: &Cidr, count: impl Fn(u32) -> usize, taken: impl Fn(u32) -> BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let first = cidr.nth(RESERVED_FIRST)?.to_bits();
    let last = cidr.last().to_bits().checked_sub(1)?;
    for block in first >> BLOCK_BITS..=last >> BLOCK_BITS {
        let begin = first.max(block << BLOCK_BITS);
        let end = last.min((block << BLOCK_BITS) | ((1 << BLOCK_BITS) - 1));
        // Where some are reserved, a count does not tell whether one is free.
        if count(block) >= 1 << BLOCK_BITS {
            continue;
        }
        let taken = taken(block);
        let free = (begin..=end).map(Ipv4Addr::from_bits).find(|a| !taken.contains(a));
        if free.is_some() {
            return free;
        }
    }
    None
}

fn check_address(subnet: &Subnet, taken: &BTreeSet<Ipv4Addr>, address: Ipv4Addr) -> Result<Ipv4Addr, Error> {
    let cidr = &subnet.cidr;
    if !cidr.contains(address) {
        return Err(Error::AddressOutOfRange(address, subnet.id.clone()));
    }
    if address.to_bits() - cidr.first().to_bits() < RESERVED_FIRST || address == cidr.last() {
        return Err(Error::InvalidParameter(format!("Address {address} is in subnet's reserved address range")));
    }
    if taken.contains(&address) { Err(Error::AddressInUse(address)) } else { Ok(address) }
}

/// The groups, each once, or the default one; all of the subnet's VPC.
fn check_groups(state: &State, subnet: &Subnet, wanted: Vec<SecurityGroupId>) -> Result<Vec<SecurityGroupId>, Error> {
    let mut groups: Vec<SecurityGroupId> = Vec::with_capacity(wanted.len());
    for group in wanted {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        let vpc = state.get::<Vpc>(&subnet.vpc).ok_or_else(|| Error::NoVpc(subnet.vpc.clone()))?;
        return Ok(vec![vpc.default_security_group.clone()]);
    }
    if groups.len() > GROUPS_MAX {
        return Err(Error::TooManyGroups);
    }
    for group in &groups {
        let row: &SecurityGroup = security_group::find(state, group)?;
        if row.vpc != subnet.vpc {
            return Err(Error::GroupsOfAnotherVpc { group: group.clone(), subnet: subnet.id.clone() });
        }
    }
    Ok(groups)
}

/// A locally administered address that no other interface has.
fn new_mac(state: &State, cx: &Cx) -> String {
    loop {
        let bytes = cx.rng().u64().to_be_bytes();
        let mac = format!("06:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]);
        if state.rows_where::<NetworkInterface>("mac", &mac).next().is_none() {
            return mac;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::{RESERVED_FIRST, addresses_of, block_of, lowest_free};
    use crate::network::cidr::Cidr;

    proptest! {
        #[test]
        fn every_address_is_given_once_and_none_that_is_reserved(base: u32, bits in 24u8..=28, taken in prop::collection::btree_set(0u32..256, 0..40)) {
            let cidr = Cidr::around(base.into(), bits);
            let mut taken: BTreeSet<Ipv4Addr> = taken.into_iter().filter_map(|n| cidr.nth(n)).collect();
            let usable = |a: &Ipv4Addr| a.to_bits() - cidr.first().to_bits() >= RESERVED_FIRST && *a != cidr.last();
            let before = u32::try_from(taken.iter().filter(|a| usable(a)).count()).unwrap();
            let mut given = 0;
            let mut lowest = cidr.first();
            let of = |taken: &BTreeSet<Ipv4Addr>, block| -> BTreeSet<Ipv4Addr> {
                taken.iter().copied().filter(|a| block_of(*a) == block).collect()
            };
            while let Some(address) = lowest_free(&cidr, |block| of(&taken, block).len(), |block| of(&taken, block)) {
                prop_assert!(cidr.contains(address) && usable(&address));
                prop_assert!(address > lowest, "the lowest comes first");
                lowest = address;
                prop_assert!(taken.insert(address), "{} is given twice", address);
                given += 1;
            }
            prop_assert_eq!(before + given, addresses_of(&cidr), "all are given in the end");
        }
    }
}
