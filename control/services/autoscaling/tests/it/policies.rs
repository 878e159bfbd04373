//! Scaling policies: what they are refused for, and the loop from usage over metric and alarm to the capacity.

use std::time::Duration;

use autoscaling::{Lifecycle, Member};
use base::Time;
use cloudwatch::{Alarm, AlarmState};
use metrics::Metric;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;
use shapes::{cloudwatch as c, ec2 as e};
use world::{InstanceUsage, Observation};

use crate::region::{Region, refusal};

/// What 100 % of a `t3.micro` is in a minute, microseconds: two vCPUs of a quarter of a core each.
const FULL_US: f64 = 30e6;

/// A group `g` of `size` instances with detailed monitoring, 1 to 10 of them.
pub fn watched_group(size: i64, warmup_s: i64) -> Region {
    let mut region = Region::new();
    let data = e::RequestLaunchTemplateData {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.micro".into()),
        monitoring: Some(e::LaunchTemplatesMonitoringRequest { enabled: Some(true), ..Default::default() }),
        ..Default::default()
    };
    let create = e::CreateLaunchTemplateRequest {
        launch_template_name: "watched".into(),
        launch_template_data: data,
        ..Default::default()
    };
    region.call::<e::ops::CreateLaunchTemplate>(create).unwrap();
    region.group(size, |g| {
        g.launch_template =
            Some(s::LaunchTemplateSpecification { launch_template_name: Some("watched".into()), ..Default::default() });
        (g.min_size, g.default_instance_warmup) = (1, Some(warmup_s));
    });
    region
}

/// Lets minutes pass in which the group's instances share a load of so many percent of one of them.
pub fn work(region: &mut Region, minutes: usize, load_percent: f64) {
    for _ in 0..minutes {
        let from = Time::from_unix_ms(region.now.unix_ms() / 60_000 * 60_000);
        region.now = from + Duration::from_secs(60);
        region.settle();
        region.play();
        let serving: Vec<Member> = region.members().into_iter().filter(|m| m.lifecycle == Lifecycle::InService).collect();
        let share = (load_percent / serving.len().max(1) as f64).min(100.0) / 100.0;
        let of = |m: Member| InstanceUsage {
            id: m.instance,
            cpu_us: (FULL_US * share) as u64,
            running_ms: 60_000,
            network_in_bytes: 1_000,
            network_out_bytes: 2_000,
            network_in_packets: 1,
            network_out_packets: 2,
        };
        let report = Observation::Usage { from, until: region.now, instances: serving.into_iter().map(of).collect() };
        region.observe(&report);
        // Alarms look at the minute a little after its end.
        region.now = region.now + Duration::from_millis(400);
        region.settle();
        region.play();
    }
}

pub fn tracking(name: &str, target: f64) -> s::PutScalingPolicyType {
    s::PutScalingPolicyType {
        auto_scaling_group_name: "g".into(),
        policy_name: name.into(),
        policy_type: Some("TargetTrackingScaling".into()),
        target_tracking_configuration: Some(s::TargetTrackingConfiguration {
            predefined_metric_specification: Some(s::PredefinedMetricSpecification {
                predefined_metric_type: "ASGAverageCPUUtilization".into(),
                ..Default::default()
            }),
            target_value: target,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn stepping(name: &str, steps: &[(Option<f64>, Option<f64>, i64)]) -> s::PutScalingPolicyType {
    let of = |(lower, upper, by): &(Option<f64>, Option<f64>, i64)| s::StepAdjustment {
        metric_interval_lower_bound: *lower,
        metric_interval_upper_bound: *upper,
        scaling_adjustment: *by,
    };
    s::PutScalingPolicyType {
        auto_scaling_group_name: "g".into(),
        policy_name: name.into(),
        policy_type: Some("StepScaling".into()),
        adjustment_type: Some("ChangeInCapacity".into()),
        step_adjustments: steps.iter().map(of).collect(),
        ..Default::default()
    }
}

fn simple(name: &str, by: i64) -> s::PutScalingPolicyType {
    s::PutScalingPolicyType {
        auto_scaling_group_name: "g".into(),
        policy_name: name.into(),
        adjustment_type: Some("ChangeInCapacity".into()),
        scaling_adjustment: Some(by),
        ..Default::default()
    }
}

pub fn put(region: &mut Region, policy: s::PutScalingPolicyType) -> s::PolicyARNType {
    region.call::<ops::PutScalingPolicy>(policy).unwrap()
}

/// An alarm of a user: CPU of the group above `threshold` for one minute.
fn alarm(region: &mut Region, name: &str, threshold: f64, action: &str) {
    let input = c::PutMetricAlarmInput {
        alarm_name: name.into(),
        namespace: Some("AWS/EC2".into()),
        metric_name: Some("CPUUtilization".into()),
        dimensions: vec![c::Dimension { name: "AutoScalingGroupName".into(), value: "g".into() }],
        statistic: Some("Average".into()),
        period: Some(60),
        evaluation_periods: Some(1),
        threshold: Some(threshold),
        comparison_operator: Some("GreaterThanThreshold".into()),
        alarm_actions: vec![action.into()],
        ..Default::default()
    };
    region.call::<c::ops::PutMetricAlarm>(input).unwrap();
}

fn alarm_state(region: &Region, name: &str) -> AlarmState {
    region.state().get::<Alarm>(&name.to_string()).unwrap().state.state
}

#[test]
fn target_tracking_goes_on_when_the_value_stays_the_very_same() {
    let mut region = watched_group(1, 0);
    put(&mut region, tracking("cpu", 50.0));
    // Each of them is at 100 percent, whatever their number.
    work(&mut region, 12, 100_000.0);
    assert_eq!(region.members().len(), 10);
    work(&mut region, 60, 0.0);
    assert_eq!(region.members().len(), 1);
}

#[test]
fn target_tracking_owns_a_pair_of_alarms_with_the_names_of_aws() {
    let mut region = watched_group(2, 0);
    let answer = put(&mut region, tracking("cpu", 50.0));
    let arn = answer.policy_arn.unwrap();
    assert!(arn.contains(":scalingPolicy:") && arn.ends_with(":autoScalingGroupName/g:policyName/cpu"), "{arn}");
    let names: Vec<String> = answer.alarms.into_iter().filter_map(|a| a.alarm_name).collect();
    assert!(
        names[0].starts_with("TargetTracking-g-AlarmHigh-") && names[1].starts_with("TargetTracking-g-AlarmLow-"),
        "{names:?}"
    );
    let described = region.call::<c::ops::DescribeAlarms>(c::DescribeAlarmsInput::default()).unwrap().metric_alarms;
    let told: Vec<_> =
        described.iter().map(|a| (a.threshold.unwrap(), a.evaluation_periods.unwrap(), a.period.unwrap())).collect();
    assert_eq!(told, [(50.0, 3, 60), (45.0, 15, 60)]);
    let text = format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}.");
    assert!(described.iter().all(|a| a.alarm_description.as_deref() == Some(&text) && a.alarm_actions == [arn.clone()]));
    // Changed, it keeps its names; without scale-in the low one goes.
    let mut changed = tracking("cpu", 60.0);
    changed.target_tracking_configuration.as_mut().unwrap().disable_scale_in = Some(true);
    let answer = put(&mut region, changed);
    assert_eq!(answer.alarms.iter().map(|a| a.alarm_name.clone().unwrap()).collect::<Vec<_>>(), names[..1]);
    let shown = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies.pop().unwrap();
    assert_eq!((shown.alarms.len(), shown.target_tracking_configuration.unwrap().target_value), (1, 60.0));
    let delete = s::DeletePolicyType { auto_scaling_group_name: None, policy_name: arn };
    region.call::<ops::DeletePolicy>(delete).unwrap();
    assert_eq!(region.state().rows::<Alarm>().count(), 0);
    for name in names {
        let deleted = format!("Alarm \"{name}\" deleted");
        assert_eq!(alarm_history(&mut region, &name, "ConfigurationUpdate")[0], deleted);
    }
}

/// The summaries of an alarm's history, the newest first.
fn alarm_history(region: &mut Region, name: &str, kind: &str) -> Vec<String> {
    let input = c::DescribeAlarmHistoryInput {
        alarm_name: Some(name.into()),
        history_item_type: Some(kind.into()),
        ..Default::default()
    };
    let items = region.call::<c::ops::DescribeAlarmHistory>(input).unwrap().alarm_history_items;
    items.into_iter().filter_map(|i| i.history_summary).collect()
}

#[test]
fn an_alarms_history_says_what_came_of_its_policy() {
    let mut region = watched_group(2, 0);
    let arn = put(&mut region, simple("more", 1)).policy_arn.unwrap();
    let set = |region: &mut Region, state: &str| {
        let (name, state) = ("busy".to_string(), state.to_string());
        let input =
            c::SetAlarmStateInput { alarm_name: name, state_value: state, state_reason: "a drill".into(), ..Default::default() };
        region.call::<c::ops::SetAlarmState>(input).unwrap();
    };
    alarm(&mut region, "busy", 1e9, &arn);
    let suspend =
        s::ScalingProcessQuery { auto_scaling_group_name: "g".into(), scaling_processes: vec!["AlarmNotification".into()] };
    let mut expected = Vec::new();
    let mut expect = |region: &mut Region, error: Option<&str>| {
        set(region, "OK");
        set(region, "ALARM");
        let item = match error {
            None => format!("Successfully executed action {arn}"),
            Some(error) => format!("Failed to execute action {arn}. Received error: \"{error}\""),
        };
        expected.insert(0, item);
        assert_eq!(alarm_history(region, "busy", "Action"), expected);
    };
    expect(&mut region, None);
    region.call::<ops::SuspendProcesses>(suspend).unwrap();
    expect(&mut region, Some("The process AlarmNotification is suspended for AutoScalingGroup: g"));
    region
        .call::<ops::ResumeProcesses>(s::ScalingProcessQuery { auto_scaling_group_name: "g".into(), ..Default::default() })
        .unwrap();
    put(&mut region, s::PutScalingPolicyType { enabled: Some(false), ..simple("more", 1) });
    expect(&mut region, Some("The scaling policy more is disabled."));
    let delete = s::DeletePolicyType { auto_scaling_group_name: None, policy_name: arn.clone() };
    region.call::<ops::DeletePolicy>(delete).unwrap();
    expect(&mut region, Some(&format!("PolicyName not found - No scaling policy found by this name: {arn}")));
}

#[test]
fn target_tracking_scales_out_proportionally_and_back_in_when_load_ends() {
    let mut region = watched_group(2, 0);
    put(&mut region, tracking("cpu", 50.0));
    work(&mut region, 2, 200.0);
    assert_eq!(region.row().desired_capacity, 2, "three periods above the target are needed");
    let told = region.told(0).len();
    work(&mut region, 2, 200.0);
    assert_eq!((region.row().desired_capacity, region.in_service().len()), (4, 4));
    let (_, cause, _) = region.told(told).remove(0);
    let expected = "At T a monitor alarm TargetTracking-g-AlarmHigh-";
    assert!(
        cause.starts_with(expected)
            && cause.contains(" in state ALARM triggered policy cpu changing the desired capacity from 2 to 4."),
        "{cause}"
    );
    work(&mut region, 30, 200.0);
    assert_eq!(region.row().desired_capacity, 4, "constant load, constant capacity");
    work(&mut region, 14, 10.0);
    assert_eq!(region.row().desired_capacity, 4, "fifteen periods below are needed");
    work(&mut region, 10, 10.0);
    assert_eq!(region.row().desired_capacity, 1);
}

#[test]
fn warming_instances_count_as_coming_capacity_and_not_in_the_metric() {
    let mut region = watched_group(2, 600);
    put(&mut region, tracking("cpu", 50.0));
    // Nobody is warm yet, so there is no metric.
    work(&mut region, 5, 200.0);
    let metric = Metric::new("AWS/EC2", "CPUUtilization", &[("AutoScalingGroupName", "g")]);
    let points = |region: &Region| cloudwatch::store(region.state()).points(&metric, Time::ZERO, region.now, 60).len();
    assert_eq!((points(&region), region.row().desired_capacity), (0, 2));
    work(&mut region, 9, 200.0);
    assert_eq!((points(&region) > 0, region.row().desired_capacity), (true, 4));
    // The two that came warm up for ten minutes; the old ones are told of alone, and nothing is asked for twice.
    work(&mut region, 8, 200.0);
    assert_eq!(region.row().desired_capacity, 4);
}

#[test]
fn step_policies_take_the_step_of_the_breach_and_honor_suspension() {
    let mut region = watched_group(2, 0);
    let arn = put(&mut region, stepping("out", &[(Some(0.0), Some(20.0), 1), (Some(20.0), None, 3)])).policy_arn.unwrap();
    alarm(&mut region, "hot", 50.0, &arn);
    let query =
        s::ScalingProcessQuery { auto_scaling_group_name: "g".into(), scaling_processes: vec!["AlarmNotification".into()] };
    region.call::<ops::SuspendProcesses>(query.clone()).unwrap();
    work(&mut region, 3, 160.0);
    assert_eq!((alarm_state(&region, "hot"), region.row().desired_capacity), (AlarmState::Alarm, 2), "suspended");
    region.call::<ops::ResumeProcesses>(query).unwrap();
    work(&mut region, 1, 160.0);
    assert_eq!(region.row().desired_capacity, 5, "80 % is 30 above the threshold");
    work(&mut region, 5, 160.0);
    assert_eq!(region.row().desired_capacity, 5, "32 % is none");
    let shown = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies.pop().unwrap();
    assert_eq!(shown.alarms[0].alarm_name.as_deref(), Some("hot"));
}

#[test]
fn simple_policies_wait_for_their_cooldown_and_the_largest_capacity_wins() {
    let mut region = watched_group(2, 0);
    let cooled = s::PutScalingPolicyType { cooldown: Some(240), ..simple("one", 1) };
    let one = put(&mut region, cooled).policy_arn.unwrap();
    alarm(&mut region, "hot", 50.0, &one);
    work(&mut region, 2, 2_000.0);
    assert_eq!(region.row().desired_capacity, 3);
    work(&mut region, 2, 2_000.0);
    assert_eq!(region.row().desired_capacity, 3, "cooling");
    let execute = |honor| s::ExecutePolicyType {
        auto_scaling_group_name: Some("g".into()),
        policy_name: "one".into(),
        honor_cooldown: Some(honor),
        ..Default::default()
    };
    let (code, text) = refusal(region.call::<ops::ExecutePolicy>(execute(true)));
    assert_eq!(code, "ScalingActivityInProgress");
    assert!(text.starts_with("Scaling activity ") && text.ends_with(" is in progress and blocks this action"), "{text}");
    work(&mut region, 2, 2_000.0);
    assert_eq!(region.row().desired_capacity, 4);
    region.call::<ops::ExecutePolicy>(execute(false)).unwrap();
    assert_eq!(region.row().desired_capacity, 5);
    let many = put(&mut region, stepping("many", &[(Some(0.0), None, 4)])).policy_arn.unwrap();
    alarm(&mut region, "very hot", 60.0, &many);
    region.pass(300);
    work(&mut region, 2, 2_000.0);
    assert!(region.row().desired_capacity >= 9, "the larger step wins over one more");
}

#[test]
fn scale_in_needs_all_target_tracking_policies() {
    let mut region = watched_group(4, 0);
    put(&mut region, tracking("cpu", 50.0));
    let mut other = tracking("custom", 100.0);
    other.target_tracking_configuration = Some(s::TargetTrackingConfiguration {
        customized_metric_specification: Some(s::CustomizedMetricSpecification {
            namespace: Some("Shop".into()),
            metric_name: Some("Backlog".into()),
            statistic: Some("Average".into()),
            ..Default::default()
        }),
        target_value: 100.0,
        ..Default::default()
    });
    put(&mut region, other);
    // Too little data of the other metric: it is not ready.
    work(&mut region, 20, 10.0);
    assert_eq!(region.row().desired_capacity, 4);
    for _ in 0..25 {
        let at = region.now;
        let datum = c::MetricDatum { metric_name: "Backlog".into(), value: Some(5.0), timestamp: Some(at), ..Default::default() };
        let input = c::PutMetricDataInput { namespace: "Shop".into(), metric_data: vec![datum], ..Default::default() };
        region.call::<c::ops::PutMetricData>(input).unwrap();
        work(&mut region, 1, 10.0);
    }
    assert!(region.row().desired_capacity < 4, "{}", region.row().desired_capacity);
}

#[test]
fn what_is_no_policy_is_refused_in_the_words_of_aws() {
    let mut region = watched_group(1, 0);
    let before = region.kernel.digest();
    let upper = "There must be a StepAdjustment with an unspecified upper bound (i.e., upper bound is null) when one StepAdjustment has a positive upper bound";
    let mut both = tracking("p", 50.0);
    both.target_tracking_configuration.as_mut().unwrap().customized_metric_specification = Some(Default::default());
    let mut label = tracking("p", 50.0);
    let specification = label.target_tracking_configuration.as_mut().unwrap().predefined_metric_specification.as_mut().unwrap();
    specification.predefined_metric_type = "ALBRequestCountPerTarget".into();
    let mut strange = label.clone();
    let configuration = strange.target_tracking_configuration.as_mut().unwrap();
    configuration.predefined_metric_specification.as_mut().unwrap().resource_label = Some("app/a/1/targetgroup/b/2".into());
    let cases = [
        (s::PutScalingPolicyType { policy_type: Some("Dance".into()), ..simple("p", 1) }, "Unsupported policy type: Dance."),
        (s::PutScalingPolicyType { auto_scaling_group_name: "none".into(), ..simple("p", 1) }, "AutoScalingGroup name not found"),
        (s::PutScalingPolicyType { adjustment_type: None, ..simple("p", 1) }, "AdjustmentType is required"),
        (s::PutScalingPolicyType { scaling_adjustment: None, ..simple("p", 1) }, "ScalingAdjustment is required"),
        (s::PutScalingPolicyType { adjustment_type: Some("Half".into()), ..simple("p", 1) }, "Invalid AdjustmentType 'Half'."),
        (
            s::PutScalingPolicyType { min_adjustment_magnitude: Some(2), ..simple("p", 1) },
            "MinAdjustmentMagnitude is only supported",
        ),
        (
            s::PutScalingPolicyType { estimated_instance_warmup: Some(2), ..simple("p", 1) },
            "EstimatedInstanceWarmup is not supported",
        ),
        (stepping("p", &[]), "At least one StepAdjustment is required"),
        (stepping("p", &[(Some(0.0), Some(1.0), 1)]), upper),
        (stepping("p", &[(Some(0.0), Some(2.0), 1), (Some(1.0), None, 2)]), "StepAdjustment intervals can't overlap."),
        (stepping("p", &[(Some(0.0), Some(2.0), 1), (Some(3.0), None, 2)]), "StepAdjustment intervals can't have gaps"),
        (
            stepping("p", &[(None, None, 1), (None, Some(0.0), 1)]),
            "At most one StepAdjustment may have an unspecified lower bound.",
        ),
        (s::PutScalingPolicyType { cooldown: Some(1), ..stepping("p", &[(Some(0.0), None, 1)]) }, "Cooldown is not supported"),
        (tracking("p", -1.0), "TargetValue must be between"),
        (both, "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification"),
        (label, "ResourceLabel is required for PredefinedMetricType ALBRequestCountPerTarget."),
        (strange, "Invalid resource label: app/a/1/targetgroup/b/2"),
    ];
    for (input, expected) in cases {
        let (code, text) = refusal(region.call::<ops::PutScalingPolicy>(input));
        assert!(code == "ValidationError" && text.contains(expected), "{code} {text}");
    }
    assert_eq!(region.kernel.digest(), before);
    put(&mut region, tracking("one", 50.0));
    let text = "Only one TargetTrackingScaling policy for a given metric specification is allowed.";
    assert_eq!(refusal(region.call::<ops::PutScalingPolicy>(tracking("two", 60.0))).1, text);
    for n in 0..49 {
        put(&mut region, simple(&format!("p{n}"), 1));
    }
    assert_eq!(refusal(region.call::<ops::PutScalingPolicy>(simple("more", 1))).0, "LimitExceeded");
    region
        .call::<ops::DeleteAutoScalingGroup>(s::DeleteAutoScalingGroupType {
            auto_scaling_group_name: "g".into(),
            force_delete: Some(true),
        })
        .unwrap();
    region.play();
    let left = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies;
    assert_eq!((left.len(), region.state().rows::<Alarm>().count()), (0, 0), "policies go with their group");
}

#[test]
fn requests_per_target_are_of_a_target_group_that_is_attached() {
    let mut region = Region::new();
    let attached = region.target_group("web");
    let other = region.target_group("other");
    region.group(1, |g| g.target_group_arns = vec![attached.to_string()]);
    let label = |region: &Region, name: &str, arn: &base::TargetGroupArn| {
        let balancer = region.state().rows::<elb::LoadBalancer>().find(|b| b.name == name).unwrap().full_name();
        format!("{balancer}/{}", region.state().get::<elb::TargetGroup>(arn).unwrap().full_name())
    };
    let policy = |label: String| {
        let mut policy = tracking("requests", 600.0);
        let configuration = policy.target_tracking_configuration.as_mut().unwrap();
        let specification = configuration.predefined_metric_specification.as_mut().unwrap();
        specification.predefined_metric_type = "ALBRequestCountPerTarget".into();
        specification.resource_label = Some(label);
        policy
    };
    let strange = policy(label(&region, "other", &other));
    let (_, text) = refusal(region.call::<ops::PutScalingPolicy>(strange));
    assert!(text.ends_with("is not attached to the Auto Scaling group."), "{text}");
    let good = policy(label(&region, "web", &attached));
    put(&mut region, good);
    let high = region.call::<c::ops::DescribeAlarms>(Default::default()).unwrap().metric_alarms.remove(0);
    assert_eq!(
        (high.statistic.as_deref(), high.period, high.dimensions[0].name.as_str()),
        (Some("Sum"), Some(60), "TargetGroup")
    );
}
