//! Shapes of `elbv2`, generated: do not edit.

shape!(Action {
    r#type: String,
    target_group_arn: Option<String>,
    authenticate_oidc_config: Option<AuthenticateOidcActionConfig>,
    authenticate_cognito_config: Option<AuthenticateCognitoActionConfig>,
    order: Option<i64>,
    redirect_config: Option<RedirectActionConfig>,
    fixed_response_config: Option<FixedResponseActionConfig>,
    forward_config: Option<ForwardActionConfig>,
    jwt_validation_config: Option<JwtValidationActionConfig>,
});

shape!(AddListenerCertificatesInput {
    listener_arn: String,
    certificates: Vec<Certificate>,
});

shape!(AddListenerCertificatesOutput {
    certificates: Vec<Certificate>,
});

shape!(AddTagsInput {
    resource_arns: Vec<String>,
    tags: Vec<Tag>,
});

shape!(AddTagsOutput {});

shape!(AddTrustStoreRevocationsInput {
    trust_store_arn: String,
    revocation_contents: Vec<RevocationContent>,
});

shape!(AddTrustStoreRevocationsOutput {
    trust_store_revocations: Vec<TrustStoreRevocation>,
});

shape!(AdministrativeOverride {
    state: Option<String>,
    reason: Option<String>,
    description: Option<String>,
});

shape!(AnomalyDetection {
    result: Option<String>,
    mitigation_in_effect: Option<String>,
});

shape!(AuthenticateCognitoActionConfig {
    user_pool_arn: String,
    user_pool_client_id: String,
    user_pool_domain: String,
    session_cookie_name: Option<String>,
    scope: Option<String>,
    session_timeout: Option<i64>,
    authentication_request_extra_params: std::collections::BTreeMap<String, String>,
    on_unauthenticated_request: Option<String>,
});

shape!(AuthenticateOidcActionConfig {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    user_info_endpoint: String,
    client_id: String,
    client_secret: Option<String>,
    session_cookie_name: Option<String>,
    scope: Option<String>,
    session_timeout: Option<i64>,
    authentication_request_extra_params: std::collections::BTreeMap<String, String>,
    on_unauthenticated_request: Option<String>,
    use_existing_client_secret: Option<bool>,
});

shape!(AvailabilityZone {
    zone_name: Option<String>,
    subnet_id: Option<String>,
    outpost_id: Option<String>,
    load_balancer_addresses: Vec<LoadBalancerAddress>,
    source_nat_ipv6_prefixes: Vec<String>,
});

shape!(CapacityReservationStatus {
    code: Option<String>,
    reason: Option<String>,
});

shape!(Certificate {
    certificate_arn: Option<String>,
    is_default: Option<bool>,
});

shape!(Cipher {
    name: Option<String>,
    priority: Option<i64>,
});

shape!(CreateListenerInput {
    load_balancer_arn: String,
    protocol: Option<String>,
    port: Option<i64>,
    ssl_policy: Option<String>,
    certificates: Vec<Certificate>,
    default_actions: Vec<Action>,
    alpn_policy: Vec<String>,
    tags: Vec<Tag>,
    mutual_authentication: Option<MutualAuthenticationAttributes>,
});

shape!(CreateListenerOutput {
    listeners: Vec<Listener>,
});

shape!(CreateLoadBalancerInput {
    name: String,
    subnets: Vec<String>,
    subnet_mappings: Vec<SubnetMapping>,
    security_groups: Vec<String>,
    scheme: Option<String>,
    tags: Vec<Tag>,
    r#type: Option<String>,
    ip_address_type: Option<String>,
    customer_owned_ipv4_pool: Option<String>,
    enable_prefix_for_ipv6_source_nat: Option<String>,
    ipam_pools: Option<IpamPools>,
});

shape!(CreateLoadBalancerOutput {
    load_balancers: Vec<LoadBalancer>,
});

shape!(CreateRuleInput {
    listener_arn: String,
    conditions: Vec<RuleCondition>,
    priority: i64,
    actions: Vec<Action>,
    tags: Vec<Tag>,
    transforms: Vec<RuleTransform>,
});

shape!(CreateRuleOutput {
    rules: Vec<Rule>,
});

shape!(CreateTargetGroupInput {
    name: String,
    protocol: Option<String>,
    protocol_version: Option<String>,
    port: Option<i64>,
    vpc_id: Option<String>,
    health_check_protocol: Option<String>,
    health_check_port: Option<String>,
    health_check_enabled: Option<bool>,
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<i64>,
    health_check_timeout_seconds: Option<i64>,
    healthy_threshold_count: Option<i64>,
    unhealthy_threshold_count: Option<i64>,
    matcher: Option<Matcher>,
    target_type: Option<String>,
    tags: Vec<Tag>,
    ip_address_type: Option<String>,
    target_control_port: Option<i64>,
});

shape!(CreateTargetGroupOutput {
    target_groups: Vec<TargetGroup>,
});

shape!(CreateTrustStoreInput {
    name: String,
    ca_certificates_bundle_s3_bucket: String,
    ca_certificates_bundle_s3_key: String,
    ca_certificates_bundle_s3_object_version: Option<String>,
    tags: Vec<Tag>,
});

shape!(CreateTrustStoreOutput {
    trust_stores: Vec<TrustStore>,
});

shape!(DeleteListenerInput { listener_arn: String });

shape!(DeleteListenerOutput {});

shape!(DeleteLoadBalancerInput { load_balancer_arn: String });

shape!(DeleteLoadBalancerOutput {});

shape!(DeleteRuleInput { rule_arn: String });

shape!(DeleteRuleOutput {});

shape!(DeleteTargetGroupInput { target_group_arn: String });

shape!(DeleteTargetGroupOutput {});

shape!(DeleteTrustStoreInput { trust_store_arn: String });

shape!(DeleteTrustStoreOutput {});

shape!(DeregisterTargetsInput {
    target_group_arn: String,
    targets: Vec<TargetDescription>,
});

shape!(DeregisterTargetsOutput {});

shape!(DescribeAccountLimitsInput {
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeAccountLimitsOutput {
    limits: Vec<Limit>,
    next_marker: Option<String>,
});

shape!(DescribeCapacityReservationInput { load_balancer_arn: String });

shape!(DescribeCapacityReservationOutput {
    last_modified_time: Option<base::Time>,
    decrease_requests_remaining: Option<i64>,
    minimum_load_balancer_capacity: Option<MinimumLoadBalancerCapacity>,
    capacity_reservation_state: Vec<ZonalCapacityReservationState>,
});

shape!(DescribeListenerAttributesInput { listener_arn: String });

shape!(DescribeListenerAttributesOutput {
    attributes: Vec<ListenerAttribute>,
});

shape!(DescribeListenerCertificatesInput {
    listener_arn: String,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeListenerCertificatesOutput {
    certificates: Vec<Certificate>,
    next_marker: Option<String>,
});

shape!(DescribeListenersInput {
    load_balancer_arn: Option<String>,
    listener_arns: Vec<String>,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeListenersOutput {
    listeners: Vec<Listener>,
    next_marker: Option<String>,
});

shape!(DescribeLoadBalancerAttributesInput { load_balancer_arn: String });

shape!(DescribeLoadBalancerAttributesOutput {
    attributes: Vec<LoadBalancerAttribute>,
});

shape!(DescribeLoadBalancersInput {
    load_balancer_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeLoadBalancersOutput {
    load_balancers: Vec<LoadBalancer>,
    next_marker: Option<String>,
});

shape!(DescribeRulesInput {
    listener_arn: Option<String>,
    rule_arns: Vec<String>,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeRulesOutput {
    rules: Vec<Rule>,
    next_marker: Option<String>,
});

shape!(DescribeSSLPoliciesInput {
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<i64>,
    load_balancer_type: Option<String>,
});

shape!(DescribeSSLPoliciesOutput {
    ssl_policies: Vec<SslPolicy>,
    next_marker: Option<String>,
});

shape!(DescribeTagsInput {
    resource_arns: Vec<String>,
});

shape!(DescribeTagsOutput {
    tag_descriptions: Vec<TagDescription>,
});

shape!(DescribeTargetGroupAttributesInput { target_group_arn: String });

shape!(DescribeTargetGroupAttributesOutput {
    attributes: Vec<TargetGroupAttribute>,
});

shape!(DescribeTargetGroupsInput {
    load_balancer_arn: Option<String>,
    target_group_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeTargetGroupsOutput {
    target_groups: Vec<TargetGroup>,
    next_marker: Option<String>,
});

shape!(DescribeTargetHealthInput {
    target_group_arn: String,
    targets: Vec<TargetDescription>,
    include: Vec<String>,
});

shape!(DescribeTargetHealthOutput {
    target_health_descriptions: Vec<TargetHealthDescription>,
});

shape!(DescribeTrustStoreAssociationsInput {
    trust_store_arn: String,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeTrustStoreAssociationsOutput {
    trust_store_associations: Vec<TrustStoreAssociation>,
    next_marker: Option<String>,
});

shape!(DescribeTrustStoreRevocation {
    trust_store_arn: Option<String>,
    revocation_id: Option<i64>,
    revocation_type: Option<String>,
    number_of_revoked_entries: Option<i64>,
});

shape!(DescribeTrustStoreRevocationsInput {
    trust_store_arn: String,
    revocation_ids: Vec<i64>,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeTrustStoreRevocationsOutput {
    trust_store_revocations: Vec<DescribeTrustStoreRevocation>,
    next_marker: Option<String>,
});

shape!(DescribeTrustStoresInput {
    trust_store_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<i64>,
});

shape!(DescribeTrustStoresOutput {
    trust_stores: Vec<TrustStore>,
    next_marker: Option<String>,
});

shape!(FixedResponseActionConfig {
    message_body: Option<String>,
    status_code: String,
    content_type: Option<String>,
});

shape!(ForwardActionConfig {
    target_groups: Vec<TargetGroupTuple>,
    target_group_stickiness_config: Option<TargetGroupStickinessConfig>,
});

shape!(GetTrustStoreCaCertificatesBundleInput { trust_store_arn: String });

shape!(GetTrustStoreCaCertificatesBundleOutput {
    location: Option<String>,
});

shape!(GetTrustStoreRevocationContentInput { trust_store_arn: String, revocation_id: i64 });

shape!(GetTrustStoreRevocationContentOutput {
    location: Option<String>,
});

shape!(HostHeaderConditionConfig {
    values: Vec<String>,
    regex_values: Vec<String>,
});

shape!(HostHeaderRewriteConfig {
    rewrites: Vec<RewriteConfig>,
});

shape!(HttpHeaderConditionConfig {
    http_header_name: Option<String>,
    values: Vec<String>,
    regex_values: Vec<String>,
});

shape!(HttpRequestMethodConditionConfig {
    values: Vec<String>,
});

shape!(IpamPools {
    ipv4_ipam_pool_id: Option<String>,
});

shape!(JwtValidationActionAdditionalClaim {
    format: String,
    name: String,
    values: Vec<String>,
});

shape!(JwtValidationActionConfig {
    jwks_endpoint: String,
    issuer: String,
    additional_claims: Vec<JwtValidationActionAdditionalClaim>,
});

shape!(Limit {
    name: Option<String>,
    max: Option<String>,
});

shape!(Listener {
    listener_arn: Option<String>,
    load_balancer_arn: Option<String>,
    port: Option<i64>,
    protocol: Option<String>,
    certificates: Vec<Certificate>,
    ssl_policy: Option<String>,
    default_actions: Vec<Action>,
    alpn_policy: Vec<String>,
    mutual_authentication: Option<MutualAuthenticationAttributes>,
});

shape!(ListenerAttribute {
    key: Option<String>,
    value: Option<String>,
});

shape!(LoadBalancer {
    load_balancer_arn: Option<String>,
    dns_name: Option<String>,
    canonical_hosted_zone_id: Option<String>,
    created_time: Option<base::Time>,
    load_balancer_name: Option<String>,
    scheme: Option<String>,
    vpc_id: Option<String>,
    state: Option<LoadBalancerState>,
    r#type: Option<String>,
    availability_zones: Vec<AvailabilityZone>,
    security_groups: Vec<String>,
    ip_address_type: Option<String>,
    customer_owned_ipv4_pool: Option<String>,
    enforce_security_group_inbound_rules_on_private_link_traffic: Option<String>,
    enable_prefix_for_ipv6_source_nat: Option<String>,
    ipam_pools: Option<IpamPools>,
});

shape!(LoadBalancerAddress {
    ip_address: Option<String>,
    allocation_id: Option<String>,
    private_i_pv4_address: Option<String>,
    i_pv6_address: Option<String>,
});

shape!(LoadBalancerAttribute {
    key: Option<String>,
    value: Option<String>,
});

shape!(LoadBalancerState {
    code: Option<String>,
    reason: Option<String>,
});

shape!(Matcher {
    http_code: Option<String>,
    grpc_code: Option<String>,
});

shape!(MinimumLoadBalancerCapacity {
    capacity_units: Option<i64>,
});

shape!(ModifyCapacityReservationInput {
    load_balancer_arn: String,
    minimum_load_balancer_capacity: Option<MinimumLoadBalancerCapacity>,
    reset_capacity_reservation: Option<bool>,
});

shape!(ModifyCapacityReservationOutput {
    last_modified_time: Option<base::Time>,
    decrease_requests_remaining: Option<i64>,
    minimum_load_balancer_capacity: Option<MinimumLoadBalancerCapacity>,
    capacity_reservation_state: Vec<ZonalCapacityReservationState>,
});

shape!(ModifyListenerAttributesInput {
    listener_arn: String,
    attributes: Vec<ListenerAttribute>,
});

shape!(ModifyListenerAttributesOutput {
    attributes: Vec<ListenerAttribute>,
});

shape!(ModifyListenerInput {
    listener_arn: String,
    port: Option<i64>,
    protocol: Option<String>,
    ssl_policy: Option<String>,
    certificates: Vec<Certificate>,
    default_actions: Vec<Action>,
    alpn_policy: Vec<String>,
    mutual_authentication: Option<MutualAuthenticationAttributes>,
});

shape!(ModifyListenerOutput {
    listeners: Vec<Listener>,
});

shape!(ModifyLoadBalancerAttributesInput {
    load_balancer_arn: String,
    attributes: Vec<LoadBalancerAttribute>,
});

shape!(ModifyLoadBalancerAttributesOutput {
    attributes: Vec<LoadBalancerAttribute>,
});

shape!(ModifyRuleInput {
    rule_arn: String,
    conditions: Vec<RuleCondition>,
    actions: Vec<Action>,
    transforms: Vec<RuleTransform>,
    reset_transforms: Option<bool>,
});

shape!(ModifyRuleOutput {
    rules: Vec<Rule>,
});

shape!(ModifyTargetGroupAttributesInput {
    target_group_arn: String,
    attributes: Vec<TargetGroupAttribute>,
});

shape!(ModifyTargetGroupAttributesOutput {
    attributes: Vec<TargetGroupAttribute>,
});

shape!(ModifyTargetGroupInput {
    target_group_arn: String,
    health_check_protocol: Option<String>,
    health_check_port: Option<String>,
    health_check_path: Option<String>,
    health_check_enabled: Option<bool>,
    health_check_interval_seconds: Option<i64>,
    health_check_timeout_seconds: Option<i64>,
    healthy_threshold_count: Option<i64>,
    unhealthy_threshold_count: Option<i64>,
    matcher: Option<Matcher>,
});

shape!(ModifyTargetGroupOutput {
    target_groups: Vec<TargetGroup>,
});

shape!(ModifyTrustStoreInput {
    trust_store_arn: String,
    ca_certificates_bundle_s3_bucket: String,
    ca_certificates_bundle_s3_key: String,
    ca_certificates_bundle_s3_object_version: Option<String>,
});

shape!(ModifyTrustStoreOutput {
    trust_stores: Vec<TrustStore>,
});

shape!(MutualAuthenticationAttributes {
    mode: Option<String>,
    trust_store_arn: Option<String>,
    ignore_client_certificate_expiry: Option<bool>,
    trust_store_association_status: Option<String>,
    advertise_trust_store_ca_names: Option<String>,
});

shape!(PathPatternConditionConfig {
    values: Vec<String>,
    regex_values: Vec<String>,
});

shape!(QueryStringConditionConfig {
    values: Vec<QueryStringKeyValuePair>,
});

shape!(QueryStringKeyValuePair {
    key: Option<String>,
    value: Option<String>,
});

shape!(RedirectActionConfig {
    protocol: Option<String>,
    port: Option<String>,
    host: Option<String>,
    path: Option<String>,
    query: Option<String>,
    status_code: String,
});

shape!(RegisterTargetsInput {
    target_group_arn: String,
    targets: Vec<TargetDescription>,
});

shape!(RegisterTargetsOutput {});

shape!(RemoveListenerCertificatesInput {
    listener_arn: String,
    certificates: Vec<Certificate>,
});

shape!(RemoveListenerCertificatesOutput {});

shape!(RemoveTagsInput {
    resource_arns: Vec<String>,
    tag_keys: Vec<String>,
});

shape!(RemoveTagsOutput {});

shape!(RemoveTrustStoreRevocationsInput {
    trust_store_arn: String,
    revocation_ids: Vec<i64>,
});

shape!(RemoveTrustStoreRevocationsOutput {});

shape!(RevocationContent {
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    revocation_type: Option<String>,
});

shape!(RewriteConfig { regex: String, replace: String });

shape!(Rule {
    rule_arn: Option<String>,
    priority: Option<String>,
    conditions: Vec<RuleCondition>,
    actions: Vec<Action>,
    is_default: Option<bool>,
    transforms: Vec<RuleTransform>,
});

shape!(RuleCondition {
    field: Option<String>,
    values: Vec<String>,
    host_header_config: Option<HostHeaderConditionConfig>,
    path_pattern_config: Option<PathPatternConditionConfig>,
    http_header_config: Option<HttpHeaderConditionConfig>,
    query_string_config: Option<QueryStringConditionConfig>,
    http_request_method_config: Option<HttpRequestMethodConditionConfig>,
    source_ip_config: Option<SourceIpConditionConfig>,
    regex_values: Vec<String>,
});

shape!(RulePriorityPair {
    rule_arn: Option<String>,
    priority: Option<i64>,
});

shape!(RuleTransform {
    r#type: String,
    host_header_rewrite_config: Option<HostHeaderRewriteConfig>,
    url_rewrite_config: Option<UrlRewriteConfig>,
});

shape!(SetIpAddressTypeInput { load_balancer_arn: String, ip_address_type: String });

shape!(SetIpAddressTypeOutput {
    ip_address_type: Option<String>,
});

shape!(SetRulePrioritiesInput {
    rule_priorities: Vec<RulePriorityPair>,
});

shape!(SetRulePrioritiesOutput {
    rules: Vec<Rule>,
});

shape!(SetSecurityGroupsInput {
    load_balancer_arn: String,
    security_groups: Vec<String>,
    enforce_security_group_inbound_rules_on_private_link_traffic: Option<String>,
});

shape!(SetSecurityGroupsOutput {
    security_group_ids: Vec<String>,
    enforce_security_group_inbound_rules_on_private_link_traffic: Option<String>,
});

shape!(SetSubnetsInput {
    load_balancer_arn: String,
    subnets: Vec<String>,
    subnet_mappings: Vec<SubnetMapping>,
    ip_address_type: Option<String>,
    enable_prefix_for_ipv6_source_nat: Option<String>,
});

shape!(SetSubnetsOutput {
    availability_zones: Vec<AvailabilityZone>,
    ip_address_type: Option<String>,
    enable_prefix_for_ipv6_source_nat: Option<String>,
});

shape!(SourceIpConditionConfig {
    values: Vec<String>,
    ip_address_type: Option<String>,
});

shape!(SslPolicy {
    ssl_protocols: Vec<String>,
    ciphers: Vec<Cipher>,
    name: Option<String>,
    supported_load_balancer_types: Vec<String>,
});

shape!(SubnetMapping {
    subnet_id: Option<String>,
    allocation_id: Option<String>,
    private_i_pv4_address: Option<String>,
    i_pv6_address: Option<String>,
    source_nat_ipv6_prefix: Option<String>,
});

shape!(Tag {
    key: String,
    value: Option<String>,
});

shape!(TagDescription {
    resource_arn: Option<String>,
    tags: Vec<Tag>,
});

shape!(TargetDescription {
    id: String,
    port: Option<i64>,
    availability_zone: Option<String>,
    quic_server_id: Option<String>,
});

shape!(TargetGroup {
    target_group_arn: Option<String>,
    target_group_name: Option<String>,
    protocol: Option<String>,
    port: Option<i64>,
    vpc_id: Option<String>,
    health_check_protocol: Option<String>,
    health_check_port: Option<String>,
    health_check_enabled: Option<bool>,
    health_check_interval_seconds: Option<i64>,
    health_check_timeout_seconds: Option<i64>,
    healthy_threshold_count: Option<i64>,
    unhealthy_threshold_count: Option<i64>,
    health_check_path: Option<String>,
    matcher: Option<Matcher>,
    load_balancer_arns: Vec<String>,
    target_type: Option<String>,
    protocol_version: Option<String>,
    ip_address_type: Option<String>,
    target_control_port: Option<i64>,
});

shape!(TargetGroupAttribute {
    key: Option<String>,
    value: Option<String>,
});

shape!(TargetGroupStickinessConfig {
    enabled: Option<bool>,
    duration_seconds: Option<i64>,
});

shape!(TargetGroupTuple {
    target_group_arn: Option<String>,
    weight: Option<i64>,
});

shape!(TargetHealth {
    state: Option<String>,
    reason: Option<String>,
    description: Option<String>,
});

shape!(TargetHealthDescription {
    target: Option<TargetDescription>,
    health_check_port: Option<String>,
    target_health: Option<TargetHealth>,
    anomaly_detection: Option<AnomalyDetection>,
    administrative_override: Option<AdministrativeOverride>,
});

shape!(TrustStore {
    name: Option<String>,
    trust_store_arn: Option<String>,
    status: Option<String>,
    number_of_ca_certificates: Option<i64>,
    total_revoked_entries: Option<i64>,
});

shape!(TrustStoreAssociation {
    resource_arn: Option<String>,
});

shape!(TrustStoreRevocation {
    trust_store_arn: Option<String>,
    revocation_id: Option<i64>,
    revocation_type: Option<String>,
    number_of_revoked_entries: Option<i64>,
});

shape!(UrlRewriteConfig {
    rewrites: Vec<RewriteConfig>,
});

shape!(ZonalCapacityReservationState {
    state: Option<CapacityReservationStatus>,
    availability_zone: Option<String>,
    effective_capacity_units: Option<f64>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("elbv2" AddListenerCertificates super::AddListenerCertificatesInput => super::AddListenerCertificatesOutput);
    operation!("elbv2" AddTags super::AddTagsInput => super::AddTagsOutput);
    operation!("elbv2" AddTrustStoreRevocations super::AddTrustStoreRevocationsInput => super::AddTrustStoreRevocationsOutput);
    operation!("elbv2" CreateListener super::CreateListenerInput => super::CreateListenerOutput);
    operation!("elbv2" CreateLoadBalancer super::CreateLoadBalancerInput => super::CreateLoadBalancerOutput);
    operation!("elbv2" CreateRule super::CreateRuleInput => super::CreateRuleOutput);
    operation!("elbv2" CreateTargetGroup super::CreateTargetGroupInput => super::CreateTargetGroupOutput);
    operation!("elbv2" CreateTrustStore super::CreateTrustStoreInput => super::CreateTrustStoreOutput);
    operation!("elbv2" DeleteListener super::DeleteListenerInput => super::DeleteListenerOutput);
    operation!("elbv2" DeleteLoadBalancer super::DeleteLoadBalancerInput => super::DeleteLoadBalancerOutput);
    operation!("elbv2" DeleteRule super::DeleteRuleInput => super::DeleteRuleOutput);
    operation!("elbv2" DeleteTargetGroup super::DeleteTargetGroupInput => super::DeleteTargetGroupOutput);
    operation!("elbv2" DeleteTrustStore super::DeleteTrustStoreInput => super::DeleteTrustStoreOutput);
    operation!("elbv2" DeregisterTargets super::DeregisterTargetsInput => super::DeregisterTargetsOutput);
    operation!("elbv2" DescribeAccountLimits super::DescribeAccountLimitsInput => super::DescribeAccountLimitsOutput);
    operation!("elbv2" DescribeCapacityReservation super::DescribeCapacityReservationInput => super::DescribeCapacityReservationOutput);
    operation!("elbv2" DescribeListenerAttributes super::DescribeListenerAttributesInput => super::DescribeListenerAttributesOutput);
    operation!("elbv2" DescribeListenerCertificates super::DescribeListenerCertificatesInput => super::DescribeListenerCertificatesOutput);
    operation!("elbv2" DescribeListeners super::DescribeListenersInput => super::DescribeListenersOutput);
    operation!("elbv2" DescribeLoadBalancerAttributes super::DescribeLoadBalancerAttributesInput => super::DescribeLoadBalancerAttributesOutput);
    operation!("elbv2" DescribeLoadBalancers super::DescribeLoadBalancersInput => super::DescribeLoadBalancersOutput);
    operation!("elbv2" DescribeRules super::DescribeRulesInput => super::DescribeRulesOutput);
    operation!("elbv2" DescribeSSLPolicies super::DescribeSSLPoliciesInput => super::DescribeSSLPoliciesOutput);
    operation!("elbv2" DescribeTags super::DescribeTagsInput => super::DescribeTagsOutput);
    operation!("elbv2" DescribeTargetGroupAttributes super::DescribeTargetGroupAttributesInput => super::DescribeTargetGroupAttributesOutput);
    operation!("elbv2" DescribeTargetGroups super::DescribeTargetGroupsInput => super::DescribeTargetGroupsOutput);
    operation!("elbv2" DescribeTargetHealth super::DescribeTargetHealthInput => super::DescribeTargetHealthOutput);
    operation!("elbv2" DescribeTrustStoreAssociations super::DescribeTrustStoreAssociationsInput => super::DescribeTrustStoreAssociationsOutput);
    operation!("elbv2" DescribeTrustStoreRevocations super::DescribeTrustStoreRevocationsInput => super::DescribeTrustStoreRevocationsOutput);
    operation!("elbv2" DescribeTrustStores super::DescribeTrustStoresInput => super::DescribeTrustStoresOutput);
    operation!("elbv2" GetTrustStoreCaCertificatesBundle super::GetTrustStoreCaCertificatesBundleInput => super::GetTrustStoreCaCertificatesBundleOutput);
    operation!("elbv2" GetTrustStoreRevocationContent super::GetTrustStoreRevocationContentInput => super::GetTrustStoreRevocationContentOutput);
    operation!("elbv2" ModifyCapacityReservation super::ModifyCapacityReservationInput => super::ModifyCapacityReservationOutput);
    operation!("elbv2" ModifyListener super::ModifyListenerInput => super::ModifyListenerOutput);
    operation!("elbv2" ModifyListenerAttributes super::ModifyListenerAttributesInput => super::ModifyListenerAttributesOutput);
    operation!("elbv2" ModifyLoadBalancerAttributes super::ModifyLoadBalancerAttributesInput => super::ModifyLoadBalancerAttributesOutput);
    operation!("elbv2" ModifyRule super::ModifyRuleInput => super::ModifyRuleOutput);
    operation!("elbv2" ModifyTargetGroup super::ModifyTargetGroupInput => super::ModifyTargetGroupOutput);
    operation!("elbv2" ModifyTargetGroupAttributes super::ModifyTargetGroupAttributesInput => super::ModifyTargetGroupAttributesOutput);
    operation!("elbv2" ModifyTrustStore super::ModifyTrustStoreInput => super::ModifyTrustStoreOutput);
    operation!("elbv2" RegisterTargets super::RegisterTargetsInput => super::RegisterTargetsOutput);
    operation!("elbv2" RemoveListenerCertificates super::RemoveListenerCertificatesInput => super::RemoveListenerCertificatesOutput);
    operation!("elbv2" RemoveTags super::RemoveTagsInput => super::RemoveTagsOutput);
    operation!("elbv2" RemoveTrustStoreRevocations super::RemoveTrustStoreRevocationsInput => super::RemoveTrustStoreRevocationsOutput);
    operation!("elbv2" SetIpAddressType super::SetIpAddressTypeInput => super::SetIpAddressTypeOutput);
    operation!("elbv2" SetRulePriorities super::SetRulePrioritiesInput => super::SetRulePrioritiesOutput);
    operation!("elbv2" SetSecurityGroups super::SetSecurityGroupsInput => super::SetSecurityGroupsOutput);
    operation!("elbv2" SetSubnets super::SetSubnetsInput => super::SetSubnetsOutput);
}
