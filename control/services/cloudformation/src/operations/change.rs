//! Operations that change stacks.

use base::Fault;
use kernel::{Cx, Tx};
use shapes::cloudformation as api;

use crate::change_set;
use crate::error::Error;
use crate::stack::{self, Request};
use crate::state::{OnFailure, Stack, StackStatus, Wish};

pub(super) fn create_stack(tx: &mut Tx, cx: &Cx, input: api::CreateStackInput) -> Result<api::CreateStackOutput, Fault> {
    refuse(&[
        ("TemplateURL", input.template_url.is_some()),
        ("StackPolicyBody", input.stack_policy_body.is_some()),
        ("StackPolicyURL", input.stack_policy_url.is_some()),
        ("RollbackConfiguration", input.rollback_configuration.as_ref().is_some_and(|r| !r.rollback_triggers.is_empty())),
        ("NotificationARNs", !input.notification_arns.is_empty()),
        ("ResourceTypes", !input.resource_types.is_empty()),
        ("RoleARN", input.role_arn.is_some()),
        ("DeploymentConfig", is_special(input.deployment_config.as_ref())),
        ("DisableValidation", input.disable_validation == Some(true)),
    ])?;
    if let Some(same) = repeated(tx, &input.stack_name, input.client_request_token.as_deref()) {
        return Ok(api::CreateStackOutput { stack_id: Some(same), ..Default::default() });
    }
    let request = Request {
        template: body(input.template_body.as_deref())?,
        parameters: &input.parameters,
        tags: &input.tags,
        capabilities: &input.capabilities,
    };
    let on_failure = on_failure(input.disable_rollback, input.on_failure.as_deref())?;
    if input.timeout_in_minutes.is_some_and(|m| m < 1) {
        return Err(Error::Invalid("TimeoutInMinutes must be at least 1".into()).into());
    }
    let replaces_review = tx.rows_where::<Stack>("name", &input.stack_name).next().cloned();
    if let Some(stack) = replaces_review.filter(|s| s.status == StackStatus::ReviewInProgress) {
        return Err(Error::AlreadyExists(stack.name).into());
    }
    let wish = stack::wish(tx, cx, &request, None)?;
    let mut stack = stack::new(tx, cx, &input.stack_name, wish)?;
    stack.on_failure = on_failure;
    stack.capabilities = input.capabilities;
    stack.retain_except_on_create = input.retain_except_on_create == Some(true);
    stack.timeout_minutes = input.timeout_in_minutes;
    stack.termination_protection = input.enable_termination_protection.unwrap_or(false);
    stack.client_token = input.client_request_token;
    let id = stack.id.to_string();
    stack::begin_create(tx, cx, stack);
    Ok(api::CreateStackOutput { stack_id: Some(id), ..Default::default() })
}

/// The stack that the same request has made already.
fn repeated(tx: &Tx, name: &str, token: Option<&str>) -> Option<String> {
    let stack = tx.rows_where::<Stack>("name", name).next()?;
    (token.is_some() && stack.client_token.as_deref() == token).then(|| stack.id.to_string())
}

/// What the caller asks for and nothing here acts on is refused, never swallowed.
pub(crate) fn refuse(parameters: &[(&str, bool)]) -> Result<(), Error> {
    match parameters.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::Unsupported(format!("{name} is not supported by this region yet"))),
        None => Ok(()),
    }
}

/// Whether a deployment is wanted otherwise than `STANDARD`, which CDK names each time.
pub(crate) fn is_special(config: Option<&api::DeploymentConfig>) -> bool {
    config.is_some_and(|c| c.mode.as_deref().is_some_and(|mode| mode != "STANDARD") || c.disable_rollback == Some(true))
}

pub(crate) fn body(template: Option<&str>) -> Result<&str, Error> {
    template.ok_or_else(|| Error::Invalid("Either Template URL or Template Body must be specified.".into()))
}

fn on_failure(disable_rollback: Option<bool>, on_failure: Option<&str>) -> Result<OnFailure, Error> {
    match (disable_rollback, on_failure) {
        (Some(_), Some(_)) => Err(Error::Invalid("Specify either DisableRollback or OnFailure, but not both".into())),
        (Some(true), None) => Ok(OnFailure::DoNothing),
        (_, None) => Ok(OnFailure::Rollback),
        (None, Some(named)) => on_failure_named("onFailure", named),
    }
}

/// What a request wants done when a creation fails.
pub(crate) fn on_failure_named(member: &str, value: &str) -> Result<OnFailure, Error> {
    match value {
        "DO_NOTHING" => Ok(OnFailure::DoNothing),
        "ROLLBACK" => Ok(OnFailure::Rollback),
        "DELETE" => Ok(OnFailure::Delete),
        other => Err(Error::Invalid(format!(
            "1 validation error detected: Value '{other}' at '{member}' failed to satisfy constraint: Member must satisfy enum \
             value set: [DO_NOTHING, ROLLBACK, DELETE]"
        ))),
    }
}

pub(super) fn update_stack(tx: &mut Tx, cx: &Cx, input: api::UpdateStackInput) -> Result<api::UpdateStackOutput, Fault> {
    refuse(&[
        ("TemplateURL", input.template_url.is_some()),
        ("StackPolicyBody", input.stack_policy_body.is_some()),
        ("StackPolicyURL", input.stack_policy_url.is_some()),
        ("StackPolicyDuringUpdateBody", input.stack_policy_during_update_body.is_some()),
        ("StackPolicyDuringUpdateURL", input.stack_policy_during_update_url.is_some()),
        ("RollbackConfiguration", input.rollback_configuration.as_ref().is_some_and(|r| !r.rollback_triggers.is_empty())),
        ("NotificationARNs", !input.notification_arns.is_empty()),
        ("ResourceTypes", !input.resource_types.is_empty()),
        ("RoleARN", input.role_arn.is_some()),
        ("DeploymentConfig", is_special(input.deployment_config.as_ref())),
        ("DisableValidation", input.disable_validation == Some(true)),
    ])?;
    let none = |_| Error::NoStackNamed(input.stack_name.clone());
    let mut stack = stack::find_alive(tx, &input.stack_name).map_err(none)?.clone();
    let id = stack.id.to_string();
    if input.client_request_token.is_some() && stack.client_token == input.client_request_token {
        return Ok(api::UpdateStackOutput { stack_id: Some(id), ..Default::default() });
    }
    if !stack.status.can_update() {
        return Err(Error::WrongStatus { stack: id, status: stack.status.name(), verb: "updated" }.into());
    }
    let template = match (input.use_previous_template, input.template_body.as_deref()) {
        (Some(true), None) => stack.wish.template.clone(),
        (Some(true), Some(_)) => return Err(Error::both_templates().into()),
        (_, given) => body(given)?.to_string(),
    };
    let request =
        Request { template: &template, parameters: &input.parameters, tags: &input.tags, capabilities: &input.capabilities };
    let mut wish: Wish = stack::wish(tx, cx, &request, Some(&stack.wish))?;
    if input.tags.is_empty() {
        wish.tags = stack.wish.tags.clone();
    }
    stack.client_token = input.client_request_token;
    stack.capabilities = input.capabilities;
    stack.retain_except_on_create = input.retain_except_on_create == Some(true);
    stack.on_failure = on_failure(input.disable_rollback, None)?;
    change_set::outdate(tx, &stack.id);
    stack::begin_update(tx, cx, stack, wish)?;
    Ok(api::UpdateStackOutput { stack_id: Some(id), ..Default::default() })
}

pub(super) fn delete_stack(tx: &mut Tx, cx: &Cx, input: api::DeleteStackInput) -> Result<(), Fault> {
    refuse(&[
        ("RoleARN", input.role_arn.is_some()),
        ("DeletionMode", input.deletion_mode.as_deref().is_some_and(|mode| mode != "STANDARD")),
        ("DeploymentConfig", is_special(input.deployment_config.as_ref())),
    ])?;
    // Deleting what is not there succeeds, as at AWS.
    let Ok(stack) = stack::find_alive(tx, &input.stack_name) else { return Ok(()) };
    let mut stack = stack.clone();
    stack.client_token = input.client_request_token;
    Ok(stack::begin_delete(tx, cx, stack, &input.retain_resources)?)
}

pub(super) fn cancel_update_stack(tx: &mut Tx, cx: &Cx, input: api::CancelUpdateStackInput) -> Result<(), Fault> {
    let stack = stack::find_alive(tx, &input.stack_name)?.clone();
    if stack.status != StackStatus::UpdateInProgress {
        let text = "CancelUpdateStack cannot be called from current stack status";
        return Err(Error::Invalid(text.into()).into());
    }
    Ok(stack::begin_rollback(tx, cx, stack, "User Initiated")?)
}

pub(super) fn continue_update_rollback(
    tx: &mut Tx,
    cx: &Cx,
    input: api::ContinueUpdateRollbackInput,
) -> Result<api::ContinueUpdateRollbackOutput, Fault> {
    refuse(&[("RoleARN", input.role_arn.is_some()), ("ForceRollback", input.force_rollback == Some(true))])?;
    let stack = stack::find_alive(tx, &input.stack_name)?.clone();
    if stack.status != StackStatus::UpdateRollbackFailed {
        return Err(Error::WrongStatus { stack: stack.id.to_string(), status: stack.status.name(), verb: "rolled back" }.into());
    }
    stack::skip(tx, cx, &stack, &input.resources_to_skip)?;
    stack::begin_rollback(tx, cx, stack, "User Initiated")?;
    Ok(api::ContinueUpdateRollbackOutput::default())
}

pub(super) fn rollback_stack(tx: &mut Tx, cx: &Cx, input: api::RollbackStackInput) -> Result<api::RollbackStackOutput, Fault> {
    refuse(&[("RoleARN", input.role_arn.is_some()), ("DeploymentConfig", is_special(input.deployment_config.as_ref()))])?;
    let mut stack = stack::find_alive(tx, &input.stack_name)?.clone();
    let id = stack.id.to_string();
    if !matches!(stack.status, StackStatus::CreateFailed | StackStatus::UpdateFailed) {
        return Err(Error::WrongStatus { stack: id, status: stack.status.name(), verb: "rolled back" }.into());
    }
    stack.retain_except_on_create = input.retain_except_on_create == Some(true);
    stack::begin_rollback(tx, cx, stack, "User Initiated")?;
    Ok(api::RollbackStackOutput { stack_id: Some(id), ..Default::default() })
}

pub(super) fn update_termination_protection(
    tx: &mut Tx,
    _: &Cx,
    input: api::UpdateTerminationProtectionInput,
) -> Result<api::UpdateTerminationProtectionOutput, Fault> {
    let mut stack = stack::find_alive(tx, &input.stack_name)?.clone();
    stack.termination_protection = input.enable_termination_protection;
    let id = stack.id.to_string();
    tx.put(stack);
    Ok(api::UpdateTerminationProtectionOutput { stack_id: Some(id) })
}
