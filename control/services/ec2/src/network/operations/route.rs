//! The API of routes. Only IPv4 destinations and internet gateways are there to be named.

use base::{Fault, InternetGatewayId, RouteTableId};
use kernel::{Cx, Tx};
use shapes::ec2 as s;

use super::parse_cidr;
use crate::error::{Error, refuse, unless_dry};
use crate::network::cidr::Cidr;
use crate::network::route_table::{self, Target};

pub(super) fn create(tx: &mut Tx, _: &Cx, input: s::CreateRouteRequest) -> Result<s::CreateRouteResult, Fault> {
    refuse(&[
        ("DestinationIpv6CidrBlock", input.destination_ipv6_cidr_block.is_some()),
        ("DestinationPrefixListId", input.destination_prefix_list_id.is_some()),
        ("VpcEndpointId", input.vpc_endpoint_id.is_some()),
        ("TransitGatewayId", input.transit_gateway_id.is_some()),
        ("LocalGatewayId", input.local_gateway_id.is_some()),
        ("CarrierGatewayId", input.carrier_gateway_id.is_some()),
        ("CoreNetworkArn", input.core_network_arn.is_some()),
        ("OdbNetworkArn", input.odb_network_arn.is_some()),
        ("EgressOnlyInternetGatewayId", input.egress_only_internet_gateway_id.is_some()),
        ("InstanceId", input.instance_id.is_some()),
        ("NetworkInterfaceId", input.network_interface_id.is_some()),
        ("VpcPeeringConnectionId", input.vpc_peering_connection_id.is_some()),
        ("NatGatewayId", input.nat_gateway_id.is_some()),
    ])?;
    let destination = destination(input.destination_cidr_block.as_deref())?;
    let target = target(input.gateway_id)?;
    route_table::create_route(tx, &RouteTableId::from(input.route_table_id), destination, target)?;
    unless_dry(input.dry_run, s::CreateRouteResult { r#return: Some(true) })
}

pub(super) fn replace(tx: &mut Tx, _: &Cx, input: s::ReplaceRouteRequest) -> Result<(), Fault> {
    refuse(&[
        ("DestinationIpv6CidrBlock", input.destination_ipv6_cidr_block.is_some()),
        ("DestinationPrefixListId", input.destination_prefix_list_id.is_some()),
        ("VpcEndpointId", input.vpc_endpoint_id.is_some()),
        ("LocalTarget", input.local_target == Some(true)),
        ("TransitGatewayId", input.transit_gateway_id.is_some()),
        ("LocalGatewayId", input.local_gateway_id.is_some()),
        ("CarrierGatewayId", input.carrier_gateway_id.is_some()),
        ("CoreNetworkArn", input.core_network_arn.is_some()),
        ("OdbNetworkArn", input.odb_network_arn.is_some()),
        ("EgressOnlyInternetGatewayId", input.egress_only_internet_gateway_id.is_some()),
        ("InstanceId", input.instance_id.is_some()),
        ("NetworkInterfaceId", input.network_interface_id.is_some()),
        ("VpcPeeringConnectionId", input.vpc_peering_connection_id.is_some()),
        ("NatGatewayId", input.nat_gateway_id.is_some()),
    ])?;
    let destination = destination(input.destination_cidr_block.as_deref())?;
    let target = target(input.gateway_id)?;
    route_table::replace_route(tx, &RouteTableId::from(input.route_table_id), destination, target)?;
    unless_dry(input.dry_run, ())
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteRouteRequest) -> Result<(), Fault> {
    refuse(&[
        ("DestinationIpv6CidrBlock", input.destination_ipv6_cidr_block.is_some()),
        ("DestinationPrefixListId", input.destination_prefix_list_id.is_some()),
    ])?;
    let destination = destination(input.destination_cidr_block.as_deref())?;
    route_table::delete_route(tx, &RouteTableId::from(input.route_table_id), &destination)?;
    unless_dry(input.dry_run, ())
}

fn destination(text: Option<&str>) -> Result<Cidr, Error> {
    let missing = || Error::Missing("The request must contain the parameter destinationCidrBlock".into());
    parse_cidr("destinationCidrBlock", text.ok_or_else(missing)?)
}

/// The gateway of this id, which must be one that leads to the internet.
pub(in crate::network) fn target(gateway: Option<String>) -> Result<Target, Error> {
    let gateway = gateway.ok_or_else(|| Error::Missing("The request must contain the parameter gatewayId".into()))?;
    refuse(&[("GatewayId with a virtual private gateway", gateway.starts_with("vgw-"))])?;
    Ok(Target::InternetGateway(InternetGatewayId::from(gateway)))
}
