//! Shapes of `autoscaling`, generated: do not edit.

shape!(AcceleratorCountRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(AcceleratorTotalMemoryMiBRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(ActivitiesType {
    activities: Vec<Activity>,
    next_token: Option<String>,
});

shape!(Activity {
    activity_id: String,
    auto_scaling_group_name: String,
    description: Option<String>,
    cause: String,
    start_time: base::Time,
    end_time: Option<base::Time>,
    status_code: String,
    status_message: Option<String>,
    progress: Option<i64>,
    details: Option<String>,
    auto_scaling_group_state: Option<String>,
    auto_scaling_group_arn: Option<String>,
});

shape!(ActivityType {
    activity: Option<Activity>,
    activities: Vec<Activity>,
});

shape!(AdjustmentType {
    adjustment_type: Option<String>,
});

shape!(Alarm {
    alarm_name: Option<String>,
    alarm_arn: Option<String>,
});

shape!(AlarmSpecification {
    alarms: Vec<String>,
});

shape!(AttachInstancesQuery {
    instance_ids: Vec<String>,
    auto_scaling_group_name: String,
});

shape!(AttachLoadBalancerTargetGroupsResultType {});

shape!(AttachLoadBalancerTargetGroupsType {
    auto_scaling_group_name: String,
    target_group_arns: Vec<String>,
});

shape!(AttachTrafficSourcesResultType {});

shape!(AttachTrafficSourcesType {
    auto_scaling_group_name: String,
    traffic_sources: Vec<TrafficSourceIdentifier>,
    skip_zonal_shift_validation: Option<bool>,
});

shape!(AutoScalingGroup {
    auto_scaling_group_name: String,
    auto_scaling_group_arn: Option<String>,
    launch_configuration_name: Option<String>,
    launch_template: Option<LaunchTemplateSpecification>,
    mixed_instances_policy: Option<MixedInstancesPolicy>,
    min_size: i64,
    max_size: i64,
    desired_capacity: i64,
    predicted_capacity: Option<i64>,
    default_cooldown: i64,
    availability_zones: Vec<String>,
    availability_zone_ids: Vec<String>,
    load_balancer_names: Vec<String>,
    target_group_arns: Vec<String>,
    health_check_type: String,
    health_check_grace_period: Option<i64>,
    instances: Vec<Instance>,
    created_time: base::Time,
    suspended_processes: Vec<SuspendedProcess>,
    placement_group: Option<String>,
    vpc_zone_identifier: Option<String>,
    enabled_metrics: Vec<EnabledMetric>,
    status: Option<String>,
    tags: Vec<TagDescription>,
    termination_policies: Vec<String>,
    new_instances_protected_from_scale_in: Option<bool>,
    service_linked_role_arn: Option<String>,
    max_instance_lifetime: Option<i64>,
    capacity_rebalance: Option<bool>,
    warm_pool_configuration: Option<WarmPoolConfiguration>,
    warm_pool_size: Option<i64>,
    context: Option<String>,
    desired_capacity_type: Option<String>,
    default_instance_warmup: Option<i64>,
    traffic_sources: Vec<TrafficSourceIdentifier>,
    instance_maintenance_policy: Option<InstanceMaintenancePolicy>,
    deletion_protection: Option<String>,
    availability_zone_distribution: Option<AvailabilityZoneDistribution>,
    availability_zone_impairment_policy: Option<AvailabilityZoneImpairmentPolicy>,
    capacity_reservation_specification: Option<CapacityReservationSpecification>,
    instance_lifecycle_policy: Option<InstanceLifecyclePolicy>,
    operator: Option<Operator>,
});

shape!(AutoScalingGroupNamesType {
    auto_scaling_group_names: Vec<String>,
    include_instances: Option<bool>,
    include_managed_resources: Option<bool>,
    next_token: Option<String>,
    max_records: Option<i64>,
    filters: Vec<Filter>,
});

shape!(AutoScalingGroupsType {
    auto_scaling_groups: Vec<AutoScalingGroup>,
    next_token: Option<String>,
});

shape!(AutoScalingInstanceDetails {
    instance_id: String,
    instance_type: Option<String>,
    auto_scaling_group_name: String,
    availability_zone: String,
    availability_zone_id: Option<String>,
    lifecycle_state: String,
    health_status: String,
    launch_configuration_name: Option<String>,
    launch_template: Option<LaunchTemplateSpecification>,
    image_id: Option<String>,
    protected_from_scale_in: bool,
    weighted_capacity: Option<String>,
});

shape!(AutoScalingInstancesType {
    auto_scaling_instances: Vec<AutoScalingInstanceDetails>,
    next_token: Option<String>,
});

shape!(AvailabilityZoneDistribution {
    capacity_distribution_strategy: Option<String>,
});

shape!(AvailabilityZoneImpairmentPolicy {
    zonal_shift_enabled: Option<bool>,
    impaired_zone_health_check_behavior: Option<String>,
});

shape!(BaselineEbsBandwidthMbpsRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(BaselinePerformanceFactorsRequest {
    cpu: Option<CpuPerformanceFactorRequest>,
});

shape!(BatchDeleteScheduledActionAnswer {
    failed_scheduled_actions: Vec<FailedScheduledUpdateGroupActionRequest>,
});

shape!(BatchDeleteScheduledActionType {
    auto_scaling_group_name: String,
    scheduled_action_names: Vec<String>,
});

shape!(BatchPutScheduledUpdateGroupActionAnswer {
    failed_scheduled_update_group_actions: Vec<FailedScheduledUpdateGroupActionRequest>,
});

shape!(BatchPutScheduledUpdateGroupActionType {
    auto_scaling_group_name: String,
    scheduled_update_group_actions: Vec<ScheduledUpdateGroupActionRequest>,
});

shape!(BlockDeviceMapping {
    virtual_name: Option<String>,
    device_name: String,
    ebs: Option<Ebs>,
    no_device: Option<bool>,
});

shape!(CancelInstanceRefreshAnswer {
    instance_refresh_id: Option<String>,
});

shape!(CancelInstanceRefreshType {
    auto_scaling_group_name: String,
    wait_for_transitioning_instances: Option<bool>,
});

shape!(CapacityForecast {
    timestamps: Vec<base::Time>,
    values: Vec<f64>,
});

shape!(CapacityReservationSpecification {
    capacity_reservation_preference: Option<String>,
    capacity_reservation_target: Option<CapacityReservationTarget>,
});

shape!(CapacityReservationTarget {
    capacity_reservation_ids: Vec<String>,
    capacity_reservation_resource_group_arns: Vec<String>,
});

shape!(CompleteLifecycleActionAnswer {});

shape!(CompleteLifecycleActionType {
    lifecycle_hook_name: String,
    auto_scaling_group_name: String,
    lifecycle_action_token: Option<String>,
    lifecycle_action_result: String,
    instance_id: Option<String>,
});

shape!(CpuPerformanceFactorRequest {
    references: Vec<PerformanceFactorReferenceRequest>,
});

shape!(CreateAutoScalingGroupType {
    auto_scaling_group_name: String,
    launch_configuration_name: Option<String>,
    launch_template: Option<LaunchTemplateSpecification>,
    mixed_instances_policy: Option<MixedInstancesPolicy>,
    instance_id: Option<String>,
    min_size: i64,
    max_size: i64,
    desired_capacity: Option<i64>,
    default_cooldown: Option<i64>,
    availability_zones: Vec<String>,
    availability_zone_ids: Vec<String>,
    load_balancer_names: Vec<String>,
    target_group_arns: Vec<String>,
    health_check_type: Option<String>,
    health_check_grace_period: Option<i64>,
    placement_group: Option<String>,
    vpc_zone_identifier: Option<String>,
    termination_policies: Vec<String>,
    new_instances_protected_from_scale_in: Option<bool>,
    capacity_rebalance: Option<bool>,
    lifecycle_hook_specification_list: Vec<LifecycleHookSpecification>,
    deletion_protection: Option<String>,
    tags: Vec<Tag>,
    service_linked_role_arn: Option<String>,
    max_instance_lifetime: Option<i64>,
    context: Option<String>,
    desired_capacity_type: Option<String>,
    default_instance_warmup: Option<i64>,
    traffic_sources: Vec<TrafficSourceIdentifier>,
    instance_maintenance_policy: Option<InstanceMaintenancePolicy>,
    availability_zone_distribution: Option<AvailabilityZoneDistribution>,
    availability_zone_impairment_policy: Option<AvailabilityZoneImpairmentPolicy>,
    skip_zonal_shift_validation: Option<bool>,
    capacity_reservation_specification: Option<CapacityReservationSpecification>,
    instance_lifecycle_policy: Option<InstanceLifecyclePolicy>,
    operator: Option<Operator>,
});

shape!(CreateLaunchConfigurationType {
    launch_configuration_name: String,
    image_id: Option<String>,
    key_name: Option<String>,
    security_groups: Vec<String>,
    classic_link_vpc_id: Option<String>,
    classic_link_vpc_security_groups: Vec<String>,
    user_data: Option<String>,
    instance_id: Option<String>,
    instance_type: Option<String>,
    kernel_id: Option<String>,
    ramdisk_id: Option<String>,
    block_device_mappings: Vec<BlockDeviceMapping>,
    instance_monitoring: Option<InstanceMonitoring>,
    spot_price: Option<String>,
    iam_instance_profile: Option<String>,
    ebs_optimized: Option<bool>,
    associate_public_ip_address: Option<bool>,
    placement_tenancy: Option<String>,
    metadata_options: Option<InstanceMetadataOptions>,
});

shape!(CreateOrUpdateTagsType {
    tags: Vec<Tag>,
});

shape!(CustomizedMetricSpecification {
    metric_name: Option<String>,
    namespace: Option<String>,
    dimensions: Vec<MetricDimension>,
    statistic: Option<String>,
    unit: Option<String>,
    period: Option<i64>,
    metrics: Vec<TargetTrackingMetricDataQuery>,
});

shape!(DeleteAutoScalingGroupType {
    auto_scaling_group_name: String,
    force_delete: Option<bool>,
});

shape!(DeleteLifecycleHookAnswer {});

shape!(DeleteLifecycleHookType { lifecycle_hook_name: String, auto_scaling_group_name: String });

shape!(DeleteNotificationConfigurationType { auto_scaling_group_name: String, topic_arn: String });

shape!(DeletePolicyType {
    auto_scaling_group_name: Option<String>,
    policy_name: String,
});

shape!(DeleteScheduledActionType { auto_scaling_group_name: String, scheduled_action_name: String });

shape!(DeleteTagsType {
    tags: Vec<Tag>,
});

shape!(DeleteWarmPoolAnswer {});

shape!(DeleteWarmPoolType {
    auto_scaling_group_name: String,
    force_delete: Option<bool>,
});

shape!(DescribeAccountLimitsAnswer {
    max_number_of_auto_scaling_groups: Option<i64>,
    max_number_of_launch_configurations: Option<i64>,
    number_of_auto_scaling_groups: Option<i64>,
    number_of_launch_configurations: Option<i64>,
});

shape!(DescribeAdjustmentTypesAnswer {
    adjustment_types: Vec<AdjustmentType>,
});

shape!(DescribeAutoScalingInstancesType {
    instance_ids: Vec<String>,
    include_managed_resources: Option<bool>,
    max_records: Option<i64>,
    next_token: Option<String>,
});

shape!(DescribeAutoScalingNotificationTypesAnswer {
    auto_scaling_notification_types: Vec<String>,
});

shape!(DescribeInstanceRefreshesAnswer {
    instance_refreshes: Vec<InstanceRefresh>,
    next_token: Option<String>,
});

shape!(DescribeInstanceRefreshesType {
    auto_scaling_group_name: String,
    instance_refresh_ids: Vec<String>,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(DescribeLifecycleHookTypesAnswer {
    lifecycle_hook_types: Vec<String>,
});

shape!(DescribeLifecycleHooksAnswer {
    lifecycle_hooks: Vec<LifecycleHook>,
});

shape!(DescribeLifecycleHooksType {
    auto_scaling_group_name: String,
    lifecycle_hook_names: Vec<String>,
});

shape!(DescribeLoadBalancerTargetGroupsRequest {
    auto_scaling_group_name: String,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(DescribeLoadBalancerTargetGroupsResponse {
    load_balancer_target_groups: Vec<LoadBalancerTargetGroupState>,
    next_token: Option<String>,
});

shape!(DescribeMetricCollectionTypesAnswer {
    metrics: Vec<MetricCollectionType>,
    granularities: Vec<MetricGranularityType>,
});

shape!(DescribeNotificationConfigurationsAnswer {
    notification_configurations: Vec<NotificationConfiguration>,
    next_token: Option<String>,
});

shape!(DescribeNotificationConfigurationsType {
    auto_scaling_group_names: Vec<String>,
    include_managed_resources: Option<bool>,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(DescribePoliciesType {
    auto_scaling_group_name: Option<String>,
    policy_names: Vec<String>,
    policy_types: Vec<String>,
    include_managed_resources: Option<bool>,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(DescribeScalingActivitiesType {
    activity_ids: Vec<String>,
    auto_scaling_group_name: Option<String>,
    include_deleted_groups: Option<bool>,
    include_managed_resources: Option<bool>,
    max_records: Option<i64>,
    next_token: Option<String>,
    filters: Vec<Filter>,
});

shape!(DescribeScheduledActionsType {
    auto_scaling_group_name: Option<String>,
    scheduled_action_names: Vec<String>,
    start_time: Option<base::Time>,
    end_time: Option<base::Time>,
    include_managed_resources: Option<bool>,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(DescribeTagsType {
    filters: Vec<Filter>,
    include_managed_resources: Option<bool>,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(DescribeTerminationPolicyTypesAnswer {
    termination_policy_types: Vec<String>,
});

shape!(DescribeTrafficSourcesRequest {
    auto_scaling_group_name: String,
    traffic_source_type: Option<String>,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(DescribeTrafficSourcesResponse {
    traffic_sources: Vec<TrafficSourceState>,
    next_token: Option<String>,
});

shape!(DescribeWarmPoolAnswer {
    warm_pool_configuration: Option<WarmPoolConfiguration>,
    instances: Vec<Instance>,
    next_token: Option<String>,
});

shape!(DescribeWarmPoolType {
    auto_scaling_group_name: String,
    max_records: Option<i64>,
    next_token: Option<String>,
});

shape!(DesiredConfiguration {
    launch_template: Option<LaunchTemplateSpecification>,
    mixed_instances_policy: Option<MixedInstancesPolicy>,
});

shape!(DetachInstancesAnswer {
    activities: Vec<Activity>,
});

shape!(DetachInstancesQuery {
    instance_ids: Vec<String>,
    auto_scaling_group_name: String,
    should_decrement_desired_capacity: bool,
});

shape!(DetachLoadBalancerTargetGroupsResultType {});

shape!(DetachLoadBalancerTargetGroupsType {
    auto_scaling_group_name: String,
    target_group_arns: Vec<String>,
});

shape!(DetachTrafficSourcesResultType {});

shape!(DetachTrafficSourcesType {
    auto_scaling_group_name: String,
    traffic_sources: Vec<TrafficSourceIdentifier>,
});

shape!(DisableMetricsCollectionQuery {
    auto_scaling_group_name: String,
    metrics: Vec<String>,
});

shape!(DistributionSegment {
    target_capacity_types: Vec<String>,
});

shape!(Ebs {
    snapshot_id: Option<String>,
    volume_size: Option<i64>,
    volume_type: Option<String>,
    delete_on_termination: Option<bool>,
    iops: Option<i64>,
    encrypted: Option<bool>,
    throughput: Option<i64>,
});

shape!(EnableMetricsCollectionQuery {
    auto_scaling_group_name: String,
    metrics: Vec<String>,
    granularity: String,
});

shape!(EnabledMetric {
    metric: Option<String>,
    granularity: Option<String>,
});

shape!(EnterStandbyAnswer {
    activities: Vec<Activity>,
});

shape!(EnterStandbyQuery {
    instance_ids: Vec<String>,
    auto_scaling_group_name: String,
    should_decrement_desired_capacity: bool,
});

shape!(ExecutePolicyType {
    auto_scaling_group_name: Option<String>,
    policy_name: String,
    honor_cooldown: Option<bool>,
    metric_value: Option<f64>,
    breach_threshold: Option<f64>,
});

shape!(ExitStandbyAnswer {
    activities: Vec<Activity>,
});

shape!(ExitStandbyQuery {
    instance_ids: Vec<String>,
    auto_scaling_group_name: String,
});

shape!(FailedScheduledUpdateGroupActionRequest {
    scheduled_action_name: String,
    error_code: Option<String>,
    error_message: Option<String>,
});

shape!(Filter {
    name: Option<String>,
    values: Vec<String>,
});

shape!(GetPredictiveScalingForecastAnswer {
    load_forecast: Vec<LoadForecast>,
    capacity_forecast: CapacityForecast,
    update_time: base::Time,
});

shape!(GetPredictiveScalingForecastType {
    auto_scaling_group_name: String,
    policy_name: String,
    start_time: base::Time,
    end_time: base::Time,
});

shape!(Instance {
    instance_id: String,
    instance_type: Option<String>,
    availability_zone: String,
    availability_zone_id: Option<String>,
    lifecycle_state: String,
    health_status: String,
    launch_configuration_name: Option<String>,
    launch_template: Option<LaunchTemplateSpecification>,
    image_id: Option<String>,
    protected_from_scale_in: bool,
    weighted_capacity: Option<String>,
});

shape!(InstanceLifecyclePolicy {
    retention_triggers: Option<RetentionTriggers>,
});

shape!(InstanceMaintenancePolicy {
    min_healthy_percentage: Option<i64>,
    max_healthy_percentage: Option<i64>,
});

shape!(InstanceMetadataOptions {
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<i64>,
    http_endpoint: Option<String>,
});

shape!(InstanceMonitoring {
    enabled: Option<bool>,
});

shape!(InstanceRefresh {
    instance_refresh_id: Option<String>,
    auto_scaling_group_name: Option<String>,
    status: Option<String>,
    status_reason: Option<String>,
    start_time: Option<base::Time>,
    end_time: Option<base::Time>,
    percentage_complete: Option<i64>,
    instances_to_update: Option<i64>,
    progress_details: Option<InstanceRefreshProgressDetails>,
    preferences: Option<RefreshPreferences>,
    desired_configuration: Option<DesiredConfiguration>,
    rollback_details: Option<RollbackDetails>,
    strategy: Option<String>,
});

shape!(InstanceRefreshLivePoolProgress {
    percentage_complete: Option<i64>,
    instances_to_update: Option<i64>,
});

shape!(InstanceRefreshProgressDetails {
    live_pool_progress: Option<InstanceRefreshLivePoolProgress>,
    warm_pool_progress: Option<InstanceRefreshWarmPoolProgress>,
});

shape!(InstanceRefreshWarmPoolProgress {
    percentage_complete: Option<i64>,
    instances_to_update: Option<i64>,
});

shape!(InstanceRequirements {
    v_cpu_count: VCpuCountRequest,
    memory_mi_b: MemoryMiBRequest,
    cpu_manufacturers: Vec<String>,
    memory_gi_b_per_v_cpu: Option<MemoryGiBPerVCpuRequest>,
    excluded_instance_types: Vec<String>,
    instance_generations: Vec<String>,
    spot_max_price_percentage_over_lowest_price: Option<i64>,
    max_spot_price_as_percentage_of_optimal_on_demand_price: Option<i64>,
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
    baseline_performance_factors: Option<BaselinePerformanceFactorsRequest>,
});

shape!(InstanceReusePolicy {
    reuse_on_scale_in: Option<bool>,
});

shape!(InstancesDistribution {
    on_demand_allocation_strategy: Option<String>,
    on_demand_base_capacity: Option<i64>,
    on_demand_percentage_above_base_capacity: Option<i64>,
    spot_allocation_strategy: Option<String>,
    spot_instance_pools: Option<i64>,
    spot_max_price: Option<String>,
    distribution_segments: Vec<DistributionSegment>,
});

shape!(LaunchConfiguration {
    launch_configuration_name: String,
    launch_configuration_arn: Option<String>,
    image_id: String,
    key_name: Option<String>,
    security_groups: Vec<String>,
    classic_link_vpc_id: Option<String>,
    classic_link_vpc_security_groups: Vec<String>,
    user_data: Option<String>,
    instance_type: String,
    kernel_id: Option<String>,
    ramdisk_id: Option<String>,
    block_device_mappings: Vec<BlockDeviceMapping>,
    instance_monitoring: Option<InstanceMonitoring>,
    spot_price: Option<String>,
    iam_instance_profile: Option<String>,
    created_time: base::Time,
    ebs_optimized: Option<bool>,
    associate_public_ip_address: Option<bool>,
    placement_tenancy: Option<String>,
    metadata_options: Option<InstanceMetadataOptions>,
});

shape!(LaunchConfigurationNameType { launch_configuration_name: String });

shape!(LaunchConfigurationNamesType {
    launch_configuration_names: Vec<String>,
    next_token: Option<String>,
    max_records: Option<i64>,
});

shape!(LaunchConfigurationsType {
    launch_configurations: Vec<LaunchConfiguration>,
    next_token: Option<String>,
});

shape!(LaunchTemplate {
    launch_template_specification: Option<LaunchTemplateSpecification>,
    overrides: Vec<LaunchTemplateOverrides>,
});

shape!(LaunchTemplateOverrides {
    instance_type: Option<String>,
    weighted_capacity: Option<String>,
    launch_template_specification: Option<LaunchTemplateSpecification>,
    instance_requirements: Option<InstanceRequirements>,
    image_id: Option<String>,
});

shape!(LaunchTemplateSpecification {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    version: Option<String>,
});

shape!(LifecycleHook {
    lifecycle_hook_name: Option<String>,
    auto_scaling_group_name: Option<String>,
    lifecycle_transition: Option<String>,
    notification_target_arn: Option<String>,
    role_arn: Option<String>,
    notification_metadata: Option<String>,
    heartbeat_timeout: Option<i64>,
    global_timeout: Option<i64>,
    default_result: Option<String>,
});

shape!(LifecycleHookSpecification {
    lifecycle_hook_name: String,
    lifecycle_transition: String,
    notification_metadata: Option<String>,
    heartbeat_timeout: Option<i64>,
    default_result: Option<String>,
    notification_target_arn: Option<String>,
    role_arn: Option<String>,
});

shape!(LoadBalancerTargetGroupState {
    load_balancer_target_group_arn: Option<String>,
    state: Option<String>,
});

shape!(LoadForecast {
    timestamps: Vec<base::Time>,
    values: Vec<f64>,
    metric_specification: PredictiveScalingMetricSpecification,
});

shape!(MemoryGiBPerVCpuRequest {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(MemoryMiBRequest {
    min: i64,
    max: Option<i64>,
});

shape!(Metric {
    namespace: String,
    metric_name: String,
    dimensions: Vec<MetricDimension>,
});

shape!(MetricCollectionType {
    metric: Option<String>,
});

shape!(MetricDataQuery {
    id: String,
    expression: Option<String>,
    metric_stat: Option<MetricStat>,
    label: Option<String>,
    return_data: Option<bool>,
});

shape!(MetricDimension { name: String, value: String });

shape!(MetricGranularityType {
    granularity: Option<String>,
});

shape!(MetricStat {
    metric: Metric,
    stat: String,
    unit: Option<String>,
});

shape!(MixedInstancesPolicy {
    launch_template: Option<LaunchTemplate>,
    instances_distribution: Option<InstancesDistribution>,
});

shape!(NetworkBandwidthGbpsRequest {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(NetworkInterfaceCountRequest {
    min: Option<i64>,
    max: Option<i64>,
});

shape!(NotificationConfiguration {
    auto_scaling_group_name: Option<String>,
    topic_arn: Option<String>,
    notification_type: Option<String>,
});

shape!(Operator { principal: String });

shape!(PerformanceFactorReferenceRequest {
    instance_family: Option<String>,
});

shape!(PoliciesType {
    scaling_policies: Vec<ScalingPolicy>,
    next_token: Option<String>,
});

shape!(PolicyARNType {
    policy_arn: Option<String>,
    alarms: Vec<Alarm>,
});

shape!(PredefinedMetricSpecification {
    predefined_metric_type: String,
    resource_label: Option<String>,
});

shape!(PredictiveScalingConfiguration {
    metric_specifications: Vec<PredictiveScalingMetricSpecification>,
    mode: Option<String>,
    scheduling_buffer_time: Option<i64>,
    max_capacity_breach_behavior: Option<String>,
    max_capacity_buffer: Option<i64>,
});

shape!(PredictiveScalingCustomizedCapacityMetric {
    metric_data_queries: Vec<MetricDataQuery>,
});

shape!(PredictiveScalingCustomizedLoadMetric {
    metric_data_queries: Vec<MetricDataQuery>,
});

shape!(PredictiveScalingCustomizedScalingMetric {
    metric_data_queries: Vec<MetricDataQuery>,
});

shape!(PredictiveScalingMetricSpecification {
    target_value: f64,
    predefined_metric_pair_specification: Option<PredictiveScalingPredefinedMetricPair>,
    predefined_scaling_metric_specification: Option<PredictiveScalingPredefinedScalingMetric>,
    predefined_load_metric_specification: Option<PredictiveScalingPredefinedLoadMetric>,
    customized_scaling_metric_specification: Option<PredictiveScalingCustomizedScalingMetric>,
    customized_load_metric_specification: Option<PredictiveScalingCustomizedLoadMetric>,
    customized_capacity_metric_specification: Option<PredictiveScalingCustomizedCapacityMetric>,
});

shape!(PredictiveScalingPredefinedLoadMetric {
    predefined_metric_type: String,
    resource_label: Option<String>,
});

shape!(PredictiveScalingPredefinedMetricPair {
    predefined_metric_type: String,
    resource_label: Option<String>,
});

shape!(PredictiveScalingPredefinedScalingMetric {
    predefined_metric_type: String,
    resource_label: Option<String>,
});

shape!(ProcessType { process_name: String });

shape!(ProcessesType {
    processes: Vec<ProcessType>,
});

shape!(PutLifecycleHookAnswer {});

shape!(PutLifecycleHookType {
    lifecycle_hook_name: String,
    auto_scaling_group_name: String,
    lifecycle_transition: Option<String>,
    role_arn: Option<String>,
    notification_target_arn: Option<String>,
    notification_metadata: Option<String>,
    heartbeat_timeout: Option<i64>,
    default_result: Option<String>,
});

shape!(PutNotificationConfigurationType {
    auto_scaling_group_name: String,
    topic_arn: String,
    notification_types: Vec<String>,
});

shape!(PutScalingPolicyType {
    auto_scaling_group_name: String,
    policy_name: String,
    policy_type: Option<String>,
    adjustment_type: Option<String>,
    min_adjustment_step: Option<i64>,
    min_adjustment_magnitude: Option<i64>,
    scaling_adjustment: Option<i64>,
    cooldown: Option<i64>,
    metric_aggregation_type: Option<String>,
    step_adjustments: Vec<StepAdjustment>,
    estimated_instance_warmup: Option<i64>,
    target_tracking_configuration: Option<TargetTrackingConfiguration>,
    enabled: Option<bool>,
    predictive_scaling_configuration: Option<PredictiveScalingConfiguration>,
});

shape!(PutScheduledUpdateGroupActionType {
    auto_scaling_group_name: String,
    scheduled_action_name: String,
    time: Option<base::Time>,
    start_time: Option<base::Time>,
    end_time: Option<base::Time>,
    recurrence: Option<String>,
    min_size: Option<i64>,
    max_size: Option<i64>,
    desired_capacity: Option<i64>,
    time_zone: Option<String>,
});

shape!(PutWarmPoolAnswer {});

shape!(PutWarmPoolType {
    auto_scaling_group_name: String,
    max_group_prepared_capacity: Option<i64>,
    min_size: Option<i64>,
    pool_state: Option<String>,
    instance_reuse_policy: Option<InstanceReusePolicy>,
});

shape!(RecordLifecycleActionHeartbeatAnswer {});

shape!(RecordLifecycleActionHeartbeatType {
    lifecycle_hook_name: String,
    auto_scaling_group_name: String,
    lifecycle_action_token: Option<String>,
    instance_id: Option<String>,
});

shape!(RefreshPreferences {
    min_healthy_percentage: Option<i64>,
    instance_warmup: Option<i64>,
    checkpoint_percentages: Vec<i64>,
    checkpoint_delay: Option<i64>,
    skip_matching: Option<bool>,
    auto_rollback: Option<bool>,
    scale_in_protected_instances: Option<String>,
    standby_instances: Option<String>,
    alarm_specification: Option<AlarmSpecification>,
    max_healthy_percentage: Option<i64>,
    bake_time: Option<i64>,
});

shape!(RetentionTriggers {
    terminate_hook_abandon: Option<String>,
});

shape!(RollbackDetails {
    rollback_reason: Option<String>,
    rollback_start_time: Option<base::Time>,
    percentage_complete_on_rollback: Option<i64>,
    instances_to_update_on_rollback: Option<i64>,
    progress_details_on_rollback: Option<InstanceRefreshProgressDetails>,
});

shape!(RollbackInstanceRefreshAnswer {
    instance_refresh_id: Option<String>,
});

shape!(RollbackInstanceRefreshType { auto_scaling_group_name: String });

shape!(ScalingPolicy {
    auto_scaling_group_name: Option<String>,
    policy_name: Option<String>,
    policy_arn: Option<String>,
    policy_type: Option<String>,
    adjustment_type: Option<String>,
    min_adjustment_step: Option<i64>,
    min_adjustment_magnitude: Option<i64>,
    scaling_adjustment: Option<i64>,
    cooldown: Option<i64>,
    step_adjustments: Vec<StepAdjustment>,
    metric_aggregation_type: Option<String>,
    estimated_instance_warmup: Option<i64>,
    alarms: Vec<Alarm>,
    target_tracking_configuration: Option<TargetTrackingConfiguration>,
    enabled: Option<bool>,
    predictive_scaling_configuration: Option<PredictiveScalingConfiguration>,
});

shape!(ScalingProcessQuery {
    auto_scaling_group_name: String,
    scaling_processes: Vec<String>,
});

shape!(ScheduledActionsType {
    scheduled_update_group_actions: Vec<ScheduledUpdateGroupAction>,
    next_token: Option<String>,
});

shape!(ScheduledUpdateGroupAction {
    auto_scaling_group_name: Option<String>,
    scheduled_action_name: Option<String>,
    scheduled_action_arn: Option<String>,
    time: Option<base::Time>,
    start_time: Option<base::Time>,
    end_time: Option<base::Time>,
    recurrence: Option<String>,
    min_size: Option<i64>,
    max_size: Option<i64>,
    desired_capacity: Option<i64>,
    time_zone: Option<String>,
});

shape!(ScheduledUpdateGroupActionRequest {
    scheduled_action_name: String,
    start_time: Option<base::Time>,
    end_time: Option<base::Time>,
    recurrence: Option<String>,
    min_size: Option<i64>,
    max_size: Option<i64>,
    desired_capacity: Option<i64>,
    time_zone: Option<String>,
});

shape!(SetDesiredCapacityType {
    auto_scaling_group_name: String,
    desired_capacity: i64,
    honor_cooldown: Option<bool>,
});

shape!(SetInstanceHealthQuery {
    instance_id: String,
    health_status: String,
    should_respect_grace_period: Option<bool>,
});

shape!(SetInstanceProtectionAnswer {});

shape!(SetInstanceProtectionQuery {
    instance_ids: Vec<String>,
    auto_scaling_group_name: String,
    protected_from_scale_in: bool,
});

shape!(StartInstanceRefreshAnswer {
    instance_refresh_id: Option<String>,
});

shape!(StartInstanceRefreshType {
    auto_scaling_group_name: String,
    strategy: Option<String>,
    desired_configuration: Option<DesiredConfiguration>,
    preferences: Option<RefreshPreferences>,
});

shape!(StepAdjustment {
    metric_interval_lower_bound: Option<f64>,
    metric_interval_upper_bound: Option<f64>,
    scaling_adjustment: i64,
});

shape!(SuspendedProcess {
    process_name: Option<String>,
    suspension_reason: Option<String>,
});

shape!(Tag {
    resource_id: Option<String>,
    resource_type: Option<String>,
    key: String,
    value: Option<String>,
    propagate_at_launch: Option<bool>,
});

shape!(TagDescription {
    resource_id: Option<String>,
    resource_type: Option<String>,
    key: Option<String>,
    value: Option<String>,
    propagate_at_launch: Option<bool>,
});

shape!(TagsType {
    tags: Vec<TagDescription>,
    next_token: Option<String>,
});

shape!(TargetTrackingConfiguration {
    predefined_metric_specification: Option<PredefinedMetricSpecification>,
    customized_metric_specification: Option<CustomizedMetricSpecification>,
    target_value: f64,
    disable_scale_in: Option<bool>,
});

shape!(TargetTrackingMetricDataQuery {
    id: String,
    expression: Option<String>,
    metric_stat: Option<TargetTrackingMetricStat>,
    label: Option<String>,
    period: Option<i64>,
    return_data: Option<bool>,
});

shape!(TargetTrackingMetricStat {
    metric: Metric,
    stat: String,
    unit: Option<String>,
    period: Option<i64>,
});

shape!(TerminateInstanceInAutoScalingGroupType {
    instance_id: Option<String>,
    instance_ids: Vec<String>,
    auto_scaling_group_name: Option<String>,
    should_decrement_desired_capacity: bool,
});

shape!(TotalLocalStorageGBRequest {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(TrafficSourceIdentifier {
    identifier: String,
    r#type: Option<String>,
});

shape!(TrafficSourceState {
    traffic_source: Option<String>,
    state: Option<String>,
    identifier: Option<String>,
    r#type: Option<String>,
});

shape!(UpdateAutoScalingGroupType {
    auto_scaling_group_name: String,
    launch_configuration_name: Option<String>,
    launch_template: Option<LaunchTemplateSpecification>,
    mixed_instances_policy: Option<MixedInstancesPolicy>,
    min_size: Option<i64>,
    max_size: Option<i64>,
    desired_capacity: Option<i64>,
    default_cooldown: Option<i64>,
    availability_zones: Vec<String>,
    availability_zone_ids: Vec<String>,
    health_check_type: Option<String>,
    health_check_grace_period: Option<i64>,
    placement_group: Option<String>,
    vpc_zone_identifier: Option<String>,
    termination_policies: Vec<String>,
    new_instances_protected_from_scale_in: Option<bool>,
    service_linked_role_arn: Option<String>,
    max_instance_lifetime: Option<i64>,
    capacity_rebalance: Option<bool>,
    context: Option<String>,
    desired_capacity_type: Option<String>,
    default_instance_warmup: Option<i64>,
    instance_maintenance_policy: Option<InstanceMaintenancePolicy>,
    availability_zone_distribution: Option<AvailabilityZoneDistribution>,
    availability_zone_impairment_policy: Option<AvailabilityZoneImpairmentPolicy>,
    skip_zonal_shift_validation: Option<bool>,
    capacity_reservation_specification: Option<CapacityReservationSpecification>,
    instance_lifecycle_policy: Option<InstanceLifecyclePolicy>,
    deletion_protection: Option<String>,
});

shape!(VCpuCountRequest {
    min: i64,
    max: Option<i64>,
});

shape!(WarmPoolConfiguration {
    max_group_prepared_capacity: Option<i64>,
    min_size: Option<i64>,
    pool_state: Option<String>,
    status: Option<String>,
    instance_reuse_policy: Option<InstanceReusePolicy>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("autoscaling" AttachInstances super::AttachInstancesQuery => ());
    operation!("autoscaling" AttachLoadBalancerTargetGroups super::AttachLoadBalancerTargetGroupsType => super::AttachLoadBalancerTargetGroupsResultType);
    operation!("autoscaling" AttachTrafficSources super::AttachTrafficSourcesType => super::AttachTrafficSourcesResultType);
    operation!("autoscaling" BatchDeleteScheduledAction super::BatchDeleteScheduledActionType => super::BatchDeleteScheduledActionAnswer);
    operation!("autoscaling" BatchPutScheduledUpdateGroupAction super::BatchPutScheduledUpdateGroupActionType => super::BatchPutScheduledUpdateGroupActionAnswer);
    operation!("autoscaling" CancelInstanceRefresh super::CancelInstanceRefreshType => super::CancelInstanceRefreshAnswer);
    operation!("autoscaling" CompleteLifecycleAction super::CompleteLifecycleActionType => super::CompleteLifecycleActionAnswer);
    operation!("autoscaling" CreateAutoScalingGroup super::CreateAutoScalingGroupType => ());
    operation!("autoscaling" CreateLaunchConfiguration super::CreateLaunchConfigurationType => ());
    operation!("autoscaling" CreateOrUpdateTags super::CreateOrUpdateTagsType => ());
    operation!("autoscaling" DeleteAutoScalingGroup super::DeleteAutoScalingGroupType => ());
    operation!("autoscaling" DeleteLaunchConfiguration super::LaunchConfigurationNameType => ());
    operation!("autoscaling" DeleteLifecycleHook super::DeleteLifecycleHookType => super::DeleteLifecycleHookAnswer);
    operation!("autoscaling" DeleteNotificationConfiguration super::DeleteNotificationConfigurationType => ());
    operation!("autoscaling" DeletePolicy super::DeletePolicyType => ());
    operation!("autoscaling" DeleteScheduledAction super::DeleteScheduledActionType => ());
    operation!("autoscaling" DeleteTags super::DeleteTagsType => ());
    operation!("autoscaling" DeleteWarmPool super::DeleteWarmPoolType => super::DeleteWarmPoolAnswer);
    operation!("autoscaling" DescribeAccountLimits () => super::DescribeAccountLimitsAnswer);
    operation!("autoscaling" DescribeAdjustmentTypes () => super::DescribeAdjustmentTypesAnswer);
    operation!("autoscaling" DescribeAutoScalingGroups super::AutoScalingGroupNamesType => super::AutoScalingGroupsType);
    operation!("autoscaling" DescribeAutoScalingInstances super::DescribeAutoScalingInstancesType => super::AutoScalingInstancesType);
    operation!("autoscaling" DescribeAutoScalingNotificationTypes () => super::DescribeAutoScalingNotificationTypesAnswer);
    operation!("autoscaling" DescribeInstanceRefreshes super::DescribeInstanceRefreshesType => super::DescribeInstanceRefreshesAnswer);
    operation!("autoscaling" DescribeLaunchConfigurations super::LaunchConfigurationNamesType => super::LaunchConfigurationsType);
    operation!("autoscaling" DescribeLifecycleHookTypes () => super::DescribeLifecycleHookTypesAnswer);
    operation!("autoscaling" DescribeLifecycleHooks super::DescribeLifecycleHooksType => super::DescribeLifecycleHooksAnswer);
    operation!("autoscaling" DescribeLoadBalancerTargetGroups super::DescribeLoadBalancerTargetGroupsRequest => super::DescribeLoadBalancerTargetGroupsResponse);
    operation!("autoscaling" DescribeMetricCollectionTypes () => super::DescribeMetricCollectionTypesAnswer);
    operation!("autoscaling" DescribeNotificationConfigurations super::DescribeNotificationConfigurationsType => super::DescribeNotificationConfigurationsAnswer);
    operation!("autoscaling" DescribePolicies super::DescribePoliciesType => super::PoliciesType);
    operation!("autoscaling" DescribeScalingActivities super::DescribeScalingActivitiesType => super::ActivitiesType);
    operation!("autoscaling" DescribeScalingProcessTypes () => super::ProcessesType);
    operation!("autoscaling" DescribeScheduledActions super::DescribeScheduledActionsType => super::ScheduledActionsType);
    operation!("autoscaling" DescribeTags super::DescribeTagsType => super::TagsType);
    operation!("autoscaling" DescribeTerminationPolicyTypes () => super::DescribeTerminationPolicyTypesAnswer);
    operation!("autoscaling" DescribeTrafficSources super::DescribeTrafficSourcesRequest => super::DescribeTrafficSourcesResponse);
    operation!("autoscaling" DescribeWarmPool super::DescribeWarmPoolType => super::DescribeWarmPoolAnswer);
    operation!("autoscaling" DetachInstances super::DetachInstancesQuery => super::DetachInstancesAnswer);
    operation!("autoscaling" DetachLoadBalancerTargetGroups super::DetachLoadBalancerTargetGroupsType => super::DetachLoadBalancerTargetGroupsResultType);
    operation!("autoscaling" DetachTrafficSources super::DetachTrafficSourcesType => super::DetachTrafficSourcesResultType);
    operation!("autoscaling" DisableMetricsCollection super::DisableMetricsCollectionQuery => ());
    operation!("autoscaling" EnableMetricsCollection super::EnableMetricsCollectionQuery => ());
    operation!("autoscaling" EnterStandby super::EnterStandbyQuery => super::EnterStandbyAnswer);
    operation!("autoscaling" ExecutePolicy super::ExecutePolicyType => ());
    operation!("autoscaling" ExitStandby super::ExitStandbyQuery => super::ExitStandbyAnswer);
    operation!("autoscaling" GetPredictiveScalingForecast super::GetPredictiveScalingForecastType => super::GetPredictiveScalingForecastAnswer);
    operation!("autoscaling" PutLifecycleHook super::PutLifecycleHookType => super::PutLifecycleHookAnswer);
    operation!("autoscaling" PutNotificationConfiguration super::PutNotificationConfigurationType => ());
    operation!("autoscaling" PutScalingPolicy super::PutScalingPolicyType => super::PolicyARNType);
    operation!("autoscaling" PutScheduledUpdateGroupAction super::PutScheduledUpdateGroupActionType => ());
    operation!("autoscaling" PutWarmPool super::PutWarmPoolType => super::PutWarmPoolAnswer);
    operation!("autoscaling" RecordLifecycleActionHeartbeat super::RecordLifecycleActionHeartbeatType => super::RecordLifecycleActionHeartbeatAnswer);
    operation!("autoscaling" ResumeProcesses super::ScalingProcessQuery => ());
    operation!("autoscaling" RollbackInstanceRefresh super::RollbackInstanceRefreshType => super::RollbackInstanceRefreshAnswer);
    operation!("autoscaling" SetDesiredCapacity super::SetDesiredCapacityType => ());
    operation!("autoscaling" SetInstanceHealth super::SetInstanceHealthQuery => ());
    operation!("autoscaling" SetInstanceProtection super::SetInstanceProtectionQuery => super::SetInstanceProtectionAnswer);
    operation!("autoscaling" StartInstanceRefresh super::StartInstanceRefreshType => super::StartInstanceRefreshAnswer);
    operation!("autoscaling" SuspendProcesses super::ScalingProcessQuery => ());
    operation!("autoscaling" TerminateInstanceInAutoScalingGroup super::TerminateInstanceInAutoScalingGroupType => super::ActivityType);
    operation!("autoscaling" UpdateAutoScalingGroup super::UpdateAutoScalingGroupType => ());
}
