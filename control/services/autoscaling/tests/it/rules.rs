//! Rules of AWS's documentation that stand by themselves, each under its name.

use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::policies::{put, tracking, watched_group, work};
use crate::region::{Region, refusal};

/// "Target tracking scaling policies": a policy whose scale-in is disabled never takes capacity away, and does not keep others
/// from it.
#[test]
fn disable_scale_in_leaves_scaling_in_to_other_policies() {
    let mut region = watched_group(2, 0);
    let mut only_out = tracking("out", 50.0);
    only_out.target_tracking_configuration.as_mut().unwrap().disable_scale_in = Some(true);
    put(&mut region, only_out);
    work(&mut region, 5, 200.0);
    assert_eq!(region.row().desired_capacity, 4);
    work(&mut region, 40, 0.0);
    assert_eq!(region.row().desired_capacity, 4, "it only scales out");
    let mut network = tracking("network", 1e9);
    let configuration = network.target_tracking_configuration.as_mut().unwrap();
    configuration.predefined_metric_specification.as_mut().unwrap().predefined_metric_type = "ASGAverageNetworkIn".into();
    put(&mut region, network);
    work(&mut region, 60, 0.0);
    assert_eq!(region.row().desired_capacity, 1, "the other one has nothing to wait for");
}

/// "Scaling cooldowns": the group's default cooldown holds for a simple policy that has none of its own.
#[test]
fn default_cooldown_holds_for_simple_policies_without_their_own() {
    let mut region = Region::new();
    region.group(1, |g| {
        g.max_size = 9;
        g.default_cooldown = Some(120);
    });
    let policy = |name: &str, cooldown: Option<i64>| s::PutScalingPolicyType {
        auto_scaling_group_name: "g".into(),
        policy_name: name.into(),
        adjustment_type: Some("ChangeInCapacity".into()),
        scaling_adjustment: Some(1),
        cooldown,
        ..Default::default()
    };
    put(&mut region, policy("default", None));
    put(&mut region, policy("own", Some(30)));
    let execute = |region: &mut Region, name: &str| {
        let input = s::ExecutePolicyType {
            auto_scaling_group_name: Some("g".into()),
            policy_name: name.into(),
            honor_cooldown: Some(true),
            ..Default::default()
        };
        let answer = region.call::<ops::ExecutePolicy>(input);
        region.play();
        answer
    };
    execute(&mut region, "default").unwrap();
    region.pass(100);
    assert_eq!(refusal(execute(&mut region, "own")).0, "ScalingActivityInProgress", "the default's 120 seconds");
    region.pass(25);
    execute(&mut region, "own").unwrap();
    region.pass(35);
    execute(&mut region, "default").unwrap();
    assert_eq!(region.row().desired_capacity, 4);
}

/// "Capacity Rebalancing in Auto Scaling to replace at-risk Spot Instances": there are no Spot Instances here, so nothing is ever
/// at risk; what was chosen is kept and shown.
#[test]
fn capacity_rebalance_is_kept_and_replaces_nothing() {
    let mut region = Region::new();
    region.group(2, |g| g.capacity_rebalance = Some(true));
    let before = region.in_service();
    region.pass(3_600);
    assert_eq!(region.in_service(), before);
    let shown = region.call::<ops::DescribeAutoScalingGroups>(Default::default()).unwrap().auto_scaling_groups.remove(0);
    assert_eq!(shown.capacity_rebalance, Some(true));
}
