//! Shapes of `cloudwatch`, generated: do not edit.

shape!(ActionConfiguration {
    alarm_tags_propagation: Option<AlarmTagsPropagation>,
});

shape!(AlarmHistoryItem {
    alarm_name: Option<String>,
    alarm_contributor_id: Option<String>,
    alarm_type: Option<String>,
    timestamp: Option<base::Time>,
    history_item_type: Option<String>,
    history_summary: Option<String>,
    history_data: Option<String>,
    alarm_contributor_attributes: std::collections::BTreeMap<String, String>,
});

shape!(AlarmPromQLCriteria {
    query: String,
    pending_period: Option<i64>,
    recovery_period: Option<i64>,
});

shape!(AlarmTagsPropagation {
    enabled: bool,
    included_tag_keys: Vec<String>,
    excluded_tag_keys: Vec<String>,
});

shape!(CompositeAlarm {
    actions_enabled: Option<bool>,
    alarm_actions: Vec<String>,
    alarm_arn: Option<String>,
    alarm_configuration_updated_timestamp: Option<base::Time>,
    alarm_description: Option<String>,
    alarm_name: Option<String>,
    alarm_rule: Option<String>,
    insufficient_data_actions: Vec<String>,
    ok_actions: Vec<String>,
    state_reason: Option<String>,
    state_reason_data: Option<String>,
    state_updated_timestamp: Option<base::Time>,
    state_value: Option<String>,
    state_transitioned_timestamp: Option<base::Time>,
    actions_suppressed_by: Option<String>,
    actions_suppressed_reason: Option<String>,
    actions_suppressor: Option<String>,
    actions_suppressor_wait_period: Option<i64>,
    actions_suppressor_extension_period: Option<i64>,
    action_configuration: Option<ActionConfiguration>,
});

shape!(DashboardEntry {
    dashboard_name: Option<String>,
    dashboard_arn: Option<String>,
    last_modified: Option<base::Time>,
    size: Option<i64>,
});

shape!(DashboardValidationMessage {
    data_path: Option<String>,
    message: Option<String>,
});

shape!(Datapoint {
    timestamp: Option<base::Time>,
    sample_count: Option<f64>,
    average: Option<f64>,
    sum: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    unit: Option<String>,
    extended_statistics: std::collections::BTreeMap<String, f64>,
});

shape!(DeleteAlarmsInput {
    alarm_names: Vec<String>,
});

shape!(DeleteDashboardsInput {
    dashboard_names: Vec<String>,
});

shape!(DeleteDashboardsOutput {});

shape!(DescribeAlarmHistoryInput {
    alarm_name: Option<String>,
    alarm_contributor_id: Option<String>,
    alarm_types: Vec<String>,
    history_item_type: Option<String>,
    start_date: Option<base::Time>,
    end_date: Option<base::Time>,
    max_records: Option<i64>,
    next_token: Option<String>,
    scan_by: Option<String>,
});

shape!(DescribeAlarmHistoryOutput {
    alarm_history_items: Vec<AlarmHistoryItem>,
    next_token: Option<String>,
});

shape!(DescribeAlarmsForMetricInput {
    metric_name: String,
    namespace: String,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<String>,
});

shape!(DescribeAlarmsForMetricOutput {
    metric_alarms: Vec<MetricAlarm>,
});

shape!(DescribeAlarmsInput {
    alarm_names: Vec<String>,
    alarm_name_prefix: Option<String>,
    alarm_types: Vec<String>,
    children_of_alarm_name: Option<String>,
    parents_of_alarm_name: Option<String>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
});

shape!(DescribeAlarmsOutput {
    composite_alarms: Vec<CompositeAlarm>,
    metric_alarms: Vec<MetricAlarm>,
    log_alarms: Vec<LogAlarm>,
    next_token: Option<String>,
});

shape!(Dimension { name: String, value: String });

shape!(DimensionFilter {
    name: String,
    value: Option<String>,
});

shape!(DisableAlarmActionsInput {
    alarm_names: Vec<String>,
});

shape!(EnableAlarmActionsInput {
    alarm_names: Vec<String>,
});

shape!(Entity {
    key_attributes: std::collections::BTreeMap<String, String>,
    attributes: std::collections::BTreeMap<String, String>,
});

shape!(EntityMetricData {
    entity: Option<Entity>,
    metric_data: Vec<MetricDatum>,
});

shape!(EvaluationCriteria {
    prom_ql_criteria: Option<AlarmPromQLCriteria>,
});

shape!(EvaluationWindow {
    wall_clock_window: Option<WallClockWindow>,
    sliding_window: Option<SlidingWindow>,
});

shape!(GetDashboardInput { dashboard_name: String });

shape!(GetDashboardOutput {
    dashboard_arn: Option<String>,
    dashboard_body: Option<String>,
    dashboard_name: Option<String>,
});

shape!(GetMetricDataInput {
    metric_data_queries: Vec<MetricDataQuery>,
    start_time: base::Time,
    end_time: base::Time,
    next_token: Option<String>,
    scan_by: Option<String>,
    max_datapoints: Option<i64>,
    label_options: Option<LabelOptions>,
});

shape!(GetMetricDataOutput {
    metric_data_results: Vec<MetricDataResult>,
    next_token: Option<String>,
    messages: Vec<MessageData>,
});

shape!(GetMetricStatisticsInput {
    namespace: String,
    metric_name: String,
    dimensions: Vec<Dimension>,
    start_time: base::Time,
    end_time: base::Time,
    period: i64,
    statistics: Vec<String>,
    extended_statistics: Vec<String>,
    unit: Option<String>,
});

shape!(GetMetricStatisticsOutput {
    label: Option<String>,
    datapoints: Vec<Datapoint>,
});

shape!(LabelOptions {
    timezone: Option<String>,
});

shape!(ListDashboardsInput {
    dashboard_name_prefix: Option<String>,
    next_token: Option<String>,
});

shape!(ListDashboardsOutput {
    dashboard_entries: Vec<DashboardEntry>,
    next_token: Option<String>,
});

shape!(ListMetricsInput {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Vec<DimensionFilter>,
    next_token: Option<String>,
    recently_active: Option<String>,
    include_linked_accounts: Option<bool>,
    owning_account: Option<String>,
});

shape!(ListMetricsOutput {
    metrics: Vec<Metric>,
    next_token: Option<String>,
    owning_accounts: Vec<String>,
});

shape!(ListTagsForResourceInput { resource_arn: String });

shape!(ListTagsForResourceOutput {
    tags: Vec<Tag>,
});

shape!(LogAlarm {
    alarm_name: Option<String>,
    alarm_arn: Option<String>,
    alarm_description: Option<String>,
    alarm_configuration_updated_timestamp: Option<base::Time>,
    actions_enabled: Option<bool>,
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    state_value: Option<String>,
    state_reason: Option<String>,
    state_reason_data: Option<String>,
    state_updated_timestamp: Option<base::Time>,
    scheduled_query_configuration: Option<ScheduledQueryConfiguration>,
    query_results_to_evaluate: Option<i64>,
    query_results_to_alarm: Option<i64>,
    threshold: Option<f64>,
    comparison_operator: Option<String>,
    treat_missing_data: Option<String>,
    state_transitioned_timestamp: Option<base::Time>,
    evaluation_state: Option<String>,
    action_log_line_count: Option<i64>,
    action_log_line_role_arn: Option<String>,
    warm_up_configuration: Option<WarmUpConfiguration>,
    action_configuration: Option<ActionConfiguration>,
});

shape!(MessageData {
    code: Option<String>,
    value: Option<String>,
});

shape!(Metric {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Vec<Dimension>,
});

shape!(MetricAlarm {
    alarm_name: Option<String>,
    alarm_arn: Option<String>,
    alarm_description: Option<String>,
    alarm_configuration_updated_timestamp: Option<base::Time>,
    actions_enabled: Option<bool>,
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    state_value: Option<String>,
    state_reason: Option<String>,
    state_reason_data: Option<String>,
    state_updated_timestamp: Option<base::Time>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<String>,
    evaluation_periods: Option<i64>,
    datapoints_to_alarm: Option<i64>,
    threshold: Option<f64>,
    comparison_operator: Option<String>,
    treat_missing_data: Option<String>,
    evaluate_low_sample_count_percentile: Option<String>,
    metrics: Vec<MetricDataQuery>,
    threshold_metric_id: Option<String>,
    evaluation_state: Option<String>,
    state_transitioned_timestamp: Option<base::Time>,
    evaluation_window: Option<EvaluationWindow>,
    warm_up_configuration: Option<WarmUpConfiguration>,
    evaluation_criteria: Option<EvaluationCriteria>,
    evaluation_interval: Option<i64>,
    action_configuration: Option<ActionConfiguration>,
});

shape!(MetricDataQuery {
    id: String,
    metric_stat: Option<MetricStat>,
    expression: Option<String>,
    label: Option<String>,
    return_data: Option<bool>,
    period: Option<i64>,
    account_id: Option<String>,
});

shape!(MetricDataResult {
    id: Option<String>,
    label: Option<String>,
    timestamps: Vec<base::Time>,
    values: Vec<f64>,
    status_code: Option<String>,
    messages: Vec<MessageData>,
});

shape!(MetricDatum {
    metric_name: String,
    dimensions: Vec<Dimension>,
    timestamp: Option<base::Time>,
    value: Option<f64>,
    statistic_values: Option<StatisticSet>,
    values: Vec<f64>,
    counts: Vec<f64>,
    unit: Option<String>,
    storage_resolution: Option<i64>,
});

shape!(MetricStat {
    metric: Metric,
    period: i64,
    stat: String,
    unit: Option<String>,
});

shape!(PutCompositeAlarmInput {
    actions_enabled: Option<bool>,
    alarm_actions: Vec<String>,
    alarm_description: Option<String>,
    alarm_name: String,
    alarm_rule: String,
    insufficient_data_actions: Vec<String>,
    ok_actions: Vec<String>,
    tags: Vec<Tag>,
    actions_suppressor: Option<String>,
    actions_suppressor_wait_period: Option<i64>,
    actions_suppressor_extension_period: Option<i64>,
    action_configuration: Option<ActionConfiguration>,
});

shape!(PutDashboardInput {
    dashboard_name: String,
    dashboard_body: String,
    tags: Vec<Tag>,
});

shape!(PutDashboardOutput {
    dashboard_validation_messages: Vec<DashboardValidationMessage>,
});

shape!(PutMetricAlarmInput {
    alarm_name: String,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<String>,
    evaluation_periods: Option<i64>,
    datapoints_to_alarm: Option<i64>,
    threshold: Option<f64>,
    comparison_operator: Option<String>,
    treat_missing_data: Option<String>,
    evaluate_low_sample_count_percentile: Option<String>,
    metrics: Vec<MetricDataQuery>,
    tags: Vec<Tag>,
    threshold_metric_id: Option<String>,
    evaluation_window: Option<EvaluationWindow>,
    warm_up_configuration: Option<WarmUpConfiguration>,
    evaluation_criteria: Option<EvaluationCriteria>,
    evaluation_interval: Option<i64>,
    action_configuration: Option<ActionConfiguration>,
});

shape!(PutMetricDataInput {
    namespace: String,
    metric_data: Vec<MetricDatum>,
    entity_metric_data: Vec<EntityMetricData>,
    strict_entity_validation: Option<bool>,
});

shape!(ScheduleConfiguration {
    schedule_expression: String,
    start_time_offset: i64,
    end_time_offset: Option<i64>,
});

shape!(ScheduledQueryConfiguration {
    query_string: String,
    log_group_identifiers: Vec<String>,
    query_arn: Option<String>,
    scheduled_query_role_arn: String,
    schedule_configuration: ScheduleConfiguration,
    aggregation_expression: String,
    tags: Vec<Tag>,
});

shape!(SetAlarmStateInput {
    alarm_name: String,
    state_value: String,
    state_reason: String,
    state_reason_data: Option<String>,
});

shape!(SlidingWindow {});

shape!(StatisticSet { sample_count: f64, sum: f64, minimum: f64, maximum: f64 });

shape!(Tag { key: String, value: String });

shape!(TagResourceInput {
    resource_arn: String,
    tags: Vec<Tag>,
});

shape!(TagResourceOutput {});

shape!(UntagResourceInput {
    resource_arn: String,
    tag_keys: Vec<String>,
});

shape!(UntagResourceOutput {});

shape!(WallClockWindow {
    timezone: Option<String>,
});

shape!(WarmUpConfiguration {
    warm_up_period_duration_in_minutes: i64,
    only_start_evaluating_after_warm_up_period_ends: Option<bool>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("cloudwatch" DeleteAlarms super::DeleteAlarmsInput => ());
    operation!("cloudwatch" DeleteDashboards super::DeleteDashboardsInput => super::DeleteDashboardsOutput);
    operation!("cloudwatch" DescribeAlarmHistory super::DescribeAlarmHistoryInput => super::DescribeAlarmHistoryOutput);
    operation!("cloudwatch" DescribeAlarms super::DescribeAlarmsInput => super::DescribeAlarmsOutput);
    operation!("cloudwatch" DescribeAlarmsForMetric super::DescribeAlarmsForMetricInput => super::DescribeAlarmsForMetricOutput);
    operation!("cloudwatch" DisableAlarmActions super::DisableAlarmActionsInput => ());
    operation!("cloudwatch" EnableAlarmActions super::EnableAlarmActionsInput => ());
    operation!("cloudwatch" GetDashboard super::GetDashboardInput => super::GetDashboardOutput);
    operation!("cloudwatch" GetMetricData super::GetMetricDataInput => super::GetMetricDataOutput);
    operation!("cloudwatch" GetMetricStatistics super::GetMetricStatisticsInput => super::GetMetricStatisticsOutput);
    operation!("cloudwatch" ListDashboards super::ListDashboardsInput => super::ListDashboardsOutput);
    operation!("cloudwatch" ListMetrics super::ListMetricsInput => super::ListMetricsOutput);
    operation!("cloudwatch" ListTagsForResource super::ListTagsForResourceInput => super::ListTagsForResourceOutput);
    operation!("cloudwatch" PutCompositeAlarm super::PutCompositeAlarmInput => ());
    operation!("cloudwatch" PutDashboard super::PutDashboardInput => super::PutDashboardOutput);
    operation!("cloudwatch" PutMetricAlarm super::PutMetricAlarmInput => ());
    operation!("cloudwatch" PutMetricData super::PutMetricDataInput => ());
    operation!("cloudwatch" SetAlarmState super::SetAlarmStateInput => ());
    operation!("cloudwatch" TagResource super::TagResourceInput => super::TagResourceOutput);
    operation!("cloudwatch" UntagResource super::UntagResourceInput => super::UntagResourceOutput);
}
