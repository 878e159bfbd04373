//! Turns a plan's actions into rows: instances launched and ended at EC2, registrations at ELB, activities.

use base::{Fault, GroupName, InstanceId, Tags, TargetGroupArn};
use kernel::{Cx, Tx};

use crate::activity::{self, Activity, Beginning, Status, text};
use crate::group::{EARLY_DEATH, Group};
use crate::member::{Health, Lifecycle, Member, MemberTemplate, Sickness};
use crate::plan::{Action, Because, LaunchReason, Place, Plan};

/// Under this name instances of a group are launched.
const REQUESTER: &str = "autoscaling.amazonaws.com";

pub(crate) fn apply(tx: &mut Tx, cx: &Cx, group: &GroupName, plan: Plan) {
    let retired: Vec<InstanceId> = plan
        .actions
        .iter()
        .filter_map(|a| match a {
            Action::Retire { instance, because: Because::TooMany { .. } } => Some(instance.clone()),
            _ => None,
        })
        .collect();
    for action in plan.actions {
        match action {
            Action::EnterService { instance, register } => enter_service(tx, cx, &instance, &register),
            Action::Register { instance, target_group } => register_one(tx, cx, &instance, &target_group),
            Action::Deregister { instance, target_group } => deregister(tx, cx, &instance, &target_group),
            Action::MarkUnhealthy { instance, sickness } => {
                tx.update::<Member>(&instance, |m| m.health = Health::Unhealthy(sickness));
            }
            Action::Retire { instance, because } => retire(tx, cx, group, &instance, because, &retired),
            Action::End { instance } => {
                end(tx, cx, &instance);
            }
            Action::Forget { instance } => forget(tx, cx, &instance),
            Action::Release { instance } => forget(tx, cx, &instance),
            Action::Launch { place, why } => launch(tx, cx, group, &place, why),
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
        m.lifecycle = Lifecycle::InService;
        m.in_service_at = Some(cx.now);
        m.extra = false;
        m.activity = None;
        // What is suspended now is not made up for later, as at AWS.
        m.handled.extend(all);
    });
    tx.update::<Group>(&member.group, |g| g.note_success(&member.zone, cx.now));
    if let Some(key) = member.activity {
        activity::move_on(tx, cx, &key, Status::Successful);
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
    if member.lifecycle == Lifecycle::InService {
        tx.update::<Member>(id, |m| {
            m.handled.remove(target_group);
        });
    }
    if let Some(key) = member.activity.filter(|_| elb::target_health(tx, target_group, id).is_some()) {
        activity::move_on(tx, cx, &key, Status::WaitingForElbConnectionDraining);
    }
}

/// Begins the way out of an instance, with its activity.
fn retire(tx: &mut Tx, cx: &Cx, group: &GroupName, id: &InstanceId, because: Because, together: &[InstanceId]) {
    let now = cx.now;
    let request = tx.get::<Group>(group).and_then(|g| g.request.clone());
    let cause = match because {
        Because::Unhealthy(Sickness::Ec2) => {
            note_early_death(tx, cx, id);
            text::sick_ec2(now)
        }
        Because::Unhealthy(Sickness::Elb) => text::sick_elb(now),
        Because::Unhealthy(Sickness::User) => text::sick_user(now),
        Because::LaunchFailed => {
            note_failed_launch(tx, cx, id);
            text::launch_failed(now)
        }
        Because::TooMany { from, to } => text::join(
            request.into_iter().chain([text::shrunk(now, from, to)]).chain(together.iter().map(|i| text::selected(now, i))),
        ),
        Because::GroupDeleted { from } => {
            text::join(request.into_iter().chain([text::shrunk(now, from, 0), text::selected(now, id)]))
        }
    };
    let drains = tx.get::<Group>(group).is_some_and(|g| g.drains);
    begin_termination(tx, cx, id, cause, matches!(because, Because::GroupDeleted { .. }) && !drains);
}

/// Puts an instance on its way out; returns its activity.
pub(crate) fn begin_termination(tx: &mut Tx, cx: &Cx, id: &InstanceId, cause: String, forced: bool) -> Option<Activity> {
    let member = tx.get::<Member>(id).cloned()?;
    if let Some(key) = &member.activity {
        activity::move_on(tx, cx, key, Status::Cancelled);
    }
    let beginning = Beginning {
        group: &member.group,
        description: format!("Terminating EC2 instance: {id}"),
        cause,
        status: Status::InProgress,
        zone: &member.zone,
        subnet: Some(&member.subnet),
    };
    let key = activity::begin(tx, cx, beginning);
    tx.update::<Member>(id, |m| {
        m.lifecycle = Lifecycle::Terminating;
        m.forced = forced;
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
    }
    tx.update::<Group>(&member.group, |g| g.note_failure(&member.zone, &message, cx.now));
}

fn note_early_death(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    let Some(member) = tx.get::<Member>(id).cloned() else { return };
    if member.in_service_at.is_some_and(|at| cx.now < at + EARLY_DEATH) {
        tx.update::<Group>(&member.group, |g| g.note_early_death(&member.zone, cx.now));
    }
}

fn end(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    ec2::terminate(tx, cx, id);
    if let Some(key) = tx.get::<Member>(id).and_then(|m| m.activity.clone()) {
        activity::move_on(tx, cx, &key, Status::InProgress);
    }
}

fn forget(tx: &mut Tx, cx: &Cx, id: &InstanceId) {
    if let Some(key) = tx.remove::<Member>(id).and_then(|m| m.activity) {
        activity::move_on(tx, cx, &key, Status::Successful);
    }
}

fn launch(tx: &mut Tx, cx: &Cx, name: &GroupName, place: &Place, why: LaunchReason) {
    let Some(group) = tx.get::<Group>(name).cloned() else { return };
    // An earlier launch of the same plan has failed there.
    if group.failing.get(&place.zone).is_some_and(|f| f.retry_at > cx.now) {
        return;
    }
    let cause = match why {
        LaunchReason::Replacement => text::replacing(cx.now),
        LaunchReason::Balance => text::balancing(cx.now, &place.zone),
        LaunchReason::TooFew { from, to } => text::join(group.request.iter().cloned().chain([text::grown(cx.now, from, to)])),
    };
    let beginning = |description: String, status| Beginning {
        group: name,
        description,
        cause: cause.clone(),
        status,
        zone: &place.zone,
        subnet: place.subnet.as_deref(),
    };
    match tx.attempt(|tx| launch_instance(tx, cx, &group, place)) {
        Ok(id) => {
            let key = activity::begin(tx, cx, beginning(format!("Launching a new EC2 instance: {id}"), Status::PreInService));
            let extra = why == LaunchReason::Balance;
            put_member(tx, cx, &group, &id, extra, Some(key));
        }
        Err(error) => {
            let message = Fault::from(error).message;
            let key = activity::begin(tx, cx, beginning("Launching a new EC2 instance".into(), Status::InProgress));
            activity::fail(tx, cx, &key, Status::Failed, &format!("{message} Launching EC2 instance failed."));
            tx.update::<Group>(name, |g| g.note_failure(&place.zone, &message, cx.now));
        }
    }
}

fn launch_instance(tx: &mut Tx, cx: &Cx, group: &Group, place: &Place) -> Result<InstanceId, ec2::Error> {
    let propagated = group.tags.iter().filter(|(_, t)| t.propagate_at_launch).map(|(key, t)| (key.clone(), t.value.clone()));
    let mut tags: Tags = propagated.collect();
    tags.insert("aws:autoscaling:groupName".into(), group.name.to_string());
    let template = crate::refresh::template_of(tx, group);
    let launch = ec2::Launch {
        template: ec2::TemplateName::Id(template.id),
        version: template.version,
        subnet: place.subnet.clone(),
        zone: Some(place.zone.clone()),
        tags,
        count: 1,
        requester: REQUESTER.into(),
    };
    let launched = ec2::launch(tx, cx, launch)?;
    launched.into_iter().next().ok_or(ec2::Error::Internal)
}

/// Takes an instance into the group.
pub(crate) fn put_member(
    tx: &mut Tx,
    cx: &Cx,
    group: &Group,
    id: &InstanceId,
    extra: bool,
    activity: Option<crate::activity::ActivityKey>,
) {
    let Some(instance) = tx.get::<ec2::Instance>(id).cloned() else { return };
    let template = crate::refresh::template_of(tx, group);
    let of_group = instance.template.filter(|t| t.id == template.id);
    tx.put(Member {
        instance: id.clone(),
        group: group.name.clone(),
        zone: instance.zone,
        subnet: instance.subnet,
        instance_type: instance.instance_type,
        image: instance.image.to_string(),
        template: of_group.map(|t| MemberTemplate {
            id: t.id.to_string(),
            name: template.name,
            version: t.version,
        }),
        configuration: None,
        launched_at: cx.now,
        called_at: None,
        in_service_at: None,
        lifecycle: Lifecycle::Pending,
        hooks: Default::default(),
        actions: Vec::new(),
        pooled: false,
        health: Health::Healthy,
        protected: group.protects_new,
        extra,
        handled: Default::default(),
        forced: false,
        activity,
    });
}
