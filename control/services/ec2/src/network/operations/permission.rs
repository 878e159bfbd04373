//! How the API writes the rules of security groups: permissions, which stand for several rules each, and single rules.

use std::collections::{BTreeMap, BTreeSet};

use base::{SecurityGroupId, VpcId};
use kernel::{Cx, State};
use shapes::ec2 as s;

use crate::error::{Error, refuse};
use crate::network::security_group::{self, SecurityGroup};
use crate::network::security_group_rule::{NewRule, Peer, RULES_MAX, SecurityGroupRule, Traffic};
use crate::tags;

/// The peer of one rule as a request writes it: exactly one of these is given.
#[derive(Default)]
pub(in crate::network) struct PeerText {
    pub(in crate::network) cidr: Option<String>,
    pub(in crate::network) cidr6: Option<String>,
    pub(in crate::network) group: Option<String>,
}

impl PeerText {
    pub(in crate::network) fn parse(self) -> Result<Peer, Error> {
        let malformed = |text: &str| Error::InvalidParameter(format!("CIDR block {text} is malformed"));
        match (self.cidr, self.cidr6, self.group) {
            (Some(text), None, None) => text.parse().map(Peer::Ipv4).map_err(|_| malformed(&text)),
            (None, Some(text), None) => text.parse().map(Peer::Ipv6).map_err(|_| malformed(&text)),
            (None, None, Some(group)) => Ok(Peer::Group(group.into())),
            (None, None, None) => {
                Err(Error::Missing("A rule must name a CIDR block, an IPv6 CIDR block or a security group.".into()))
            }
            _ => Err(Error::InvalidCombination("A rule names only one of a CIDR block, an IPv6 CIDR block and a group.".into())),
        }
    }
}

/// The rules that permissions of a group in this VPC stand for. None may appear twice.
pub(super) fn parse(state: &State, cx: &Cx, vpc: &VpcId, permissions: Vec<s::IpPermission>) -> Result<Vec<NewRule>, Error> {
    if permissions.is_empty() {
        return Err(Error::Missing("The request must contain the parameter ipPermissions".into()));
    }
    let mut rules = Vec::new();
    for permission in permissions {
        parse_permission(state, cx, vpc, permission, &mut rules)?;
        if rules.len() > 2 * RULES_MAX {
            return Err(Error::TooManyRules);
        }
    }
    let mut seen = BTreeSet::new();
    if !rules.iter().all(|rule| seen.insert((rule.traffic, &rule.peer))) {
        return Err(Error::InvalidParameter("The same permission must not appear multiple times".into()));
    }
    Ok(rules)
}

fn parse_permission(
    state: &State,
    cx: &Cx,
    vpc: &VpcId,
    permission: s::IpPermission,
    rules: &mut Vec<NewRule>,
) -> Result<(), Error> {
    refuse(&[("PrefixListIds", !permission.prefix_list_ids.is_empty())])?;
    let protocol =
        permission.ip_protocol.ok_or_else(|| Error::Missing("The request must contain the parameter ipProtocol".into()))?;
    let traffic = Traffic::parse(&protocol, permission.from_port, permission.to_port)?;
    let before = rules.len();
    for range in permission.ip_ranges {
        let peer = PeerText { cidr: range.cidr_ip, ..Default::default() }.parse()?;
        rules.push(NewRule { traffic, peer, description: range.description });
    }
    for range in permission.ipv6_ranges {
        let peer = PeerText { cidr6: range.cidr_ipv6, ..Default::default() }.parse()?;
        rules.push(NewRule { traffic, peer, description: range.description });
    }
    for pair in permission.user_id_group_pairs {
        let peer = Peer::Group(pair_group(state, cx, vpc, &pair)?);
        rules.push(NewRule { traffic, peer, description: pair.description });
    }
    if rules.len() == before {
        return Err(Error::Missing("A permission must name a CIDR block, an IPv6 CIDR block or a security group.".into()));
    }
    Ok(())
}

/// The group that a permission names, by id or, in the same VPC, by name.
fn pair_group(state: &State, cx: &Cx, vpc: &VpcId, pair: &s::UserIdGroupPair) -> Result<SecurityGroupId, Error> {
    refuse(&[("VpcPeeringConnectionId", pair.vpc_peering_connection_id.is_some())])?;
    own_account(cx, pair.user_id.as_deref())?;
    match (&pair.group_id, &pair.group_name) {
        (Some(id), _) => Ok(security_group::find(state, &SecurityGroupId::from(id.as_str()))?.id.clone()),
        (None, Some(name)) => Ok(security_group::find_by_name(state, vpc, name)?.id.clone()),
        (None, None) => Err(Error::Missing("Source group ID missing.".into())),
    }
}

/// This region has one account.
pub(in crate::network) fn own_account(cx: &Cx, user: Option<&str>) -> Result<(), Error> {
    match user {
        Some(user) if !user.is_empty() && user != cx.scope.account => {
            Err(Error::invalid("userId", user, "Security groups of other accounts are not supported in this region."))
        }
        _ => Ok(()),
    }
}

/// A rule as `ModifySecurityGroupRules` writes it.
pub(super) fn of_rule_request(request: s::SecurityGroupRuleRequest) -> Result<NewRule, Error> {
    refuse(&[("PrefixListId", request.prefix_list_id.is_some())])?;
    let protocol =
        request.ip_protocol.ok_or_else(|| Error::Missing("The request must contain the parameter IpProtocol".into()))?;
    let peer = PeerText { cidr: request.cidr_ipv4, cidr6: request.cidr_ipv6, group: request.referenced_group_id };
    Ok(NewRule {
        traffic: Traffic::parse(&protocol, request.from_port, request.to_port)?,
        peer: peer.parse()?,
        description: request.description,
    })
}

/// Rules as permissions: those of the same traffic together.
pub(super) fn permissions<'a>(cx: &Cx, rules: impl Iterator<Item = &'a SecurityGroupRule>) -> Vec<s::IpPermission> {
    let mut by_traffic: BTreeMap<Traffic, s::IpPermission> = BTreeMap::new();
    for rule in rules {
        let permission = by_traffic.entry(rule.traffic).or_insert_with(|| of_traffic(rule.traffic));
        add_peer(cx, permission, &rule.peer, rule.description.clone());
    }
    by_traffic.into_values().collect()
}

/// Rules that a request named and that are not there, one permission each.
pub(super) fn of_new(cx: &Cx, rule: NewRule) -> s::IpPermission {
    let mut permission = of_traffic(rule.traffic);
    add_peer(cx, &mut permission, &rule.peer, rule.description);
    permission
}

fn of_traffic(traffic: Traffic) -> s::IpPermission {
    s::IpPermission {
        ip_protocol: Some(traffic.protocol_name()),
        from_port: traffic.from.map(Into::into),
        to_port: traffic.to.map(Into::into),
        ..Default::default()
    }
}

fn add_peer(cx: &Cx, permission: &mut s::IpPermission, peer: &Peer, description: Option<String>) {
    match peer {
        Peer::Ipv4(cidr) => permission.ip_ranges.push(s::IpRange { description, cidr_ip: Some(cidr.to_string()) }),
        Peer::Ipv6(cidr) => permission.ipv6_ranges.push(s::Ipv6Range { description, cidr_ipv6: Some(cidr.to_string()) }),
        Peer::Group(group) => permission.user_id_group_pairs.push(s::UserIdGroupPair {
            description,
            user_id: Some(cx.scope.account.clone()),
            group_id: Some(group.to_string()),
            ..Default::default()
        }),
    }
}

/// The two texts and the group of a peer, of which one is there.
fn peer_parts(peer: &Peer) -> (Option<String>, Option<String>, Option<String>) {
    match peer {
        Peer::Ipv4(cidr) => (Some(cidr.to_string()), None, None),
        Peer::Ipv6(cidr) => (None, Some(cidr.to_string()), None),
        Peer::Group(group) => (None, None, Some(group.to_string())),
    }
}

/// A port of a single rule: AWS writes -1 where there is none.
fn port(port: Option<i32>) -> Option<i64> {
    Some(port.map_or(-1, Into::into))
}

pub(super) fn rule_shape(state: &State, cx: &Cx, rule: &SecurityGroupRule) -> s::SecurityGroupRule {
    let (cidr_ipv4, cidr_ipv6, group) = peer_parts(&rule.peer);
    let vpc_of = |group: &str| state.get::<SecurityGroup>(&group.into()).map(|g| g.vpc.to_string());
    s::SecurityGroupRule {
        security_group_rule_id: Some(rule.id.to_string()),
        group_id: Some(rule.group.to_string()),
        group_owner_id: Some(cx.scope.account.clone()),
        is_egress: Some(rule.is_egress()),
        ip_protocol: Some(rule.traffic.protocol_name()),
        from_port: port(rule.traffic.from),
        to_port: port(rule.traffic.to),
        cidr_ipv4,
        cidr_ipv6,
        prefix_list_id: None,
        referenced_group_info: group.map(|group| s::ReferencedSecurityGroup {
            vpc_id: vpc_of(&group),
            group_id: Some(group),
            user_id: Some(cx.scope.account.clone()),
            ..Default::default()
        }),
        description: rule.description.clone(),
        tags: tags::shapes(state, &rule.id),
        security_group_rule_arn: Some(cx.scope.arn("ec2", format_args!("security-group-rule/{}", rule.id))),
    }
}

pub(super) fn revoked_shape(rule: &SecurityGroupRule) -> s::RevokedSecurityGroupRule {
    let (cidr_ipv4, cidr_ipv6, referenced_group_id) = peer_parts(&rule.peer);
    s::RevokedSecurityGroupRule {
        security_group_rule_id: Some(rule.id.to_string()),
        group_id: Some(rule.group.to_string()),
        is_egress: Some(rule.is_egress()),
        ip_protocol: Some(rule.traffic.protocol_name()),
        from_port: port(rule.traffic.from),
        to_port: port(rule.traffic.to),
        cidr_ipv4,
        cidr_ipv6,
        prefix_list_id: None,
        referenced_group_id,
        description: rule.description.clone(),
    }
}
