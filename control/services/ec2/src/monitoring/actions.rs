//! What alarms do to instances ("Create alarms to stop, terminate, reboot, or recover an EC2 instance"):
//! `arn:aws:automate:REGION:ec2:stop`, `terminate`, `reboot` and `recover`. The alarm's metric names the instance by its
//! dimension `InstanceId`.

use base::{Fault, InstanceId, Time};
use cloudwatch::alarm::{self, Watched};
use cloudwatch::{Alarm, Invocation};
use kernel::{Cx, Registry, State, Tx};

use crate::compute::{Instance, InstanceState, Why};

const RECONCILER: &str = "ec2.alarm-action";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Stop,
    Terminate,
    Reboot,
    Recover,
}

pub(super) fn register(registry: &mut Registry) {
    registry.reconciler(RECONCILER, reconcile);
    registry.watch::<Invocation>(RECONCILER, |_, invocation, due| {
        if is_ours(&invocation.action) {
            due.push(invocation.key.clone());
        }
    });
}

/// Everything that is written `arn:aws:automate:REGION:ec2:...`, known or not: nobody else acts on it.
fn is_ours(arn: &str) -> bool {
    let mut parts = arn.split(':');
    (parts.nth(2), parts.nth(1)) == (Some("automate"), Some("ec2"))
}

impl Action {
    fn parse(arn: &str) -> Option<Self> {
        match arn.rsplit(':').next()? {
            "stop" => Some(Self::Stop),
            "terminate" => Some(Self::Terminate),
            "reboot" => Some(Self::Reboot),
            "recover" => Some(Self::Recover),
            _ => None,
        }
    }
}

fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let Some(invocation) = tx.get::<Invocation>(&key.to_string()).cloned() else { return Ok(None) };
    let error = carry_out(tx, cx, &invocation).err();
    alarm::done(tx, cx, key, error.as_deref());
    Ok(None)
}

/// Does what an alarm wants; the error is for the alarm's history.
fn carry_out(tx: &mut Tx, cx: &Cx, invocation: &Invocation) -> Result<(), String> {
    let id = instance_of(tx, &invocation.alarm).ok_or("The alarm's metric has no dimension InstanceId")?;
    let unknown = || format!("The instance ID '{id}' does not exist");
    let mut instance = tx.get::<Instance>(&id).cloned().ok_or_else(unknown)?;
    let action = Action::parse(&invocation.action).ok_or_else(|| format!("Unsupported action: {}", invocation.action))?;
    if !act(&mut instance, action, cx.now) {
        let state = instance.state().as_str();
        return Err(format!("The instance '{id}' is {state}, or protected against it"));
    }
    tx.put(instance);
    Ok(())
}

/// The instance that the alarm's metric is about.
fn instance_of(state: &State, alarm: &str) -> Option<InstanceId> {
    let alarm = state.get::<Alarm>(&alarm.to_string())?;
    let Watched::Metrics { queries, .. } = &alarm.watched else { return None };
    let mut dimensions = queries.iter().filter_map(|query| query.metric.as_ref()).flat_map(|metric| &metric.dimensions);
    dimensions.find(|(name, _)| name == "InstanceId").map(|(_, id)| id.as_str().into())
}

/// Does to the instance what a user could do to it, protections included. False when its state or they do not allow it.
fn act(instance: &mut Instance, action: Action, now: Time) -> bool {
    match action {
        Action::Stop => !instance.disable_api_stop && instance.stop(now),
        Action::Terminate if instance.disable_api_termination => false,
        Action::Terminate => {
            instance.terminate(now, Why::User);
            true
        }
        // A recovered instance keeps its id, addresses and disk ("Automatic instance recovery"), as a reboot leaves them.
        Action::Reboot | Action::Recover => instance.state() == InstanceState::Running && instance.reboot(),
    }
}
