//! The registration of targets, and their health as `DescribeTargetHealth` tells it: derived from what is wanted, what
//! the edge saw, and whether the load balancer can use the target at all.

use std::net::Ipv4Addr;

use base::{InstanceId, LoadBalancerArn, TargetGroupArn, Time};
use ec2::network::Subnet;
use ec2::{Instance, InstanceState};
use kernel::{Cx, Row, State, Tx, Wanted};
use serde::{Deserialize, Serialize};
use world::{RegisteredTarget, Slot, SlotKind, TargetHealth, TargetKey, TargetReason};

use crate::error::Error;
use crate::load_balancer::LoadBalancer;
use crate::quota;
use crate::target_group::{self, TargetGroup, TargetType, load_balancer_of};

/// A target in a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    pub group: TargetGroupArn,
    pub target: TargetKey,
    /// Drawn anew at each registration, and whenever the edge lets go of the target; observations of an older one are dropped.
    pub generation: u64,
    /// Set when it was deregistered: until when it may finish what it has.
    pub draining_until: Option<Time>,
    /// What the edge last saw of this generation.
    pub observed: Option<Observed>,
    /// Likewise, of how it fails beside the others of its group.
    #[serde(default)]
    pub anomaly: Option<Anomaly>,
}

/// "Automatic Target Weights (ATW)": a target that fails far more of its requests than others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// It gets fewer requests for that.
    pub mitigated: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    pub load_balancer: LoadBalancerArn,
    pub health: TargetHealth,
}

impl Row for Registration {
    const TABLE: &'static str = "elb.registration";
    type Key = String;
    fn key(&self) -> String {
        key_of(&self.group, &self.target)
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.group);
        add("target", &self.target.id);
    }
}

/// Also the id of its slot.
pub(crate) fn key_of(group: &TargetGroupArn, target: &TargetKey) -> String {
    RegisteredTarget::id_of(group, target)
}

/// What is known of a target's ability to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Initial,
    Healthy,
    Unhealthy {
        /// AWS's words, such as `Health checks failed with these codes: [502]`.
        description: String,
    },
    Draining,
    /// No listener forwards to the group, or the load balancer cannot use the target.
    Unused,
}

/// A target's health in AWS's terms ("Target health reason codes").
pub(crate) struct HealthText {
    pub(crate) state: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) description: Option<String>,
}

/// What decides about a target's health.
enum Standing<'a> {
    /// Deregistered.
    Leaving,
    /// No load balancer forwards to its group.
    NotInUse,
    /// Its instance does not run.
    Down(InstanceState),
    /// Its zone is not one of the load balancer's.
    ZoneOff,
    /// The world cannot have the load balancer as it is: nobody looks.
    Unserved,
    /// What the load balancer saw, if anything yet.
    Seen(Option<&'a TargetHealth>),
}

/// Where a target is: its address and zone.
pub(crate) struct Place<'a> {
    pub(crate) address: Ipv4Addr,
    pub(crate) zone: &'a str,
}

impl Registration {
    /// Where the target is; none when there is nothing to send a request to.
    pub(crate) fn place<'a>(&self, state: &'a State) -> Option<Place<'a>> {
        self.place_in(state, state.get::<TargetGroup>(&self.group)?)
    }

    /// As [`Registration::place`], when its group is known.
    pub(crate) fn place_in<'a>(&self, state: &'a State, group: &TargetGroup) -> Option<Place<'a>> {
        match group.target_type {
            TargetType::Instance => {
                let instance = state.find::<Instance, str>(&self.target.id).filter(|i| i.is_up())?;
                Some(Place { address: instance.address, zone: &instance.zone })
            }
            TargetType::Ip => {
                let address: Ipv4Addr = self.target.id.parse().ok()?;
                let subnet = subnet_of(state, group, address)?;
                Some(Place { address, zone: &subnet.zone })
            }
        }
    }

    /// The zone that its instance or address is in, whether or not it can be sent to.
    pub(crate) fn zone_in<'a>(&self, state: &'a State, group: &TargetGroup) -> Option<&'a str> {
        match group.target_type {
            TargetType::Instance => state.find::<Instance, str>(&self.target.id).map(|i| i.zone.as_str()),
            TargetType::Ip => subnet_of(state, group, self.target.id.parse().ok()?).map(|s| s.zone.as_str()),
        }
    }

    /// The health with AWS's reason and description.
    pub(crate) fn health_text(&self, state: &State) -> HealthText {
        let text =
            |state, reason, description: &str| HealthText { state, reason: Some(reason), description: Some(description.into()) };
        match self.standing(state) {
            Standing::Leaving | Standing::Seen(Some(TargetHealth::Draining | TargetHealth::Drained)) => {
                text("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
            }
            Standing::NotInUse => {
                text("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
            }
            Standing::Down(InstanceState::Stopped | InstanceState::Stopping) => {
                text("unused", "Target.InvalidState", "Target is in the stopped state")
            }
            Standing::Down(_) => text("unused", "Target.InvalidState", "Target is in the terminated state"),
            Standing::ZoneOff => {
                let description = "Target is in an Availability Zone that is not enabled for the load balancer";
                text("unused", "Target.NotInUse", description)
            }
            Standing::Unserved => text("unhealthy", "Elb.InternalError", "Health checks failed due to an internal error"),
            Standing::Seen(None) => text("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
            Standing::Seen(Some(TargetHealth::Initial)) => {
                text("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
            }
            Standing::Seen(Some(TargetHealth::Healthy)) => HealthText { state: "healthy", reason: None, description: None },
            Standing::Seen(Some(TargetHealth::Unhealthy { reason, draining: false })) => unhealthy(reason),
            Standing::Seen(Some(TargetHealth::Unhealthy { reason, draining: true })) => {
                HealthText { state: "unhealthy.draining", ..unhealthy(reason) }
            }
        }
    }

    pub(crate) fn health(&self, state: &State) -> Health {
        match self.standing(state) {
            Standing::Leaving | Standing::Seen(Some(TargetHealth::Draining | TargetHealth::Drained)) => Health::Draining,
            Standing::NotInUse | Standing::Down(_) | Standing::ZoneOff => Health::Unused,
            Standing::Unserved | Standing::Seen(None | Some(TargetHealth::Initial)) => Health::Initial,
            Standing::Seen(Some(TargetHealth::Healthy)) => Health::Healthy,
            Standing::Seen(Some(TargetHealth::Unhealthy { reason, .. })) => {
                Health::Unhealthy { description: unhealthy(reason).description.unwrap_or_default() }
            }
        }
    }

    /// What decides about the health, the first that applies. Groups ask it of every instance at every look: no texts
    /// are made here.
    fn standing(&self, state: &State) -> Standing<'_> {
        if self.draining_until.is_some() {
            return Standing::Leaving;
        }
        let Some(balancer) = load_balancer_of(state, &self.group).and_then(|arn| state.get::<LoadBalancer>(&arn)) else {
            return Standing::NotInUse;
        };
        let Some(group) = state.get::<TargetGroup>(&self.group) else { return Standing::NotInUse };
        let zone = match group.target_type {
            TargetType::Instance => {
                // An instance whose record is gone was terminated long ago.
                let Some(instance) = state.find::<Instance, str>(&self.target.id) else {
                    return Standing::Down(InstanceState::Terminated);
                };
                let now = instance.state();
                if now != InstanceState::Running && now != InstanceState::Pending {
                    return Standing::Down(now);
                }
                Some(&instance.zone)
            }
            TargetType::Ip => self.target.id.parse().ok().and_then(|a| subnet_of(state, group, a)).map(|s| &s.zone),
        };
        if zone.is_some_and(|zone| !balancer.nodes.iter().any(|n| n.zone == *zone)) {
            return Standing::ZoneOff;
        }
        let seen = self.seen_by(balancer);
        if seen.is_none() && (balancer.is_refused(state) || self.is_refused(state)) {
            return Standing::Unserved;
        }
        Standing::Seen(seen)
    }

    /// It was deregistered, and its deregistration is complete: nothing is under way there. It stays so.
    pub(crate) fn is_drained(&self) -> bool {
        self.draining_until.is_some() && self.observed.as_ref().is_some_and(|o| o.health == TargetHealth::Drained)
    }

    /// What the load balancer saw of it last.
    pub(crate) fn seen_by(&self, balancer: &LoadBalancer) -> Option<&TargetHealth> {
        self.observed.as_ref().filter(|o| o.load_balancer == balancer.arn).map(|o| &o.health)
    }

    /// Whether the edge refused the target, such as one too many.
    fn is_refused(&self, state: &State) -> bool {
        let slot = Slot::new(SlotKind::Target, self.key());
        state.get::<Wanted>(&slot).is_some_and(|wanted| wanted.refused.is_some())
    }

    /// The state of a target that is an instance.
    pub(crate) fn instance_state(&self, state: &State) -> Option<InstanceState> {
        let group = state.get::<TargetGroup>(&self.group)?;
        if group.target_type != TargetType::Instance {
            return None;
        }
        // An instance whose record is gone was terminated long ago.
        Some(state.find::<Instance, str>(&self.target.id).map_or(InstanceState::Terminated, Instance::state))
    }
}

fn unhealthy(reason: &TargetReason) -> HealthText {
    let (reason, description) = match reason {
        TargetReason::ResponseCodeMismatch { status } => {
            ("Target.ResponseCodeMismatch", format!("Health checks failed with these codes: [{status}]"))
        }
        TargetReason::Timeout => ("Target.Timeout", "Request timed out".into()),
        TargetReason::FailedHealthChecks => ("Target.FailedHealthChecks", "Health checks failed".into()),
    };
    HealthText { state: "unhealthy", reason: Some(reason), description: Some(description) }
}

pub(crate) fn subnet_of<'a>(state: &'a State, group: &TargetGroup, address: Ipv4Addr) -> Option<&'a Subnet> {
    state.rows_where::<Subnet>("vpc", &group.vpc).find(|s| s.cidr.contains(address))
}

/// Puts targets into a group; one without a port gets the group's. All or none.
pub(crate) fn register(tx: &mut Tx, cx: &Cx, group: &str, targets: &[(String, Option<u16>)]) -> Result<(), Error> {
    let group = target_group::find(tx, group)?.clone();
    let mut is_more = false;
    for (id, port) in targets {
        check_target(tx, &group, id)?;
        let target = TargetKey { id: id.clone(), port: port.unwrap_or(group.port) };
        let old = tx.get::<Registration>(&key_of(&group.arn, &target));
        if old.is_some_and(|r| r.draining_until.is_none()) {
            continue;
        }
        if old.is_none_or(Registration::is_drained) && is_full(tx, &group.arn, cx.settings.targets_max) {
            let text =
                format!("The maximum number of targets has been reached for this target group: {}", cx.settings.targets_max);
            return Err(Error::TooMany("TooManyTargets", text));
        }
        let generation = tx.next_sequence();
        tx.put(Registration {
            group: group.arn.clone(),
            target,
            generation,
            draining_until: None,
            observed: None,
            anomaly: None,
        });
        is_more = true;
    }
    match load_balancer_of(tx, &group.arn).filter(|_| is_more) {
        Some(balancer) => quota::check(tx, cx, &balancer),
        None => Ok(()),
    }
}

/// Whether a group has so many targets; those whose deregistration is complete are none any more.
fn is_full(state: &State, group: &TargetGroupArn, most: usize) -> bool {
    let rows = || state.rows_where::<Registration>("group", group);
    state.count_where::<Registration>("group", group) >= most && rows().filter(|r| !r.is_drained()).count() >= most
}

fn check_target(state: &State, group: &TargetGroup, id: &str) -> Result<(), Error> {
    match group.target_type {
        TargetType::Instance => {
            let Some(instance) = state.get::<Instance>(&id.into()) else {
                return Err(Error::InvalidTarget(format!("The following targets are not valid instances: '{id}'")));
            };
            if instance.vpc != group.vpc {
                return Err(Error::InvalidTarget(format!(
                    "The following targets are not in the target group VPC '{}': '{id}'",
                    group.vpc
                )));
            }
            if !matches!(instance.state(), InstanceState::Running | InstanceState::Pending) {
                return Err(Error::InvalidTarget(format!(
                    "The following targets are not in a running state and cannot be registered: '{id}'"
                )));
            }
        }
        TargetType::Ip => {
            let Ok(address) = id.parse::<Ipv4Addr>() else {
                return Err(Error::Validation(format!("The IP address '{id}' is not a valid IPv4 address")));
            };
            if subnet_of(state, group, address).is_none() {
                let text = format!("The IP address '{id}' is not within a subnet of the VPC '{}'", group.vpc);
                return Err(Error::InvalidTarget(text));
            }
        }
    }
    Ok(())
}

/// Takes targets out of a group; one without a port has the group's ("If you specified a port override when you registered a
/// target, you must specify both the target ID and the port when you deregister it"). What is not registered is out already.
pub(crate) fn deregister(tx: &mut Tx, cx: &Cx, group: &str, targets: &[(String, Option<u16>)]) -> Result<(), Error> {
    let group = target_group::find(tx, group)?.clone();
    for (id, port) in targets {
        drain(tx, cx, &group, id, |at| at == port.unwrap_or(group.port));
    }
    Ok(())
}

/// Lets a target finish what it has at these of its ports.
fn drain(tx: &mut Tx, cx: &Cx, group: &TargetGroup, id: &str, leaves: impl Fn(u16) -> bool) {
    let rows = tx.rows_where::<Registration>("target", id);
    let keys: Vec<String> = rows.filter(|r| r.group == group.arn && leaves(r.target.port)).map(Row::key).collect();
    let until = cx.now + std::time::Duration::from_millis(group.deregistration_delay_ms());
    for key in keys {
        tx.update::<Registration>(&key, |r| {
            r.draining_until.get_or_insert(until);
        });
    }
}

/// Registers an instance at the group's port.
pub fn register_instance(tx: &mut Tx, cx: &Cx, group: &TargetGroupArn, id: &InstanceId) -> Result<(), Error> {
    register(tx, cx, group, &[(id.to_string(), None)])
}

/// Deregisters an instance at all of its ports: it finishes what it has within the deregistration delay.
pub fn deregister_instance(tx: &mut Tx, cx: &Cx, group: &TargetGroupArn, id: &InstanceId) -> Result<(), Error> {
    let group = target_group::find(tx, group)?.clone();
    drain(tx, cx, &group, id, |_| true);
    Ok(())
}

/// The health of an instance in a group; none when it is not registered there, or its deregistration is complete: "it can be
/// terminated and replaced" then, although it is still shown ("ELB User Guide, Deregistration delay"). With several ports, the
/// worst.
pub fn target_health(state: &State, group: &TargetGroupArn, id: &InstanceId) -> Option<Health> {
    let rows = state.rows_where::<Registration>("target", id).filter(|r| r.group == *group && !r.is_drained());
    let badness = |health: &Health| match health {
        Health::Unhealthy { .. } => 4,
        Health::Draining => 3,
        Health::Initial => 2,
        Health::Unused => 1,
        Health::Healthy => 0,
    };
    rows.map(|r| r.health(state)).max_by_key(badness)
}
