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

shape!(CapacityReservationSpecification {
    capacity_reservation_preference: Option<String>,
    capacity_reservation_target: Option<CapacityReservationTarget>,
});

shape!(CapacityReservationTarget {
    capacity_reservation_ids: Vec<String>,
    capacity_reservation_resource_group_arns: Vec<String>,
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

shape!(CreateOrUpdateTagsType {
    tags: Vec<Tag>,
});

shape!(DeleteAutoScalingGroupType {
    auto_scaling_group_name: String,
    force_delete: Option<bool>,
});

shape!(DeleteTagsType {
    tags: Vec<Tag>,
});

shape!(DescribeAccountLimitsAnswer {
    max_number_of_auto_scaling_groups: Option<i64>,
    max_number_of_launch_configurations: Option<i64>,
    number_of_auto_scaling_groups: Option<i64>,
    number_of_launch_configurations: Option<i64>,
});

shape!(DescribeAutoScalingInstancesType {
    instance_ids: Vec<String>,
    include_managed_resources: Option<bool>,
    max_records: Option<i64>,
    next_token: Option<String>,
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

shape!(DescribeScalingActivitiesType {
    activity_ids: Vec<String>,
    auto_scaling_group_name: Option<String>,
    include_deleted_groups: Option<bool>,
    include_managed_resources: Option<bool>,
    max_records: Option<i64>,
    next_token: Option<String>,
    filters: Vec<Filter>,
});

shape!(DescribeTagsType {
    filters: Vec<Filter>,
    include_managed_resources: Option<bool>,
    next_token: Option<String>,
    max_records: Option<i64>,
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

shape!(DistributionSegment {
    target_capacity_types: Vec<String>,
});

shape!(EnabledMetric {
    metric: Option<String>,
    granularity: Option<String>,
});

shape!(Filter {
    name: Option<String>,
    values: Vec<String>,
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

shape!(MemoryGiBPerVCpuRequest {
    min: Option<f64>,
    max: Option<f64>,
});

shape!(MemoryMiBRequest {
    min: i64,
    max: Option<i64>,
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

shape!(Operator { principal: String });

shape!(PerformanceFactorReferenceRequest {
    instance_family: Option<String>,
});

shape!(RetentionTriggers {
    terminate_hook_abandon: Option<String>,
});

shape!(ScalingProcessQuery {
    auto_scaling_group_name: String,
    scaling_processes: Vec<String>,
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
    operation!("autoscaling" CreateAutoScalingGroup super::CreateAutoScalingGroupType => ());
    operation!("autoscaling" CreateOrUpdateTags super::CreateOrUpdateTagsType => ());
    operation!("autoscaling" DeleteAutoScalingGroup super::DeleteAutoScalingGroupType => ());
    operation!("autoscaling" DeleteTags super::DeleteTagsType => ());
    operation!("autoscaling" DescribeAccountLimits () => super::DescribeAccountLimitsAnswer);
    operation!("autoscaling" DescribeAutoScalingGroups super::AutoScalingGroupNamesType => super::AutoScalingGroupsType);
    operation!("autoscaling" DescribeAutoScalingInstances super::DescribeAutoScalingInstancesType => super::AutoScalingInstancesType);
    operation!("autoscaling" DescribeLoadBalancerTargetGroups super::DescribeLoadBalancerTargetGroupsRequest => super::DescribeLoadBalancerTargetGroupsResponse);
    operation!("autoscaling" DescribeScalingActivities super::DescribeScalingActivitiesType => super::ActivitiesType);
    operation!("autoscaling" DescribeTags super::DescribeTagsType => super::TagsType);
    operation!("autoscaling" DescribeTrafficSources super::DescribeTrafficSourcesRequest => super::DescribeTrafficSourcesResponse);
    operation!("autoscaling" DetachInstances super::DetachInstancesQuery => super::DetachInstancesAnswer);
    operation!("autoscaling" DetachLoadBalancerTargetGroups super::DetachLoadBalancerTargetGroupsType => super::DetachLoadBalancerTargetGroupsResultType);
    operation!("autoscaling" DetachTrafficSources super::DetachTrafficSourcesType => super::DetachTrafficSourcesResultType);
    operation!("autoscaling" ResumeProcesses super::ScalingProcessQuery => ());
    operation!("autoscaling" SetDesiredCapacity super::SetDesiredCapacityType => ());
    operation!("autoscaling" SetInstanceHealth super::SetInstanceHealthQuery => ());
    operation!("autoscaling" SetInstanceProtection super::SetInstanceProtectionQuery => super::SetInstanceProtectionAnswer);
    operation!("autoscaling" SuspendProcesses super::ScalingProcessQuery => ());
    operation!("autoscaling" TerminateInstanceInAutoScalingGroup super::TerminateInstanceInAutoScalingGroupType => super::ActivityType);
    operation!("autoscaling" UpdateAutoScalingGroup super::UpdateAutoScalingGroupType => ());
}
