//! What topics hear of a group.

use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::{Region, refusal};

fn put(topic: &str, types: &[&str]) -> s::PutNotificationConfigurationType {
    s::PutNotificationConfigurationType {
        auto_scaling_group_name: "g".into(),
        topic_arn: topic.into(),
        notification_types: types.iter().map(|t| t.to_string()).collect(),
    }
}

#[test]
fn a_topic_hears_of_launches_and_terminations_in_the_words_of_aws() {
    let mut region = Region::new();
    let topic = region.topic();
    region.group(0, |_| {});
    let types = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"];
    region.call::<ops::PutNotificationConfiguration>(put(&topic, &types)).unwrap();
    for desired_capacity in [1, 0] {
        region.pass(1);
        let input = s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity, ..Default::default() };
        region.call::<ops::SetDesiredCapacity>(input).unwrap();
        region.play();
    }
    let messages = region.messages();
    let subjects: Vec<_> = messages.iter().map(|(subject, _)| subject.as_str()).collect();
    let wanted = ["test notification", "launch", "termination"].map(|w| format!("Auto Scaling: {w} for group \"g\""));
    assert_eq!(subjects, wanted);
    let launch = &messages[1].1;
    let id = launch["EC2InstanceId"].as_str().unwrap();
    for (name, value) in [
        ("Event", "autoscaling:EC2_INSTANCE_LAUNCH"),
        ("Description", &*format!("Launching a new EC2 instance: {id}")),
        ("StatusCode", "Successful"),
        ("Service", "AWS Auto Scaling"),
        ("AutoScalingGroupName", "g"),
        ("AutoScalingGroupARN", &region.row().arn),
        ("ActivityId", &region.activities()[0].id),
    ] {
        assert_eq!(launch[name], value, "{launch}");
    }
    assert!(launch["Cause"].as_str().unwrap().contains("changing the desired capacity from 0 to 1."));
    assert!(launch["Details"]["Availability Zone"].is_string());
    assert_eq!(messages[2].1["Event"], "autoscaling:EC2_INSTANCE_TERMINATE");
}

#[test]
fn a_failed_launch_is_told() {
    let mut region = Region::new();
    let topic = region.topic();
    region.group(0, |_| {});
    region.call::<ops::PutNotificationConfiguration>(put(&topic, &["autoscaling:EC2_INSTANCE_LAUNCH_ERROR"])).unwrap();
    region.broken = Some("no room".into());
    let input = s::SetDesiredCapacityType { auto_scaling_group_name: "g".into(), desired_capacity: 1, ..Default::default() };
    region.call::<ops::SetDesiredCapacity>(input).unwrap();
    region.play();
    let messages = region.messages();
    let (_, body) = messages.iter().find(|(s, _)| s == "Auto Scaling: failed launch for group \"g\"").unwrap();
    assert!(body["StatusMessage"].as_str().unwrap().contains("Termination Reason"), "{body}");
    assert_eq!((&body["StatusCode"], &body["Event"]), (&"Failed".into(), &"autoscaling:EC2_INSTANCE_LAUNCH_ERROR".into()));
}

#[test]
fn configurations_are_listed_replaced_and_deleted() {
    let mut region = Region::new();
    let topic = region.topic();
    region.group(0, |_| {});
    let (code, text) = refusal(region.call::<ops::PutNotificationConfiguration>(put(&topic, &["autoscaling:DANCE"])));
    assert_eq!((code.as_str(), text.as_str()), ("ValidationError", "\"autoscaling:DANCE\" is not a valid Notification Type"));
    let nothing = topic.replace(":t", ":nothing");
    assert!(region.call::<ops::PutNotificationConfiguration>(put(&nothing, &["autoscaling:TEST_NOTIFICATION"])).is_err());
    for types in
        [&["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"][..], &["autoscaling:EC2_INSTANCE_LAUNCH"]]
    {
        region.call::<ops::PutNotificationConfiguration>(put(&topic, types)).unwrap();
        let shown = region.call::<ops::DescribeNotificationConfigurations>(Default::default()).unwrap();
        assert_eq!(shown.notification_configurations.len(), types.len());
    }
    let delete = s::DeleteNotificationConfigurationType { auto_scaling_group_name: "g".into(), topic_arn: topic };
    region.call::<ops::DeleteNotificationConfiguration>(delete).unwrap();
    let shown = region.call::<ops::DescribeNotificationConfigurations>(Default::default()).unwrap();
    assert!(shown.notification_configurations.is_empty());
    let types = region.call::<ops::DescribeAutoScalingNotificationTypes>(()).unwrap().auto_scaling_notification_types;
    assert_eq!(types.len(), 5);
}
