//! The network half of EC2: VPCs, subnets, gateways, route tables, security groups and network interfaces.
//!
//! It owns their rows and the wishes for networks and services' interfaces; it never decides who runs where. Other
//! services call its transitions in their own transactions.

mod cidr;
mod interface;
mod internet_gateway;
mod network_acl;
mod operations;
mod reconcile;
mod route_table;
mod security_group;
mod security_group_rule;
mod stack;
mod subnet;
mod vpc;
mod zone;

use kernel::{Registry, State};

pub use cidr::Cidr;
pub use interface::{InterfaceOwner, NetworkInterface, NewInterface, create_interface, delete_interface, set_interface_groups};
pub(crate) use interface::{SourceDestCheck, set_source_dest_check, world_interface};
pub use internet_gateway::InternetGateway;
pub(crate) use network_acl::NetworkAcl;
pub use reconcile::ensure_default_network;
pub use route_table::{RouteTable, Target};
pub use security_group::{SecurityGroup, find_by_name as find_security_group_by_name};
pub use security_group_rule::SecurityGroupRule;
pub use subnet::{Subnet, default_subnet};
pub use vpc::{Vpc, default_vpc};

use crate::kind::Kind;

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<Vpc>();
    registry.table::<Subnet>();
    registry.table::<InternetGateway>();
    registry.table::<RouteTable>();
    registry.table::<SecurityGroup>();
    registry.table::<SecurityGroupRule>();
    registry.table::<NetworkInterface>();
    registry.table::<NetworkAcl>();
    reconcile::register(registry);
    operations::register(registry);
    stack::register(registry);
}

/// Whether a resource of the network half exists.
pub(crate) fn exists(state: &State, kind: Kind, id: &str) -> bool {
    match kind {
        Kind::Vpc => state.get::<Vpc>(&id.into()).is_some(),
        Kind::Subnet => state.get::<Subnet>(&id.into()).is_some(),
        Kind::InternetGateway => state.get::<InternetGateway>(&id.into()).is_some(),
        Kind::RouteTable => state.get::<RouteTable>(&id.into()).is_some(),
        Kind::SecurityGroup => state.get::<SecurityGroup>(&id.into()).is_some(),
        Kind::SecurityGroupRule => state.get::<SecurityGroupRule>(&id.into()).is_some(),
        Kind::NetworkInterface => state.get::<NetworkInterface>(&id.into()).is_some(),
        Kind::NetworkAcl => state.get::<NetworkAcl>(&id.into()).is_some(),
        _ => false,
    }
}
