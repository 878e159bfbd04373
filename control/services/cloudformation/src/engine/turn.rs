//! The turns of a stack's life: what follows when its resources are settled, or when one of them failed.

use kernel::{Cx, Tx};

use super::{members, set_stack};
use crate::program::Program;
use crate::state::{Member, OnFailure, Stack, StackStatus};
use crate::{event, export};

/// Every resource is as the wish wants it: outputs, exports, then the cleanup or the end.
pub(super) fn settled(tx: &mut Tx, cx: &Cx, mut stack: Stack, program: &Program) {
    let outputs = match program.outputs(tx, cx, &stack) {
        Ok(outputs) => outputs,
        Err(reason) => return failed(tx, cx, stack, reason),
    };
    stack.outputs = outputs;
    if let Err(e) = tx.attempt(|tx| export::replace(tx, &stack)) {
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

/// The stack has ended; its resources' rows go with it, its events stay.
pub(super) fn ended(tx: &mut Tx, cx: &Cx, mut stack: Stack) {
    export::forget(tx, &stack.id);
    stack.outputs.clear();
    stack.deleted = Some(cx.now);
    stack.status = StackStatus::DeleteComplete;
    stack.reason = None;
    stack.deadline = None;
    tx.put(stack.clone());
    event::of_stack(tx, cx, &stack);
}

/// `The following resource(s) failed to create: [A, B]. `
pub(super) fn failure_text(verb: &str, failed: &[&Member]) -> String {
    let names: Vec<&str> = failed.iter().map(|m| m.logical_id.as_str()).collect();
    format!("The following resource(s) failed to {verb}: [{}]", names.join(", "))
}
