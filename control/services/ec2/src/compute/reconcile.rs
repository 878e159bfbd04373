//! Brings an instance toward what is wanted of it: plans its wish from the rows, follows what was observed, and
//! forgets it an hour after its end.

use std::time::Duration;

use base::{Fault, InstanceId, Scope, Time};
use kernel::{Cx, Settings, State, Tx, Wanted};
use world::{Image, InstanceState as Reported, Observation, Power, SlotKind, Want};

use super::catalogue::InstanceType;
use super::instance::{Instance, InstanceState, Intent};
use super::metadata::metadata;
use super::user_data;
use crate::network::{self, NetworkInterface};
use crate::tags;

/// How long an ended instance stays visible ("Terminate your instance").
pub const ENDED_VISIBLE: Duration = Duration::from_secs(3_600);
/// Ended instances that are visible at most; of more, those that ended first are forgotten early.
const ENDED_MAX: usize = 5_000;
/// How long a graceful stop may take.
pub const STOP_GRACE_MS: u64 = 30_000;

/// The next step of one instance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// The world should have it so; wishing it again is harmless.
    Wish(Box<world::Instance>),
    /// The executor has given up on its newest wish.
    Failed { generation: u64, reason: String },
    /// The world should not have it any more.
    Remove,
    /// Nothing of it is left in the world.
    Gone,
    /// It is over; forget it then.
    Forget { at: Time },
}

/// Decides from present state alone.
pub(crate) fn plan(state: &State, scope: &Scope, settings: &Settings, instance: &Instance) -> Plan {
    let wanted = state.get::<Wanted>(&instance.slot());
    if let Some(gone_at) = instance.gone_at {
        return Plan::Forget { at: gone_at + ENDED_VISIBLE };
    }
    if instance.intent == Intent::Terminated {
        return if wanted.is_some() { Plan::Remove } else { Plan::Gone };
    }
    let wish = wish(state, scope, settings, instance);
    let Some(wish) = wish else {
        return Plan::Failed { generation: instance.generation, reason: "its network interface is missing".into() };
    };
    match wanted {
        Some(Wanted { refused: Some(reason), want: Some(Want::Instance(refused)), .. })
            if instance.state() == InstanceState::Pending && **refused == wish =>
        {
            Plan::Failed { generation: instance.generation, reason: reason.clone() }
        }
        _ => Plan::Wish(Box::new(wish)),
    }
}

/// The instance as the host shall run it; none when its interface is gone.
fn wish(state: &State, scope: &Scope, settings: &Settings, instance: &Instance) -> Option<world::Instance> {
    let interface = network::world_interface(state, &instance.interface)?;
    // A type is checked at the launch and never leaves the catalogue.
    let instance_type = InstanceType::find(&instance.instance_type)?;
    Some(world::Instance {
        id: instance.id.clone(),
        generation: instance.generation,
        power: if instance.intent == Intent::Stopped { Power::Off } else { Power::On },
        image: match &instance.image_location {
            None => Image::Host,
            Some(location) => Image::Imported { id: instance.image.clone(), location: location.clone() },
        },
        cpu_millicores: instance_type.cpu_millicores(settings),
        memory_bytes: instance_type.memory_bytes(),
        hostname: instance.hostname(),
        user_data: instance.user_data.as_deref().and_then(user_data::decode),
        metadata: metadata(state, scope, settings, instance, &interface),
        interface,
        stop_grace_ms: STOP_GRACE_MS,
    })
}

/// The reconciler `ec2.instance`; its key is the instance's id.
pub(crate) fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let Some(instance) = tx.get::<Instance>(&key.into()).cloned() else { return Ok(None) };
    match plan(tx, &cx.scope, &cx.settings, &instance) {
        Plan::Wish(wish) => {
            tx.want(instance.slot(), Some(Want::Instance(wish)));
        }
        Plan::Failed { generation, reason } => {
            tx.update::<Instance>(&instance.id, |i| i.observe_failed(generation, &reason, cx.now));
        }
        Plan::Remove => {
            tx.want(instance.slot(), None);
        }
        Plan::Gone => {
            network::delete_interface(tx, cx, &instance.interface)?;
            tags::forget(tx, &instance.root.id);
            if tx.count_where::<Instance>("state", InstanceState::Terminated.as_str()) >= ENDED_MAX {
                forget_oldest(tx);
            }
            tx.update::<Instance>(&instance.id, |i| i.gone_at = Some(cx.now));
        }
        Plan::Forget { at } if at <= cx.now => forget(tx, &instance.id),
        Plan::Forget { at } => return Ok(Some(at)),
    }
    Ok(None)
}

fn forget(tx: &mut Tx, id: &InstanceId) {
    tags::forget(tx, id);
    tx.remove::<Instance>(id);
}

fn forget_oldest(tx: &mut Tx) {
    let ended = tx.rows_where::<Instance>("state", InstanceState::Terminated.as_str());
    let oldest = ended.min_by_key(|i| i.gone_at).map(|i| i.id.clone());
    oldest.iter().for_each(|id| forget(tx, id));
}

/// Keys that a wish in the outbox makes due.
pub(crate) fn keys_of_wanted(_: &State, wanted: &Wanted, due: &mut Vec<String>) {
    if wanted.slot.kind == SlotKind::Instance {
        due.push(wanted.slot.id.clone());
    }
}

/// Keys that a change of an interface, such as its groups, makes due.
pub(crate) fn keys_of_interface(state: &State, interface: &NetworkInterface, due: &mut Vec<String>) {
    due.extend(state.rows_where::<Instance>("interface", &interface.id).map(|i| i.id.to_string()));
}

/// Takes in what the host says about an instance.
pub(crate) fn observe(tx: &mut Tx, _: &Cx, observation: &Observation) -> Result<(), Fault> {
    let Observation::Instance { id, generation, state, at } = observation else { return Ok(()) };
    let change = |instance: &mut Instance| match state {
        Reported::Running => instance.observe_running(*generation, *at),
        Reported::Stopped { exit } => instance.observe_stopped(*generation, *exit, *at),
        Reported::Failed { reason } => instance.observe_failed(*generation, reason, *at),
        // The answer to the wish that it be gone says the same, and says it for every case.
        Reported::Gone => {}
    };
    tx.update::<Instance>(id, change);
    Ok(())
}

/// Starts a stopped instance, as a service that launched it does. False when there is none, or its state forbids it.
pub fn start(tx: &mut Tx, cx: &Cx, id: &InstanceId) -> bool {
    let mut started = false;
    tx.update::<Instance>(id, |i| started = i.start(cx.now));
    started
}

/// Stops a running instance, as a service that launched it does. False when there is none, or its state forbids it.
pub fn stop(tx: &mut Tx, cx: &Cx, id: &InstanceId) -> bool {
    let mut stopped = false;
    tx.update::<Instance>(id, |i| stopped = i.stop(cx.now));
    stopped
}

/// Ends an instance for good, as a service that launched it does; its termination protection does not count.
pub fn terminate(tx: &mut Tx, cx: &Cx, id: &InstanceId) -> bool {
    tx.update::<Instance>(id, |i| i.terminate(cx.now, super::instance::Why::User))
}
