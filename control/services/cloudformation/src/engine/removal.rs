//! Deleting: the whole stack, what a failed creation made, or what an update no longer needs. What needs another goes
//! before it.

use std::collections::BTreeSet;

use base::Time;
use kernel::{Cx, Progress, Row, Tx};

use super::forward::fault_text;
use super::{RETRY, members, set_member, set_stack, turn};
use crate::program::Program;
use crate::state::{Member, MemberStatus, Physical, Stack, StackStatus};
use crate::{event, export};

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
            // What was never finished uses nothing.
            export::set_imports(tx, &stack.id, &BTreeSet::new());
            set_stack(tx, cx, &mut stack, StackStatus::RollbackComplete, None);
        } else {
            turn::ended(tx, cx, stack);
        }
        return None;
    }
    let failed = rest.iter().any(|m| m.status == MemberStatus::DeleteFailed);
    let under_way = rest.iter().any(|m| m.status == MemberStatus::DeleteInProgress);
    if failed && !under_way {
        let status = if rollback { StackStatus::RollbackFailed } else { StackStatus::DeleteFailed };
        let reason = format!("The following resource(s) failed to delete: [{}]. ", names_of(&rest, MemberStatus::DeleteFailed));
        set_stack(tx, cx, &mut stack, status, Some(reason));
        return None;
    }
    wake_at
}

fn is_done(member: &Member) -> bool {
    matches!(member.status, MemberStatus::DeleteComplete | MemberStatus::DeleteSkipped)
}

/// One resource; true when its status changed for good.
fn remove_member(tx: &mut Tx, cx: &Cx, stack: &Stack, mut member: Member, keep: bool, wake_at: &mut Option<Time>) -> bool {
    let left = member.abandoned.iter().chain(&member.replaced).chain(&member.physical);
    let left: Vec<Physical> = left.cloned().collect();
    let nothing_there = left.is_empty();
    if nothing_there || keep {
        let status = if nothing_there { MemberStatus::DeleteComplete } else { MemberStatus::DeleteSkipped };
        set_member(tx, cx, stack, member, status, None);
        return true;
    }
    if member.status != MemberStatus::DeleteInProgress {
        member = set_member(tx, cx, stack, member, MemberStatus::DeleteInProgress, None);
    }
    for physical in left {
        match remove(tx, cx, &member, &physical, wake_at) {
            Outcome::Gone => {}
            Outcome::Waits => return false,
            Outcome::Refused(_) if is_early(cx, member.changed) => return false,
            Outcome::Refused(reason) => {
                set_member(tx, cx, stack, member, MemberStatus::DeleteFailed, Some(reason));
                return true;
            }
        }
    }
    member.replaced = None;
    member.abandoned.clear();
    set_member(tx, cx, stack, member, MemberStatus::DeleteComplete, None);
    true
}

/// Something may still be letting go of what could not be deleted, as with a network interface of a load balancer.
fn is_early(cx: &Cx, since: Time) -> bool {
    cx.now.ms_since(since) < REFUSED_MAX_MS
}

enum Outcome {
    Gone,
    Waits,
    /// Not now, for this reason. It is tried again for a while.
    Refused(String),
}

/// Asks a resource's type to delete one physical thing.
fn remove(tx: &mut Tx, cx: &Cx, member: &Member, physical: &Physical, wake_at: &mut Option<Time>) -> Outcome {
    let Some(resource) = tx.registry().stack_resource(&member.type_name) else {
        return Outcome::Refused(format!("Unrecognized resource type {}", member.type_name));
    };
    let outcome = match tx.attempt(|tx| resource.delete(tx, cx, &physical.id)) {
        Ok(Progress::Ready) => return Outcome::Gone,
        Ok(Progress::Pending) => Outcome::Waits,
        Ok(Progress::Failed(reason)) => Outcome::Refused(reason),
        Err(fault) => Outcome::Refused(fault_text(&fault)),
    };
    let at = cx.now + RETRY;
    *wake_at = Some(wake_at.map_or(at, |t| t.min(at)));
    outcome
}

/// After an update or its way back: deletes what was replaced and what is no longer declared, then ends. What cannot be
/// deleted is left behind and no longer belongs to the stack, as at AWS.
pub(super) fn clean_up(tx: &mut Tx, cx: &Cx, mut stack: Stack) -> Option<Time> {
    let forward = stack.status == StackStatus::UpdateCompleteCleanupInProgress;
    let declared: BTreeSet<String> = match Program::of(tx, cx, &stack) {
        Ok(program) => program.declarations().map(|d| d.logical_id.clone()).collect(),
        Err(_) => return None,
    };
    let mut cleanup = Cleanup { stack: &stack, forward, wake_at: None, waits: false, moved: true };
    while cleanup.moved {
        (cleanup.moved, cleanup.waits) = (false, false);
        let (kept, stale): (Vec<Member>, Vec<Member>) =
            members(tx, &stack.id).into_iter().partition(|m| declared.contains(&m.logical_id));
        cleanup.stale(tx, cx, &stale);
        let superseded = kept.into_iter().filter(|m| m.replaced.is_some() || !m.abandoned.is_empty());
        cleanup.superseded(tx, cx, superseded.collect());
    }
    if cleanup.waits {
        return cleanup.wake_at;
    }
    turn::forget_touches(tx, &stack);
    stack.previous = None;
    let status = if forward { StackStatus::UpdateComplete } else { StackStatus::UpdateRollbackComplete };
    set_stack(tx, cx, &mut stack, status, None);
    None
}

struct Cleanup<'a> {
    stack: &'a Stack,
    /// After an update that succeeded, not on the way back of one.
    forward: bool,
    wake_at: Option<Time>,
    /// Something is being deleted, and what it holds on to cannot go before.
    waits: bool,
    moved: bool,
}

impl Cleanup<'_> {
    /// Resources that are no longer declared.
    fn stale(&mut self, tx: &mut Tx, cx: &Cx, stale: &[Member]) {
        let needed: BTreeSet<&String> = stale.iter().flat_map(|m| &m.needs).collect();
        for member in stale {
            if needed.contains(&member.logical_id) {
                self.waits = true;
                continue;
            }
            let keep = if self.forward { member.retain_on_delete } else { member.retain_on_rollback };
            if remove_member(tx, cx, self.stack, member.clone(), keep, &mut self.wake_at) {
                tx.remove::<Member>(&member.key());
                self.moved = true;
            } else {
                self.waits = true;
            }
        }
    }

    /// The physical resources that others have replaced, and what failed attempts have left.
    fn superseded(&mut self, tx: &mut Tx, cx: &Cx, members: Vec<Member>) {
        let mut tried = Vec::new();
        for mut member in members {
            let mut left = std::mem::take(&mut member.abandoned);
            match member.replaced.take() {
                Some(old) if self.forward && member.retain_on_replace => {
                    self.tell(tx, cx, &member, old, MemberStatus::DeleteSkipped, None)
                }
                old => left.extend(old),
            }
            let mut outcomes = Vec::new();
            for old in left {
                let outcome = remove(tx, cx, &member, &old, &mut self.wake_at);
                outcomes.push((old, outcome));
            }
            self.waits |= outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Waits));
            tried.push((member, outcomes));
        }
        // As long as anything is on its way out, it may be what holds the others back.
        let patient = self.waits;
        for (mut member, outcomes) in tried {
            for (old, outcome) in outcomes {
                let (status, reason) = match outcome {
                    Outcome::Gone => (MemberStatus::DeleteComplete, None),
                    Outcome::Refused(reason) if !patient && !is_early(cx, self.stack.turned.unwrap_or(member.changed)) => {
                        (MemberStatus::DeleteFailed, Some(reason))
                    }
                    Outcome::Waits | Outcome::Refused(_) => {
                        member.abandoned.push(old);
                        self.waits = true;
                        continue;
                    }
                };
                self.tell(tx, cx, &member, old, status, reason);
                self.moved = true;
            }
            tx.put(member);
        }
    }

    /// Notes what became of a physical resource that is the member's no more.
    fn tell(&self, tx: &mut Tx, cx: &Cx, member: &Member, old: Physical, status: MemberStatus, reason: Option<String>) {
        event::of_member(tx, cx, self.stack, &Member { physical: Some(old), status, reason, ..member.clone() });
    }
}

fn names_of(members: &[Member], status: MemberStatus) -> String {
    let names: Vec<&str> = members.iter().filter(|m| m.status == status).map(|m| m.logical_id.as_str()).collect();
    names.join(", ")
}
