//! Warm pools: filled, called from, filled again, deleted.

use ec2::InstanceState;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::{Region, refusal};

fn pool(change: impl FnOnce(&mut s::PutWarmPoolType)) -> s::PutWarmPoolType {
    let mut put = s::PutWarmPoolType { auto_scaling_group_name: "g".into(), ..Default::default() };
    change(&mut put);
    put
}

fn shown(region: &mut Region) -> s::DescribeWarmPoolAnswer {
    let input = s::DescribeWarmPoolType { auto_scaling_group_name: "g".into(), ..Default::default() };
    region.call::<ops::DescribeWarmPool>(input).unwrap()
}

fn set_desired(region: &mut Region, desired_capacity: i64) {
    let input = s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity, ..Default::default() };
    region.call::<ops::SetDesiredCapacity>(input).unwrap();
    region.play();
}

#[test]
fn a_group_takes_stopped_instances_out_of_its_pool_before_it_launches() {
    let mut region = Region::new();
    region.group(1, |r| r.max_size = 4);
    region.call::<ops::PutWarmPool>(pool(|_| {})).unwrap();
    region.play();
    let states: Vec<_> = shown(&mut region).instances.into_iter().map(|i| i.lifecycle_state).collect();
    assert_eq!(states, ["Warmed:Stopped"; 3], "the group may still grow by three");
    let warm: Vec<_> = region.members().into_iter().filter(|m| m.lifecycle.is_warm()).map(|m| m.instance).collect();
    assert!(warm.iter().all(|id| region.instance_state(id) == InstanceState::Stopped));
    set_desired(&mut region, 3);
    let told = region.told(4);
    assert!(told[0].0.starts_with("Launching a new EC2 instance from warm pool: i-"), "{told:?}");
    assert_eq!(region.in_service().iter().filter(|id| warm.contains(id)).count(), 2);
    assert_eq!((region.in_service().len(), shown(&mut region).instances.len(), region.members().len()), (3, 1, 4));
    set_desired(&mut region, 1);
    region.play();
    assert_eq!(shown(&mut region).instances.len(), 3, "it is filled again");
}

#[test]
fn a_pool_of_running_instances_keeps_its_minimum() {
    let mut region = Region::new();
    region.group(2, |r| r.max_size = 2);
    let reuse = s::InstanceReusePolicy { reuse_on_scale_in: Some(true) };
    region
        .call::<ops::PutWarmPool>(pool(|p| {
            p.pool_state = Some("Running".into());
            p.min_size = Some(1);
            p.instance_reuse_policy = Some(reuse);
        }))
        .unwrap();
    region.play();
    let answer = shown(&mut region);
    assert_eq!(answer.instances[0].lifecycle_state, "Warmed:Running");
    assert_eq!(answer.warm_pool_configuration.unwrap().instance_reuse_policy.unwrap().reuse_on_scale_in, Some(true));
    let warm = region.members().into_iter().find(|m| m.lifecycle.is_warm()).unwrap().instance;
    region.kill(&warm);
    region.play();
    assert_eq!(region.lifecycle(&warm), "gone", "a warm instance that is lost is replaced");
    assert_eq!(shown(&mut region).instances.len(), 1);
}

#[test]
fn what_a_shrinking_group_gives_up_goes_back_to_the_pool() {
    let mut region = Region::new();
    region.group(3, |r| r.max_size = 3);
    let reuse = s::InstanceReusePolicy { reuse_on_scale_in: Some(true) };
    // Launches rest, so that the pool gets what leaves and nothing else.
    let query = s::ScalingProcessQuery { auto_scaling_group_name: "g".into(), scaling_processes: vec!["Launch".into()] };
    region.call::<ops::SuspendProcesses>(query).unwrap();
    region.call::<ops::PutWarmPool>(pool(|p| p.instance_reuse_policy = Some(reuse))).unwrap();
    let before = region.in_service();
    set_desired(&mut region, 1);
    let warm: Vec<_> = region.members().into_iter().filter(|m| m.lifecycle.is_warm()).collect();
    assert_eq!(warm.iter().map(|m| m.state()).collect::<Vec<_>>(), ["Warmed:Stopped"; 2]);
    assert!(warm.iter().all(|m| before.contains(&m.instance)));
}

#[test]
fn hooks_prepare_instances_for_the_pool_and_again_for_the_group() {
    let mut region = Region::new();
    let topic = region.topic();
    region.group(0, |r| r.max_size = 1);
    let hook = s::PutLifecycleHookType {
        lifecycle_hook_name: "in".into(),
        auto_scaling_group_name: "g".into(),
        lifecycle_transition: Some("autoscaling:EC2_INSTANCE_LAUNCHING".into()),
        notification_target_arn: Some(topic),
        ..Default::default()
    };
    region.call::<ops::PutLifecycleHook>(hook).unwrap();
    region.call::<ops::PutWarmPool>(pool(|_| {})).unwrap();
    region.play();
    let id = region.members()[0].instance.clone();
    assert_eq!(region.lifecycle(&id), "Warmed:Pending:Wait");
    let complete = s::CompleteLifecycleActionType {
        lifecycle_hook_name: "in".into(),
        auto_scaling_group_name: "g".into(),
        instance_id: Some(id.to_string()),
        lifecycle_action_result: "CONTINUE".into(),
        ..Default::default()
    };
    region.call::<ops::CompleteLifecycleAction>(complete.clone()).unwrap();
    region.play();
    assert_eq!(region.lifecycle(&id), "Warmed:Stopped");
    set_desired(&mut region, 1);
    assert_eq!(region.lifecycle(&id), "Pending:Wait");
    region.call::<ops::CompleteLifecycleAction>(complete).unwrap();
    region.play();
    assert_eq!(region.lifecycle(&id), "InService");
    let messages = region.messages();
    let mut routes: Vec<_> =
        messages.iter().filter_map(|(_, m)| Some((m["Origin"].as_str()?, m["Destination"].as_str()?))).collect();
    routes.sort();
    assert_eq!(routes, [("EC2", "WarmPool"), ("WarmPool", "AutoScalingGroup")]);
}

#[test]
fn a_deleted_pool_ends_with_its_instances() {
    let mut region = Region::new();
    region.group(1, |r| r.max_size = 3);
    region.call::<ops::PutWarmPool>(pool(|_| {})).unwrap();
    region.play();
    let describe = s::AutoScalingGroupNamesType::default();
    let group = region.call::<ops::DescribeAutoScalingGroups>(describe).unwrap().auto_scaling_groups.pop().unwrap();
    assert_eq!((group.instances.len(), group.warm_pool_size), (1, Some(2)));
    let delete = s::DeleteWarmPoolType { auto_scaling_group_name: "g".into(), force_delete: None };
    region.call::<ops::DeleteWarmPool>(delete.clone()).unwrap();
    region.play();
    assert_eq!((shown(&mut region), region.members().len()), (s::DescribeWarmPoolAnswer::default(), 1));
    assert!(refusal(region.call::<ops::DeleteWarmPool>(delete)).1.contains("No warm pool found"));
}

#[test]
fn bad_pools_are_refused() {
    let mut region = Region::new();
    region.group(0, |_| {});
    let mut check = |put: s::PutWarmPoolType, expected: &str| {
        let (code, text) = refusal(region.call::<ops::PutWarmPool>(put));
        assert!(code == "ValidationError" && text.contains(expected), "{code} {text}");
    };
    check(pool(|p| p.pool_state = Some("Hibernated".into())), "not supported");
    check(pool(|p| p.pool_state = Some("Cold".into())), "PoolState must be");
    check(pool(|p| p.min_size = Some(-1)), "MinSize must be");
    check(pool(|p| p.max_group_prepared_capacity = Some(-2)), "MaxGroupPreparedCapacity must be");
    check(pool(|p| (p.min_size, p.max_group_prepared_capacity) = (Some(3), Some(2))), "greater than or equal");
    check(pool(|p| p.auto_scaling_group_name = "x".into()), "not found");
}

#[test]
fn a_warm_instance_that_a_user_calls_unhealthy_is_replaced() {
    let mut region = Region::new();
    region.group(0, |r| r.max_size = 1);
    region.call::<ops::PutWarmPool>(pool(|_| {})).unwrap();
    region.play();
    let warm = region.members()[0].instance.clone();
    let unhealthy = s::SetInstanceHealthQuery {
        instance_id: warm.to_string(),
        health_status: "Unhealthy".into(),
        should_respect_grace_period: Some(false),
    };
    region.call::<ops::SetInstanceHealth>(unhealthy).unwrap();
    region.play();
    assert_eq!(region.lifecycle(&warm), "gone");
    let states: Vec<_> = shown(&mut region).instances.into_iter().map(|i| (i.lifecycle_state, i.health_status)).collect();
    assert_eq!(states, [("Warmed:Stopped".to_string(), "Healthy".to_string())]);
}

/// "TerminateInstanceInAutoScalingGroup": "This operation cannot be called on instances in a warm pool."
#[test]
fn an_instance_of_the_pool_is_not_ended_as_one_of_the_group() {
    let mut region = Region::new();
    region.group(1, |r| r.max_size = 2);
    region.call::<ops::PutWarmPool>(pool(|_| {})).unwrap();
    region.play();
    let warm = region.members().into_iter().find(|m| m.lifecycle.is_warm()).unwrap().instance;
    let input = s::TerminateInstanceInAutoScalingGroupType {
        instance_id: Some(warm.to_string()),
        should_decrement_desired_capacity: true,
        ..Default::default()
    };
    let (code, text) = refusal(region.call::<ops::TerminateInstanceInAutoScalingGroup>(input));
    assert!(code == "ValidationError" && text.contains("warm pool"), "{code} {text}");
    region.play();
    assert_eq!((region.lifecycle(&warm), region.row().desired_capacity), ("Warmed:Stopped", 1));
}

/// "SetInstanceProtection": "This operation cannot be called on instances in a warm pool"; nor on those on their way in or out.
#[test]
fn only_instances_of_the_group_itself_are_protected() {
    let mut region = Region::new();
    region.group(2, |r| r.max_size = 3);
    region.call::<ops::PutWarmPool>(pool(|_| {})).unwrap();
    region.play();
    let warm = region.members().into_iter().find(|m| m.lifecycle.is_warm()).unwrap().instance;
    let mut serving = region.in_service().into_iter();
    let (leaving, stays) = (serving.next().unwrap(), serving.next().unwrap());
    let hook = s::PutLifecycleHookType {
        lifecycle_hook_name: "out".into(),
        auto_scaling_group_name: "g".into(),
        lifecycle_transition: Some("autoscaling:EC2_INSTANCE_TERMINATING".into()),
        ..Default::default()
    };
    region.call::<ops::PutLifecycleHook>(hook).unwrap();
    let end = s::TerminateInstanceInAutoScalingGroupType {
        instance_id: Some(leaving.to_string()),
        should_decrement_desired_capacity: true,
        ..Default::default()
    };
    region.call::<ops::TerminateInstanceInAutoScalingGroup>(end).unwrap();
    region.play();
    assert_eq!(region.lifecycle(&leaving), "Terminating:Wait");
    for refused in [warm, leaving] {
        let protect = s::SetInstanceProtectionQuery {
            auto_scaling_group_name: "g".into(),
            instance_ids: vec![stays.to_string(), refused.to_string()],
            protected_from_scale_in: true,
        };
        let (code, text) = refusal(region.call::<ops::SetInstanceProtection>(protect));
        let expected = format!("The instance {refused} is not in InService or EnteringStandby or Standby.");
        assert_eq!((code.as_str(), text), ("ValidationError", expected));
        assert!(region.members().iter().all(|m| !m.protected));
    }
}
