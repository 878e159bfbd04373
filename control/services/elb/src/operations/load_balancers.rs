use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;

use super::cut;
use crate::error::{Error, refuse};
use crate::listener::LISTENERS_MAX;
use crate::load_balancer::{self, LOAD_BALANCERS_MAX, LoadBalancer, LoadBalancerState, NewLoadBalancer, Scheme};
use crate::tags;
use crate::target_group::TARGET_GROUPS_MAX;

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateLoadBalancerInput) -> Result<s::CreateLoadBalancerOutput, Fault> {
    check_type(input.r#type.as_deref())?;
    refuse_unsupported(input.ip_address_type.as_deref())?;
    refuse(&[
        ("CustomerOwnedIpv4Pool", input.customer_owned_ipv4_pool.is_some()),
        ("EnablePrefixForIpv6SourceNat", input.enable_prefix_for_ipv6_source_nat.is_some()),
        ("IpamPools", input.ipam_pools.is_some()),
    ])?;
    let new = NewLoadBalancer {
        name: input.name,
        scheme: scheme(input.scheme.as_deref())?,
        subnets: subnets(input.subnets, input.subnet_mappings)?,
        groups: input.security_groups,
        tags: tags::from_user(&input.tags)?,
    };
    let arn = load_balancer::create(tx, cx, new)?;
    let shape = shape(tx, load_balancer::find(tx, &arn)?);
    Ok(s::CreateLoadBalancerOutput { load_balancers: vec![shape] })
}

pub(crate) fn check_type(name: Option<&str>) -> Result<(), Error> {
    match name {
        None | Some("application") => Ok(()),
        Some(other @ ("network" | "gateway")) => {
            Err(Error::Unsupported(format!("Load balancers of type '{other}' are not supported in this region yet")))
        }
        Some(other) => {
            Err(Error::Validation(format!("Load balancer type '{other}' must be one of [application, network, gateway]")))
        }
    }
}

pub(crate) fn refuse_unsupported(ip_address_type: Option<&str>) -> Result<(), Error> {
    match ip_address_type {
        None | Some("ipv4") => Ok(()),
        Some(other) => {
            Err(Error::Unsupported(format!("IP address type '{other}' is not supported in this region yet: use 'ipv4'")))
        }
    }
}

pub(crate) fn scheme(name: Option<&str>) -> Result<Scheme, Error> {
    match name {
        None | Some("internet-facing") => Ok(Scheme::InternetFacing),
        Some("internal") => Ok(Scheme::Internal),
        Some(other) => Err(Error::Validation(format!("Scheme '{other}' must be one of [internet-facing, internal]"))),
    }
}

pub(crate) fn subnets(plain: Vec<String>, mappings: Vec<s::SubnetMapping>) -> Result<Vec<String>, Error> {
    if !plain.is_empty() && !mappings.is_empty() {
        return Err(Error::Validation("You must specify either subnets or subnet mappings, not both".into()));
    }
    let mut all = plain;
    for mapping in mappings {
        refuse(&[
            ("SubnetMappings.AllocationId", mapping.allocation_id.is_some()),
            ("SubnetMappings.PrivateIPv4Address", mapping.private_i_pv4_address.is_some()),
            ("SubnetMappings.IPv6Address", mapping.i_pv6_address.is_some()),
        ])?;
        all.extend(mapping.subnet_id);
    }
    Ok(all)
}

pub(super) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeLoadBalancersInput,
) -> Result<s::DescribeLoadBalancersOutput, Fault> {
    if !input.load_balancer_arns.is_empty() && !input.names.is_empty() {
        return Err(
            Error::Validation("Load balancer names and load balancer ARNs cannot be specified at the same time".into()).into()
        );
    }
    let mut rows = Vec::new();
    for arn in &input.load_balancer_arns {
        rows.push(load_balancer::find(tx, arn)?);
    }
    for name in &input.names {
        let row = tx.rows_where::<LoadBalancer>("name", name).next();
        rows.push(row.ok_or_else(|| Error::NoLoadBalancer(name.clone()))?);
    }
    if input.load_balancer_arns.is_empty() && input.names.is_empty() {
        rows.extend(tx.rows::<LoadBalancer>());
    }
    rows.sort_by(|a, b| a.arn.cmp(&b.arn));
    rows.dedup();
    let page = cut(rows, |b| b.arn.to_string(), input.marker.as_deref(), input.page_size)?;
    let load_balancers = page.items.into_iter().map(|b| shape(tx, b)).collect();
    Ok(s::DescribeLoadBalancersOutput { load_balancers, next_marker: page.next_token })
}

fn zones(balancer: &LoadBalancer) -> Vec<s::AvailabilityZone> {
    let zone = |n: &load_balancer::Node| s::AvailabilityZone {
        zone_name: Some(n.zone.clone()),
        subnet_id: Some(n.subnet.to_string()),
        ..Default::default()
    };
    balancer.nodes.iter().map(zone).collect()
}

fn shape(state: &State, balancer: &LoadBalancer) -> s::LoadBalancer {
    let now = balancer.state(state);
    let reason = match &now {
        LoadBalancerState::Failed(reason) => Some(reason.clone()),
        _ => None,
    };
    s::LoadBalancer {
        load_balancer_arn: Some(balancer.arn.to_string()),
        dns_name: Some(balancer.dns_name.clone()),
        canonical_hosted_zone_id: Some(CANONICAL_HOSTED_ZONE.into()),
        created_time: Some(balancer.created),
        load_balancer_name: Some(balancer.name.clone()),
        scheme: Some(balancer.scheme.as_str().into()),
        vpc_id: Some(balancer.vpc.to_string()),
        state: Some(s::LoadBalancerState { code: Some(now.as_str().into()), reason }),
        r#type: Some("application".into()),
        availability_zones: zones(balancer),
        security_groups: balancer.groups.iter().map(ToString::to_string).collect(),
        ip_address_type: Some("ipv4".into()),
        ..Default::default()
    }
}

/// The hosted zone of this region's load balancers, for alias records.
pub(crate) const CANONICAL_HOSTED_ZONE: &str = "Z0000000000ALLODELB";

pub(super) fn delete(tx: &mut Tx, cx: &Cx, input: s::DeleteLoadBalancerInput) -> Result<s::DeleteLoadBalancerOutput, Fault> {
    load_balancer::delete(tx, cx, &input.load_balancer_arn)?;
    Ok(s::DeleteLoadBalancerOutput {})
}

pub(super) fn set_subnets(tx: &mut Tx, cx: &Cx, input: s::SetSubnetsInput) -> Result<s::SetSubnetsOutput, Fault> {
    refuse_unsupported(input.ip_address_type.as_deref())?;
    let subnets = subnets(input.subnets, input.subnet_mappings)?;
    load_balancer::set_subnets(tx, cx, &input.load_balancer_arn, &subnets)?;
    let availability_zones = zones(load_balancer::find(tx, &input.load_balancer_arn)?);
    Ok(s::SetSubnetsOutput { availability_zones, ip_address_type: Some("ipv4".into()), ..Default::default() })
}

pub(super) fn set_security_groups(
    tx: &mut Tx,
    cx: &Cx,
    input: s::SetSecurityGroupsInput,
) -> Result<s::SetSecurityGroupsOutput, Fault> {
    load_balancer::set_security_groups(tx, cx, &input.load_balancer_arn, &input.security_groups)?;
    let groups = &load_balancer::find(tx, &input.load_balancer_arn)?.groups;
    let security_group_ids = groups.iter().map(ToString::to_string).collect();
    Ok(s::SetSecurityGroupsOutput { security_group_ids, ..Default::default() })
}

pub(super) fn limits(_: &mut Tx, _: &Cx, _: s::DescribeAccountLimitsInput) -> Result<s::DescribeAccountLimitsOutput, Fault> {
    let limit = |name: &str, max: usize| s::Limit { name: Some(name.into()), max: Some(max.to_string()) };
    let limits = vec![
        limit("application-load-balancers", LOAD_BALANCERS_MAX),
        limit("listeners-per-application-load-balancer", LISTENERS_MAX),
        limit("target-groups", TARGET_GROUPS_MAX),
    ];
    Ok(s::DescribeAccountLimitsOutput { limits, next_marker: None })
}
