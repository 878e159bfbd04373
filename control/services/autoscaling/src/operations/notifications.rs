//! Notification configurations.

use std::collections::BTreeSet;

use base::{Fault, GroupName};
use kernel::{Cx, Tx};
use shapes::autoscaling as s;

use super::{cut, short_name};
use crate::notifications::{self, Event, Notification};
use crate::transitions::find_group;

pub(crate) fn put(tx: &mut Tx, cx: &Cx, input: s::PutNotificationConfigurationType) -> Result<(), Fault> {
    let (group, topic) = (&input.auto_scaling_group_name, &input.topic_arn);
    notifications::put_notification(tx, cx, group, topic, &input.notification_types)?;
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteNotificationConfigurationType) -> Result<(), Fault> {
    notifications::delete_notification(tx, &input.auto_scaling_group_name, &input.topic_arn)?;
    Ok(())
}

pub(crate) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeNotificationConfigurationsType,
) -> Result<s::DescribeNotificationConfigurationsAnswer, Fault> {
    for name in &input.auto_scaling_group_names {
        find_group(tx, name)?;
    }
    let named: BTreeSet<GroupName> = input.auto_scaling_group_names.iter().map(|n| short_name(n)).collect();
    let kept = tx.rows::<Notification>().filter(|n| named.is_empty() || named.contains(&n.key.0));
    let all = kept.flat_map(|n| n.events.iter().map(move |event| (n, *event)));
    let order = |(n, event): &(&Notification, Event)| format!("{}\0{}\0{}", n.key.0, n.key.1, event.as_str());
    let page = cut(all, order, input.next_token.as_deref(), input.max_records)?;
    let answer = |(n, event): (&Notification, Event)| s::NotificationConfiguration {
        auto_scaling_group_name: Some(n.key.0.to_string()),
        topic_arn: Some(n.key.1.clone()),
        notification_type: Some(event.as_str().into()),
    };
    Ok(s::DescribeNotificationConfigurationsAnswer {
        notification_configurations: page.items.into_iter().map(answer).collect(),
        next_token: page.next_token,
    })
}

pub(crate) fn describe_types(_: &mut Tx, _: &Cx, (): ()) -> Result<s::DescribeAutoScalingNotificationTypesAnswer, Fault> {
    let auto_scaling_notification_types = Event::ALL.into_iter().map(|e| e.as_str().into()).collect();
    Ok(s::DescribeAutoScalingNotificationTypesAnswer { auto_scaling_notification_types })
}
