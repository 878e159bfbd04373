//! Launches that fail, and machines that cannot live: told, tried again ever later, never stormed.

use shapes::autoscaling::ops;

use crate::region::{Region, ZONE_A, request};

#[test]
fn failing_launches_are_tried_again_ever_later() {
    let mut region = Region::new();
    region.broken = Some("no room".into());
    region.group(2, |_| {});
    region.pass(3_600);
    let failed = region.activities().into_iter().filter(|a| a.status.as_str() == "Failed").collect::<Vec<_>>();
    assert!((16..=60).contains(&failed.len()), "{} launches in an hour", failed.len());
    let text =
        "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InternalError";
    assert!(failed[0].message.as_ref().unwrap().starts_with(text), "{:?}", failed[0]);
    assert!(failed[0].description.contains(".  Status Reason: Instance became unhealthy"));
    region.broken = None;
    region.pass(300);
    assert_eq!((region.in_service().len(), region.row().failures), (2, 0));
}

#[test]
fn a_launch_that_ec2_refuses_is_told_and_tried_again() {
    let mut region = Region::new();
    region.call::<ops::CreateAutoScalingGroup>(request(0)).unwrap();
    // With its default subnets gone, EC2 refuses every launch.
    let subnets: Vec<String> = region.state().rows::<ec2::Subnet>().map(|s| s.id.to_string()).collect();
    for subnet_id in subnets {
        let input = shapes::ec2::DeleteSubnetRequest { subnet_id, ..Default::default() };
        region.call::<shapes::ec2::ops::DeleteSubnet>(input).unwrap();
    }
    let input = shapes::autoscaling::SetDesiredCapacityType {
        auto_scaling_group_name: "g".into(),
        desired_capacity: 3,
        ..Default::default()
    };
    region.call::<ops::SetDesiredCapacity>(input).unwrap();
    region.pass(60);
    let told = region.told(0);
    assert!((4..=20).contains(&told.len()), "{}", told.len());
    for (description, _, status) in told {
        assert!(description.starts_with("Launching a new EC2 instance.  Status Reason: "), "{description}");
        assert!(description.ends_with("Launching EC2 instance failed.") && status == "Failed");
    }
}

#[test]
fn machines_that_die_at_once_are_not_started_in_a_storm() {
    let mut region = Region::new();
    region.group(1, |r| r.availability_zones = vec![ZONE_A.into()]);
    for _ in 0..600 {
        for id in region.in_service() {
            region.kill(&id);
        }
        region.pass(1);
    }
    let launches = region.state().count::<ec2::Instance>();
    assert!((8..=30).contains(&launches), "{launches} launches in ten minutes");
    region.pass(120);
    assert_eq!(region.in_service().len(), 1);
}

#[test]
fn a_machine_that_never_comes_up_is_given_up() {
    let mut region = Region::new();
    region.call::<ops::CreateAutoScalingGroup>(request(1)).unwrap();
    let id = region.members()[0].instance.clone();
    for _ in 0..121 {
        region.now = region.now + std::time::Duration::from_secs(1);
        region.settle();
    }
    assert!(!region.power_is_wished(&id));
    assert!(region.told(0)[0].0.contains("Status Reason: Instance became unhealthy"));
    region.pass(5);
    assert_eq!(region.in_service().len(), 1);
}
