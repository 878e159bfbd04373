//! What an update would do to a stack, without doing it.

use kernel::{Cx, ResourceRequest, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::causes::{self, Cause, Source};
use super::surroundings::{KNOWN_AFTER_APPLY, Surroundings};
use super::{Change, Declaration, Program, schema_of};
use crate::engine::{members, tags_of};
use crate::error::Error;
use crate::state::{Member, Physical, Stack, StackStatus, Wish};

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
    /// For `Modify`: what of the resource changes, such as `Properties` or `Metadata`.
    #[serde(default)]
    pub(crate) scope: Vec<String>,
    /// The properties that change, and whether each by itself replaces the resource.
    #[serde(default)]
    pub(crate) properties: Vec<(String, bool)>,
    /// Why each of them changes.
    #[serde(default)]
    pub(crate) causes: Vec<Cause>,
    /// What becomes of the old resource: `Delete`, `Retain`, `ReplaceAndDelete` or `ReplaceAndRetain`.
    #[serde(default)]
    pub(crate) policy_action: Option<String>,
}

impl Planned {
    fn new(action: &str, logical_id: &str, type_name: &str, present: Option<&Physical>) -> Self {
        Self {
            action: action.into(),
            logical_id: logical_id.into(),
            physical_id: present.map(|p| p.id.clone()),
            type_name: type_name.into(),
            replacement: None,
            scope: Vec::new(),
            properties: Vec::new(),
            causes: Vec::new(),
            policy_action: None,
        }
    }

    /// `Replacement` ("ResourceChange"): of a property whose change replaces the resource and whose new value only the update
    /// tells, it depends on that value.
    pub(crate) fn replacement_text(&self) -> Option<&'static str> {
        let is_dynamic = |name: &String| self.causes.iter().any(|c| c.property == *name && is_of_resource(c));
        let mut replacing = self.properties.iter().filter(|(_, replaces)| *replaces).map(|(name, _)| name).peekable();
        Some(match self.replacement? {
            true if replacing.peek().is_some() && replacing.all(is_dynamic) => "Conditional",
            true => "True",
            false => "False",
        })
    }
}

fn is_of_resource(cause: &Cause) -> bool {
    matches!(cause.source, Source::ResourceReference | Source::ResourceAttribute)
}

/// The changes from what the stack has to what the wish wants, each after those that it needs.
pub(crate) fn planned(tx: &Tx, cx: &Cx, stack: &Stack, wish: &Wish) -> Result<Vec<Planned>, Error> {
    let program = Program::of_wish(tx, cx, stack, wish).map_err(Error::Invalid)?;
    // Of a stack under review there is nothing yet, and the wish that it began with need not be one that works.
    let is_there = stack.status != StackStatus::ReviewInProgress;
    let before = is_there.then(|| Program::of(tx, cx, stack)).transpose().map_err(Error::Invalid)?;
    let known = members(tx, &stack.id);
    same_types(&program, &known)?;
    let mut plan = Plan {
        tx,
        stack,
        program: &program,
        before: before.as_ref(),
        wish,
        surroundings: Surroundings::new(tx, cx, stack, wish, &program.template).planning(),
    };
    let mut all: Vec<Planned> = in_order(&program).into_iter().filter_map(|declaration| plan.one(declaration, &known)).collect();
    let gone = known.iter().filter(|m| m.physical.is_some() && program.declaration(&m.logical_id).is_none());
    all.extend(gone.map(|m| Planned {
        policy_action: Some(if m.retain_on_delete { "Retain" } else { "Delete" }.into()),
        ..Planned::new("Remove", &m.logical_id, &m.type_name, m.physical.as_ref())
    }));
    Ok(all)
}

/// A logical id keeps its type for as long as it stays in the template, once something was made of it.
fn same_types(program: &Program, known: &[Member]) -> Result<(), Error> {
    let is_made = |m: &Member| m.physical.is_some() || m.replaced.is_some() || !m.abandoned.is_empty();
    let is_retyped =
        |m: &&Member| is_made(m) && program.declaration(&m.logical_id).is_some_and(|declared| declared.type_name != m.type_name);
    let retyped: Vec<&str> = known.iter().filter(is_retyped).map(|m| m.logical_id.as_str()).collect();
    if retyped.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
        retyped.join(", ")
    )))
}

struct Plan<'a> {
    tx: &'a Tx<'a>,
    stack: &'a Stack,
    program: &'a Program,
    /// What the stack is now.
    before: Option<&'a Program>,
    wish: &'a Wish,
    surroundings: Surroundings<'a>,
}

impl Plan<'_> {
    /// None when nothing of the resource changes.
    fn one(&mut self, declaration: &Declaration, known: &[Member]) -> Option<Planned> {
        let present = known.iter().find(|m| m.logical_id == declaration.logical_id).and_then(|m| m.physical.as_ref());
        let mut planned = Planned::new("Add", &declaration.logical_id, &declaration.type_name, present);
        let Some(present) = present else {
            self.surroundings.forget(&declaration.logical_id);
            return Some(planned);
        };
        planned.action = "Modify".into();
        let change = self.change(declaration, present, &mut planned);
        planned.scope.extend(self.attributes(declaration));
        planned.replacement = Some(change == Change::Replace);
        if change == Change::Replace {
            let retained = declaration.retain_on_replace;
            planned.policy_action = Some(if retained { "ReplaceAndRetain" } else { "ReplaceAndDelete" }.into());
            self.surroundings.forget(&declaration.logical_id);
        }
        (!planned.scope.is_empty()).then_some(planned)
    }

    fn change(&self, declaration: &Declaration, present: &Physical, planned: &mut Planned) -> Change {
        let (id, type_name) = (&declaration.logical_id, &declaration.type_name);
        let schema = schema_of(self.tx.registry(), type_name);
        // A value that nobody knows yet may not fit its type: then something changes for sure.
        let new = self.program.properties_in(self.tx, &self.surroundings, id);
        let names = match &new {
            Ok(new) => template::changed(&present.properties, new),
            Err(_) => causes::unknown_properties(self.program, &self.surroundings, id),
        };
        if !names.is_empty() || new.is_err() {
            planned.scope.push("Properties".into());
        }
        let unknown = Json::from(KNOWN_AFTER_APPLY);
        let replaces = |name: &String| {
            let value = new.as_ref().map_or(Some(&unknown), |new| new.get(name));
            let (old, new) = (json!({name: present.properties.get(name)}), json!({name: value}));
            schema.as_ref().is_none_or(|s| s.difference(&old, &new) == template::Difference::Replace)
        };
        planned.properties = names.iter().map(|name| (name.clone(), replaces(name))).collect();
        let wishes = (&self.stack.wish, self.wish);
        let why = |name: &String| causes::causes(self.program, &self.surroundings, wishes, id, name);
        planned.causes = names.iter().flat_map(why).collect();
        let Ok(new) = new else {
            return if planned.properties.iter().any(|(_, replaces)| *replaces) { Change::Replace } else { Change::InPlace };
        };
        let change = self.program.change(self.tx, type_name, present, &new, &self.wish.tags);
        if change != Change::None && names.is_empty() {
            planned.scope.push("Tags".into());
        }
        if change == Change::InPlace && self.replaces_by_policy(declaration, present, &new) { Change::Replace } else { change }
    }

    /// Whether the update policy makes a new resource of what the schema would change in place.
    fn replaces_by_policy(&self, declaration: &Declaration, present: &Physical, new: &Json) -> bool {
        let tags = tags_of(self.stack, &declaration.logical_id);
        let resource = self.tx.registry().stack_resource(&declaration.type_name);
        let request = ResourceRequest {
            stack_id: &self.stack.id,
            stack_name: &self.stack.name,
            logical_id: &declaration.logical_id,
            properties: new,
            tags: &tags,
            old_tags: None,
            creation_policy: declaration.creation_policy.as_ref(),
            update_policy: declaration.update_policy.as_ref(),
        };
        resource.is_some_and(|r| r.replaces(self.tx, &present.properties, &request))
    }

    /// The attributes beside the properties that change. They change nothing of the resource itself.
    fn attributes(&self, new: &Declaration) -> Vec<String> {
        let Some(old) = self.before.and_then(|b| b.declaration(&new.logical_id)) else { return Vec::new() };
        let all = [
            ("Metadata", old.metadata != new.metadata),
            ("CreationPolicy", old.creation_policy != new.creation_policy),
            ("UpdatePolicy", old.update_policy != new.update_policy),
            ("DeletionPolicy", old.policies.0 != new.policies.0),
            ("UpdateReplacePolicy", old.policies.1 != new.policies.1),
        ];
        all.into_iter().filter(|(_, changes)| *changes).map(|(name, _)| name.to_string()).collect()
    }
}

/// Declarations, each after those that it needs. A checked template has no cycles.
fn in_order(program: &Program) -> Vec<&Declaration> {
    let mut done = std::collections::BTreeSet::new();
    let mut ordered: Vec<&Declaration> = Vec::new();
    let mut rest: Vec<&Declaration> = program.declarations().collect();
    while !rest.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|d| d.needs.is_subset(&done));
        if ready.is_empty() {
            ordered.extend(later);
            break;
        }
        done.extend(ready.iter().map(|d| d.logical_id.clone()));
        ordered.extend(ready);
        rest = later;
    }
    ordered
}

/// Whether an update to the wish would change anything.
pub(crate) fn differs(tx: &Tx, cx: &Cx, stack: &Stack, wish: &Wish) -> Result<bool, Error> {
    if stack.status == StackStatus::UpdateFailed || wish.tags != stack.wish.tags {
        same_types(&Program::of_wish(tx, cx, stack, wish).map_err(Error::Invalid)?, &members(tx, &stack.id))?;
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
