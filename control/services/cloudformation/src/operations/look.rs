//! Operations that only look.

use std::collections::BTreeSet;

use base::{Fault, Tags};
use kernel::{Cx, Row, State, Tx, page};
use shapes::cloudformation as api;

use crate::error::Error;
use crate::event;
use crate::export::Export;
use crate::program::Program;
use crate::stack::{STACKS_MAX, find};
use crate::state::{Member, MemberStatus, OnFailure, Stack, Wish};

/// AWS gives a hundred events or resources a page.
const PAGE: usize = 100;

fn bad_token() -> Fault {
    Error::BadToken.into()
}

pub(super) fn describe_stacks(tx: &mut Tx, _: &Cx, input: api::DescribeStacksInput) -> Result<api::DescribeStacksOutput, Fault> {
    if let Some(name) = &input.stack_name {
        let stacks = vec![stack_shape(find(tx, name)?)];
        return Ok(api::DescribeStacksOutput { stacks, next_token: None });
    }
    let alive = tx.rows::<Stack>().filter(|s| s.is_alive());
    let page = page(alive, |s| s.id.to_string(), input.next_token.as_deref(), PAGE, bad_token)?;
    Ok(api::DescribeStacksOutput { stacks: page.items.into_iter().map(stack_shape).collect(), next_token: page.next_token })
}

fn stack_shape(stack: &Stack) -> api::Stack {
    api::Stack {
        stack_id: Some(stack.id.to_string()),
        stack_name: stack.name.clone(),
        description: stack.description.clone(),
        parameters: parameters_shape(&stack.wish),
        creation_time: stack.created,
        deletion_time: stack.deleted,
        last_updated_time: stack.updated,
        rollback_configuration: Some(api::RollbackConfiguration::default()),
        stack_status: stack.status.name().into(),
        stack_status_reason: stack.reason.clone(),
        disable_rollback: Some(stack.on_failure == OnFailure::DoNothing),
        timeout_in_minutes: stack.timeout_minutes,
        capabilities: stack.capabilities.clone(),
        outputs: stack.outputs.iter().map(output_shape).collect(),
        tags: tags_shape(&stack.wish.tags),
        enable_termination_protection: Some(stack.termination_protection),
        drift_information: Some(api::StackDriftInformation {
            stack_drift_status: "NOT_CHECKED".into(),
            last_check_timestamp: None,
        }),
        ..Default::default()
    }
}

/// Parameters as given; those that hide themselves (`NoEcho`) as asterisks.
pub(crate) fn parameters_shape(wish: &Wish) -> Vec<api::Parameter> {
    let hidden = Program::hidden_parameters(&wish.template);
    let shown = |key: &String, value: &str| if hidden.contains(key) { "****".to_string() } else { value.to_string() };
    let all = wish.parameters.iter();
    all.map(|(key, value)| api::Parameter {
        parameter_key: Some(key.clone()),
        parameter_value: Some(shown(key, &value.given)),
        use_previous_value: None,
        resolved_value: value.resolved.as_ref().map(|v| shown(key, v)),
    })
    .collect()
}

fn output_shape(output: &crate::state::Output) -> api::Output {
    api::Output {
        output_key: Some(output.key.clone()),
        output_value: Some(output.value.clone()),
        description: output.description.clone(),
        export_name: output.export.clone(),
    }
}

pub(crate) fn tags_shape(tags: &Tags) -> Vec<api::Tag> {
    tags.iter().map(|(key, value)| api::Tag { key: key.clone(), value: value.clone() }).collect()
}

pub(super) fn list_stacks(tx: &mut Tx, _: &Cx, input: api::ListStacksInput) -> Result<api::ListStacksOutput, Fault> {
    let wanted =
        |s: &&Stack| input.stack_status_filter.is_empty() || input.stack_status_filter.iter().any(|f| f == s.status.name());
    let page = page(tx.rows::<Stack>().filter(wanted), |s| s.id.to_string(), input.next_token.as_deref(), PAGE, bad_token)?;
    let summary = |s: &Stack| api::StackSummary {
        stack_id: Some(s.id.to_string()),
        stack_name: s.name.clone(),
        template_description: s.description.clone(),
        creation_time: s.created,
        last_updated_time: s.updated,
        deletion_time: s.deleted,
        stack_status: s.status.name().into(),
        stack_status_reason: s.reason.clone(),
        ..Default::default()
    };
    Ok(api::ListStacksOutput { stack_summaries: page.items.into_iter().map(summary).collect(), next_token: page.next_token })
}

pub(super) fn describe_stack_events(
    tx: &mut Tx,
    _: &Cx,
    input: api::DescribeStackEventsInput,
) -> Result<api::DescribeStackEventsOutput, Fault> {
    let stack = find(tx, &input.stack_name).map_err(|_| Error::NoStackNamed(input.stack_name.clone()))?;
    // Newest first; a token counts from the oldest, so that events which come meanwhile shift nothing.
    let key = |e: &&event::Event| format!("{:020}", u64::MAX - e.sequence);
    let page = page(event::newest_first(tx, &stack.id), key, input.next_token.as_deref(), PAGE, bad_token)?;
    let shape = |e: &event::Event| api::StackEvent {
        stack_id: e.stack.to_string(),
        event_id: e.id.clone(),
        stack_name: e.stack_name.clone(),
        logical_resource_id: Some(e.logical_id.clone()),
        physical_resource_id: Some(e.physical_id.clone().unwrap_or_default()),
        resource_type: Some(e.type_name.clone()),
        timestamp: e.at,
        resource_status: Some(e.status.clone()),
        resource_status_reason: e.reason.clone(),
        resource_properties: e.properties.clone(),
        client_request_token: e.client_token.clone(),
        ..Default::default()
    };
    Ok(api::DescribeStackEventsOutput { stack_events: page.items.into_iter().map(shape).collect(), next_token: page.next_token })
}

/// The resources that a stack shows: deleted ones are gone, unless the stack itself is.
fn shown<'a>(state: &'a State, stack: &'a Stack) -> impl Iterator<Item = &'a Member> + Clone {
    let gone = !stack.is_alive();
    state.rows_where::<Member>("stack", &stack.id).filter(move |m| gone || m.status != MemberStatus::DeleteComplete)
}

pub(super) fn describe_stack_resource(
    tx: &mut Tx,
    cx: &Cx,
    input: api::DescribeStackResourceInput,
) -> Result<api::DescribeStackResourceOutput, Fault> {
    let stack = find(tx, &input.stack_name)?;
    let none = || Error::NoResource { resource: input.logical_resource_id.clone(), stack: input.stack_name.clone() };
    let member = shown(tx, stack).find(|m| m.logical_id == input.logical_resource_id).ok_or_else(none)?;
    let detail = api::StackResourceDetail {
        stack_name: Some(stack.name.clone()),
        stack_id: Some(stack.id.to_string()),
        logical_resource_id: member.logical_id.clone(),
        physical_resource_id: member.physical.as_ref().map(|p| p.id.clone()),
        resource_type: member.type_name.clone(),
        last_updated_timestamp: member.changed,
        resource_status: member.status.name().into(),
        resource_status_reason: member.reason.clone(),
        metadata: Some(Program::metadata_of(tx, cx, stack, &member.logical_id).to_string()),
        ..Default::default()
    };
    Ok(api::DescribeStackResourceOutput { stack_resource_detail: Some(detail) })
}

/// The stack that has something by this physical id, or else had it last: a name may be given again.
fn stack_of<'a>(state: &'a State, physical: &str) -> Option<&'a Stack> {
    let owners = state.rows_where::<Member>("physical", physical).filter_map(|m| Some((m, state.get::<Stack>(&m.stack)?)));
    let last = owners.max_by_key(|(m, stack)| (stack.is_alive() && m.status != MemberStatus::DeleteComplete, m.changed));
    last.map(|(_, stack)| stack)
}

pub(super) fn describe_stack_resources(
    tx: &mut Tx,
    _: &Cx,
    input: api::DescribeStackResourcesInput,
) -> Result<api::DescribeStackResourcesOutput, Fault> {
    let stack = match (&input.stack_name, &input.physical_resource_id) {
        (Some(name), None) => find(tx, name)?,
        (None, Some(physical)) => {
            stack_of(tx, physical).ok_or_else(|| Error::Invalid(format!("Stack for {physical} does not exist")))?
        }
        _ => return Err(Error::Invalid("Specify either StackName or PhysicalResourceId, but not both".into()).into()),
    };
    let logical = input.logical_resource_id.as_ref();
    let stack_resources = shown(tx, stack)
        .filter(|m| logical.is_none_or(|id| *id == m.logical_id))
        .map(|m| api::StackResource {
            stack_name: Some(stack.name.clone()),
            stack_id: Some(stack.id.to_string()),
            logical_resource_id: m.logical_id.clone(),
            physical_resource_id: m.physical.as_ref().map(|p| p.id.clone()),
            resource_type: m.type_name.clone(),
            timestamp: m.changed,
            resource_status: m.status.name().into(),
            resource_status_reason: m.reason.clone(),
            ..Default::default()
        })
        .collect();
    Ok(api::DescribeStackResourcesOutput { stack_resources })
}

pub(super) fn list_stack_resources(
    tx: &mut Tx,
    _: &Cx,
    input: api::ListStackResourcesInput,
) -> Result<api::ListStackResourcesOutput, Fault> {
    let stack = find(tx, &input.stack_name)?;
    let page = page(shown(tx, stack), |m| m.key(), input.next_token.as_deref(), PAGE, bad_token)?;
    let shape = |m: &Member| api::StackResourceSummary {
        logical_resource_id: m.logical_id.clone(),
        physical_resource_id: m.physical.as_ref().map(|p| p.id.clone()),
        resource_type: m.type_name.clone(),
        last_updated_timestamp: m.changed,
        resource_status: m.status.name().into(),
        resource_status_reason: m.reason.clone(),
        ..Default::default()
    };
    let stack_resource_summaries = page.items.into_iter().map(shape).collect();
    Ok(api::ListStackResourcesOutput { stack_resource_summaries, next_token: page.next_token })
}

pub(super) fn list_exports(tx: &mut Tx, _: &Cx, input: api::ListExportsInput) -> Result<api::ListExportsOutput, Fault> {
    let page = page(tx.rows::<Export>(), |e| e.name.clone(), input.next_token.as_deref(), PAGE, bad_token)?;
    let shape = |e: &Export| api::Export {
        exporting_stack_id: Some(e.stack.to_string()),
        name: Some(e.name.clone()),
        value: Some(e.value.clone()),
    };
    Ok(api::ListExportsOutput { exports: page.items.into_iter().map(shape).collect(), next_token: page.next_token })
}

pub(super) fn list_imports(tx: &mut Tx, _: &Cx, input: api::ListImportsInput) -> Result<api::ListImportsOutput, Fault> {
    let none = || Error::Invalid(format!("Export with name {} does not exist", input.export_name));
    let export = tx.get::<Export>(&input.export_name).ok_or_else(none)?;
    if export.importers.is_empty() {
        return Err(Error::Invalid(format!("Export '{}' is not imported by any stack.", export.name)).into());
    }
    // Their ids have another order than their names, by which the pages go on.
    let names: BTreeSet<String> = export.importers.iter().filter_map(|id| tx.get::<Stack>(id)).map(|s| s.name.clone()).collect();
    let page = page(names.into_iter(), |n| n.clone(), input.next_token.as_deref(), PAGE, bad_token)?;
    Ok(api::ListImportsOutput { imports: page.items, next_token: page.next_token })
}

pub(super) fn describe_account_limits(
    _: &mut Tx,
    _: &Cx,
    _: api::DescribeAccountLimitsInput,
) -> Result<api::DescribeAccountLimitsOutput, Fault> {
    let limit = |name: &str, value| api::AccountLimit { name: Some(name.into()), value: Some(value) };
    let stacks = i64::try_from(STACKS_MAX).unwrap_or(i64::MAX);
    let account_limits = vec![limit("StackLimit", stacks), limit("StackOutputsLimit", 200)];
    Ok(api::DescribeAccountLimitsOutput { account_limits, next_token: None })
}
