use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;
use world::BalancerKind;

use super::cut;
use crate::error::{Error, refuse};
use crate::listener::{GROUPS_MAX, LISTENERS_MAX};
use crate::load_balancer::{self, LOAD_BALANCERS_MAX, LoadBalancer, LoadBalancerState};
use crate::rule::RULES_MAX;
use crate::target_group::TARGET_GROUPS_MAX;
use crate::wanted_load_balancer::{NewLoadBalancer, is_dualstack, places};
use crate::{action, condition, quota, tags};

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateLoadBalancerInput) -> Result<s::CreateLoadBalancerOutput, Fault> {
    let tags = tags::from_user(&input.tags)?;
    let arn = load_balancer::create(tx, cx, NewLoadBalancer::of(input, tags)?)?;
    let shape = shape(tx, load_balancer::find(tx, &arn)?);
    Ok(s::CreateLoadBalancerOutput { load_balancers: vec![shape] })
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

fn ip_address_type(balancer: &LoadBalancer) -> String {
    if balancer.dualstack { "dualstack" } else { "ipv4" }.into()
}

/// Only addresses that its user chose are shown, as at AWS.
fn zones(balancer: &LoadBalancer) -> Vec<s::AvailabilityZone> {
    let address =
        |a: std::net::Ipv4Addr| s::LoadBalancerAddress { private_i_pv4_address: Some(a.to_string()), ..Default::default() };
    let zone = |n: &load_balancer::Node| s::AvailabilityZone {
        zone_name: Some(n.zone.clone()),
        subnet_id: Some(n.subnet.to_string()),
        load_balancer_addresses: n.address.into_iter().map(address).collect(),
        ..Default::default()
    };
    balancer.nodes.iter().map(zone).collect()
}

fn shape(state: &State, balancer: &LoadBalancer) -> s::LoadBalancer {
    let now = balancer.state(state);
    let is_network = balancer.kind == BalancerKind::Network;
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
        r#type: Some(if is_network { "network" } else { "application" }.into()),
        availability_zones: zones(balancer),
        security_groups: balancer.groups.iter().map(ToString::to_string).collect(),
        ip_address_type: Some(ip_address_type(balancer)),
        enforce_security_group_inbound_rules_on_private_link_traffic: private_link(balancer),
        ..Default::default()
    }
}

/// Of a network load balancer that has security groups.
fn private_link(balancer: &LoadBalancer) -> Option<String> {
    let has = balancer.kind == BalancerKind::Network && !balancer.groups.is_empty();
    has.then(|| if balancer.private_link_unfiltered { "off" } else { "on" }.into())
}

/// The hosted zone of this region's load balancers, for alias records.
pub(crate) const CANONICAL_HOSTED_ZONE: &str = "Z0000000000ALLODELB";

pub(super) fn delete(tx: &mut Tx, cx: &Cx, input: s::DeleteLoadBalancerInput) -> Result<s::DeleteLoadBalancerOutput, Fault> {
    load_balancer::delete(tx, cx, &input.load_balancer_arn)?;
    Ok(s::DeleteLoadBalancerOutput {})
}

pub(super) fn set_subnets(tx: &mut Tx, cx: &Cx, input: s::SetSubnetsInput) -> Result<s::SetSubnetsOutput, Fault> {
    refuse(&[("EnablePrefixForIpv6SourceNat", input.enable_prefix_for_ipv6_source_nat.as_deref() == Some("on"))])?;
    let arn = input.load_balancer_arn;
    let (kind, scheme) = load_balancer::find(tx, &arn).map(|b| (b.kind, b.scheme))?;
    let wanted = places(kind, scheme, input.subnets, input.subnet_mappings)?;
    load_balancer::set_subnets(tx, cx, &arn, &wanted)?;
    if let Some(name) = input.ip_address_type {
        let dualstack = is_dualstack(Some(&name))?;
        load_balancer::update(tx, &arn, |b| b.dualstack = dualstack)?;
    }
    let balancer = load_balancer::find(tx, &arn)?;
    let ip_address_type = Some(ip_address_type(balancer));
    Ok(s::SetSubnetsOutput { availability_zones: zones(balancer), ip_address_type, ..Default::default() })
}

pub(super) fn set_ip_address_type(
    tx: &mut Tx,
    _: &Cx,
    input: s::SetIpAddressTypeInput,
) -> Result<s::SetIpAddressTypeOutput, Fault> {
    let dualstack = is_dualstack(Some(&input.ip_address_type))?;
    load_balancer::update(tx, &input.load_balancer_arn, |b| b.dualstack = dualstack)?;
    Ok(s::SetIpAddressTypeOutput { ip_address_type: Some(input.ip_address_type) })
}

pub(super) fn set_security_groups(
    tx: &mut Tx,
    cx: &Cx,
    input: s::SetSecurityGroupsInput,
) -> Result<s::SetSecurityGroupsOutput, Fault> {
    let arn = input.load_balancer_arn;
    load_balancer::set_security_groups(tx, cx, &arn, &input.security_groups)?;
    if let Some(wanted) = input.enforce_security_group_inbound_rules_on_private_link_traffic {
        load_balancer::set_private_link(tx, &arn, &wanted)?;
    }
    let balancer = load_balancer::find(tx, &arn)?;
    Ok(s::SetSecurityGroupsOutput {
        security_group_ids: balancer.groups.iter().map(ToString::to_string).collect(),
        enforce_security_group_inbound_rules_on_private_link_traffic: private_link(balancer),
    })
}

/// What there is of it here ("API Reference, Limit"), in order of name.
pub(super) fn limits(_: &mut Tx, cx: &Cx, input: s::DescribeAccountLimitsInput) -> Result<s::DescribeAccountLimitsOutput, Fault> {
    let all = [
        ("application-load-balancers", LOAD_BALANCERS_MAX),
        ("condition-values-per-alb-rule", condition::VALUES_MAX),
        ("condition-wildcards-per-alb-rule", condition::WILDCARDS_MAX),
        ("listeners-per-application-load-balancer", LISTENERS_MAX),
        ("listeners-per-network-load-balancer", LISTENERS_MAX),
        ("network-load-balancers", LOAD_BALANCERS_MAX),
        ("rules-per-application-load-balancer", RULES_MAX),
        ("target-groups", TARGET_GROUPS_MAX),
        ("target-groups-per-action-on-application-load-balancer", action::GROUPS_MAX),
        ("target-groups-per-action-on-network-load-balancer", action::GROUPS_MAX),
        ("target-groups-per-application-load-balancer", GROUPS_MAX),
        ("targets-per-application-load-balancer", quota::of_application(&cx.settings)),
        ("targets-per-availability-zone-per-network-load-balancer", quota::of_network_zone(&cx.settings)),
        ("targets-per-network-load-balancer", quota::of_network(&cx.settings)),
    ];
    let page = cut(all.iter().collect(), |(name, _)| (*name).into(), input.marker.as_deref(), input.page_size)?;
    let shape = |(name, max): &(&str, usize)| s::Limit { name: Some((*name).into()), max: Some(max.to_string()) };
    Ok(s::DescribeAccountLimitsOutput { limits: page.items.into_iter().map(shape).collect(), next_marker: page.next_token })
}
