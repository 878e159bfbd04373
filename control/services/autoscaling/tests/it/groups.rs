//! A group's life: creation, capacity, suspension, single instances, deletion.

use base::InstanceId;
use ec2::InstanceState;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;
use shapes::ec2 as e;

use crate::region::{Region, ZONE_A, refusal, request};

const CREATED: &str = "At T a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.";
const STARTED: &str =
    "At T an instance was started in response to a difference between desired and actual capacity, increasing the capacity from";
const SHRUNK: &str = "At T an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from";

/// Makes a good request a bad one.
type Spoil = Box<dyn Fn(&mut s::CreateAutoScalingGroupType)>;

fn set_desired(region: &mut Region, desired: i64) {
    let input =
        s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity: desired, ..Default::default() };
    region.call::<ops::SetDesiredCapacity>(input).unwrap();
    region.play();
}

fn one(region: &Region) -> InstanceId {
    region.in_service().into_iter().next().unwrap()
}

#[test]
fn a_group_of_two_stands_in_two_zones_and_tells_why() {
    let mut region = Region::new();
    region.call::<ops::CreateAutoScalingGroup>(request(2)).unwrap();
    let pending = region.call::<ops::DescribeAutoScalingGroups>(Default::default()).unwrap().auto_scaling_groups.pop().unwrap();
    assert!(pending.instances.iter().all(|i| (i.lifecycle_state.as_str(), i.health_status.as_str()) == ("Pending", "Healthy")));
    assert!(region.told(0).iter().all(|(_, _, status)| *status == "PreInService"));
    region.play();
    assert_eq!(region.zones(), (1, 1));
    for (member, (description, cause, status)) in region.members().iter().zip(sorted(region.told(0))) {
        assert_eq!(description, format!("Launching a new EC2 instance: {}", member.instance));
        assert_eq!((cause, status), (format!("{CREATED}  {STARTED} 0 to 2."), "Successful"));
        let tags = ec2::tags::of(region.state(), &member.instance);
        assert_eq!(tags["aws:autoscaling:groupName"], "g");
    }
    let input = s::DescribeScalingActivitiesType { auto_scaling_group_name: Some("g".into()), ..Default::default() };
    let shown = region.call::<ops::DescribeScalingActivities>(input).unwrap().activities;
    assert_eq!((shown.len(), shown[0].progress), (2, Some(100)));
    assert!(shown[0].details.as_ref().unwrap().contains("\"Availability Zone\":\"eu-central-1"));
}

fn sorted(mut told: Vec<crate::region::Told>) -> Vec<crate::region::Told> {
    told.sort();
    told
}

#[test]
fn it_grows_and_shrinks_within_its_bounds() {
    let mut region = Region::new();
    region.group(2, |_| {});
    set_desired(&mut region, 5);
    let (a, b) = region.zones();
    assert!(a + b == 5 && a.abs_diff(b) == 1, "{a} {b}");
    let cause = format!(
        "At T a user request explicitly set group desired capacity changing the desired capacity from 2 to 5.  {STARTED} 2 to 5."
    );
    assert!(region.told(2).iter().all(|(_, c, status)| (c, *status) == (&cause, "Successful")), "{:?}", region.told(2));
    let input = s::UpdateAutoScalingGroupType { auto_scaling_group_name: "g".into(), max_size: Some(1), ..Default::default() };
    region.call::<ops::UpdateAutoScalingGroup>(input).unwrap();
    region.play();
    assert_eq!((region.in_service().len(), region.members().len(), region.row().desired_capacity), (1, 1, 1));
    let began = format!(
        "At T a user request update of AutoScalingGroup constraints to min: 0, max: 1, desired: 1 changing the desired capacity from 5 to 1.  {SHRUNK} 5 to 1."
    );
    for (description, cause, status) in region.told(5) {
        let id = description.strip_prefix("Terminating EC2 instance: ").unwrap();
        assert!(
            cause.starts_with(&began) && cause.contains(&format!("At T instance {id} was selected for termination.")),
            "{cause}"
        );
        assert_eq!(status, "Successful");
        assert_eq!(region.instance_state(&id.into()), InstanceState::Terminated);
    }
    let digest = region.kernel.digest();
    region.reopen();
    assert_eq!(region.kernel.digest(), digest, "a restarted region has nothing to do");
}

#[test]
fn bad_requests_are_refused_in_the_words_of_aws_and_change_nothing() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let before = region.kernel.digest();
    let input = |desired| s::SetDesiredCapacityType {
        auto_scaling_group_name: "g".into(),
        desired_capacity: desired,
        ..Default::default()
    };
    let text = "New SetDesiredCapacity value 11 is above max value 10 for the AutoScalingGroup.";
    assert_eq!(refusal(region.call::<ops::SetDesiredCapacity>(input(11))), ("ValidationError".into(), text.into()));
    let named = |name: &str| s::CreateAutoScalingGroupType { auto_scaling_group_name: name.into(), ..request(2) };
    let (code, text) = refusal(region.call::<ops::CreateAutoScalingGroup>(named("g")));
    assert_eq!(code, "AlreadyExists");
    assert_eq!(text, "AutoScalingGroup by this name already exists - A group with the name g already exists");
    let cases: Vec<(&str, Spoil)> = vec![
        (
            "Desired capacity:9 must be between the specified min size:0 and max size:3",
            Box::new(|r| {
                (r.max_size, r.desired_capacity) = (3, Some(9));
            }),
        ),
        ("Max bound, 1, must be greater than or equal to min bound, 2", Box::new(|r| (r.min_size, r.max_size) = (2, 1))),
        ("Invalid availability zones: [mars-1a]", Box::new(|r| r.availability_zones = vec!["mars-1a".into()])),
        ("At least one Availability Zone or VPC Subnet is required.", Box::new(|r| r.availability_zones.clear())),
        ("The subnet ID 'subnet-1' does not exist", Box::new(|r| r.vpc_zone_identifier = Some("subnet-1".into()))),
        ("Valid requests must contain either LaunchTemplate", Box::new(|r| r.launch_template = None)),
        (
            "The parameter MixedInstancesPolicy is not supported",
            Box::new(|r| r.mixed_instances_policy = Some(Default::default())),
        ),
        ("Provided Target Groups may not be valid", Box::new(|r| r.target_group_arns = vec!["arn:none".into()])),
        (
            "aws: prefixed tag key names are not allowed",
            Box::new(|r| {
                r.tags = vec![s::Tag { key: "aws:x".into(), ..Default::default() }];
            }),
        ),
    ];
    for (expected, change) in cases {
        let mut input = named("other");
        change(&mut input);
        let (code, text) = refusal(region.call::<ops::CreateAutoScalingGroup>(input));
        assert_eq!(code, "ValidationError");
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(region.kernel.digest(), before);
}

#[test]
fn what_is_suspended_rests_until_it_is_resumed() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let query = |names: &[&str]| s::ScalingProcessQuery {
        auto_scaling_group_name: "g".into(),
        scaling_processes: names.iter().map(|n| n.to_string()).collect(),
    };
    region.call::<ops::SuspendProcesses>(query(&["Launch", "HealthCheck"])).unwrap();
    set_desired(&mut region, 3);
    let killed = one(&region);
    region.kill(&killed);
    region.pass(60);
    assert_eq!((region.members().len(), region.in_service().contains(&killed)), (2, true), "neither launched nor replaced");
    region.call::<ops::ResumeProcesses>(query(&["HealthCheck"])).unwrap();
    region.play();
    assert_eq!(region.members().len(), 1, "taken out, but nothing launched");
    region.call::<ops::ResumeProcesses>(query(&[])).unwrap();
    region.play();
    assert_eq!((region.in_service().len(), region.in_service().contains(&killed)), (3, false));
    region.call::<ops::SuspendProcesses>(query(&["Terminate"])).unwrap();
    set_desired(&mut region, 1);
    region.pass(10);
    assert_eq!(region.in_service().len(), 3);
    region.call::<ops::ResumeProcesses>(query(&["Terminate"])).unwrap();
    region.play();
    assert_eq!(region.in_service().len(), 1);
    let text = refusal(region.call::<ops::SuspendProcesses>(query(&["Dance"])));
    assert_eq!(text, ("ValidationError".into(), "Invalid scaling process: Dance".into()));
}

#[test]
fn an_instance_is_detached_and_attached_again() {
    let mut region = Region::new();
    let arn = region.target_group("web");
    region.group(2, |r| r.target_group_arns = vec![arn.to_string()]);
    let id = one(&region);
    let query = |decrement| s::DetachInstancesQuery {
        auto_scaling_group_name: "g".into(),
        instance_ids: vec![id.to_string()],
        should_decrement_desired_capacity: decrement,
    };
    assert!(region.is_registered(&id));
    let activity = region.call::<ops::DetachInstances>(query(true)).unwrap().activities.pop().unwrap();
    assert_eq!(
        (activity.description.as_deref(), activity.status_code.as_str()),
        (Some(&*format!("Detaching EC2 instance: {id}")), "InProgress")
    );
    region.play();
    assert_eq!((region.members().len(), region.row().desired_capacity, region.is_registered(&id)), (1, 1, false));
    assert_eq!(region.instance_state(&id), InstanceState::Running, "it runs on");
    let cause = format!("At T instance {id} was detached in response to a user request, shrinking the capacity from 2 to 1.");
    assert_eq!(region.told(2), [(format!("Detaching EC2 instance: {id}"), cause, "Successful")]);
    assert!(refusal(region.call::<ops::DetachInstances>(query(false))).1.contains("is not part of Auto Scaling group g"));
    let attach = s::AttachInstancesQuery { auto_scaling_group_name: "g".into(), instance_ids: vec![id.to_string()] };
    region.call::<ops::AttachInstances>(attach.clone()).unwrap();
    region.play();
    assert_eq!((region.in_service().len(), region.row().desired_capacity, region.is_registered(&id)), (2, 2, true));
    assert!(refusal(region.call::<ops::AttachInstances>(attach)).1.contains("is already part of an AutoScalingGroup"));
}

#[test]
fn an_instance_is_ended_with_or_without_its_place() {
    let mut region = Region::new();
    region.group(2, |r| r.min_size = 1);
    for (decrement, left) in [(false, 2), (true, 1)] {
        let id = one(&region);
        let input = s::TerminateInstanceInAutoScalingGroupType {
            instance_id: Some(id.to_string()),
            should_decrement_desired_capacity: decrement,
            ..Default::default()
        };
        let activity = region.call::<ops::TerminateInstanceInAutoScalingGroup>(input).unwrap().activity.unwrap();
        assert!(activity.cause.contains(&format!("instance {id} was taken out of service in response to a user request")));
        region.play();
        assert_eq!((region.in_service().len(), region.in_service().contains(&id)), (left, false));
    }
    let input = s::TerminateInstanceInAutoScalingGroupType {
        instance_id: Some(one(&region).to_string()),
        should_decrement_desired_capacity: true,
        ..Default::default()
    };
    let (code, text) = refusal(region.call::<ops::TerminateInstanceInAutoScalingGroup>(input));
    assert!(code == "ValidationError" && text.contains("desiredSize equals minSize (1)"), "{text}");
}

#[test]
fn a_group_with_instances_is_deleted_only_by_force() {
    let mut region = Region::new();
    let arn = region.target_group("web");
    region.group(2, |r| r.target_group_arns = vec![arn.to_string()]);
    let ids = region.in_service();
    let delete = |force| s::DeleteAutoScalingGroupType { auto_scaling_group_name: "g".into(), force_delete: force };
    let (code, text) = refusal(region.call::<ops::DeleteAutoScalingGroup>(delete(None)));
    assert_eq!(code, "ResourceInUse");
    assert!(text.starts_with("You cannot delete an AutoScalingGroup while there are instances"));
    region.busy = true;
    region.call::<ops::DeleteAutoScalingGroup>(delete(Some(true))).unwrap();
    let shown = region.call::<ops::DescribeAutoScalingGroups>(Default::default()).unwrap().auto_scaling_groups.pop().unwrap();
    assert_eq!(shown.status.as_deref(), Some("Delete in progress"));
    let cause = "At T a user request force deleted AutoScalingGroup changing the desired capacity from 2 to 0.";
    assert!(region.told(2).iter().all(|(_, c, _)| c.starts_with(cause)), "{:?}", region.told(2));
    region.play();
    assert!(region.state().get::<autoscaling::Group>(&"g".into()).is_none());
    assert!(ids.iter().all(|id| region.instance_state(id) == InstanceState::Terminated));
    let (code, text) = refusal(region.call::<ops::DeleteAutoScalingGroup>(delete(None)));
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup 'g' not found")
    );
}

#[test]
fn other_zones_move_the_instances_with_enough_in_service() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let input = s::UpdateAutoScalingGroupType {
        auto_scaling_group_name: "g".into(),
        availability_zones: vec!["eu-central-1c".into()],
        ..Default::default()
    };
    region.call::<ops::UpdateAutoScalingGroup>(input).unwrap();
    for _ in 0..30 {
        region.pass(1);
        assert!(region.in_service().len() >= 2);
    }
    assert!(region.members().len() == 2 && region.members().iter().all(|m| m.zone == "eu-central-1c"));
}

/// "Set an instance maintenance policy": what is launched to even out the zones must have warmed up before another one ends.
#[test]
fn zones_are_evened_out_when_the_new_instances_have_warmed_up() {
    let mut region = Region::new();
    region.group(4, |g| {
        g.availability_zones = vec!["eu-central-1a".into()];
        g.default_instance_warmup = Some(100);
        g.instance_maintenance_policy =
            Some(s::InstanceMaintenancePolicy { min_healthy_percentage: Some(100), max_healthy_percentage: Some(150) });
    });
    region.pass(200);
    assert_eq!(region.zones(), (4, 0));
    let update = s::UpdateAutoScalingGroupType {
        auto_scaling_group_name: "g".into(),
        availability_zones: vec!["eu-central-1a".into(), "eu-central-1b".into()],
        ..Default::default()
    };
    region.call::<ops::UpdateAutoScalingGroup>(update).unwrap();
    region.play();
    region.pass(90);
    assert_eq!(region.zones(), (4, 2), "as many ahead as the maximum allows");
    region.pass(20);
    assert_eq!(region.zones(), (2, 2));
}

#[test]
fn a_target_group_that_is_named_twice_is_attached_once() {
    let mut region = Region::new();
    let target_group = region.target_group("web").to_string();
    region.group(1, |r| {
        r.target_group_arns = vec![target_group.clone()];
        r.traffic_sources = vec![s::TrafficSourceIdentifier { identifier: target_group.clone(), r#type: None }];
    });
    let shown = region.call::<ops::DescribeAutoScalingGroups>(Default::default()).unwrap().auto_scaling_groups.pop().unwrap();
    assert_eq!(shown.target_group_arns, [target_group]);
}

/// "Considerations for attaching instances": instance and load balancer must both be in the same VPC.
#[test]
fn an_instance_of_another_vpc_than_its_target_groups_is_not_attached() {
    let mut region = Region::new();
    let arn = region.target_group("web");
    region.group(1, |r| r.target_group_arns = vec![arn.to_string()]);
    let input = e::CreateVpcRequest { cidr_block: Some("10.9.0.0/16".into()), ..Default::default() };
    let vpc_id = region.call::<e::ops::CreateVpc>(input).unwrap().vpc.unwrap().vpc_id.unwrap();
    let input = e::CreateSubnetRequest {
        vpc_id,
        cidr_block: Some("10.9.0.0/24".into()),
        availability_zone: Some(ZONE_A.into()),
        ..Default::default()
    };
    let subnet_id = region.call::<e::ops::CreateSubnet>(input).unwrap().subnet.unwrap().subnet_id;
    let input = e::RunInstancesRequest {
        image_id: Some("ami-host".into()),
        instance_type: Some("t3.micro".into()),
        subnet_id,
        min_count: 1,
        max_count: 1,
        ..Default::default()
    };
    let id = region.call::<e::ops::RunInstances>(input).unwrap().instances.remove(0).instance_id.unwrap();
    region.play();
    let attach = s::AttachInstancesQuery { auto_scaling_group_name: "g".into(), instance_ids: vec![id] };
    let (code, text) = refusal(region.call::<ops::AttachInstances>(attach.clone()));
    assert!(code == "ValidationError" && text.contains("not in the VPC of the target group"), "{text}");
    assert_eq!((region.members().len(), region.row().desired_capacity), (1, 1));
    // Without a load balancer only the zone matters.
    let detach =
        s::DetachLoadBalancerTargetGroupsType { auto_scaling_group_name: "g".into(), target_group_arns: vec![arn.to_string()] };
    region.call::<ops::DetachLoadBalancerTargetGroups>(detach).unwrap();
    region.call::<ops::AttachInstances>(attach).unwrap();
    region.play();
    assert_eq!(region.in_service().len(), 2);
}
