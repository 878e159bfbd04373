//! `AWS::EC2::SecurityGroup` with its inline rules.

use base::{Fault, SecurityGroupId, Tags, VpcId};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::security_group_rule::Rule;
use super::{tags_of, unless_leaving, update_tags};
use crate::error::Error;
use crate::network::default_vpc;
use crate::network::interface::NetworkInterface;
use crate::network::operations::named;
use crate::network::security_group::{NAME_CHARS_MAX, SecurityGroup, create_security_group, delete_security_group};
use crate::network::security_group_rule::{
    Direction, NewRule, Peer, SecurityGroupRule, Traffic, authorize, describe_rule, revoke,
};
use crate::stack::{no_attribute, read};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    group_description: String,
    group_name: Option<String>,
    vpc_id: Option<String>,
    #[serde(default)]
    security_group_ingress: Vec<Rule>,
    #[serde(default)]
    security_group_egress: Vec<Rule>,
}

/// The rule that a group has as long as its template names no egress rules.
const ANYWHERE: NewRule = NewRule { traffic: Traffic::ALL, peer: Peer::ANYONE, description: None };

/// The rules that a declaration names, before the groups in them are looked up; none stands for [`ANYWHERE`].
fn written(properties: Properties) -> Vec<(Direction, Option<Rule>)> {
    let ingress = properties.security_group_ingress.into_iter().map(|rule| (Direction::Ingress, Some(rule)));
    let egress = properties.security_group_egress.into_iter().map(|rule| (Direction::Egress, Some(rule)));
    let mut all: Vec<_> = ingress.chain(egress).collect();
    if all.iter().all(|(direction, _)| *direction == Direction::Ingress) {
        all.push((Direction::Egress, None));
    }
    all
}

fn look_up(state: &State, cx: &Cx, vpc: &VpcId, rule: Option<Rule>) -> Result<NewRule, Error> {
    rule.map_or(Ok(ANYWHERE), |rule| rule.parse(state, cx, vpc))
}

fn declared(state: &State, cx: &Cx, vpc: &VpcId, properties: Properties) -> Result<Vec<(Direction, NewRule)>, Error> {
    written(properties).into_iter().map(|(direction, rule)| Ok((direction, look_up(state, cx, vpc, rule)?))).collect()
}

/// Makes the group have the new declaration's rules instead of the old one's. Rules that neither names stay.
fn set_rules(
    tx: &mut Tx,
    cx: &Cx,
    group: &SecurityGroup,
    old: &[(Direction, NewRule)],
    new: Vec<(Direction, NewRule)>,
) -> Result<(), Error> {
    let present = |state: &State, direction: Direction, rule: &NewRule| -> Option<SecurityGroupRule> {
        group.rules(state).find(|r| r.direction == direction && rule.is(r)).cloned()
    };
    let is_new = |direction: Direction, rule: &NewRule| {
        new.iter().any(|(d, r)| *d == direction && r.traffic == rule.traffic && r.peer == rule.peer)
    };
    for (direction, rule) in old.iter().filter(|(direction, rule)| !is_new(*direction, rule)) {
        if let Some(row) = present(tx, *direction, rule) {
            revoke(tx, &[row.id]);
        }
    }
    for (direction, rule) in new {
        let was = |(d, r): &&(Direction, NewRule)| *d == direction && r.traffic == rule.traffic && r.peer == rule.peer;
        match present(tx, direction, &rule).filter(|_| old.iter().any(|o| was(&o))) {
            Some(row) => describe_rule(tx, &row.id, rule.description)?,
            None => {
                authorize(tx, cx, &group.id, direction, vec![rule], &Tags::new())?;
            }
        }
    }
    Ok(())
}

/// A group without a VPC of its own is called by its name, as AWS has it since EC2-Classic; otherwise by its id.
fn group_of<'a>(state: &'a State, physical_id: &str) -> Result<&'a SecurityGroup, Error> {
    match physical_id.starts_with(SecurityGroupId::PREFIX) {
        true => named(state, Some(physical_id.into()), None),
        false => named(state, None, Some(physical_id.into())),
    }
}

pub(super) struct GroupType;

impl StackResource for GroupType {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SecurityGroup"
    }

    fn schema(&self) -> &'static str {
        include_str!("security_group.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties: Properties = read(request.properties)?;
        let name = properties.group_name.clone().unwrap_or_else(|| request.physical_name(cx, NAME_CHARS_MAX));
        let vpc = match &properties.vpc_id {
            Some(id) => VpcId::from(id.as_str()),
            None => default_vpc(tx).ok_or(Error::NoDefaultVpc)?.id.clone(),
        };
        let description = properties.group_description.clone();
        let id = create_security_group(tx, cx, &vpc, name.clone(), description, tags_of(request)?)?;
        let own_vpc = properties.vpc_id.is_some();
        let rules = declared(tx, cx, &vpc, properties)?;
        let group = tx.get::<SecurityGroup>(&id).ok_or(Error::Internal)?.clone();
        set_rules(tx, cx, &group, &[(Direction::Egress, ANYWHERE)], rules)?;
        Ok(if own_vpc { id.into() } else { name })
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let group = group_of(tx, physical_id)?.clone();
        // A group that an old rule named may be gone, and the rule with it.
        let found = |(direction, rule)| Some((direction, look_up(tx, cx, &group.vpc, rule).ok()?));
        let before: Vec<_> = written(read(old)?).into_iter().filter_map(found).collect();
        let after = declared(tx, cx, &group.vpc, read(request.properties)?)?;
        set_rules(tx, cx, &group, &before, after)?;
        update_tags(tx, &group.id, old, request)
    }

    fn delete(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let Ok(id) = group_of(tx, physical_id).map(|g| g.id.clone()) else { return Ok(Progress::Ready) };
        match delete_security_group(tx, &id) {
            Ok(()) => Ok(Progress::Ready),
            Err(refused) => unless_leaving(tx, tx.rows_where::<NetworkInterface>("group", &id), refused),
        }
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let group = group_of(state, physical_id)?;
        match name {
            "GroupId" => Ok(json!(group.id.as_str())),
            "Id" => Ok(json!(physical_id)),
            "VpcId" => Ok(json!(group.vpc.as_str())),
            other => Err(no_attribute(self.type_name(), other)),
        }
    }
}
