//! Shapes of `cloudformation`, generated: do not edit.

shape!(AccountLimit {
    name: Option<String>,
    value: Option<i64>,
});

shape!(CancelUpdateStackInput {
    stack_name: String,
    client_request_token: Option<String>,
});

shape!(Change {
    r#type: Option<String>,
    hook_invocation_count: Option<i64>,
    resource_change: Option<ResourceChange>,
});

shape!(ChangeSetSummary {
    stack_id: Option<String>,
    stack_name: Option<String>,
    change_set_id: Option<String>,
    change_set_name: Option<String>,
    execution_status: Option<String>,
    status: Option<String>,
    status_reason: Option<String>,
    creation_time: Option<base::Time>,
    description: Option<String>,
    include_nested_stacks: Option<bool>,
    parent_change_set_id: Option<String>,
    root_change_set_id: Option<String>,
    import_existing_resources: Option<bool>,
});

shape!(ContinueUpdateRollbackInput {
    stack_name: String,
    role_arn: Option<String>,
    resources_to_skip: Vec<String>,
    client_request_token: Option<String>,
    force_rollback: Option<bool>,
});

shape!(ContinueUpdateRollbackOutput {});

shape!(CreateChangeSetInput {
    stack_name: String,
    template_body: Option<String>,
    template_url: Option<String>,
    use_previous_template: Option<bool>,
    parameters: Vec<Parameter>,
    capabilities: Vec<String>,
    resource_types: Vec<String>,
    role_arn: Option<String>,
    rollback_configuration: Option<RollbackConfiguration>,
    notification_arns: Vec<String>,
    tags: Vec<Tag>,
    change_set_name: String,
    client_token: Option<String>,
    description: Option<String>,
    change_set_type: Option<String>,
    resources_to_import: Vec<ResourceToImport>,
    include_nested_stacks: Option<bool>,
    on_stack_failure: Option<String>,
    import_existing_resources: Option<bool>,
    deployment_mode: Option<String>,
    deployment_config: Option<DeploymentConfig>,
    disable_validation: Option<bool>,
});

shape!(CreateChangeSetOutput {
    id: Option<String>,
    stack_id: Option<String>,
});

shape!(CreateStackInput {
    stack_name: String,
    template_body: Option<String>,
    template_url: Option<String>,
    parameters: Vec<Parameter>,
    disable_rollback: Option<bool>,
    rollback_configuration: Option<RollbackConfiguration>,
    timeout_in_minutes: Option<i64>,
    notification_arns: Vec<String>,
    capabilities: Vec<String>,
    resource_types: Vec<String>,
    role_arn: Option<String>,
    on_failure: Option<String>,
    stack_policy_body: Option<String>,
    stack_policy_url: Option<String>,
    tags: Vec<Tag>,
    client_request_token: Option<String>,
    enable_termination_protection: Option<bool>,
    retain_except_on_create: Option<bool>,
    deployment_config: Option<DeploymentConfig>,
    disable_validation: Option<bool>,
});

shape!(CreateStackOutput {
    stack_id: Option<String>,
    operation_id: Option<String>,
});

shape!(DeleteChangeSetInput {
    change_set_name: String,
    stack_name: Option<String>,
});

shape!(DeleteChangeSetOutput {});

shape!(DeleteStackInput {
    stack_name: String,
    retain_resources: Vec<String>,
    role_arn: Option<String>,
    client_request_token: Option<String>,
    deletion_mode: Option<String>,
    deployment_config: Option<DeploymentConfig>,
});

shape!(DeploymentConfig {
    mode: Option<String>,
    disable_rollback: Option<bool>,
});

shape!(DescribeAccountLimitsInput {
    next_token: Option<String>,
});

shape!(DescribeAccountLimitsOutput {
    account_limits: Vec<AccountLimit>,
    next_token: Option<String>,
});

shape!(DescribeChangeSetInput {
    change_set_name: String,
    stack_name: Option<String>,
    next_token: Option<String>,
    include_property_values: Option<bool>,
});

shape!(DescribeChangeSetOutput {
    change_set_name: Option<String>,
    change_set_id: Option<String>,
    stack_id: Option<String>,
    stack_name: Option<String>,
    description: Option<String>,
    parameters: Vec<Parameter>,
    creation_time: Option<base::Time>,
    execution_status: Option<String>,
    status: Option<String>,
    status_reason: Option<String>,
    stack_drift_status: Option<String>,
    notification_arns: Vec<String>,
    rollback_configuration: Option<RollbackConfiguration>,
    capabilities: Vec<String>,
    tags: Vec<Tag>,
    changes: Vec<Change>,
    next_token: Option<String>,
    include_nested_stacks: Option<bool>,
    parent_change_set_id: Option<String>,
    root_change_set_id: Option<String>,
    on_stack_failure: Option<String>,
    import_existing_resources: Option<bool>,
    deployment_mode: Option<String>,
    deployment_config: Option<DeploymentConfig>,
});

shape!(DescribeStackEventsInput {
    stack_name: String,
    next_token: Option<String>,
});

shape!(DescribeStackEventsOutput {
    stack_events: Vec<StackEvent>,
    next_token: Option<String>,
});

shape!(DescribeStackResourceInput { stack_name: String, logical_resource_id: String });

shape!(DescribeStackResourceOutput {
    stack_resource_detail: Option<StackResourceDetail>,
});

shape!(DescribeStackResourcesInput {
    stack_name: Option<String>,
    logical_resource_id: Option<String>,
    physical_resource_id: Option<String>,
});

shape!(DescribeStackResourcesOutput {
    stack_resources: Vec<StackResource>,
});

shape!(DescribeStacksInput {
    stack_name: Option<String>,
    next_token: Option<String>,
});

shape!(DescribeStacksOutput {
    stacks: Vec<Stack>,
    next_token: Option<String>,
});

shape!(ExecuteChangeSetInput {
    change_set_name: String,
    stack_name: Option<String>,
    client_request_token: Option<String>,
    disable_rollback: Option<bool>,
    retain_except_on_create: Option<bool>,
});

shape!(ExecuteChangeSetOutput {});

shape!(Export {
    exporting_stack_id: Option<String>,
    name: Option<String>,
    value: Option<String>,
});

shape!(GetTemplateInput {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    template_stage: Option<String>,
});

shape!(GetTemplateOutput {
    template_body: Option<String>,
    stages_available: Vec<String>,
});

shape!(GetTemplateSummaryInput {
    template_body: Option<String>,
    template_url: Option<String>,
    stack_name: Option<String>,
    stack_set_name: Option<String>,
    call_as: Option<String>,
    template_summary_config: Option<TemplateSummaryConfig>,
});

shape!(GetTemplateSummaryOutput {
    parameters: Vec<ParameterDeclaration>,
    description: Option<String>,
    capabilities: Vec<String>,
    capabilities_reason: Option<String>,
    resource_types: Vec<String>,
    version: Option<String>,
    metadata: Option<String>,
    declared_transforms: Vec<String>,
    resource_identifier_summaries: Vec<ResourceIdentifierSummary>,
    warnings: Option<Warnings>,
});

shape!(ListChangeSetsInput {
    stack_name: String,
    next_token: Option<String>,
});

shape!(ListChangeSetsOutput {
    summaries: Vec<ChangeSetSummary>,
    next_token: Option<String>,
});

shape!(ListExportsInput {
    next_token: Option<String>,
});

shape!(ListExportsOutput {
    exports: Vec<Export>,
    next_token: Option<String>,
});

shape!(ListImportsInput {
    export_name: String,
    next_token: Option<String>,
});

shape!(ListImportsOutput {
    imports: Vec<String>,
    next_token: Option<String>,
});

shape!(ListStackResourcesInput {
    stack_name: String,
    next_token: Option<String>,
});

shape!(ListStackResourcesOutput {
    stack_resource_summaries: Vec<StackResourceSummary>,
    next_token: Option<String>,
});

shape!(ListStacksInput {
    next_token: Option<String>,
    stack_status_filter: Vec<String>,
});

shape!(ListStacksOutput {
    stack_summaries: Vec<StackSummary>,
    next_token: Option<String>,
});

shape!(LiveResourceDrift {
    previous_value: Option<String>,
    actual_value: Option<String>,
    drift_detection_timestamp: Option<base::Time>,
});

shape!(ModuleInfo {
    type_hierarchy: Option<String>,
    logical_id_hierarchy: Option<String>,
});

shape!(OperationEntry {
    operation_type: Option<String>,
    operation_id: Option<String>,
});

shape!(Output {
    output_key: Option<String>,
    output_value: Option<String>,
    description: Option<String>,
    export_name: Option<String>,
});

shape!(Parameter {
    parameter_key: Option<String>,
    parameter_value: Option<String>,
    use_previous_value: Option<bool>,
    resolved_value: Option<String>,
});

shape!(ParameterConstraints {
    allowed_values: Vec<String>,
});

shape!(ParameterDeclaration {
    parameter_key: Option<String>,
    default_value: Option<String>,
    parameter_type: Option<String>,
    no_echo: Option<bool>,
    description: Option<String>,
    parameter_constraints: Option<ParameterConstraints>,
});

shape!(ResourceChange {
    policy_action: Option<String>,
    action: Option<String>,
    logical_resource_id: Option<String>,
    physical_resource_id: Option<String>,
    resource_type: Option<String>,
    replacement: Option<String>,
    scope: Vec<String>,
    resource_drift_status: Option<String>,
    resource_drift_ignored_attributes: Vec<ResourceDriftIgnoredAttribute>,
    details: Vec<ResourceChangeDetail>,
    change_set_id: Option<String>,
    module_info: Option<ModuleInfo>,
    before_context: Option<String>,
    after_context: Option<String>,
    previous_deployment_context: Option<String>,
});

shape!(ResourceChangeDetail {
    target: Option<ResourceTargetDefinition>,
    evaluation: Option<String>,
    change_source: Option<String>,
    causing_entity: Option<String>,
});

shape!(ResourceDriftIgnoredAttribute {
    path: Option<String>,
    reason: Option<String>,
});

shape!(ResourceIdentifierSummary {
    resource_type: Option<String>,
    logical_resource_ids: Vec<String>,
    resource_identifiers: Vec<String>,
});

shape!(ResourceTargetDefinition {
    attribute: Option<String>,
    name: Option<String>,
    requires_recreation: Option<String>,
    path: Option<String>,
    before_value: Option<String>,
    after_value: Option<String>,
    before_value_from: Option<String>,
    after_value_from: Option<String>,
    drift: Option<LiveResourceDrift>,
    attribute_change_type: Option<String>,
});

shape!(ResourceToImport {
    resource_type: String,
    logical_resource_id: String,
    resource_identifier: std::collections::BTreeMap<String, String>,
});

shape!(RollbackConfiguration {
    rollback_triggers: Vec<RollbackTrigger>,
    monitoring_time_in_minutes: Option<i64>,
});

shape!(RollbackStackInput {
    stack_name: String,
    role_arn: Option<String>,
    client_request_token: Option<String>,
    retain_except_on_create: Option<bool>,
    deployment_config: Option<DeploymentConfig>,
});

shape!(RollbackStackOutput {
    stack_id: Option<String>,
    operation_id: Option<String>,
});

shape!(RollbackTrigger { arn: String, r#type: String });

shape!(SignalResourceInput { stack_name: String, logical_resource_id: String, unique_id: String, status: String });

shape!(Stack {
    stack_id: Option<String>,
    stack_name: String,
    change_set_id: Option<String>,
    description: Option<String>,
    parameters: Vec<Parameter>,
    creation_time: base::Time,
    deletion_time: Option<base::Time>,
    last_updated_time: Option<base::Time>,
    rollback_configuration: Option<RollbackConfiguration>,
    stack_status: String,
    stack_status_reason: Option<String>,
    disable_rollback: Option<bool>,
    deployment_config: Option<DeploymentConfig>,
    notification_arns: Vec<String>,
    timeout_in_minutes: Option<i64>,
    capabilities: Vec<String>,
    outputs: Vec<Output>,
    role_arn: Option<String>,
    tags: Vec<Tag>,
    enable_termination_protection: Option<bool>,
    parent_id: Option<String>,
    root_id: Option<String>,
    drift_information: Option<StackDriftInformation>,
    retain_except_on_create: Option<bool>,
    deletion_mode: Option<String>,
    detailed_status: Option<String>,
    last_operations: Vec<OperationEntry>,
    alias_name: Option<String>,
});

shape!(StackDriftInformation {
    stack_drift_status: String,
    last_check_timestamp: Option<base::Time>,
});

shape!(StackDriftInformationSummary {
    stack_drift_status: String,
    last_check_timestamp: Option<base::Time>,
});

shape!(StackEvent {
    stack_id: String,
    event_id: String,
    stack_name: String,
    operation_id: Option<String>,
    logical_resource_id: Option<String>,
    physical_resource_id: Option<String>,
    resource_type: Option<String>,
    timestamp: base::Time,
    resource_status: Option<String>,
    resource_status_reason: Option<String>,
    resource_properties: Option<String>,
    client_request_token: Option<String>,
    hook_type: Option<String>,
    hook_status: Option<String>,
    hook_status_reason: Option<String>,
    hook_invocation_point: Option<String>,
    hook_invocation_id: Option<String>,
    hook_failure_mode: Option<String>,
    detailed_status: Option<String>,
});

shape!(StackResource {
    stack_name: Option<String>,
    stack_id: Option<String>,
    logical_resource_id: String,
    physical_resource_id: Option<String>,
    resource_type: String,
    timestamp: base::Time,
    resource_status: String,
    resource_status_reason: Option<String>,
    description: Option<String>,
    drift_information: Option<StackResourceDriftInformation>,
    module_info: Option<ModuleInfo>,
});

shape!(StackResourceDetail {
    stack_name: Option<String>,
    stack_id: Option<String>,
    logical_resource_id: String,
    physical_resource_id: Option<String>,
    resource_type: String,
    last_updated_timestamp: base::Time,
    resource_status: String,
    resource_status_reason: Option<String>,
    description: Option<String>,
    metadata: Option<String>,
    drift_information: Option<StackResourceDriftInformation>,
    module_info: Option<ModuleInfo>,
});

shape!(StackResourceDriftInformation {
    stack_resource_drift_status: String,
    last_check_timestamp: Option<base::Time>,
});

shape!(StackResourceDriftInformationSummary {
    stack_resource_drift_status: String,
    last_check_timestamp: Option<base::Time>,
});

shape!(StackResourceSummary {
    logical_resource_id: String,
    physical_resource_id: Option<String>,
    resource_type: String,
    last_updated_timestamp: base::Time,
    resource_status: String,
    resource_status_reason: Option<String>,
    drift_information: Option<StackResourceDriftInformationSummary>,
    module_info: Option<ModuleInfo>,
});

shape!(StackSummary {
    stack_id: Option<String>,
    stack_name: String,
    template_description: Option<String>,
    creation_time: base::Time,
    last_updated_time: Option<base::Time>,
    deletion_time: Option<base::Time>,
    stack_status: String,
    stack_status_reason: Option<String>,
    parent_id: Option<String>,
    root_id: Option<String>,
    drift_information: Option<StackDriftInformationSummary>,
    last_operations: Vec<OperationEntry>,
});

shape!(Tag { key: String, value: String });

shape!(TemplateParameter {
    parameter_key: Option<String>,
    default_value: Option<String>,
    no_echo: Option<bool>,
    description: Option<String>,
});

shape!(TemplateSummaryConfig {
    treat_unrecognized_resource_types_as_warnings: Option<bool>,
});

shape!(UpdateStackInput {
    stack_name: String,
    template_body: Option<String>,
    template_url: Option<String>,
    use_previous_template: Option<bool>,
    stack_policy_during_update_body: Option<String>,
    stack_policy_during_update_url: Option<String>,
    parameters: Vec<Parameter>,
    capabilities: Vec<String>,
    resource_types: Vec<String>,
    role_arn: Option<String>,
    rollback_configuration: Option<RollbackConfiguration>,
    stack_policy_body: Option<String>,
    stack_policy_url: Option<String>,
    notification_arns: Vec<String>,
    tags: Vec<Tag>,
    disable_rollback: Option<bool>,
    client_request_token: Option<String>,
    retain_except_on_create: Option<bool>,
    deployment_config: Option<DeploymentConfig>,
    disable_validation: Option<bool>,
});

shape!(UpdateStackOutput {
    stack_id: Option<String>,
    operation_id: Option<String>,
});

shape!(UpdateTerminationProtectionInput { enable_termination_protection: bool, stack_name: String });

shape!(UpdateTerminationProtectionOutput {
    stack_id: Option<String>,
});

shape!(ValidateTemplateInput {
    template_body: Option<String>,
    template_url: Option<String>,
});

shape!(ValidateTemplateOutput {
    parameters: Vec<TemplateParameter>,
    description: Option<String>,
    capabilities: Vec<String>,
    capabilities_reason: Option<String>,
    declared_transforms: Vec<String>,
});

shape!(Warnings {
    unrecognized_resource_types: Vec<String>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("cloudformation" CancelUpdateStack super::CancelUpdateStackInput => ());
    operation!("cloudformation" ContinueUpdateRollback super::ContinueUpdateRollbackInput => super::ContinueUpdateRollbackOutput);
    operation!("cloudformation" CreateChangeSet super::CreateChangeSetInput => super::CreateChangeSetOutput);
    operation!("cloudformation" CreateStack super::CreateStackInput => super::CreateStackOutput);
    operation!("cloudformation" DeleteChangeSet super::DeleteChangeSetInput => super::DeleteChangeSetOutput);
    operation!("cloudformation" DeleteStack super::DeleteStackInput => ());
    operation!("cloudformation" DescribeAccountLimits super::DescribeAccountLimitsInput => super::DescribeAccountLimitsOutput);
    operation!("cloudformation" DescribeChangeSet super::DescribeChangeSetInput => super::DescribeChangeSetOutput);
    operation!("cloudformation" DescribeStackEvents super::DescribeStackEventsInput => super::DescribeStackEventsOutput);
    operation!("cloudformation" DescribeStackResource super::DescribeStackResourceInput => super::DescribeStackResourceOutput);
    operation!("cloudformation" DescribeStackResources super::DescribeStackResourcesInput => super::DescribeStackResourcesOutput);
    operation!("cloudformation" DescribeStacks super::DescribeStacksInput => super::DescribeStacksOutput);
    operation!("cloudformation" ExecuteChangeSet super::ExecuteChangeSetInput => super::ExecuteChangeSetOutput);
    operation!("cloudformation" GetTemplate super::GetTemplateInput => super::GetTemplateOutput);
    operation!("cloudformation" GetTemplateSummary super::GetTemplateSummaryInput => super::GetTemplateSummaryOutput);
    operation!("cloudformation" ListChangeSets super::ListChangeSetsInput => super::ListChangeSetsOutput);
    operation!("cloudformation" ListExports super::ListExportsInput => super::ListExportsOutput);
    operation!("cloudformation" ListImports super::ListImportsInput => super::ListImportsOutput);
    operation!("cloudformation" ListStackResources super::ListStackResourcesInput => super::ListStackResourcesOutput);
    operation!("cloudformation" ListStacks super::ListStacksInput => super::ListStacksOutput);
    operation!("cloudformation" RollbackStack super::RollbackStackInput => super::RollbackStackOutput);
    operation!("cloudformation" SignalResource super::SignalResourceInput => ());
    operation!("cloudformation" UpdateStack super::UpdateStackInput => super::UpdateStackOutput);
    operation!("cloudformation" UpdateTerminationProtection super::UpdateTerminationProtectionInput => super::UpdateTerminationProtectionOutput);
    operation!("cloudformation" ValidateTemplate super::ValidateTemplateInput => super::ValidateTemplateOutput);
}
