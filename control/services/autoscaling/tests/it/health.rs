//! Dead and unhealthy instances are replaced, each in its zone, and told why.

use base::InstanceId;
use ec2::InstanceState;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;
use world::{TargetHealth, TargetReason};

use crate::region::{Region, ZONE_B};

const REPLACED: &str = "At T an instance was launched in response to an unhealthy instance needing to be replaced.";

fn in_zone(region: &Region, zone: &str) -> InstanceId {
    region.members().into_iter().find(|m| m.zone == zone).unwrap().instance
}

/// The one that came for `gone`: its id.
fn successor(region: &Region, gone: &InstanceId) -> InstanceId {
    let member = region.members().into_iter().find(|m| m.zone == ZONE_B).unwrap();
    assert_ne!(member.instance, *gone);
    member.instance
}

#[test]
fn a_killed_instance_is_replaced_in_its_zone() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let id = in_zone(&region, ZONE_B);
    region.kill(&id);
    region.play();
    assert_eq!(region.zones(), (1, 1));
    let cause = "At T an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.";
    let launched = format!("Launching a new EC2 instance: {}", successor(&region, &id));
    assert_eq!(
        region.told(2),
        [(format!("Terminating EC2 instance: {id}"), cause.into(), "Successful"), (launched, REPLACED.into(), "Successful"),]
    );
}

#[test]
fn a_failing_load_balancer_check_counts_after_the_grace_period() {
    let mut region = Region::new();
    let arn = region.target_group("web");
    region.group(2, |r| {
        r.target_group_arns = vec![arn.to_string()];
        r.health_check_type = Some("ELB".into());
        r.health_check_grace_period = Some(30);
    });
    let id = in_zone(&region, ZONE_B);
    region.say_health(&id, TargetHealth::Unhealthy { reason: TargetReason::Timeout, draining: false });
    region.pass(29);
    assert!(region.in_service().contains(&id), "in its grace period");
    region.busy = true;
    region.pass(1);
    let member = region.members().into_iter().find(|m| m.instance == id).unwrap();
    assert_eq!((member.state(), member.health.as_str()), ("Terminating", "Unhealthy"));
    assert_eq!(region.told(2)[0].2, "WaitingForELBConnectionDraining");
    assert!(region.power_is_wished(&id), "it finishes its requests");
    let next = successor_in_service(&region, &id);
    region.busy = false;
    region.play();
    assert_eq!((region.is_registered(&id), region.instance_state(&id)), (false, InstanceState::Terminated));
    let cause = "At T an instance was taken out of service in response to an ELB system health check failure.";
    assert_eq!(
        region.told(2),
        [
            (format!("Terminating EC2 instance: {id}"), cause.into(), "Successful"),
            (format!("Launching a new EC2 instance: {next}"), REPLACED.into(), "Successful"),
        ]
    );
    assert!(region.is_registered(&next));
}

fn successor_in_service(region: &Region, gone: &InstanceId) -> InstanceId {
    let in_service = region.in_service();
    region
        .members()
        .into_iter()
        .find(|m| m.zone == ZONE_B && m.instance != *gone && in_service.contains(&m.instance))
        .unwrap()
        .instance
}

#[test]
fn load_balancer_checks_do_not_count_where_only_ec2s_are_asked_for() {
    let mut region = Region::new();
    let arn = region.target_group("web");
    region.group(2, |r| r.target_group_arns = vec![arn.to_string()]);
    let id = in_zone(&region, ZONE_B);
    region.say_health(&id, TargetHealth::Unhealthy { reason: TargetReason::FailedHealthChecks, draining: false });
    region.pass(600);
    assert!(region.in_service().contains(&id));
}

#[test]
fn a_user_says_that_an_instance_is_unhealthy() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let id = in_zone(&region, ZONE_B);
    let query = |status: &str| s::SetInstanceHealthQuery {
        instance_id: id.to_string(),
        health_status: status.into(),
        should_respect_grace_period: Some(false),
    };
    region.call::<ops::SetInstanceHealth>(query("Unhealthy")).unwrap();
    region.play();
    assert_eq!(region.zones(), (1, 1));
    assert_eq!(region.told(2)[0].1, "At T an instance was taken out of service in response to a user health-check.");
    successor(&region, &id);
    assert!(region.call::<ops::SetInstanceHealth>(query("Unhealthy")).is_err());
}

#[test]
fn target_groups_come_and_go_while_instances_serve() {
    let mut region = Region::new();
    region.group(2, |_| {});
    let arn = region.target_group("web");
    let attach =
        s::AttachLoadBalancerTargetGroupsType { auto_scaling_group_name: "g".into(), target_group_arns: vec![arn.to_string()] };
    region.call::<ops::AttachLoadBalancerTargetGroups>(attach).unwrap();
    let ids = region.in_service();
    assert!(ids.iter().all(|id| region.is_registered(id)));
    let detach =
        s::DetachLoadBalancerTargetGroupsType { auto_scaling_group_name: "g".into(), target_group_arns: vec![arn.to_string()] };
    region.busy = true;
    region.call::<ops::DetachLoadBalancerTargetGroups>(detach).unwrap();
    let of_group = s::DescribeLoadBalancerTargetGroupsRequest { auto_scaling_group_name: "g".into(), ..Default::default() };
    let shown = region.call::<ops::DescribeLoadBalancerTargetGroups>(of_group.clone()).unwrap().load_balancer_target_groups;
    assert_eq!(shown[0].state.as_deref(), Some("Removing"));
    region.busy = false;
    region.play();
    assert!(ids.iter().all(|id| !region.is_registered(id)));
    assert_eq!(region.in_service(), ids);
    assert!(region.call::<ops::DescribeLoadBalancerTargetGroups>(of_group).unwrap().load_balancer_target_groups.is_empty());
}
