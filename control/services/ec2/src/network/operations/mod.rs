//! The API of the network half: each operation validates its typed request, calls a transition and builds the typed
//! answer. It owns no rows and no rules of its own.

mod internet_gateway;
mod network_interface;
mod permission;
mod place;
mod route;
mod route_table;
mod security_group;
mod security_group_rule;
mod subnet;
mod vpc;

use kernel::Registry;
use shapes::ec2 as s;
use shapes::ec2::ops;

use crate::error::Error;
use crate::network::cidr::Cidr;

// How requests write things; templates write them the same way.
pub(in crate::network) use permission::{PeerText, own_account};
pub(in crate::network) use route::target;
pub(in crate::network) use security_group::named;
pub(in crate::network) use subnet::chosen_zone;
pub(in crate::network) use vpc::check_tenancy;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreateVpc>(vpc::create);
    registry.operation::<ops::DeleteVpc>(vpc::delete);
    registry.operation::<ops::DescribeVpcs>(vpc::describe_vpcs);
    registry.operation::<ops::ModifyVpcAttribute>(vpc::modify_attribute);
    registry.operation::<ops::DescribeVpcAttribute>(vpc::describe_attribute);
    registry.operation::<ops::CreateSubnet>(subnet::create);
    registry.operation::<ops::DeleteSubnet>(subnet::delete);
    registry.operation::<ops::DescribeSubnets>(subnet::describe_subnets);
    registry.operation::<ops::ModifySubnetAttribute>(subnet::modify_attribute);
    registry.operation::<ops::CreateInternetGateway>(internet_gateway::create);
    registry.operation::<ops::DeleteInternetGateway>(internet_gateway::delete);
    registry.operation::<ops::AttachInternetGateway>(internet_gateway::attach_to_vpc);
    registry.operation::<ops::DetachInternetGateway>(internet_gateway::detach_from_vpc);
    registry.operation::<ops::DescribeInternetGateways>(internet_gateway::describe_gateways);
    registry.operation::<ops::CreateRouteTable>(route_table::create);
    registry.operation::<ops::DeleteRouteTable>(route_table::delete);
    registry.operation::<ops::DescribeRouteTables>(route_table::describe_tables);
    registry.operation::<ops::AssociateRouteTable>(route_table::associate_subnet);
    registry.operation::<ops::DisassociateRouteTable>(route_table::disassociate_subnet);
    registry.operation::<ops::ReplaceRouteTableAssociation>(route_table::replace);
    registry.operation::<ops::CreateRoute>(route::create);
    registry.operation::<ops::ReplaceRoute>(route::replace);
    registry.operation::<ops::DeleteRoute>(route::delete);
    registry.operation::<ops::CreateSecurityGroup>(security_group::create);
    registry.operation::<ops::DeleteSecurityGroup>(security_group::delete);
    registry.operation::<ops::DescribeSecurityGroups>(security_group::describe_groups);
    registry.operation::<ops::AuthorizeSecurityGroupIngress>(security_group_rule::authorize_ingress);
    registry.operation::<ops::AuthorizeSecurityGroupEgress>(security_group_rule::authorize_egress);
    registry.operation::<ops::RevokeSecurityGroupIngress>(security_group_rule::revoke_ingress);
    registry.operation::<ops::RevokeSecurityGroupEgress>(security_group_rule::revoke_egress);
    registry.operation::<ops::DescribeSecurityGroupRules>(security_group_rule::describe_rules);
    registry.operation::<ops::ModifySecurityGroupRules>(security_group_rule::modify);
    registry.operation::<ops::UpdateSecurityGroupRuleDescriptionsIngress>(security_group_rule::update_ingress_descriptions);
    registry.operation::<ops::UpdateSecurityGroupRuleDescriptionsEgress>(security_group_rule::update_egress_descriptions);
    registry.operation::<ops::DescribeNetworkInterfaces>(network_interface::describe_interfaces);
    registry.operation::<ops::DescribeNetworkAcls>(network_interface::describe_acls);
    registry.operation::<ops::DescribeAvailabilityZones>(place::describe_zones);
    registry.operation::<ops::DescribeRegions>(place::describe_regions);
    registry.operation::<ops::DescribeAccountAttributes>(place::describe_account);
}

/// Reads a block of a VPC, a subnet or a route.
pub(in crate::network) fn parse_cidr(parameter: &str, text: &str) -> Result<Cidr, Error> {
    text.parse().map_err(|_| Error::invalid(parameter, text, "This is not a valid CIDR block."))
}

/// What an attribute of a modify call says; nothing when it has no value.
fn switch(attribute: Option<s::AttributeBooleanValue>) -> Option<bool> {
    attribute.and_then(|a| a.value)
}

/// A modify call that changes nothing.
fn no_attributes() -> Error {
    Error::InvalidCombination("No attributes specified.".into())
}
