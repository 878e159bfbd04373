//! The API of VPCs.

use base::{Fault, VpcId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use super::{no_attributes, parse_cidr, switch};
use crate::describe::{Asked, describe};
use crate::error::{Error, refuse, unless_dry};
use crate::kind::Kind;
use crate::network::vpc::{self, Attribute, Purpose, Vpc, create_vpc, delete_vpc, modify_vpc};
use crate::tags;

/// The only tenancy of instances here.
const TENANCY: &str = "default";

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateVpcRequest) -> Result<s::CreateVpcResult, Fault> {
    refuse(&[
        ("Ipv6Pool", input.ipv6_pool.is_some()),
        ("Ipv6CidrBlock", input.ipv6_cidr_block.is_some()),
        ("Ipv4IpamPoolId", input.ipv4_ipam_pool_id.is_some()),
        ("Ipv4NetmaskLength", input.ipv4_netmask_length.is_some()),
        ("Ipv6IpamPoolId", input.ipv6_ipam_pool_id.is_some()),
        ("Ipv6NetmaskLength", input.ipv6_netmask_length.is_some()),
        ("Ipv6CidrBlockNetworkBorderGroup", input.ipv6_cidr_block_network_border_group.is_some()),
        ("AmazonProvidedIpv6CidrBlock", input.amazon_provided_ipv6_cidr_block == Some(true)),
        ("VpcEncryptionControl", input.vpc_encryption_control.is_some()),
    ])?;
    check_tenancy(input.instance_tenancy.as_deref())?;
    let missing = || Error::Missing("Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.".into());
    let cidr = parse_cidr("cidrBlock", &input.cidr_block.ok_or_else(missing)?)?;
    let tags = tags::specified(input.tag_specifications, Kind::Vpc)?;
    let id = create_vpc(tx, cx, cidr, Purpose::Custom, tags)?;
    let vpc = Some(vpc_shape(tx, cx, vpc::find(tx, &id)?));
    unless_dry(input.dry_run, s::CreateVpcResult { vpc })
}

/// Instances share this machine: there is no dedicated hardware to give.
pub(in crate::network) fn check_tenancy(tenancy: Option<&str>) -> Result<(), Error> {
    match tenancy {
        None | Some(TENANCY) => Ok(()),
        Some("dedicated" | "host") => {
            Err(Error::Unsupported("Only the instance tenancy 'default' is supported in this region.".into()))
        }
        Some(other) => Err(Error::invalid("instanceTenancy", other, "Expecting one of: default, dedicated, host.")),
    }
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteVpcRequest) -> Result<(), Fault> {
    delete_vpc(tx, &VpcId::from(input.vpc_id))?;
    unless_dry(input.dry_run, ())
}

pub(super) fn describe_vpcs(tx: &mut Tx, cx: &Cx, input: s::DescribeVpcsRequest) -> Result<s::DescribeVpcsResult, Fault> {
    let asked =
        Asked { ids: input.vpc_ids, filters: input.filters, max_results: input.max_results, next_token: input.next_token };
    let page = describe::<Vpc>(tx, cx, asked)?;
    let vpcs = page.items.into_iter().map(|vpc| vpc_shape(tx, cx, vpc)).collect();
    unless_dry(input.dry_run, s::DescribeVpcsResult { next_token: page.next_token, vpcs })
}

fn vpc_shape(state: &State, cx: &Cx, vpc: &Vpc) -> s::Vpc {
    let association = s::VpcCidrBlockAssociation {
        association_id: Some(vpc.cidr_association()),
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_state: Some(s::VpcCidrBlockState { state: Some("associated".into()), status_message: None }),
    };
    s::Vpc {
        owner_id: Some(cx.scope.account.clone()),
        instance_tenancy: Some(TENANCY.into()),
        cidr_block_association_set: vec![association],
        is_default: Some(vpc.is_default()),
        tags: tags::shapes(state, &vpc.id),
        vpc_id: Some(vpc.id.to_string()),
        state: Some(vpc.state().into()),
        cidr_block: Some(vpc.cidr.to_string()),
        dhcp_options_id: Some("default".into()),
        ..Default::default()
    }
}

/// One attribute a call, as AWS documents.
pub(super) fn modify_attribute(tx: &mut Tx, _: &Cx, input: s::ModifyVpcAttributeRequest) -> Result<(), Fault> {
    let id = VpcId::from(input.vpc_id);
    vpc::find(tx, &id)?;
    let (support, hostnames) = (switch(input.enable_dns_support), switch(input.enable_dns_hostnames));
    let metrics = switch(input.enable_network_address_usage_metrics);
    refuse(&[("EnableNetworkAddressUsageMetrics", metrics == Some(true))])?;
    let attribute = match (support, hostnames) {
        (Some(_), Some(_)) => {
            return Err(Error::InvalidCombination("Fields for multiple attribute types specified".into()).into());
        }
        (Some(on), None) => Attribute::DnsSupport(on),
        (None, Some(on)) => Attribute::DnsHostnames(on),
        // Usage metrics are off already.
        (None, None) if metrics.is_some() => return Ok(()),
        (None, None) => return Err(no_attributes().into()),
    };
    Ok(modify_vpc(tx, &id, attribute)?)
}

pub(super) fn describe_attribute(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeVpcAttributeRequest,
) -> Result<s::DescribeVpcAttributeResult, Fault> {
    let vpc = vpc::find(tx, &VpcId::from(input.vpc_id))?;
    let mut answer = s::DescribeVpcAttributeResult { vpc_id: Some(vpc.id.to_string()), ..Default::default() };
    let value = |on: bool| Some(s::AttributeBooleanValue { value: Some(on) });
    match input.attribute.as_str() {
        "enableDnsSupport" => answer.enable_dns_support = value(vpc.dns_support),
        "enableDnsHostnames" => answer.enable_dns_hostnames = value(vpc.dns_hostnames),
        "enableNetworkAddressUsageMetrics" => answer.enable_network_address_usage_metrics = value(false),
        other => {
            let hint = "Expecting one of: enableDnsSupport, enableDnsHostnames, enableNetworkAddressUsageMetrics.";
            return Err(Error::invalid("attribute", other, hint).into());
        }
    }
    unless_dry(input.dry_run, answer)
}
