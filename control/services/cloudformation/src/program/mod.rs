//! A stack's template as the engine works with it: declarations, their properties resolved against what exists, and the
//! stack's outputs. The language itself is the `template` crate's.

mod causes;
mod check;
mod dynamic;
mod plan;
mod rules;
mod surroundings;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use base::Tags;
use kernel::{Cx, Tx};
use serde_json::Value as Json;
use template::{DeletionPolicy, Resource, Template, TemplateErrors};

pub(crate) use causes::Cause;
pub(crate) use check::{Summary, check, gives_permissions, schema_of, summary};
pub(crate) use plan::{Planned, differs, planned};

use crate::state::{Output, Physical, Stack, Wish};
use surroundings::Surroundings;

/// Templates that stay parsed: each stack under way is looked at after every commit.
const PARSED_MAX: usize = 64;

/// A template with its conditions decided for one stack.
pub(crate) struct Program {
    template: Rc<Template>,
    conditions: BTreeMap<String, bool>,
    /// In the order of the template, without those whose condition is false.
    declarations: Vec<Declaration>,
}

/// A resource that a stack shall have.
pub(crate) struct Declaration {
    pub(crate) logical_id: String,
    pub(crate) type_name: String,
    /// Logical ids of what must be there first.
    pub(crate) needs: BTreeSet<String>,
    pub(crate) retain_on_delete: bool,
    /// Kept even when the operation that made it is rolled back.
    pub(crate) retain_on_rollback: bool,
    pub(crate) retain_on_replace: bool,
    /// As written: of deletion and of replacement.
    pub(crate) policies: (DeletionPolicy, DeletionPolicy),
    pub(crate) metadata: Json,
    pub(crate) creation_policy: Option<Json>,
    pub(crate) update_policy: Option<Json>,
}

/// What changing a resource takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    InPlace,
    Replace,
}

/// The parsed template of a text.
fn parse(text: &str) -> Result<Rc<Template>, TemplateErrors> {
    thread_local! {
        static PARSED: RefCell<Vec<(String, Rc<Template>)>> = const { RefCell::new(Vec::new()) };
    }
    let known = PARSED.with_borrow(|all| all.iter().find(|(t, _)| t == text).map(|(_, parsed)| parsed.clone()));
    if let Some(parsed) = known {
        return Ok(parsed);
    }
    let parsed = Rc::new(Template::parse(text)?);
    PARSED.with_borrow_mut(|all| {
        if all.len() >= PARSED_MAX {
            all.remove(0);
        }
        all.push((text.to_string(), parsed.clone()));
    });
    Ok(parsed)
}

impl Program {
    /// The program of what the stack is to be.
    pub(crate) fn of(tx: &Tx, cx: &Cx, stack: &Stack) -> Result<Self, String> {
        Self::of_wish(tx, cx, stack, &stack.wish)
    }

    fn of_wish(tx: &Tx, cx: &Cx, stack: &Stack, wish: &Wish) -> Result<Self, String> {
        let template = parse(&wish.template).map_err(|e| e.to_string())?;
        let surroundings = Surroundings::new(tx, cx, stack, wish, &template);
        let conditions = template::conditions(&template, &surroundings).map_err(|e| e.to_string())?;
        let is_there = |r: &&Resource| r.condition.as_ref().is_none_or(|c| conditions.get(c) == Some(&true));
        let policy = |expression: &Option<template::Expression>| match expression {
            Some(e) => template::evaluate(&template, &conditions, &surroundings, e).map_err(|e| e.to_string()),
            None => Ok(None),
        };
        let declare = |r: &Resource| {
            use DeletionPolicy::{Retain, RetainExceptOnCreate};
            Ok(Declaration {
                logical_id: r.logical_id.clone(),
                type_name: r.type_name.clone(),
                needs: template::needs(&template, r, Some(&conditions)),
                retain_on_delete: matches!(r.deletion_policy, Retain | RetainExceptOnCreate),
                retain_on_rollback: r.deletion_policy == Retain,
                retain_on_replace: r.update_replace_policy == Retain,
                policies: (r.deletion_policy, r.update_replace_policy),
                metadata: policy(&r.metadata).ok().flatten().unwrap_or_default(),
                creation_policy: policy(&r.creation_policy)?,
                update_policy: policy(&r.update_policy)?,
            })
        };
        let declarations = template.resources.iter().filter(is_there).map(declare).collect::<Result<Vec<_>, String>>()?;
        Ok(Self { template, conditions, declarations })
    }

    pub(crate) fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.declarations.iter()
    }

    pub(crate) fn declaration(&self, logical_id: &str) -> Option<&Declaration> {
        self.declarations.iter().find(|d| d.logical_id == logical_id)
    }

    /// A resource's properties, resolved against what the stack has now and coerced to their types, and the exports of
    /// other stacks that they use.
    pub(crate) fn properties(
        &self,
        tx: &Tx,
        cx: &Cx,
        stack: &Stack,
        logical_id: &str,
    ) -> Result<(Json, BTreeSet<String>), String> {
        let surroundings = Surroundings::new(tx, cx, stack, &stack.wish, &self.template);
        let properties = self.properties_in(tx, &surroundings, logical_id)?;
        Ok((properties, surroundings.into_imports()))
    }

    fn properties_in(&self, tx: &Tx, surroundings: &Surroundings, logical_id: &str) -> Result<Json, String> {
        let resource = self.template.resource(logical_id).ok_or_else(|| format!("{logical_id} is not declared"))?;
        let raw = match &resource.properties {
            Some(e) => template::evaluate(&self.template, &self.conditions, surroundings, e).map_err(|e| e.message)?,
            None => None,
        };
        let schema = schema_of(tx.registry(), &resource.type_name);
        let schema = schema.ok_or_else(|| format!("Unrecognized resource type {}", resource.type_name))?;
        let raw = raw.unwrap_or_else(|| Json::Object(serde_json::Map::new()));
        let raw = dynamic::resolve(raw, &|name| ssm::resolve(tx, surroundings.scope(), name))?;
        schema.coerce(&raw).map_err(|e| format!("Properties validation failed for resource {logical_id} with message: {e}"))
    }

    /// The stack's outputs, with their exports.
    pub(crate) fn outputs(&self, tx: &Tx, cx: &Cx, stack: &Stack) -> Result<Vec<Output>, String> {
        self.outputs_in(&Surroundings::new(tx, cx, stack, &stack.wish, &self.template))
    }

    fn outputs_in(&self, surroundings: &Surroundings) -> Result<Vec<Output>, String> {
        let evaluate = |e: &template::Expression| {
            template::evaluate(&self.template, &self.conditions, surroundings, e).map_err(|e| e.message)
        };
        let text = |json: Option<Json>, key: &str| match json {
            Some(Json::String(text)) => Ok(text),
            Some(scalar @ (Json::Bool(_) | Json::Number(_))) => Ok(scalar.to_string()),
            _ => Err(format!(
                "Template format error: The Value field of every Outputs member must evaluate to a String: that of {key} does not."
            )),
        };
        let is_there = |o: &&template::Output| o.condition.as_ref().is_none_or(|c| self.conditions.get(c) == Some(&true));
        let output = |o: &template::Output| {
            let export = o.export.as_ref().map(|e| evaluate(e).and_then(|json| text(json, &o.name))).transpose()?;
            let value = text(evaluate(&o.value)?, &o.name)?;
            Ok(Output { key: o.name.clone(), value, description: o.description.clone(), export })
        };
        self.template.outputs.iter().filter(is_there).map(output).collect()
    }

    /// The names of other stacks' exports that this one uses.
    pub(crate) fn imports(&self, tx: &Tx, cx: &Cx, stack: &Stack) -> BTreeSet<String> {
        let surroundings = Surroundings::new(tx, cx, stack, &stack.wish, &self.template);
        for declaration in &self.declarations {
            // Whether it has a value does not matter: what it asked for does.
            let _ = self.properties_in(tx, &surroundings, &declaration.logical_id);
        }
        let _ = self.outputs_in(&surroundings);
        surroundings.into_imports()
    }

    pub(crate) fn description(&self) -> Option<String> {
        self.template.description.clone()
    }

    /// The description in a template's text.
    pub(crate) fn description_of(text: &str) -> Option<String> {
        parse(text).ok()?.description.clone()
    }

    /// A resource's metadata, with its functions evaluated; an empty object when it has none.
    pub(crate) fn metadata_of(tx: &Tx, cx: &Cx, stack: &Stack, logical_id: &str) -> Json {
        let program = Self::of(tx, cx, stack).ok();
        let metadata = program.and_then(|p| Some(p.declaration(logical_id)?.metadata.clone()));
        metadata.filter(|m| !m.is_null()).unwrap_or_else(|| Json::Object(serde_json::Map::new()))
    }

    /// The parameters whose values are not to be shown.
    pub(crate) fn hidden_parameters(text: &str) -> BTreeSet<String> {
        let Ok(template) = parse(text) else { return BTreeSet::new() };
        template.parameters.iter().filter(|p| p.no_echo).map(|p| p.name.clone()).collect()
    }

    /// What it takes to bring a resource from its old properties to the new ones.
    pub(crate) fn change(&self, tx: &Tx, type_name: &str, old: &Physical, new: &Json, tags: &Tags) -> Change {
        let Some(schema) = schema_of(tx.registry(), type_name) else { return Change::Replace };
        match schema.difference(&old.properties, new) {
            // The stack hands its own tags down to everything that can have some.
            template::Difference::None if old.tags != *tags && schema.has_property("Tags") => Change::InPlace,
            template::Difference::None => Change::None,
            template::Difference::InPlace => Change::InPlace,
            template::Difference::Replace => Change::Replace,
        }
    }

    /// Properties that are accepted and have no effect here.
    pub(crate) fn ignored(&self, tx: &Tx, type_name: &str, properties: &Json) -> Vec<String> {
        schema_of(tx.registry(), type_name).map(|s| s.ignored(properties)).unwrap_or_default()
    }
}
