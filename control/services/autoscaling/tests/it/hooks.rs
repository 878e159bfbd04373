//! Lifecycle hooks: they hold instances on their way in and out, are answered or run out, and always end.

use base::InstanceId;
use ec2::InstanceState;
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::{Region, refusal, request};

const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

fn hook(name: &str, transition: &str) -> s::PutLifecycleHookType {
    s::PutLifecycleHookType {
        lifecycle_hook_name: name.into(),
        auto_scaling_group_name: "g".into(),
        lifecycle_transition: Some(transition.into()),
        heartbeat_timeout: Some(60),
        ..Default::default()
    }
}

fn complete(region: &mut Region, name: &str, id: &InstanceId, result: &str) -> Result<(), base::Fault> {
    let input = s::CompleteLifecycleActionType {
        lifecycle_hook_name: name.into(),
        auto_scaling_group_name: "g".into(),
        instance_id: Some(id.to_string()),
        lifecycle_action_result: result.into(),
        ..Default::default()
    };
    region.call::<ops::CompleteLifecycleAction>(input).map(|_| region.play())
}

fn only(region: &Region) -> InstanceId {
    let members = region.members();
    assert_eq!(members.len(), 1, "{members:?}");
    members[0].instance.clone()
}

/// A group of one whose launch is held by the hook `in`.
fn held() -> Region {
    let mut region = Region::new();
    region.group(0, |r| {
        r.lifecycle_hook_specification_list = vec![s::LifecycleHookSpecification {
            lifecycle_hook_name: "in".into(),
            lifecycle_transition: LAUNCHING.into(),
            heartbeat_timeout: Some(60),
            ..Default::default()
        }];
    });
    set_desired(&mut region, 1);
    region
}

fn set_desired(region: &mut Region, desired_capacity: i64) {
    let input = s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity, ..Default::default() };
    region.call::<ops::SetDesiredCapacity>(input).unwrap();
    region.play();
}

#[test]
fn a_launch_waits_for_its_hook_and_goes_on() {
    let mut region = held();
    let id = only(&region);
    assert_eq!((region.lifecycle(&id), region.told(0)[0].2), ("Pending:Wait", "MidLifecycleAction"));
    region.pass(50);
    assert_eq!(region.lifecycle(&id), "Pending:Wait");
    complete(&mut region, "in", &id, "CONTINUE").unwrap();
    assert_eq!((region.lifecycle(&id), region.told(0)[0].2), ("InService", "Successful"));
    let (code, text) = refusal(complete(&mut region, "in", &id, "CONTINUE"));
    assert_eq!((code.as_str(), text), ("ValidationError", format!("No active Lifecycle Action found with instance ID {id}")));
    assert!(refusal(complete(&mut region, "in", &id, "MAYBE")).1.contains("CONTINUE or ABANDON"));
    assert!(refusal(complete(&mut region, "none", &id, "CONTINUE")).1.contains("No Lifecycle Hook found"));
}

#[test]
fn a_launch_that_is_abandoned_or_not_answered_is_taken_back() {
    let mut region = held();
    let first = only(&region);
    complete(&mut region, "in", &first, "ABANDON").unwrap();
    assert_eq!(region.instance_state(&first), InstanceState::Terminated);
    assert_eq!(region.told(0)[0].2, "Cancelled");
    region.pass(5);
    let second = only(&region);
    assert_ne!(first, second, "another takes its place");
    region.pass(61);
    assert_eq!(region.instance_state(&second), InstanceState::Terminated, "the default result is ABANDON");
}

#[test]
fn a_heartbeat_begins_the_time_anew_but_not_for_ever() {
    let mut region = held();
    let id = only(&region);
    let token = region.members()[0].actions[0].token.clone();
    let beat = s::RecordLifecycleActionHeartbeatType {
        lifecycle_hook_name: "in".into(),
        auto_scaling_group_name: "g".into(),
        lifecycle_action_token: Some(token),
        ..Default::default()
    };
    // 100 heartbeats of 60 s are the longest that this hook waits.
    for _ in 0..119 {
        region.pass(50);
        region.call::<ops::RecordLifecycleActionHeartbeat>(beat.clone()).unwrap();
    }
    assert_eq!(region.lifecycle(&id), "Pending:Wait");
    region.pass(51);
    assert_ne!(region.lifecycle(&id), "Pending:Wait");
    assert!(refusal(region.call::<ops::RecordLifecycleActionHeartbeat>(beat)).1.starts_with("No active Lifecycle Action"));
}

#[test]
fn a_termination_drains_then_waits_for_its_hooks_then_ends() {
    let mut region = Region::new();
    let arn = region.target_group("web");
    region.group(1, |r| r.target_group_arns = vec![arn.to_string()]);
    let id = only(&region);
    for name in ["out-1", "out-2"] {
        region.call::<ops::PutLifecycleHook>(hook(name, TERMINATING)).unwrap();
    }
    region.busy = true;
    set_desired(&mut region, 0);
    assert_eq!((region.lifecycle(&id), region.told(1)[0].2), ("Terminating", "WaitingForELBConnectionDraining"));
    region.busy = false;
    region.play();
    assert_eq!((region.lifecycle(&id), region.told(1)[0].2), ("Terminating:Wait", "MidTerminatingLifecycleAction"));
    assert!(region.power_is_wished(&id));
    complete(&mut region, "out-1", &id, "CONTINUE").unwrap();
    assert_eq!(region.lifecycle(&id), "Terminating:Wait", "the other hook still holds it");
    complete(&mut region, "out-2", &id, "CONTINUE").unwrap();
    assert_eq!((region.lifecycle(&id), region.instance_state(&id)), ("gone", InstanceState::Terminated));
}

#[test]
fn abandoning_a_termination_leaves_out_the_other_hooks() {
    let mut region = Region::new();
    region.group(1, |_| {});
    let id = only(&region);
    for name in ["out-1", "out-2"] {
        region.call::<ops::PutLifecycleHook>(hook(name, TERMINATING)).unwrap();
    }
    set_desired(&mut region, 0);
    complete(&mut region, "out-1", &id, "ABANDON").unwrap();
    assert_eq!(region.lifecycle(&id), "gone");
}

#[test]
fn a_deleted_hook_abandons_launches_and_lets_terminations_go_on() {
    let mut region = held();
    let id = only(&region);
    let delete =
        |name: &str| s::DeleteLifecycleHookType { lifecycle_hook_name: name.into(), auto_scaling_group_name: "g".into() };
    region.call::<ops::DeleteLifecycleHook>(delete("in")).unwrap();
    region.play();
    region.pass(5);
    assert_eq!(region.instance_state(&id), InstanceState::Terminated);
    let next = only(&region);
    assert_eq!(region.lifecycle(&next), "InService");
    region.call::<ops::PutLifecycleHook>(hook("out", TERMINATING)).unwrap();
    set_desired(&mut region, 0);
    assert_eq!(region.lifecycle(&next), "Terminating:Wait");
    region.call::<ops::DeleteLifecycleHook>(delete("out")).unwrap();
    region.play();
    assert_eq!(region.lifecycle(&next), "gone");
    assert!(refusal(region.call::<ops::DeleteLifecycleHook>(delete("out"))).1.contains("No Lifecycle Hook found with name: out"));
}

#[test]
fn a_force_deleted_group_waits_for_no_hook() {
    let mut region = Region::new();
    region.group(2, |_| {});
    region.call::<ops::PutLifecycleHook>(hook("out", TERMINATING)).unwrap();
    set_desired(&mut region, 1);
    assert_eq!(region.members().iter().filter(|m| m.state() == "Terminating:Wait").count(), 1);
    let delete = s::DeleteAutoScalingGroupType { auto_scaling_group_name: "g".into(), force_delete: Some(true) };
    region.call::<ops::DeleteAutoScalingGroup>(delete).unwrap();
    region.play();
    assert!(region.state().get::<autoscaling::Group>(&"g".into()).is_none());
    region.group(0, |_| {});
    let of_group = s::DescribeLifecycleHooksType { auto_scaling_group_name: "g".into(), ..Default::default() };
    assert!(region.call::<ops::DescribeLifecycleHooks>(of_group).unwrap().lifecycle_hooks.is_empty());
}

#[test]
fn a_hook_tells_its_topic_what_waits() {
    let mut region = Region::new();
    let topic = region.topic();
    region.group(0, |_| {});
    let mut put = hook("in", LAUNCHING);
    put.notification_target_arn = Some(topic.clone());
    put.notification_metadata = Some("{\"k\":1}".into());
    region.call::<ops::PutLifecycleHook>(put).unwrap();
    set_desired(&mut region, 1);
    let id = only(&region);
    let messages = region.messages();
    let told: Vec<_> = messages.iter().map(|(subject, body)| (subject.as_str(), body["Event"].as_str())).collect();
    let waits = format!("Auto Scaling:  Lifecycle action 'LAUNCHING' for instance {id} in progress.");
    assert!(
        told.contains(&("Auto Scaling: test notification for group \"g\"", Some("autoscaling:TEST_NOTIFICATION"))),
        "{told:?}"
    );
    let (_, body) = messages.iter().find(|(subject, _)| *subject == waits).unwrap();
    let token = region.members()[0].actions[0].token.clone();
    let wanted = [
        ("LifecycleHookName", "in"),
        ("LifecycleTransition", LAUNCHING),
        ("AutoScalingGroupName", "g"),
        ("EC2InstanceId", id.as_str()),
        ("NotificationMetadata", "{\"k\":1}"),
        ("Service", "AWS Auto Scaling"),
        ("Origin", "EC2"),
        ("Destination", "AutoScalingGroup"),
        ("LifecycleActionToken", &token),
    ];
    for (name, value) in wanted {
        assert_eq!(body[name], value, "{body}");
    }
    let mut put = hook("other", LAUNCHING);
    put.notification_target_arn = Some(topic.replace(":t", ":nothing"));
    assert!(
        refusal(region.call::<ops::PutLifecycleHook>(put)).1.starts_with("Unable to publish test message to notification target")
    );
}

#[test]
fn bad_hooks_are_refused() {
    let mut region = Region::new();
    region.call::<ops::CreateAutoScalingGroup>(request(0)).unwrap();
    let check = |region: &mut Region, change: &dyn Fn(&mut s::PutLifecycleHookType), expected: &str| {
        let mut put = hook("h", LAUNCHING);
        change(&mut put);
        let (code, text) = refusal(region.call::<ops::PutLifecycleHook>(put));
        assert!(code == "ValidationError" && text.contains(expected), "{code} {text}");
    };
    check(&mut region, &|h| h.lifecycle_transition = None, "LifecycleTransition is required");
    check(&mut region, &|h| h.lifecycle_transition = Some("x".into()), "is not valid");
    check(&mut region, &|h| h.heartbeat_timeout = Some(29), "30 to 7200");
    check(&mut region, &|h| h.heartbeat_timeout = Some(7_201), "30 to 7200");
    check(&mut region, &|h| h.default_result = Some("GO".into()), "CONTINUE or ABANDON");
    check(&mut region, &|h| h.lifecycle_hook_name = "a b".into(), "regular expression");
    check(&mut region, &|h| h.auto_scaling_group_name = "x".into(), "not found");
    check(&mut region, &|h| h.notification_target_arn = Some("arn:aws:sqs:x:1:q".into()), "not supported");
    for index in 0..50 {
        region.call::<ops::PutLifecycleHook>(hook(&format!("h{index}"), LAUNCHING)).unwrap();
    }
    assert_eq!(refusal(region.call::<ops::PutLifecycleHook>(hook("more", LAUNCHING))).0, "LimitExceeded");
    let of_group = s::DescribeLifecycleHooksType { auto_scaling_group_name: "g".into(), lifecycle_hook_names: vec!["h1".into()] };
    let shown = region.call::<ops::DescribeLifecycleHooks>(of_group).unwrap().lifecycle_hooks.pop().unwrap();
    assert_eq!(
        (shown.global_timeout, shown.heartbeat_timeout, shown.default_result.as_deref()),
        (Some(6_000), Some(60), Some("ABANDON"))
    );
}
