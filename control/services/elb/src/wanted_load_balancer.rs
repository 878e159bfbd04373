//! What a request, or a template in its shape, wants of a load balancer.

use std::net::Ipv4Addr;

use base::Tags;
use shapes::elbv2 as s;
use world::BalancerKind;

use crate::error::{Error, refuse};
use crate::load_balancer::Scheme;

/// A subnet that a load balancer shall be in, perhaps at this address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) subnet: String,
    pub(crate) address: Option<Ipv4Addr>,
}

/// What a load balancer is made from.
pub(crate) struct NewLoadBalancer {
    pub(crate) name: String,
    pub(crate) kind: BalancerKind,
    pub(crate) scheme: Scheme,
    pub(crate) places: Vec<Place>,
    pub(crate) groups: Vec<String>,
    pub(crate) dualstack: bool,
    pub(crate) tags: Tags,
}

impl NewLoadBalancer {
    /// What a request, or a template in its shape, asks for.
    pub(crate) fn of(input: s::CreateLoadBalancerInput, tags: Tags) -> Result<Self, Error> {
        refuse(&[
            ("CustomerOwnedIpv4Pool", input.customer_owned_ipv4_pool.is_some()),
            ("EnablePrefixForIpv6SourceNat", input.enable_prefix_for_ipv6_source_nat.as_deref() == Some("on")),
            ("IpamPools", input.ipam_pools.is_some()),
        ])?;
        let kind = kind(input.r#type.as_deref())?;
        let scheme = scheme(input.scheme.as_deref())?;
        Ok(Self {
            name: input.name,
            kind,
            scheme,
            places: places(kind, scheme, input.subnets, input.subnet_mappings)?,
            groups: input.security_groups,
            dualstack: is_dualstack(input.ip_address_type.as_deref())?,
            tags,
        })
    }
}

fn kind(name: Option<&str>) -> Result<BalancerKind, Error> {
    match name {
        None | Some("application") => Ok(BalancerKind::Application),
        Some("network") => Ok(BalancerKind::Network),
        Some("gateway") => Err(Error::Unsupported("Load balancers of type 'gateway' are not supported in this region".into())),
        Some(other) => {
            Err(Error::Validation(format!("Load balancer type '{other}' must be one of [application, network, gateway]")))
        }
    }
}

pub(crate) fn is_dualstack(ip_address_type: Option<&str>) -> Result<bool, Error> {
    match ip_address_type {
        None | Some("ipv4") => Ok(false),
        Some("dualstack") => Ok(true),
        Some("dualstack-without-public-ipv4") => Err(Error::Unsupported(
            "IP address type 'dualstack-without-public-ipv4' is not supported in this region: use 'ipv4' or 'dualstack'".into(),
        )),
        Some(other) => Err(Error::Validation(format!("IP address type '{other}' must be one of [ipv4, dualstack]"))),
    }
}

fn scheme(name: Option<&str>) -> Result<Scheme, Error> {
    match name {
        None | Some("internet-facing") => Ok(Scheme::InternetFacing),
        Some("internal") => Ok(Scheme::Internal),
        Some(other) => Err(Error::Validation(format!("Scheme '{other}' must be one of [internet-facing, internal]"))),
    }
}

/// Where a request wants a load balancer to be. Private addresses are for internal network load balancers.
pub(crate) fn places(
    kind: BalancerKind,
    scheme: Scheme,
    plain: Vec<String>,
    mappings: Vec<s::SubnetMapping>,
) -> Result<Vec<Place>, Error> {
    if !plain.is_empty() && !mappings.is_empty() {
        return Err(Error::Validation("You must specify either subnets or subnet mappings, not both".into()));
    }
    let mut all: Vec<Place> = plain.into_iter().map(|subnet| Place { subnet, address: None }).collect();
    for mapping in mappings {
        refuse(&[
            ("SubnetMappings.AllocationId", mapping.allocation_id.is_some()),
            ("SubnetMappings.IPv6Address", mapping.i_pv6_address.is_some()),
            ("SubnetMappings.SourceNatIpv6Prefix", mapping.source_nat_ipv6_prefix.is_some()),
        ])?;
        let address = match mapping.private_i_pv4_address {
            None => None,
            Some(_) if kind != BalancerKind::Network || scheme != Scheme::Internal => {
                let text = "A private IPv4 address can only be specified for internal network load balancers";
                return Err(Error::Unsupported(text.into()));
            }
            Some(text) => {
                let wrong = |_| Error::Validation(format!("The private IPv4 address '{text}' is not valid"));
                Some(text.parse().map_err(wrong)?)
            }
        };
        let subnet = mapping.subnet_id.ok_or_else(|| Error::Validation("A subnet mapping needs a SubnetId".into()))?;
        all.push(Place { subnet, address });
    }
    Ok(all)
}
