//! Shapes of `iam`, generated: do not edit.

shape!(AddRoleToInstanceProfileRequest { instance_profile_name: String, role_name: String });

shape!(AttachRolePolicyRequest { role_name: String, policy_arn: String });

shape!(AttachedPermissionsBoundary {
    permissions_boundary_type: Option<String>,
    permissions_boundary_arn: Option<String>,
});

shape!(AttachedPolicy {
    policy_name: Option<String>,
    policy_arn: Option<String>,
});

shape!(CreateInstanceProfileRequest {
    instance_profile_name: String,
    path: Option<String>,
    tags: Vec<Tag>,
});

shape!(CreateInstanceProfileResponse { instance_profile: InstanceProfile });

shape!(CreatePolicyRequest {
    policy_name: String,
    path: Option<String>,
    policy_document: String,
    description: Option<String>,
    tags: Vec<Tag>,
});

shape!(CreatePolicyResponse {
    policy: Option<Policy>,
});

shape!(CreatePolicyVersionRequest {
    policy_arn: String,
    policy_document: String,
    set_as_default: Option<bool>,
});

shape!(CreatePolicyVersionResponse {
    policy_version: Option<PolicyVersion>,
});

shape!(CreateRoleRequest {
    path: Option<String>,
    role_name: String,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
});

shape!(CreateRoleResponse { role: Role });

shape!(DeleteInstanceProfileRequest { instance_profile_name: String });

shape!(DeletePolicyRequest { policy_arn: String });

shape!(DeletePolicyVersionRequest { policy_arn: String, version_id: String });

shape!(DeleteRolePolicyRequest { role_name: String, policy_name: String });

shape!(DeleteRoleRequest { role_name: String });

shape!(DeleteServerCertificateRequest { server_certificate_name: String });

shape!(DetachRolePolicyRequest { role_name: String, policy_arn: String });

shape!(GetInstanceProfileRequest { instance_profile_name: String });

shape!(GetInstanceProfileResponse { instance_profile: InstanceProfile });

shape!(GetPolicyRequest { policy_arn: String });

shape!(GetPolicyResponse {
    policy: Option<Policy>,
});

shape!(GetPolicyVersionRequest { policy_arn: String, version_id: String });

shape!(GetPolicyVersionResponse {
    policy_version: Option<PolicyVersion>,
});

shape!(GetRolePolicyRequest { role_name: String, policy_name: String });

shape!(GetRolePolicyResponse { role_name: String, policy_name: String, policy_document: String });

shape!(GetRoleRequest { role_name: String });

shape!(GetRoleResponse { role: Role });

shape!(GetServerCertificateRequest { server_certificate_name: String });

shape!(GetServerCertificateResponse { server_certificate: ServerCertificate });

shape!(InstanceProfile {
    path: String,
    instance_profile_name: String,
    instance_profile_id: String,
    arn: String,
    create_date: base::Time,
    roles: Vec<Role>,
    tags: Vec<Tag>,
});

shape!(ListAttachedRolePoliciesRequest {
    role_name: String,
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListAttachedRolePoliciesResponse {
    attached_policies: Vec<AttachedPolicy>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListEntitiesForPolicyRequest {
    policy_arn: String,
    entity_filter: Option<String>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListEntitiesForPolicyResponse {
    policy_groups: Vec<PolicyGroup>,
    policy_users: Vec<PolicyUser>,
    policy_roles: Vec<PolicyRole>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListInstanceProfileTagsRequest {
    instance_profile_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListInstanceProfileTagsResponse {
    tags: Vec<Tag>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListInstanceProfilesForRoleRequest {
    role_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListInstanceProfilesForRoleResponse {
    instance_profiles: Vec<InstanceProfile>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListInstanceProfilesRequest {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListInstanceProfilesResponse {
    instance_profiles: Vec<InstanceProfile>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListPoliciesRequest {
    scope: Option<String>,
    only_attached: Option<bool>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListPoliciesResponse {
    policies: Vec<Policy>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListPolicyVersionsRequest {
    policy_arn: String,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListPolicyVersionsResponse {
    versions: Vec<PolicyVersion>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListRolePoliciesRequest {
    role_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListRolePoliciesResponse {
    policy_names: Vec<String>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListRoleTagsRequest {
    role_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListRoleTagsResponse {
    tags: Vec<Tag>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListRolesRequest {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListRolesResponse {
    roles: Vec<Role>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListServerCertificateTagsRequest {
    server_certificate_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListServerCertificateTagsResponse {
    tags: Vec<Tag>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(ListServerCertificatesRequest {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
});

shape!(ListServerCertificatesResponse {
    server_certificate_metadata_list: Vec<ServerCertificateMetadata>,
    is_truncated: Option<bool>,
    marker: Option<String>,
});

shape!(Policy {
    policy_name: Option<String>,
    policy_id: Option<String>,
    arn: Option<String>,
    path: Option<String>,
    default_version_id: Option<String>,
    attachment_count: Option<i64>,
    permissions_boundary_usage_count: Option<i64>,
    is_attachable: Option<bool>,
    description: Option<String>,
    create_date: Option<base::Time>,
    update_date: Option<base::Time>,
    tags: Vec<Tag>,
});

shape!(PolicyGroup {
    group_name: Option<String>,
    group_id: Option<String>,
});

shape!(PolicyRole {
    role_name: Option<String>,
    role_id: Option<String>,
});

shape!(PolicyUser {
    user_name: Option<String>,
    user_id: Option<String>,
});

shape!(PolicyVersion {
    document: Option<String>,
    version_id: Option<String>,
    is_default_version: Option<bool>,
    create_date: Option<base::Time>,
});

shape!(PutRolePolicyRequest { role_name: String, policy_name: String, policy_document: String });

shape!(RemoveRoleFromInstanceProfileRequest { instance_profile_name: String, role_name: String });

shape!(Role {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: base::Time,
    assume_role_policy_document: Option<String>,
    description: Option<String>,
    max_session_duration: Option<i64>,
    permissions_boundary: Option<AttachedPermissionsBoundary>,
    tags: Vec<Tag>,
    role_last_used: Option<RoleLastUsed>,
    source_role_template: Option<SourceRoleTemplate>,
});

shape!(RoleLastUsed {
    last_used_date: Option<base::Time>,
    region: Option<String>,
});

shape!(ServerCertificate {
    server_certificate_metadata: ServerCertificateMetadata,
    certificate_body: String,
    certificate_chain: Option<String>,
    tags: Vec<Tag>,
});

shape!(ServerCertificateMetadata {
    path: String,
    server_certificate_name: String,
    server_certificate_id: String,
    arn: String,
    upload_date: Option<base::Time>,
    expiration: Option<base::Time>,
});

shape!(SourceRoleTemplate { template_arn: String, template_minor_version: i64 });

shape!(Tag { key: String, value: String });

shape!(TagInstanceProfileRequest {
    instance_profile_name: String,
    tags: Vec<Tag>,
});

shape!(TagPolicyRequest {
    policy_arn: String,
    tags: Vec<Tag>,
});

shape!(TagRoleRequest {
    role_name: String,
    tags: Vec<Tag>,
});

shape!(TagServerCertificateRequest {
    server_certificate_name: String,
    tags: Vec<Tag>,
});

shape!(UntagInstanceProfileRequest {
    instance_profile_name: String,
    tag_keys: Vec<String>,
});

shape!(UntagPolicyRequest {
    policy_arn: String,
    tag_keys: Vec<String>,
});

shape!(UntagRoleRequest {
    role_name: String,
    tag_keys: Vec<String>,
});

shape!(UntagServerCertificateRequest {
    server_certificate_name: String,
    tag_keys: Vec<String>,
});

shape!(UpdateAssumeRolePolicyRequest { role_name: String, policy_document: String });

shape!(UpdateRoleDescriptionRequest { role_name: String, description: String });

shape!(UpdateRoleDescriptionResponse {
    role: Option<Role>,
});

shape!(UpdateRoleRequest {
    role_name: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
});

shape!(UpdateRoleResponse {});

shape!(UpdateServerCertificateRequest {
    server_certificate_name: String,
    new_path: Option<String>,
    new_server_certificate_name: Option<String>,
});

shape!(UploadServerCertificateRequest {
    path: Option<String>,
    server_certificate_name: String,
    certificate_body: String,
    private_key: String,
    certificate_chain: Option<String>,
    tags: Vec<Tag>,
});

shape!(UploadServerCertificateResponse {
    server_certificate_metadata: Option<ServerCertificateMetadata>,
    tags: Vec<Tag>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("iam" CreateRole super::CreateRoleRequest => super::CreateRoleResponse);
    operation!("iam" GetRole super::GetRoleRequest => super::GetRoleResponse);
    operation!("iam" DeleteRole super::DeleteRoleRequest => ());
    operation!("iam" ListRoles super::ListRolesRequest => super::ListRolesResponse);
    operation!("iam" UpdateRole super::UpdateRoleRequest => super::UpdateRoleResponse);
    operation!("iam" UpdateRoleDescription super::UpdateRoleDescriptionRequest => super::UpdateRoleDescriptionResponse);
    operation!("iam" UpdateAssumeRolePolicy super::UpdateAssumeRolePolicyRequest => ());
    operation!("iam" PutRolePolicy super::PutRolePolicyRequest => ());
    operation!("iam" GetRolePolicy super::GetRolePolicyRequest => super::GetRolePolicyResponse);
    operation!("iam" DeleteRolePolicy super::DeleteRolePolicyRequest => ());
    operation!("iam" ListRolePolicies super::ListRolePoliciesRequest => super::ListRolePoliciesResponse);
    operation!("iam" AttachRolePolicy super::AttachRolePolicyRequest => ());
    operation!("iam" DetachRolePolicy super::DetachRolePolicyRequest => ());
    operation!("iam" ListAttachedRolePolicies super::ListAttachedRolePoliciesRequest => super::ListAttachedRolePoliciesResponse);
    operation!("iam" TagRole super::TagRoleRequest => ());
    operation!("iam" UntagRole super::UntagRoleRequest => ());
    operation!("iam" ListRoleTags super::ListRoleTagsRequest => super::ListRoleTagsResponse);
    operation!("iam" CreateInstanceProfile super::CreateInstanceProfileRequest => super::CreateInstanceProfileResponse);
    operation!("iam" GetInstanceProfile super::GetInstanceProfileRequest => super::GetInstanceProfileResponse);
    operation!("iam" DeleteInstanceProfile super::DeleteInstanceProfileRequest => ());
    operation!("iam" ListInstanceProfiles super::ListInstanceProfilesRequest => super::ListInstanceProfilesResponse);
    operation!("iam" ListInstanceProfilesForRole super::ListInstanceProfilesForRoleRequest => super::ListInstanceProfilesForRoleResponse);
    operation!("iam" AddRoleToInstanceProfile super::AddRoleToInstanceProfileRequest => ());
    operation!("iam" RemoveRoleFromInstanceProfile super::RemoveRoleFromInstanceProfileRequest => ());
    operation!("iam" TagInstanceProfile super::TagInstanceProfileRequest => ());
    operation!("iam" UntagInstanceProfile super::UntagInstanceProfileRequest => ());
    operation!("iam" ListInstanceProfileTags super::ListInstanceProfileTagsRequest => super::ListInstanceProfileTagsResponse);
    operation!("iam" CreatePolicy super::CreatePolicyRequest => super::CreatePolicyResponse);
    operation!("iam" GetPolicy super::GetPolicyRequest => super::GetPolicyResponse);
    operation!("iam" DeletePolicy super::DeletePolicyRequest => ());
    operation!("iam" ListPolicies super::ListPoliciesRequest => super::ListPoliciesResponse);
    operation!("iam" CreatePolicyVersion super::CreatePolicyVersionRequest => super::CreatePolicyVersionResponse);
    operation!("iam" GetPolicyVersion super::GetPolicyVersionRequest => super::GetPolicyVersionResponse);
    operation!("iam" DeletePolicyVersion super::DeletePolicyVersionRequest => ());
    operation!("iam" ListPolicyVersions super::ListPolicyVersionsRequest => super::ListPolicyVersionsResponse);
    operation!("iam" ListEntitiesForPolicy super::ListEntitiesForPolicyRequest => super::ListEntitiesForPolicyResponse);
    operation!("iam" TagPolicy super::TagPolicyRequest => ());
    operation!("iam" UntagPolicy super::UntagPolicyRequest => ());
    operation!("iam" UploadServerCertificate super::UploadServerCertificateRequest => super::UploadServerCertificateResponse);
    operation!("iam" GetServerCertificate super::GetServerCertificateRequest => super::GetServerCertificateResponse);
    operation!("iam" ListServerCertificates super::ListServerCertificatesRequest => super::ListServerCertificatesResponse);
    operation!("iam" UpdateServerCertificate super::UpdateServerCertificateRequest => ());
    operation!("iam" DeleteServerCertificate super::DeleteServerCertificateRequest => ());
    operation!("iam" TagServerCertificate super::TagServerCertificateRequest => ());
    operation!("iam" UntagServerCertificate super::UntagServerCertificateRequest => ());
    operation!("iam" ListServerCertificateTags super::ListServerCertificateTagsRequest => super::ListServerCertificateTagsResponse);
}
