//! Creating and updating, also on the way back of a failed update: every resource whose needs are settled is begun, as
//! many at once as the dependencies allow.

use std::collections::{BTreeMap, BTreeSet};

use base::Time;
use kernel::{Cx, Progress, ResourceRequest, Row, StackResource, Tx};
use serde_json::Value as Json;

use super::{STABILISE_MAX, members, set_member, tags_of, turn};
use crate::program::{Change, Declaration, Program};
use crate::state::{Member, MemberStatus, Physical, Stack, StackStatus};
use crate::{event, export, signal, wait_condition};

pub(super) fn step(tx: &mut Tx, cx: &Cx, mut stack: Stack) -> Option<Time> {
    let program = match Program::of(tx, cx, &stack) {
        Ok(program) => program,
        Err(reason) => {
            turn::failed(tx, cx, stack, reason);
            return None;
        }
    };
    if stack.deadline.is_some_and(|deadline| deadline <= cx.now) && !stack.failed {
        cancel_all(tx, cx, &mut stack, "Resource creation cancelled");
    }
    let mut forward = Forward { program: &program, wake_at: stack.deadline };
    loop {
        let known: BTreeMap<String, Member> = members(tx, &stack.id).into_iter().map(|m| (m.logical_id.clone(), m)).collect();
        let mut moved = false;
        for declaration in program.declarations() {
            moved |= forward.look(tx, cx, &mut stack, &known, declaration);
        }
        if !moved {
            break;
        }
    }
    finish(tx, cx, stack, &program, &forward)
}

/// Whether all is settled, or what failed has brought everything to a halt.
fn finish(tx: &mut Tx, cx: &Cx, stack: Stack, program: &Program, forward: &Forward) -> Option<Time> {
    let all = members(tx, &stack.id);
    let wanted = |m: &&Member| program.declaration(&m.logical_id).is_some();
    let busy = all
        .iter()
        .filter(wanted)
        .any(|m| !m.settled && matches!(m.status, MemberStatus::CreateInProgress | MemberStatus::UpdateInProgress) && m.touched);
    if stack.failed {
        if busy {
            return forward.wake_at;
        }
        let reason = turn::failure_text(&all);
        turn::failed(tx, cx, stack, reason);
        return None;
    }
    let settled = program.declarations().all(|d| all.iter().any(|m| m.logical_id == d.logical_id && m.settled));
    if settled {
        turn::settled(tx, cx, stack, program);
        return None;
    }
    forward.wake_at
}

/// Stops everything that is under way in a stack that has failed or run out of time.
pub(crate) fn cancel_all(tx: &mut Tx, cx: &Cx, stack: &mut Stack, reason: &str) {
    stack.failed = true;
    tx.put(stack.clone());
    for member in members(tx, &stack.id).into_iter().filter(|m| m.touched && !m.settled) {
        let status = match member.status {
            MemberStatus::CreateInProgress => MemberStatus::CreateFailed,
            MemberStatus::UpdateInProgress => MemberStatus::UpdateFailed,
            _ => continue,
        };
        set_member(tx, cx, stack, member, status, Some(reason.into()));
    }
}

struct Forward<'a> {
    program: &'a Program,
    wake_at: Option<Time>,
}

/// A resource as it is to be.
struct Asked<'a> {
    wanted: &'a Declaration,
    resource: &'a dyn StackResource,
    properties: Json,
}

impl Forward<'_> {
    /// Looks at one resource; true when something changed.
    fn look(&mut self, tx: &mut Tx, cx: &Cx, stack: &mut Stack, known: &BTreeMap<String, Member>, wanted: &Declaration) -> bool {
        let member = known.get(&wanted.logical_id);
        if member.is_some_and(|m| m.settled) {
            return false;
        }
        if let Some(member) = member.filter(|m| m.touched && in_progress(m)) {
            return self.wait(tx, cx, stack, member.clone(), wanted);
        }
        let ready = wanted.needs.iter().all(|need| known.get(need).is_some_and(|m| m.settled));
        if stack.failed || !ready {
            return false;
        }
        let Some(resource) = tx.registry().stack_resource(&wanted.type_name) else {
            self.fail(
                tx,
                cx,
                stack,
                self.member_for(stack, member, wanted, cx),
                format!("Unrecognized resource type {}", wanted.type_name),
            );
            return true;
        };
        match self.program.properties(tx, cx, stack, &wanted.logical_id) {
            Ok((properties, imports)) => {
                // From now on nobody may take away what it uses.
                export::add_imports(tx, &stack.id, &imports);
                self.begin(tx, cx, stack, member, Asked { wanted, resource, properties });
            }
            Err(reason) => self.fail(tx, cx, stack, self.member_for(stack, member, wanted, cx), reason),
        }
        true
    }

    fn member_for(&self, stack: &Stack, member: Option<&Member>, wanted: &Declaration, cx: &Cx) -> Member {
        let base = member.cloned().unwrap_or_else(|| Member {
            stack: stack.id.clone(),
            logical_id: wanted.logical_id.clone(),
            type_name: wanted.type_name.clone(),
            status: MemberStatus::CreateInProgress,
            reason: None,
            changed: cx.now,
            physical: None,
            replaced: None,
            abandoned: Vec::new(),
            settled: false,
            touched: false,
            in_place: false,
            needs: wanted.needs.clone(),
            retain_on_delete: false,
            retain_on_rollback: false,
            retain_on_replace: false,
        });
        Member {
            // One of which nothing was ever made may have been of another.
            type_name: wanted.type_name.clone(),
            needs: wanted.needs.clone(),
            retain_on_delete: wanted.retain_on_delete,
            retain_on_rollback: wanted.retain_on_rollback,
            retain_on_replace: wanted.retain_on_replace,
            touched: true,
            ..base
        }
    }

    /// Creates, changes or replaces a resource, or sees that nothing is to do.
    fn begin(&mut self, tx: &mut Tx, cx: &Cx, stack: &mut Stack, known: Option<&Member>, asked: Asked) {
        let mut member = self.member_for(stack, known, asked.wanted, cx);
        if member.status == MemberStatus::CreateFailed {
            forsake(tx, cx, &mut member, asked.resource);
        }
        let present = member.physical.clone();
        let change = |p| self.program.change(tx, &asked.wanted.type_name, p, &asked.properties, &stack.wish.tags);
        let mut change = present.as_ref().map(change);
        if let (Some(old), Some(Change::InPlace)) = (&present, change) {
            let tags = tags_of(stack, &asked.wanted.logical_id);
            let request = request(stack, asked.wanted, &asked.properties, &tags);
            if asked.resource.replaces(tx, &old.properties, &request) {
                change = Some(Change::Replace);
            }
        }
        match (present, change) {
            // It was asked for all this already, and did not become it.
            (Some(_), Some(Change::None)) if tries_again(stack, &member, asked.resource) => {
                member = set_member(tx, cx, stack, member, MemberStatus::UpdateInProgress, None);
                self.wait(tx, cx, stack, member, asked.wanted);
            }
            (Some(_), Some(Change::None)) => {
                member.settled = true;
                // The way back only looks at what was touched, and the old template may say otherwise how this one goes.
                member.touched = known.is_some_and(|m| m.touched || terms(m) != terms(&member));
                if is_failed(&member) {
                    set_member(tx, cx, stack, member, MemberStatus::UpdateComplete, None);
                } else {
                    tx.put(member);
                }
            }
            (Some(present), Some(Change::InPlace)) => self.update(tx, cx, stack, member, asked, present),
            (present, _) => {
                member.physical = None;
                match &member.replaced {
                    // The one before the whole operation is what a rollback goes back to.
                    Some(_) => member.abandoned.extend(present),
                    None => member.replaced = present,
                }
                self.create(tx, cx, stack, member, asked);
            }
        }
    }

    fn create(&mut self, tx: &mut Tx, cx: &Cx, stack: &mut Stack, mut member: Member, asked: Asked) {
        let Asked { wanted, resource, properties } = asked;
        let (status, reason) = if member.replaced.is_some() {
            let text = "Requested update requires the creation of a new physical resource; hence creating one.";
            (MemberStatus::UpdateInProgress, Some(text.to_string()))
        } else {
            (MemberStatus::CreateInProgress, None)
        };
        member.in_place = false;
        member = set_member(tx, cx, stack, member, status, reason);
        for ignored in self.program.ignored(tx, &wanted.type_name, &properties) {
            let note = Member { reason: Some(format!("Property {ignored} has no effect here and is ignored")), ..member.clone() };
            event::of_member(tx, cx, stack, &note);
        }
        let tags = tags_of(stack, &wanted.logical_id);
        signal::forget(tx, &member.key());
        let made = tx.attempt(|tx| {
            let made = resource.create(tx, cx, &request(stack, wanted, &properties, &tags));
            made.map_err(|fault| fault_text(&fault)).and_then(|id| unless_owned(tx, &member, id))
        });
        match made {
            Ok(id) => {
                member.physical = Some(Physical { id, properties, tags: stack.wish.tags.clone() });
                let status = member.status;
                member = set_member(tx, cx, stack, member, status, Some("Resource creation Initiated".into()));
                self.wait(tx, cx, stack, member, wanted);
            }
            Err(reason) => {
                let reason = custom_name(&member, &properties).unwrap_or(reason);
                self.fail(tx, cx, stack, member, reason);
            }
        }
    }

    fn update(&mut self, tx: &mut Tx, cx: &Cx, stack: &mut Stack, mut member: Member, asked: Asked, present: Physical) {
        let Asked { wanted, resource, properties } = asked;
        member.in_place = true;
        member = set_member(tx, cx, stack, member, MemberStatus::UpdateInProgress, None);
        let tags = tags_of(stack, &wanted.logical_id);
        let request = ResourceRequest { old_tags: Some(&present.tags), ..request(stack, wanted, &properties, &tags) };
        let outcome = tx.attempt(|tx| resource.update(tx, cx, &present.id, &present.properties, &request));
        match outcome {
            Ok(()) => {
                member.physical = Some(Physical { id: present.id, properties, tags: stack.wish.tags.clone() });
                tx.put(member.clone());
                self.wait(tx, cx, stack, member, wanted);
            }
            Err(fault) => self.fail(tx, cx, stack, member, fault_text(&fault)),
        }
    }

    /// Looks whether a resource has become what it was asked to be; true when it has, or never will.
    fn wait(&mut self, tx: &mut Tx, cx: &Cx, stack: &mut Stack, mut member: Member, wanted: &Declaration) -> bool {
        let Some(resource) = tx.registry().stack_resource(&member.type_name) else { return false };
        let Some(physical) = member.physical.clone() else { return false };
        let tags = tags_of(stack, &wanted.logical_id);
        for note in resource.take_notes(tx, cx, &physical.id) {
            let status = member.status;
            member = set_member(tx, cx, stack, member, status, Some(note));
        }
        let progress = match resource.progress(tx, cx, &physical.id, &request(stack, wanted, &physical.properties, &tags)) {
            Progress::Failed(_) if stack.status == StackStatus::UpdateRollbackInProgress && resource.shares_fate() => {
                Progress::Ready
            }
            progress => progress,
        };
        match self.signalled(tx, cx, &member, wanted, progress) {
            Progress::Ready => {
                member.settled = true;
                let created = member.status == MemberStatus::CreateInProgress;
                let status = if created { MemberStatus::CreateComplete } else { MemberStatus::UpdateComplete };
                set_member(tx, cx, stack, member, status, None);
            }
            Progress::Pending => {
                let own = signal::timeout(wanted.creation_policy.as_ref()).max(wait_condition::timeout(&member));
                let deadline = member.changed + STABILISE_MAX.max(own);
                if cx.now < deadline {
                    self.wake_at = Some(self.wake_at.map_or(deadline, |t| t.min(deadline)));
                    return false;
                }
                self.fail(tx, cx, stack, member, "Exceeded attempts to wait".into());
            }
            Progress::Failed(reason) => self.fail(tx, cx, stack, member, reason),
        }
        true
    }

    /// A creation is ready when its signals have come too.
    fn signalled(&mut self, tx: &Tx, cx: &Cx, member: &Member, wanted: &Declaration, progress: Progress) -> Progress {
        if matches!(progress, Progress::Failed(_)) || !signal::is_created(member) {
            return progress;
        }
        let (signals, deadline) = signal::progress(tx, cx, member, wanted.creation_policy.as_ref());
        if let Some(at) = deadline {
            self.wake_at = Some(self.wake_at.map_or(at, |t| t.min(at)));
        }
        match signals {
            Progress::Ready => progress,
            other => other,
        }
    }

    fn fail(&mut self, tx: &mut Tx, cx: &Cx, stack: &mut Stack, member: Member, reason: String) {
        let updates = member.replaced.is_some() || member.status == MemberStatus::UpdateInProgress;
        let (status, cancelled) = if updates {
            (MemberStatus::UpdateFailed, "Resource update cancelled")
        } else {
            (MemberStatus::CreateFailed, "Resource creation cancelled")
        };
        set_member(tx, cx, stack, member, status, Some(reason));
        if stack.status != StackStatus::UpdateRollbackInProgress {
            cancel_all(tx, cx, stack, cancelled);
        } else {
            stack.failed = true;
            tx.put(stack.clone());
        }
    }
}

fn request<'a>(stack: &'a Stack, wanted: &'a Declaration, properties: &'a Json, tags: &'a base::Tags) -> ResourceRequest<'a> {
    ResourceRequest {
        stack_id: &stack.id,
        stack_name: &stack.name,
        logical_id: &wanted.logical_id,
        properties,
        tags,
        old_tags: None,
        creation_policy: wanted.creation_policy.as_ref(),
        update_policy: wanted.update_policy.as_ref(),
    }
}

/// Gives up what a failed creation has left: deleted at once where that is possible, else in the cleanup.
fn forsake(tx: &mut Tx, cx: &Cx, member: &mut Member, resource: &dyn StackResource) {
    let Some(physical) = member.physical.take() else { return };
    if tx.attempt(|tx| resource.delete(tx, cx, &physical.id)) != Ok(Progress::Ready) {
        member.abandoned.push(physical);
    }
}

/// CloudFormation's words when a replacement fails because its template gives it the name that the old one still has.
fn custom_name(member: &Member, properties: &Json) -> Option<String> {
    let old = member.replaced.as_ref()?.properties.as_object()?;
    let (_, name) = old.iter().find(|(key, value)| key.ends_with("Name") && properties.get(*key) == Some(value))?;
    let name = name.as_str()?;
    Some(format!(
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and update the stack again."
    ))
}

fn in_progress(member: &Member) -> bool {
    matches!(member.status, MemberStatus::CreateInProgress | MemberStatus::UpdateInProgress) && member.physical.is_some()
}

/// Whether a resource that its last update left unready has to show that it is ready. One that the world takes together with
/// others cannot, before those are what they are to be.
fn tries_again(stack: &Stack, member: &Member, resource: &dyn StackResource) -> bool {
    stack.status == StackStatus::UpdateInProgress && member.status == MemberStatus::UpdateFailed && !resource.shares_fate()
}

/// What a template says of a resource beside its properties: what it needs, and when it is kept.
fn terms(member: &Member) -> (&BTreeSet<String>, [bool; 3]) {
    (&member.needs, [member.retain_on_delete, member.retain_on_rollback, member.retain_on_replace])
}

fn is_failed(member: &Member) -> bool {
    matches!(member.status, MemberStatus::CreateFailed | MemberStatus::UpdateFailed)
}

/// A refusal as CloudFormation words it in an event.
/// Refuses what another resource of a stack is already: some services give what is there, and it would go with either of them.
fn unless_owned(tx: &Tx, member: &Member, id: String) -> Result<String, String> {
    let is_other = |m: &&Member| m.type_name == member.type_name && m.key() != member.key();
    let is_there = |m: &Member| {
        !matches!(m.status, MemberStatus::DeleteComplete | MemberStatus::DeleteSkipped)
            && tx.get::<Stack>(&m.stack).is_some_and(Stack::is_alive)
    };
    let owner = tx.rows_where::<Member>("physical", &id).filter(is_other).find(|m| is_there(m)).map(|m| m.stack.clone());
    match owner {
        Some(stack) => Err(format!("{id} already exists in stack {stack}")),
        None => Ok(id),
    }
}

pub(super) fn fault_text(fault: &base::Fault) -> String {
    format!("{} (Status Code: {}; Error Code: {})", fault.message, fault.http, fault.code)
}
