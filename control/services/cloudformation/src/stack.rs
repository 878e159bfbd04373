//! What a user does to a stack: create, update, delete, turn back. Validation is done before; each of these changes
//! rows and leaves the work to the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{StackId, Tags};
use kernel::{Cx, State, Tx};
use shapes::cloudformation::{Parameter, Tag};

use crate::engine::{cancel_all, members, set_member, set_stack, turn_back};
use crate::error::Error;
use crate::export;
use crate::program::{self, Program};
use crate::state::{Member, MemberStatus, OnFailure, ParameterValue, Stack, StackStatus, Wish};

/// Longest template in a request, in bytes. AWS: 51,200; ours leaves room for one inside the API's body limit, since
/// there is no bucket here to load a longer one from.
const TEMPLATE_BYTES_MAX: usize = 512 * 1024;
/// "AWS CloudFormation quotas": stacks an account, resources a stack, tags a stack.
pub const STACKS_MAX: usize = 2_000;
const TAGS_MAX: usize = 50;

/// What is asked of a new or changed stack, beside its name.
pub struct Request<'a> {
    pub template: &'a str,
    pub parameters: &'a [Parameter],
    pub tags: &'a [Tag],
    pub capabilities: &'a [String],
}

/// A stack by name or id; names of deleted stacks find nothing, ids do.
pub fn find<'a>(state: &'a State, name: &str) -> Result<&'a Stack, Error> {
    let by_name = || state.rows_where::<Stack>("name", name).next();
    let found = state.get::<Stack>(&StackId::from(name)).or_else(by_name);
    found.ok_or_else(|| Error::NoStack(name.into()))
}

/// A stack that is not deleted.
pub fn find_alive<'a>(state: &'a State, name: &str) -> Result<&'a Stack, Error> {
    find(state, name).ok().filter(|s| s.is_alive()).ok_or_else(|| Error::NoStack(name.into()))
}

/// Checks template, parameters, tags and capabilities, and gives what the stack is to be.
pub fn wish(tx: &Tx, cx: &Cx, request: &Request, previous: Option<&Wish>) -> Result<Wish, Error> {
    if request.template.len() > TEMPLATE_BYTES_MAX {
        let text = format!("Template format error: the template is over the limit of {TEMPLATE_BYTES_MAX} bytes");
        return Err(Error::Invalid(text));
    }
    let parameters = given(request.parameters, previous)?;
    let checked = program::check(tx, cx, request.template, &parameters)?;
    let missing: Vec<&'static str> = checked.capabilities.iter().copied().filter(|c| !covers(request.capabilities, c)).collect();
    if !missing.is_empty() {
        return Err(Error::MissingCapabilities(missing));
    }
    Ok(Wish { template: request.template.into(), parameters: checked.parameters, tags: tags(request.tags)? })
}

/// `CAPABILITY_NAMED_IAM` includes `CAPABILITY_IAM`.
fn covers(given: &[String], needed: &str) -> bool {
    given.iter().any(|c| c == needed || (needed == "CAPABILITY_IAM" && c == "CAPABILITY_NAMED_IAM"))
}

fn given(parameters: &[Parameter], previous: Option<&Wish>) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for parameter in parameters {
        let key = parameter.parameter_key.clone().unwrap_or_default();
        let value = match (&parameter.parameter_value, parameter.use_previous_value) {
            (Some(_), Some(true)) => {
                return Err(Error::Invalid(format!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter"
                )));
            }
            (Some(value), _) => value.clone(),
            (None, Some(true)) => {
                let old: Option<&ParameterValue> = previous.and_then(|p| p.parameters.get(&key));
                let none = || {
                    Error::Invalid(format!(
                        "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                    ))
                };
                old.ok_or_else(none)?.given.clone()
            }
            (None, _) => {
                return Err(Error::Invalid(format!(
                    "Invalid input for parameter key {key}. Need to specify either usePreviousValue as true or value for a parameter key"
                )));
            }
        };
        if all.insert(key.clone(), value).is_some() {
            return Err(Error::Invalid(format!("Duplicate input parameter key {key}")));
        }
    }
    Ok(all)
}

fn tags(tags: &[Tag]) -> Result<Tags, Error> {
    let mut all = Tags::new();
    for tag in tags {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Error::Invalid("aws: prefixed tag key names are not allowed for external use.".into()));
        }
        if all.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(Error::Invalid(format!("Duplicate tag key {}", tag.key)));
        }
    }
    if all.len() > TAGS_MAX {
        return Err(Error::Invalid(format!("A stack has at most {TAGS_MAX} tags")));
    }
    Ok(all)
}

/// A new stack's row, not yet begun.
pub fn new(tx: &Tx, cx: &Cx, name: &str, wish: Wish) -> Result<Stack, Error> {
    let well_formed =
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !well_formed || name.len() > 128 {
        let text = format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        );
        return Err(Error::Invalid(text));
    }
    if tx.rows_where::<Stack>("name", name).next().is_some() {
        return Err(Error::AlreadyExists(name.into()));
    }
    if tx.rows::<Stack>().filter(|s| s.is_alive()).count() >= STACKS_MAX {
        return Err(Error::LimitExceeded(format!("Limit for stack has been exceeded: {STACKS_MAX}")));
    }
    let id = cx.scope.arn("cloudformation", format!("stack/{name}/{}", cx.rng().uuid()));
    Ok(Stack {
        id: id.into(),
        name: name.into(),
        status: StackStatus::ReviewInProgress,
        reason: None,
        description: Program::description_of(&wish.template),
        wish,
        previous: None,
        outputs: Vec::new(),
        capabilities: Vec::new(),
        on_failure: OnFailure::Rollback,
        created: cx.now,
        updated: None,
        deleted: None,
        deadline: None,
        timeout_minutes: None,
        termination_protection: false,
        client_token: None,
        retained: BTreeSet::new(),
        retain_except_on_create: false,
        failed: false,
        turned: None,
    })
}

/// Begins to create a stack.
pub fn begin_create(tx: &mut Tx, cx: &Cx, mut stack: Stack) {
    let minutes = stack.timeout_minutes.and_then(|m| u64::try_from(m).ok());
    stack.deadline = minutes.map(|m| cx.now + Duration::from_secs(m.saturating_mul(60)));
    set_stack(tx, cx, &mut stack, StackStatus::CreateInProgress, Some("User Initiated".into()));
}

/// Begins to update a stack; refuses when nothing would change.
pub fn begin_update(tx: &mut Tx, cx: &Cx, mut stack: Stack, wish: Wish) -> Result<(), Error> {
    if !stack.status.can_update() {
        return Err(Error::WrongStatus { stack: stack.id.to_string(), status: stack.status.name(), verb: "updated" });
    }
    if !program::differs(tx, cx, &stack, &wish)? {
        return Err(Error::NoUpdates);
    }
    let before = std::mem::replace(&mut stack.wish, wish);
    // After an update that failed and was left as it is, the way back still leads to what worked.
    let continues = stack.status == StackStatus::UpdateFailed && stack.previous.is_some();
    if !continues {
        stack.previous = Some(before);
    }
    stack.updated = Some(cx.now);
    for mut member in members(tx, &stack.id) {
        member.settled = false;
        member.touched &= continues;
        tx.put(member);
    }
    set_stack(tx, cx, &mut stack, StackStatus::UpdateInProgress, Some("User Initiated".into()));
    Ok(())
}

/// Begins to delete a stack; one that is being deleted already goes on.
pub fn begin_delete(tx: &mut Tx, cx: &Cx, mut stack: Stack, retain: &[String]) -> Result<(), Error> {
    if matches!(stack.status, StackStatus::DeleteInProgress | StackStatus::DeleteComplete) {
        return Ok(());
    }
    if stack.termination_protection {
        return Err(Error::TerminationProtected(stack.name.clone()));
    }
    if !retain.is_empty() && stack.status != StackStatus::DeleteFailed {
        let text = "Invalid operation on stack. RetainResources can only be given for a stack in the DELETE_FAILED state";
        return Err(Error::Invalid(text.into()));
    }
    export::check_unused(tx, &stack.id)?;
    stack.retained = retain.iter().cloned().collect();
    for member in members(tx, &stack.id).into_iter().filter(|m| m.status == MemberStatus::DeleteFailed) {
        set_member(tx, cx, &stack, member, MemberStatus::DeleteInProgress, None);
    }
    set_stack(tx, cx, &mut stack, StackStatus::DeleteInProgress, Some("User Initiated".into()));
    Ok(())
}

/// Takes resources that could not be turned back as they are, by the user's wish.
pub fn skip(tx: &mut Tx, cx: &Cx, stack: &Stack, logical_ids: &[String]) -> Result<(), Error> {
    for name in logical_ids {
        let found = tx.get::<Member>(&Member::key_of(&stack.id, name)).cloned();
        let Some(member) = found.filter(|m| m.status == MemberStatus::UpdateFailed) else {
            let text = format!("Resources to skip must be in the UPDATE_FAILED state: [{name}] is not");
            return Err(Error::Invalid(text));
        };
        let member = Member { settled: true, ..member };
        set_member(tx, cx, stack, member, MemberStatus::UpdateComplete, Some("Resource skipped".into()));
    }
    Ok(())
}

/// Turns an update back that is under way, or has failed.
pub fn begin_rollback(tx: &mut Tx, cx: &Cx, mut stack: Stack, reason: &str) -> Result<(), Error> {
    let allowed = [StackStatus::UpdateInProgress, StackStatus::UpdateFailed, StackStatus::UpdateRollbackFailed];
    if stack.status == StackStatus::CreateFailed {
        set_stack(tx, cx, &mut stack, StackStatus::RollbackInProgress, Some(reason.into()));
        return Ok(());
    }
    if !allowed.contains(&stack.status) {
        return Err(Error::WrongStatus { stack: stack.id.to_string(), status: stack.status.name(), verb: "rolled back" });
    }
    cancel_all(tx, cx, &mut stack, "Resource update cancelled");
    if stack.status == StackStatus::UpdateRollbackFailed {
        // It is on its way back already: what failed is tried again.
        stack.failed = false;
    } else {
        turn_back(tx, &mut stack);
    }
    set_stack(tx, cx, &mut stack, StackStatus::UpdateRollbackInProgress, Some(reason.into()));
    Ok(())
}
