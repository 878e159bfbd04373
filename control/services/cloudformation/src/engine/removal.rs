//! Deleting: the whole stack, what a failed creation made, or what an update no longer needs. What needs another goes
//! before it.

use std::collections::BTreeSet;

use base::Time;
use kernel::{Cx, Progress, Tx};

use super::forward::fault_text;
use super::{RETRY, members, set_member, set_stack, turn};
use crate::program::Program;
use crate::state::{Member, MemberStatus, Physical, Stack, StackStatus};

/// How often a refused deletion is tried before it counts as failed.
const REFUSED_MAX_MS: u64 = 30_000;

/// Deletes every resource, then ends: a deletion or the rollback of a creation.
pub(super) fn remove_all(tx: &mut Tx, cx: &Cx, mut stack: Stack) -> Option<Time> {
    let rollback = stack.status == StackStatus::RollbackInProgress;
    let mut wake_at = None;
    loop {
        let all: Vec<Member> = members(tx, &stack.id).into_iter().filter(|m| !is_done(m)).collect();
        let needed: BTreeSet<String> = all.iter().flat_map(|m| m.needs.iter().cloned()).collect();
        let mut moved = false;
        for member in all.iter().filter(|m| !needed.contains(&m.logical_id) && m.status != MemberStatus::DeleteFailed) {
            let keep = (if rollback { member.retain_on_rollback } else { member.retain_on_delete })
                || stack.retained.contains(&member.logical_id);
            moved |= remove_member(tx, cx, &stack, member.clone(), keep, &mut wake_at);
        }
        if !moved {
            break;
        }
    }
    let rest: Vec<Member> = members(tx, &stack.id).into_iter().filter(|m| !is_done(m)).collect();
    if rest.is_empty() {
        if rollback {
            set_stack(tx, cx, &mut stack, StackStatus::RollbackComplete, None);
        } else {
            turn::ended(tx, cx, stack);
        }
        return None;
    }
    let failed: Vec<&Member> = rest.iter().filter(|m| m.status == MemberStatus::DeleteFailed).collect();
    let under_way = rest.iter().any(|m| m.status == MemberStatus::DeleteInProgress);
    if !failed.is_empty() && !under_way {
        let status = if rollback { StackStatus::RollbackFailed } else { StackStatus::DeleteFailed };
        let reason = turn::failure_text("delete", &failed);
        set_stack(tx, cx, &mut stack, status, Some(format!("{reason}. ")));
        return None;
    }
    wake_at
}

fn is_done(member: &Member) -> bool {
    matches!(member.status, MemberStatus::DeleteComplete | MemberStatus::DeleteSkipped)
}

/// One resource; true when its status changed for good.
fn remove_member(tx: &mut Tx, cx: &Cx, stack: &Stack, mut member: Member, keep: bool, wake_at: &mut Option<Time>) -> bool {
    let nothing_there = member.physical.is_none() && member.replaced.is_none();
    if nothing_there || keep {
        let status = if nothing_there { MemberStatus::DeleteComplete } else { MemberStatus::DeleteSkipped };
        set_member(tx, cx, stack, member, status, None);
        return true;
    }
    if member.status != MemberStatus::DeleteInProgress {
        member = set_member(tx, cx, stack, member, MemberStatus::DeleteInProgress, None);
    }
    for physical in [member.replaced.clone(), member.physical.clone()].into_iter().flatten() {
        match remove(tx, cx, &member, &physical, wake_at) {
            Outcome::Gone => {}
            Outcome::Waits => return false,
            Outcome::Refused(reason) => {
                set_member(tx, cx, stack, member, MemberStatus::DeleteFailed, Some(reason));
                return true;
            }
        }
    }
    member.replaced = None;
    set_member(tx, cx, stack, member, MemberStatus::DeleteComplete, None);
    true
}

enum Outcome {
    Gone,
    Waits,
    Refused(String),
}

/// Asks a resource's type to delete one physical thing.
fn remove(tx: &mut Tx, cx: &Cx, member: &Member, physical: &Physical, wake_at: &mut Option<Time>) -> Outcome {
    let Some(resource) = tx.registry().stack_resource(&member.type_name) else {
        return Outcome::Refused(format!("Unrecognized resource type {}", member.type_name));
    };
    let again = |wake_at: &mut Option<Time>| {
        let at = cx.now + RETRY;
        *wake_at = Some(wake_at.map_or(at, |t| t.min(at)));
        Outcome::Waits
    };
    match tx.attempt(|tx| resource.delete(tx, cx, &physical.id)) {
        Ok(Progress::Ready) => Outcome::Gone,
        Ok(Progress::Pending) => again(wake_at),
        Ok(Progress::Failed(reason)) => Outcome::Refused(reason),
        // Something may still be letting go of it, as with a network interface of a load balancer.
        Err(_) if cx.now.ms_since(member.changed) < REFUSED_MAX_MS => again(wake_at),
        Err(fault) => Outcome::Refused(fault_text(&fault)),
    }
}

/// After an update or its way back: deletes what was replaced and what is no longer declared, then ends.
pub(super) fn clean_up(tx: &mut Tx, cx: &Cx, mut stack: Stack) -> Option<Time> {
    let forward = stack.status == StackStatus::UpdateCompleteCleanupInProgress;
    let declared: BTreeSet<String> = match Program::of(tx, cx, &stack) {
        Ok(program) => program.declarations().map(|d| d.logical_id.clone()).collect(),
        Err(_) => return None,
    };
    let mut wake_at = None;
    let mut waits;
    loop {
        let mut moved = false;
        waits = false;
        let all = members(tx, &stack.id);
        let stale = |m: &&Member| !declared.contains(&m.logical_id);
        let needed: BTreeSet<String> = all
            .iter()
            .filter(stale)
            .filter(|m| m.status != MemberStatus::DeleteFailed)
            .flat_map(|m| m.needs.iter().cloned())
            .collect();
        for member in all.iter().filter(stale).filter(|m| m.status != MemberStatus::DeleteFailed) {
            if needed.contains(&member.logical_id) {
                waits = true;
                continue;
            }
            let keep = if forward { member.retain_on_delete } else { member.retain_on_rollback };
            if remove_member(tx, cx, &stack, member.clone(), keep, &mut wake_at) {
                let done = tx.get::<Member>(&kernel::Row::key(member)).is_none_or(is_done);
                if done {
                    tx.remove::<Member>(&kernel::Row::key(member));
                }
                moved = true;
            } else {
                waits = true;
            }
        }
        for member in all.iter().filter(|m| declared.contains(&m.logical_id) && m.replaced.is_some()) {
            match drop_replaced(tx, cx, &stack, member.clone(), &mut wake_at) {
                true => moved = true,
                false => waits = true,
            }
        }
        if !moved {
            break;
        }
    }
    if waits {
        return wake_at;
    }
    turn::forget_touches(tx, &stack);
    stack.previous = None;
    let status = if forward { StackStatus::UpdateComplete } else { StackStatus::UpdateRollbackComplete };
    set_stack(tx, cx, &mut stack, status, None);
    None
}

/// Deletes the physical resource that another has replaced; true when that is done.
fn drop_replaced(tx: &mut Tx, cx: &Cx, stack: &Stack, mut member: Member, wake_at: &mut Option<Time>) -> bool {
    let Some(old) = member.replaced.clone() else { return false };
    let shown = |status, reason| Member { physical: Some(old.clone()), status, reason, ..member.clone() };
    if !member.retain_on_replace {
        match remove(tx, cx, &member, &old, wake_at) {
            Outcome::Waits => return false,
            Outcome::Refused(reason) => crate::event::of_member(tx, cx, stack, &shown(MemberStatus::DeleteFailed, Some(reason))),
            Outcome::Gone => crate::event::of_member(tx, cx, stack, &shown(MemberStatus::DeleteComplete, None)),
        }
    } else {
        crate::event::of_member(tx, cx, stack, &shown(MemberStatus::DeleteSkipped, None));
    }
    member.replaced = None;
    tx.put(member);
    true
}
