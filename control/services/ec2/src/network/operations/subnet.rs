//! The API of subnets.

use base::{Fault, SubnetId, VpcId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use super::{no_attributes, parse_cidr, switch};
use crate::describe::{Asked, describe};
use crate::error::{Error, refuse, unless_dry};
use crate::kind::Kind;
use crate::network::interface::free_addresses;
use crate::network::subnet::{self, NewSubnet, Subnet, create_subnet, delete_subnet, set_map_public_ip};
use crate::network::zone;
use crate::tags;

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateSubnetRequest) -> Result<s::CreateSubnetResult, Fault> {
    refuse(&[
        ("Ipv6CidrBlock", input.ipv6_cidr_block.is_some()),
        ("OutpostArn", input.outpost_arn.is_some()),
        ("Ipv6Native", input.ipv6_native == Some(true)),
        ("Ipv4IpamPoolId", input.ipv4_ipam_pool_id.is_some()),
        ("Ipv4NetmaskLength", input.ipv4_netmask_length.is_some()),
        ("Ipv6IpamPoolId", input.ipv6_ipam_pool_id.is_some()),
        ("Ipv6NetmaskLength", input.ipv6_netmask_length.is_some()),
    ])?;
    let cidr = input.cidr_block.ok_or_else(|| Error::Missing("The request must contain the parameter cidrBlock".into()))?;
    let new = NewSubnet {
        vpc: VpcId::from(input.vpc_id),
        cidr: parse_cidr("cidrBlock", &cidr)?,
        zone: chosen_zone(cx, input.availability_zone, input.availability_zone_id)?,
        default_for_zone: false,
        map_public_ip_on_launch: false,
        tags: tags::specified(input.tag_specifications, Kind::Subnet)?,
    };
    let id = create_subnet(tx, cx, new)?;
    let subnet = Some(subnet_shape(tx, cx, subnet::find(tx, &id)?));
    unless_dry(input.dry_run, s::CreateSubnetResult { subnet })
}

/// The zone that a request names by name or by id.
pub(in crate::network) fn chosen_zone(cx: &Cx, name: Option<String>, id: Option<String>) -> Result<Option<String>, Error> {
    match (name, id) {
        (Some(_), Some(_)) => {
            let text = "Only one of availabilityZone and availabilityZoneId can be specified.";
            Err(Error::InvalidCombination(text.into()))
        }
        (None, Some(id)) => match zone::of_id(&cx.scope, &id) {
            Some(zone) => Ok(Some(zone.into())),
            None => Err(Error::invalid("availabilityZoneId", id, "There is no such Availability Zone in this region.")),
        },
        (name, None) => Ok(name),
    }
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteSubnetRequest) -> Result<(), Fault> {
    delete_subnet(tx, &SubnetId::from(input.subnet_id))?;
    unless_dry(input.dry_run, ())
}

pub(super) fn describe_subnets(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeSubnetsRequest,
) -> Result<s::DescribeSubnetsResult, Fault> {
    let asked =
        Asked { ids: input.subnet_ids, filters: input.filters, max_results: input.max_results, next_token: input.next_token };
    let page = describe::<Subnet>(tx, cx, asked)?;
    let subnets = page.items.into_iter().map(|subnet| subnet_shape(tx, cx, subnet)).collect();
    unless_dry(input.dry_run, s::DescribeSubnetsResult { next_token: page.next_token, subnets })
}

fn subnet_shape(state: &State, cx: &Cx, subnet: &Subnet) -> s::Subnet {
    s::Subnet {
        availability_zone_id: Some(zone::id(&cx.scope, &subnet.zone)),
        map_customer_owned_ip_on_launch: Some(false),
        owner_id: Some(cx.scope.account.clone()),
        assign_ipv6_address_on_creation: Some(false),
        tags: tags::shapes(state, &subnet.id),
        subnet_arn: Some(cx.scope.arn("ec2", format_args!("subnet/{}", subnet.id))),
        enable_dns64: Some(false),
        ipv6_native: Some(false),
        private_dns_name_options_on_launch: Some(s::PrivateDnsNameOptionsOnLaunch {
            hostname_type: Some("ip-name".into()),
            enable_resource_name_dns_a_record: Some(false),
            enable_resource_name_dns_aaaa_record: Some(false),
        }),
        subnet_id: Some(subnet.id.to_string()),
        state: Some(subnet.state(state).into()),
        vpc_id: Some(subnet.vpc.to_string()),
        cidr_block: Some(subnet.cidr.to_string()),
        available_ip_address_count: Some(free_addresses(state, subnet).into()),
        availability_zone: Some(subnet.zone.clone()),
        default_for_az: Some(subnet.default_for_zone),
        map_public_ip_on_launch: Some(subnet.map_public_ip_on_launch),
        ..Default::default()
    }
}

/// Attributes other than the public address keep their only value: off, or `ip-name`.
pub(super) fn modify_attribute(tx: &mut Tx, _: &Cx, input: s::ModifySubnetAttributeRequest) -> Result<(), Fault> {
    let id = SubnetId::from(input.subnet_id.as_str());
    subnet::find(tx, &id)?;
    let nothing = s::ModifySubnetAttributeRequest { subnet_id: input.subnet_id.clone(), ..Default::default() };
    if input == nothing {
        return Err(no_attributes().into());
    }
    let on = |attribute| switch(attribute) == Some(true);
    refuse(&[
        ("AssignIpv6AddressOnCreation", on(input.assign_ipv6_address_on_creation)),
        ("MapCustomerOwnedIpOnLaunch", on(input.map_customer_owned_ip_on_launch)),
        ("CustomerOwnedIpv4Pool", input.customer_owned_ipv4_pool.is_some()),
        ("EnableDns64", on(input.enable_dns64)),
        ("EnableResourceNameDnsARecordOnLaunch", on(input.enable_resource_name_dns_a_record_on_launch)),
        ("EnableResourceNameDnsAAAARecordOnLaunch", on(input.enable_resource_name_dns_aaaa_record_on_launch)),
        ("EnableLniAtDeviceIndex", input.enable_lni_at_device_index.is_some()),
    ])?;
    let hostnames = input.private_dns_hostname_type_on_launch.as_deref();
    refuse(&[("PrivateDnsHostnameTypeOnLaunch", hostnames.is_some_and(|h| h != "ip-name"))])?;
    if let Some(on_launch) = switch(input.map_public_ip_on_launch) {
        set_map_public_ip(tx, &id, on_launch)?;
    }
    Ok(())
}
