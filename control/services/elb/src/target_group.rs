use std::collections::BTreeMap;

use base::{LoadBalancerArn, Tags, TargetGroupArn, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use world::Algorithm;

use crate::attribute;
use crate::error::Error;
use crate::health_check::{Change, HealthCheck};
use crate::listener::Listener;
use crate::tags;
use crate::target::Registration;

/// "Quotas for your Application Load Balancers": target groups a region.
pub(crate) const TARGET_GROUPS_MAX: usize = 3_000;
const NAME_CHARS_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetType {
    Instance,
    Ip,
}

impl TargetType {
    pub fn as_str(self) -> &'static str {
        match self {
            TargetType::Instance => "instance",
            TargetType::Ip => "ip",
        }
    }
}

/// A group of targets that speak HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub arn: TargetGroupArn,
    pub name: String,
    /// The last part of the ARN, sixteen hexadecimal digits.
    pub id: String,
    /// Where targets listen that are registered without a port.
    pub port: u16,
    pub vpc: VpcId,
    pub target_type: TargetType,
    pub health_check: HealthCheck,
    /// Attributes that differ from their defaults.
    pub attributes: BTreeMap<String, String>,
}

impl Row for TargetGroup {
    const TABLE: &'static str = "elb.target-group";
    type Key = TargetGroupArn;
    fn key(&self) -> TargetGroupArn {
        self.arn.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("name", &self.name);
    }
}

impl TargetGroup {
    /// `targetgroup/NAME/ID`.
    pub fn full_name(&self) -> String {
        format!("targetgroup/{}/{}", self.name, self.id)
    }

    /// How long a deregistered target may finish what it has, in milliseconds.
    pub(crate) fn deregistration_delay_ms(&self) -> u64 {
        attribute::seconds_as_ms(attribute::target_group(self, "deregistration_delay.timeout_seconds"))
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match attribute::target_group(self, "load_balancing.algorithm.type") {
            "least_outstanding_requests" => Algorithm::LeastOutstandingRequests,
            _ => Algorithm::RoundRobin,
        }
    }
}

pub(crate) fn find<'a>(state: &'a State, arn: &str) -> Result<&'a TargetGroup, Error> {
    state.get::<TargetGroup>(&arn.into()).ok_or_else(|| Error::NoTargetGroup(arn.into()))
}

/// Whether there is a target group of this ARN.
pub fn is_target_group(state: &State, arn: &TargetGroupArn) -> bool {
    state.get::<TargetGroup>(arn).is_some()
}

/// The load balancer whose listeners forward to the group. A group has at most one.
pub(crate) fn load_balancer_of(state: &State, group: &TargetGroupArn) -> Option<LoadBalancerArn> {
    state.rows_where::<Listener>("group", group).next().map(|l| l.load_balancer.clone())
}

/// What a target group is made from.
pub(crate) struct NewTargetGroup {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) vpc: VpcId,
    pub(crate) target_type: TargetType,
    pub(crate) health_check: Change,
    pub(crate) tags: Tags,
}

/// Makes a group. The same name with the same settings gives the one that is there.
pub(crate) fn create(tx: &mut Tx, cx: &Cx, new: NewTargetGroup) -> Result<TargetGroupArn, Error> {
    check_name(&new.name)?;
    if tx.get::<ec2::network::Vpc>(&new.vpc).is_none() {
        return Err(Error::Validation(format!("The VPC ID '{}' is not found", new.vpc)));
    }
    let health_check = HealthCheck::default().with(new.health_check)?;
    if let Some(old) = tx.rows_where::<TargetGroup>("name", &new.name).next() {
        let same =
            old.port == new.port && old.vpc == new.vpc && old.target_type == new.target_type && old.health_check == health_check;
        return if same { Ok(old.arn.clone()) } else { Err(Error::DuplicateTargetGroup(new.name.clone())) };
    }
    if tx.count::<TargetGroup>() >= TARGET_GROUPS_MAX {
        let text = format!("The maximum number of target groups has been reached: {TARGET_GROUPS_MAX}");
        return Err(Error::TooMany("TooManyTargetGroups", text));
    }
    let id = cx.rng().hex(16);
    let arn = TargetGroupArn::from(cx.scope.arn("elasticloadbalancing", format!("targetgroup/{}/{id}", new.name)));
    tx.put(TargetGroup {
        arn: arn.clone(),
        name: new.name,
        id,
        port: new.port,
        vpc: new.vpc,
        target_type: new.target_type,
        health_check,
        attributes: BTreeMap::new(),
    });
    tags::add(tx, &arn, new.tags)?;
    Ok(arn)
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !is_plain || name.starts_with('-') || name.ends_with('-') {
        let rule = "must be up to 32 letters, digits and hyphens, and must not begin or end with a hyphen";
        return Err(Error::Validation(format!("Target group name '{name}' {rule}")));
    }
    Ok(())
}

/// Changes the group's health check.
pub(crate) fn modify(tx: &mut Tx, arn: &str, change: Change) -> Result<(), Error> {
    let mut group = find(tx, arn)?.clone();
    group.health_check = group.health_check.with(change)?;
    tx.put(group);
    Ok(())
}

/// Gives the group exactly this health check, with defaults for what is not named.
pub(crate) fn reset_health_check(tx: &mut Tx, arn: &str, change: Change) -> Result<(), Error> {
    let mut group = find(tx, arn)?.clone();
    group.health_check = HealthCheck::default().with(change)?;
    tx.put(group);
    Ok(())
}

/// A stack never takes over a group that is there already.
pub(crate) fn refuse_existing(state: &State, name: &str) -> Result<(), Error> {
    match state.rows_where::<TargetGroup>("name", name).next() {
        Some(_) => Err(Error::DuplicateTargetGroup(name.into())),
        None => Ok(()),
    }
}

/// Changes attributes; none when one of them is wrong.
pub(crate) fn set_attributes(tx: &mut Tx, arn: &str, wanted: &[(String, String)]) -> Result<(), Error> {
    let mut group = find(tx, arn)?.clone();
    attribute::set_of_target_group(&mut group, wanted)?;
    tx.put(group);
    Ok(())
}

/// Ends a group that no listener uses, with its registrations; one that is not there has ended already.
pub(crate) fn delete(tx: &mut Tx, arn: &str) -> Result<(), Error> {
    let arn = TargetGroupArn::from(arn);
    if load_balancer_of(tx, &arn).is_some() {
        return Err(Error::GroupInUse(arn.to_string()));
    }
    let registrations: Vec<String> = tx.rows_where::<Registration>("group", &arn).map(Row::key).collect();
    for key in registrations {
        tx.remove::<Registration>(&key);
    }
    tags::set(tx, &arn, Tags::new());
    tx.remove::<TargetGroup>(&arn);
    Ok(())
}
