//! What a group tells topics of: launches, terminations and failures ("Amazon SNS notification options for Amazon EC2 Auto
//! Scaling"). It owns which topic hears what; SNS owns topics and messages.

use std::collections::BTreeSet;
use std::fmt;

use base::GroupName;
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::activity::{Activity, ActivityKey};
use crate::error::Error;
use crate::group::Group;
use crate::lifecycle::message;
use crate::member::Member;
use crate::transitions::find_group;

/// "Quotas for Amazon EC2 Auto Scaling": SNS topics a group.
const TOPICS_MAX: usize = 10;

/// What one topic hears of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    pub key: NotificationKey,
    pub events: BTreeSet<Event>,
}

/// Group and ARN of the topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotificationKey(pub GroupName, pub String);

impl fmt::Display for NotificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl Row for Notification {
    const TABLE: &'static str = "autoscaling.notification";
    type Key = NotificationKey;

    fn key(&self) -> NotificationKey {
        self.key.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.key.0);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Event {
    Launch,
    LaunchError,
    Terminate,
    TerminateError,
    Test,
}

impl Event {
    pub const ALL: [Event; 5] = [Event::Launch, Event::LaunchError, Event::Terminate, Event::TerminateError, Event::Test];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "autoscaling:EC2_INSTANCE_LAUNCH",
            Self::LaunchError => "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
            Self::Terminate => "autoscaling:EC2_INSTANCE_TERMINATE",
            Self::TerminateError => "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
            Self::Test => "autoscaling:TEST_NOTIFICATION",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|e| e.as_str() == text);
        found.ok_or_else(|| Error::Invalid(format!("\"{text}\" is not a valid Notification Type")))
    }

    fn subject(self, group: &GroupName) -> String {
        let what = match self {
            Self::Launch => "launch",
            Self::LaunchError => "failed launch",
            Self::Terminate => "termination",
            Self::TerminateError => "failed termination",
            Self::Test => "test notification",
        };
        format!("Auto Scaling: {what} for group \"{group}\"")
    }
}

/// Says what a topic hears of a group, in place of what it heard; it gets a test message ("PutNotificationConfiguration").
pub fn put_notification(tx: &mut Tx, cx: &Cx, group: &str, topic: &str, events: &[String]) -> Result<(), Error> {
    let group = find_group(tx, group)?.name.clone();
    if events.is_empty() {
        return Err(Error::Invalid("At least one notification type must be specified.".into()));
    }
    let events = events.iter().map(|e| Event::parse(e)).collect::<Result<BTreeSet<_>, _>>()?;
    let key = NotificationKey(group.clone(), topic.into());
    let others = tx.rows_where::<Notification>("group", &group).filter(|n| n.key != key).count();
    if others >= TOPICS_MAX {
        return Err(Error::LimitExceeded(format!("At most {TOPICS_MAX} SNS topics can be notified of an AutoScalingGroup.")));
    }
    message::test(tx, cx, &group, topic)?;
    tx.put(Notification { key, events });
    Ok(())
}

/// A topic hears no more of a group.
pub fn delete_notification(tx: &mut Tx, group: &str, topic: &str) -> Result<(), Error> {
    let group = find_group(tx, group)?.name.clone();
    tx.remove::<Notification>(&NotificationKey(group, topic.into()));
    Ok(())
}

/// What topics hear of a group.
pub fn of_group<'a>(state: &'a State, group: &GroupName) -> impl Iterator<Item = &'a Notification> {
    state.rows_where::<Notification>("group", group)
}

/// Tells the topics that want to know what became of an activity. A topic that is gone hears nothing.
pub(crate) fn tell(tx: &mut Tx, cx: &Cx, key: &ActivityKey, event: Event, member: Option<&Member>) {
    let topics: Vec<String> = of_group(tx, &key.0).filter(|n| n.events.contains(&event)).map(|n| n.key.1.clone()).collect();
    if topics.is_empty() {
        return;
    }
    let Some(activity) = tx.get::<Activity>(key).cloned() else { return };
    let arn = tx.get::<Group>(&key.0).map(|g| g.arn.clone()).unwrap_or_default();
    let (origin, destination) = member.map_or(("EC2", "AutoScalingGroup"), message::route);
    for topic in topics {
        let mut map = message::envelope(cx, &key.0);
        let mut put = |name: &str, value: Json| map.insert(name.into(), value);
        put("AutoScalingGroupARN", arn.clone().into());
        put("Event", event.as_str().into());
        put("ActivityId", activity.id.clone().into());
        put("Description", activity.description.clone().into());
        put("Cause", activity.cause.clone().into());
        put("StartTime", activity.started_at.iso8601_ms().into());
        put("EndTime", activity.ended_at.unwrap_or(cx.now).iso8601_ms().into());
        put("StatusCode", activity.status.as_str().into());
        put("StatusMessage", activity.message.clone().unwrap_or_default().into());
        put("Progress", activity.status.progress().into());
        put("EC2InstanceId", member.map(|m| m.instance.to_string()).unwrap_or_default().into());
        put("Details", serde_json::from_str(&activity.details).unwrap_or_default());
        put("Origin", origin.into());
        put("Destination", destination.into());
        let message = sns::Message { subject: message::subject(event.subject(&key.0)), body: Json::Object(map).to_string() };
        let _ = tx.attempt(|tx| sns::publish(tx, cx, &topic, message));
    }
}
