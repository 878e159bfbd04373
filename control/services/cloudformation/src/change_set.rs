//! Change sets: what an update would do, kept until someone executes it. `aws cloudformation deploy` works by them.

use base::{Fault, StackId, Time};
use kernel::{Cx, Registry, Row, State, Tx, page};
use serde::{Deserialize, Serialize};
use shapes::cloudformation as api;
use shapes::cloudformation::ops;

use crate::engine::set_stack;
use crate::error::Error;
use crate::operations::{body, is_special, on_failure_named, parameters_shape, refuse, tags_shape};
use crate::program::{self, Cause, Planned};
use crate::stack::{self, Request, find_alive};
use crate::state::{OnFailure, Stack, StackStatus, Wish};

/// Most change sets of one stack.
const CHANGE_SETS_MAX: usize = 100;
const NO_CHANGES: &str = "The submitted information didn't contain changes. Submit different information to create a change set.";

/// A prepared creation or update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    pub id: String,
    pub name: String,
    pub stack: StackId,
    pub stack_name: String,
    pub wish: Wish,
    pub capabilities: Vec<String>,
    pub description: Option<String>,
    pub created: Time,
    pub on_failure: OnFailure,
    pub changes: Vec<Planned>,
    pub executed: bool,
    /// As it was asked for: a template with nested stacks is refused anyway.
    #[serde(default)]
    pub include_nested_stacks: bool,
    /// The stack was updated otherwise since.
    #[serde(default)]
    pub is_obsolete: bool,
    /// Why it cannot be executed.
    pub failure: Option<String>,
}

impl Row for ChangeSet {
    const TABLE: &'static str = "cloudformation.change-set";
    type Key = String;
    fn key(&self) -> String {
        self.id.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("stack", &self.stack);
    }
}

impl ChangeSet {
    /// By its id, or by its name within a stack.
    pub fn find<'a>(state: &'a State, name: &str, stack: Option<&str>) -> Result<&'a ChangeSet, Error> {
        if let Some(found) = state.get::<ChangeSet>(&name.to_string()) {
            return Ok(found);
        }
        let Some(stack) = stack else {
            return Err(Error::Invalid("StackName must be specified if ChangeSetName is not specified as an ARN.".into()));
        };
        let stack = find_alive(state, stack)?;
        let all = state.rows_where::<ChangeSet>("stack", &stack.id).filter(|c| c.name == name);
        // One that was executed gives its name free.
        all.min_by_key(|c| c.executed).ok_or_else(|| Error::NoChangeSet(name.into()))
    }

    fn status(&self) -> &'static str {
        if self.failure.is_some() { "FAILED" } else { "CREATE_COMPLETE" }
    }

    fn execution_status(&self) -> &'static str {
        match &self.failure {
            _ if self.executed => "EXECUTE_COMPLETE",
            Some(_) => "UNAVAILABLE",
            None if self.is_obsolete => "OBSOLETE",
            None => "AVAILABLE",
        }
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreateChangeSet>(create_change_set);
    registry.operation::<ops::DescribeChangeSet>(describe_change_set);
    registry.operation::<ops::ExecuteChangeSet>(execute_change_set);
    registry.operation::<ops::DeleteChangeSet>(delete_change_set);
    registry.operation::<ops::ListChangeSets>(list_change_sets);
}

/// Notes of all change sets of a stack that it is not any more what they were made against.
pub(crate) fn outdate(tx: &mut Tx, stack: &StackId) {
    let open: Vec<ChangeSet> =
        tx.rows_where::<ChangeSet>("stack", stack).filter(|c| !c.executed && !c.is_obsolete).cloned().collect();
    for set in open {
        tx.put(ChangeSet { is_obsolete: true, ..set });
    }
}

/// Forgets the change sets of a stack that has ended.
pub(crate) fn forget(tx: &mut Tx, stack: &StackId) {
    let ids: Vec<String> = tx.rows_where::<ChangeSet>("stack", stack).map(|c| c.id.clone()).collect();
    for id in ids {
        tx.remove::<ChangeSet>(&id);
    }
}

fn create_change_set(tx: &mut Tx, cx: &Cx, input: api::CreateChangeSetInput) -> Result<api::CreateChangeSetOutput, Fault> {
    refuse(&[
        ("TemplateURL", input.template_url.is_some()),
        ("ChangeSetType IMPORT", input.change_set_type.as_deref() == Some("IMPORT")),
        ("ResourcesToImport", !input.resources_to_import.is_empty()),
        ("RollbackConfiguration", input.rollback_configuration.as_ref().is_some_and(|r| !r.rollback_triggers.is_empty())),
        ("NotificationARNs", !input.notification_arns.is_empty()),
        ("ResourceTypes", !input.resource_types.is_empty()),
        ("RoleARN", input.role_arn.is_some()),
        ("DeploymentMode", input.deployment_mode.is_some()),
        ("DeploymentConfig", is_special(input.deployment_config.as_ref())),
        ("DisableValidation", input.disable_validation == Some(true)),
    ])?;
    let present = tx.rows_where::<Stack>("name", &input.stack_name).next().cloned();
    let present = present.or_else(|| tx.get::<Stack>(&StackId::from(input.stack_name.as_str())).cloned());
    let creates = input.change_set_type.as_deref() == Some("CREATE");
    let previous = match &present {
        Some(stack) if creates && stack.status != StackStatus::ReviewInProgress => {
            let text = format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                stack.name, input.change_set_name
            );
            return Err(Error::Invalid(text).into());
        }
        Some(stack) if !creates && !stack.status.can_update() => {
            return Err(Error::WrongStatus { stack: stack.id.to_string(), status: stack.status.name(), verb: "updated" }.into());
        }
        None if !creates => return Err(Error::Invalid(format!("Stack [{}] does not exist", input.stack_name)).into()),
        Some(stack) if !creates => Some(stack.wish.clone()),
        _ => None,
    };
    let template = match (input.use_previous_template, &previous) {
        (Some(true), _) if input.template_body.is_some() => return Err(Error::both_templates().into()),
        (Some(true), Some(previous)) => previous.template.clone(),
        _ => body(input.template_body.as_deref())?.to_string(),
    };
    let request =
        Request { template: &template, parameters: &input.parameters, tags: &input.tags, capabilities: &input.capabilities };
    let mut wish = stack::wish(tx, cx, &request, previous.as_ref())?;
    // Only now, so that `cdk bootstrap` is told which resources of its template there are not.
    refuse(&[("ImportExistingResources", input.import_existing_resources == Some(true))])?;
    if let Some(previous) = previous.filter(|_| input.tags.is_empty()) {
        wish.tags = previous.tags;
    }
    let stack = match present {
        Some(stack) => stack,
        None => {
            let mut stack = stack::new(tx, cx, &input.stack_name, wish.clone())?;
            set_stack(tx, cx, &mut stack, StackStatus::ReviewInProgress, Some("User Initiated".into()));
            stack
        }
    };
    let named = |value: &str| on_failure_named("onStackFailure", value);
    let on_failure = input.on_stack_failure.as_deref().map(named).transpose()?.unwrap_or_default();
    let id = add(tx, cx, &stack, &input, wish, on_failure)?;
    Ok(api::CreateChangeSetOutput { id: Some(id), stack_id: Some(stack.id.to_string()) })
}

fn add(
    tx: &mut Tx,
    cx: &Cx,
    stack: &Stack,
    input: &api::CreateChangeSetInput,
    wish: Wish,
    on_failure: OnFailure,
) -> Result<String, Error> {
    let others: Vec<&ChangeSet> = tx.rows_where::<ChangeSet>("stack", &stack.id).collect();
    let same_name = others.iter().find(|c| c.name == input.change_set_name && !c.executed);
    if let Some(same) = same_name {
        // `aws cloudformation deploy` names its change sets by the second, and leaves one behind each time that nothing
        // has changed: two runs within a second must not disturb each other.
        if same.failure.is_none() {
            return Err(Error::ChangeSetExists(input.change_set_name.clone()));
        }
        let useless = same.id.clone();
        tx.remove::<ChangeSet>(&useless);
    } else if others.len() >= CHANGE_SETS_MAX {
        let useless =
            others.iter().filter(|c| c.failure.is_some() || c.is_obsolete).min_by_key(|c| c.created).map(|c| c.id.clone());
        let full = || Error::LimitExceeded(format!("A stack has at most {CHANGE_SETS_MAX} change sets"));
        tx.remove::<ChangeSet>(&useless.ok_or_else(full)?);
    }
    // As at AWS, what is found while the changes are worked out fails the change set, not the request.
    let planned = program::planned(tx, cx, stack, &wish).and_then(|changes| {
        let same = stack.status != StackStatus::ReviewInProgress && !program::differs(tx, cx, stack, &wish)?;
        Ok((changes, same.then(|| NO_CHANGES.to_string())))
    });
    let (changes, failure) = planned.unwrap_or_else(|e| (Vec::new(), Some(e.to_string())));
    let id = cx.scope.arn("cloudformation", format!("changeSet/{}/{}", input.change_set_name, cx.rng().uuid()));
    tx.put(ChangeSet {
        id: id.clone(),
        name: input.change_set_name.clone(),
        stack: stack.id.clone(),
        stack_name: stack.name.clone(),
        wish,
        capabilities: input.capabilities.clone(),
        description: input.description.clone(),
        created: cx.now,
        on_failure,
        changes,
        executed: false,
        include_nested_stacks: input.include_nested_stacks == Some(true),
        is_obsolete: false,
        failure,
    });
    Ok(id)
}

fn describe_change_set(tx: &mut Tx, _: &Cx, input: api::DescribeChangeSetInput) -> Result<api::DescribeChangeSetOutput, Fault> {
    let set = ChangeSet::find(tx, &input.change_set_name, input.stack_name.as_deref())?;
    let change = |p: &Planned| api::Change {
        r#type: Some("Resource".into()),
        resource_change: Some(api::ResourceChange {
            action: Some(p.action.clone()),
            logical_resource_id: Some(p.logical_id.clone()),
            physical_resource_id: p.physical_id.clone(),
            resource_type: Some(p.type_name.clone()),
            policy_action: p.policy_action.clone(),
            replacement: p.replacement_text().map(Into::into),
            scope: p.scope.clone(),
            details: details(p),
            ..Default::default()
        }),
        ..Default::default()
    };
    Ok(api::DescribeChangeSetOutput {
        change_set_name: Some(set.name.clone()),
        change_set_id: Some(set.id.clone()),
        stack_id: Some(set.stack.to_string()),
        stack_name: Some(set.stack_name.clone()),
        description: set.description.clone(),
        parameters: parameters_shape(&set.wish),
        creation_time: Some(set.created),
        execution_status: Some(set.execution_status().into()),
        status: Some(set.status().into()),
        status_reason: set.failure.clone(),
        capabilities: set.capabilities.clone(),
        tags: tags_shape(&set.wish.tags),
        changes: set.changes.iter().map(change).collect(),
        include_nested_stacks: Some(set.include_nested_stacks),
        ..Default::default()
    })
}

/// One for each cause of each property's change, then one for each other attribute ("ResourceChangeDetail").
fn details(planned: &Planned) -> Vec<api::ResourceChangeDetail> {
    let detail = |attribute: &str, name: Option<String>, recreation: &str, cause: Option<&Cause>| api::ResourceChangeDetail {
        target: Some(api::ResourceTargetDefinition {
            attribute: Some(attribute.into()),
            name,
            requires_recreation: Some(recreation.into()),
            ..Default::default()
        }),
        evaluation: Some(if cause.is_some_and(|c| c.is_dynamic) { "Dynamic" } else { "Static" }.into()),
        change_source: Some(cause.map_or("DirectModification", |c| c.source.as_str()).into()),
        causing_entity: cause.and_then(|c| c.entity.clone()),
    };
    let of_property = |(name, replaces): &(String, bool)| {
        let recreation = if *replaces { "Always" } else { "Never" };
        let causes = planned.causes.iter().filter(|c| c.property == *name);
        let all: Vec<_> = causes.map(|c| detail("Properties", Some(name.clone()), recreation, Some(c))).collect();
        // One that an older version has planned has no causes.
        if all.is_empty() { vec![detail("Properties", Some(name.clone()), recreation, None)] } else { all }
    };
    let others = planned.scope.iter().filter(|s| *s != "Properties").map(|s| detail(s, None, "Never", None));
    planned.properties.iter().flat_map(of_property).chain(others).collect()
}

fn execute_change_set(tx: &mut Tx, cx: &Cx, input: api::ExecuteChangeSetInput) -> Result<api::ExecuteChangeSetOutput, Fault> {
    let set = ChangeSet::find(tx, &input.change_set_name, input.stack_name.as_deref())?.clone();
    if set.execution_status() != "AVAILABLE" {
        let text =
            format!("ChangeSet [{}] cannot be executed in its current execution status of [{}]", set.id, set.execution_status());
        return Err(Fault::client("InvalidChangeSetStatus", text));
    }
    let mut stack = find_alive(tx, &set.stack)?.clone();
    stack.capabilities = set.capabilities.clone();
    stack.on_failure = if input.disable_rollback == Some(true) { OnFailure::DoNothing } else { set.on_failure };
    stack.retain_except_on_create = input.retain_except_on_create == Some(true);
    stack.client_token = input.client_request_token;
    if stack.status == StackStatus::ReviewInProgress {
        stack.wish = set.wish.clone();
        stack::begin_create(tx, cx, stack);
    } else {
        stack::begin_update(tx, cx, stack, set.wish.clone())?;
    }
    // The other change sets were made against what is no more.
    let others: Vec<String> =
        tx.rows_where::<ChangeSet>("stack", &set.stack).map(|c| c.id.clone()).filter(|id| *id != set.id).collect();
    for id in others {
        tx.remove::<ChangeSet>(&id);
    }
    tx.put(ChangeSet { executed: true, ..set });
    Ok(api::ExecuteChangeSetOutput::default())
}

fn delete_change_set(tx: &mut Tx, _: &Cx, input: api::DeleteChangeSetInput) -> Result<api::DeleteChangeSetOutput, Fault> {
    if let Ok(set) = ChangeSet::find(tx, &input.change_set_name, input.stack_name.as_deref()) {
        let id = set.id.clone();
        tx.remove::<ChangeSet>(&id);
    }
    Ok(api::DeleteChangeSetOutput::default())
}

fn list_change_sets(tx: &mut Tx, _: &Cx, input: api::ListChangeSetsInput) -> Result<api::ListChangeSetsOutput, Fault> {
    let stack = find_alive(tx, &input.stack_name)?;
    let all = tx.rows_where::<ChangeSet>("stack", &stack.id);
    let page = page(all, |c| c.id.clone(), input.next_token.as_deref(), CHANGE_SETS_MAX, || Error::BadToken.into())?;
    let summary = |c: &ChangeSet| api::ChangeSetSummary {
        stack_id: Some(c.stack.to_string()),
        stack_name: Some(c.stack_name.clone()),
        change_set_id: Some(c.id.clone()),
        change_set_name: Some(c.name.clone()),
        execution_status: Some(c.execution_status().into()),
        status: Some(c.status().into()),
        status_reason: c.failure.clone(),
        creation_time: Some(c.created),
        description: c.description.clone(),
        include_nested_stacks: Some(c.include_nested_stacks),
        ..Default::default()
    };
    Ok(api::ListChangeSetsOutput { summaries: page.items.into_iter().map(summary).collect(), next_token: page.next_token })
}
