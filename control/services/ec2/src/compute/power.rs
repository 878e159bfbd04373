//! `StartInstances`, `StopInstances`, `RebootInstances` and `TerminateInstances`, `MonitorInstances` and `UnmonitorInstances`.
//! One instance that cannot go along refuses the whole request.

use base::{Fault, InstanceId};
use kernel::{Cx, State, Tx};
use shapes::ec2 as s;

use super::answers::state_answer;
use super::error::ComputeError;
use super::instance::{Instance, InstanceState, Why};
use crate::Kind;
use crate::error::Error;

/// Most instances named in one request.
const IDS_MAX: usize = 1_000;

pub(crate) fn start_instances(tx: &mut Tx, cx: &Cx, input: s::StartInstancesRequest) -> Result<s::StartInstancesResult, Fault> {
    let starting_instances = change(tx, &input.instance_ids, input.dry_run, |i| {
        let id = i.id.clone();
        if i.start(cx.now) { Ok(()) } else { Err(ComputeError::WrongState { id, verb: "started" }.into()) }
    })?;
    Ok(s::StartInstancesResult { starting_instances })
}

pub(crate) fn stop_instances(tx: &mut Tx, cx: &Cx, input: s::StopInstancesRequest) -> Result<s::StopInstancesResult, Fault> {
    if input.hibernate == Some(true) {
        return Err(Error::Unsupported("Instances of this region cannot hibernate.".into()).into());
    }
    let stopping_instances = change(tx, &input.instance_ids, input.dry_run, |i| {
        let id = i.id.clone();
        if i.disable_api_stop {
            return Err(Error::NotPermitted(format!(
                "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
            )));
        }
        if i.stop(cx.now) { Ok(()) } else { Err(ComputeError::WrongState { id, verb: "stopped" }.into()) }
    })?;
    Ok(s::StopInstancesResult { stopping_instances })
}

pub(crate) fn reboot_instances(tx: &mut Tx, _: &Cx, input: s::RebootInstancesRequest) -> Result<(), Fault> {
    change(tx, &input.instance_ids, input.dry_run, |i| {
        let id = i.id.clone();
        if i.reboot() { Ok(()) } else { Err(ComputeError::WrongState { id, verb: "rebooted" }.into()) }
    })?;
    Ok(())
}

pub(crate) fn terminate_instances(
    tx: &mut Tx,
    cx: &Cx,
    input: s::TerminateInstancesRequest,
) -> Result<s::TerminateInstancesResult, Fault> {
    let terminating_instances = change(tx, &input.instance_ids, input.dry_run, |i| {
        check_termination(i)?;
        i.terminate(cx.now, Why::User);
        Ok(())
    })?;
    Ok(s::TerminateInstancesResult { terminating_instances })
}

/// Turns detailed monitoring on. It answers `pending` where that changes something ("Manage detailed monitoring for your EC2
/// instances"); the next period's metrics come each minute.
pub(crate) fn monitor_instances(
    tx: &mut Tx,
    _: &Cx,
    input: s::MonitorInstancesRequest,
) -> Result<s::MonitorInstancesResult, Fault> {
    refuse_categories(&input.metric_category_ids)?;
    let instance_monitorings = each(tx, &input.instance_ids, input.dry_run, |i| set_monitoring(i, Detailed::On))?;
    Ok(s::MonitorInstancesResult { instance_monitorings })
}

/// Turns it off: `disabling` where that changes something.
pub(crate) fn unmonitor_instances(
    tx: &mut Tx,
    _: &Cx,
    input: s::UnmonitorInstancesRequest,
) -> Result<s::UnmonitorInstancesResult, Fault> {
    refuse_categories(&input.metric_category_ids)?;
    let instance_monitorings = each(tx, &input.instance_ids, input.dry_run, |i| set_monitoring(i, Detailed::Off))?;
    Ok(s::UnmonitorInstancesResult { instance_monitorings })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detailed {
    On,
    Off,
}

fn refuse_categories(ids: &[String]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    Err(Error::Unsupported(
        "Detailed monitoring is chosen for all metrics of an instance here, not for categories of them.".into(),
    ))
}

fn set_monitoring(instance: &mut Instance, wanted: Detailed) -> Result<s::InstanceMonitoring, Error> {
    if instance.is_ending() {
        let verb = if wanted == Detailed::On { "monitored" } else { "unmonitored" };
        return Err(ComputeError::WrongState { id: instance.id.clone(), verb }.into());
    }
    let state = match (instance.monitoring, wanted) {
        (true, Detailed::On) => instance.monitoring_state(),
        (false, Detailed::On) => "pending",
        (true, Detailed::Off) => "disabling",
        (false, Detailed::Off) => "disabled",
    };
    instance.monitoring = wanted == Detailed::On;
    let monitoring = s::Monitoring { state: Some(state.into()), ..Default::default() };
    Ok(s::InstanceMonitoring { instance_id: Some(instance.id.to_string()), monitoring: Some(monitoring) })
}

/// Refuses to end an instance that is protected from it.
pub(crate) fn check_termination(instance: &Instance) -> Result<(), Error> {
    if instance.disable_api_termination && !instance.is_ending() {
        return Err(Error::NotPermitted(format!(
            "The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
            instance.id
        )));
    }
    Ok(())
}

/// The ids of a request as ids that exist.
pub(crate) fn existing(state: &State, ids: &[String]) -> Result<Vec<InstanceId>, Error> {
    ids.iter().try_for_each(|id| Kind::Instance.check(id))?;
    let ids: Vec<InstanceId> = ids.iter().map(|id| id.as_str().into()).collect();
    let missing: Vec<String> = ids.iter().filter(|id| state.get::<Instance>(id).is_none()).map(|id| id.to_string()).collect();
    if missing.is_empty() { Ok(ids) } else { Err(Error::NotFound(Kind::Instance, missing)) }
}

fn change(
    tx: &mut Tx,
    ids: &[String],
    dry_run: Option<bool>,
    mut change: impl FnMut(&mut Instance) -> Result<(), Error>,
) -> Result<Vec<s::InstanceStateChange>, Error> {
    each(tx, ids, dry_run, |instance| {
        let before = instance.state();
        change(instance)?;
        Ok(answer(&instance.id, before, instance.state()))
    })
}

/// Changes each of the named instances, and gives an answer about each.
fn each<A>(
    tx: &mut Tx,
    ids: &[String],
    dry_run: Option<bool>,
    mut change: impl FnMut(&mut Instance) -> Result<A, Error>,
) -> Result<Vec<A>, Error> {
    if ids.is_empty() {
        return Err(Error::Missing("The request must contain the parameter InstanceId".into()));
    }
    if ids.len() > IDS_MAX {
        return Err(Error::invalid("InstanceId", ids.len(), &format!("At most {IDS_MAX} instances can be named.")));
    }
    let mut answers = Vec::new();
    for id in existing(tx, ids)? {
        let Some(mut instance) = tx.get::<Instance>(&id).cloned() else { continue };
        answers.push(change(&mut instance)?);
        tx.put(instance);
    }
    if dry_run == Some(true) { Err(Error::DryRun) } else { Ok(answers) }
}

fn answer(id: &InstanceId, before: InstanceState, now: InstanceState) -> s::InstanceStateChange {
    s::InstanceStateChange {
        instance_id: Some(id.to_string()),
        current_state: Some(state_answer(now)),
        previous_state: Some(state_answer(before)),
    }
}
