//! Standby, and what else users do with single instances.

use base::InstanceId;
use ec2::InstanceState;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::{Region, refusal};

fn enter(id: &InstanceId, decrement: bool) -> s::EnterStandbyQuery {
    s::EnterStandbyQuery {
        auto_scaling_group_name: "g".into(),
        instance_ids: vec![id.to_string()],
        should_decrement_desired_capacity: decrement,
    }
}

fn exit(id: &InstanceId) -> s::ExitStandbyQuery {
    s::ExitStandbyQuery { auto_scaling_group_name: "g".into(), instance_ids: vec![id.to_string()] }
}

#[test]
fn an_instance_stands_by_without_its_place_and_comes_back() {
    let mut region = Region::new();
    let arn = region.target_group("web");
    region.group(2, |r| r.target_group_arns = vec![arn.to_string()]);
    let id = region.in_service().first().unwrap().clone();
    region.busy = true;
    let activity = region.call::<ops::EnterStandby>(enter(&id, true)).unwrap().activities.pop().unwrap();
    assert_eq!(activity.description.as_deref(), Some(&*format!("Moving EC2 instance to Standby: {id}")));
    assert_eq!((region.lifecycle(&id), region.row().desired_capacity), ("EnteringStandby", 1));
    region.busy = false;
    region.play();
    assert_eq!((region.lifecycle(&id), region.is_registered(&id), region.members().len()), ("Standby", false, 2));
    let cause =
        format!("At T instance {id} was moved to standby in response to a user request, shrinking the capacity from 2 to 1.");
    assert_eq!(region.told(2)[0], (format!("Moving EC2 instance to Standby: {id}"), cause, "Successful"));
    region.kill(&id);
    region.pass(600);
    assert_eq!(region.lifecycle(&id), "Standby", "it is not health checked");
    region
        .call::<shapes::ec2::ops::StartInstances>(shapes::ec2::StartInstancesRequest {
            instance_ids: vec![id.to_string()],
            ..Default::default()
        })
        .unwrap();
    region.play();
    region.call::<ops::ExitStandby>(exit(&id)).unwrap();
    region.play();
    assert_eq!((region.lifecycle(&id), region.is_registered(&id), region.row().desired_capacity), ("InService", true, 2));
    assert!(refusal(region.call::<ops::ExitStandby>(exit(&id))).1.contains("is not in Standby state"));
}

#[test]
fn an_instance_on_standby_that_keeps_its_place_is_replaced_meanwhile() {
    let mut region = Region::new();
    region.group(2, |r| r.max_size = 2);
    let id = region.in_service().first().unwrap().clone();
    region.call::<ops::EnterStandby>(enter(&id, false)).unwrap();
    region.play();
    assert_eq!((region.in_service().len(), region.members().len(), region.lifecycle(&id)), (2, 3, "Standby"));
    let (_, text) = refusal(region.call::<ops::ExitStandby>(exit(&id)));
    assert!(text.contains("max-size=2") && text.contains("To place into service 1 more"), "{text}");
    assert!(refusal(region.call::<ops::EnterStandby>(enter(&id, false))).1.contains("is not in InService state"));
    let input = s::DetachInstancesQuery {
        auto_scaling_group_name: "g".into(),
        instance_ids: vec![id.to_string()],
        should_decrement_desired_capacity: true,
    };
    region.call::<ops::DetachInstances>(input).unwrap();
    region.play();
    assert_eq!((region.members().len(), region.row().desired_capacity), (2, 2), "it had no place to give up");
    assert_eq!(region.instance_state(&id), InstanceState::Running);
}

#[test]
fn a_smaller_minimum_is_needed_to_stand_by_without_a_place() {
    let mut region = Region::new();
    region.group(1, |r| r.min_size = 1);
    let id = region.in_service().first().unwrap().clone();
    assert!(refusal(region.call::<ops::EnterStandby>(enter(&id, true))).1.contains("desiredSize equals minSize (1)"));
}

#[test]
fn processes_and_termination_policies_are_listed() {
    let mut region = Region::new();
    let names = region.call::<ops::DescribeScalingProcessTypes>(()).unwrap().processes;
    assert_eq!(names.iter().filter(|p| p.process_name == "AZRebalance").count(), 1);
    let names = region.call::<ops::DescribeTerminationPolicyTypes>(()).unwrap().termination_policy_types;
    assert!(names.contains(&"OldestLaunchConfiguration".to_string()), "{names:?}");
}

#[test]
fn an_instance_that_is_named_twice_leaves_and_returns_once() {
    let mut region = Region::new();
    region.group(3, |_| {});
    let id = region.in_service().first().unwrap().clone();
    let twice = vec![id.to_string(); 2];
    let away = s::EnterStandbyQuery { instance_ids: twice.clone(), ..enter(&id, true) };
    assert_eq!(region.call::<ops::EnterStandby>(away).unwrap().activities.len(), 1);
    region.play();
    assert_eq!((region.row().desired_capacity, region.in_service().len()), (2, 2));
    let back = s::ExitStandbyQuery { instance_ids: twice.clone(), ..exit(&id) };
    assert_eq!(region.call::<ops::ExitStandby>(back).unwrap().activities.len(), 1);
    region.play();
    assert_eq!((region.row().desired_capacity, region.in_service().len()), (3, 3));
    let detach = s::DetachInstancesQuery {
        auto_scaling_group_name: "g".into(),
        instance_ids: twice.clone(),
        should_decrement_desired_capacity: true,
    };
    assert_eq!(region.call::<ops::DetachInstances>(detach).unwrap().activities.len(), 1);
    region.play();
    assert_eq!((region.row().desired_capacity, region.in_service().len()), (2, 2));
    let attach = s::AttachInstancesQuery { auto_scaling_group_name: "g".into(), instance_ids: twice };
    region.call::<ops::AttachInstances>(attach).unwrap();
    region.play();
    assert_eq!((region.row().desired_capacity, region.in_service().len()), (3, 3));
}
