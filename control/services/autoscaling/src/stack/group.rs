//! `AWS::AutoScaling::AutoScalingGroup`: a group as part of a stack. It is made when its instances run, and gone when
//! the last of them is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{Fault, GroupName, TargetGroupArn};
use kernel::{Cx, Progress, ResourceRequest, StackResource, State, Tx};
use serde::Deserialize;
use serde_json::Value as Json;
use shapes::autoscaling as s;

use super::parts::Parts;
use crate::error::Error;
use crate::group::{Group, GroupTag, HealthCheck, Process, TerminationPolicy};
use crate::group_metrics;
use crate::member::{Lifecycle, Member};
use crate::operations::{groups, traffic};
use crate::rolling::{self, Outcome, Pause, Policy, RollingUpdate};
use crate::transitions::{self, Change, Deletion};

const NAME_CHARS_MAX: usize = 255;
/// So many failed launches without a success fail the stack's resource. AWS gives up after a time instead.
const LAUNCH_FAILURES_MAX: u32 = rolling::LAUNCH_FAILURES_MAX;
/// Longest `PauseTime`.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// AWS's default of `Cooldown`, in seconds.
const COOLDOWN_S: u32 = 300;

pub(super) struct AutoScalingGroup;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Properties {
    auto_scaling_group_name: Option<String>,
    availability_zones: Vec<String>,
    capacity_rebalance: bool,
    context: Option<String>,
    cooldown: Option<u32>,
    default_instance_warmup: Option<i64>,
    desired_capacity: Option<u32>,
    health_check_grace_period: u32,
    health_check_type: Option<String>,
    launch_template: Option<Template>,
    launch_configuration_name: Option<String>,
    max_instance_lifetime: Option<u32>,
    max_size: u32,
    metrics_collection: Vec<Collection>,
    min_size: u32,
    new_instances_protected_from_scale_in: bool,
    #[serde(rename = "ServiceLinkedRoleARN")]
    service_linked_role: Option<String>,
    tags: Vec<Tag>,
    #[serde(rename = "TargetGroupARNs")]
    target_groups: Vec<String>,
    termination_policies: Vec<String>,
    traffic_sources: Vec<TrafficSource>,
    #[serde(rename = "VPCZoneIdentifier")]
    subnets: Vec<String>,
    #[serde(flatten)]
    parts: Parts,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    version: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
    propagate_at_launch: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrafficSource {
    identifier: String,
    r#type: Option<String>,
}

/// Metrics of the group's sizes; none named means all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Collection {
    granularity: String,
    #[serde(default)]
    metrics: Vec<String>,
}

fn collect(tx: &mut Tx, name: &str, collections: &[Collection]) -> Result<(), Error> {
    collections.iter().try_for_each(|c| group_metrics::enable(tx, name, &c.metrics, &c.granularity))
}

impl Properties {
    fn of(json: &Json) -> Result<Self, Error> {
        serde_json::from_value(json.clone()).map_err(|e| Error::Invalid(format!("Properties validation failed: {e}")))
    }

    /// Everything said, with AWS's defaults for what is not; the capacity stays when it is not said.
    fn change(&self) -> Result<Change, Error> {
        let template = self.launch_template.clone().map(|t| s::LaunchTemplateSpecification {
            launch_template_id: t.launch_template_id,
            launch_template_name: t.launch_template_name,
            version: Some(t.version),
        });
        let health_check = self.health_check_type.as_deref().map(groups::health_check).transpose()?;
        let policies = groups::policies(&self.termination_policies)?;
        Ok(Change {
            template: template.map(groups::template).transpose()?,
            configuration: self.launch_configuration_name.clone(),
            max_instance_lifetime_s: Some(self.max_instance_lifetime.unwrap_or(0)),
            min_size: Some(self.min_size),
            max_size: Some(self.max_size),
            desired_capacity: self.desired_capacity,
            default_cooldown_s: Some(self.cooldown.unwrap_or(COOLDOWN_S)),
            zones: (!self.availability_zones.is_empty()).then(|| self.availability_zones.clone()),
            subnets: (!self.subnets.is_empty()).then(|| groups::subnets(&self.subnets.join(","))),
            health_check: Some(health_check.unwrap_or(HealthCheck::Ec2)),
            grace_s: Some(self.health_check_grace_period),
            termination_policies: Some(policies.unwrap_or_else(|| vec![TerminationPolicy::Default])),
            protects_new: Some(self.new_instances_protected_from_scale_in),
            capacity_rebalance: Some(self.capacity_rebalance),
            context: Some(self.context.clone().unwrap_or_default()),
            default_instance_warmup_s: Some(groups::warmup(self.default_instance_warmup)?.flatten()),
            maintenance: Some(self.parts.maintenance()?),
            service_linked_role: Some(self.service_linked_role.clone().unwrap_or_default()),
        })
    }

    /// Target groups, under either name of the property.
    fn target_groups(&self) -> Result<Vec<TargetGroupArn>, Error> {
        let shape = |t: &TrafficSource| s::TrafficSourceIdentifier { identifier: t.identifier.clone(), r#type: t.r#type.clone() };
        let mut all: Vec<TargetGroupArn> = self.target_groups.iter().map(|t| t.as_str().into()).collect();
        all.extend(traffic::target_groups(self.traffic_sources.iter().map(shape).collect())?);
        Ok(all)
    }

    /// The group's own tags and the stack's; those go to instances too, as at AWS.
    fn tags(&self, request: &ResourceRequest) -> BTreeMap<String, GroupTag> {
        let of_stack = request.tags.iter().map(|(key, value)| (key.clone(), tag(value, true)));
        let own = self.tags.iter().map(|t| (t.key.clone(), tag(&t.value, t.propagate_at_launch)));
        of_stack.chain(own).collect()
    }
}

fn tag(value: &str, propagate_at_launch: bool) -> GroupTag {
    GroupTag { value: value.into(), propagate_at_launch }
}

impl StackResource for AutoScalingGroup {
    fn type_name(&self) -> &'static str {
        "AWS::AutoScaling::AutoScalingGroup"
    }

    fn schema(&self) -> &'static str {
        include_str!("auto_scaling_group.schema")
    }

    fn create(&self, tx: &mut Tx, cx: &Cx, request: &ResourceRequest) -> Result<String, Fault> {
        let properties = Properties::of(request.properties)?;
        let name = properties.auto_scaling_group_name.clone().unwrap_or_else(|| request.physical_name(cx, NAME_CHARS_MAX));
        let (change, tags) = (properties.change()?, properties.tags(request));
        let name = transitions::create_group(tx, cx, &name, change, properties.target_groups()?, tags)?;
        collect(tx, &name, &properties.metrics_collection)?;
        properties.parts.put(tx, cx, &name, &Parts::default())?;
        Ok(name.into())
    }

    /// Ready once as many instances as wanted are in service.
    fn progress(&self, state: &State, _: &Cx, physical_id: &str, _: &ResourceRequest) -> Progress {
        let Some(group) = state.get::<Group>(&physical_id.into()).filter(|g| !g.deleting) else {
            return Progress::Failed(format!("The Auto Scaling group {physical_id} is gone"));
        };
        match state.get::<RollingUpdate>(&group.name).map(|u| &u.outcome) {
            Some(None) => return Progress::Pending,
            Some(Some(Outcome::Failed(reason))) => return Progress::Failed(reason.clone()),
            Some(Some(Outcome::Done)) | None => {}
        }
        let members = state.rows_where::<Member>("group", &group.name);
        let current = members.filter(|m| m.lifecycle == Lifecycle::InService).count();
        match &group.last_failure {
            _ if current >= group.desired_capacity as usize => Progress::Ready,
            Some(failure) if group.failures >= LAUNCH_FAILURES_MAX => Progress::Failed(format!(
                "Group did not stabilize. {{current/minimum/maximum group size: {current}/{}/{}}}. Failed Scaling Activity: {failure}",
                group.min_size, group.max_size
            )),
            _ => Progress::Pending,
        }
    }

    fn update(&self, tx: &mut Tx, cx: &Cx, physical_id: &str, old: &Json, request: &ResourceRequest) -> Result<(), Fault> {
        let (before, after) = (Properties::of(old)?, Properties::of(request.properties)?);
        let mut change = after.change()?;
        // A template that is the same would forgive zones their failed launches.
        if before.launch_template == after.launch_template {
            change.template = None;
        }
        if before.launch_configuration_name == after.launch_configuration_name {
            change.configuration = None;
        }
        if (&before.subnets, &before.availability_zones) == (&after.subnets, &after.availability_zones) {
            (change.zones, change.subnets) = (None, None);
        }
        leave_sizes(&mut change, &before, &after, request.update_policy);
        transitions::update_group(tx, cx, physical_id, change)?;
        self.update_target_groups(tx, physical_id, &before, &after)?;
        let name = GroupName::from(physical_id);
        tx.update::<Group>(&name, |g| {
            g.tags.retain(|key, _| !before.tags.iter().any(|t| t.key == *key) && !request.had_of_stack(key));
            // Launches that failed before it are not the update's.
            (g.failures, g.last_failure) = (0, None);
        });
        transitions::set_tags(tx, &name, after.tags(request))?;
        if before.metrics_collection != after.metrics_collection {
            group_metrics::disable(tx, &name, &[])?;
            collect(tx, &name, &after.metrics_collection)?;
        }
        after.parts.put(tx, cx, &name, &before.parts)?;
        match rolling_policy(request.update_policy)? {
            Some(policy) => rolling::start(tx, cx, &name, policy)?,
            None => rolling::forget(tx, &name),
        }
        Ok(())
    }

    fn replaces(&self, _: &State, old: &Json, request: &ResourceRequest) -> bool {
        let (Ok(before), Ok(after)) = (Properties::of(old), Properties::of(request.properties)) else { return false };
        // "UpdatePolicy attribute", AutoScalingReplacingUpdate: what makes instances obsolete replaces the group.
        let touched = before.launch_template != after.launch_template
            || before.launch_configuration_name != after.launch_configuration_name
            || before.subnets != after.subnets;
        let will = |p: &Json| p.pointer("/AutoScalingReplacingUpdate/WillReplace").is_some_and(is_true);
        touched && request.update_policy.is_some_and(will)
    }

    fn take_notes(&self, tx: &mut Tx, _: &Cx, physical_id: &str) -> Vec<String> {
        rolling::take_notes(tx, &physical_id.into())
    }

    fn signal(&self, tx: &mut Tx, _: &Cx, physical_id: &str, unique_id: &str, success: bool) -> Result<bool, Fault> {
        Ok(rolling::signal(tx, &physical_id.into(), unique_id, success)?)
    }

    fn delete(&self, tx: &mut Tx, cx: &Cx, physical_id: &str) -> Result<Progress, Fault> {
        let name = GroupName::from(physical_id);
        if tx.get::<Group>(&name).is_some_and(|g| !g.deleting) {
            transitions::delete_group(tx, cx, physical_id, Deletion::Drain)?;
        }
        Ok(if tx.get::<Group>(&name).is_some() { Progress::Pending } else { Progress::Ready })
    }

    fn attribute(&self, state: &State, _: &Cx, physical_id: &str, name: &str) -> Result<Json, Fault> {
        let group = transitions::find_group(state, physical_id)?;
        match name {
            "AutoScalingGroupARN" => Ok(group.arn.clone().into()),
            other => Err(Error::Invalid(format!("An Auto Scaling group has no attribute {other}")).into()),
        }
    }
}

impl AutoScalingGroup {
    fn update_target_groups(&self, tx: &mut Tx, name: &str, before: &Properties, after: &Properties) -> Result<(), Error> {
        let (before, after) = (before.target_groups()?, after.target_groups()?);
        // What a user has detached meanwhile is detached.
        let attached: BTreeSet<_> = transitions::find_group(tx, name)?.target_groups.iter().cloned().collect();
        let leaves = |t: &&TargetGroupArn| !after.contains(t) && attached.contains(*t);
        let removed: Vec<_> = before.iter().filter(leaves).cloned().collect();
        let added: Vec<_> = after.iter().filter(|t| !before.contains(t)).cloned().collect();
        transitions::detach_target_groups(tx, name, &removed)?;
        transitions::attach_target_groups(tx, name, &added)
    }
}

/// Without a policy, running instances stay as they are ("UpdatePolicy attribute"); WillReplace takes precedence.
fn rolling_policy(policy: Option<&Json>) -> Result<Option<Policy>, Error> {
    let Some(policy) = policy.filter(|p| !p.pointer("/AutoScalingReplacingUpdate/WillReplace").is_some_and(is_true)) else {
        return Ok(None);
    };
    let Some(rolling) = policy.get("AutoScalingRollingUpdate") else { return Ok(None) };
    let number = |name: &str, default: u32| {
        let value = rolling.get(name).and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
        value.and_then(|v| u32::try_from(v).ok()).unwrap_or(default)
    };
    let signals = rolling.get("WaitOnResourceSignals").is_some_and(is_true);
    // "PauseTime": five minutes where signals are waited for, else none; one hour at most.
    let text = rolling.get("PauseTime").and_then(Json::as_str).unwrap_or(if signals { "PT5M" } else { "PT0S" });
    let time = base::parse_iso8601_duration(text).filter(|t| *t <= PAUSE_MAX);
    let time =
        time.ok_or_else(|| Error::Invalid(format!("PauseTime must be a duration such as PT5M, at most PT1H, not '{text}'.")))?;
    let names = rolling.get("SuspendProcesses").and_then(Json::as_array);
    let suspends = names
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .map(|name| Process::parse(name).ok_or_else(|| Error::Invalid(format!("Invalid scaling process: {name}"))));
    Ok(Some(Policy {
        batch_max: number("MaxBatchSize", 1).max(1),
        min_in_service: number("MinInstancesInService", 0),
        min_active_percent: number("MinActiveInstancesPercent", 100),
        min_successful_percent: number("MinSuccessfulInstancesPercent", 100),
        pause: Pause { time, text: text.into(), signals },
        suspends: suspends.collect::<Result<_, _>>()?,
    }))
}

/// `AutoScalingScheduledAction` with `IgnoreUnmodifiedGroupSizeProperties`: a size that the template does not change
/// stays as it is now.
fn leave_sizes(change: &mut Change, before: &Properties, after: &Properties, policy: Option<&Json>) {
    let path = "/AutoScalingScheduledAction/IgnoreUnmodifiedGroupSizeProperties";
    if !policy.and_then(|p| p.pointer(path)).is_some_and(is_true) {
        return;
    }
    if before.min_size == after.min_size {
        change.min_size = None;
    }
    if before.max_size == after.max_size {
        change.max_size = None;
    }
    if before.desired_capacity == after.desired_capacity {
        change.desired_capacity = None;
    }
}

fn is_true(json: &Json) -> bool {
    json.as_bool().or(json.as_str().map(|t| t == "true")) == Some(true)
}
