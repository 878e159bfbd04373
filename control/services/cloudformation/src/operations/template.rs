//! Operations on templates.

use base::Fault;
use kernel::{Cx, Tx};
use shapes::cloudformation as api;

use super::change::{body, refuse};
use crate::change_set::ChangeSet;
use crate::error::Error;
use crate::program::{self, Summary};
use crate::stack::find;

const CAPABILITIES_REASON: &str = "The following resource(s) require capabilities:";

pub(super) fn get_template(tx: &mut Tx, _: &Cx, input: api::GetTemplateInput) -> Result<api::GetTemplateOutput, Fault> {
    let template = match (&input.stack_name, &input.change_set_name) {
        (stack, Some(name)) => ChangeSet::find(tx, name, stack.as_deref())?.wish.template.clone(),
        (Some(name), None) => find(tx, name)?.wish.template.clone(),
        (None, None) => return Err(Error::Invalid("StackName is required if ChangeSetName is not specified.".into()).into()),
    };
    let stages_available = vec!["Original".into(), "Processed".into()];
    Ok(api::GetTemplateOutput { template_body: Some(template), stages_available })
}

fn capabilities_reason(summary: &Summary) -> Option<String> {
    let types = summary.resource_types.iter().filter(|t| program::gives_permissions(t)).cloned().collect::<Vec<_>>();
    (!summary.capabilities.is_empty()).then(|| format!("{CAPABILITIES_REASON} [{}]", types.join(", ")))
}

pub(super) fn get_template_summary(
    tx: &mut Tx,
    _: &Cx,
    input: api::GetTemplateSummaryInput,
) -> Result<api::GetTemplateSummaryOutput, Fault> {
    refuse(&[("TemplateURL", input.template_url.is_some()), ("StackSetName", input.stack_set_name.is_some())])?;
    let template = match &input.stack_name {
        Some(name) => find(tx, name)?.wish.template.clone(),
        None => body(input.template_body.as_deref())?.to_string(),
    };
    let summary = program::summary(tx, &template)?;
    let parameters = summary.parameters.iter().map(|p| api::ParameterDeclaration {
        parameter_key: Some(p.key.clone()),
        default_value: p.default.clone(),
        parameter_type: Some(p.type_name.clone()),
        no_echo: Some(p.no_echo),
        description: p.description.clone(),
        parameter_constraints: Some(api::ParameterConstraints { allowed_values: p.allowed_values.clone() }),
    });
    Ok(api::GetTemplateSummaryOutput {
        parameters: parameters.collect(),
        description: summary.description.clone(),
        capabilities: summary.capabilities.iter().map(|c| (*c).into()).collect(),
        capabilities_reason: capabilities_reason(&summary),
        version: summary.version.clone(),
        metadata: summary.metadata.clone(),
        resource_types: summary.resource_types,
        ..Default::default()
    })
}

pub(super) fn validate_template(
    tx: &mut Tx,
    _: &Cx,
    input: api::ValidateTemplateInput,
) -> Result<api::ValidateTemplateOutput, Fault> {
    refuse(&[("TemplateURL", input.template_url.is_some())])?;
    let summary = program::summary(tx, body(input.template_body.as_deref())?)?;
    let parameters = summary.parameters.iter().map(|p| api::TemplateParameter {
        parameter_key: Some(p.key.clone()),
        default_value: p.default.clone(),
        no_echo: Some(p.no_echo),
        description: p.description.clone(),
    });
    Ok(api::ValidateTemplateOutput {
        parameters: parameters.collect(),
        description: summary.description.clone(),
        capabilities: summary.capabilities.iter().map(|c| (*c).into()).collect(),
        capabilities_reason: capabilities_reason(&summary),
        ..Default::default()
    })
}
