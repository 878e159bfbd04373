//! The API of security group rules.

use base::{Fault, SecurityGroupId, SecurityGroupRuleId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use super::permission::{self, own_account};
use super::security_group::named;
use crate::describe::{Asked, IDS_MAX, describe};
use crate::error::{Error, unless_dry};
use crate::kind::Kind;
use crate::network::security_group::{self, SecurityGroup};
use crate::network::security_group_rule::{
    self as rule, Direction, NewRule, Peer, SecurityGroupRule, authorize, describe_rule, revoke,
};
use crate::network::vpc::Vpc;
use crate::tags;

/// The old way to name one permission: a parameter for each of its parts.
struct Flat {
    protocol: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    cidr: Option<String>,
    group_name: Option<String>,
    group_owner: Option<String>,
}

/// The flat parameters of any of the four requests, whose shapes are alike.
macro_rules! flat {
    ($input:ident) => {
        Flat {
            protocol: $input.ip_protocol,
            from: $input.from_port,
            to: $input.to_port,
            cidr: $input.cidr_ip,
            group_name: $input.source_security_group_name,
            group_owner: $input.source_security_group_owner_id,
        }
    };
}

impl Flat {
    fn is_given(&self) -> bool {
        self.protocol.is_some() || self.cidr.is_some() || self.group_name.is_some() || self.from.is_some() || self.to.is_some()
    }

    /// A group named without a protocol stands for all traffic ("AuthorizeSecurityGroupIngress").
    fn permission(self, cx: &Cx) -> Result<s::IpPermission, Error> {
        own_account(cx, self.group_owner.as_deref())?;
        let pair = |name| s::UserIdGroupPair { group_name: Some(name), ..Default::default() };
        Ok(s::IpPermission {
            ip_protocol: self.protocol.or_else(|| self.group_name.is_some().then(|| "-1".into())),
            from_port: self.from,
            to_port: self.to,
            ip_ranges: self.cidr.map(|cidr| s::IpRange { cidr_ip: Some(cidr), description: None }).into_iter().collect(),
            user_id_group_pairs: self.group_name.map(pair).into_iter().collect(),
            ..Default::default()
        })
    }
}

/// The rules of a request in either way of writing.
fn rules_of(
    state: &State,
    cx: &Cx,
    group: &SecurityGroup,
    mut permissions: Vec<s::IpPermission>,
    flat: Flat,
) -> Result<Vec<NewRule>, Error> {
    if flat.is_given() {
        if !permissions.is_empty() {
            let text = "The parameter ipPermissions cannot be used with the parameters of a single permission.";
            return Err(Error::InvalidCombination(text.into()));
        }
        permissions.push(flat.permission(cx)?);
    }
    permission::parse(state, cx, &group.vpc, permissions)
}

pub(super) fn authorize_ingress(
    tx: &mut Tx,
    cx: &Cx,
    input: s::AuthorizeSecurityGroupIngressRequest,
) -> Result<s::AuthorizeSecurityGroupIngressResult, Fault> {
    let flat = flat!(input);
    let group = named(tx, input.group_id, input.group_name)?.clone();
    let rules = rules_of(tx, cx, &group, input.ip_permissions, flat)?;
    let tags = tags::specified(input.tag_specifications, Kind::SecurityGroupRule)?;
    let added = authorize(tx, cx, &group.id, Direction::Ingress, rules, &tags)?;
    let security_group_rules = shapes_of(tx, cx, &added);
    unless_dry(input.dry_run, s::AuthorizeSecurityGroupIngressResult { r#return: Some(true), security_group_rules })
}

pub(super) fn authorize_egress(
    tx: &mut Tx,
    cx: &Cx,
    input: s::AuthorizeSecurityGroupEgressRequest,
) -> Result<s::AuthorizeSecurityGroupEgressResult, Fault> {
    let flat = flat!(input);
    refuse_flat(&flat)?;
    let group = security_group::find(tx, &SecurityGroupId::from(input.group_id))?.clone();
    let rules = rules_of(tx, cx, &group, input.ip_permissions, flat)?;
    let tags = tags::specified(input.tag_specifications, Kind::SecurityGroupRule)?;
    let added = authorize(tx, cx, &group.id, Direction::Egress, rules, &tags)?;
    let security_group_rules = shapes_of(tx, cx, &added);
    unless_dry(input.dry_run, s::AuthorizeSecurityGroupEgressResult { r#return: Some(true), security_group_rules })
}

/// The egress calls take permissions only, as AWS documents.
fn refuse_flat(flat: &Flat) -> Result<(), Error> {
    if flat.is_given() || flat.group_owner.is_some() {
        let text = "The parameters of a single permission cannot be used for egress rules. Use ipPermissions instead.";
        return Err(Error::InvalidCombination(text.into()));
    }
    Ok(())
}

fn shapes_of(state: &State, cx: &Cx, ids: &[SecurityGroupRuleId]) -> Vec<s::SecurityGroupRule> {
    let rows = ids.iter().filter_map(|id| state.get::<SecurityGroupRule>(id));
    rows.map(|rule| permission::rule_shape(state, cx, rule)).collect()
}

pub(super) fn revoke_ingress(
    tx: &mut Tx,
    cx: &Cx,
    input: s::RevokeSecurityGroupIngressRequest,
) -> Result<s::RevokeSecurityGroupIngressResult, Fault> {
    let flat = flat!(input);
    let group = named(tx, input.group_id, input.group_name)?.clone();
    let named = Named { ids: input.security_group_rule_ids, permissions: input.ip_permissions, flat };
    let gone = take_named(tx, cx, &group, Direction::Ingress, named)?;
    let answer = s::RevokeSecurityGroupIngressResult {
        r#return: Some(true),
        unknown_ip_permissions: gone.unknown,
        revoked_security_group_rules: gone.revoked,
    };
    unless_dry(input.dry_run, answer)
}

pub(super) fn revoke_egress(
    tx: &mut Tx,
    cx: &Cx,
    input: s::RevokeSecurityGroupEgressRequest,
) -> Result<s::RevokeSecurityGroupEgressResult, Fault> {
    let flat = flat!(input);
    refuse_flat(&flat)?;
    let group = security_group::find(tx, &SecurityGroupId::from(input.group_id))?.clone();
    let named = Named { ids: input.security_group_rule_ids, permissions: input.ip_permissions, flat };
    let gone = take_named(tx, cx, &group, Direction::Egress, named)?;
    let answer = s::RevokeSecurityGroupEgressResult {
        r#return: Some(true),
        unknown_ip_permissions: gone.unknown,
        revoked_security_group_rules: gone.revoked,
    };
    unless_dry(input.dry_run, answer)
}

/// The rules that are to go, by id or in words.
struct Named {
    ids: Vec<String>,
    permissions: Vec<s::IpPermission>,
    flat: Flat,
}

fn take_named(tx: &mut Tx, cx: &Cx, group: &SecurityGroup, direction: Direction, named: Named) -> Result<Revoked, Error> {
    if !named.ids.is_empty() {
        if !named.permissions.is_empty() || named.flat.is_given() {
            let text = "Rules are named either by securityGroupRuleIds or by their properties, not by both.";
            return Err(Error::InvalidCombination(text.into()));
        }
        return by_ids(tx, &group.id, direction, named.ids);
    }
    let rules = rules_of(tx, cx, group, named.permissions, named.flat)?;
    by_rules(tx, cx, group, direction, rules)
}

struct Revoked {
    revoked: Vec<s::RevokedSecurityGroupRule>,
    unknown: Vec<s::IpPermission>,
}

/// Rules by id must be the group's own and go the same way.
fn by_ids(tx: &mut Tx, group: &SecurityGroupId, direction: Direction, ids: Vec<String>) -> Result<Revoked, Error> {
    check_count(ids.len())?;
    let mut rules: Vec<SecurityGroupRule> = Vec::with_capacity(ids.len());
    for id in ids.into_iter().map(SecurityGroupRuleId::from) {
        let found = rule::find(tx, &id)?;
        if found.group != *group || found.direction != direction {
            return Err(Error::NoSecurityGroupRule(id));
        }
        rules.push(found.clone());
    }
    Ok(take(tx, rules, Vec::new()))
}

fn check_count(ids: usize) -> Result<(), Error> {
    if ids > IDS_MAX {
        return Err(Error::InvalidParameter(format!("At most {IDS_MAX} security group rules can be named in one request.")));
    }
    Ok(())
}

/// What is not there is an error, but in the default VPC, where the answer lists it ("RevokeSecurityGroupIngress").
fn by_rules(tx: &mut Tx, cx: &Cx, group: &SecurityGroup, direction: Direction, rules: Vec<NewRule>) -> Result<Revoked, Error> {
    let in_default = tx.get::<Vpc>(&group.vpc).is_some_and(Vpc::is_default);
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for rule in rules {
        match group.rules(tx).find(|r| r.direction == direction && rule.is(r)) {
            Some(row) => found.push(row.clone()),
            None if in_default => unknown.push(permission::of_new(cx, rule)),
            None => return Err(Error::NoSuchRule),
        }
    }
    Ok(take(tx, found, unknown))
}

fn take(tx: &mut Tx, rules: Vec<SecurityGroupRule>, unknown: Vec<s::IpPermission>) -> Revoked {
    let ids: Vec<_> = rules.iter().map(|r| r.id.clone()).collect();
    revoke(tx, &ids);
    Revoked { revoked: rules.iter().map(permission::revoked_shape).collect(), unknown }
}

pub(super) fn describe_rules(
    tx: &mut Tx,
    cx: &Cx,
    input: s::DescribeSecurityGroupRulesRequest,
) -> Result<s::DescribeSecurityGroupRulesResult, Fault> {
    let asked = Asked {
        ids: input.security_group_rule_ids,
        filters: input.filters,
        max_results: input.max_results,
        next_token: input.next_token,
    };
    let page = describe::<SecurityGroupRule>(tx, cx, asked)?;
    let security_group_rules = page.items.into_iter().map(|rule| permission::rule_shape(tx, cx, rule)).collect();
    unless_dry(input.dry_run, s::DescribeSecurityGroupRulesResult { security_group_rules, next_token: page.next_token })
}

/// All or none. A rule cannot become one for another kind of peer, as AWS documents.
pub(super) fn modify(
    tx: &mut Tx,
    _: &Cx,
    input: s::ModifySecurityGroupRulesRequest,
) -> Result<s::ModifySecurityGroupRulesResult, Fault> {
    let group = security_group::find(tx, &SecurityGroupId::from(input.group_id))?.id.clone();
    check_count(input.security_group_rules.len())?;
    for update in input.security_group_rules {
        let id = SecurityGroupRuleId::from(update.security_group_rule_id);
        let present = rule::find(tx, &id)?;
        if present.group != group {
            return Err(Error::NoSecurityGroupRule(id).into());
        }
        let missing = || Error::Missing("The request must contain the parameter SecurityGroupRule".into());
        let changed = permission::of_rule_request(update.security_group_rule.ok_or_else(missing)?)?;
        if std::mem::discriminant::<Peer>(&present.peer) != std::mem::discriminant(&changed.peer) {
            let text = "You may not modify the source or destination type of an existing security group rule.";
            return Err(Error::InvalidParameter(text.into()).into());
        }
        rule::modify(tx, &id, changed)?;
    }
    unless_dry(input.dry_run, s::ModifySecurityGroupRulesResult { r#return: Some(true) })
}

pub(super) fn update_ingress_descriptions(
    tx: &mut Tx,
    cx: &Cx,
    input: s::UpdateSecurityGroupRuleDescriptionsIngressRequest,
) -> Result<s::UpdateSecurityGroupRuleDescriptionsIngressResult, Fault> {
    let group = named(tx, input.group_id, input.group_name)?.clone();
    let (permissions, rules) = (input.ip_permissions, input.security_group_rule_descriptions);
    update_descriptions(tx, cx, &group, Direction::Ingress, permissions, rules)?;
    unless_dry(input.dry_run, s::UpdateSecurityGroupRuleDescriptionsIngressResult { r#return: Some(true) })
}

pub(super) fn update_egress_descriptions(
    tx: &mut Tx,
    cx: &Cx,
    input: s::UpdateSecurityGroupRuleDescriptionsEgressRequest,
) -> Result<s::UpdateSecurityGroupRuleDescriptionsEgressResult, Fault> {
    let group = named(tx, input.group_id, input.group_name)?.clone();
    let (permissions, rules) = (input.ip_permissions, input.security_group_rule_descriptions);
    update_descriptions(tx, cx, &group, Direction::Egress, permissions, rules)?;
    unless_dry(input.dry_run, s::UpdateSecurityGroupRuleDescriptionsEgressResult { r#return: Some(true) })
}

/// Either permissions, each with its description, or rules by id. No description takes it away.
fn update_descriptions(
    tx: &mut Tx,
    cx: &Cx,
    group: &SecurityGroup,
    direction: Direction,
    permissions: Vec<s::IpPermission>,
    rules: Vec<s::SecurityGroupRuleDescription>,
) -> Result<(), Error> {
    refuse_both(!permissions.is_empty(), !rules.is_empty())?;
    check_count(rules.len())?;
    for update in rules {
        let missing = || Error::Missing("The request must contain the parameter SecurityGroupRuleId".into());
        let id = SecurityGroupRuleId::from(update.security_group_rule_id.ok_or_else(missing)?);
        let present = rule::find(tx, &id)?;
        if present.group != group.id || present.direction != direction {
            return Err(Error::NoSecurityGroupRule(id));
        }
        describe_rule(tx, &id, update.description)?;
    }
    if permissions.is_empty() {
        return Ok(());
    }
    for changed in permission::parse(tx, cx, &group.vpc, permissions)? {
        let present = group.rules(tx).find(|r| r.direction == direction && changed.is(r));
        let id = present.ok_or(Error::NoSuchRule)?.id.clone();
        describe_rule(tx, &id, changed.description)?;
    }
    Ok(())
}

fn refuse_both(permissions: bool, rules: bool) -> Result<(), Error> {
    match (permissions, rules) {
        (true, true) => {
            let text = "Only one of ipPermissions and securityGroupRuleDescriptions can be specified.";
            Err(Error::InvalidCombination(text.into()))
        }
        (false, false) => Err(Error::Missing("Either ipPermissions or securityGroupRuleDescriptions should be provided.".into())),
        _ => Ok(()),
    }
}
