//! How a refresh begins and how users end one.

use std::collections::BTreeSet;

use base::{GroupName, InstanceId};
use kernel::{Cx, State, Tx};

use super::row::{Preferences, Refresh, RefreshStatus, Rollback};
use super::{active, prune};
use crate::error::Error;
use crate::group::{Group, TemplateChoice};
use crate::member::{Lifecycle, Member};
use crate::warm_pool;

/// Begins to replace the instances of a group; returns the refresh's id.
pub(crate) fn start(
    tx: &mut Tx,
    cx: &Cx,
    group: &Group,
    preferences: Preferences,
    desired: Option<TemplateChoice>,
) -> Result<String, Error> {
    if active(tx, &group.name).is_some() {
        return Err(Error::RefreshInProgress);
    }
    // Both decide about the surplus of a group, and one would undo what the other has done.
    if crate::rolling::is_under_way(tx, &group.name) {
        return Err(Error::RollingUpdateInProgress(group.name.clone()));
    }
    if preferences.auto_rollback {
        can_roll_back(group, desired.as_ref(), "StartInstanceRefresh with AutoRollback")?;
    }
    prune(tx, &group.name, cx.now);
    let wanted = |m: &Member| desired.as_ref().map_or_else(|| is_current(tx, group, m), |t| matches(tx, m, t));
    // "Use an instance refresh with skip matching": what already has the configuration is left alone.
    let goes = |m: &&Member| !(preferences.skip_matching && wanted(m));
    let of_group = tx.rows_where::<Member>("group", &group.name).filter(|m| !is_away(m)).filter(goes);
    let mut obsolete: BTreeSet<InstanceId> = of_group.map(|m| m.instance.clone()).collect();
    let total = count(obsolete.len());
    obsolete.extend(of_pool(tx, &group.name).filter(goes).map(|m| m.instance.clone()));
    let pool_total = count(obsolete.len()) - total;
    let id = cx.rng().uuid();
    let key = format!("{}/{:020}", group.name, tx.next_sequence());
    tx.put(Refresh {
        key,
        id: id.clone(),
        group: group.name.clone(),
        status: RefreshStatus::Pending,
        reason: None,
        started_at: cx.now,
        ended_at: None,
        preferences,
        desired,
        obsolete,
        total,
        remaining: total,
        percent: 0,
        pool_total,
        pool_remaining: pool_total,
        checkpoints: 0,
        waits_until: None,
        progressed_at: cx.now,
        baking_until: None,
        waits_for_transitions: true,
        rollback: None,
    });
    Ok(id)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The warm pool's instances, without those on their way out.
fn of_pool<'a>(state: &'a State, group: &GroupName) -> impl Iterator<Item = &'a Member> {
    warm_pool::members(state, group).filter(|m| !m.lifecycle.is_ending())
}

/// Stops a refresh where it is; what is replaced stays replaced ("Cancel an instance refresh").
pub(crate) fn cancel(tx: &mut Tx, cx: &Cx, name: &GroupName, waits: bool) -> Result<String, Error> {
    let refresh = active(tx, name).cloned().ok_or_else(|| Error::NoActiveRefresh(name.clone()))?;
    let id = refresh.id.clone();
    if waits {
        let reason = Some("Cancelled due to user request.".into());
        tx.put(Refresh { status: RefreshStatus::Cancelling, reason, progressed_at: cx.now, ..refresh });
    } else {
        end(tx, cx, refresh, RefreshStatus::Cancelled, Some("Cancelled due to user request.".into()));
    }
    Ok(id)
}

/// Turns a refresh round: what it has replaced is replaced again, by the group's own configuration.
pub(crate) fn roll_back(tx: &mut Tx, cx: &Cx, name: &GroupName) -> Result<String, Error> {
    let none = || Error::NoActiveRefresh(name.clone());
    // One that is being cancelled is no longer in progress: it must end where its owner stopped it.
    let in_progress = |r: &&Refresh| r.rollback.is_none() && r.status != RefreshStatus::Cancelling;
    let refresh = active(tx, name).filter(in_progress).cloned().ok_or_else(none)?;
    let group = tx.get::<Group>(name).cloned().ok_or_else(none)?;
    can_roll_back(&group, refresh.desired.as_ref(), "RollbackInstanceRefresh")?;
    let id = refresh.id.clone();
    turn_round(tx, cx, &group, refresh, "Instance refresh was rolled back due to user request.".into());
    Ok(id)
}

/// "Undo changes with a rollback": only with a desired configuration, from numbered versions.
fn can_roll_back(group: &Group, desired: Option<&TemplateChoice>, what: &str) -> Result<(), Error> {
    let floats = |t: &TemplateChoice| matches!(t.version.as_deref(), None | Some("$Latest" | "$Default"));
    let Some(desired) = desired else {
        return Err(Error::Irreversible(
            "The instance refresh cannot be rolled back because it has no desired configuration.".into(),
        ));
    };
    if floats(desired) || floats(&group.template) {
        return Err(Error::Irreversible(format!(
            "{what} needs a numbered version of the launch template in the Auto Scaling group and in the desired configuration, not $Latest or $Default."
        )));
    }
    Ok(())
}

/// Sends a refresh back to where it came from.
pub(super) fn turn_round(tx: &mut Tx, cx: &Cx, group: &Group, refresh: Refresh, reason: String) {
    let members = tx.rows_where::<Member>("group", &group.name).filter(|m| !is_away(m));
    let mut obsolete: BTreeSet<InstanceId> =
        members.clone().filter(|m| !is_current(tx, group, m)).map(|m| m.instance.clone()).collect();
    // What was ended and not made up for is a part of the way back too.
    let serving = members.filter(|m| m.lifecycle == Lifecycle::InService).count();
    let lacking = (group.desired_capacity as usize).saturating_sub(serving);
    let (of_group, total) = (obsolete.len(), count(obsolete.len() + lacking));
    obsolete.extend(of_pool(tx, &group.name).filter(|m| !is_current(tx, group, m)).map(|m| m.instance.clone()));
    let pool_total = count(obsolete.len() - of_group);
    tx.put(Refresh {
        status: RefreshStatus::RollbackInProgress,
        reason: Some(reason.clone()),
        rollback: Some(Rollback { reason, started_at: cx.now, percent: refresh.percent, remaining: refresh.remaining }),
        obsolete,
        total,
        remaining: total,
        percent: 0,
        pool_total,
        pool_remaining: pool_total,
        waits_until: None,
        baking_until: None,
        progressed_at: cx.now,
        ..refresh
    });
}

/// Notes how a refresh has ended; the group may have no more instances than it wants from now on.
pub(super) fn end(tx: &mut Tx, cx: &Cx, refresh: Refresh, status: RefreshStatus, reason: Option<String>) {
    tx.update::<Group>(&refresh.group, |g| {
        g.surplus = 0;
        if let (RefreshStatus::Successful, Some(desired)) = (status, &refresh.desired) {
            g.template = desired.clone();
            g.launch_configuration = None;
        }
    });
    tx.put(Refresh { status, reason, ended_at: Some(cx.now), waits_until: None, baking_until: None, ..refresh });
}

/// Whether an instance comes from what the group launches its instances from now.
pub(crate) fn is_current(state: &State, group: &Group, member: &Member) -> bool {
    match &group.launch_configuration {
        Some(name) => member.configuration.as_ref().is_some_and(|c| c.name == *name),
        None => matches(state, member, &group.template),
    }
}

/// Whether an instance comes from this template in the version that it has now.
fn matches(state: &State, member: &Member, target: &TemplateChoice) -> bool {
    let template = ec2::find_template(state, &ec2::TemplateName::Id(target.id.clone()));
    let version = template.and_then(|t| ec2::version_number(state, t, target.version.as_deref()));
    let Ok(version) = version else { return false };
    state
        .get::<ec2::Instance>(&member.instance)
        .and_then(|i| i.template.as_ref())
        .is_some_and(|t| t.id == target.id && t.version == version)
}

/// It is no part of the group's capacity: on its way out, or in the warm pool.
pub(crate) fn is_away(member: &Member) -> bool {
    member.lifecycle.is_ending() || member.lifecycle.is_warm() || member.lifecycle == Lifecycle::Detaching
}
