//! Launches instances for a group and takes instances into it.

use base::{Fault, GroupName, InstanceId, Tags};
use kernel::{Cx, Tx};

use crate::activity::{self, ActivityKey, Beginning, Status, text};
use crate::group::Group;
use crate::launch_configuration::LaunchConfiguration;
use crate::member::{Health, Hooks, Lifecycle, Member, MemberConfiguration, MemberTemplate};
use crate::notifications::{self, Event};
use crate::plan::{Because, LaunchReason, Place};

/// Under this name instances of a group are launched.
const REQUESTER: &str = "autoscaling.amazonaws.com";

/// What a launch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Group(LaunchReason),
    WarmPool,
}

/// The sentences that say why an instance comes.
fn cause(cx: &Cx, group: &Group, place: &Place, what: For) -> String {
    match what {
        For::Group(LaunchReason::Ahead(Because::Expired)) => text::renewing(cx.now),
        For::Group(LaunchReason::Replacement | LaunchReason::Ahead(_)) => text::replacing(cx.now),
        For::Group(LaunchReason::Balance) => text::balancing(cx.now, &place.zone),
        For::Group(LaunchReason::TooFew { from, to }) => {
            text::join(group.request.iter().cloned().chain([text::grown(cx.now, from, to)]))
        }
        For::WarmPool => text::prepared(cx.now),
    }
}

fn made_up_for(tx: &mut Tx, group: &GroupName, what: For) {
    if what == For::Group(LaunchReason::Replacement) {
        tx.update::<Group>(group, |g| g.replacing = g.replacing.saturating_sub(1));
    }
}

pub(crate) fn launch(tx: &mut Tx, cx: &Cx, name: &GroupName, place: &Place, what: For) {
    let Some(group) = tx.get::<Group>(name).cloned() else { return };
    // An earlier launch of the same plan has failed there.
    if group.failing.get(&place.zone).is_some_and(|f| f.retry_at > cx.now) {
        return;
    }
    let beginning = |description: String, status| Beginning {
        group: name,
        description,
        cause: cause(cx, &group, place, what),
        status,
        zone: &place.zone,
        subnet: place.subnet.as_deref(),
    };
    match tx.attempt(|tx| launch_instance(tx, cx, &group, place)) {
        Ok(id) => {
            let description = match what {
                For::Group(_) => format!("Launching a new EC2 instance: {id}"),
                For::WarmPool => format!("Launching a new EC2 instance into warm pool: {id}"),
            };
            let key = activity::begin(tx, cx, beginning(description, Status::PreInService));
            put_member(tx, cx, &group, &id, matches!(what, For::Group(why) if why.is_extra()), Some(key));
            if what == For::WarmPool {
                tx.update::<Member>(&id, |m| m.turn(Lifecycle::WarmedPending));
            }
            made_up_for(tx, name, what);
        }
        Err(error) => {
            let message = Fault::from(error).message;
            let key = activity::begin(tx, cx, beginning("Launching a new EC2 instance".into(), Status::InProgress));
            activity::fail(tx, cx, &key, Status::Failed, &format!("{message} Launching EC2 instance failed."));
            notifications::tell(tx, cx, &key, Event::LaunchError, None);
            tx.update::<Group>(name, |g| g.note_failure(&place.zone, &message, cx.now));
        }
    }
}

/// Calls an instance out of the warm pool into the group.
pub(crate) fn call(tx: &mut Tx, cx: &Cx, name: &GroupName, id: &InstanceId, why: LaunchReason) {
    let (Some(group), Some(member)) = (tx.get::<Group>(name).cloned(), tx.get::<Member>(id).cloned()) else { return };
    let place = Place { zone: member.zone.clone(), subnet: Some(member.subnet.clone()) };
    let beginning = Beginning {
        group: name,
        description: format!("Launching a new EC2 instance from warm pool: {id}"),
        cause: cause(cx, &group, &place, For::Group(why)),
        status: Status::PreInService,
        zone: &member.zone,
        subnet: Some(&member.subnet),
    };
    let key = activity::begin(tx, cx, beginning);
    ec2::start(tx, cx, id);
    tx.update::<Member>(id, |m| {
        m.turn(Lifecycle::Pending);
        m.called_at = Some(cx.now);
        m.pooled = true;
        m.extra = why.is_extra();
        m.protected = group.protects_new;
        m.activity = Some(key);
    });
    made_up_for(tx, name, For::Group(why));
}

fn launch_instance(tx: &mut Tx, cx: &Cx, group: &Group, place: &Place) -> Result<InstanceId, ec2::Error> {
    let propagated = group.tags.iter().filter(|(_, t)| t.propagate_at_launch).map(|(key, t)| (key.clone(), t.value.clone()));
    let mut tags: Tags = propagated.collect();
    tags.insert("aws:autoscaling:groupName".into(), group.name.to_string());
    let template = crate::refresh::template_of(tx, group);
    if let Some(name) = group.launch_configuration.as_deref().filter(|_| template.id.is_empty()) {
        let data = tx.find::<LaunchConfiguration, str>(name).map(|c| c.data.clone()).unwrap_or_default();
        return ec2::launch_data(tx, cx, data, place.subnet.clone(), Some(place.zone.clone()), tags, REQUESTER);
    }
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
pub(crate) fn put_member(tx: &mut Tx, cx: &Cx, group: &Group, id: &InstanceId, extra: bool, activity: Option<ActivityKey>) {
    let Some(instance) = tx.get::<ec2::Instance>(id).cloned() else { return };
    let template = crate::refresh::template_of(tx, group);
    let launched = instance.requester.as_deref() == Some(REQUESTER);
    let of_group = instance.template.filter(|t| t.id == template.id);
    let configuration = group.launch_configuration.as_deref().filter(|_| launched && template.id.is_empty());
    let configuration = configuration
        .and_then(|name| tx.find::<LaunchConfiguration, str>(name))
        .map(|c| MemberConfiguration { name: c.name.clone(), created_at: c.created_at });
    tx.put(Member {
        instance: id.clone(),
        group: group.name.clone(),
        zone: instance.zone,
        subnet: instance.subnet,
        instance_type: instance.instance_type,
        image: instance.image.to_string(),
        template: of_group.map(|t| MemberTemplate { id: t.id.to_string(), name: template.name, version: t.version }),
        configuration,
        launched_at: cx.now,
        called_at: None,
        in_service_at: None,
        lifecycle: Lifecycle::Pending,
        hooks: Hooks::Ahead,
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
