//! Turns plans into rows: instances that come, serve and go, their registrations at ELB, their activities.

use base::{Fault, GroupName, InstanceId, TargetGroupArn};
use kernel::{Cx, Tx};

use crate::activity::{self, Activity, Beginning, Status, text};
use crate::group::{EARLY_DEATH, Group};
use crate::launch::{self, For};
use crate::lifecycle;
use crate::member::{Health, Hooks, Lifecycle, Member, Sickness};
use crate::notifications::{self, Event};
use crate::plan::{Action, Because, GroupPlan, MemberPlan, Step};
use crate::warm_pool::{PoolState, WarmPool};

/// Carries out what was decided for a whole group.
pub(crate) fn group(tx: &mut Tx, cx: &Cx, name: &GroupName, plan: GroupPlan) {
    let together: Vec<InstanceId> = plan.actions.iter().filter_map(surplus).cloned().collect();
    for action in plan.actions {
        match action {
            Action::Retire { instance, because } => retire(tx, cx, name, &instance, because, &together),
            Action::Launch { place, why } => launch::launch(tx, cx, name, &place, For::Group(why)),
            Action::Call { instance, why } => launch::call(tx, cx, name, &instance, why),
            Action::Prepare { place } => launch::launch(tx, cx, name, &place, For::WarmPool),
        }
    }
}

fn surplus(action: &Action) -> Option<&InstanceId> {
    match action {
        Action::Retire { instance, because: Because::TooMany { .. } } => Some(instance),
        _ => None,
    }
}

/// Carries out what was decided for one instance.
pub(crate) fn member(tx: &mut Tx, cx: &Cx, id: &InstanceId, plan: MemberPlan) {
    for step in plan.steps {
        match step {
            Step::BeginHooks => lifecycle::begin_hooks(tx, cx, id),
            Step::ExpireHooks => lifecycle::expire(tx, cx, id),
            Step::EnterService { register } => enter_service(tx, cx, id, &register),
            Step::Register(target_group) => register_one(tx, cx, id, &target_group),
            Step::Deregister(target_group) => deregister(tx, cx, id, &target_group),
            Step::MarkUnhealthy(sickness) => {
                tx.update::<Member>(id, |m| m.health = Health::Unhealthy(sickness));
            }
            Step::Retire(because) => {
                let Some(name) = tx.get::<Member>(id).map(|m| m.group.clone()) else { return };
                retire(tx, cx, &name, id, because, &[]);
            }
            Step::StandBy => stand_by(tx, cx, id),
            Step::End => end(tx, cx, id),
            Step::ReturnToPool => return_to_pool(tx, cx, id),
            Step::Stop => {
                ec2::stop(tx, cx, id);
            }
            Step::Store(state) => store(tx, cx, id, state),
            Step::Forget | Step::Release => forget(tx, cx, id),
        }
    }
}

fn enter_service(tx: &mut Tx, cx: &Cx, id: &InstanceId, register: &[TargetGroupArn]) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    for target_group in register {
        register_one(tx, cx, id, target_group);
    }
    let all = tx.get::<Group>(&member.group).map(|g| g.target_groups.clone()).unwrap_or_default();
    tx.update::<Member>(id, |m| {
        m.turn(Lifecycle::InService);
        m.in_service_at = Some(cx.now);
        m.extra = false;
        m.pooled = false;
        m.activity = None;
        // What is suspended now is not made up for later ("Suspend and resume processes", AddToLoadBalancer).
        m.handled.extend(all);
    });
    tx.update::<Group>(&member.group, |g| g.note_success(&member.zone, cx.now));
    finish_activity(tx, cx, &member, member.lifecycle);
}

/// The activity that is under way with an instance has come to its good end.
fn finish_activity(tx: &mut Tx, cx: &Cx, member: &Member, lifecycle: Lifecycle) {
    let Some(key) = &member.activity else { return };
    activity::move_on(tx, cx, key, Status::Successful);
    match lifecycle {
        Lifecycle::Pending if member.hooks != Hooks::Skipped || member.in_service_at.is_none() => {
            notifications::tell(tx, cx, key, Event::Launch, Some(member));
        }
        Lifecycle::Terminating | Lifecycle::WarmedTerminating => {
            notifications::tell(tx, cx, key, Event::Terminate, Some(member));
        }
        _ => {}
    }
}

/// Registers an instance; a target group that will not have it leaves a failed activity that says why.
fn register_one(tx: &mut Tx, cx: &Cx, id: &InstanceId, target_group: &TargetGroupArn) {
    let outcome = tx.attempt(|tx| elb::register_instance(tx, cx, target_group, id));
    tx.update::<Member>(id, |m| {
        m.handled.insert(target_group.clone());
    });
    let Err(error) = outcome else { return };
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    let beginning = Beginning {
        group: &member.group,
        description: format!("Adding instance {id} to target group {target_group}"),
        cause: text::join([format!("At {} an instance had to be registered with a target group.", cx.now.iso8601_s())]),
        status: Status::InProgress,
        zone: &member.zone,
        subnet: Some(&member.subnet),
    };
    let key = activity::begin(tx, cx, beginning);
    activity::fail(tx, cx, &key, Status::Failed, &Fault::from(error).message);
}

fn deregister(tx: &mut Tx, cx: &Cx, id: &InstanceId, target_group: &TargetGroupArn) {
    // A target group that is gone has no registrations any more.
    let _ = tx.attempt(|tx| elb::deregister_instance(tx, cx, target_group, id));
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    if matches!(member.lifecycle, Lifecycle::InService | Lifecycle::EnteringStandby) {
        tx.update::<Member>(id, |m| {
            m.handled.remove(target_group);
        });
    }
    if let Some(key) = member.activity.filter(|_| elb::target_health(tx, target_group, id).is_some()) {
        activity::move_on(tx, cx, &key, Status::WaitingForElbConnectionDraining);
    }
}

/// Begins the way out of an instance, with its activity.
fn retire(tx: &mut Tx, cx: &Cx, name: &GroupName, id: &InstanceId, because: Because, together: &[InstanceId]) {
    let now = cx.now;
    let Some(group) = tx.get::<Group>(name) else { return };
    let (request, drains) = (group.request.clone(), group.drains);
    let cause = match because {
        Because::Unhealthy(sickness) => {
            note_sickness(tx, cx, id, sickness);
            match sickness {
                Sickness::Ec2 => text::sick_ec2(now),
                Sickness::Elb => text::sick_elb(now),
                Sickness::User => text::sick_user(now),
            }
        }
        Because::LaunchFailed => {
            note_failed_launch(tx, cx, id);
            text::launch_failed(now)
        }
        Because::TooMany { from, to } => {
            // "Warm pools", instance reuse policy: what a shrinking group gives up goes back.
            let reuses = tx.get::<WarmPool>(name).is_some_and(|p| p.reuses && !p.deleting);
            tx.update::<Member>(id, |m| m.pooled = reuses);
            // A thousand names of others would tell nobody anything.
            let others = together.iter().filter(|i| *i != id).take(NAMED_MAX);
            let selected = std::iter::once(id).chain(others).map(|i| text::selected(now, i));
            text::join(request.into_iter().chain([text::shrunk(now, from, to)]).chain(selected))
        }
        Because::Expired => text::join([text::expired(now), text::selected(now, id)]),
        Because::Unbalanced => text::join([text::unbalanced(now), text::selected(now, id)]),
        Because::PoolTooLarge => text::join([text::pool_shrunk(now), text::selected(now, id)]),
        Because::GroupDeleted { from } => {
            text::join(request.into_iter().chain([text::shrunk(now, from, 0), text::selected(now, id)]))
        }
    };
    begin_termination(tx, cx, id, cause, matches!(because, Because::GroupDeleted { .. }) && !drains);
}

/// Most instances that one activity names as selected together with its own.
const NAMED_MAX: usize = 20;

/// Puts an instance on its way out; returns its activity.
pub(crate) fn begin_termination(tx: &mut Tx, cx: &Cx, id: &InstanceId, cause: String, forced: bool) -> Option<Activity> {
    let member = tx.get::<Member>(id).cloned()?;
    if let Some(key) = &member.activity {
        activity::move_on(tx, cx, key, Status::Cancelled);
    }
    let warm = member.lifecycle.is_warm();
    let beginning = Beginning {
        group: &member.group,
        description: format!("Terminating EC2 instance{}: {id}", if warm { " from warm pool" } else { "" }),
        cause,
        status: Status::InProgress,
        zone: &member.zone,
        subnet: Some(&member.subnet),
    };
    let key = activity::begin(tx, cx, beginning);
    tx.update::<Member>(id, |m| {
        m.turn(if warm { Lifecycle::WarmedTerminating } else { Lifecycle::Terminating });
        m.pooled &= !warm && member.lifecycle == Lifecycle::InService;
        m.forced |= forced;
        m.activity = Some(key.clone());
    });
    tx.get::<Activity>(&key).cloned()
}

/// The activity of a launch that came to nothing says what EC2 said.
fn note_failed_launch(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    let reason = tx.get::<ec2::Instance>(id).and_then(|i| i.state_reason()).map(|(_, text)| text);
    let reason = reason.unwrap_or_else(|| "it did not come up in time".into());
    let message =
        format!("Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: {reason}");
    if let Some(key) = &member.activity {
        activity::fail(tx, cx, key, Status::Failed, &message);
        notifications::tell(tx, cx, key, Event::LaunchError, Some(&member));
    }
    tx.update::<Group>(&member.group, |g| g.note_failure(&member.zone, &message, cx.now));
}

fn note_sickness(tx: &mut Tx, cx: &Cx, id: &InstanceId, sickness: Sickness) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    let early = sickness == Sickness::Ec2 && member.in_service_at.is_some_and(|at| cx.now < at + EARLY_DEATH);
    tx.update::<Group>(&member.group, |g| {
        if early {
            g.note_early_death(&member.zone, cx.now);
        }
        // With such a policy another one serves in its place already.
        let is_replaced = g.maintenance.is_some_and(|m| m.launches_ahead());
        g.replacing = g.replacing.saturating_add(u32::from(member.lifecycle == Lifecycle::InService && !is_replaced));
    });
}

fn stand_by(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    finish_activity(tx, cx, &member, member.lifecycle);
    tx.update::<Member>(id, |m| {
        m.turn(Lifecycle::Standby);
        m.activity = None;
    });
}

fn end(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    ec2::terminate(tx, cx, id);
    if let Some(key) = tx.get::<Member>(id).and_then(|m| m.activity.clone()) {
        activity::move_on(tx, cx, &key, Status::InProgress);
    }
}

fn return_to_pool(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    finish_activity(tx, cx, &member, member.lifecycle);
    tx.update::<Member>(id, |m| {
        m.turn(Lifecycle::WarmedPending);
        m.hooks = Hooks::Skipped;
        m.in_service_at = None;
        m.handled.clear();
        m.pooled = false;
        m.protected = false;
        m.activity = None;
    });
}

fn store(tx: &mut Tx, cx: &Cx, id: &InstanceId, state: PoolState) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    if let Some(key) = &member.activity {
        activity::move_on(tx, cx, key, Status::Successful);
    }
    tx.update::<Member>(id, |m| {
        m.turn(match state {
            PoolState::Stopped => Lifecycle::WarmedStopped,
            PoolState::Running => Lifecycle::WarmedRunning,
        });
        m.activity = None;
    });
    tx.update::<Group>(&member.group, |g| g.note_success(&member.zone, cx.now));
}

fn forget(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    if let Some(member) = tx.remove::<Member>(id) {
        finish_activity(tx, cx, &member, member.lifecycle);
    }
}
