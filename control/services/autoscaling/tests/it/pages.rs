//! Listings of several groups come to an end, page by page, whatever the groups' names are.

use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::Region;

/// Group names of which one begins with the other: `-` is before `/`.
const GROUPS: [&str; 2] = ["web", "web-1"];

fn region() -> Region {
    let mut region = Region::new();
    for name in GROUPS {
        region.group(0, |r| r.auto_scaling_group_name = name.into());
    }
    region
}

/// All that the pages have, each of them with one item.
fn all(mut page: impl FnMut(Option<String>) -> (Vec<String>, Option<String>)) -> Vec<String> {
    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..5 {
        let (items, next) = page(token);
        found.extend(items);
        match next {
            None => return found,
            next => token = next,
        }
    }
    panic!("the pages do not come to an end: {found:?}");
}

#[test]
fn policies_of_all_groups_come_once() {
    let mut region = region();
    for group in GROUPS {
        let put = s::PutScalingPolicyType {
            auto_scaling_group_name: group.into(),
            policy_name: "p".into(),
            adjustment_type: Some("ChangeInCapacity".into()),
            scaling_adjustment: Some(1),
            ..Default::default()
        };
        region.call::<ops::PutScalingPolicy>(put).unwrap();
    }
    let found = all(|next_token| {
        let input = s::DescribePoliciesType { max_records: Some(1), next_token, ..Default::default() };
        let page = region.call::<ops::DescribePolicies>(input).unwrap();
        (page.scaling_policies.into_iter().filter_map(|p| p.auto_scaling_group_name).collect(), page.next_token)
    });
    assert_eq!(found, GROUPS);
}

#[test]
fn scheduled_actions_of_all_groups_come_once() {
    let mut region = region();
    for group in GROUPS {
        let put = s::PutScheduledUpdateGroupActionType {
            auto_scaling_group_name: group.into(),
            scheduled_action_name: "a".into(),
            recurrence: Some("0 0 * * *".into()),
            min_size: Some(0),
            ..Default::default()
        };
        region.call::<ops::PutScheduledUpdateGroupAction>(put).unwrap();
    }
    let found = all(|next_token| {
        let input = s::DescribeScheduledActionsType { max_records: Some(1), next_token, ..Default::default() };
        let page = region.call::<ops::DescribeScheduledActions>(input).unwrap();
        let actions = page.scheduled_update_group_actions.into_iter();
        (actions.filter_map(|a| a.auto_scaling_group_name).collect(), page.next_token)
    });
    assert_eq!(found, GROUPS);
}

#[test]
fn notifications_of_all_groups_come_once() {
    let mut region = region();
    let topic = region.topic();
    for group in GROUPS {
        let put = s::PutNotificationConfigurationType {
            auto_scaling_group_name: group.into(),
            topic_arn: topic.clone(),
            notification_types: vec!["autoscaling:EC2_INSTANCE_LAUNCH".into(), "autoscaling:EC2_INSTANCE_TERMINATE".into()],
        };
        region.call::<ops::PutNotificationConfiguration>(put).unwrap();
    }
    let found = all(|next_token| {
        let input = s::DescribeNotificationConfigurationsType { max_records: Some(1), next_token, ..Default::default() };
        let page = region.call::<ops::DescribeNotificationConfigurations>(input).unwrap();
        let all = page.notification_configurations.into_iter();
        (all.filter_map(|n| n.auto_scaling_group_name).collect(), page.next_token)
    });
    assert_eq!(found, ["web", "web", "web-1", "web-1"]);
}
