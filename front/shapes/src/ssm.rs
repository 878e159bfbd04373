//! Shapes of `ssm`, generated: do not edit.

shape!(AddTagsToResourceRequest {
    resource_type: String,
    resource_id: String,
    tags: Vec<Tag>,
});

shape!(AddTagsToResourceResult {});

shape!(DeleteParameterRequest { name: String });

shape!(DeleteParameterResult {});

shape!(DescribeParametersRequest {
    filters: Vec<ParametersFilter>,
    parameter_filters: Vec<ParameterStringFilter>,
    max_results: Option<i64>,
    next_token: Option<String>,
    shared: Option<bool>,
});

shape!(DescribeParametersResult {
    parameters: Vec<ParameterMetadata>,
    next_token: Option<String>,
});

shape!(GetParameterRequest {
    name: String,
    with_decryption: Option<bool>,
});

shape!(GetParameterResult {
    parameter: Option<Parameter>,
});

shape!(GetParametersByPathRequest {
    path: String,
    recursive: Option<bool>,
    parameter_filters: Vec<ParameterStringFilter>,
    with_decryption: Option<bool>,
    max_results: Option<i64>,
    next_token: Option<String>,
});

shape!(GetParametersByPathResult {
    parameters: Vec<Parameter>,
    next_token: Option<String>,
});

shape!(GetParametersRequest {
    names: Vec<String>,
    with_decryption: Option<bool>,
});

shape!(GetParametersResult {
    parameters: Vec<Parameter>,
    invalid_parameters: Vec<String>,
});

shape!(ListTagsForResourceRequest { resource_type: String, resource_id: String });

shape!(ListTagsForResourceResult {
    tag_list: Vec<Tag>,
});

shape!(Parameter {
    name: Option<String>,
    r#type: Option<String>,
    value: Option<String>,
    version: Option<i64>,
    selector: Option<String>,
    source_result: Option<String>,
    last_modified_date: Option<base::Time>,
    arn: Option<String>,
    data_type: Option<String>,
});

shape!(ParameterInlinePolicy {
    policy_text: Option<String>,
    policy_type: Option<String>,
    policy_status: Option<String>,
});

shape!(ParameterMetadata {
    name: Option<String>,
    arn: Option<String>,
    r#type: Option<String>,
    key_id: Option<String>,
    last_modified_date: Option<base::Time>,
    last_modified_user: Option<String>,
    description: Option<String>,
    allowed_pattern: Option<String>,
    version: Option<i64>,
    tier: Option<String>,
    policies: Vec<ParameterInlinePolicy>,
    data_type: Option<String>,
});

shape!(ParameterStringFilter {
    key: String,
    option: Option<String>,
    values: Vec<String>,
});

shape!(ParametersFilter {
    key: String,
    values: Vec<String>,
});

shape!(PutParameterRequest {
    name: String,
    description: Option<String>,
    value: String,
    r#type: Option<String>,
    key_id: Option<String>,
    overwrite: Option<bool>,
    allowed_pattern: Option<String>,
    tags: Vec<Tag>,
    tier: Option<String>,
    policies: Option<String>,
    data_type: Option<String>,
});

shape!(PutParameterResult {
    version: Option<i64>,
    tier: Option<String>,
});

shape!(RemoveTagsFromResourceRequest {
    resource_type: String,
    resource_id: String,
    tag_keys: Vec<String>,
});

shape!(RemoveTagsFromResourceResult {});

shape!(Tag { key: String, value: String });

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("ssm" PutParameter super::PutParameterRequest => super::PutParameterResult);
    operation!("ssm" GetParameter super::GetParameterRequest => super::GetParameterResult);
    operation!("ssm" GetParameters super::GetParametersRequest => super::GetParametersResult);
    operation!("ssm" GetParametersByPath super::GetParametersByPathRequest => super::GetParametersByPathResult);
    operation!("ssm" DescribeParameters super::DescribeParametersRequest => super::DescribeParametersResult);
    operation!("ssm" DeleteParameter super::DeleteParameterRequest => super::DeleteParameterResult);
    operation!("ssm" AddTagsToResource super::AddTagsToResourceRequest => super::AddTagsToResourceResult);
    operation!("ssm" RemoveTagsFromResource super::RemoveTagsFromResourceRequest => super::RemoveTagsFromResourceResult);
    operation!("ssm" ListTagsForResource super::ListTagsForResourceRequest => super::ListTagsForResourceResult);
}
