//! Keeps the world's networks and the services' interfaces as the rows say, and makes the default VPC once.

use base::{Fault, NetworkInterfaceId, Tags, Time, VpcId};
use kernel::{Cx, Registry, Row, State, Tx, Wanted};
use serde::{Deserialize, Serialize};
use world::{SlotKind, Want};

use super::cidr::Cidr;
use super::interface::{self, InterfaceOwner, NetworkInterface, world_interface};
use super::internet_gateway::{attach, create_internet_gateway};
use super::route_table::{self, Target};
use super::security_group::SecurityGroup;
use super::security_group_rule::{Direction, SecurityGroupRule};
use super::subnet::{NewSubnet, Subnet, create_subnet};
use super::vpc::{self, Purpose, Vpc, create_vpc};
use crate::error::Error;

const NETWORK: &str = "ec2.network";
const INTERFACE: &str = "ec2.interface";
const DEFAULTS: &str = "ec2.default-network";

/// The default VPC's block; each zone gets a /20 of it ("Default VPC components").
const DEFAULT_CIDR: &str = "172.31.0.0/16";
const DEFAULT_SUBNET_BITS: u8 = 20;

pub(super) fn register(registry: &mut Registry) {
    registry.table::<DefaultsMade>();
    registry.reconciler(NETWORK, reconcile_network);
    registry.watch::<Vpc>(NETWORK, |_, vpc, due| due.push(vpc.id.to_string()));
    registry.watch::<Subnet>(NETWORK, |_, subnet, due| due.push(subnet.vpc.to_string()));
    registry.watch::<SecurityGroup>(NETWORK, |_, group, due| due.push(group.vpc.to_string()));
    registry.watch::<SecurityGroupRule>(NETWORK, |state, rule, due| {
        due.extend(state.get::<SecurityGroup>(&rule.group).map(|group| group.vpc.to_string()));
    });
    registry.watch::<Wanted>(NETWORK, |_, wanted, due| {
        if wanted.slot.kind == SlotKind::Network {
            due.push(wanted.slot.id.clone());
        }
    });
    registry.reconciler(INTERFACE, reconcile_interface);
    registry.watch::<NetworkInterface>(INTERFACE, |_, interface, due| {
        if matches!(interface.owner, InterfaceOwner::Service { .. }) {
            due.push(interface.id.to_string());
        }
    });
    registry.watch::<Wanted>(INTERFACE, |_, wanted, due| {
        if wanted.slot.kind == SlotKind::Interface {
            due.push(wanted.slot.id.clone());
        }
    });
    registry.reconciler(DEFAULTS, |tx, cx, _| ensure_default_network(tx, cx).map(|()| None).map_err(Fault::from));
    registry.watch_all(DEFAULTS, |state, due| {
        if state.count::<DefaultsMade>() == 0 {
            due.push("region".into());
        }
    });
}

/// The network of a VPC as the world shall have it, everything in order; none when there is no such VPC.
pub(crate) fn plan_network(state: &State, id: &VpcId) -> Option<world::Network> {
    let vpc = state.get::<Vpc>(id)?;
    let subnets = state.rows_where::<Subnet>("vpc", id).map(|subnet| world::Subnet {
        id: subnet.id.clone(),
        cidr: subnet.cidr.to_string(),
        zone: subnet.zone.clone(),
    });
    let rules = |group: &SecurityGroup, direction: Direction| {
        let mut rules: Vec<_> =
            group.rules(state).filter(|r| r.direction == direction).map(SecurityGroupRule::to_world).collect();
        rules.sort_unstable();
        // Two rules of ours may be one of the world's, such as two ICMPv6 types.
        rules.dedup();
        rules
    };
    let security_groups = state.rows_where::<SecurityGroup>("vpc", id).map(|group| world::SecurityGroup {
        id: group.id.clone(),
        ingress: rules(group, Direction::Ingress),
        egress: rules(group, Direction::Egress),
    });
    Some(world::Network {
        id: id.clone(),
        cidrs: vec![vpc.cidr.to_string()],
        subnets: subnets.collect(),
        security_groups: security_groups.collect(),
    })
}

fn reconcile_network(tx: &mut Tx, _: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let id = VpcId::from(key);
    let slot = vpc::slot(&id);
    let want = plan_network(tx, &id).map(Want::Network);
    tx.want(slot.clone(), want);
    if tx.get::<Wanted>(&slot).is_some_and(|w| w.applied) {
        tx.update::<Vpc>(&id, |vpc| vpc.built = true);
    }
    Ok(None)
}

/// A service's interface is wished for until it is leaving, and forgotten when the world has let go of it.
fn reconcile_interface(tx: &mut Tx, _: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let id = NetworkInterfaceId::from(key);
    let slot = world::Slot::new(SlotKind::Interface, key);
    tx.want(slot.clone(), world_interface(tx, &id).map(Want::Interface));
    let leaving = tx.get::<NetworkInterface>(&id).is_some_and(|i| i.leaving);
    if leaving && tx.get::<Wanted>(&slot).is_none() {
        interface::forget(tx, &id);
    }
    Ok(None)
}

/// Says that the default VPC was made, so that a user may delete it. There is one row, with key 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct DefaultsMade {
    vpc: Option<VpcId>,
}

impl Row for DefaultsMade {
    const TABLE: &'static str = "ec2.defaults-made";
    type Key = u8;

    fn key(&self) -> u8 {
        0
    }
}

/// Makes the default VPC with a subnet in each zone, an internet gateway and the route to it, once in a region's life.
pub fn ensure_default_network(tx: &mut Tx, cx: &Cx) -> Result<(), Error> {
    if tx.count::<DefaultsMade>() > 0 {
        return Ok(());
    }
    // A constant of ours: it is a block.
    let cidr: Cidr = DEFAULT_CIDR.parse().map_err(|_| Error::Internal)?;
    let id = create_vpc(tx, cx, cidr, Purpose::Default, Tags::new())?;
    for (index, zone) in (0u32..).zip(&cx.scope.zones) {
        let first = cidr.nth(index << (32 - DEFAULT_SUBNET_BITS)).ok_or(Error::Internal)?;
        create_subnet(
            tx,
            cx,
            NewSubnet {
                vpc: id.clone(),
                cidr: Cidr::around(first, DEFAULT_SUBNET_BITS),
                zone: Some(zone.clone()),
                default_for_zone: true,
                map_public_ip_on_launch: true,
                tags: Tags::new(),
            },
        )?;
    }
    let gateway = create_internet_gateway(tx, cx, Tags::new())?;
    attach(tx, &gateway, &id)?;
    let table = vpc::find(tx, &id)?.main_route_table.clone();
    let anywhere = Cidr::around(std::net::Ipv4Addr::UNSPECIFIED, 0);
    route_table::create_route(tx, &table, anywhere, Target::InternetGateway(gateway))?;
    tx.put(DefaultsMade { vpc: Some(id) });
    Ok(())
}
