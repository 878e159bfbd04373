//! Shapes of `ec2`, generated: do not edit.

shape!(AcceleratorCount {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(AcceleratorCountRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(AcceleratorTotalMemoryMiB {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(AcceleratorTotalMemoryMiBRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(AccountAttribute {
    attribute_name: Option<String>,
    attribute_values: Vec<AccountAttributeValue>,
});

shape!(AccountAttributeValue {
    attribute_value: Option<String>,
});

shape!(ApplicationStatusSummary {
    status: Option<String>,
    impaired_since: Option<base::Time>,
});

shape!(AssociateRouteTableRequest {
    gateway_id: Option<String>,
    public_ipv4_pool: Option<String>,
    dry_run: Option<bool>,
    subnet_id: Option<String>,
    route_table_id: String,
});

shape!(AssociateRouteTableResult {
    association_id: Option<String>,
    association_state: Option<RouteTableAssociationState>,
});

shape!(AttachInternetGatewayRequest {
    dry_run: Option<bool>,
    internet_gateway_id: String,
    vpc_id: String,
});

shape!(AttachmentEnaSrdSpecification {
    ena_srd_enabled: Option<bool>,
    ena_srd_udp_specification: Option<AttachmentEnaSrdUdpSpecification>,
});

shape!(AttachmentEnaSrdUdpSpecification {
    ena_srd_udp_enabled: Option<bool>,
});

shape!(AttributeBooleanValue {
    value: Option<bool>,
});

shape!(AttributeValue {
    value: Option<String>,
});

shape!(AuthorizeSecurityGroupEgressRequest {
    tag_specifications: Vec<TagSpecification>,
    dry_run: Option<bool>,
    group_id: String,
    source_security_group_name: Option<String>,
    source_security_group_owner_id: Option<String>,
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    cidr_ip: Option<String>,
    ip_permissions: Vec<IpPermission>,
});

shape!(AuthorizeSecurityGroupEgressResult {
    r#return: Option<bool>,
    security_group_rules: Vec<SecurityGroupRule>,
});

shape!(AuthorizeSecurityGroupIngressRequest {
    cidr_ip: Option<String>,
    from_port: Option<i64>,
    group_id: Option<String>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    ip_protocol: Option<String>,
    source_security_group_name: Option<String>,
    source_security_group_owner_id: Option<String>,
    to_port: Option<i64>,
    tag_specifications: Vec<TagSpecification>,
    dry_run: Option<bool>,
});

shape!(AuthorizeSecurityGroupIngressResult {
    r#return: Option<bool>,
    security_group_rules: Vec<SecurityGroupRule>,
});

shape!(AvailabilityZone {
    opt_in_status: Option<String>,
    messages: Vec<AvailabilityZoneMessage>,
    region_name: Option<String>,
    zone_name: Option<String>,
    zone_id: Option<String>,
    group_name: Option<String>,
    network_border_group: Option<String>,
    zone_type: Option<String>,
    parent_zone_name: Option<String>,
    parent_zone_id: Option<String>,
    group_long_name: Option<String>,
    geography: Vec<AvailabilityZoneGeography>,
    sub_geography: Vec<AvailabilityZoneSubGeography>,
    state: Option<String>,
});

shape!(AvailabilityZoneGeography {
    name: Option<String>,
});

shape!(AvailabilityZoneMessage {
    message: Option<String>,
});

shape!(AvailabilityZoneSubGeography {
    name: Option<String>,
});

shape!(BaselineEbsBandwidthMbps {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(BaselineEbsBandwidthMbpsRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(BaselinePerformanceFactors {
    cpu: Option<CpuPerformanceFactor>,
});

shape!(BaselinePerformanceFactorsRequest {
    cpu: Option<CpuPerformanceFactorRequest>,
});

shape!(BlockDeviceMapping {
    ebs: Option<EbsBlockDevice>,
    no_device: Option<String>,
    device_name: Option<String>,
    virtual_name: Option<String>,
});

shape!(BlockPublicAccessStates {
    internet_gateway_block_mode: Option<String>,
});

shape!(CapacityReservationSpecification {
    capacity_reservation_preference: Option<String>,
    capacity_reservation_target: Option<CapacityReservationTarget>,
});

shape!(CapacityReservationSpecificationResponse {
    capacity_reservation_preference: Option<String>,
    capacity_reservation_target: Option<CapacityReservationTargetResponse>,
});

shape!(CapacityReservationTarget {
    capacity_reservation_id: Option<String>,
    capacity_reservation_resource_group_arn: Option<String>,
});

shape!(CapacityReservationTargetResponse {
    capacity_reservation_id: Option<String>,
    capacity_reservation_resource_group_arn: Option<String>,
});

shape!(ConnectionTrackingConfiguration {
    tcp_established_timeout: Option<i64>,
    udp_stream_timeout: Option<i64>,
    udp_timeout: Option<i64>,
});

shape!(ConnectionTrackingSpecification {
    tcp_established_timeout: Option<i64>,
    udp_timeout: Option<i64>,
    udp_stream_timeout: Option<i64>,
});

shape!(ConnectionTrackingSpecificationRequest {
    tcp_established_timeout: Option<i64>,
    udp_stream_timeout: Option<i64>,
    udp_timeout: Option<i64>,
});

shape!(ConnectionTrackingSpecificationResponse {
    tcp_established_timeout: Option<i64>,
    udp_stream_timeout: Option<i64>,
    udp_timeout: Option<i64>,
});

shape!(CpuOptions {
    core_count: Option<i64>,
    threads_per_core: Option<i64>,
    amd_sev_snp: Option<String>,
    nested_virtualization: Option<String>,
});

shape!(CpuOptionsRequest {
    core_count: Option<i64>,
    threads_per_core: Option<i64>,
    amd_sev_snp: Option<String>,
    nested_virtualization: Option<String>,
});

shape!(CpuPerformanceFactor {
    references: Vec<PerformanceFactorReference>,
});

shape!(CpuPerformanceFactorRequest {
    references: Vec<PerformanceFactorReferenceRequest>,
});

shape!(CreateInternetGatewayRequest {
    tag_specifications: Vec<TagSpecification>,
    dry_run: Option<bool>,
});

shape!(CreateInternetGatewayResult {
    internet_gateway: Option<InternetGateway>,
});

shape!(CreateKeyPairRequest {
    key_name: String,
    key_type: Option<String>,
    tag_specifications: Vec<TagSpecification>,
    key_format: Option<String>,
    dry_run: Option<bool>,
});

shape!(CreateLaunchTemplateRequest {
    dry_run: Option<bool>,
    client_token: Option<String>,
    launch_template_name: String,
    version_description: Option<String>,
    launch_template_data: RequestLaunchTemplateData,
    operator: Option<OperatorRequest>,
    tag_specifications: Vec<TagSpecification>,
});

shape!(CreateLaunchTemplateResult {
    launch_template: Option<LaunchTemplate>,
    warning: Option<ValidationWarning>,
});

shape!(CreateLaunchTemplateVersionRequest {
    dry_run: Option<bool>,
    client_token: Option<String>,
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    source_version: Option<String>,
    version_description: Option<String>,
    launch_template_data: RequestLaunchTemplateData,
    resolve_alias: Option<bool>,
});

shape!(CreateLaunchTemplateVersionResult {
    launch_template_version: Option<LaunchTemplateVersion>,
    warning: Option<ValidationWarning>,
});

shape!(CreateRouteRequest {
    destination_prefix_list_id: Option<String>,
    vpc_endpoint_id: Option<String>,
    transit_gateway_id: Option<String>,
    local_gateway_id: Option<String>,
    carrier_gateway_id: Option<String>,
    core_network_arn: Option<String>,
    odb_network_arn: Option<String>,
    dry_run: Option<bool>,
    route_table_id: String,
    destination_cidr_block: Option<String>,
    gateway_id: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
    egress_only_internet_gateway_id: Option<String>,
    instance_id: Option<String>,
    network_interface_id: Option<String>,
    vpc_peering_connection_id: Option<String>,
    nat_gateway_id: Option<String>,
});

shape!(CreateRouteResult {
    r#return: Option<bool>,
});

shape!(CreateRouteTableRequest {
    tag_specifications: Vec<TagSpecification>,
    client_token: Option<String>,
    dry_run: Option<bool>,
    vpc_id: String,
});

shape!(CreateRouteTableResult {
    route_table: Option<RouteTable>,
    client_token: Option<String>,
});

shape!(CreateSecurityGroupRequest {
    description: String,
    group_name: String,
    vpc_id: Option<String>,
    tag_specifications: Vec<TagSpecification>,
    dry_run: Option<bool>,
});

shape!(CreateSecurityGroupResult {
    group_id: Option<String>,
    tags: Vec<Tag>,
    security_group_arn: Option<String>,
});

shape!(CreateSubnetRequest {
    tag_specifications: Vec<TagSpecification>,
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    cidr_block: Option<String>,
    ipv6_cidr_block: Option<String>,
    outpost_arn: Option<String>,
    vpc_id: String,
    ipv6_native: Option<bool>,
    ipv4_ipam_pool_id: Option<String>,
    ipv4_netmask_length: Option<i64>,
    ipv6_ipam_pool_id: Option<String>,
    ipv6_netmask_length: Option<i64>,
    dry_run: Option<bool>,
});

shape!(CreateSubnetResult {
    subnet: Option<Subnet>,
});

shape!(CreateTagsRequest {
    dry_run: Option<bool>,
    resources: Vec<String>,
    tags: Vec<Tag>,
});

shape!(CreateVpcRequest {
    cidr_block: Option<String>,
    ipv6_pool: Option<String>,
    ipv6_cidr_block: Option<String>,
    ipv4_ipam_pool_id: Option<String>,
    ipv4_netmask_length: Option<i64>,
    ipv6_ipam_pool_id: Option<String>,
    ipv6_netmask_length: Option<i64>,
    ipv6_cidr_block_network_border_group: Option<String>,
    vpc_encryption_control: Option<VpcEncryptionControlConfiguration>,
    tag_specifications: Vec<TagSpecification>,
    dry_run: Option<bool>,
    instance_tenancy: Option<String>,
    amazon_provided_ipv6_cidr_block: Option<bool>,
});

shape!(CreateVpcResult {
    vpc: Option<Vpc>,
});

shape!(CreditSpecification {
    cpu_credits: Option<String>,
});

shape!(CreditSpecificationRequest { cpu_credits: String });

shape!(DefaultConnectionTrackingConfiguration {
    default_tcp_established_timeout: Option<i64>,
    default_udp_timeout: Option<i64>,
    default_udp_stream_timeout: Option<i64>,
});

shape!(DeleteInternetGatewayRequest {
    dry_run: Option<bool>,
    internet_gateway_id: String,
});

shape!(DeleteKeyPairRequest {
    key_name: Option<String>,
    key_pair_id: Option<String>,
    dry_run: Option<bool>,
});

shape!(DeleteKeyPairResult {
    r#return: Option<bool>,
    key_pair_id: Option<String>,
});

shape!(DeleteLaunchTemplateRequest {
    dry_run: Option<bool>,
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
});

shape!(DeleteLaunchTemplateResult {
    launch_template: Option<LaunchTemplate>,
});

shape!(DeleteLaunchTemplateVersionsRequest {
    dry_run: Option<bool>,
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    versions: Vec<String>,
});

shape!(DeleteLaunchTemplateVersionsResponseErrorItem {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    version_number: Option<i64>,
    response_error: Option<ResponseError>,
});

shape!(DeleteLaunchTemplateVersionsResponseSuccessItem {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    version_number: Option<i64>,
});

shape!(DeleteLaunchTemplateVersionsResult {
    successfully_deleted_launch_template_versions: Vec<DeleteLaunchTemplateVersionsResponseSuccessItem>,
    unsuccessfully_deleted_launch_template_versions: Vec<DeleteLaunchTemplateVersionsResponseErrorItem>,
});

shape!(DeleteRouteRequest {
    destination_prefix_list_id: Option<String>,
    dry_run: Option<bool>,
    route_table_id: String,
    destination_cidr_block: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
});

shape!(DeleteRouteTableRequest {
    dry_run: Option<bool>,
    route_table_id: String,
});

shape!(DeleteSecurityGroupRequest {
    group_id: Option<String>,
    group_name: Option<String>,
    dry_run: Option<bool>,
});

shape!(DeleteSecurityGroupResult {
    r#return: Option<bool>,
    group_id: Option<String>,
});

shape!(DeleteSnapshotReturnCode {
    snapshot_id: Option<String>,
    return_code: Option<String>,
});

shape!(DeleteSubnetRequest {
    subnet_id: String,
    dry_run: Option<bool>,
});

shape!(DeleteTagsRequest {
    dry_run: Option<bool>,
    resources: Vec<String>,
    tags: Vec<Tag>,
});

shape!(DeleteVpcRequest {
    vpc_id: String,
    dry_run: Option<bool>,
});

shape!(DeregisterImageRequest {
    image_id: String,
    delete_associated_snapshots: Option<bool>,
    dry_run: Option<bool>,
});

shape!(DeregisterImageResult {
    r#return: Option<bool>,
    delete_snapshot_results: Vec<DeleteSnapshotReturnCode>,
});

shape!(DescribeAccountAttributesRequest {
    dry_run: Option<bool>,
    attribute_names: Vec<String>,
});

shape!(DescribeAccountAttributesResult {
    account_attributes: Vec<AccountAttribute>,
});

shape!(DescribeAvailabilityZonesRequest {
    zone_names: Vec<String>,
    zone_ids: Vec<String>,
    all_availability_zones: Option<bool>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
});

shape!(DescribeAvailabilityZonesResult {
    availability_zones: Vec<AvailabilityZone>,
});

shape!(DescribeImagesRequest {
    executable_users: Vec<String>,
    image_ids: Vec<String>,
    owners: Vec<String>,
    include_deprecated: Option<bool>,
    include_disabled: Option<bool>,
    max_results: Option<i64>,
    next_token: Option<String>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
});

shape!(DescribeImagesResult {
    next_token: Option<String>,
    images: Vec<Image>,
});

shape!(DescribeInstanceAttributeRequest {
    dry_run: Option<bool>,
    instance_id: String,
    attribute: String,
});

shape!(DescribeInstanceCreditSpecificationsRequest {
    dry_run: Option<bool>,
    filters: Vec<Filter>,
    instance_ids: Vec<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
});

shape!(DescribeInstanceCreditSpecificationsResult {
    instance_credit_specifications: Vec<InstanceCreditSpecification>,
    next_token: Option<String>,
});

shape!(DescribeInstanceStatusRequest {
    instance_ids: Vec<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
    include_managed_resources: Option<bool>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
    include_all_instances: Option<bool>,
});

shape!(DescribeInstanceStatusResult {
    instance_statuses: Vec<InstanceStatus>,
    next_token: Option<String>,
});

shape!(DescribeInstanceTypeOfferingsRequest {
    dry_run: Option<bool>,
    location_type: Option<String>,
    filters: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
});

shape!(DescribeInstanceTypeOfferingsResult {
    instance_type_offerings: Vec<InstanceTypeOffering>,
    next_token: Option<String>,
});

shape!(DescribeInstanceTypesRequest {
    dry_run: Option<bool>,
    instance_types: Vec<String>,
    filters: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
    include_unsupported_in_region: Option<bool>,
});

shape!(DescribeInstanceTypesResult {
    instance_types: Vec<InstanceTypeInfo>,
    next_token: Option<String>,
});

shape!(DescribeInstancesRequest {
    instance_ids: Vec<String>,
    include_managed_resources: Option<bool>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<i64>,
});

shape!(DescribeInstancesResult {
    next_token: Option<String>,
    reservations: Vec<Reservation>,
});

shape!(DescribeInternetGatewaysRequest {
    next_token: Option<String>,
    max_results: Option<i64>,
    dry_run: Option<bool>,
    internet_gateway_ids: Vec<String>,
    filters: Vec<Filter>,
});

shape!(DescribeInternetGatewaysResult {
    internet_gateways: Vec<InternetGateway>,
    next_token: Option<String>,
});

shape!(DescribeKeyPairsRequest {
    key_names: Vec<String>,
    key_pair_ids: Vec<String>,
    include_public_key: Option<bool>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
});

shape!(DescribeKeyPairsResult {
    key_pairs: Vec<KeyPairInfo>,
});

shape!(DescribeLaunchTemplateVersionsRequest {
    dry_run: Option<bool>,
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    versions: Vec<String>,
    min_version: Option<String>,
    max_version: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    filters: Vec<Filter>,
    resolve_alias: Option<bool>,
    include_managed_resources: Option<bool>,
});

shape!(DescribeLaunchTemplateVersionsResult {
    launch_template_versions: Vec<LaunchTemplateVersion>,
    next_token: Option<String>,
});

shape!(DescribeLaunchTemplatesRequest {
    dry_run: Option<bool>,
    launch_template_ids: Vec<String>,
    launch_template_names: Vec<String>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<i64>,
    include_managed_resources: Option<bool>,
});

shape!(DescribeLaunchTemplatesResult {
    launch_templates: Vec<LaunchTemplate>,
    next_token: Option<String>,
});

shape!(DescribeNetworkAclsRequest {
    next_token: Option<String>,
    max_results: Option<i64>,
    dry_run: Option<bool>,
    network_acl_ids: Vec<String>,
    filters: Vec<Filter>,
});

shape!(DescribeNetworkAclsResult {
    network_acls: Vec<NetworkAcl>,
    next_token: Option<String>,
});

shape!(DescribeNetworkInterfacesRequest {
    next_token: Option<String>,
    max_results: Option<i64>,
    include_managed_resources: Option<bool>,
    dry_run: Option<bool>,
    network_interface_ids: Vec<String>,
    filters: Vec<Filter>,
});

shape!(DescribeNetworkInterfacesResult {
    network_interfaces: Vec<NetworkInterface>,
    next_token: Option<String>,
});

shape!(DescribeRegionsRequest {
    region_names: Vec<String>,
    all_regions: Option<bool>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
});

shape!(DescribeRegionsResult {
    regions: Vec<Region>,
});

shape!(DescribeRouteTablesRequest {
    next_token: Option<String>,
    max_results: Option<i64>,
    dry_run: Option<bool>,
    route_table_ids: Vec<String>,
    filters: Vec<Filter>,
});

shape!(DescribeRouteTablesResult {
    route_tables: Vec<RouteTable>,
    next_token: Option<String>,
});

shape!(DescribeSecurityGroupRulesRequest {
    filters: Vec<Filter>,
    security_group_rule_ids: Vec<String>,
    dry_run: Option<bool>,
    next_token: Option<String>,
    max_results: Option<i64>,
});

shape!(DescribeSecurityGroupRulesResult {
    security_group_rules: Vec<SecurityGroupRule>,
    next_token: Option<String>,
});

shape!(DescribeSecurityGroupsRequest {
    group_ids: Vec<String>,
    group_names: Vec<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
});

shape!(DescribeSecurityGroupsResult {
    next_token: Option<String>,
    security_groups: Vec<SecurityGroup>,
});

shape!(DescribeSubnetsRequest {
    filters: Vec<Filter>,
    subnet_ids: Vec<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    dry_run: Option<bool>,
});

shape!(DescribeSubnetsResult {
    next_token: Option<String>,
    subnets: Vec<Subnet>,
});

shape!(DescribeTagsRequest {
    dry_run: Option<bool>,
    filters: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
});

shape!(DescribeTagsResult {
    next_token: Option<String>,
    tags: Vec<TagDescription>,
});

shape!(DescribeVolumesRequest {
    volume_ids: Vec<String>,
    include_managed_resources: Option<bool>,
    dry_run: Option<bool>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<i64>,
});

shape!(DescribeVolumesResult {
    next_token: Option<String>,
    volumes: Vec<Volume>,
});

shape!(DescribeVpcAttributeRequest {
    attribute: String,
    vpc_id: String,
    dry_run: Option<bool>,
});

shape!(DescribeVpcAttributeResult {
    enable_dns_hostnames: Option<AttributeBooleanValue>,
    enable_dns_support: Option<AttributeBooleanValue>,
    enable_network_address_usage_metrics: Option<AttributeBooleanValue>,
    vpc_id: Option<String>,
});

shape!(DescribeVpcsRequest {
    filters: Vec<Filter>,
    vpc_ids: Vec<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    dry_run: Option<bool>,
});

shape!(DescribeVpcsResult {
    next_token: Option<String>,
    vpcs: Vec<Vpc>,
});

shape!(DetachInternetGatewayRequest {
    dry_run: Option<bool>,
    internet_gateway_id: String,
    vpc_id: String,
});

shape!(DisassociateRouteTableRequest {
    dry_run: Option<bool>,
    association_id: String,
});

shape!(DiskInfo {
    size_in_gb: Option<i64>,
    count: Option<i64>,
    r#type: Option<String>,
});

shape!(EbsBlockDevice {
    delete_on_termination: Option<bool>,
    iops: Option<i64>,
    snapshot_id: Option<String>,
    volume_size: Option<i64>,
    volume_type: Option<String>,
    kms_key_id: Option<String>,
    throughput: Option<i64>,
    outpost_arn: Option<String>,
    availability_zone: Option<String>,
    encrypted: Option<bool>,
    volume_initialization_rate: Option<i64>,
    availability_zone_id: Option<String>,
    ebs_card_index: Option<i64>,
});

shape!(EbsCardInfo {
    ebs_card_index: Option<i64>,
    baseline_bandwidth_in_mbps: Option<i64>,
    baseline_throughput_in_m_bps: Option<f64>,
    baseline_iops: Option<i64>,
    maximum_bandwidth_in_mbps: Option<i64>,
    maximum_throughput_in_m_bps: Option<f64>,
    maximum_iops: Option<i64>,
});

shape!(EbsInfo {
    ebs_optimized_support: Option<String>,
    encryption_support: Option<String>,
    ebs_optimized_info: Option<EbsOptimizedInfo>,
    nvme_support: Option<String>,
    maximum_ebs_attachments: Option<i64>,
    attachment_limit_type: Option<String>,
    maximum_ebs_cards: Option<i64>,
    ebs_cards: Vec<EbsCardInfo>,
});

shape!(EbsInstanceBlockDevice {
    attach_time: Option<base::Time>,
    delete_on_termination: Option<bool>,
    status: Option<String>,
    volume_id: Option<String>,
    associated_resource: Option<String>,
    volume_owner_id: Option<String>,
    operator: Option<OperatorResponse>,
    ebs_card_index: Option<i64>,
});

shape!(EbsInstanceBlockDeviceSpecification {
    volume_id: Option<String>,
    delete_on_termination: Option<bool>,
});

shape!(EbsOptimizedInfo {
    baseline_bandwidth_in_mbps: Option<i64>,
    baseline_throughput_in_m_bps: Option<f64>,
    baseline_iops: Option<i64>,
    maximum_bandwidth_in_mbps: Option<i64>,
    maximum_throughput_in_m_bps: Option<f64>,
    maximum_iops: Option<i64>,
});

shape!(EbsStatusDetails {
    impaired_since: Option<base::Time>,
    name: Option<String>,
    status: Option<String>,
});

shape!(EbsStatusSummary {
    details: Vec<EbsStatusDetails>,
    status: Option<String>,
});

shape!(EfaInfo {
    maximum_efa_interfaces: Option<i64>,
});

shape!(ElasticGpuAssociation {
    elastic_gpu_id: Option<String>,
    elastic_gpu_association_id: Option<String>,
    elastic_gpu_association_state: Option<String>,
    elastic_gpu_association_time: Option<String>,
});

shape!(ElasticGpuSpecification { r#type: String });

shape!(ElasticGpuSpecificationResponse {
    r#type: Option<String>,
});

shape!(ElasticInferenceAccelerator {
    r#type: String,
    count: Option<i64>,
});

shape!(ElasticInferenceAcceleratorAssociation {
    elastic_inference_accelerator_arn: Option<String>,
    elastic_inference_accelerator_association_id: Option<String>,
    elastic_inference_accelerator_association_state: Option<String>,
    elastic_inference_accelerator_association_time: Option<base::Time>,
});

shape!(EnaSrdSpecificationRequest {
    ena_srd_enabled: Option<bool>,
    ena_srd_udp_specification: Option<EnaSrdUdpSpecificationRequest>,
});

shape!(EnaSrdUdpSpecificationRequest {
    ena_srd_udp_enabled: Option<bool>,
});

shape!(EnclaveOptions {
    enabled: Option<bool>,
});

shape!(EnclaveOptionsRequest {
    enabled: Option<bool>,
});

shape!(Filter {
    name: Option<String>,
    values: Vec<String>,
});

shape!(FpgaDeviceInfo {
    name: Option<String>,
    manufacturer: Option<String>,
    count: Option<i64>,
    memory_info: Option<FpgaDeviceMemoryInfo>,
});

shape!(FpgaDeviceMemoryInfo {
    size_in_mi_b: Option<i64>,
});

shape!(FpgaInfo {
    fpgas: Vec<FpgaDeviceInfo>,
    total_fpga_memory_in_mi_b: Option<i64>,
});

shape!(GetConsoleOutputRequest {
    instance_id: String,
    latest: Option<bool>,
    dry_run: Option<bool>,
});

shape!(GetConsoleOutputResult {
    instance_id: Option<String>,
    timestamp: Option<base::Time>,
    output: Option<String>,
});

shape!(GpuDeviceInfo {
    name: Option<String>,
    manufacturer: Option<String>,
    count: Option<i64>,
    logical_gpu_count: Option<i64>,
    gpu_partition_size: Option<f64>,
    workloads: Vec<String>,
    memory_info: Option<GpuDeviceMemoryInfo>,
});

shape!(GpuDeviceMemoryInfo {
    size_in_mi_b: Option<i64>,
});

shape!(GpuInfo {
    gpus: Vec<GpuDeviceInfo>,
    total_gpu_memory_in_mi_b: Option<i64>,
});

shape!(GroupIdentifier {
    group_id: Option<String>,
    group_name: Option<String>,
});

shape!(HibernationOptions {
    configured: Option<bool>,
});

shape!(HibernationOptionsRequest {
    configured: Option<bool>,
});

shape!(IamInstanceProfile {
    arn: Option<String>,
    id: Option<String>,
});

shape!(IamInstanceProfileSpecification {
    arn: Option<String>,
    name: Option<String>,
});

shape!(IcmpTypeCode {
    code: Option<i64>,
    r#type: Option<i64>,
});

shape!(Image {
    platform_details: Option<String>,
    usage_operation: Option<String>,
    block_device_mappings: Vec<BlockDeviceMapping>,
    description: Option<String>,
    ena_support: Option<bool>,
    hypervisor: Option<String>,
    image_owner_alias: Option<String>,
    name: Option<String>,
    root_device_name: Option<String>,
    root_device_type: Option<String>,
    sriov_net_support: Option<String>,
    state_reason: Option<StateReason>,
    tags: Vec<Tag>,
    virtualization_type: Option<String>,
    boot_mode: Option<String>,
    tpm_support: Option<String>,
    deprecation_time: Option<String>,
    imds_support: Option<String>,
    source_instance_id: Option<String>,
    deregistration_protection: Option<String>,
    last_launched_time: Option<String>,
    image_allowed: Option<bool>,
    source_image_id: Option<String>,
    source_image_region: Option<String>,
    free_tier_eligible: Option<bool>,
    public_ssm_parameter_name: Option<String>,
    image_watermarks: Vec<ImageWatermark>,
    scan_results: Option<ScanResults>,
    instance_type_specification: Option<InstanceTypeSpecification>,
    image_id: Option<String>,
    image_location: Option<String>,
    state: Option<String>,
    owner_id: Option<String>,
    creation_date: Option<String>,
    public: Option<bool>,
    product_codes: Vec<ProductCode>,
    architecture: Option<String>,
    image_type: Option<String>,
    kernel_id: Option<String>,
    ramdisk_id: Option<String>,
    platform: Option<String>,
});

shape!(ImageWatermark {
    watermark_key: Option<String>,
    source_image_region: Option<String>,
    source_image_id: Option<String>,
    source_image_creation_time: Option<base::Time>,
    watermark_creation_time: Option<base::Time>,
});

shape!(ImportKeyPairRequest {
    tag_specifications: Vec<TagSpecification>,
    dry_run: Option<bool>,
    key_name: String,
    public_key_material: Vec<u8>,
});

shape!(ImportKeyPairResult {
    key_fingerprint: Option<String>,
    key_name: Option<String>,
    key_pair_id: Option<String>,
    tags: Vec<Tag>,
});

shape!(InferenceAcceleratorInfo {
    accelerators: Vec<InferenceDeviceInfo>,
    total_inference_memory_in_mi_b: Option<i64>,
});

shape!(InferenceDeviceInfo {
    count: Option<i64>,
    name: Option<String>,
    manufacturer: Option<String>,
    memory_info: Option<InferenceDeviceMemoryInfo>,
});

shape!(InferenceDeviceMemoryInfo {
    size_in_mi_b: Option<i64>,
});

shape!(Instance {
    architecture: Option<String>,
    block_device_mappings: Vec<InstanceBlockDeviceMapping>,
    client_token: Option<String>,
    ebs_optimized: Option<bool>,
    ena_support: Option<bool>,
    hypervisor: Option<String>,
    iam_instance_profile: Option<IamInstanceProfile>,
    instance_lifecycle: Option<String>,
    elastic_gpu_associations: Vec<ElasticGpuAssociation>,
    elastic_inference_accelerator_associations: Vec<ElasticInferenceAcceleratorAssociation>,
    network_interfaces: Vec<InstanceNetworkInterface>,
    outpost_arn: Option<String>,
    root_device_name: Option<String>,
    root_device_type: Option<String>,
    security_groups: Vec<GroupIdentifier>,
    source_dest_check: Option<bool>,
    spot_instance_request_id: Option<String>,
    sriov_net_support: Option<String>,
    state_reason: Option<StateReason>,
    tags: Vec<Tag>,
    virtualization_type: Option<String>,
    cpu_options: Option<CpuOptions>,
    capacity_block_id: Option<String>,
    capacity_reservation_id: Option<String>,
    capacity_reservation_specification: Option<CapacityReservationSpecificationResponse>,
    hibernation_options: Option<HibernationOptions>,
    licenses: Vec<LicenseConfiguration>,
    metadata_options: Option<InstanceMetadataOptionsResponse>,
    enclave_options: Option<EnclaveOptions>,
    boot_mode: Option<String>,
    platform_details: Option<String>,
    usage_operation: Option<String>,
    usage_operation_update_time: Option<base::Time>,
    private_dns_name_options: Option<PrivateDnsNameOptionsResponse>,
    ipv6_address: Option<String>,
    tpm_support: Option<String>,
    maintenance_options: Option<InstanceMaintenanceOptions>,
    current_instance_boot_mode: Option<String>,
    network_performance_options: Option<InstanceNetworkPerformanceOptions>,
    operator: Option<OperatorResponse>,
    secondary_interfaces: Vec<InstanceSecondaryInterface>,
    instance_id: Option<String>,
    image_id: Option<String>,
    state: Option<InstanceState>,
    private_dns_name: Option<String>,
    public_dns_name: Option<String>,
    state_transition_reason: Option<String>,
    key_name: Option<String>,
    ami_launch_index: Option<i64>,
    product_codes: Vec<ProductCode>,
    instance_type: Option<String>,
    launch_time: Option<base::Time>,
    placement: Option<Placement>,
    kernel_id: Option<String>,
    ramdisk_id: Option<String>,
    platform: Option<String>,
    monitoring: Option<Monitoring>,
    subnet_id: Option<String>,
    vpc_id: Option<String>,
    private_ip_address: Option<String>,
    public_ip_address: Option<String>,
});

shape!(InstanceAttachmentEnaSrdSpecification {
    ena_srd_enabled: Option<bool>,
    ena_srd_udp_specification: Option<InstanceAttachmentEnaSrdUdpSpecification>,
});

shape!(InstanceAttachmentEnaSrdUdpSpecification {
    ena_srd_udp_enabled: Option<bool>,
});

shape!(InstanceAttribute {
    block_device_mappings: Vec<InstanceBlockDeviceMapping>,
    disable_api_termination: Option<AttributeBooleanValue>,
    ena_support: Option<AttributeBooleanValue>,
    enclave_options: Option<EnclaveOptions>,
    ebs_optimized: Option<AttributeBooleanValue>,
    instance_id: Option<String>,
    instance_initiated_shutdown_behavior: Option<AttributeValue>,
    instance_type: Option<AttributeValue>,
    kernel_id: Option<AttributeValue>,
    product_codes: Vec<ProductCode>,
    ramdisk_id: Option<AttributeValue>,
    root_device_name: Option<AttributeValue>,
    source_dest_check: Option<AttributeBooleanValue>,
    sriov_net_support: Option<AttributeValue>,
    user_data: Option<AttributeValue>,
    disable_api_stop: Option<AttributeBooleanValue>,
    groups: Vec<GroupIdentifier>,
});

shape!(InstanceBlockDeviceMapping {
    device_name: Option<String>,
    ebs: Option<EbsInstanceBlockDevice>,
});

shape!(InstanceBlockDeviceMappingSpecification {
    device_name: Option<String>,
    ebs: Option<EbsInstanceBlockDeviceSpecification>,
    virtual_name: Option<String>,
    no_device: Option<String>,
});

shape!(InstanceCreditSpecification {
    instance_id: Option<String>,
    cpu_credits: Option<String>,
});

shape!(InstanceIpv4Prefix {
    ipv4_prefix: Option<String>,
});

shape!(InstanceIpv6Address {
    ipv6_address: Option<String>,
    is_primary_ipv6: Option<bool>,
});

shape!(InstanceIpv6AddressRequest {
    ipv6_address: Option<String>,
});

shape!(InstanceIpv6Prefix {
    ipv6_prefix: Option<String>,
});

shape!(InstanceMaintenanceOptions {
    auto_recovery: Option<String>,
    reboot_migration: Option<String>,
});

shape!(InstanceMaintenanceOptionsRequest {
    auto_recovery: Option<String>,
});

shape!(InstanceMarketOptionsRequest {
    market_type: Option<String>,
    spot_options: Option<SpotMarketOptions>,
});

shape!(InstanceMetadataOptionsRequest {
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i64>,
    http_endpoint: Option<String>,
    http_protocol_ipv6: Option<String>,
    instance_metadata_tags: Option<String>,
});

shape!(InstanceMetadataOptionsResponse {
    state: Option<String>,
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i64>,
    http_endpoint: Option<String>,
    http_protocol_ipv6: Option<String>,
    instance_metadata_tags: Option<String>,
});

shape!(InstanceMonitoring {
    instance_id: Option<String>,
    monitoring: Option<Monitoring>,
});

shape!(InstanceNetworkInterface {
    association: Option<InstanceNetworkInterfaceAssociation>,
    attachment: Option<InstanceNetworkInterfaceAttachment>,
    description: Option<String>,
    groups: Vec<GroupIdentifier>,
    ipv6_addresses: Vec<InstanceIpv6Address>,
    mac_address: Option<String>,
    network_interface_id: Option<String>,
    owner_id: Option<String>,
    private_dns_name: Option<String>,
    private_ip_address: Option<String>,
    private_ip_addresses: Vec<InstancePrivateIpAddress>,
    source_dest_check: Option<bool>,
    status: Option<String>,
    subnet_id: Option<String>,
    vpc_id: Option<String>,
    interface_type: Option<String>,
    ipv4_prefixes: Vec<InstanceIpv4Prefix>,
    ipv6_prefixes: Vec<InstanceIpv6Prefix>,
    connection_tracking_configuration: Option<ConnectionTrackingSpecificationResponse>,
    operator: Option<OperatorResponse>,
});

shape!(InstanceNetworkInterfaceAssociation {
    carrier_ip: Option<String>,
    customer_owned_ip: Option<String>,
    ip_owner_id: Option<String>,
    public_dns_name: Option<String>,
    public_ip: Option<String>,
});

shape!(InstanceNetworkInterfaceAttachment {
    attach_time: Option<base::Time>,
    attachment_id: Option<String>,
    delete_on_termination: Option<bool>,
    device_index: Option<i64>,
    status: Option<String>,
    network_card_index: Option<i64>,
    ena_srd_specification: Option<InstanceAttachmentEnaSrdSpecification>,
    ena_queue_count: Option<i64>,
});

shape!(InstanceNetworkInterfaceSpecification {
    associate_public_ip_address: Option<bool>,
    delete_on_termination: Option<bool>,
    description: Option<String>,
    device_index: Option<i64>,
    groups: Vec<String>,
    ipv6_address_count: Option<i64>,
    ipv6_addresses: Vec<InstanceIpv6Address>,
    network_interface_id: Option<String>,
    private_ip_address: Option<String>,
    private_ip_addresses: Vec<PrivateIpAddressSpecification>,
    secondary_private_ip_address_count: Option<i64>,
    subnet_id: Option<String>,
    associate_carrier_ip_address: Option<bool>,
    interface_type: Option<String>,
    network_card_index: Option<i64>,
    ipv4_prefixes: Vec<Ipv4PrefixSpecificationRequest>,
    ipv4_prefix_count: Option<i64>,
    ipv6_prefixes: Vec<Ipv6PrefixSpecificationRequest>,
    ipv6_prefix_count: Option<i64>,
    primary_ipv6: Option<bool>,
    ena_srd_specification: Option<EnaSrdSpecificationRequest>,
    connection_tracking_specification: Option<ConnectionTrackingSpecificationRequest>,
    ena_queue_count: Option<i64>,
});

shape!(InstanceNetworkPerformanceOptions {
    bandwidth_weighting: Option<String>,
});

shape!(InstanceNetworkPerformanceOptionsRequest {
    bandwidth_weighting: Option<String>,
});

shape!(InstancePrivateIpAddress {
    association: Option<InstanceNetworkInterfaceAssociation>,
    primary: Option<bool>,
    private_dns_name: Option<String>,
    private_ip_address: Option<String>,
});

shape!(InstanceRequirements {
    v_cpu_count: Option<VCpuCountRange>,
    memory_mi_b: Option<MemoryMiB>,
    cpu_manufacturers: Vec<String>,
    memory_gi_b_per_v_cpu: Option<MemoryGiBPerVCpu>,
    excluded_instance_types: Vec<String>,
    instance_generations: Vec<String>,
    spot_max_price_percentage_over_lowest_price: Option<i64>,
    on_demand_max_price_percentage_over_lowest_price: Option<i64>,
    bare_metal: Option<String>,
    burstable_performance: Option<String>,
    require_hibernate_support: Option<bool>,
    network_interface_count: Option<NetworkInterfaceCount>,
    local_storage: Option<String>,
    local_storage_types: Vec<String>,
    total_local_storage_gb: Option<TotalLocalStorageGB>,
    baseline_ebs_bandwidth_mbps: Option<BaselineEbsBandwidthMbps>,
    accelerator_types: Vec<String>,
    accelerator_count: Option<AcceleratorCount>,
    accelerator_manufacturers: Vec<String>,
    accelerator_names: Vec<String>,
    accelerator_total_memory_mi_b: Option<AcceleratorTotalMemoryMiB>,
    network_bandwidth_gbps: Option<NetworkBandwidthGbps>,
    allowed_instance_types: Vec<String>,
    max_spot_price_as_percentage_of_optimal_on_demand_price: Option<i64>,
    baseline_performance_factors: Option<BaselinePerformanceFactors>,
    require_encryption_in_transit: Option<bool>,
});

shape!(InstanceRequirementsRequest {
    v_cpu_count: VCpuCountRangeRequest,
    memory_mi_b: MemoryMiBRequest,
    cpu_manufacturers: Vec<String>,
    memory_gi_b_per_v_cpu: Option<MemoryGiBPerVCpuRequest>,
    excluded_instance_types: Vec<String>,
    instance_generations: Vec<String>,
    spot_max_price_percentage_over_lowest_price: Option<i64>,
    on_demand_max_price_percentage_over_lowest_price: Option<i64>,
    bare_metal: Option<String>,
    burstable_performance: Option<String>,
    require_hibernate_support: Option<bool>,
    network_interface_count: Option<NetworkInterfaceCountRequest>,
    local_storage: Option<String>,
    local_storage_types: Vec<String>,
    total_local_storage_gb: Option<TotalLocalStorageGBRequest>,
    baseline_ebs_bandwidth_mbps: Option<BaselineEbsBandwidthMbpsRequest>,
    accelerator_types: Vec<String>,
    accelerator_count: Option<AcceleratorCountRequest>,
    accelerator_manufacturers: Vec<String>,
    accelerator_names: Vec<String>,
    accelerator_total_memory_mi_b: Option<AcceleratorTotalMemoryMiBRequest>,
    network_bandwidth_gbps: Option<NetworkBandwidthGbpsRequest>,
    allowed_instance_types: Vec<String>,
    max_spot_price_as_percentage_of_optimal_on_demand_price: Option<i64>,
    baseline_performance_factors: Option<BaselinePerformanceFactorsRequest>,
    require_encryption_in_transit: Option<bool>,
});

shape!(InstanceSecondaryInterface {
    attachment: Option<InstanceSecondaryInterfaceAttachment>,
    mac_address: Option<String>,
    secondary_interface_id: Option<String>,
    owner_id: Option<String>,
    private_ip_addresses: Vec<InstanceSecondaryInterfacePrivateIpAddress>,
    source_dest_check: Option<bool>,
    status: Option<String>,
    secondary_subnet_id: Option<String>,
    secondary_network_id: Option<String>,
    interface_type: Option<String>,
});

shape!(InstanceSecondaryInterfaceAttachment {
    attach_time: Option<base::Time>,
    attachment_id: Option<String>,
    delete_on_termination: Option<bool>,
    device_index: Option<i64>,
    status: Option<String>,
    network_card_index: Option<i64>,
});

shape!(InstanceSecondaryInterfacePrivateIpAddress {
    private_ip_address: Option<String>,
});

shape!(InstanceSecondaryInterfacePrivateIpAddressRequest { private_ip_address: String });

shape!(InstanceSecondaryInterfaceSpecificationRequest {
    delete_on_termination: Option<bool>,
    device_index: Option<i64>,
    private_ip_addresses: Vec<InstanceSecondaryInterfacePrivateIpAddressRequest>,
    private_ip_address_count: Option<i64>,
    secondary_subnet_id: Option<String>,
    interface_type: Option<String>,
    network_card_index: Option<i64>,
});

shape!(InstanceState {
    code: Option<i64>,
    name: Option<String>,
});

shape!(InstanceStateChange {
    instance_id: Option<String>,
    current_state: Option<InstanceState>,
    previous_state: Option<InstanceState>,
});

shape!(InstanceStatus {
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    outpost_arn: Option<String>,
    operator: Option<OperatorResponse>,
    events: Vec<InstanceStatusEvent>,
    instance_id: Option<String>,
    instance_state: Option<InstanceState>,
    instance_status: Option<InstanceStatusSummary>,
    system_status: Option<InstanceStatusSummary>,
    attached_ebs_status: Option<EbsStatusSummary>,
    application_status: Option<ApplicationStatusSummary>,
    performance_status: Option<PerformanceStatusSummary>,
});

shape!(InstanceStatusDetails {
    impaired_since: Option<base::Time>,
    name: Option<String>,
    status: Option<String>,
});

shape!(InstanceStatusEvent {
    instance_event_id: Option<String>,
    code: Option<String>,
    description: Option<String>,
    not_after: Option<base::Time>,
    not_before: Option<base::Time>,
    not_before_deadline: Option<base::Time>,
});

shape!(InstanceStatusSummary {
    details: Vec<InstanceStatusDetails>,
    status: Option<String>,
});

shape!(InstanceStorageInfo {
    total_size_in_gb: Option<i64>,
    disks: Vec<DiskInfo>,
    nvme_support: Option<String>,
    encryption_support: Option<String>,
});

shape!(InstanceTypeInfo {
    instance_type: Option<String>,
    current_generation: Option<bool>,
    free_tier_eligible: Option<bool>,
    supported_usage_classes: Vec<String>,
    supported_root_device_types: Vec<String>,
    supported_virtualization_types: Vec<String>,
    bare_metal: Option<bool>,
    hypervisor: Option<String>,
    processor_info: Option<ProcessorInfo>,
    v_cpu_info: Option<VCpuInfo>,
    memory_info: Option<MemoryInfo>,
    instance_storage_supported: Option<bool>,
    instance_storage_info: Option<InstanceStorageInfo>,
    ebs_info: Option<EbsInfo>,
    network_info: Option<NetworkInfo>,
    gpu_info: Option<GpuInfo>,
    fpga_info: Option<FpgaInfo>,
    placement_group_info: Option<PlacementGroupInfo>,
    inference_accelerator_info: Option<InferenceAcceleratorInfo>,
    hibernation_supported: Option<bool>,
    burstable_performance_supported: Option<bool>,
    dedicated_hosts_supported: Option<bool>,
    auto_recovery_supported: Option<bool>,
    supported_boot_modes: Vec<String>,
    nitro_enclaves_support: Option<String>,
    nitro_tpm_support: Option<String>,
    nitro_tpm_info: Option<NitroTpmInfo>,
    media_accelerator_info: Option<MediaAcceleratorInfo>,
    neuron_info: Option<NeuronInfo>,
    phc_support: Option<String>,
    reboot_migration_support: Option<String>,
    supported_in_region: Option<bool>,
});

shape!(InstanceTypeItem {
    instance_type: Option<String>,
});

shape!(InstanceTypeOffering {
    instance_type: Option<String>,
    location_type: Option<String>,
    location: Option<String>,
});

shape!(InstanceTypeSpecification {
    supported_instance_types: Vec<InstanceTypeItem>,
    unsupported_instance_types: Vec<InstanceTypeItem>,
});

shape!(InternetGateway {
    attachments: Vec<InternetGatewayAttachment>,
    internet_gateway_id: Option<String>,
    owner_id: Option<String>,
    tags: Vec<Tag>,
});

shape!(InternetGatewayAttachment {
    state: Option<String>,
    vpc_id: Option<String>,
});

shape!(IpPermission {
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    user_id_group_pairs: Vec<UserIdGroupPair>,
    ip_ranges: Vec<IpRange>,
    ipv6_ranges: Vec<Ipv6Range>,
    prefix_list_ids: Vec<PrefixListId>,
});

shape!(IpRange {
    description: Option<String>,
    cidr_ip: Option<String>,
});

shape!(Ipv4PrefixSpecification {
    ipv4_prefix: Option<String>,
});

shape!(Ipv4PrefixSpecificationRequest {
    ipv4_prefix: Option<String>,
});

shape!(Ipv4PrefixSpecificationResponse {
    ipv4_prefix: Option<String>,
});

shape!(Ipv6PrefixSpecification {
    ipv6_prefix: Option<String>,
});

shape!(Ipv6PrefixSpecificationRequest {
    ipv6_prefix: Option<String>,
});

shape!(Ipv6PrefixSpecificationResponse {
    ipv6_prefix: Option<String>,
});

shape!(Ipv6Range {
    description: Option<String>,
    cidr_ipv6: Option<String>,
});

shape!(KeyPair {
    key_pair_id: Option<String>,
    tags: Vec<Tag>,
    key_name: Option<String>,
    key_fingerprint: Option<String>,
    key_material: Option<String>,
});

shape!(KeyPairInfo {
    key_pair_id: Option<String>,
    key_type: Option<String>,
    tags: Vec<Tag>,
    public_key: Option<String>,
    create_time: Option<base::Time>,
    key_name: Option<String>,
    key_fingerprint: Option<String>,
});

shape!(LaunchTemplate {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    create_time: Option<base::Time>,
    created_by: Option<String>,
    default_version_number: Option<i64>,
    latest_version_number: Option<i64>,
    tags: Vec<Tag>,
    operator: Option<OperatorResponse>,
});

shape!(LaunchTemplateBlockDeviceMapping {
    device_name: Option<String>,
    virtual_name: Option<String>,
    ebs: Option<LaunchTemplateEbsBlockDevice>,
    no_device: Option<String>,
});

shape!(LaunchTemplateBlockDeviceMappingRequest {
    device_name: Option<String>,
    virtual_name: Option<String>,
    ebs: Option<LaunchTemplateEbsBlockDeviceRequest>,
    no_device: Option<String>,
});

shape!(LaunchTemplateCapacityReservationSpecificationRequest {
    capacity_reservation_preference: Option<String>,
    capacity_reservation_target: Option<CapacityReservationTarget>,
});

shape!(LaunchTemplateCapacityReservationSpecificationResponse {
    capacity_reservation_preference: Option<String>,
    capacity_reservation_target: Option<CapacityReservationTargetResponse>,
});

shape!(LaunchTemplateCpuOptions {
    core_count: Option<i64>,
    threads_per_core: Option<i64>,
    amd_sev_snp: Option<String>,
    nested_virtualization: Option<String>,
});

shape!(LaunchTemplateCpuOptionsRequest {
    core_count: Option<i64>,
    threads_per_core: Option<i64>,
    amd_sev_snp: Option<String>,
    nested_virtualization: Option<String>,
});

shape!(LaunchTemplateEbsBlockDevice {
    encrypted: Option<bool>,
    delete_on_termination: Option<bool>,
    iops: Option<i64>,
    kms_key_id: Option<String>,
    snapshot_id: Option<String>,
    volume_size: Option<i64>,
    volume_type: Option<String>,
    throughput: Option<i64>,
    volume_initialization_rate: Option<i64>,
    ebs_card_index: Option<i64>,
});

shape!(LaunchTemplateEbsBlockDeviceRequest {
    encrypted: Option<bool>,
    delete_on_termination: Option<bool>,
    iops: Option<i64>,
    kms_key_id: Option<String>,
    snapshot_id: Option<String>,
    volume_size: Option<i64>,
    volume_type: Option<String>,
    throughput: Option<i64>,
    volume_initialization_rate: Option<i64>,
    ebs_card_index: Option<i64>,
});

shape!(LaunchTemplateElasticInferenceAccelerator {
    r#type: String,
    count: Option<i64>,
});

shape!(LaunchTemplateElasticInferenceAcceleratorResponse {
    r#type: Option<String>,
    count: Option<i64>,
});

shape!(LaunchTemplateEnaSrdSpecification {
    ena_srd_enabled: Option<bool>,
    ena_srd_udp_specification: Option<LaunchTemplateEnaSrdUdpSpecification>,
});

shape!(LaunchTemplateEnaSrdUdpSpecification {
    ena_srd_udp_enabled: Option<bool>,
});

shape!(LaunchTemplateEnclaveOptions {
    enabled: Option<bool>,
});

shape!(LaunchTemplateEnclaveOptionsRequest {
    enabled: Option<bool>,
});

shape!(LaunchTemplateHibernationOptions {
    configured: Option<bool>,
});

shape!(LaunchTemplateHibernationOptionsRequest {
    configured: Option<bool>,
});

shape!(LaunchTemplateIamInstanceProfileSpecification {
    arn: Option<String>,
    name: Option<String>,
});

shape!(LaunchTemplateIamInstanceProfileSpecificationRequest {
    arn: Option<String>,
    name: Option<String>,
});

shape!(LaunchTemplateInstanceMaintenanceOptions {
    auto_recovery: Option<String>,
});

shape!(LaunchTemplateInstanceMaintenanceOptionsRequest {
    auto_recovery: Option<String>,
});

shape!(LaunchTemplateInstanceMarketOptions {
    market_type: Option<String>,
    spot_options: Option<LaunchTemplateSpotMarketOptions>,
});

shape!(LaunchTemplateInstanceMarketOptionsRequest {
    market_type: Option<String>,
    spot_options: Option<LaunchTemplateSpotMarketOptionsRequest>,
});

shape!(LaunchTemplateInstanceMetadataOptions {
    state: Option<String>,
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i64>,
    http_endpoint: Option<String>,
    http_protocol_ipv6: Option<String>,
    instance_metadata_tags: Option<String>,
});

shape!(LaunchTemplateInstanceMetadataOptionsRequest {
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i64>,
    http_endpoint: Option<String>,
    http_protocol_ipv6: Option<String>,
    instance_metadata_tags: Option<String>,
});

shape!(LaunchTemplateInstanceNetworkInterfaceSpecification {
    associate_carrier_ip_address: Option<bool>,
    associate_public_ip_address: Option<bool>,
    delete_on_termination: Option<bool>,
    description: Option<String>,
    device_index: Option<i64>,
    groups: Vec<String>,
    interface_type: Option<String>,
    ipv6_address_count: Option<i64>,
    ipv6_addresses: Vec<InstanceIpv6Address>,
    network_interface_id: Option<String>,
    private_ip_address: Option<String>,
    private_ip_addresses: Vec<PrivateIpAddressSpecification>,
    secondary_private_ip_address_count: Option<i64>,
    subnet_id: Option<String>,
    network_card_index: Option<i64>,
    ipv4_prefixes: Vec<Ipv4PrefixSpecificationResponse>,
    ipv4_prefix_count: Option<i64>,
    ipv6_prefixes: Vec<Ipv6PrefixSpecificationResponse>,
    ipv6_prefix_count: Option<i64>,
    primary_ipv6: Option<bool>,
    ena_srd_specification: Option<LaunchTemplateEnaSrdSpecification>,
    connection_tracking_specification: Option<ConnectionTrackingSpecification>,
    ena_queue_count: Option<i64>,
});

shape!(LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
    associate_carrier_ip_address: Option<bool>,
    associate_public_ip_address: Option<bool>,
    delete_on_termination: Option<bool>,
    description: Option<String>,
    device_index: Option<i64>,
    groups: Vec<String>,
    interface_type: Option<String>,
    ipv6_address_count: Option<i64>,
    ipv6_addresses: Vec<InstanceIpv6AddressRequest>,
    network_interface_id: Option<String>,
    private_ip_address: Option<String>,
    private_ip_addresses: Vec<PrivateIpAddressSpecification>,
    secondary_private_ip_address_count: Option<i64>,
    subnet_id: Option<String>,
    network_card_index: Option<i64>,
    ipv4_prefixes: Vec<Ipv4PrefixSpecificationRequest>,
    ipv4_prefix_count: Option<i64>,
    ipv6_prefixes: Vec<Ipv6PrefixSpecificationRequest>,
    ipv6_prefix_count: Option<i64>,
    primary_ipv6: Option<bool>,
    ena_srd_specification: Option<EnaSrdSpecificationRequest>,
    connection_tracking_specification: Option<ConnectionTrackingSpecificationRequest>,
    ena_queue_count: Option<i64>,
});

shape!(LaunchTemplateInstanceSecondaryInterfaceSpecification {
    delete_on_termination: Option<bool>,
    device_index: Option<i64>,
    private_ip_addresses: Vec<SecondaryInterfacePrivateIpAddressSpecification>,
    private_ip_address_count: Option<i64>,
    secondary_subnet_id: Option<String>,
    interface_type: Option<String>,
    network_card_index: Option<i64>,
});

shape!(LaunchTemplateInstanceSecondaryInterfaceSpecificationRequest {
    delete_on_termination: Option<bool>,
    device_index: Option<i64>,
    private_ip_addresses: Vec<SecondaryInterfacePrivateIpAddressSpecificationRequest>,
    private_ip_address_count: Option<i64>,
    secondary_subnet_id: Option<String>,
    interface_type: Option<String>,
    network_card_index: Option<i64>,
});

shape!(LaunchTemplateLicenseConfiguration {
    license_configuration_arn: Option<String>,
});

shape!(LaunchTemplateLicenseConfigurationRequest {
    license_configuration_arn: Option<String>,
});

shape!(LaunchTemplateNetworkPerformanceOptions {
    bandwidth_weighting: Option<String>,
});

shape!(LaunchTemplateNetworkPerformanceOptionsRequest {
    bandwidth_weighting: Option<String>,
});

shape!(LaunchTemplatePlacement {
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    affinity: Option<String>,
    group_name: Option<String>,
    host_id: Option<String>,
    tenancy: Option<String>,
    spread_domain: Option<String>,
    host_resource_group_arn: Option<String>,
    partition_number: Option<i64>,
    group_id: Option<String>,
});

shape!(LaunchTemplatePlacementRequest {
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    affinity: Option<String>,
    group_name: Option<String>,
    host_id: Option<String>,
    tenancy: Option<String>,
    spread_domain: Option<String>,
    host_resource_group_arn: Option<String>,
    partition_number: Option<i64>,
    group_id: Option<String>,
});

shape!(LaunchTemplatePrivateDnsNameOptions {
    hostname_type: Option<String>,
    enable_resource_name_dns_a_record: Option<bool>,
    enable_resource_name_dns_aaaa_record: Option<bool>,
});

shape!(LaunchTemplatePrivateDnsNameOptionsRequest {
    hostname_type: Option<String>,
    enable_resource_name_dns_a_record: Option<bool>,
    enable_resource_name_dns_aaaa_record: Option<bool>,
});

shape!(LaunchTemplateSpecification {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    version: Option<String>,
});

shape!(LaunchTemplateSpotMarketOptions {
    max_price: Option<String>,
    spot_instance_type: Option<String>,
    block_duration_minutes: Option<i64>,
    valid_until: Option<base::Time>,
    instance_interruption_behavior: Option<String>,
});

shape!(LaunchTemplateSpotMarketOptionsRequest {
    max_price: Option<String>,
    spot_instance_type: Option<String>,
    block_duration_minutes: Option<i64>,
    valid_until: Option<base::Time>,
    instance_interruption_behavior: Option<String>,
});

shape!(LaunchTemplateTagSpecification {
    resource_type: Option<String>,
    tags: Vec<Tag>,
});

shape!(LaunchTemplateTagSpecificationRequest {
    resource_type: Option<String>,
    tags: Vec<Tag>,
});

shape!(LaunchTemplateVersion {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    version_number: Option<i64>,
    version_description: Option<String>,
    create_time: Option<base::Time>,
    created_by: Option<String>,
    default_version: Option<bool>,
    launch_template_data: Option<ResponseLaunchTemplateData>,
    operator: Option<OperatorResponse>,
});

shape!(LaunchTemplatesMonitoring {
    enabled: Option<bool>,
    metric_category_ids: Vec<String>,
});

shape!(LaunchTemplatesMonitoringRequest {
    enabled: Option<bool>,
    metric_category_ids: Vec<String>,
});

shape!(LicenseConfiguration {
    license_configuration_arn: Option<String>,
});

shape!(LicenseConfigurationRequest {
    license_configuration_arn: Option<String>,
});

shape!(MediaAcceleratorInfo {
    accelerators: Vec<MediaDeviceInfo>,
    total_media_memory_in_mi_b: Option<i64>,
});

shape!(MediaDeviceInfo {
    count: Option<i64>,
    name: Option<String>,
    manufacturer: Option<String>,
    memory_info: Option<MediaDeviceMemoryInfo>,
});

shape!(MediaDeviceMemoryInfo {
    size_in_mi_b: Option<i64>,
});

shape!(MemoryGiBPerVCpu {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(MemoryGiBPerVCpuRequest {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(MemoryInfo {
    size_in_mi_b: Option<i64>,
});

shape!(MemoryMiB {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(MemoryMiBRequest {
    min: i64,
    max: Option<i64>,
});

shape!(ModifyInstanceAttributeRequest {
    source_dest_check: Option<AttributeBooleanValue>,
    enclave_options: Option<EnclaveOptionsRequest>,
    disable_api_stop: Option<AttributeBooleanValue>,
    dry_run: Option<bool>,
    instance_id: String,
    attribute: Option<String>,
    value: Option<String>,
    block_device_mappings: Vec<InstanceBlockDeviceMappingSpecification>,
    disable_api_termination: Option<AttributeBooleanValue>,
    instance_type: Option<AttributeValue>,
    kernel: Option<AttributeValue>,
    ramdisk: Option<AttributeValue>,
    user_data: Option<SecureBlobAttributeValue>,
    instance_initiated_shutdown_behavior: Option<AttributeValue>,
    groups: Vec<String>,
    ebs_optimized: Option<AttributeBooleanValue>,
    sriov_net_support: Option<AttributeValue>,
    ena_support: Option<AttributeBooleanValue>,
});

shape!(ModifyInstanceMetadataOptionsRequest {
    instance_id: String,
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i64>,
    http_endpoint: Option<String>,
    dry_run: Option<bool>,
    http_protocol_ipv6: Option<String>,
    instance_metadata_tags: Option<String>,
});

shape!(ModifyInstanceMetadataOptionsResult {
    instance_id: Option<String>,
    instance_metadata_options: Option<InstanceMetadataOptionsResponse>,
});

shape!(ModifyLaunchTemplateRequest {
    dry_run: Option<bool>,
    client_token: Option<String>,
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    default_version: Option<String>,
});

shape!(ModifyLaunchTemplateResult {
    launch_template: Option<LaunchTemplate>,
});

shape!(ModifySecurityGroupRulesRequest {
    group_id: String,
    security_group_rules: Vec<SecurityGroupRuleUpdate>,
    dry_run: Option<bool>,
});

shape!(ModifySecurityGroupRulesResult {
    r#return: Option<bool>,
});

shape!(ModifySubnetAttributeRequest {
    assign_ipv6_address_on_creation: Option<AttributeBooleanValue>,
    map_public_ip_on_launch: Option<AttributeBooleanValue>,
    subnet_id: String,
    map_customer_owned_ip_on_launch: Option<AttributeBooleanValue>,
    customer_owned_ipv4_pool: Option<String>,
    enable_dns64: Option<AttributeBooleanValue>,
    private_dns_hostname_type_on_launch: Option<String>,
    enable_resource_name_dns_a_record_on_launch: Option<AttributeBooleanValue>,
    enable_resource_name_dns_aaaa_record_on_launch: Option<AttributeBooleanValue>,
    enable_lni_at_device_index: Option<i64>,
    disable_lni_at_device_index: Option<AttributeBooleanValue>,
});

shape!(ModifyVpcAttributeRequest {
    enable_dns_hostnames: Option<AttributeBooleanValue>,
    enable_dns_support: Option<AttributeBooleanValue>,
    vpc_id: String,
    enable_network_address_usage_metrics: Option<AttributeBooleanValue>,
});

shape!(MonitorInstancesRequest {
    instance_ids: Vec<String>,
    metric_category_ids: Vec<String>,
    dry_run: Option<bool>,
});

shape!(MonitorInstancesResult {
    instance_monitorings: Vec<InstanceMonitoring>,
});

shape!(Monitoring {
    metric_category_ids: Vec<String>,
    state: Option<String>,
});

shape!(NetworkAcl {
    associations: Vec<NetworkAclAssociation>,
    entries: Vec<NetworkAclEntry>,
    is_default: Option<bool>,
    network_acl_id: Option<String>,
    tags: Vec<Tag>,
    vpc_id: Option<String>,
    owner_id: Option<String>,
});

shape!(NetworkAclAssociation {
    network_acl_association_id: Option<String>,
    network_acl_id: Option<String>,
    subnet_id: Option<String>,
});

shape!(NetworkAclEntry {
    cidr_block: Option<String>,
    egress: Option<bool>,
    icmp_type_code: Option<IcmpTypeCode>,
    ipv6_cidr_block: Option<String>,
    port_range: Option<PortRange>,
    protocol: Option<String>,
    rule_action: Option<String>,
    rule_number: Option<i64>,
});

shape!(NetworkBandwidthGbps {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(NetworkBandwidthGbpsRequest {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(NetworkCardInfo {
    network_card_index: Option<i64>,
    network_performance: Option<String>,
    maximum_network_interfaces: Option<i64>,
    additional_flexible_network_interfaces: Option<i64>,
    baseline_bandwidth_in_gbps: Option<f64>,
    peak_bandwidth_in_gbps: Option<f64>,
    default_ena_queue_count_per_interface: Option<i64>,
    maximum_ena_queue_count: Option<i64>,
    maximum_ena_queue_count_per_interface: Option<i64>,
    interface_types: Vec<String>,
});

shape!(NetworkInfo {
    network_performance: Option<String>,
    maximum_network_interfaces: Option<i64>,
    maximum_network_cards: Option<i64>,
    default_network_card_index: Option<i64>,
    network_cards: Vec<NetworkCardInfo>,
    ipv4_addresses_per_interface: Option<i64>,
    ipv6_addresses_per_interface: Option<i64>,
    ipv6_supported: Option<bool>,
    ena_support: Option<String>,
    efa_supported: Option<bool>,
    efa_info: Option<EfaInfo>,
    encryption_in_transit_supported: Option<bool>,
    ena_srd_supported: Option<bool>,
    bandwidth_weightings: Vec<String>,
    flexible_ena_queues_support: Option<String>,
    connection_tracking_configuration: Option<DefaultConnectionTrackingConfiguration>,
    secondary_network_supported: Option<bool>,
    maximum_secondary_network_interfaces: Option<i64>,
    ipv4_addresses_per_secondary_interface: Option<i64>,
});

shape!(NetworkInterface {
    association: Option<NetworkInterfaceAssociation>,
    attachment: Option<NetworkInterfaceAttachment>,
    availability_zone: Option<String>,
    connection_tracking_configuration: Option<ConnectionTrackingConfiguration>,
    description: Option<String>,
    groups: Vec<GroupIdentifier>,
    interface_type: Option<String>,
    ipv6_addresses: Vec<NetworkInterfaceIpv6Address>,
    mac_address: Option<String>,
    network_interface_id: Option<String>,
    outpost_arn: Option<String>,
    owner_id: Option<String>,
    private_dns_name: Option<String>,
    public_dns_name: Option<String>,
    public_ip_dns_name_options: Option<PublicIpDnsNameOptions>,
    private_ip_address: Option<String>,
    private_ip_addresses: Vec<NetworkInterfacePrivateIpAddress>,
    ipv4_prefixes: Vec<Ipv4PrefixSpecification>,
    ipv6_prefixes: Vec<Ipv6PrefixSpecification>,
    requester_id: Option<String>,
    requester_managed: Option<bool>,
    source_dest_check: Option<bool>,
    status: Option<String>,
    subnet_id: Option<String>,
    tag_set: Vec<Tag>,
    vpc_id: Option<String>,
    deny_all_igw_traffic: Option<bool>,
    ipv6_native: Option<bool>,
    ipv6_address: Option<String>,
    operator: Option<OperatorResponse>,
    associated_subnets: Vec<String>,
    availability_zone_id: Option<String>,
});

shape!(NetworkInterfaceAssociation {
    allocation_id: Option<String>,
    association_id: Option<String>,
    ip_owner_id: Option<String>,
    public_dns_name: Option<String>,
    public_ip: Option<String>,
    customer_owned_ip: Option<String>,
    carrier_ip: Option<String>,
});

shape!(NetworkInterfaceAttachment {
    attach_time: Option<base::Time>,
    attachment_id: Option<String>,
    delete_on_termination: Option<bool>,
    device_index: Option<i64>,
    network_card_index: Option<i64>,
    instance_id: Option<String>,
    instance_owner_id: Option<String>,
    status: Option<String>,
    ena_srd_specification: Option<AttachmentEnaSrdSpecification>,
    ena_queue_count: Option<i64>,
});

shape!(NetworkInterfaceCount {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(NetworkInterfaceCountRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(NetworkInterfaceIpv6Address {
    ipv6_address: Option<String>,
    public_ipv6_dns_name: Option<String>,
    is_primary_ipv6: Option<bool>,
});

shape!(NetworkInterfacePrivateIpAddress {
    association: Option<NetworkInterfaceAssociation>,
    primary: Option<bool>,
    private_dns_name: Option<String>,
    private_ip_address: Option<String>,
});

shape!(NeuronDeviceCoreInfo {
    count: Option<i64>,
    version: Option<i64>,
});

shape!(NeuronDeviceInfo {
    count: Option<i64>,
    name: Option<String>,
    core_info: Option<NeuronDeviceCoreInfo>,
    memory_info: Option<NeuronDeviceMemoryInfo>,
});

shape!(NeuronDeviceMemoryInfo {
    size_in_mi_b: Option<i64>,
});

shape!(NeuronInfo {
    neuron_devices: Vec<NeuronDeviceInfo>,
    total_neuron_device_memory_in_mi_b: Option<i64>,
});

shape!(NitroTpmInfo {
    supported_versions: Vec<String>,
});

shape!(OperatorRequest {
    principal: Option<String>,
});

shape!(OperatorResponse {
    managed: Option<bool>,
    principal: Option<String>,
    hidden_by_default: Option<bool>,
});

shape!(PerformanceFactorReference {
    instance_family: Option<String>,
});

shape!(PerformanceFactorReferenceRequest {
    instance_family: Option<String>,
});

shape!(PerformanceStatusSummary {
    status: Option<String>,
    impaired_since: Option<base::Time>,
    remediation: Option<String>,
});

shape!(Placement {
    availability_zone_id: Option<String>,
    affinity: Option<String>,
    group_name: Option<String>,
    partition_number: Option<i64>,
    host_id: Option<String>,
    tenancy: Option<String>,
    spread_domain: Option<String>,
    host_resource_group_arn: Option<String>,
    group_id: Option<String>,
    availability_zone: Option<String>,
});

shape!(PlacementGroupInfo {
    supported_strategies: Vec<String>,
});

shape!(PortRange {
    from: Option<i64>,
    to: Option<i64>,
});

shape!(PrefixListId {
    description: Option<String>,
    prefix_list_id: Option<String>,
});

shape!(PrivateDnsNameOptionsOnLaunch {
    hostname_type: Option<String>,
    enable_resource_name_dns_a_record: Option<bool>,
    enable_resource_name_dns_aaaa_record: Option<bool>,
});

shape!(PrivateDnsNameOptionsRequest {
    hostname_type: Option<String>,
    enable_resource_name_dns_a_record: Option<bool>,
    enable_resource_name_dns_aaaa_record: Option<bool>,
});

shape!(PrivateDnsNameOptionsResponse {
    hostname_type: Option<String>,
    enable_resource_name_dns_a_record: Option<bool>,
    enable_resource_name_dns_aaaa_record: Option<bool>,
});

shape!(PrivateIpAddressSpecification {
    primary: Option<bool>,
    private_ip_address: Option<String>,
});

shape!(ProcessorInfo {
    supported_architectures: Vec<String>,
    sustained_clock_speed_in_ghz: Option<f64>,
    supported_features: Vec<String>,
    manufacturer: Option<String>,
});

shape!(ProductCode {
    product_code_id: Option<String>,
    product_code_type: Option<String>,
});

shape!(PropagatingVgw {
    gateway_id: Option<String>,
});

shape!(PublicIpDnsNameOptions {
    dns_hostname_type: Option<String>,
    public_ipv4_dns_name: Option<String>,
    public_ipv6_dns_name: Option<String>,
    public_dual_stack_dns_name: Option<String>,
});

shape!(RebootInstancesRequest {
    instance_ids: Vec<String>,
    dry_run: Option<bool>,
});

shape!(ReferencedSecurityGroup {
    group_id: Option<String>,
    peering_status: Option<String>,
    user_id: Option<String>,
    vpc_id: Option<String>,
    vpc_peering_connection_id: Option<String>,
});

shape!(Region {
    opt_in_status: Option<String>,
    geography: Vec<RegionGeography>,
    region_name: Option<String>,
    endpoint: Option<String>,
});

shape!(RegionGeography {
    name: Option<String>,
});

shape!(RegisterImageRequest {
    image_location: Option<String>,
    billing_products: Vec<String>,
    boot_mode: Option<String>,
    tpm_support: Option<String>,
    uefi_data: Option<String>,
    imds_support: Option<String>,
    tag_specifications: Vec<TagSpecification>,
    dry_run: Option<bool>,
    name: String,
    description: Option<String>,
    architecture: Option<String>,
    kernel_id: Option<String>,
    ramdisk_id: Option<String>,
    root_device_name: Option<String>,
    block_device_mappings: Vec<BlockDeviceMapping>,
    virtualization_type: Option<String>,
    sriov_net_support: Option<String>,
    ena_support: Option<bool>,
});

shape!(RegisterImageResult {
    image_id: Option<String>,
});

shape!(ReplaceRouteRequest {
    destination_prefix_list_id: Option<String>,
    vpc_endpoint_id: Option<String>,
    local_target: Option<bool>,
    transit_gateway_id: Option<String>,
    local_gateway_id: Option<String>,
    carrier_gateway_id: Option<String>,
    core_network_arn: Option<String>,
    odb_network_arn: Option<String>,
    dry_run: Option<bool>,
    route_table_id: String,
    destination_cidr_block: Option<String>,
    gateway_id: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
    egress_only_internet_gateway_id: Option<String>,
    instance_id: Option<String>,
    network_interface_id: Option<String>,
    vpc_peering_connection_id: Option<String>,
    nat_gateway_id: Option<String>,
});

shape!(ReplaceRouteTableAssociationRequest {
    dry_run: Option<bool>,
    association_id: String,
    route_table_id: String,
});

shape!(ReplaceRouteTableAssociationResult {
    new_association_id: Option<String>,
    association_state: Option<RouteTableAssociationState>,
});

shape!(RequestLaunchTemplateData {
    kernel_id: Option<String>,
    ebs_optimized: Option<bool>,
    iam_instance_profile: Option<LaunchTemplateIamInstanceProfileSpecificationRequest>,
    block_device_mappings: Vec<LaunchTemplateBlockDeviceMappingRequest>,
    network_interfaces: Vec<LaunchTemplateInstanceNetworkInterfaceSpecificationRequest>,
    image_id: Option<String>,
    instance_type: Option<String>,
    key_name: Option<String>,
    monitoring: Option<LaunchTemplatesMonitoringRequest>,
    placement: Option<LaunchTemplatePlacementRequest>,
    ram_disk_id: Option<String>,
    disable_api_termination: Option<bool>,
    instance_initiated_shutdown_behavior: Option<String>,
    user_data: Option<String>,
    tag_specifications: Vec<LaunchTemplateTagSpecificationRequest>,
    elastic_gpu_specifications: Vec<ElasticGpuSpecification>,
    elastic_inference_accelerators: Vec<LaunchTemplateElasticInferenceAccelerator>,
    security_group_ids: Vec<String>,
    security_groups: Vec<String>,
    instance_market_options: Option<LaunchTemplateInstanceMarketOptionsRequest>,
    credit_specification: Option<CreditSpecificationRequest>,
    cpu_options: Option<LaunchTemplateCpuOptionsRequest>,
    capacity_reservation_specification: Option<LaunchTemplateCapacityReservationSpecificationRequest>,
    license_specifications: Vec<LaunchTemplateLicenseConfigurationRequest>,
    hibernation_options: Option<LaunchTemplateHibernationOptionsRequest>,
    metadata_options: Option<LaunchTemplateInstanceMetadataOptionsRequest>,
    enclave_options: Option<LaunchTemplateEnclaveOptionsRequest>,
    instance_requirements: Option<InstanceRequirementsRequest>,
    private_dns_name_options: Option<LaunchTemplatePrivateDnsNameOptionsRequest>,
    maintenance_options: Option<LaunchTemplateInstanceMaintenanceOptionsRequest>,
    disable_api_stop: Option<bool>,
    operator: Option<OperatorRequest>,
    network_performance_options: Option<LaunchTemplateNetworkPerformanceOptionsRequest>,
    secondary_interfaces: Vec<LaunchTemplateInstanceSecondaryInterfaceSpecificationRequest>,
});

shape!(Reservation {
    reservation_id: Option<String>,
    owner_id: Option<String>,
    requester_id: Option<String>,
    groups: Vec<GroupIdentifier>,
    instances: Vec<Instance>,
});

shape!(ResponseError {
    code: Option<String>,
    message: Option<String>,
});

shape!(ResponseLaunchTemplateData {
    kernel_id: Option<String>,
    ebs_optimized: Option<bool>,
    iam_instance_profile: Option<LaunchTemplateIamInstanceProfileSpecification>,
    block_device_mappings: Vec<LaunchTemplateBlockDeviceMapping>,
    network_interfaces: Vec<LaunchTemplateInstanceNetworkInterfaceSpecification>,
    image_id: Option<String>,
    instance_type: Option<String>,
    key_name: Option<String>,
    monitoring: Option<LaunchTemplatesMonitoring>,
    placement: Option<LaunchTemplatePlacement>,
    ram_disk_id: Option<String>,
    disable_api_termination: Option<bool>,
    instance_initiated_shutdown_behavior: Option<String>,
    user_data: Option<String>,
    tag_specifications: Vec<LaunchTemplateTagSpecification>,
    elastic_gpu_specifications: Vec<ElasticGpuSpecificationResponse>,
    elastic_inference_accelerators: Vec<LaunchTemplateElasticInferenceAcceleratorResponse>,
    security_group_ids: Vec<String>,
    security_groups: Vec<String>,
    instance_market_options: Option<LaunchTemplateInstanceMarketOptions>,
    credit_specification: Option<CreditSpecification>,
    cpu_options: Option<LaunchTemplateCpuOptions>,
    capacity_reservation_specification: Option<LaunchTemplateCapacityReservationSpecificationResponse>,
    license_specifications: Vec<LaunchTemplateLicenseConfiguration>,
    hibernation_options: Option<LaunchTemplateHibernationOptions>,
    metadata_options: Option<LaunchTemplateInstanceMetadataOptions>,
    enclave_options: Option<LaunchTemplateEnclaveOptions>,
    instance_requirements: Option<InstanceRequirements>,
    private_dns_name_options: Option<LaunchTemplatePrivateDnsNameOptions>,
    maintenance_options: Option<LaunchTemplateInstanceMaintenanceOptions>,
    disable_api_stop: Option<bool>,
    operator: Option<OperatorResponse>,
    network_performance_options: Option<LaunchTemplateNetworkPerformanceOptions>,
    secondary_interfaces: Vec<LaunchTemplateInstanceSecondaryInterfaceSpecification>,
});

shape!(RevokeSecurityGroupEgressRequest {
    security_group_rule_ids: Vec<String>,
    dry_run: Option<bool>,
    group_id: String,
    source_security_group_name: Option<String>,
    source_security_group_owner_id: Option<String>,
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    cidr_ip: Option<String>,
    ip_permissions: Vec<IpPermission>,
});

shape!(RevokeSecurityGroupEgressResult {
    r#return: Option<bool>,
    unknown_ip_permissions: Vec<IpPermission>,
    revoked_security_group_rules: Vec<RevokedSecurityGroupRule>,
});

shape!(RevokeSecurityGroupIngressRequest {
    cidr_ip: Option<String>,
    from_port: Option<i64>,
    group_id: Option<String>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    ip_protocol: Option<String>,
    source_security_group_name: Option<String>,
    source_security_group_owner_id: Option<String>,
    to_port: Option<i64>,
    security_group_rule_ids: Vec<String>,
    dry_run: Option<bool>,
});

shape!(RevokeSecurityGroupIngressResult {
    r#return: Option<bool>,
    unknown_ip_permissions: Vec<IpPermission>,
    revoked_security_group_rules: Vec<RevokedSecurityGroupRule>,
});

shape!(RevokedSecurityGroupRule {
    security_group_rule_id: Option<String>,
    group_id: Option<String>,
    is_egress: Option<bool>,
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    cidr_ipv4: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    referenced_group_id: Option<String>,
    description: Option<String>,
});

shape!(Route {
    destination_cidr_block: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
    destination_prefix_list_id: Option<String>,
    egress_only_internet_gateway_id: Option<String>,
    gateway_id: Option<String>,
    instance_id: Option<String>,
    instance_owner_id: Option<String>,
    nat_gateway_id: Option<String>,
    transit_gateway_id: Option<String>,
    local_gateway_id: Option<String>,
    carrier_gateway_id: Option<String>,
    network_interface_id: Option<String>,
    origin: Option<String>,
    state: Option<String>,
    vpc_peering_connection_id: Option<String>,
    core_network_arn: Option<String>,
    odb_network_arn: Option<String>,
    ip_address: Option<String>,
});

shape!(RouteTable {
    associations: Vec<RouteTableAssociation>,
    propagating_vgws: Vec<PropagatingVgw>,
    route_table_id: Option<String>,
    routes: Vec<Route>,
    tags: Vec<Tag>,
    vpc_id: Option<String>,
    owner_id: Option<String>,
});

shape!(RouteTableAssociation {
    main: Option<bool>,
    route_table_association_id: Option<String>,
    route_table_id: Option<String>,
    subnet_id: Option<String>,
    gateway_id: Option<String>,
    public_ipv4_pool: Option<String>,
    association_state: Option<RouteTableAssociationState>,
});

shape!(RouteTableAssociationState {
    state: Option<String>,
    status_message: Option<String>,
});

shape!(RunInstancesMonitoringEnabled {
    metric_category_ids: Vec<String>,
    enabled: bool,
});

shape!(RunInstancesRequest {
    block_device_mappings: Vec<BlockDeviceMapping>,
    image_id: Option<String>,
    instance_type: Option<String>,
    ipv6_address_count: Option<i64>,
    ipv6_addresses: Vec<InstanceIpv6Address>,
    kernel_id: Option<String>,
    key_name: Option<String>,
    max_count: i64,
    min_count: i64,
    monitoring: Option<RunInstancesMonitoringEnabled>,
    placement: Option<Placement>,
    ramdisk_id: Option<String>,
    security_group_ids: Vec<String>,
    security_groups: Vec<String>,
    subnet_id: Option<String>,
    user_data: Option<String>,
    elastic_gpu_specification: Vec<ElasticGpuSpecification>,
    elastic_inference_accelerators: Vec<ElasticInferenceAccelerator>,
    tag_specifications: Vec<TagSpecification>,
    launch_template: Option<LaunchTemplateSpecification>,
    instance_market_options: Option<InstanceMarketOptionsRequest>,
    credit_specification: Option<CreditSpecificationRequest>,
    cpu_options: Option<CpuOptionsRequest>,
    capacity_reservation_specification: Option<CapacityReservationSpecification>,
    hibernation_options: Option<HibernationOptionsRequest>,
    license_specifications: Vec<LicenseConfigurationRequest>,
    metadata_options: Option<InstanceMetadataOptionsRequest>,
    enclave_options: Option<EnclaveOptionsRequest>,
    private_dns_name_options: Option<PrivateDnsNameOptionsRequest>,
    maintenance_options: Option<InstanceMaintenanceOptionsRequest>,
    disable_api_stop: Option<bool>,
    enable_primary_ipv6: Option<bool>,
    network_performance_options: Option<InstanceNetworkPerformanceOptionsRequest>,
    operator: Option<OperatorRequest>,
    secondary_interfaces: Vec<InstanceSecondaryInterfaceSpecificationRequest>,
    dry_run: Option<bool>,
    disable_api_termination: Option<bool>,
    instance_initiated_shutdown_behavior: Option<String>,
    private_ip_address: Option<String>,
    client_token: Option<String>,
    additional_info: Option<String>,
    network_interfaces: Vec<InstanceNetworkInterfaceSpecification>,
    iam_instance_profile: Option<IamInstanceProfileSpecification>,
    ebs_optimized: Option<bool>,
});

shape!(ScanResults {
    highest_finding_severity_label: Option<String>,
    finding_scan_date: Option<base::Time>,
    informational_fix_available_since: Option<base::Time>,
    low_fix_available_since: Option<base::Time>,
    medium_fix_available_since: Option<base::Time>,
    high_fix_available_since: Option<base::Time>,
    critical_fix_available_since: Option<base::Time>,
});

shape!(SecondaryInterfacePrivateIpAddressSpecification {
    private_ip_address: Option<String>,
});

shape!(SecondaryInterfacePrivateIpAddressSpecificationRequest {
    private_ip_address: Option<String>,
});

shape!(SecureBlobAttributeValue {
    value: Option<Vec<u8>>,
});

shape!(SecurityGroup {
    group_id: Option<String>,
    ip_permissions_egress: Vec<IpPermission>,
    tags: Vec<Tag>,
    vpc_id: Option<String>,
    security_group_arn: Option<String>,
    owner_id: Option<String>,
    group_name: Option<String>,
    description: Option<String>,
    ip_permissions: Vec<IpPermission>,
});

shape!(SecurityGroupRule {
    security_group_rule_id: Option<String>,
    group_id: Option<String>,
    group_owner_id: Option<String>,
    is_egress: Option<bool>,
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    cidr_ipv4: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    referenced_group_info: Option<ReferencedSecurityGroup>,
    description: Option<String>,
    tags: Vec<Tag>,
    security_group_rule_arn: Option<String>,
});

shape!(SecurityGroupRuleDescription {
    security_group_rule_id: Option<String>,
    description: Option<String>,
});

shape!(SecurityGroupRuleRequest {
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    cidr_ipv4: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    referenced_group_id: Option<String>,
    description: Option<String>,
});

shape!(SecurityGroupRuleUpdate {
    security_group_rule_id: String,
    security_group_rule: Option<SecurityGroupRuleRequest>,
});

shape!(SpotMarketOptions {
    max_price: Option<String>,
    spot_instance_type: Option<String>,
    block_duration_minutes: Option<i64>,
    valid_until: Option<base::Time>,
    instance_interruption_behavior: Option<String>,
});

shape!(StartInstancesRequest {
    instance_ids: Vec<String>,
    additional_info: Option<String>,
    dry_run: Option<bool>,
});

shape!(StartInstancesResult {
    starting_instances: Vec<InstanceStateChange>,
});

shape!(StateReason {
    code: Option<String>,
    message: Option<String>,
});

shape!(StopInstancesRequest {
    instance_ids: Vec<String>,
    hibernate: Option<bool>,
    skip_os_shutdown: Option<bool>,
    dry_run: Option<bool>,
    force: Option<bool>,
});

shape!(StopInstancesResult {
    stopping_instances: Vec<InstanceStateChange>,
});

shape!(Subnet {
    availability_zone_id: Option<String>,
    enable_lni_at_device_index: Option<i64>,
    map_customer_owned_ip_on_launch: Option<bool>,
    customer_owned_ipv4_pool: Option<String>,
    owner_id: Option<String>,
    assign_ipv6_address_on_creation: Option<bool>,
    ipv6_cidr_block_association_set: Vec<SubnetIpv6CidrBlockAssociation>,
    tags: Vec<Tag>,
    subnet_arn: Option<String>,
    outpost_arn: Option<String>,
    enable_dns64: Option<bool>,
    ipv6_native: Option<bool>,
    private_dns_name_options_on_launch: Option<PrivateDnsNameOptionsOnLaunch>,
    block_public_access_states: Option<BlockPublicAccessStates>,
    r#type: Option<String>,
    subnet_id: Option<String>,
    state: Option<String>,
    vpc_id: Option<String>,
    cidr_block: Option<String>,
    available_ip_address_count: Option<i64>,
    availability_zone: Option<String>,
    default_for_az: Option<bool>,
    map_public_ip_on_launch: Option<bool>,
});

shape!(SubnetCidrBlockState {
    state: Option<String>,
    status_message: Option<String>,
});

shape!(SubnetIpv6CidrBlockAssociation {
    association_id: Option<String>,
    ipv6_cidr_block: Option<String>,
    ipv6_cidr_block_state: Option<SubnetCidrBlockState>,
    ipv6_address_attribute: Option<String>,
    ip_source: Option<String>,
});

shape!(Tag {
    key: Option<String>,
    value: Option<String>,
});

shape!(TagDescription {
    key: Option<String>,
    resource_id: Option<String>,
    resource_type: Option<String>,
    value: Option<String>,
});

shape!(TagSpecification {
    resource_type: Option<String>,
    tags: Vec<Tag>,
});

shape!(TerminateInstancesRequest {
    instance_ids: Vec<String>,
    force: Option<bool>,
    skip_os_shutdown: Option<bool>,
    dry_run: Option<bool>,
});

shape!(TerminateInstancesResult {
    terminating_instances: Vec<InstanceStateChange>,
});

shape!(TotalLocalStorageGB {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(TotalLocalStorageGBRequest {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(UnmonitorInstancesRequest {
    instance_ids: Vec<String>,
    metric_category_ids: Vec<String>,
    dry_run: Option<bool>,
});

shape!(UnmonitorInstancesResult {
    instance_monitorings: Vec<InstanceMonitoring>,
});

shape!(UpdateSecurityGroupRuleDescriptionsEgressRequest {
    dry_run: Option<bool>,
    group_id: Option<String>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    security_group_rule_descriptions: Vec<SecurityGroupRuleDescription>,
});

shape!(UpdateSecurityGroupRuleDescriptionsEgressResult {
    r#return: Option<bool>,
});

shape!(UpdateSecurityGroupRuleDescriptionsIngressRequest {
    dry_run: Option<bool>,
    group_id: Option<String>,
    group_name: Option<String>,
    ip_permissions: Vec<IpPermission>,
    security_group_rule_descriptions: Vec<SecurityGroupRuleDescription>,
});

shape!(UpdateSecurityGroupRuleDescriptionsIngressResult {
    r#return: Option<bool>,
});

shape!(UserIdGroupPair {
    description: Option<String>,
    user_id: Option<String>,
    group_name: Option<String>,
    group_id: Option<String>,
    vpc_id: Option<String>,
    vpc_peering_connection_id: Option<String>,
    peering_status: Option<String>,
});

shape!(VCpuCountRange {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(VCpuCountRangeRequest {
    min: i64,
    max: Option<i64>,
});

shape!(VCpuInfo {
    default_v_cpus: Option<i64>,
    default_cores: Option<i64>,
    default_threads_per_core: Option<i64>,
    valid_cores: Vec<i64>,
    valid_threads_per_core: Vec<i64>,
});

shape!(ValidationError {
    code: Option<String>,
    message: Option<String>,
});

shape!(ValidationWarning {
    errors: Vec<ValidationError>,
});

shape!(Volume {
    availability_zone_id: Option<String>,
    outpost_arn: Option<String>,
    source_volume_id: Option<String>,
    iops: Option<i64>,
    tags: Vec<Tag>,
    volume_type: Option<String>,
    fast_restored: Option<bool>,
    multi_attach_enabled: Option<bool>,
    throughput: Option<i64>,
    sse_type: Option<String>,
    operator: Option<OperatorResponse>,
    volume_initialization_rate: Option<i64>,
    volume_arn: Option<String>,
    owner_id: Option<String>,
    volume_id: Option<String>,
    size: Option<i64>,
    snapshot_id: Option<String>,
    availability_zone: Option<String>,
    state: Option<String>,
    create_time: Option<base::Time>,
    attachments: Vec<VolumeAttachment>,
    encrypted: Option<bool>,
    kms_key_id: Option<String>,
});

shape!(VolumeAttachment {
    delete_on_termination: Option<bool>,
    associated_resource: Option<String>,
    instance_owning_service: Option<String>,
    ebs_card_index: Option<i64>,
    volume_id: Option<String>,
    instance_id: Option<String>,
    device: Option<String>,
    state: Option<String>,
    attach_time: Option<base::Time>,
});

shape!(Vpc {
    owner_id: Option<String>,
    instance_tenancy: Option<String>,
    ipv6_cidr_block_association_set: Vec<VpcIpv6CidrBlockAssociation>,
    cidr_block_association_set: Vec<VpcCidrBlockAssociation>,
    is_default: Option<bool>,
    encryption_control: Option<VpcEncryptionControl>,
    tags: Vec<Tag>,
    block_public_access_states: Option<BlockPublicAccessStates>,
    vpc_id: Option<String>,
    state: Option<String>,
    cidr_block: Option<String>,
    dhcp_options_id: Option<String>,
});

shape!(VpcCidrBlockAssociation {
    association_id: Option<String>,
    cidr_block: Option<String>,
    cidr_block_state: Option<VpcCidrBlockState>,
});

shape!(VpcCidrBlockState {
    state: Option<String>,
    status_message: Option<String>,
});

shape!(VpcEncryptionControl {
    vpc_id: Option<String>,
    vpc_encryption_control_id: Option<String>,
    mode: Option<String>,
    state: Option<String>,
    state_message: Option<String>,
    resource_exclusions: Option<VpcEncryptionControlExclusions>,
    tags: Vec<Tag>,
});

shape!(VpcEncryptionControlConfiguration {
    mode: String,
    internet_gateway_exclusion: Option<String>,
    egress_only_internet_gateway_exclusion: Option<String>,
    nat_gateway_exclusion: Option<String>,
    virtual_private_gateway_exclusion: Option<String>,
    vpc_peering_exclusion: Option<String>,
    lambda_exclusion: Option<String>,
    vpc_lattice_exclusion: Option<String>,
    elastic_file_system_exclusion: Option<String>,
    global_accelerator_exclusion: Option<String>,
    api_gateway_v2_exclusion: Option<String>,
});

shape!(VpcEncryptionControlExclusion {
    state: Option<String>,
    state_message: Option<String>,
});

shape!(VpcEncryptionControlExclusions {
    internet_gateway: Option<VpcEncryptionControlExclusion>,
    egress_only_internet_gateway: Option<VpcEncryptionControlExclusion>,
    nat_gateway: Option<VpcEncryptionControlExclusion>,
    virtual_private_gateway: Option<VpcEncryptionControlExclusion>,
    vpc_peering: Option<VpcEncryptionControlExclusion>,
    lambda: Option<VpcEncryptionControlExclusion>,
    vpc_lattice: Option<VpcEncryptionControlExclusion>,
    elastic_file_system: Option<VpcEncryptionControlExclusion>,
    global_accelerator: Option<VpcEncryptionControlExclusion>,
    api_gateway_v2: Option<VpcEncryptionControlExclusion>,
});

shape!(VpcIpv6CidrBlockAssociation {
    association_id: Option<String>,
    ipv6_cidr_block: Option<String>,
    ipv6_cidr_block_state: Option<VpcCidrBlockState>,
    network_border_group: Option<String>,
    ipv6_pool: Option<String>,
    ipv6_address_attribute: Option<String>,
    ip_source: Option<String>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("ec2" AssociateRouteTable super::AssociateRouteTableRequest => super::AssociateRouteTableResult);
    operation!("ec2" AttachInternetGateway super::AttachInternetGatewayRequest => ());
    operation!("ec2" AuthorizeSecurityGroupEgress super::AuthorizeSecurityGroupEgressRequest => super::AuthorizeSecurityGroupEgressResult);
    operation!("ec2" AuthorizeSecurityGroupIngress super::AuthorizeSecurityGroupIngressRequest => super::AuthorizeSecurityGroupIngressResult);
    operation!("ec2" CreateInternetGateway super::CreateInternetGatewayRequest => super::CreateInternetGatewayResult);
    operation!("ec2" CreateKeyPair super::CreateKeyPairRequest => super::KeyPair);
    operation!("ec2" CreateLaunchTemplate super::CreateLaunchTemplateRequest => super::CreateLaunchTemplateResult);
    operation!("ec2" CreateLaunchTemplateVersion super::CreateLaunchTemplateVersionRequest => super::CreateLaunchTemplateVersionResult);
    operation!("ec2" CreateRoute super::CreateRouteRequest => super::CreateRouteResult);
    operation!("ec2" CreateRouteTable super::CreateRouteTableRequest => super::CreateRouteTableResult);
    operation!("ec2" CreateSecurityGroup super::CreateSecurityGroupRequest => super::CreateSecurityGroupResult);
    operation!("ec2" CreateSubnet super::CreateSubnetRequest => super::CreateSubnetResult);
    operation!("ec2" CreateTags super::CreateTagsRequest => ());
    operation!("ec2" CreateVpc super::CreateVpcRequest => super::CreateVpcResult);
    operation!("ec2" DeleteInternetGateway super::DeleteInternetGatewayRequest => ());
    operation!("ec2" DeleteKeyPair super::DeleteKeyPairRequest => super::DeleteKeyPairResult);
    operation!("ec2" DeleteLaunchTemplate super::DeleteLaunchTemplateRequest => super::DeleteLaunchTemplateResult);
    operation!("ec2" DeleteLaunchTemplateVersions super::DeleteLaunchTemplateVersionsRequest => super::DeleteLaunchTemplateVersionsResult);
    operation!("ec2" DeleteRoute super::DeleteRouteRequest => ());
    operation!("ec2" DeleteRouteTable super::DeleteRouteTableRequest => ());
    operation!("ec2" DeleteSecurityGroup super::DeleteSecurityGroupRequest => super::DeleteSecurityGroupResult);
    operation!("ec2" DeleteSubnet super::DeleteSubnetRequest => ());
    operation!("ec2" DeleteTags super::DeleteTagsRequest => ());
    operation!("ec2" DeleteVpc super::DeleteVpcRequest => ());
    operation!("ec2" DescribeAccountAttributes super::DescribeAccountAttributesRequest => super::DescribeAccountAttributesResult);
    operation!("ec2" DescribeAvailabilityZones super::DescribeAvailabilityZonesRequest => super::DescribeAvailabilityZonesResult);
    operation!("ec2" DescribeImages super::DescribeImagesRequest => super::DescribeImagesResult);
    operation!("ec2" DescribeInstanceAttribute super::DescribeInstanceAttributeRequest => super::InstanceAttribute);
    operation!("ec2" DescribeInstanceCreditSpecifications super::DescribeInstanceCreditSpecificationsRequest => super::DescribeInstanceCreditSpecificationsResult);
    operation!("ec2" DescribeInstanceStatus super::DescribeInstanceStatusRequest => super::DescribeInstanceStatusResult);
    operation!("ec2" DescribeInstanceTypeOfferings super::DescribeInstanceTypeOfferingsRequest => super::DescribeInstanceTypeOfferingsResult);
    operation!("ec2" DescribeInstanceTypes super::DescribeInstanceTypesRequest => super::DescribeInstanceTypesResult);
    operation!("ec2" DescribeInstances super::DescribeInstancesRequest => super::DescribeInstancesResult);
    operation!("ec2" DescribeInternetGateways super::DescribeInternetGatewaysRequest => super::DescribeInternetGatewaysResult);
    operation!("ec2" DescribeKeyPairs super::DescribeKeyPairsRequest => super::DescribeKeyPairsResult);
    operation!("ec2" DescribeLaunchTemplateVersions super::DescribeLaunchTemplateVersionsRequest => super::DescribeLaunchTemplateVersionsResult);
    operation!("ec2" DescribeLaunchTemplates super::DescribeLaunchTemplatesRequest => super::DescribeLaunchTemplatesResult);
    operation!("ec2" DescribeNetworkAcls super::DescribeNetworkAclsRequest => super::DescribeNetworkAclsResult);
    operation!("ec2" DescribeNetworkInterfaces super::DescribeNetworkInterfacesRequest => super::DescribeNetworkInterfacesResult);
    operation!("ec2" DescribeRegions super::DescribeRegionsRequest => super::DescribeRegionsResult);
    operation!("ec2" DescribeRouteTables super::DescribeRouteTablesRequest => super::DescribeRouteTablesResult);
    operation!("ec2" DescribeSecurityGroupRules super::DescribeSecurityGroupRulesRequest => super::DescribeSecurityGroupRulesResult);
    operation!("ec2" DescribeSecurityGroups super::DescribeSecurityGroupsRequest => super::DescribeSecurityGroupsResult);
    operation!("ec2" DescribeSubnets super::DescribeSubnetsRequest => super::DescribeSubnetsResult);
    operation!("ec2" DescribeTags super::DescribeTagsRequest => super::DescribeTagsResult);
    operation!("ec2" DescribeVolumes super::DescribeVolumesRequest => super::DescribeVolumesResult);
    operation!("ec2" DescribeVpcAttribute super::DescribeVpcAttributeRequest => super::DescribeVpcAttributeResult);
    operation!("ec2" DescribeVpcs super::DescribeVpcsRequest => super::DescribeVpcsResult);
    operation!("ec2" DetachInternetGateway super::DetachInternetGatewayRequest => ());
    operation!("ec2" DisassociateRouteTable super::DisassociateRouteTableRequest => ());
    operation!("ec2" GetConsoleOutput super::GetConsoleOutputRequest => super::GetConsoleOutputResult);
    operation!("ec2" ImportKeyPair super::ImportKeyPairRequest => super::ImportKeyPairResult);
    operation!("ec2" ModifyInstanceAttribute super::ModifyInstanceAttributeRequest => ());
    operation!("ec2" ModifyInstanceMetadataOptions super::ModifyInstanceMetadataOptionsRequest => super::ModifyInstanceMetadataOptionsResult);
    operation!("ec2" ModifyLaunchTemplate super::ModifyLaunchTemplateRequest => super::ModifyLaunchTemplateResult);
    operation!("ec2" ModifySecurityGroupRules super::ModifySecurityGroupRulesRequest => super::ModifySecurityGroupRulesResult);
    operation!("ec2" ModifySubnetAttribute super::ModifySubnetAttributeRequest => ());
    operation!("ec2" ModifyVpcAttribute super::ModifyVpcAttributeRequest => ());
    operation!("ec2" MonitorInstances super::MonitorInstancesRequest => super::MonitorInstancesResult);
    operation!("ec2" RebootInstances super::RebootInstancesRequest => ());
    operation!("ec2" ReplaceRoute super::ReplaceRouteRequest => ());
    operation!("ec2" ReplaceRouteTableAssociation super::ReplaceRouteTableAssociationRequest => super::ReplaceRouteTableAssociationResult);
    operation!("ec2" RevokeSecurityGroupEgress super::RevokeSecurityGroupEgressRequest => super::RevokeSecurityGroupEgressResult);
    operation!("ec2" RevokeSecurityGroupIngress super::RevokeSecurityGroupIngressRequest => super::RevokeSecurityGroupIngressResult);
    operation!("ec2" RunInstances super::RunInstancesRequest => super::Reservation);
    operation!("ec2" StartInstances super::StartInstancesRequest => super::StartInstancesResult);
    operation!("ec2" StopInstances super::StopInstancesRequest => super::StopInstancesResult);
    operation!("ec2" TerminateInstances super::TerminateInstancesRequest => super::TerminateInstancesResult);
    operation!("ec2" UnmonitorInstances super::UnmonitorInstancesRequest => super::UnmonitorInstancesResult);
    operation!("ec2" UpdateSecurityGroupRuleDescriptionsIngress super::UpdateSecurityGroupRuleDescriptionsIngressRequest => super::UpdateSecurityGroupRuleDescriptionsIngressResult);
    operation!("ec2" UpdateSecurityGroupRuleDescriptionsEgress super::UpdateSecurityGroupRuleDescriptionsEgressRequest => super::UpdateSecurityGroupRuleDescriptionsEgressResult);
    operation!("ec2" RegisterImage super::RegisterImageRequest => super::RegisterImageResult);
    operation!("ec2" DeregisterImage super::DeregisterImageRequest => super::DeregisterImageResult);
}
