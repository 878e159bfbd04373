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
    let mut pass = Pass::default();
    while pass.again() {
        let all: Vec<Member> = members(tx, &stack.id).into_iter().filter(|m| !is_done(m)).collect();
        let needed: BTreeSet<&String> = all.iter().flat_map(|m| &m.needs).collect();
        let mut refused = Vec::new();
        for member in all.iter().filter(|m| !needed.contains(&m.logical_id) && m.status != MemberStatus::DeleteFailed) {
            let keep = (if rollback { stack.keeps_on_rollback(member) } else { member.retain_on_delete })
                || stack.retained.contains(&member.logical_id);
            refused.extend(remove_member(tx, cx, &stack, member.clone(), keep, &mut pass));
        }
        if pass.is_stuck() {
            for (member, reason) in refused.into_iter().filter(|(m, _)| !is_early(cx, m.changed)) {
                set_member(tx, cx, &stack, member, MemberStatus::DeleteFailed, Some(reason));
            }
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
    pass.wake_at
}

/// What came of trying once to delete all that can go. A refusal only counts when a whole pass has moved nothing and
/// nothing is on its way out, for until then that may be what holds the others back.
struct Pass {
    /// Something went.
    moved: bool,
    /// Something is on its way out.
    pending: bool,
    wake_at: Option<Time>,
}

impl Default for Pass {
    fn default() -> Self {
        Self { moved: true, pending: false, wake_at: None }
    }
}

impl Pass {
    /// Whether another pass may do more; begins it.
    fn again(&mut self) -> bool {
        self.pending = false;
        std::mem::take(&mut self.moved)
    }

    fn is_stuck(&self) -> bool {
        !self.moved && !self.pending
    }
}

fn is_done(member: &Member) -> bool {
    matches!(member.status, MemberStatus::DeleteComplete | MemberStatus::DeleteSkipped)
}

/// One resource: gone, on its way out, or refused for a reason, which is given back with what is left of it.
fn remove_member(
    tx: &mut Tx,
    cx: &Cx,
    stack: &Stack,
    mut member: Member,
    keep: bool,
    pass: &mut Pass,
) -> Option<(Member, String)> {
    let left = member.abandoned.iter().chain(&member.replaced).chain(&member.physical);
    let left: Vec<Physical> = left.cloned().collect();
    if left.is_empty() || keep {
        let status = if left.is_empty() { MemberStatus::DeleteComplete } else { MemberStatus::DeleteSkipped };
        set_member(tx, cx, stack, member, status, None);
        pass.moved = true;
        return None;
    }
    if member.status != MemberStatus::DeleteInProgress {
        member = set_member(tx, cx, stack, member, MemberStatus::DeleteInProgress, None);
    }
    for physical in left {
        match remove(tx, cx, &member, &physical, pass) {
            Outcome::Gone => {}
            Outcome::Waits => return None,
            Outcome::Refused(reason) => return Some((member, reason)),
        }
    }
    member.replaced = None;
    member.abandoned.clear();
    set_member(tx, cx, stack, member, MemberStatus::DeleteComplete, None);
    pass.moved = true;
    None
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
fn remove(tx: &mut Tx, cx: &Cx, member: &Member, physical: &Physical, pass: &mut Pass) -> Outcome {
    let Some(resource) = tx.registry().stack_resource(&member.type_name) else {
        return Outcome::Refused(format!("Unrecognized resource type {}", member.type_name));
    };
    let outcome = match tx.attempt(|tx| resource.delete(tx, cx, &physical.id)) {
        Ok(Progress::Ready) => return Outcome::Gone,
        Ok(Progress::Pending) => Outcome::Waits,
        Ok(Progress::Failed(reason)) => Outcome::Refused(reason),
        Err(fault) => Outcome::Refused(fault_text(&fault)),
    };
    pass.pending |= matches!(outcome, Outcome::Waits);
    let at = cx.now + RETRY;
    pass.wake_at = Some(pass.wake_at.map_or(at, |t| t.min(at)));
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
    let mut cleanup = Cleanup { stack: &stack, forward, pass: Pass::default() };
    let mut waits = false;
    while cleanup.pass.again() {
        let (kept, stale): (Vec<Member>, Vec<Member>) =
            members(tx, &stack.id).into_iter().partition(|m| declared.contains(&m.logical_id));
        let superseded: Vec<Member> = kept.into_iter().filter(|m| m.replaced.is_some() || !m.abandoned.is_empty()).collect();
        waits = !superseded.is_empty() || !stale.is_empty();
        let mut refused = cleanup.stale(tx, cx, &stale);
        for member in superseded {
            refused.extend(cleanup.superseded(tx, cx, member));
        }
        if cleanup.pass.is_stuck() && !refused.is_empty() && !is_early(cx, stack.turned.unwrap_or(stack.created)) {
            refused.into_iter().for_each(|(member, old, reason)| cleanup.leave(tx, cx, member, old, reason));
        }
    }
    if waits {
        return cleanup.pass.wake_at;
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
    pass: Pass,
}

/// A member, the physical resource of it that is not the member's any more (none when all of it is to go), and why that
/// could not be deleted.
type Refused = (Member, Option<Physical>, String);

impl Cleanup<'_> {
    /// Resources that are no longer declared.
    fn stale(&mut self, tx: &mut Tx, cx: &Cx, stale: &[Member]) -> Vec<Refused> {
        let needed: BTreeSet<&String> = stale.iter().flat_map(|m| &m.needs).collect();
        let mut refused = Vec::new();
        for member in stale.iter().filter(|m| !needed.contains(&m.logical_id)) {
            let keep = if self.forward { member.retain_on_delete } else { self.stack.keeps_on_rollback(member) };
            let outcome = remove_member(tx, cx, self.stack, member.clone(), keep, &mut self.pass);
            if tx.get::<Member>(&member.key()).is_some_and(is_done) {
                tx.remove::<Member>(&member.key());
            }
            refused.extend(outcome.map(|(member, reason)| (member, None, reason)));
        }
        refused
    }

    /// The physical resource that another has replaced, and what failed attempts have left.
    fn superseded(&mut self, tx: &mut Tx, cx: &Cx, mut member: Member) -> Vec<Refused> {
        let mut left = std::mem::take(&mut member.abandoned);
        match member.replaced.take() {
            Some(old) if self.forward && member.retain_on_replace => {
                self.tell(tx, cx, &member, old, MemberStatus::DeleteSkipped, None);
                self.pass.moved = true;
            }
            old => left.extend(old),
        }
        let mut refused = Vec::new();
        for old in left {
            match remove(tx, cx, &member, &old, &mut self.pass) {
                Outcome::Gone => {
                    self.tell(tx, cx, &member, old, MemberStatus::DeleteComplete, None);
                    self.pass.moved = true;
                    continue;
                }
                Outcome::Waits => {}
                Outcome::Refused(reason) => refused.push((old.clone(), reason)),
            }
            member.abandoned.push(old);
        }
        tx.put(member.clone());
        refused.into_iter().map(|(old, reason)| (member.clone(), Some(old), reason)).collect()
    }

    /// Gives up what cannot be deleted.
    fn leave(&mut self, tx: &mut Tx, cx: &Cx, member: Member, old: Option<Physical>, reason: String) {
        self.pass.moved = true;
        match old {
            Some(old) => {
                tx.update::<Member>(&member.key(), |m| m.abandoned.retain(|left| *left != old));
                self.tell(tx, cx, &member, old, MemberStatus::DeleteFailed, Some(reason));
            }
            None => {
                let member = set_member(tx, cx, self.stack, member, MemberStatus::DeleteFailed, Some(reason));
                tx.remove::<Member>(&member.key());
            }
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
