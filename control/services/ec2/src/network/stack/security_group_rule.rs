//! `AWS::EC2::SecurityGroupIngress` and `AWS::EC2::SecurityGroupEgress`, and rules as templates write them.

use base::{Fault, SecurityGroupRuleId, Tags, VpcId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::network::operations::{PeerText, named, own_account};
use crate::network::security_group;
use crate::network::security_group_rule::{
    Direction, NewRule, SecurityGroupRule, Traffic, authorize, describe_rule, find, revoke,
};
use crate::stack::{no_attribute, read};

/// A rule, inline or by itself. Which of the groups may be named depends on the direction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rule {
    cidr_ip: Option<String>,
    cidr_ipv6: Option<String>,
    description: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    ip_protocol: String,
    source_security_group_id: Option<String>,
    source_security_group_name: Option<String>,
    source_security_group_owner_id: Option<String>,
    destination_security_group_id: Option<String>,
}

impl Rule {
    /// The rule for a group in this VPC.
    pub(super) fn parse(self, state: &State, cx: &Cx, vpc: &VpcId) -> Result<NewRule, Error> {
        own_account(cx, self.source_security_group_owner_id.as_deref())?;
        let by_name = match &self.source_security_group_name {
            Some(name) if self.source_security_group_id.is_none() => {
                Some(security_group::find_by_name(state, vpc, name)?.id.to_string())
            }
            _ => None,
        };
        let group = self.source_security_group_id.or(by_name).or(self.destination_security_group_id);
        let peer = PeerText { cidr: self.cidr_ip, cidr6: self.cidr_ipv6, group }.parse()?;
        let traffic = Traffic::parse(&self.ip_protocol, self.from_port, self.to_port)?;
        Ok(NewRule { traffic, peer, description: self.description })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Owner {
    group_id: Option<String>,
    group_name: Option<String>,
}

fn create(tx: &mut Tx, cx: &Cx, request: &ResourceRequest, direction: Direction) -> Result<String, Fault> {
    let Owner { group_id, group_name } = read(request.properties)?;
    let group = named(tx, group_id, group_name)?.clone();
    let rule = read::<Rule>(request.properties)?.parse(tx, cx, &group.vpc)?;
    let added = authorize(tx, cx, &group.id, direction, vec![rule], &Tags::new())?;
    Ok(added.into_iter().next().ok_or(Error::Internal)?.into())
}

/// Rules of one direction: `AWS::EC2::SecurityGroupIngress` or `AWS::EC2::SecurityGroupEgress`.
pub(super) struct RuleType(pub Direction);

impl StackResource for RuleType {
    fn type_name(&self) -> &'static str {
        match self.0 {
            Direction::Ingress => "AWS::EC2::SecurityGroupIngress",
            Direction::Egress => "AWS::EC2::SecurityGroupEgress",
        }
    }

    fn schema(&self) -> &'static str {
        match self.0 {
            Direction::Ingress => include_str!("security_group_ingress.schema"),
            Direction::Egress => include_str!("security_group_egress.schema"),
        }
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        create(tx, cx, request, self.0)
    }

    /// Only the description can change.
    fn update(&self, tx: &mut Tx, _: &Cx, physical_id: &str, _: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let id = SecurityGroupRuleId::from(physical_id);
        find(tx, &id)?;
        Ok(describe_rule(tx, &id, read::<Rule>(request.properties)?.description)?)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        revoke(tx, &[physical_id.into()]);
        Ok(Progress::Ready)
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        match (name, state.get::<SecurityGroupRule>(&physical_id.into())) {
            ("Id", Some(rule)) => Ok(json!(rule.id.as_str())),
            ("Id", None) => Err(Error::NoSecurityGroupRule(physical_id.into()).into()),
            (other, _) => Err(no_attribute(self.type_name(), other)),
        }
    }
}
