//! Rules of security groups, each a row of its own: what traffic a group lets pass, from or to whom.

use base::{Scope, SecurityGroupId, SecurityGroupRuleId, Tags};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::cidr::{Cidr, Cidr6};
use super::security_group::{self, SecurityGroup};
use crate::describe::Described;
use crate::error::Error;
use crate::kind::Kind;
use crate::tags;

/// Most rules of a group in each direction ("Amazon VPC quotas").
pub const RULES_MAX: usize = 60;

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    pub id: SecurityGroupRuleId,
    pub group: SecurityGroupId,
    pub direction: Direction,
    pub traffic: Traffic,
    pub peer: Peer,
    pub description: Option<String>,
}

/// Which way the traffic goes, seen from the group's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Ingress,
    Egress,
}

/// The other end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    Ipv4(Cidr),
    Ipv6(Cidr6),
    /// The members of a group of the same VPC.
    Group(SecurityGroupId),
}

impl Peer {
    /// Every IPv4 address.
    pub const ANYONE: Peer = Peer::Ipv4(Cidr::around(std::net::Ipv4Addr::UNSPECIFIED, 0));
}

/// IP protocol and its ports, or ICMP type and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Traffic {
    /// Its number, or -1 for all.
    pub protocol: i16,
    /// First port, or ICMP type, or -1 for all; none where the protocol has neither.
    pub from: Option<i32>,
    /// Last port, or ICMP code, or -1 for all.
    pub to: Option<i32>,
}

pub const TCP: i16 = 6;
pub const UDP: i16 = 17;
pub const ICMP: i16 = 1;
pub const ICMPV6: i16 = 58;
const NAMED: [(&str, i16); 4] = [("tcp", TCP), ("udp", UDP), ("icmp", ICMP), ("icmpv6", ICMPV6)];

impl Traffic {
    pub const ALL: Traffic = Traffic { protocol: -1, from: None, to: None };

    /// Reads a protocol, by name or number, and its ports ("IpPermission").
    pub fn parse(protocol: &str, from: Option<i64>, to: Option<i64>) -> Result<Self, Error> {
        let number = match NAMED.iter().find(|(name, _)| protocol.eq_ignore_ascii_case(name)) {
            Some((_, number)) => *number,
            None if protocol.eq_ignore_ascii_case("all") => -1,
            None => match protocol.parse::<i16>() {
                Ok(number @ -1..=255) => number,
                _ => {
                    return Err(Error::InvalidPermission(format!(
                        "Invalid value '{protocol}' for IP protocol. Unknown protocol."
                    )));
                }
            },
        };
        match number {
            TCP | UDP => Self::ports(number, from, to),
            ICMP | ICMPV6 => Self::icmp(number, from, to),
            _ => Ok(Self { protocol: number, from: None, to: None }),
        }
    }

    fn ports(protocol: i16, from: Option<i64>, to: Option<i64>) -> Result<Self, Error> {
        let (Some(from), Some(to)) = (from, to) else {
            let text = "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.";
            return Err(Error::InvalidParameter(text.into()));
        };
        let port =
            |port: i64| u16::try_from(port).map_err(|_| Error::InvalidParameter(format!("TCP/UDP port ({port}) out of range")));
        let (first, last) = (port(from)?, port(to)?);
        if first > last {
            return Err(Error::InvalidParameter(format!("Invalid TCP/UDP port range ({first}:{last})")));
        }
        Ok(Self { protocol, from: Some(first.into()), to: Some(last.into()) })
    }

    fn icmp(protocol: i16, kind: Option<i64>, code: Option<i64>) -> Result<Self, Error> {
        let part = |what: &str, value: Option<i64>| match value.map(i32::try_from) {
            None => Ok(-1),
            Some(Ok(value @ -1..=255)) => Ok(value),
            _ => Err(Error::InvalidParameter(format!("ICMP {what} ({}) out of range", value.unwrap_or_default()))),
        };
        let (kind, code) = (part("type", kind)?, part("code", code)?);
        if kind == -1 && code != -1 {
            return Err(Error::InvalidParameter(format!("ICMP code ({code}) must be -1 when the type is -1")));
        }
        Ok(Self { protocol, from: Some(kind), to: Some(code) })
    }

    /// The protocol as AWS shows it: by name where it has one, else by number.
    pub fn protocol_name(&self) -> String {
        match NAMED.iter().find(|(_, number)| *number == self.protocol) {
            Some((name, _)) => (*name).into(),
            None => self.protocol.to_string(),
        }
    }

    fn to_world(self) -> world::Traffic {
        let port = |value: Option<i32>| u16::try_from(value.unwrap_or_default()).unwrap_or_default();
        let part = |value: Option<i32>| value.and_then(|v| u8::try_from(v).ok());
        match self.protocol {
            TCP => world::Traffic::Tcp { from: port(self.from), to: port(self.to) },
            UDP => world::Traffic::Udp { from: port(self.from), to: port(self.to) },
            ICMP => world::Traffic::Icmp { kind: part(self.from), code: part(self.to) },
            // -1 stands for all; nothing else is outside of 0 to 255.
            other => u8::try_from(other).map_or(world::Traffic::All, world::Traffic::Protocol),
        }
    }
}

impl Row for SecurityGroupRule {
    const TABLE: &'static str = "ec2.security-group-rule";
    type Key = SecurityGroupRuleId;

    fn key(&self) -> SecurityGroupRuleId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.group);
        if let Peer::Group(peer) = &self.peer {
            add("peer", peer);
        }
    }
}

impl SecurityGroupRule {
    pub fn is_egress(&self) -> bool {
        self.direction == Direction::Egress
    }

    /// The rule as the packet plane has it.
    pub fn to_world(&self) -> world::Rule {
        let peer = match &self.peer {
            Peer::Ipv4(cidr) => world::Peer::Cidr(cidr.to_string()),
            Peer::Ipv6(cidr) => world::Peer::Cidr(cidr.to_string()),
            Peer::Group(group) => world::Peer::Group(group.clone()),
        };
        world::Rule { traffic: self.traffic.to_world(), peer }
    }

    /// Names what it has under the part of a filter's name behind `ip-permission.`.
    pub(super) fn permission_values(&self, state: &State, scope: &Scope, about: &str, add: &mut dyn FnMut(&str)) {
        match (about, &self.peer) {
            ("cidr", Peer::Ipv4(cidr)) => add(&cidr.to_string()),
            ("ipv6-cidr", Peer::Ipv6(cidr)) => add(&cidr.to_string()),
            ("group-id", Peer::Group(group)) => add(group),
            ("group-name", Peer::Group(group)) => {
                if let Some(group) = state.get::<SecurityGroup>(group) {
                    add(&group.name);
                }
            }
            ("user-id", Peer::Group(_)) => add(&scope.account),
            ("protocol", _) => add(&self.traffic.protocol_name()),
            ("from-port", _) => self.traffic.from.iter().for_each(|port| add(&port.to_string())),
            ("to-port", _) => self.traffic.to.iter().for_each(|port| add(&port.to_string())),
            _ => {}
        }
    }
}

/// What a rule is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRule {
    pub traffic: Traffic,
    pub peer: Peer,
    pub description: Option<String>,
}

impl NewRule {
    /// In the words of AWS's errors.
    fn text(&self) -> String {
        let peer = match &self.peer {
            Peer::Ipv4(cidr) => cidr.to_string(),
            Peer::Ipv6(cidr) => cidr.to_string(),
            Peer::Group(group) => group.to_string(),
        };
        let Traffic { protocol, from, to } = self.traffic;
        let name = if protocol == -1 { "ALL".into() } else { self.traffic.protocol_name().to_uppercase() };
        match (from, to) {
            (Some(from), Some(to)) => format!("peer: {peer}, {name}, from port: {from}, to port: {to}, ALLOW"),
            _ => format!("peer: {peer}, {name}, ALLOW"),
        }
    }

    pub(super) fn is(&self, rule: &SecurityGroupRule) -> bool {
        rule.traffic == self.traffic && rule.peer == self.peer
    }
}

/// The rule of this id.
pub fn find<'a>(state: &'a State, id: &SecurityGroupRuleId) -> Result<&'a SecurityGroupRule, Error> {
    Kind::SecurityGroupRule.check(id)?;
    state.get::<SecurityGroupRule>(id).ok_or_else(|| Error::NoSecurityGroupRule(id.clone()))
}

pub(super) fn put(
    tx: &mut Tx,
    cx: &Cx,
    group: &SecurityGroupId,
    direction: Direction,
    traffic: Traffic,
    peer: Peer,
    description: Option<String>,
) -> SecurityGroupRuleId {
    let id = SecurityGroupRuleId::generate(&mut cx.rng());
    tx.put(SecurityGroupRule { id: id.clone(), group: group.clone(), direction, traffic, peer, description });
    id
}

/// Adds rules, all or none. Errors: `InvalidPermission.Duplicate`, an unknown peer group, the limit.
pub fn authorize(
    tx: &mut Tx,
    cx: &Cx,
    group: &SecurityGroupId,
    direction: Direction,
    rules: Vec<NewRule>,
    tags: &Tags,
) -> Result<Vec<SecurityGroupRuleId>, Error> {
    let own = security_group::find(tx, group)?.clone();
    let mut added = Vec::with_capacity(rules.len());
    for rule in rules {
        check(tx, &own, &rule)?;
        let same_way = own.rules(tx).filter(|r| r.direction == direction);
        if same_way.clone().any(|r| rule.is(r)) {
            return Err(Error::DuplicateRule(rule.text()));
        }
        if same_way.count() >= RULES_MAX {
            return Err(Error::TooManyRules);
        }
        let id = put(tx, cx, group, direction, rule.traffic, rule.peer, rule.description);
        tags::add(tx, &id, tags.clone())?;
        added.push(id);
    }
    Ok(added)
}

/// What any rule of a group must meet: a peer of the same VPC, a description that AWS takes.
fn check(state: &State, own: &SecurityGroup, rule: &NewRule) -> Result<(), Error> {
    if let Peer::Group(peer) = &rule.peer
        && security_group::find(state, peer)?.vpc != own.vpc
    {
        return Err(Error::InvalidGroupPeer { group: own.id.clone(), peer: peer.clone() });
    }
    rule.description.as_deref().map_or(Ok(()), |text| security_group::check_text("Description", text))
}

/// Takes rules away; the caller knows that they are the group's own.
pub fn revoke(tx: &mut Tx, rules: &[SecurityGroupRuleId]) {
    for id in rules {
        tx.remove::<SecurityGroupRule>(id);
        tags::forget(tx, id);
    }
}

/// Changes a rule in place; it keeps its id and direction.
pub fn modify(tx: &mut Tx, id: &SecurityGroupRuleId, changed: NewRule) -> Result<(), Error> {
    let rule = find(tx, id)?.clone();
    let own = security_group::find(tx, &rule.group)?.clone();
    check(tx, &own, &changed)?;
    if own.rules(tx).any(|r| r.id != *id && r.direction == rule.direction && changed.is(r)) {
        return Err(Error::DuplicateRule(changed.text()));
    }
    let NewRule { traffic, peer, description } = changed;
    tx.put(SecurityGroupRule { traffic, peer, description, ..rule });
    Ok(())
}

/// Gives a rule another description, or none.
pub fn describe_rule(tx: &mut Tx, id: &SecurityGroupRuleId, description: Option<String>) -> Result<(), Error> {
    description.as_deref().map_or(Ok(()), |text| security_group::check_text("Description", text))?;
    tx.update::<SecurityGroupRule>(id, |r| r.description = description);
    Ok(())
}

/// Drops all rules of a group.
pub(super) fn forget_all(tx: &mut Tx, group: &SecurityGroupId) {
    let rules: Vec<SecurityGroupRuleId> = tx.rows_where::<SecurityGroupRule>("group", group).map(|r| r.id.clone()).collect();
    revoke(tx, &rules);
}

impl Described for SecurityGroupRule {
    const KIND: Kind = Kind::SecurityGroupRule;
    const FILTERS: &'static [&'static str] = &["group-id", "security-group-rule-id"];

    fn values(&self, _: &State, _: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        match name {
            "group-id" => add(&self.group),
            "security-group-rule-id" => add(&self.id),
            _ => {}
        }
    }
}
