//! Instance refreshes of a group whose machines come up at once.

use std::collections::BTreeSet;

use autoscaling::{Refresh, RefreshStatus};
use base::InstanceId;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;
use shapes::ec2 as e;
use world::TargetHealth;

use crate::region::{Region, refusal};

fn preferences(min: i64, max: i64) -> s::RefreshPreferences {
    s::RefreshPreferences {
        min_healthy_percentage: Some(min),
        max_healthy_percentage: Some(max),
        instance_warmup: Some(0),
        ..Default::default()
    }
}

fn request(preferences: s::RefreshPreferences) -> s::StartInstanceRefreshType {
    s::StartInstanceRefreshType { auto_scaling_group_name: "g".into(), preferences: Some(preferences), ..Default::default() }
}

fn version(number: &str) -> Option<s::DesiredConfiguration> {
    let template = s::LaunchTemplateSpecification {
        launch_template_name: Some("web".into()),
        version: Some(number.into()),
        ..Default::default()
    };
    Some(s::DesiredConfiguration { launch_template: Some(template), ..Default::default() })
}

impl Region {
    /// A group of so many by version 1 of a template that has two.
    fn versioned(desired: i64) -> Self {
        let mut region = Self::new();
        let input = e::CreateLaunchTemplateVersionRequest {
            launch_template_name: Some("web".into()),
            source_version: Some("1".into()),
            launch_template_data: e::RequestLaunchTemplateData { instance_type: Some("t3.small".into()), ..Default::default() },
            ..Default::default()
        };
        region.call::<e::ops::CreateLaunchTemplateVersion>(input).unwrap();
        region.group(desired, |input| {
            if let Some(template) = &mut input.launch_template {
                template.version = Some("1".into());
            }
        });
        region
    }

    fn refresh(&mut self, input: s::StartInstanceRefreshType) -> String {
        self.call::<ops::StartInstanceRefresh>(input).unwrap().instance_refresh_id.unwrap()
    }

    fn last_refresh(&self) -> Refresh {
        self.state().rows_where::<Refresh>("group", "g").last().unwrap().clone()
    }

    fn shown(&mut self) -> s::InstanceRefresh {
        let input = s::DescribeInstanceRefreshesType { auto_scaling_group_name: "g".into(), ..Default::default() };
        self.call::<ops::DescribeInstanceRefreshes>(input).unwrap().instance_refreshes.remove(0)
    }

    fn versions(&self) -> BTreeSet<u64> {
        let serving = self.in_service();
        let of = |id: &InstanceId| self.state().get::<ec2::Instance>(id).unwrap().template.as_ref().unwrap().version;
        serving.iter().map(of).collect()
    }

    /// Lets seconds pass until the refresh has this status.
    fn until(&mut self, status: RefreshStatus) {
        for _ in 0..20_000 {
            if self.last_refresh().status == status {
                return;
            }
            self.pass(1);
        }
        panic!("it never becomes {status:?}: {:?}", self.last_refresh());
    }
}

#[test]
fn a_refresh_replaces_every_instance_and_brings_the_desired_configuration() {
    let mut region = Region::versioned(4);
    let before = region.in_service();
    let id = region.refresh(s::StartInstanceRefreshType { desired_configuration: version("2"), ..request(preferences(50, 100)) });
    assert_eq!(region.row().template.version.as_deref(), Some("1"), "the group changes only once all is done");
    region.until(RefreshStatus::Successful);
    assert!(before.is_disjoint(&region.in_service()));
    assert_eq!((region.versions(), region.zones()), (BTreeSet::from([2]), (2, 2)));
    assert_eq!(region.row().template.version.as_deref(), Some("2"));
    let shown = region.shown();
    assert_eq!(shown.instance_refresh_id, Some(id));
    assert_eq!((shown.percentage_complete, shown.instances_to_update), (Some(100), Some(0)));
    assert!(shown.end_time.is_some());
    assert!(region.told(0).iter().any(|(_, cause, _)| cause.contains("in response to an instance refresh.")));
}

/// "Use an instance refresh", with a warm pool: its instances are replaced too, and none of the old ones comes into the group.
#[test]
fn a_refresh_replaces_the_warm_pool_too() {
    let mut region = Region::versioned(2);
    let pool = s::PutWarmPoolType { auto_scaling_group_name: "g".into(), min_size: Some(4), ..Default::default() };
    region.call::<ops::PutWarmPool>(pool).unwrap();
    region.play();
    let warm = |region: &Region| -> BTreeSet<InstanceId> {
        region.members().into_iter().filter(|m| m.state() == "Warmed:Stopped").map(|m| m.instance).collect()
    };
    let before: BTreeSet<InstanceId> = warm(&region).union(&region.in_service()).cloned().collect();
    let size = warm(&region).len();
    assert!(size >= 4);
    region.refresh(s::StartInstanceRefreshType { desired_configuration: version("2"), ..request(preferences(50, 100)) });
    let begun = region.shown().progress_details.unwrap().warm_pool_progress.unwrap();
    assert!(begun.instances_to_update.unwrap() > 0 && begun.percentage_complete.unwrap() < 100);
    for _ in 0..500 {
        assert!(warm(&region).len() * 2 >= size - 1, "{}", warm(&region).len());
        let new: Vec<_> = region.in_service().into_iter().filter(|id| !before.contains(id)).collect();
        let version = |id: &InstanceId| region.state().get::<ec2::Instance>(id).unwrap().template.as_ref().unwrap().version;
        assert!(new.iter().all(|id| version(id) == 2), "an old one came out of the pool");
        if region.last_refresh().status == RefreshStatus::Successful {
            break;
        }
        region.pass(1);
    }
    assert_eq!(region.last_refresh().status, RefreshStatus::Successful);
    let progress = region.shown().progress_details.unwrap().warm_pool_progress.unwrap();
    assert_eq!((progress.percentage_complete, progress.instances_to_update), (Some(100), Some(0)));
    region.play();
    let all: BTreeSet<InstanceId> = warm(&region).union(&region.in_service()).cloned().collect();
    assert!(before.is_disjoint(&all) && warm(&region).len() == size, "{all:?}");
}

#[test]
fn launch_before_terminating_keeps_all_in_service() {
    let mut region = Region::versioned(3);
    region.refresh(request(preferences(100, 150)));
    for _ in 0..200 {
        assert!(region.in_service().len() >= 3);
        assert!(region.members().iter().filter(|m| m.lifecycle.serves()).count() <= 4);
        if region.last_refresh().status == RefreshStatus::Successful {
            assert_eq!((region.in_service().len(), region.row().surplus), (3, 0));
            return;
        }
        region.pass(1);
    }
    panic!("it never ends");
}

#[test]
fn with_elb_health_checks_a_new_instance_must_be_healthy_first() {
    let mut region = Region::versioned(0);
    let arn = region.target_group("web");
    let attach =
        s::AttachLoadBalancerTargetGroupsType { auto_scaling_group_name: "g".into(), target_group_arns: vec![arn.to_string()] };
    region.call::<ops::AttachLoadBalancerTargetGroups>(attach).unwrap();
    let update = s::UpdateAutoScalingGroupType {
        auto_scaling_group_name: "g".into(),
        health_check_type: Some("ELB".into()),
        health_check_grace_period: Some(600),
        desired_capacity: Some(1),
        ..Default::default()
    };
    region.call::<ops::UpdateAutoScalingGroup>(update).unwrap();
    region.play();
    let old = region.in_service().pop_first().unwrap();
    region.say_health(&old, TargetHealth::Healthy);
    region.refresh(request(preferences(100, 200)));
    region.pass(30);
    assert!(region.in_service().len() == 2, "the new one is not healthy yet, so the old one stays");
    let new = region.in_service().into_iter().find(|id| *id != old).unwrap();
    region.say_health(&new, TargetHealth::Healthy);
    region.until(RefreshStatus::Successful);
    assert_eq!(region.in_service(), BTreeSet::from([new]));
}

#[test]
fn skip_matching_leaves_instances_of_the_desired_configuration_alone() {
    let mut region = Region::versioned(2);
    let before = region.in_service();
    let skips = s::RefreshPreferences { skip_matching: Some(true), ..preferences(0, 100) };
    region.refresh(s::StartInstanceRefreshType { desired_configuration: version("1"), ..request(skips) });
    region.until(RefreshStatus::Successful);
    assert_eq!(region.in_service(), before);
}

#[test]
fn a_rollback_brings_the_former_configuration_back() {
    let mut region = Region::versioned(2);
    let pauses =
        s::RefreshPreferences { checkpoint_percentages: vec![50, 100], checkpoint_delay: Some(600), ..preferences(50, 100) };
    region.refresh(s::StartInstanceRefreshType { desired_configuration: version("2"), ..request(pauses) });
    region.pass(20);
    assert_eq!((region.versions(), region.shown().percentage_complete), (BTreeSet::from([1, 2]), Some(50)));
    let update = s::UpdateAutoScalingGroupType {
        auto_scaling_group_name: "g".into(),
        launch_template: version("2").unwrap().launch_template,
        ..Default::default()
    };
    let (_, text) = refusal(region.call::<ops::UpdateAutoScalingGroup>(update));
    assert!(text.starts_with("An active instance refresh with a desired configuration exists."), "{text}");
    let input = s::RollbackInstanceRefreshType { auto_scaling_group_name: "g".into() };
    region.call::<ops::RollbackInstanceRefresh>(input).unwrap();
    region.until(RefreshStatus::RollbackSuccessful);
    assert_eq!((region.versions(), region.row().template.version.as_deref()), (BTreeSet::from([1]), Some("1")));
    let back = region.shown().rollback_details.unwrap();
    assert_eq!(back.percentage_complete_on_rollback, Some(50));
}

/// "Add checkpoints to an instance refresh": of two instances one is half, beyond 10 and 40 percent, so it skips the first.
#[test]
fn checkpoints_that_are_reached_at_once_hold_a_refresh_once() {
    for (checkpoints, status) in [(vec![10, 40, 100], RefreshStatus::InProgress), (vec![10, 40], RefreshStatus::Successful)] {
        let mut region = Region::versioned(2);
        let pauses =
            s::RefreshPreferences { checkpoint_percentages: checkpoints, checkpoint_delay: Some(600), ..preferences(50, 100) };
        region.refresh(request(pauses));
        region.pass(20);
        let refresh = region.last_refresh();
        assert_eq!((refresh.status, refresh.percent), (status, 50));
        if status == RefreshStatus::InProgress {
            assert!(refresh.reason.unwrap().starts_with("Waiting at the checkpoint of 40 percent"));
            region.pass(620);
            assert_eq!(region.last_refresh().status, RefreshStatus::Successful);
        }
    }
}

#[test]
fn auto_rollback_follows_a_failure() {
    let mut region = Region::versioned(2);
    let back = s::RefreshPreferences { auto_rollback: Some(true), ..preferences(50, 100) };
    region.refresh(s::StartInstanceRefreshType { desired_configuration: version("2"), ..request(back) });
    region.broken = Some("no room".into());
    region.until(RefreshStatus::RollbackInProgress);
    region.broken = None;
    region.until(RefreshStatus::RollbackSuccessful);
    assert_eq!((region.versions(), region.in_service().len()), (BTreeSet::from([1]), 2));
}

#[test]
fn a_refresh_is_cancelled_and_survives_a_crash() {
    let mut region = Region::versioned(4);
    let slow = s::RefreshPreferences { instance_warmup: Some(60), ..preferences(90, 100) };
    let id = region.refresh(request(slow));
    region.pass(70);
    region.reopen();
    let cancel = |region: &mut Region| {
        let input = s::CancelInstanceRefreshType { auto_scaling_group_name: "g".into(), ..Default::default() };
        region.call::<ops::CancelInstanceRefresh>(input)
    };
    assert_eq!(cancel(&mut region).unwrap().instance_refresh_id, Some(id));
    region.until(RefreshStatus::Cancelled);
    let replaced = region.last_refresh().percent;
    assert!((1..100).contains(&replaced), "{replaced}");
    let settled = region.in_service();
    region.pass(300);
    assert_eq!(region.in_service(), settled, "nothing more is replaced");
    let (code, text) = refusal(cancel(&mut region));
    assert_eq!(code, "ActiveInstanceRefreshNotFound");
    assert_eq!(text, "No in progress or pending Instance Refresh found for Auto Scaling group g");
}

#[test]
fn a_suspended_process_holds_a_refresh() {
    let mut region = Region::versioned(2);
    let before = region.in_service();
    let query = s::ScalingProcessQuery { auto_scaling_group_name: "g".into(), scaling_processes: vec!["InstanceRefresh".into()] };
    region.call::<ops::SuspendProcesses>(query.clone()).unwrap();
    region.refresh(request(preferences(0, 100)));
    region.pass(30);
    assert_eq!(region.in_service(), before);
    region.call::<ops::ResumeProcesses>(query).unwrap();
    region.until(RefreshStatus::Successful);
    assert!(before.is_disjoint(&region.in_service()));
}

#[test]
fn contradictory_requests_are_refused() {
    let mut region = Region::versioned(1);
    let with = |lay_over: &dyn Fn(&mut s::RefreshPreferences)| {
        let mut preferences = preferences(90, 100);
        lay_over(&mut preferences);
        request(preferences)
    };
    let floating =
        s::StartInstanceRefreshType { desired_configuration: version("$Latest"), ..with(&|p| p.auto_rollback = Some(true)) };
    let cases = [
        (with(&|p| p.min_healthy_percentage = Some(101)), "MinHealthyPercentage must be 0 to 100, not 101."),
        (with(&|p| p.max_healthy_percentage = Some(99)), "MaxHealthyPercentage must be 100 to 200, not 99."),
        (
            with(&|p| p.min_healthy_percentage = None),
            "You must specify MinHealthyPercentage when you specify MaxHealthyPercentage.",
        ),
        (
            with(&|p| (p.min_healthy_percentage, p.max_healthy_percentage) = (Some(50), Some(200))),
            "The difference between MinHealthyPercentage and MaxHealthyPercentage cannot be greater than 100.",
        ),
        (with(&|p| p.checkpoint_percentages = vec![50, 20]), "CheckpointPercentages must be unique and in ascending order."),
        (with(&|p| p.bake_time = Some(172_801)), "BakeTime must be 0 to 172800, not 172801."),
        (
            with(&|p| p.standby_instances = Some("Refresh".into())),
            "StandbyInstances must be Terminate, Ignore or Wait, not 'Refresh'.",
        ),
        (
            with(&|p| p.auto_rollback = Some(true)),
            "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty. Set AutoRollback to false or specify a desired configuration and try again.",
        ),
        (
            floating,
            "StartInstanceRefresh with AutoRollback needs a numbered version of the launch template in the Auto Scaling group and in the desired configuration, not $Latest or $Default.",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(refusal(region.call::<ops::StartInstanceRefresh>(input)).1, expected);
    }
    region.refresh(with(&|p| p.instance_warmup = Some(500)));
    let (code, text) = refusal(region.call::<ops::StartInstanceRefresh>(with(&|_| ())));
    assert_eq!(code, "InstanceRefreshInProgress");
    assert_eq!(text, "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.");
}

/// "Use an instance refresh with skip matching": where nothing differs, it "will succeed immediately".
#[test]
fn a_refresh_with_nothing_to_replace_waits_at_no_checkpoint() {
    let mut region = Region::versioned(2);
    let before = region.in_service();
    let skips = s::RefreshPreferences {
        skip_matching: Some(true),
        checkpoint_percentages: vec![20, 50, 100],
        checkpoint_delay: Some(3_600),
        ..preferences(0, 100)
    };
    region.refresh(s::StartInstanceRefreshType { desired_configuration: version("1"), ..request(skips) });
    region.pass(1);
    assert_eq!((region.last_refresh().status, region.in_service()), (RefreshStatus::Successful, before));
}

#[test]
fn a_refresh_that_ignores_every_instance_waits_at_no_checkpoint() {
    let mut region = Region::versioned(2);
    let before = region.in_service();
    let protect = s::SetInstanceProtectionQuery {
        auto_scaling_group_name: "g".into(),
        instance_ids: before.iter().map(|id| id.to_string()).collect(),
        protected_from_scale_in: true,
    };
    region.call::<ops::SetInstanceProtection>(protect).unwrap();
    let ignores = s::RefreshPreferences {
        scale_in_protected_instances: Some("Ignore".into()),
        checkpoint_percentages: vec![20, 50, 100],
        checkpoint_delay: Some(3_600),
        ..preferences(0, 100)
    };
    region.refresh(request(ignores));
    region.pass(1);
    assert_eq!((region.last_refresh().status, region.in_service()), (RefreshStatus::Successful, before));
}

#[test]
fn a_refresh_that_is_being_cancelled_is_not_rolled_back() {
    let mut region = Region::versioned(2);
    region.refresh(s::StartInstanceRefreshType { desired_configuration: version("2"), ..request(preferences(50, 100)) });
    let cancel = s::CancelInstanceRefreshType { auto_scaling_group_name: "g".into(), ..Default::default() };
    region.call::<ops::CancelInstanceRefresh>(cancel).unwrap();
    assert_eq!(region.last_refresh().status, RefreshStatus::Cancelling);
    let back = s::RollbackInstanceRefreshType { auto_scaling_group_name: "g".into() };
    assert_eq!(refusal(region.call::<ops::RollbackInstanceRefresh>(back)).0, "ActiveInstanceRefreshNotFound");
    region.until(RefreshStatus::Cancelled);
}
