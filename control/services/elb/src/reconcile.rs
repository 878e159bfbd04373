//! Keeps the edge's wishes as the rows say, ends registrations whose time has come, and hears what the edge saw.

use std::time::Duration;

use base::{Fault, LoadBalancerArn, TargetGroupArn, Time};
use ec2::{Instance, InstanceState};
use kernel::{Cx, Registry, Row, State, Tx, Wanted};
use world::{Observation, Slot, SlotKind, Want};

use crate::certificate;
use crate::listener::{self, Listener};
use crate::load_balancer::LoadBalancer;
use crate::plan::{plan, target};
use crate::rule::Rule;
use crate::target::{Anomaly, Observed, Registration, key_of};
use crate::target_group::{TargetGroup, load_balancer_of};
use crate::trust_store::TrustStore;

const LOAD_BALANCER: &str = "elb.load-balancer";
const REGISTRATION: &str = "elb.registration";
/// How long after the end of a deregistration delay the edge is waited for.
const UNHEARD: Duration = Duration::from_secs(10);

pub(crate) fn register(registry: &mut Registry) {
    registry.reconciler(LOAD_BALANCER, reconcile_load_balancer);
    registry.watch::<LoadBalancer>(LOAD_BALANCER, |_, balancer, due| due.push(balancer.arn.to_string()));
    registry.watch::<Listener>(LOAD_BALANCER, |_, listener, due| due.push(listener.load_balancer.to_string()));
    registry.watch::<Rule>(LOAD_BALANCER, |_, rule, due| due.push(rule.load_balancer.to_string()));
    registry.watch::<TargetGroup>(LOAD_BALANCER, |state, group, due| {
        due.extend(load_balancer_of(state, &group.arn).map(String::from));
    });
    registry.watch::<acm::Certificate>(LOAD_BALANCER, |state, renewed, due| {
        due.extend(certificate::balancers(state, &renewed.arn).map(ToString::to_string));
    });
    registry.watch::<iam::ServerCertificate>(LOAD_BALANCER, |state, renamed, due| {
        due.extend(certificate::balancers(state, &renamed.id).map(ToString::to_string));
    });
    registry.watch::<TrustStore>(LOAD_BALANCER, |state, changed, due| {
        due.extend(certificate::balancers(state, &changed.arn).map(ToString::to_string));
    });

    // After a crash between the end of a load balancer and that of its wish, nothing else tells of the wish.
    registry.watch::<Wanted>(LOAD_BALANCER, |state, wanted, due| {
        let is_ours = wanted.slot.kind == SlotKind::LoadBalancer && wanted.want.is_some();
        if is_ours && state.get::<LoadBalancer>(&wanted.slot.id.as_str().into()).is_none() {
            due.push(wanted.slot.id.clone());
        }
    });

    registry.reconciler(REGISTRATION, reconcile_registration);
    registry.watch::<Registration>(REGISTRATION, |_, registration, due| due.push(registration.key()));
    registry.watch::<Instance>(REGISTRATION, |state, instance, due| {
        due.extend(state.rows_where::<Registration>("target", &instance.id).map(Row::key));
    });
    registry.watch::<Listener>(REGISTRATION, |state, listener, due| {
        listener.groups().for_each(|group| registrations_of(state, group, due));
    });
    registry.watch::<Rule>(REGISTRATION, |state, rule, due| {
        rule.groups().for_each(|group| registrations_of(state, group, due));
    });
    // Its zones decide which targets it can use.
    registry.watch::<LoadBalancer>(REGISTRATION, |state, balancer, due| {
        listener::groups_of(state, &balancer.arn).iter().for_each(|group| registrations_of(state, group, due));
    });
    registry.watch::<Wanted>(REGISTRATION, |state, wanted, due| {
        let is_ours = wanted.slot.kind == SlotKind::Target && wanted.want.is_some();
        if is_ours && state.find::<Registration, str>(&wanted.slot.id).is_none() {
            due.push(wanted.slot.id.clone());
        }
    });

    registry.observer(observe);
    registry.observer(observe_anomaly);
}

fn reconcile_load_balancer(tx: &mut Tx, _: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let arn = LoadBalancerArn::from(key);
    let want = plan(tx, &arn).map(|l| Want::LoadBalancer(Box::new(l)));
    tx.want(Slot::new(SlotKind::LoadBalancer, key), want);
    Ok(None)
}

fn registrations_of(state: &State, group: &TargetGroupArn, due: &mut Vec<String>) {
    due.extend(state.rows_where::<Registration>("group", group).map(Row::key));
}

/// Wishes for the target, until its registration ends.
fn reconcile_registration(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let registration = tx.find::<Registration, str>(key);
    if registration.is_some_and(|registration| is_over(tx, cx, registration)) {
        tx.remove::<Registration>(&key.to_string());
        // Its end makes it due again.
        return Ok(None);
    }
    let wake = registration.and_then(ends_at);
    let wanted = registration.filter(|registration| !registration.is_drained());
    let want = wanted.and_then(|registration| target(tx, registration)).map(Want::Target);
    let is_judged = registration.is_some_and(|r| r.draining_until.is_none() && (r.observed.is_some() || r.anomaly.is_some()));
    if want.is_none() && is_judged {
        forget_judgement(tx, key);
    }
    tx.want(Slot::new(SlotKind::Target, key), want);
    Ok(wake)
}

/// Nobody looks at the target for now. What was seen of it says nothing of when it comes back: it is a new registration to the
/// edge then, and to what is still said of this one.
fn forget_judgement(tx: &mut Tx, key: &str) {
    let generation = tx.next_sequence();
    tx.update::<Registration>(&key.to_string(), |r| (r.generation, r.observed, r.anomaly) = (generation, None, None));
}

/// A registration ends when its instance is gone, or when it was deregistered and nobody can still send to it, or its time is
/// over.
fn is_over(state: &State, cx: &Cx, registration: &Registration) -> bool {
    let Some(end) = ends_at(registration) else {
        return registration.instance_state(state) == Some(InstanceState::Terminated);
    };
    end <= cx.now || registration.place(state).is_none() || load_balancer_of(state, &registration.group).is_none()
}

/// When a deregistered target is forgotten. One that has nothing under way any more is shown as `draining` until its
/// deregistration delay is over ("ELB User Guide, Deregistration delay"). Of any other the edge owns the moment: at the end of
/// the delay it ends what is under way, and says so. Only where nobody says anything is it forgotten unheard, and the edge
/// takes that for the end, too.
fn ends_at(registration: &Registration) -> Option<Time> {
    let until = registration.draining_until?;
    Some(if registration.is_drained() { until } else { until + UNHEARD })
}

fn observe(tx: &mut Tx, _: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::Target { load_balancer, group, target, generation, health } = observation else { return Ok(()) };
    let key = key_of(group, target);
    let Some(registration) = tx.get::<Registration>(&key).filter(|r| r.generation == *generation) else { return Ok(()) };
    if registration.is_drained() {
        return Ok(());
    }
    let observed = Some(Observed { load_balancer: load_balancer.clone(), health: health.clone() });
    if registration.observed != observed {
        tx.update::<Registration>(&key, |r| r.observed = observed);
    }
    Ok(())
}

fn observe_anomaly(tx: &mut Tx, _: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::TargetAnomaly { group, target, generation, anomalous, mitigated, .. } = observation else { return Ok(()) };
    let key = key_of(group, target);
    let anomaly = anomalous.then_some(Anomaly { mitigated: *mitigated });
    let known = tx.get::<Registration>(&key).filter(|r| r.generation == *generation);
    if known.is_some_and(|r| r.anomaly != anomaly) {
        tx.update::<Registration>(&key, |r| r.anomaly = anomaly);
    }
    Ok(())
}
