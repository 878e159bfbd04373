//! The turns of a stack's life: what follows when its resources are settled, or when one of them failed.

use base::StackId;
use kernel::{Cx, Row, Tx};

use super::{members, set_stack};
use crate::program::Program;
use crate::state::{Member, MemberStatus, OnFailure, Stack, StackStatus};
use crate::{change_set, event, export};

/// Most stacks that have ended and can still be looked at by their ids. AWS shows them for 90 days.
const DELETED_MAX: usize = 200;

/// Every resource is as the wish wants it: outputs, exports, then the cleanup or the end.
pub(super) fn settled(tx: &mut Tx, cx: &Cx, mut stack: Stack, program: &Program) {
    let outputs = match program.outputs(tx, cx, &stack) {
        Ok(outputs) => outputs,
        Err(reason) => return failed(tx, cx, stack, reason),
    };
    let before = std::mem::replace(&mut stack.outputs, outputs);
    if let Err(e) = tx.attempt(|tx| export::replace(tx, &stack)) {
        stack.outputs = before;
        return failed(tx, cx, stack, e.to_string());
    }
    export::set_imports(tx, &stack.id, &program.imports(tx, cx, &stack));
    stack.description = program.description();
    match stack.status {
        StackStatus::CreateInProgress => {
            forget_touches(tx, &stack);
            set_stack(tx, cx, &mut stack, StackStatus::CreateComplete, None);
        }
        StackStatus::UpdateInProgress => set_stack(tx, cx, &mut stack, StackStatus::UpdateCompleteCleanupInProgress, None),
        _ => set_stack(tx, cx, &mut stack, StackStatus::UpdateRollbackCompleteCleanupInProgress, None),
    }
}

/// A resource failed and nothing is under way any more: the stack turns back, or stays as it is.
pub(super) fn failed(tx: &mut Tx, cx: &Cx, mut stack: Stack, reason: String) {
    match (stack.status, stack.on_failure) {
        (StackStatus::CreateInProgress, OnFailure::DoNothing) => {
            set_stack(tx, cx, &mut stack, StackStatus::CreateFailed, Some(reason));
        }
        (StackStatus::CreateInProgress, OnFailure::Rollback) => {
            let reason = format!("{reason}. Rollback requested by user.");
            stack.failed = false;
            set_stack(tx, cx, &mut stack, StackStatus::RollbackInProgress, Some(reason));
        }
        (StackStatus::CreateInProgress, OnFailure::Delete) => {
            let reason = format!("{reason}. Delete requested by user.");
            stack.failed = false;
            for member in members(tx, &stack.id) {
                // The deletion is the way back of the creation.
                tx.put(Member { retain_on_delete: stack.keeps_on_rollback(&member), ..member });
            }
            set_stack(tx, cx, &mut stack, StackStatus::DeleteInProgress, Some(reason));
        }
        (StackStatus::UpdateInProgress, OnFailure::DoNothing) => {
            set_stack(tx, cx, &mut stack, StackStatus::UpdateFailed, Some(reason));
        }
        (StackStatus::UpdateInProgress, _) => {
            turn_back(tx, &mut stack);
            set_stack(tx, cx, &mut stack, StackStatus::UpdateRollbackInProgress, Some(reason));
        }
        _ => set_stack(tx, cx, &mut stack, StackStatus::UpdateRollbackFailed, Some(reason)),
    }
}

/// Wants again what the stack was before its update. A resource that was replaced becomes its old self again, and the
/// new one is what goes away in the cleanup.
pub(crate) fn turn_back(tx: &mut Tx, stack: &mut Stack) {
    if let Some(previous) = stack.previous.take() {
        stack.wish = previous;
    }
    stack.failed = false;
    for mut member in members(tx, &stack.id) {
        if let Some(old) = member.replaced.take() {
            member.replaced = member.physical.replace(old);
            member.retain_on_replace = false;
        }
        member.settled = !member.touched;
        tx.put(member);
    }
}

/// The operation is over: nothing is touched or replaced any more.
pub(super) fn forget_touches(tx: &mut Tx, stack: &Stack) {
    for mut member in members(tx, &stack.id) {
        member.touched = false;
        member.settled = true;
        tx.put(member);
    }
}

/// The stack has ended; it can still be looked at by its id.
pub(super) fn ended(tx: &mut Tx, cx: &Cx, mut stack: Stack) {
    export::forget(tx, &stack.id);
    change_set::forget(tx, &stack.id);
    stack.outputs.clear();
    stack.deleted = Some(cx.now);
    stack.status = StackStatus::DeleteComplete;
    stack.reason = None;
    stack.deadline = None;
    tx.put(stack.clone());
    event::of_stack(tx, cx, &stack);
    forget_oldest(tx);
}

/// Forgets the stacks that ended first when there are too many, with all that is known of them.
fn forget_oldest(tx: &mut Tx) {
    let mut ended: Vec<&Stack> = tx.rows::<Stack>().filter(|s| !s.is_alive()).collect();
    let Some(surplus) = ended.len().checked_sub(DELETED_MAX) else { return };
    ended.sort_by_key(|s| s.deleted);
    let ids: Vec<StackId> = ended.into_iter().take(surplus).map(|s| s.id.clone()).collect();
    for id in ids {
        for member in members(tx, &id) {
            tx.remove::<Member>(&member.key());
        }
        event::forget(tx, &id);
        tx.remove::<Stack>(&id);
    }
}

/// `The following resource(s) failed to create: [A, B]. The following resource(s) failed to update: [C]`
pub(super) fn failure_text(members: &[Member]) -> String {
    let kinds = [("create", MemberStatus::CreateFailed), ("update", MemberStatus::UpdateFailed)];
    let told = kinds.into_iter().filter_map(|(verb, status)| {
        let names: Vec<&str> = members.iter().filter(|m| m.status == status).map(|m| m.logical_id.as_str()).collect();
        (!names.is_empty()).then(|| format!("The following resource(s) failed to {verb}: [{}]", names.join(", ")))
    });
    told.collect::<Vec<_>>().join(". ")
}
