use std::collections::BTreeMap;

use base::{LoadBalancerArn, Tags, TargetGroupArn, VpcId};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use shapes::elbv2 as s;
use world::{Action, Algorithm, Protocol, ProtocolVersion, Stickiness};

use crate::arn::Named;
use crate::error::{Error, refuse};
use crate::health_check::{Change, HealthCheck, Probed, change_of_health_check};
use crate::listener::{self, Listener};
use crate::load_balancer::LoadBalancer;
use crate::plan::is_cross_zone;
use crate::protocol::is_http;
use crate::rule::Rule;
use crate::target::Registration;
use crate::{action, attribute, protocol, quota, tags};

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

/// A group of targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub arn: TargetGroupArn,
    pub name: String,
    /// The last part of the ARN, sixteen hexadecimal digits.
    pub id: String,
    #[serde(default = "protocol::http")]
    pub protocol: Protocol,
    /// Of a group of HTTP or HTTPS.
    #[serde(default)]
    pub version: ProtocolVersion,
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
            "weighted_random" => Algorithm::WeightedRandom,
            _ => Algorithm::RoundRobin,
        }
    }

    /// How clients come back to their target.
    pub(crate) fn stickiness(&self) -> Option<Stickiness> {
        let of = |name: &str| attribute::target_group(self, name);
        if of("stickiness.enabled") != "true" {
            return None;
        }
        let ms = |name: &str| attribute::seconds_as_ms(of(name));
        Some(match of("stickiness.type") {
            "source_ip" => Stickiness::SourceIp,
            "app_cookie" => Stickiness::ApplicationCookie {
                name: of("stickiness.app_cookie.cookie_name").into(),
                duration_ms: ms("stickiness.app_cookie.duration_seconds"),
            },
            _ => Stickiness::BalancerCookie { duration_ms: ms("stickiness.lb_cookie.duration_seconds") },
        })
    }

    pub(crate) fn probed(&self) -> Probed {
        Probed { protocol: self.protocol, version: self.version }
    }
}

pub(crate) fn find<'a>(state: &'a State, arn: &str) -> Result<&'a TargetGroup, Error> {
    state.get::<TargetGroup>(&arn.into()).ok_or_else(|| Named::TargetGroup.missing(arn))
}

/// Whether there is a target group of this ARN.
pub fn is_target_group(state: &State, arn: &TargetGroupArn) -> bool {
    state.get::<TargetGroup>(arn).is_some()
}

/// The load balancer whose listeners or rules forward to the group. A group has at most one ("Quotas: load balancers per
/// target group").
pub(crate) fn load_balancer_of(state: &State, group: &TargetGroupArn) -> Option<LoadBalancerArn> {
    let listeners = state.rows_where::<Listener>("group", group).map(|l| &l.load_balancer);
    let mut all = listeners.chain(state.rows_where::<Rule>("group", group).map(|r| &r.load_balancer));
    all.next().cloned()
}

/// What a target group is made from.
pub(crate) struct NewTargetGroup {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) vpc: VpcId,
    pub(crate) target_type: TargetType,
    protocol: Protocol,
    version: ProtocolVersion,
    health_check: HealthCheck,
    tags: Tags,
}

impl NewTargetGroup {
    /// What a request, or a template in its shape, asks for.
    pub(crate) fn of(input: s::CreateTargetGroupInput, tags: Tags) -> Result<Self, Error> {
        let target_type = target_type(input.target_type.as_deref())?;
        refuse(&[
            ("IpAddressType ipv6", input.ip_address_type.as_deref().is_some_and(|t| t != "ipv4")),
            ("TargetControlPort", input.target_control_port.is_some()),
        ])?;
        let protocol = protocol::of_target_group(input.protocol.as_deref())?;
        let version = protocol::version(protocol, input.protocol_version.as_deref())?;
        let missing = |what: &str| Error::Validation(format!("A {what} must be specified"));
        Ok(Self {
            name: input.name.clone(),
            port: listener::port(input.port.ok_or_else(|| missing("port"))?)?,
            vpc: input.vpc_id.clone().ok_or_else(|| missing("VPC ID"))?.into(),
            target_type,
            protocol,
            version,
            health_check: HealthCheck::new(Probed { protocol, version }, change_of_health_check!(input))?,
            tags,
        })
    }

    fn is(&self, old: &TargetGroup) -> bool {
        old.port == self.port
            && old.vpc == self.vpc
            && old.target_type == self.target_type
            && (old.protocol, old.version) == (self.protocol, self.version)
            && old.health_check == self.health_check
    }
}

fn target_type(name: Option<&str>) -> Result<TargetType, Error> {
    match name {
        None | Some("instance") => Ok(TargetType::Instance),
        Some("ip") => Ok(TargetType::Ip),
        Some(other @ ("lambda" | "alb")) => {
            Err(Error::Unsupported(format!("Target type '{other}' is not supported in this region yet: use 'instance' or 'ip'")))
        }
        Some(other) => Err(Error::Validation(format!("Target type '{other}' must be one of [instance, ip, lambda, alb]"))),
    }
}

/// Makes a group. The same name with the same settings gives the one that is there.
pub(crate) fn create(tx: &mut Tx, cx: &Cx, new: NewTargetGroup) -> Result<TargetGroupArn, Error> {
    check_name(&new.name)?;
    if tx.get::<ec2::network::Vpc>(&new.vpc).is_none() {
        return Err(Error::Validation(format!("The VPC ID '{}' is not found", new.vpc)));
    }
    if let Some(old) = tx.rows_where::<TargetGroup>("name", &new.name).next() {
        return if new.is(old) { Ok(old.arn.clone()) } else { Err(Error::DuplicateTargetGroup(new.name.clone())) };
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
        protocol: new.protocol,
        version: new.version,
        health_check: new.health_check,
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
    group.health_check = group.health_check.with(group.probed(), change)?;
    tx.put(group);
    Ok(())
}

/// Gives the group exactly this health check, with defaults for what is not named.
pub(crate) fn reset_health_check(tx: &mut Tx, arn: &str, change: Change) -> Result<(), Error> {
    let mut group = find(tx, arn)?.clone();
    group.health_check = HealthCheck::new(group.probed(), change)?;
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

/// "Sticky sessions are not supported with TLS listeners" ("Edit target group attributes for your Network Load Balancer").
pub(crate) fn check_sticky(listener: Protocol, group: &TargetGroup) -> Result<(), Error> {
    if listener != Protocol::Tls || group.stickiness().is_none() {
        return Ok(());
    }
    let text = format!("Stickiness of the target group {} is not supported with listeners with protocol 'TLS'", group.arn);
    Err(Error::Unsupported(text))
}

/// A client that may come to another group with each request is kept at no target (AWS, of CreateRule: "You must enable group
/// stickiness on a rule if you enabled target stickiness on one of its target groups").
pub(crate) fn check_divided(state: &State, action: &Action) -> Result<(), Error> {
    let is_sticky =
        |arn| state.get::<TargetGroup>(arn).is_some_and(|g: &TargetGroup| is_http(g.protocol) && g.stickiness().is_some());
    if !action::divides(action) || !action::groups_of(action).any(is_sticky) {
        return Ok(());
    }
    let text = "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups";
    Err(Error::Coded("InvalidLoadBalancerAction", text.into()))
}

/// Likewise, of a group that becomes sticky.
fn check_becomes_sticky(state: &State, group: &TargetGroup) -> Result<(), Error> {
    let mut listeners = state.rows_where::<Listener>("group", &group.arn).map(|l| &l.default_action);
    let mut rules = state.rows_where::<Rule>("group", &group.arn).map(|r| &r.action);
    if !is_http(group.protocol) || !(listeners.any(action::divides) || rules.any(action::divides)) {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "This target group appears behind a rule with group stickiness disabled ({}). You must enable group stickiness before \
         enabling target stickiness",
        group.arn
    )))
}

/// Changes attributes; none when one of them is wrong.
pub(crate) fn set_attributes(tx: &mut Tx, cx: &Cx, arn: &str, wanted: &[(String, String)]) -> Result<(), Error> {
    let mut group = find(tx, arn)?.clone();
    let old = group.clone();
    attribute::set_of_target_group(&mut group, wanted)?;
    if tx.rows_where::<Listener>("group", arn).any(|listener| listener.protocol == Protocol::Tls) {
        check_sticky(Protocol::Tls, &group)?;
    }
    if old.stickiness().is_none() && group.stickiness().is_some() {
        check_becomes_sticky(tx, &group)?;
    }
    tx.put(group.clone());
    let Some(balancer) = load_balancer_of(tx, &group.arn).and_then(|arn| tx.get::<LoadBalancer>(&arn)) else { return Ok(()) };
    let becomes_so = !is_cross_zone(balancer, &old) && is_cross_zone(balancer, &group);
    if becomes_so { quota::check_cross_zone(tx, cx, &balancer.arn) } else { Ok(()) }
}

/// Ends a group that no listener or rule uses, with its registrations; one that is not there has ended already.
pub(crate) fn delete(tx: &mut Tx, arn: &str) -> Result<(), Error> {
    Named::TargetGroup.check(arn)?;
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
