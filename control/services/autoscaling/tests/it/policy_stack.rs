//! Policies and scheduled actions as parts of a stack.

use base::{Fault, Tags};
use cloudwatch::Alarm;
use kernel::{Cx, ResourceRequest, StackResource, Tx};
use serde_json::{Value as Json, json};
use shapes::autoscaling::ops;

use crate::region::Region;

fn with<T>(
    region: &mut Region,
    type_name: &str,
    properties: &Json,
    work: impl FnOnce(&mut Tx, &Cx, &dyn StackResource, &ResourceRequest) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let tags = Tags::new();
    let request = ResourceRequest {
        stack_id: "arn:stack",
        stack_name: "s",
        logical_id: "It",
        properties,
        tags: &tags,
        old_tags: None,
        creation_policy: None,
        update_policy: None,
    };
    region.run(|tx, cx| work(tx, cx, tx.registry().stack_resource(type_name).unwrap(), &request))
}

#[test]
fn a_policy_of_a_stack_is_known_by_its_arn() {
    const TYPE: &str = "AWS::AutoScaling::ScalingPolicy";
    let mut region = Region::new();
    region.group(1, |_| {});
    let properties = |target: f64| {
        json!({
            "AutoScalingGroupName": "g", "PolicyType": "TargetTrackingScaling",
            "TargetTrackingConfiguration": {
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": target,
            },
        })
    };
    let arn = with(&mut region, TYPE, &properties(50.0), |tx, cx, it, request| it.create(tx, cx, request)).unwrap();
    let attribute = |region: &mut Region, name: &str| {
        with(region, TYPE, &Json::Null, |tx, cx, it, _| it.attribute(tx, cx, &arn, name)).unwrap()
    };
    assert_eq!(attribute(&mut region, "Arn"), json!(arn));
    let name = attribute(&mut region, "PolicyName");
    assert!(name.as_str().unwrap().starts_with("s-It-") && arn.ends_with(name.as_str().unwrap()), "{arn} {name}");
    with(&mut region, TYPE, &properties(70.0), |tx, cx, it, request| it.update(tx, cx, &arn, &properties(50.0), request))
        .unwrap();
    let shown = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies.pop().unwrap();
    assert_eq!((shown.policy_arn.unwrap(), shown.target_tracking_configuration.unwrap().target_value), (arn.clone(), 70.0));
    for _ in 0..2 {
        with(&mut region, TYPE, &Json::Null, |tx, cx, it, _| it.delete(tx, cx, &arn)).unwrap();
    }
    assert_eq!(region.state().rows::<Alarm>().count(), 0);
    let steps = json!({
        "AutoScalingGroupName": "g", "PolicyType": "StepScaling", "AdjustmentType": "PercentChangeInCapacity",
        "MinAdjustmentMagnitude": 2, "EstimatedInstanceWarmup": 60,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 10}],
    });
    with(&mut region, TYPE, &steps, |tx, cx, it, request| it.create(tx, cx, request)).unwrap();
    let shown = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies.pop().unwrap();
    assert_eq!((shown.min_adjustment_magnitude, shown.estimated_instance_warmup), (Some(2), Some(60)));
    assert_eq!(shown.step_adjustments[0].scaling_adjustment, 10);
}

#[test]
fn a_scheduled_action_of_a_stack_is_known_by_its_name() {
    const TYPE: &str = "AWS::AutoScaling::ScheduledAction";
    let mut region = Region::new();
    region.group(1, |_| {});
    let properties = json!({"AutoScalingGroupName": "g", "DesiredCapacity": 3, "Recurrence": "0 9 * * *"});
    let name = with(&mut region, TYPE, &properties, |tx, cx, it, request| it.create(tx, cx, request)).unwrap();
    let changed = json!({"AutoScalingGroupName": "g", "DesiredCapacity": 4, "StartTime": "2027-01-15T10:00:00Z"});
    with(&mut region, TYPE, &changed, |tx, cx, it, request| it.update(tx, cx, &name, &properties, request)).unwrap();
    let all = region.call::<ops::DescribeScheduledActions>(Default::default()).unwrap().scheduled_update_group_actions;
    assert_eq!((all.len(), all[0].desired_capacity, all[0].recurrence.clone()), (1, Some(4), None));
    let bad = json!({"AutoScalingGroupName": "g", "DesiredCapacity": 4, "StartTime": "tomorrow"});
    let fault = with(&mut region, TYPE, &bad, |tx, cx, it, request| it.create(tx, cx, request)).unwrap_err();
    assert!(fault.message.contains("StartTime must be a moment such as"), "{fault}");
    with(&mut region, TYPE, &Json::Null, |tx, cx, it, _| it.delete(tx, cx, &name)).unwrap();
    assert!(region.call::<ops::DescribeScheduledActions>(Default::default()).unwrap().scheduled_update_group_actions.is_empty());
}

#[test]
fn a_group_of_a_stack_collects_its_metrics() {
    const TYPE: &str = "AWS::AutoScaling::AutoScalingGroup";
    let mut region = Region::new();
    let properties = |metrics: Json| {
        json!({
            "AutoScalingGroupName": "g", "LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"},
            "MinSize": 0, "MaxSize": 1, "AvailabilityZones": ["eu-central-1a"], "MetricsCollection": metrics,
        })
    };
    let (all, one) = (
        properties(json!([{"Granularity": "1Minute"}])),
        properties(json!([{"Granularity": "1Minute", "Metrics": ["GroupMinSize"]}])),
    );
    with(&mut region, TYPE, &all, |tx, cx, it, request| it.create(tx, cx, request)).unwrap();
    let enabled = |region: &mut Region| {
        let group = region.call::<ops::DescribeAutoScalingGroups>(Default::default()).unwrap().auto_scaling_groups.pop().unwrap();
        group.enabled_metrics.len()
    };
    assert_eq!(enabled(&mut region), 20);
    with(&mut region, TYPE, &one, |tx, cx, it, request| it.update(tx, cx, "g", &all, request)).unwrap();
    assert_eq!(enabled(&mut region), 1);
}
