//! Groups, their instances and their activities as AWS shows them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use base::{Fault, GroupName};
use kernel::{Cx, State, Tx};
use shapes::autoscaling as s;

use super::{cut, short_name, tags};
use crate::activity::Activity;
use crate::error::Error;
use crate::group::{GROUPS_MAX, Group, Process, TerminationPolicy};
use crate::launch_configuration::{CONFIGURATIONS_MAX, LaunchConfiguration};
use crate::member::Member;
use crate::transitions::find_group;
use crate::warm_pool::{self, WarmPool};

pub(crate) fn groups(tx: &mut Tx, _: &Cx, input: s::AutoScalingGroupNamesType) -> Result<s::AutoScalingGroupsType, Fault> {
    let named: BTreeSet<GroupName> = input.auto_scaling_group_names.iter().map(|n| short_name(n)).collect();
    check_filters(&input.filters)?;
    let kept = tx
        .rows::<Group>()
        .filter(|g| named.is_empty() || named.contains(&g.name))
        .filter(|g| input.filters.iter().all(|f| matches_tag(g, f)));
    let page = cut(kept, |g| g.name.to_string(), input.next_token.as_deref(), input.max_records)?;
    let with_instances = input.include_instances.unwrap_or(true);
    let auto_scaling_groups = page.items.into_iter().map(|g| group_answer(tx, g, with_instances)).collect();
    Ok(s::AutoScalingGroupsType { auto_scaling_groups, next_token: page.next_token })
}

fn check_filters(filters: &[s::Filter]) -> Result<(), Error> {
    let known = |name: &str| matches!(name, "tag-key" | "tag-value") || name.starts_with("tag:");
    match filters.iter().map(|f| f.name.as_deref().unwrap_or_default()).find(|n| !known(n)) {
        None => Ok(()),
        Some(name) => Err(Error::Invalid(format!(
            "Filter type {name} is not correct. Allowed filter types are: tag-key tag-value tag:<key>"
        ))),
    }
}

fn matches_tag(group: &Group, filter: &s::Filter) -> bool {
    let has = |text: &str| filter.values.iter().any(|v| v == text);
    match filter.name.as_deref().unwrap_or_default() {
        "tag-key" => group.tags.keys().any(|k| has(k)),
        "tag-value" => group.tags.values().any(|t| has(&t.value)),
        name => name.strip_prefix("tag:").and_then(|key| group.tags.get(key)).is_some_and(|t| has(&t.value)),
    }
}

fn group_answer(state: &State, group: &Group, with_instances: bool) -> s::AutoScalingGroup {
    // The warm pool's instances are shown with the pool.
    let members = state.rows_where::<Member>("group", &group.name).filter(|m| with_instances && !m.lifecycle.is_warm());
    let pool = state.get::<WarmPool>(&group.name);
    let subnets: Vec<&str> = group.subnets.iter().map(|s| s.as_str()).collect();
    let sources = group
        .target_groups
        .iter()
        .map(|t| s::TrafficSourceIdentifier { identifier: t.to_string(), r#type: Some("elbv2".into()) });
    s::AutoScalingGroup {
        auto_scaling_group_name: group.name.to_string(),
        auto_scaling_group_arn: Some(group.arn.clone()),
        launch_configuration_name: group.launch_configuration.clone(),
        launch_template: group.launch_configuration.is_none().then(|| s::LaunchTemplateSpecification {
            launch_template_id: Some(group.template.id.to_string()),
            launch_template_name: Some(group.template.name.clone()),
            version: group.template.version.clone(),
        }),
        min_size: group.min_size.into(),
        max_size: group.max_size.into(),
        desired_capacity: group.desired_capacity.into(),
        default_cooldown: group.default_cooldown_s.into(),
        instance_maintenance_policy: group.maintenance.map(|p| s::InstanceMaintenancePolicy {
            min_healthy_percentage: Some(p.min_percent.into()),
            max_healthy_percentage: Some(p.max_percent.into()),
        }),
        availability_zones: group.zones.clone(),
        target_group_arns: group.target_groups.iter().map(|t| t.to_string()).collect(),
        health_check_type: group.health_check.as_str().into(),
        health_check_grace_period: Some(group.grace_s.into()),
        instances: members.map(instance_answer).collect(),
        created_time: group.created_at,
        suspended_processes: group
            .suspended
            .iter()
            .map(|(process, at)| s::SuspendedProcess {
                process_name: Some(process.as_str().into()),
                suspension_reason: Some(format!("User suspended at {}", at.iso8601_s())),
            })
            .collect(),
        enabled_metrics: super::group_metrics::enabled(state, &group.name),
        vpc_zone_identifier: Some(subnets.join(",")),
        status: group.deleting.then(|| "Delete in progress".into()),
        tags: group.tags.iter().map(|(key, tag)| tags::answer(group, key, tag)).collect(),
        termination_policies: group.termination_policies.iter().map(|p| p.as_str().into()).collect(),
        new_instances_protected_from_scale_in: Some(group.protects_new),
        service_linked_role_arn: Some(group.service_linked_role.clone()),
        capacity_rebalance: Some(group.capacity_rebalance),
        context: group.context.clone(),
        default_instance_warmup: group.default_instance_warmup_s.map(Into::into),
        traffic_sources: sources.collect(),
        max_instance_lifetime: group.max_instance_lifetime_s.map(Into::into),
        warm_pool_configuration: pool.map(super::warm_pools::configuration),
        warm_pool_size: pool.map(|_| warm_pool::members(state, &group.name).count() as i64),
        ..Default::default()
    }
}

fn template_answer(member: &Member) -> Option<s::LaunchTemplateSpecification> {
    member.template.as_ref().map(|t| s::LaunchTemplateSpecification {
        launch_template_id: Some(t.id.clone()),
        launch_template_name: Some(t.name.clone()),
        version: Some(t.version.to_string()),
    })
}

pub(super) fn instance_answer(member: &Member) -> s::Instance {
    s::Instance {
        instance_id: member.instance.to_string(),
        instance_type: Some(member.instance_type.clone()),
        availability_zone: member.zone.clone(),
        lifecycle_state: member.state().into(),
        health_status: member.health.as_str().into(),
        launch_configuration_name: member.configuration.as_ref().map(|c| c.name.clone()),
        launch_template: template_answer(member),
        protected_from_scale_in: member.protected,
        ..Default::default()
    }
}

pub(crate) fn instances(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeAutoScalingInstancesType,
) -> Result<s::AutoScalingInstancesType, Fault> {
    let named: BTreeSet<&str> = input.instance_ids.iter().map(String::as_str).collect();
    let kept = tx.rows::<Member>().filter(|m| named.is_empty() || named.contains(m.instance.as_str()));
    let page = cut(kept, |m| m.instance.to_string(), input.next_token.as_deref(), input.max_records)?;
    let answer = |m: &Member| s::AutoScalingInstanceDetails {
        instance_id: m.instance.to_string(),
        instance_type: Some(m.instance_type.clone()),
        auto_scaling_group_name: m.group.to_string(),
        availability_zone: m.zone.clone(),
        lifecycle_state: m.state().into(),
        // This one call shouts, at AWS too.
        health_status: m.health.as_str().to_uppercase(),
        launch_configuration_name: m.configuration.as_ref().map(|c| c.name.clone()),
        launch_template: template_answer(m),
        image_id: Some(m.image.clone()),
        protected_from_scale_in: m.protected,
        ..Default::default()
    };
    Ok(s::AutoScalingInstancesType {
        auto_scaling_instances: page.items.into_iter().map(answer).collect(),
        next_token: page.next_token,
    })
}

/// The newest first.
pub(crate) fn activities(tx: &mut Tx, _: &Cx, input: s::DescribeScalingActivitiesType) -> Result<s::ActivitiesType, Fault> {
    if !input.filters.is_empty() {
        return Err(Error::Unsupported("Filters of scaling activities".into()).into());
    }
    let group = match input.auto_scaling_group_name.as_deref().filter(|n| !n.is_empty()) {
        // The activities of a group that is being deleted are still of interest.
        Some(name) => match tx.get::<Group>(&short_name(name)) {
            Some(group) => Some(group.name.clone()),
            None => return Err(find_group(tx, name).err().unwrap_or(Error::InvalidNextToken).into()),
        },
        None => None,
    };
    let mut kept: Vec<&Activity> = match &group {
        Some(name) => tx.rows_where::<Activity>("group", name).collect(),
        None => tx.rows::<Activity>().collect(),
    };
    kept.retain(|a| input.activity_ids.is_empty() || input.activity_ids.contains(&a.id));
    kept.sort_by_key(|a| Reverse(a.key.1));
    let order = |a: &&Activity| format!("{:020}", u64::MAX - a.key.1);
    let page = cut(kept.into_iter(), order, input.next_token.as_deref(), input.max_records.or(Some(super::PAGE_MAX as i64)))?;
    Ok(s::ActivitiesType {
        activities: page.items.into_iter().map(|a| activity_answer(tx, a)).collect(),
        next_token: page.next_token,
    })
}

pub(crate) fn activity_answer(state: &State, activity: &Activity) -> s::Activity {
    s::Activity {
        activity_id: activity.id.clone(),
        auto_scaling_group_name: activity.key.0.to_string(),
        description: Some(activity.description.clone()),
        cause: activity.cause.clone(),
        start_time: activity.started_at,
        end_time: activity.ended_at,
        status_code: activity.status.as_str().into(),
        status_message: activity.message.clone(),
        progress: Some(activity.status.progress()),
        details: Some(activity.details.clone()),
        auto_scaling_group_arn: state.get::<Group>(&activity.key.0).map(|g| g.arn.clone()),
        ..Default::default()
    }
}

pub(crate) fn account_limits(tx: &mut Tx, _: &Cx, (): ()) -> Result<s::DescribeAccountLimitsAnswer, Fault> {
    Ok(s::DescribeAccountLimitsAnswer {
        max_number_of_auto_scaling_groups: Some(GROUPS_MAX as i64),
        max_number_of_launch_configurations: Some(CONFIGURATIONS_MAX as i64),
        number_of_auto_scaling_groups: Some(tx.count::<Group>() as i64),
        number_of_launch_configurations: Some(tx.count::<LaunchConfiguration>() as i64),
    })
}

pub(crate) fn process_types(_: &mut Tx, _: &Cx, (): ()) -> Result<s::ProcessesType, Fault> {
    let processes = Process::ALL.into_iter().map(|p| s::ProcessType { process_name: p.as_str().into() });
    Ok(s::ProcessesType { processes: processes.collect() })
}

pub(crate) fn termination_policy_types(_: &mut Tx, _: &Cx, (): ()) -> Result<s::DescribeTerminationPolicyTypesAnswer, Fault> {
    let termination_policy_types = TerminationPolicy::ALL.into_iter().map(|p| p.as_str().into()).collect();
    Ok(s::DescribeTerminationPolicyTypesAnswer { termination_policy_types })
}
