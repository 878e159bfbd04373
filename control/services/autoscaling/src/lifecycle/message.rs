//! What a hook's target is told, in AWS's JSON ("Prepare to add a lifecycle hook", notification targets).

use base::GroupName;
use kernel::{Cx, Tx};
use serde_json::{Map, Value as Json};

use super::actions::LifecycleAction;
use super::hook::{LifecycleHook, Transition};
use crate::error::Error;
use crate::group::Group;
use crate::member::Member;

const SERVICE: &str = "AWS Auto Scaling";

/// Where an instance comes from and where it goes.
pub(crate) fn route(member: &Member) -> (&'static str, &'static str) {
    let (ending, warm) = (member.lifecycle.is_ending(), member.lifecycle.is_warm());
    match (ending, warm, member.pooled) {
        (false, true, _) => ("EC2", "WarmPool"),
        (false, false, true) => ("WarmPool", "AutoScalingGroup"),
        (false, false, false) => ("EC2", "AutoScalingGroup"),
        (true, true, _) => ("WarmPool", "EC2"),
        (true, false, true) => ("AutoScalingGroup", "WarmPool"),
        (true, false, false) => ("AutoScalingGroup", "EC2"),
    }
}

/// The members that all messages have.
pub(crate) fn envelope(cx: &Cx, group: &GroupName) -> Map<String, Json> {
    let mut map = Map::new();
    map.insert("AccountId".into(), cx.scope.account.to_string().into());
    map.insert("RequestId".into(), cx.rng().uuid().into());
    map.insert("AutoScalingGroupName".into(), group.as_str().into());
    map.insert("Service".into(), SERVICE.into());
    map.insert("Time".into(), cx.now.iso8601_ms().into());
    map
}

/// A subject as SNS takes it: 100 characters at most.
pub(crate) fn subject(text: String) -> Option<String> {
    const CHARS_MAX: usize = 100;
    Some(text.chars().take(CHARS_MAX).collect())
}

/// A test that a hook's or a notification's target exists and takes messages.
pub(crate) fn test(tx: &mut Tx, cx: &Cx, group: &GroupName, target: &str) -> Result<(), Error> {
    let mut map = envelope(cx, group);
    if let Some(row) = tx.get::<Group>(group) {
        map.insert("AutoScalingGroupARN".into(), row.arn.clone().into());
    }
    map.insert("Event".into(), "autoscaling:TEST_NOTIFICATION".into());
    let subject = format!("Auto Scaling: test notification for group \"{group}\"");
    let message = sns::Message { subject: self::subject(subject), body: Json::Object(map).to_string() };
    sns::publish(tx, cx, target, message).map_err(|fault| {
        Error::Invalid(format!(
            "Unable to publish test message to notification target {target}. Please check your target and role configuration and try again. ({})",
            fault.message
        ))
    })
}

/// Tells a hook's target that an instance waits. A target that is gone changes nothing: the hook ends with its time.
pub(crate) fn tell_hook(tx: &mut Tx, cx: &Cx, hook: &LifecycleHook, action: &LifecycleAction, member: &Member) {
    let Some(target) = &hook.target else { return };
    let (origin, destination) = route(member);
    let mut map = envelope(cx, &hook.key.0);
    let mut put = |name: &str, value: &str| map.insert(name.into(), value.into());
    put("LifecycleHookName", &action.hook);
    put("LifecycleActionToken", &action.token);
    put("LifecycleTransition", hook.transition.as_str());
    put("EC2InstanceId", &member.instance);
    put("Origin", origin);
    put("Destination", destination);
    if let Some(metadata) = &hook.metadata {
        put("NotificationMetadata", metadata);
    }
    let verb = match hook.transition {
        Transition::Launching => "LAUNCHING",
        Transition::Terminating => "TERMINATING",
    };
    let subject = format!("Auto Scaling:  Lifecycle action '{verb}' for instance {} in progress.", member.instance);
    let message = sns::Message { subject: self::subject(subject), body: Json::Object(map).to_string() };
    let _ = tx.attempt(|tx| sns::publish(tx, cx, target, message));
}
