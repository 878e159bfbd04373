//! A group as part of a stack.

use autoscaling::Process;
use base::{Fault, Tags};
use ec2::InstanceState;
use kernel::{Progress, ResourceRequest};
use serde_json::{Value as Json, json};
use shapes::autoscaling as s;
use shapes::autoscaling::ops;
use world::{TargetHealth, TargetReason};

use crate::region::{Region, ZONE_A, ZONE_B};

const TYPE: &str = "AWS::AutoScaling::AutoScalingGroup";

struct Stack {
    region: Region,
    properties: Json,
    creation_policy: Option<Json>,
    update_policy: Option<Json>,
    tags: Tags,
}

impl Stack {
    fn new() -> Self {
        let region = Region::new();
        let subnets = [ZONE_A, ZONE_B].map(|z| ec2::default_subnet(region.state(), Some(z)).unwrap().id.to_string());
        let properties = json!({
            "AutoScalingGroupName": "g",
            "LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"},
            "MinSize": 1, "MaxSize": 4, "DesiredCapacity": 2,
            "VPCZoneIdentifier": subnets,
            "Tags": [{"Key": "Name", "Value": "web", "PropagateAtLaunch": true}],
        });
        let tags = Tags::from([("aws:cloudformation:stack-name".to_string(), "s".to_string())]);
        Self { region, properties, creation_policy: None, update_policy: None, tags }
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut kernel::Tx, &kernel::Cx, &dyn kernel::StackResource, &ResourceRequest) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let request = ResourceRequest {
            stack_id: "arn:stack",
            stack_name: "s",
            logical_id: "Group",
            properties: &self.properties,
            tags: &self.tags,
            old_tags: None,
            creation_policy: self.creation_policy.as_ref(),
            update_policy: self.update_policy.as_ref(),
        };
        self.region.run(|tx, cx| work(tx, cx, tx.registry().stack_resource(TYPE).unwrap(), &request))
    }

    fn create(&mut self) -> Result<String, Fault> {
        self.with(|tx, cx, resource, request| resource.create(tx, cx, request))
    }

    fn progress(&mut self) -> Progress {
        self.with(|tx, cx, resource, request| Ok(resource.progress(tx, cx, "g", request))).unwrap()
    }

    fn update(&mut self, changes: Json) -> Result<(), Fault> {
        let old = self.properties.clone();
        for (name, value) in changes.as_object().unwrap() {
            self.properties[name] = value.clone();
        }
        let outcome = self.with(|tx, cx, resource, request| resource.update(tx, cx, "g", &old, request));
        self.region.play();
        outcome
    }

    fn delete(&mut self) -> Progress {
        self.with(|tx, cx, resource, _| resource.delete(tx, cx, "g")).unwrap()
    }
}

#[test]
fn it_is_made_when_its_instances_serve_and_gone_when_they_are() {
    let mut stack = Stack::new();
    let arn = stack.region.target_group("web");
    stack.properties["TargetGroupARNs"] = json!([arn.as_str()]);
    assert_eq!(stack.create().unwrap(), "g");
    assert_eq!(stack.progress(), Progress::Pending);
    stack.region.play();
    assert_eq!((stack.progress(), stack.region.zones()), (Progress::Ready, (1, 1)));
    let id = stack.region.in_service().pop_first().unwrap();
    let tags = ec2::tags::of(stack.region.state(), &id).clone();
    assert_eq!((tags["Name"].as_str(), tags["aws:cloudformation:stack-name"].as_str()), ("web", "s"));
    let shown = stack.with(|tx, cx, resource, _| resource.attribute(tx, cx, "g", "AutoScalingGroupARN")).unwrap();
    assert!(shown.as_str().unwrap().ends_with(":autoScalingGroupName/g"));

    stack.region.busy = true;
    assert_eq!(stack.delete(), Progress::Pending);
    stack.region.pass(5);
    assert_eq!((stack.delete(), stack.region.instance_state(&id)), (Progress::Pending, InstanceState::Running));
    stack.region.busy = false;
    stack.region.play();
    assert_eq!((stack.delete(), stack.region.instance_state(&id)), (Progress::Ready, InstanceState::Terminated));
    assert_eq!(stack.delete(), Progress::Ready, "what does not exist is deleted");
}

#[test]
fn it_is_changed_in_place() {
    let mut stack = Stack::new();
    let arn = stack.region.target_group("web");
    stack.create().unwrap();
    stack.region.play();
    let before = stack.region.in_service();
    let subnet = stack.properties["VPCZoneIdentifier"][0].clone();
    stack
        .update(json!({
            "MaxSize": 6, "DesiredCapacity": 3, "HealthCheckType": "ELB", "HealthCheckGracePeriod": 60,
            "TargetGroupARNs": [arn.as_str()],
            "LaunchTemplate": {"LaunchTemplateName": "web", "Version": "$Latest"},
            "Tags": [{"Key": "Team", "Value": "x", "PropagateAtLaunch": false}],
        }))
        .unwrap();
    assert_eq!(stack.progress(), Progress::Ready);
    let row = stack.region.row().clone();
    assert_eq!((row.max_size, row.desired_capacity, row.grace_s, row.health_check.as_str()), (6, 3, 60, "ELB"));
    assert_eq!(row.template.version.as_deref(), Some("$Latest"));
    assert_eq!(row.tags.keys().collect::<Vec<_>>(), ["Team", "aws:cloudformation:stack-name"]);
    let after = stack.region.in_service();
    assert!(before.is_subset(&after) && after.len() == 3, "running instances stay");
    assert!(after.iter().all(|id| stack.region.is_registered(id)));

    stack.update(json!({"VPCZoneIdentifier": [subnet], "TargetGroupARNs": []})).unwrap();
    stack.region.pass(30);
    assert_eq!(stack.region.zones(), (3, 0));
    assert!(stack.region.in_service().iter().all(|id| !stack.region.is_registered(id)));
}

#[test]
fn it_fails_when_its_instances_cannot_start() {
    let mut stack = Stack::new();
    stack.region.broken = Some("no room".into());
    stack.create().unwrap();
    stack.region.play();
    for _ in 0..60 {
        stack.region.pass(1);
        if let Progress::Failed(reason) = stack.progress() {
            assert!(
                reason.starts_with(
                    "Group did not stabilize. {current/minimum/maximum group size: 0/1/4}. Failed Scaling Activity: "
                )
            );
            assert!(reason.contains("no room"), "{reason}");
            stack.delete();
            stack.region.play();
            assert_eq!(stack.delete(), Progress::Ready);
            return;
        }
    }
    panic!("it waits for ever");
}

#[test]
fn unmodified_sizes_can_be_left_alone() {
    for (ignores, expected) in [(true, 4), (false, 2)] {
        let mut stack = Stack::new();
        stack.create().unwrap();
        stack.region.play();
        let input = shapes::autoscaling::SetDesiredCapacityType {
            auto_scaling_group_name: "g".into(),
            desired_capacity: 4,
            ..Default::default()
        };
        stack.region.call::<shapes::autoscaling::ops::SetDesiredCapacity>(input).unwrap();
        let policy = json!({"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": ignores}});
        stack.update_policy = Some(policy);
        stack.update(json!({"HealthCheckGracePeriod": 5})).unwrap();
        assert_eq!(stack.region.row().desired_capacity, expected);
    }
}

impl Stack {
    fn signal(&mut self, id: &str, success: bool) -> bool {
        self.with(|tx, cx, resource, _| resource.signal(tx, cx, "g", id, success)).unwrap()
    }

    fn notes(&mut self) -> Vec<String> {
        let notes = self.with(|tx, cx, resource, _| Ok(resource.take_notes(tx, cx, "g"))).unwrap();
        let plain = |note: String| match (note.find('['), note.find(']')) {
            (Some(from), Some(to)) => format!("{}[..]{}", &note[..from], &note[to + 1..]),
            _ => note,
        };
        notes.into_iter().map(plain).collect()
    }

    /// A group of two by version 1, and an update to `$Latest`, which is version 2, under this policy.
    fn rolling(policy: Json) -> Self {
        let mut stack = Stack::new();
        stack.versions();
        stack.create().unwrap();
        stack.region.play();
        stack.roll(policy);
        stack
    }

    fn roll(&mut self, policy: Json) {
        self.update_policy = Some(json!({"AutoScalingRollingUpdate": policy}));
        self.update(json!({"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "2"}})).unwrap();
    }

    fn versions(&mut self) {
        let input = shapes::ec2::CreateLaunchTemplateVersionRequest {
            launch_template_name: Some("web".into()),
            source_version: Some("1".into()),
            launch_template_data: shapes::ec2::RequestLaunchTemplateData {
                instance_type: Some("t3.small".into()),
                ..Default::default()
            },
            ..Default::default()
        };
        self.region.call::<shapes::ec2::ops::CreateLaunchTemplateVersion>(input).unwrap();
    }

    fn types(&self) -> Vec<String> {
        self.region.members().into_iter().filter(|m| m.lifecycle.serves()).map(|m| m.instance_type).collect()
    }
}

#[test]
fn a_rolling_update_replaces_obsolete_instances_in_batches() {
    let mut stack = Stack::rolling(json!({"MinInstancesInService": 1, "PauseTime": "PT10S"}));
    assert_eq!(stack.progress(), Progress::Pending);
    for _ in 0..30 {
        assert!(!stack.region.in_service().is_empty());
        stack.region.pass(1);
    }
    assert_eq!((stack.progress(), stack.types()), (Progress::Ready, vec!["t3.small".to_string(); 2]));
    let expected = [
        "Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 1 instance(s) in service. Pausing for PT10S when new instances are added to the autoscaling group.",
        "Terminating instance(s) [..]; replacing with 1 new instance(s).",
        "Successfully terminated instance(s) [..] (Progress 50%).",
        "New instance(s) added to autoscaling group - Pausing for PT10S.",
        "Terminating instance(s) [..]; replacing with 1 new instance(s).",
        "Successfully terminated instance(s) [..] (Progress 100%).",
        "New instance(s) added to autoscaling group - Pausing for PT10S.",
    ];
    assert_eq!(stack.notes(), expected);
    assert!(stack.notes().is_empty(), "each is told once");
}

#[test]
fn a_rolling_update_grows_first_where_all_must_stay_in_service_and_waits_for_signals() {
    let policy = json!({"MinInstancesInService": 2, "WaitOnResourceSignals": true, "PauseTime": "PT5M"});
    let mut stack = Stack::rolling(policy);
    let old = stack.region.in_service().len();
    stack.region.pass(20);
    assert_eq!((old, stack.region.in_service().len()), (3, 3), "one more came, and nothing goes before it has signalled");
    for round in ["a", "b"] {
        assert!(stack.signal(round, true));
        stack.region.play();
        stack.region.pass(3);
        assert!(stack.region.in_service().len() >= 2);
    }
    assert_eq!((stack.progress(), stack.types()), (Progress::Ready, vec!["t3.small".to_string(); 2]));
    let notes = stack.notes();
    assert_eq!(notes[1], "Temporarily setting autoscaling group MinSize and DesiredCapacity to 3.");
    assert_eq!(notes[2], "New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT5M.");
    assert!(notes.contains(&"Terminating instance(s) [..]; replacing with 0 new instance(s).".to_string()), "{notes:?}");
    assert!(!stack.signal("late", true), "an update that is over takes none");
}

#[test]
fn signals_that_do_not_come_fail_a_rolling_update() {
    let mut stack =
        Stack::rolling(json!({"WaitOnResourceSignals": true, "PauseTime": "PT1M", "SuspendProcesses": ["AZRebalance"]}));
    assert!(stack.region.row().suspended.contains_key(&Process::AzRebalance));
    stack.region.pass(62);
    let reason = "Received 1 FAILURE signal(s) out of 2.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement";
    assert_eq!(stack.progress(), Progress::Failed(reason.into()));
    assert!(stack.region.row().suspended.is_empty(), "what the update suspended goes on");
    let text =
        "Failed to receive 1 resource signal(s) for the current batch.  Each resource signal timeout is counted as a FAILURE.";
    assert!(stack.notes().contains(&text.to_string()));
    // The way back is a rolling update too.
    stack.update_policy = Some(json!({"AutoScalingRollingUpdate": {}}));
    stack.update(json!({"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"}})).unwrap();
    stack.region.pass(10);
    assert_eq!((stack.progress(), stack.types()), (Progress::Ready, vec!["t3.micro".to_string(); 2]));
}

#[test]
fn a_signal_of_an_instance_of_before_the_update_or_the_batch_is_none_of_the_batch() {
    let policy = json!({"WaitOnResourceSignals": true, "PauseTime": "PT1M", "MinSuccessfulInstancesPercent": 50});
    let mut stack = Stack::rolling(policy);
    let new = |stack: &Stack| stack.region.members().into_iter().filter(|m| m.instance_type == "t3.small").map(|m| m.instance);
    let first = new(&stack).next().unwrap();
    let old = stack.region.in_service().into_iter().find(|id| *id != first).unwrap();
    assert!(stack.signal(old.as_str(), true));
    stack.region.pass(62);
    let second = new(&stack).find(|id| *id != first).unwrap();
    assert!(stack.signal(first.as_str(), true));
    stack.region.pass(3);
    assert_eq!(stack.progress(), Progress::Pending, "the second has not signalled");
    assert!(stack.signal(second.as_str(), true));
    stack.region.pass(3);
    assert_eq!(stack.progress(), Progress::Ready);
}

#[test]
fn a_replacing_update_makes_a_new_group_where_instances_would_be_obsolete() {
    let mut stack = Stack::new();
    stack.update_policy = Some(json!({"AutoScalingReplacingUpdate": {"WillReplace": "true"}}));
    let mut replaces = |name: &str, value: Json| {
        let mut old = stack.properties.clone();
        old[name] = value;
        stack.with(|tx, _, resource, request| Ok(resource.replaces(tx, &old, request))).unwrap()
    };
    assert!(replaces("LaunchTemplate", json!({"LaunchTemplateName": "web", "Version": "2"})));
    assert!(!replaces("MaxSize", json!(9)));
}

#[test]
fn contradictory_update_policies_are_refused() {
    for (policy, expected) in [
        (json!({"MinInstancesInService": 4}), "MinInstancesInService must be less than the autoscaling group's MaxSize"),
        (json!({"PauseTime": "PT2H"}), "PauseTime must be a duration such as PT5M, at most PT1H, not 'PT2H'."),
        (json!({"SuspendProcesses": ["Sleep"]}), "Invalid scaling process: Sleep"),
    ] {
        let mut stack = Stack::new();
        stack.create().unwrap();
        stack.region.play();
        stack.update_policy = Some(json!({"AutoScalingRollingUpdate": policy}));
        let outcome = stack.update(json!({"MaxSize": 4, "HealthCheckGracePeriod": 1}));
        assert_eq!(outcome.unwrap_err().message, expected);
    }
}

#[test]
fn a_hook_of_a_group_that_is_being_deleted_can_be_completed() {
    let mut stack = Stack::new();
    stack.properties["LifecycleHookSpecificationList"] =
        json!([{"LifecycleHookName": "out", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}]);
    (stack.properties["MinSize"], stack.properties["DesiredCapacity"]) = (json!(1), json!(1));
    stack.create().unwrap();
    stack.region.play();
    let id = stack.region.in_service().into_iter().next().unwrap();
    assert_eq!(stack.delete(), Progress::Pending);
    stack.region.play();
    assert_eq!(stack.region.lifecycle(&id), "Terminating:Wait");
    let beat = s::RecordLifecycleActionHeartbeatType {
        lifecycle_hook_name: "out".into(),
        auto_scaling_group_name: "g".into(),
        instance_id: Some(id.to_string()),
        ..Default::default()
    };
    stack.region.call::<ops::RecordLifecycleActionHeartbeat>(beat).unwrap();
    let complete = s::CompleteLifecycleActionType {
        lifecycle_hook_name: "out".into(),
        auto_scaling_group_name: "g".into(),
        instance_id: Some(id.to_string()),
        lifecycle_action_result: "CONTINUE".into(),
        ..Default::default()
    };
    stack.region.call::<ops::CompleteLifecycleAction>(complete).unwrap();
    stack.region.play();
    assert_eq!(stack.delete(), Progress::Ready);
}

#[test]
fn a_rolling_update_waits_for_no_signal_of_instances_that_it_leaves_alone() {
    let mut stack = Stack::rolling(json!({"WaitOnResourceSignals": true, "PauseTime": "PT1M"}));
    stack.region.pass(62);
    assert!(matches!(stack.progress(), Progress::Failed(_)));
    let mut types = stack.types();
    types.sort();
    assert_eq!(types, ["t3.micro", "t3.small"]);
    // On the way back one of the two is as it was, and has nothing to signal.
    stack.update(json!({"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"}})).unwrap();
    stack.region.pass(3);
    assert!(stack.signal("back", true));
    stack.region.pass(3);
    assert_eq!((stack.progress(), stack.types()), (Progress::Ready, vec!["t3.micro".to_string(); 2]));
}

#[test]
fn an_update_that_takes_the_place_of_a_rolling_one_resumes_what_that_suspended() {
    let away = json!({"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"}});
    for (policy, expected) in [
        (None, vec![]),
        (Some(json!({"PauseTime": "PT5M"})), vec![]),
        (Some(json!({"PauseTime": "PT5M", "SuspendProcesses": ["HealthCheck"]})), vec![Process::HealthCheck]),
    ] {
        let mut stack = Stack::rolling(json!({"PauseTime": "PT5M", "SuspendProcesses": ["AZRebalance"]}));
        assert_eq!(stack.progress(), Progress::Pending);
        assert!(stack.region.row().suspended.contains_key(&Process::AzRebalance));
        stack.update_policy = policy.map(|policy| json!({"AutoScalingRollingUpdate": policy}));
        stack.update(away.clone()).unwrap();
        assert_eq!(stack.region.row().suspended.keys().copied().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn an_update_is_not_failed_by_launches_before_it() {
    let mut stack = Stack::new();
    stack.create().unwrap();
    stack.region.play();
    stack.region.broken = Some("no room".into());
    let more = s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity: 3, ..Default::default() };
    stack.region.call::<ops::SetDesiredCapacity>(more).unwrap();
    stack.region.pass(120);
    assert!(stack.region.row().failures >= 5);
    // What was in the way has gone, and the owner's next update must find out.
    stack.region.broken = None;
    stack.update(json!({"MaxSize": 5, "DesiredCapacity": 3})).unwrap();
    assert_eq!(stack.progress(), Progress::Pending);
    stack.region.pass(300);
    assert_eq!(stack.progress(), Progress::Ready);
}

#[test]
fn what_a_template_says_no_more_of_a_group_and_its_hooks_has_its_default_again() {
    let mut stack = Stack::new();
    let plain = json!({"LifecycleHookName": "in", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"});
    let mut full = plain.clone();
    (full["HeartbeatTimeout"], full["DefaultResult"]) = (json!(60), json!("CONTINUE"));
    (full["NotificationMetadata"], full["RoleARN"]) = (json!("a note"), json!("arn:role"));
    (stack.properties["Context"], stack.properties["ServiceLinkedRoleARN"]) = (json!("c"), json!("arn:own"));
    stack.properties["LifecycleHookSpecificationList"] = json!([full]);
    (stack.properties["MinSize"], stack.properties["DesiredCapacity"]) = (json!(0), json!(0));
    stack.create().unwrap();
    let shown = |stack: &mut Stack| {
        let input = s::DescribeLifecycleHooksType { auto_scaling_group_name: "g".into(), ..Default::default() };
        let hook = stack.region.call::<ops::DescribeLifecycleHooks>(input).unwrap().lifecycle_hooks.remove(0);
        (hook.heartbeat_timeout.unwrap(), hook.default_result.unwrap(), hook.notification_metadata, hook.role_arn)
    };
    assert_eq!(shown(&mut stack), (60, "CONTINUE".into(), Some("a note".into()), Some("arn:role".into())));
    stack.update(json!({"LifecycleHookSpecificationList": [plain], "Context": null, "ServiceLinkedRoleARN": null})).unwrap();
    assert_eq!(shown(&mut stack), (3_600, "ABANDON".into(), None, None));
    assert!(stack.region.row().context.is_none() && stack.region.row().service_linked_role.contains("AWSServiceRoleFor"));
}

/// Both decide how many instances a group has for a while, and would take that back from each other for ever.
#[test]
fn no_instance_refresh_begins_within_a_rolling_update() {
    let mut stack = Stack::rolling(json!({"MinInstancesInService": 2, "PauseTime": "PT5M"}));
    let instance_ids = stack.region.in_service().iter().map(|id| id.to_string()).collect();
    let protect =
        s::SetInstanceProtectionQuery { auto_scaling_group_name: "g".into(), instance_ids, protected_from_scale_in: true };
    stack.region.call::<ops::SetInstanceProtection>(protect).unwrap();
    let start = s::StartInstanceRefreshType { auto_scaling_group_name: "g".into(), ..Default::default() };
    let refused = stack.region.call::<ops::StartInstanceRefresh>(start.clone());
    assert_eq!(stack.region.kernel.take_trouble(), None);
    assert_eq!(refused.unwrap_err().code, "ResourceContention");
    stack.region.pass(2 * 300 + 10);
    assert_eq!(stack.progress(), Progress::Ready);
    stack.region.call::<ops::StartInstanceRefresh>(start).unwrap();
}

#[test]
fn an_update_that_replaces_nothing_goes_on_beside_an_instance_refresh() {
    let mut stack = Stack::new();
    stack.create().unwrap();
    stack.region.play();
    let preferences = s::RefreshPreferences { instance_warmup: Some(600), ..Default::default() };
    let start =
        s::StartInstanceRefreshType { auto_scaling_group_name: "g".into(), preferences: Some(preferences), ..Default::default() };
    stack.region.call::<ops::StartInstanceRefresh>(start).unwrap();
    stack.region.play();
    stack.update_policy = Some(json!({"AutoScalingRollingUpdate": {}}));
    stack.update(json!({"HealthCheckGracePeriod": 5})).unwrap();
    let subnet = stack.properties["VPCZoneIdentifier"][0].clone();
    let refused = stack.update(json!({"VPCZoneIdentifier": [subnet]})).unwrap_err();
    assert_eq!(refused.code, "InstanceRefreshInProgress");
}

/// They may be what the update is to repair.
#[test]
fn a_rolling_update_does_not_wait_until_what_it_replaces_is_healthy() {
    let mut stack = Stack::new();
    stack.versions();
    stack.properties["TargetGroupARNs"] = json!([stack.region.target_group("web").as_str()]);
    stack.properties["HealthCheckType"] = json!("ELB");
    stack.create().unwrap();
    stack.region.play();
    let old = stack.region.in_service();
    old.iter().for_each(|id| stack.region.say_health(id, TargetHealth::Healthy));
    // AWS's page recommends to suspend these, so that the group replaces none by itself.
    let suspended = json!(["HealthCheck", "ReplaceUnhealthy"]);
    let query = s::ScalingProcessQuery {
        auto_scaling_group_name: "g".into(),
        scaling_processes: serde_json::from_value(suspended).unwrap(),
    };
    stack.region.call::<ops::SuspendProcesses>(query).unwrap();
    let ill = TargetHealth::Unhealthy { reason: TargetReason::Timeout, draining: false };
    old.iter().for_each(|id| stack.region.say_health(id, ill.clone()));
    stack.roll(json!({"MaxBatchSize": 2}));
    stack.region.pass(2);
    let new = stack.region.in_service();
    assert!(new.len() == 2 && new.is_disjoint(&old));
    assert_eq!(stack.progress(), Progress::Pending, "the new ones must be healthy");
    new.iter().for_each(|id| stack.region.say_health(id, TargetHealth::Healthy));
    assert_eq!(stack.progress(), Progress::Ready);
}
