//! What an update would do to a stack, without doing it.

use kernel::{Cx, Tx};
use serde::{Deserialize, Serialize};

use super::surroundings::Surroundings;
use super::{Change, Declaration, Program};
use crate::engine::members;
use crate::error::Error;
use crate::state::{Member, Stack, StackStatus, Wish};

/// What would happen to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Planned {
    /// `Add`, `Modify` or `Remove`.
    pub(crate) action: String,
    pub(crate) logical_id: String,
    pub(crate) physical_id: Option<String>,
    pub(crate) type_name: String,
    /// For `Modify`: whether a new resource takes the old one's place.
    pub(crate) replacement: Option<bool>,
}

/// The changes from what the stack has to what the wish wants, each after those that it needs.
pub(crate) fn planned(tx: &Tx, cx: &Cx, stack: &Stack, wish: &Wish) -> Result<Vec<Planned>, Error> {
    let program = Program::of_wish(tx, cx, stack, wish).map_err(Error::Invalid)?;
    let known = members(tx, &stack.id);
    let mut surroundings = Surroundings::new(tx, cx, stack, wish, &program.template).planning();
    let mut all = Vec::new();
    for declaration in in_order(&program) {
        let member = known.iter().find(|m| m.logical_id == declaration.logical_id && m.physical.is_some());
        let change = change(tx, &program, &surroundings, declaration, member)?;
        if change != Some(Change::None) && change != Some(Change::InPlace) {
            surroundings.forget(&declaration.logical_id);
        }
        let (action, replacement) = match change {
            Some(Change::None) => continue,
            None => ("Add", None),
            Some(change) => ("Modify", Some(change == Change::Replace)),
        };
        all.push(Planned {
            action: action.into(),
            logical_id: declaration.logical_id.clone(),
            physical_id: member.and_then(|m| m.physical.as_ref()).map(|p| p.id.clone()),
            type_name: declaration.type_name.clone(),
            replacement,
        });
    }
    let gone = known.iter().filter(|m| m.physical.is_some() && program.declaration(&m.logical_id).is_none());
    all.extend(gone.map(|m| Planned {
        action: "Remove".into(),
        logical_id: m.logical_id.clone(),
        physical_id: m.physical.as_ref().map(|p| p.id.clone()),
        type_name: m.type_name.clone(),
        replacement: None,
    }));
    Ok(all)
}

/// None when the resource is new.
fn change(
    tx: &Tx,
    program: &Program,
    surroundings: &Surroundings,
    declaration: &Declaration,
    member: Option<&Member>,
) -> Result<Option<Change>, Error> {
    let Some(old) = member.and_then(|m| m.physical.as_ref().filter(|_| m.type_name == declaration.type_name)) else {
        return Ok(member.map(|_| Change::Replace));
    };
    // A value that nobody knows yet may not fit its type: then something changes for sure.
    match program.properties_in(tx, surroundings, &declaration.logical_id) {
        Ok(new) => Ok(Some(program.change(tx, &declaration.type_name, &old.properties, &new))),
        Err(_) => Ok(Some(Change::InPlace)),
    }
}

/// Declarations, each after those that it needs. A checked template has no cycles.
fn in_order(program: &Program) -> Vec<&Declaration> {
    let mut done: Vec<&Declaration> = Vec::new();
    let mut rest: Vec<&Declaration> = program.declarations().collect();
    while !rest.is_empty() {
        let is_ready = |d: &&Declaration| d.needs.iter().all(|n| done.iter().any(|o| o.logical_id == *n));
        let (ready, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_ready);
        if ready.is_empty() {
            done.extend(later);
            break;
        }
        done.extend(ready);
        rest = later;
    }
    done
}

/// Whether an update to the wish would change anything.
pub(crate) fn differs(tx: &Tx, cx: &Cx, stack: &Stack, wish: &Wish) -> Result<bool, Error> {
    if stack.status == StackStatus::UpdateFailed || wish.tags != stack.wish.tags {
        return Ok(true);
    }
    if !planned(tx, cx, stack, wish)?.is_empty() {
        return Ok(true);
    }
    if wish.template == stack.wish.template && wish.parameters == stack.wish.parameters {
        return Ok(false);
    }
    let program = Program::of_wish(tx, cx, stack, wish).map_err(Error::Invalid)?;
    let outputs = program.outputs_in(&Surroundings::new(tx, cx, stack, wish, &program.template));
    Ok(outputs.map_err(Error::Invalid)? != stack.outputs)
}
