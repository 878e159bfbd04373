//! What will happen in the simulated world, and how a trace tells it. It owns no state.

use base::{InstanceId, LoadBalancerArn, TargetGroupArn, Time};
use world::{Effect, Executor, Observation, TargetKey};

/// Something that will happen.
#[derive(Clone, Debug)]
pub(crate) struct Coming {
    pub(crate) at: Time,
    pub(crate) what: Event,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message to the world: lost when the connection breaks.
    Deliver(Effect),
    /// A message from the world: lost when the connection breaks.
    Observe(Observation),
    /// The instance's boot of this generation is done, or has failed.
    Booted(InstanceId, u64),
    /// Its application answers.
    Serves(InstanceId, u64),
    /// Look at a target's health again: enough checks have passed since its outcome changed. Only the last of the
    /// checks that it takes may find a target unhealthy.
    Checked { at: Registered, generation: u64, may_fail: bool },
    /// The last request at a draining target is done.
    Drained(Registered, u64),
    /// An executor connects to the control plane.
    Connect(Executor),
}

/// A target as one load balancer knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Registered {
    pub(crate) key: TargetKey,
    pub(crate) balancer: LoadBalancerArn,
    pub(crate) group: TargetGroupArn,
}

/// Who reports it.
pub(crate) fn source(observation: &Observation) -> Executor {
    match observation {
        Observation::Applied { slot, .. } | Observation::Refused { slot, .. } => slot.kind.executor(),
        Observation::Instance { .. } | Observation::Usage { .. } => Executor::Host,
        Observation::Target { .. } | Observation::TargetAnomaly { .. } | Observation::Traffic { .. } => Executor::Edge,
        Observation::Issued { .. } => Executor::Authority,
    }
}

/// An event in one line of a trace.
pub(crate) fn short(event: &Event) -> String {
    match event {
        Event::Deliver(effect) => {
            let what = if effect.want.is_some() { "want" } else { "want no" };
            format!("{what} {} version {}", effect.slot, effect.version)
        }
        Event::Observe(Observation::Target { target, generation, health, .. }) => {
            format!("seen target {} generation {generation} {health:?}", target.id)
        }
        Event::Observe(Observation::Instance { id, generation, state, .. }) => format!("seen {id} boot {generation} {state:?}"),
        other => format!("{other:?}"),
    }
}
