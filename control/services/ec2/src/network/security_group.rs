//! Security groups: the row, making and deleting. Their rules live in `security_group_rule`.

use base::{Scope, SecurityGroupId, Tags, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};

use super::interface::NetworkInterface;
use super::security_group_rule::{self, Direction, Peer, SecurityGroupRule, Traffic};
use super::vpc;
use crate::describe::Described;
use crate::error::Error;
use crate::kind::Kind;
use crate::tags;

/// Most security groups of a region ("Amazon VPC quotas").
pub const GROUPS_MAX: usize = 2_500;
/// Longest name and description, in characters.
pub const NAME_CHARS_MAX: usize = 255;
/// Name of the group that comes with a VPC.
pub const DEFAULT_NAME: &str = "default";

/// A security group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub id: SecurityGroupId,
    pub vpc: VpcId,
    /// Unique in its VPC.
    pub name: String,
    pub description: String,
}

impl Row for SecurityGroup {
    const TABLE: &'static str = "ec2.security-group";
    type Key = SecurityGroupId;

    fn key(&self) -> SecurityGroupId {
        self.id.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("vpc", &self.vpc);
        add("name", &self.name);
    }
}

impl SecurityGroup {
    pub fn rules<'a>(&'a self, state: &'a State) -> impl DoubleEndedIterator<Item = &'a SecurityGroupRule> + Clone {
        state.rows_where::<SecurityGroupRule>("group", &self.id)
    }
}

/// The group of this id.
pub fn find<'a>(state: &'a State, id: &SecurityGroupId) -> Result<&'a SecurityGroup, Error> {
    Kind::SecurityGroup.check(id)?;
    state.get::<SecurityGroup>(id).ok_or_else(|| Error::NoSecurityGroup(id.clone()))
}

/// The group of this name in a VPC.
pub fn find_by_name<'a>(state: &'a State, vpc: &VpcId, name: &str) -> Result<&'a SecurityGroup, Error> {
    let found = state.rows_where::<SecurityGroup>("name", name).find(|g| g.vpc == *vpc);
    found.ok_or_else(|| Error::NoSecurityGroupName { name: name.into(), vpc: vpc.clone() })
}

/// Makes the group that a VPC comes with: its members may talk to each other and to everyone.
pub(super) fn put_default(tx: &mut Tx, cx: &Cx, vpc: &VpcId) -> SecurityGroupId {
    let id = put(tx, cx, vpc, DEFAULT_NAME.into(), "default VPC security group".into());
    security_group_rule::put(tx, cx, &id, Direction::Ingress, Traffic::ALL, Peer::Group(id.clone()), None);
    id
}

/// Puts a group that lets everything out, as each new one does.
fn put(tx: &mut Tx, cx: &Cx, vpc: &VpcId, name: String, description: String) -> SecurityGroupId {
    let id = SecurityGroupId::generate(&mut cx.rng());
    tx.put(SecurityGroup { id: id.clone(), vpc: vpc.clone(), name, description });
    security_group_rule::put(tx, cx, &id, Direction::Egress, Traffic::ALL, Peer::ANYONE, None);
    id
}

/// Makes a group that lets everything out and nothing in.
pub fn create_security_group(
    tx: &mut Tx,
    cx: &Cx,
    vpc: &VpcId,
    name: String,
    description: String,
    tags: Tags,
) -> Result<SecurityGroupId, Error> {
    vpc::find(tx, vpc)?;
    check_name(&name, &description)?;
    if find_by_name(tx, vpc, &name).is_ok() {
        return Err(Error::DuplicateGroup { name, vpc: vpc.clone() });
    }
    if tx.count::<SecurityGroup>() >= GROUPS_MAX {
        return Err(Error::LimitExceeded("SecurityGroupLimitExceeded", format!("{GROUPS_MAX} security groups")));
    }
    let id = put(tx, cx, vpc, name, description);
    tags::add(tx, &id, tags)?;
    Ok(id)
}

fn check_name(name: &str, description: &str) -> Result<(), Error> {
    if name == DEFAULT_NAME {
        return Err(Error::ReservedGroupName);
    }
    if name.starts_with("sg-") {
        return Err(Error::InvalidParameter(format!(
            "Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
        )));
    }
    for (parameter, text) in [("GroupName", name), ("GroupDescription", description)] {
        if text.trim().is_empty() {
            return Err(Error::Missing(format!("The request must contain the parameter {parameter}")));
        }
        check_text(parameter, text)?;
    }
    Ok(())
}

/// Refuses what names and descriptions may not hold, as AWS does for VPC security groups.
pub(super) fn check_text(parameter: &str, text: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.chars().count() > NAME_CHARS_MAX || !text.chars().all(allowed) {
        let hint = "Character sets beyond ASCII are not supported, and at most 255 characters of a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$* are allowed.";
        return Err(Error::invalid(parameter, text, hint));
    }
    Ok(())
}

/// Deletes a group that no interface and no other group's rule names.
pub fn delete_security_group(tx: &mut Tx, id: &SecurityGroupId) -> Result<(), Error> {
    let group = find(tx, id)?;
    if group.name == DEFAULT_NAME {
        return Err(Error::DefaultGroup(id.clone()));
    }
    let used = tx.rows_where::<NetworkInterface>("group", id).next().is_some();
    let named = tx.rows_where::<SecurityGroupRule>("peer", id).any(|r| r.group != *id);
    if used || named {
        return Err(Error::GroupInUse(id.clone()));
    }
    forget(tx, id);
    Ok(())
}

/// Drops a group with its rules and tags.
pub(super) fn forget(tx: &mut Tx, id: &SecurityGroupId) {
    security_group_rule::forget_all(tx, id);
    tx.remove::<SecurityGroup>(id);
    tags::forget(tx, id);
}

impl Described for SecurityGroup {
    const KIND: Kind = Kind::SecurityGroup;
    const FILTERS: &'static [&'static str] = &[
        "description",
        "egress.ip-permission.cidr",
        "egress.ip-permission.from-port",
        "egress.ip-permission.group-id",
        "egress.ip-permission.group-name",
        "egress.ip-permission.ipv6-cidr",
        "egress.ip-permission.protocol",
        "egress.ip-permission.to-port",
        "egress.ip-permission.user-id",
        "group-id",
        "group-name",
        "ip-permission.cidr",
        "ip-permission.from-port",
        "ip-permission.group-id",
        "ip-permission.group-name",
        "ip-permission.ipv6-cidr",
        "ip-permission.protocol",
        "ip-permission.to-port",
        "ip-permission.user-id",
        "owner-id",
        "vpc-id",
    ];

    fn values(&self, state: &State, scope: &Scope, name: &str, add: &mut dyn FnMut(&str)) {
        let (direction, about) = match name.strip_prefix("egress.ip-permission.") {
            Some(about) => (Direction::Egress, about),
            None => (Direction::Ingress, name.strip_prefix("ip-permission.").unwrap_or(name)),
        };
        if about != name {
            let rules = self.rules(state).filter(|r| r.direction == direction);
            rules.for_each(|rule| rule.permission_values(state, scope, about, add));
            return;
        }
        match name {
            "description" => add(&self.description),
            "group-id" => add(&self.id),
            "group-name" => add(&self.name),
            "owner-id" => add(&scope.account),
            "vpc-id" => add(&self.vpc),
            _ => {}
        }
    }
}
