//! The engine: brings each stack under way one step nearer to its wish. Every look plans from the rows alone, so a crash
//! at any point only means that the next look goes on from what was committed.

mod forward;
mod removal;
mod turn;

pub(crate) use forward::cancel_all;
pub(crate) use turn::turn_back;

use std::time::Duration;

use base::{Fault, StackId, Tags, Time};
use kernel::{Cx, Row, Tx};

use crate::state::{Member, MemberStatus, Stack, StackStatus};
use crate::{event, signal};

pub(crate) const NAME: &str = "cloudformation.stack";

/// How long a resource may take to become what it was asked to be.
const STABILISE_MAX: Duration = Duration::from_secs(3_600);
/// How often a refused deletion is tried again by itself; any change in the region tries it at once.
const RETRY: Duration = Duration::from_secs(1);

/// One look at a stack. It goes as far as it can without waiting for the world.
pub(crate) fn reconcile(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let id = StackId::from(key);
    let Some(stack) = tx.get::<Stack>(&id).cloned() else { return Ok(None) };
    use StackStatus as S;
    Ok(match stack.status {
        S::CreateInProgress | S::UpdateInProgress | S::UpdateRollbackInProgress => forward::step(tx, cx, stack),
        S::RollbackInProgress | S::DeleteInProgress => removal::remove_all(tx, cx, stack),
        S::UpdateCompleteCleanupInProgress | S::UpdateRollbackCompleteCleanupInProgress => removal::clean_up(tx, cx, stack),
        _ => None,
    })
}

/// The resources of a stack, in the order of their logical ids.
pub(crate) fn members(tx: &Tx, stack: &StackId) -> Vec<Member> {
    tx.rows_where::<Member>("stack", stack).cloned().collect()
}

/// Gives a resource a status and notes the event.
pub(crate) fn set_member(
    tx: &mut Tx,
    cx: &Cx,
    stack: &Stack,
    mut member: Member,
    status: MemberStatus,
    reason: Option<String>,
) -> Member {
    member.status = status;
    member.reason = reason;
    member.changed = cx.now;
    tx.put(member.clone());
    event::of_member(tx, cx, stack, &member);
    use MemberStatus as M;
    // One that failed may be waited for again; whatever else it becomes, its creation has ended.
    if !matches!(status, M::CreateInProgress | M::CreateFailed | M::UpdateInProgress | M::UpdateFailed) {
        signal::forget(tx, &member.key());
    }
    member
}

/// Gives a stack a status and notes the event.
pub(crate) fn set_stack(tx: &mut Tx, cx: &Cx, stack: &mut Stack, status: StackStatus, reason: Option<String>) {
    stack.status = status;
    stack.reason = reason;
    stack.turned = Some(cx.now);
    if !status.is_in_progress() {
        stack.failed = false;
        stack.deadline = None;
    }
    tx.put(stack.clone());
    event::of_stack(tx, cx, stack);
}

/// The stack's own tags and those that CloudFormation adds to every resource that can have tags.
pub(crate) fn tags_of(stack: &Stack, logical_id: &str) -> Tags {
    let mut tags = stack.wish.tags.clone();
    tags.insert("aws:cloudformation:stack-name".into(), stack.name.clone());
    tags.insert("aws:cloudformation:stack-id".into(), stack.id.to_string());
    tags.insert("aws:cloudformation:logical-id".into(), logical_id.into());
    tags
}
