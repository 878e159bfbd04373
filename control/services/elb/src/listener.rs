use base::{ListenerArn, LoadBalancerArn, Tags, TargetGroupArn};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use world::Action;

use crate::error::Error;
use crate::{load_balancer, tags, target_group};

/// "Quotas for your Application Load Balancers".
pub(crate) const LISTENERS_MAX: usize = 50;

/// A port on which a load balancer takes HTTP requests, and what it does with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub arn: ListenerArn,
    pub load_balancer: LoadBalancerArn,
    pub port: u16,
    pub default_action: Action,
}

impl Row for Listener {
    const TABLE: &'static str = "elb.listener";
    type Key = ListenerArn;
    fn key(&self) -> ListenerArn {
        self.arn.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("load-balancer", &self.load_balancer);
        for group in self.groups() {
            add("group", group);
        }
    }
}

impl Listener {
    /// The groups that it forwards to.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &TargetGroupArn> {
        groups_of(&self.default_action)
    }

    /// The ARN of its default rule.
    pub(crate) fn default_rule_arn(&self) -> String {
        // AWS gives the default rule an id of its own; ours is the listener's, mirrored.
        let id: String = self.arn.rsplit('/').next().unwrap_or_default().chars().rev().collect();
        format!("{}/{id}", self.arn.replacen(":listener/", ":listener-rule/", 1))
    }
}

fn groups_of(action: &Action) -> impl Iterator<Item = &TargetGroupArn> {
    let groups = match action {
        Action::Forward { groups, .. } => groups.as_slice(),
        Action::FixedResponse { .. } | Action::Redirect { .. } => &[],
    };
    groups.iter().map(|g| &g.group)
}

pub(crate) fn find<'a>(state: &'a State, arn: &str) -> Result<&'a Listener, Error> {
    state.get::<Listener>(&arn.into()).ok_or_else(|| Error::NoListener(arn.into()))
}

/// Makes a listener.
pub(crate) fn create(tx: &mut Tx, cx: &Cx, balancer: &str, port: u16, action: Action, tags: Tags) -> Result<ListenerArn, Error> {
    let balancer = load_balancer::find(tx, balancer)?.clone();
    check_port(tx, &balancer.arn, None, port)?;
    check_groups(tx, &balancer, &action)?;
    if tx.rows_where::<Listener>("load-balancer", &balancer.arn).count() >= LISTENERS_MAX {
        let text = format!("The maximum number of listeners has been reached for this load balancer: {LISTENERS_MAX}");
        return Err(Error::TooMany("TooManyListeners", text));
    }
    let resource = format!("listener/{}/{}", balancer.full_name(), cx.rng().hex(16));
    let arn = ListenerArn::from(cx.scope.arn("elasticloadbalancing", resource));
    tx.put(Listener { arn: arn.clone(), load_balancer: balancer.arn, port, default_action: action });
    tags::add(tx, &arn, tags)?;
    Ok(arn)
}

/// Changes a listener; what is not given stays.
pub(crate) fn modify(tx: &mut Tx, arn: &str, port: Option<u16>, action: Option<Action>) -> Result<(), Error> {
    let mut listener = find(tx, arn)?.clone();
    if let Some(port) = port {
        check_port(tx, &listener.load_balancer, Some(&listener.arn), port)?;
        listener.port = port;
    }
    if let Some(action) = action {
        let balancer = load_balancer::find(tx, &listener.load_balancer)?.clone();
        check_groups(tx, &balancer, &action)?;
        listener.default_action = action;
    }
    tx.put(listener);
    Ok(())
}

/// Ends a listener; one that is not there has ended already.
pub(crate) fn delete(tx: &mut Tx, arn: &ListenerArn) -> Result<(), Error> {
    tags::set(tx, arn, Tags::new());
    tx.remove::<Listener>(arn);
    Ok(())
}

fn check_port(state: &State, balancer: &LoadBalancerArn, own: Option<&ListenerArn>, port: u16) -> Result<(), Error> {
    let mut others = state.rows_where::<Listener>("load-balancer", balancer).filter(|l| Some(&l.arn) != own);
    if others.any(|l| l.port == port) { Err(Error::DuplicateListener(port)) } else { Ok(()) }
}

/// Every group exists, lies in the load balancer's VPC and belongs to no other load balancer.
fn check_groups(state: &State, balancer: &load_balancer::LoadBalancer, action: &Action) -> Result<(), Error> {
    for arn in groups_of(action) {
        let group = target_group::find(state, arn)?;
        if group.vpc != balancer.vpc {
            let text = format!("The target group {arn} and the load balancer {} are in different VPCs", balancer.arn);
            return Err(Error::Unsupported(text));
        }
        if target_group::load_balancer_of(state, arn).is_some_and(|other| other != balancer.arn) {
            return Err(Error::GroupOfAnother(arn.to_string()));
        }
    }
    Ok(())
}
