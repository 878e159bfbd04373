//! Creating, changing and deleting groups.

use std::collections::BTreeMap;

use base::{Fault, TargetGroupArn};
use kernel::{Cx, Tx};
use shapes::autoscaling as s;

use super::number;
use crate::error::Error;
use crate::group::{GroupTag, HealthCheck, MaintenancePolicy, Process, TerminationPolicy};
use crate::transitions::{self, Change, Deletion};

pub(crate) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateAutoScalingGroupType) -> Result<(), Fault> {
    refuse(&[
        ("MixedInstancesPolicy", input.mixed_instances_policy.is_some()),
        ("InstanceId", input.instance_id.is_some()),
        ("LoadBalancerNames", !input.load_balancer_names.is_empty()),
        ("PlacementGroup", input.placement_group.as_deref().is_some_and(|p| !p.is_empty())),
        ("DesiredCapacityType", input.desired_capacity_type.as_deref().is_some_and(|t| t != "units")),
        ("AvailabilityZoneIds", !input.availability_zone_ids.is_empty()),
    ])?;
    let change = Change {
        template: input.launch_template.map(template).transpose()?,
        configuration: input.launch_configuration_name.filter(|n| !n.is_empty()),
        min_size: Some(number("MinSize", input.min_size)?),
        max_size: Some(number("MaxSize", input.max_size)?),
        desired_capacity: optional("DesiredCapacity", input.desired_capacity)?,
        default_cooldown_s: optional("DefaultCooldown", input.default_cooldown)?,
        zones: (!input.availability_zones.is_empty()).then_some(input.availability_zones),
        subnets: input.vpc_zone_identifier.as_deref().filter(|v| !v.is_empty()).map(subnets),
        health_check: input.health_check_type.as_deref().map(health_check).transpose()?,
        grace_s: optional("HealthCheckGracePeriod", input.health_check_grace_period)?,
        termination_policies: policies(&input.termination_policies)?,
        protects_new: input.new_instances_protected_from_scale_in,
        capacity_rebalance: input.capacity_rebalance,
        context: input.context,
        default_instance_warmup_s: warmup(input.default_instance_warmup)?,
        maintenance: maintenance(input.instance_maintenance_policy)?,
        max_instance_lifetime_s: optional("MaxInstanceLifetime", input.max_instance_lifetime)?,
        service_linked_role: input.service_linked_role_arn,
    };
    let mut target_groups: Vec<TargetGroupArn> = input.target_group_arns.into_iter().map(Into::into).collect();
    target_groups.extend(super::traffic::target_groups(input.traffic_sources)?);
    let name = input.auto_scaling_group_name;
    let tags = input.tags.into_iter().map(|t| tag(&name, t)).collect::<Result<BTreeMap<_, _>, Error>>()?;
    transitions::create_group(tx, cx, &name, change, target_groups, tags)?;
    super::hooks::put_all(tx, cx, &name, input.lifecycle_hook_specification_list)?;
    Ok(())
}

pub(crate) fn update(tx: &mut Tx, cx: &Cx, input: s::UpdateAutoScalingGroupType) -> Result<(), Fault> {
    refuse(&[
        ("MixedInstancesPolicy", input.mixed_instances_policy.is_some()),
        ("PlacementGroup", input.placement_group.as_deref().is_some_and(|p| !p.is_empty())),
        ("DesiredCapacityType", input.desired_capacity_type.as_deref().is_some_and(|t| t != "units")),
        ("AvailabilityZoneIds", !input.availability_zone_ids.is_empty()),
    ])?;
    let change = Change {
        template: input.launch_template.map(template).transpose()?,
        configuration: input.launch_configuration_name.filter(|n| !n.is_empty()),
        min_size: optional("MinSize", input.min_size)?,
        max_size: optional("MaxSize", input.max_size)?,
        desired_capacity: optional("DesiredCapacity", input.desired_capacity)?,
        default_cooldown_s: optional("DefaultCooldown", input.default_cooldown)?,
        zones: (!input.availability_zones.is_empty()).then_some(input.availability_zones),
        subnets: input.vpc_zone_identifier.as_deref().filter(|v| !v.is_empty()).map(subnets),
        health_check: input.health_check_type.as_deref().map(health_check).transpose()?,
        grace_s: optional("HealthCheckGracePeriod", input.health_check_grace_period)?,
        termination_policies: policies(&input.termination_policies)?,
        protects_new: input.new_instances_protected_from_scale_in,
        capacity_rebalance: input.capacity_rebalance,
        context: input.context,
        default_instance_warmup_s: warmup(input.default_instance_warmup)?,
        maintenance: maintenance(input.instance_maintenance_policy)?,
        max_instance_lifetime_s: optional("MaxInstanceLifetime", input.max_instance_lifetime)?,
        service_linked_role: input.service_linked_role_arn,
    };
    transitions::update_group(tx, cx, &input.auto_scaling_group_name, change)?;
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx, cx: &Cx, input: s::DeleteAutoScalingGroupType) -> Result<(), Fault> {
    let how = if input.force_delete == Some(true) { Deletion::Force } else { Deletion::Empty };
    transitions::delete_group(tx, cx, &input.auto_scaling_group_name, how)?;
    Ok(())
}

pub(crate) fn set_desired_capacity(tx: &mut Tx, cx: &Cx, input: s::SetDesiredCapacityType) -> Result<(), Fault> {
    let desired = number("DesiredCapacity", input.desired_capacity)?;
    // "SetDesiredCapacity": by default it does not wait for the cooldown that a simple scaling policy has begun.
    if input.honor_cooldown == Some(true) {
        let name = transitions::find_group(tx, &input.auto_scaling_group_name)?.name.clone();
        if let Some(activity) = crate::policy::cooling(tx, &name, cx.now) {
            return Err(Error::Blocked(activity).into());
        }
    }
    transitions::set_desired_capacity(tx, cx, &input.auto_scaling_group_name, desired)?;
    Ok(())
}

pub(crate) fn suspend(tx: &mut Tx, cx: &Cx, input: s::ScalingProcessQuery) -> Result<(), Fault> {
    transitions::suspend(tx, cx, &input.auto_scaling_group_name, &processes(&input.scaling_processes)?)?;
    Ok(())
}

pub(crate) fn resume(tx: &mut Tx, _: &Cx, input: s::ScalingProcessQuery) -> Result<(), Fault> {
    transitions::resume(tx, &input.auto_scaling_group_name, &processes(&input.scaling_processes)?)?;
    Ok(())
}

fn processes(names: &[String]) -> Result<Vec<Process>, Error> {
    if names.is_empty() {
        return Ok(Process::ALL.to_vec());
    }
    let parse = |name: &String| Process::parse(name).ok_or_else(|| Error::Invalid(format!("Invalid scaling process: {name}")));
    names.iter().map(parse).collect()
}

/// Names a parameter whose effect this region does not have.
fn refuse(members: &[(&str, bool)]) -> Result<(), Error> {
    match members.iter().find(|(_, there)| *there) {
        None => Ok(()),
        Some((name, _)) => Err(Error::Unsupported(format!("The parameter {name}"))),
    }
}

fn optional(parameter: &str, value: Option<i64>) -> Result<Option<u32>, Error> {
    value.map(|v| number(parameter, v)).transpose()
}

/// -1 takes the warmup away.
pub(crate) fn warmup(value: Option<i64>) -> Result<Option<Option<u32>>, Error> {
    match value {
        None => Ok(None),
        Some(-1) => Ok(Some(None)),
        Some(seconds) => Ok(Some(Some(number("DefaultInstanceWarmup", seconds)?))),
    }
}

/// "InstanceMaintenancePolicy": both bounds, at most 100 apart; -1 for both takes the policy away.
pub(crate) fn maintenance(policy: Option<s::InstanceMaintenancePolicy>) -> Result<Option<Option<MaintenancePolicy>>, Error> {
    let Some(policy) = policy else { return Ok(None) };
    let (Some(min), Some(max)) = (policy.min_healthy_percentage, policy.max_healthy_percentage) else {
        return Err(Error::Invalid("MinHealthyPercentage and MaxHealthyPercentage must both be specified.".into()));
    };
    if (min, max) == (-1, -1) {
        return Ok(Some(None));
    }
    if !(0..=100).contains(&min) || !(100..=200).contains(&max) || max - min > 100 {
        return Err(Error::Invalid("MinHealthyPercentage must be 0 to 100 and MaxHealthyPercentage 100 to 200, and the difference between them cannot be greater than 100.".into()));
    }
    let (min_percent, max_percent) = (number("MinHealthyPercentage", min)?, number("MaxHealthyPercentage", max)?);
    Ok(Some(Some(MaintenancePolicy { min_percent, max_percent })))
}

pub(crate) fn template(t: s::LaunchTemplateSpecification) -> Result<(ec2::TemplateName, Option<String>), Error> {
    Ok((ec2::TemplateName::of(t.launch_template_id, t.launch_template_name)?, t.version))
}

pub(crate) fn subnets(text: &str) -> Vec<base::SubnetId> {
    let mut subnets = Vec::new();
    for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        let id = base::SubnetId::from(id);
        if !subnets.contains(&id) {
            subnets.push(id);
        }
    }
    subnets
}

pub(crate) fn health_check(text: &str) -> Result<HealthCheck, Error> {
    // Several can be named; EC2's is always among them.
    let kinds: Vec<&str> = text.split(',').map(str::trim).collect();
    match kinds.iter().find(|k| !["EC2", "ELB"].contains(k)) {
        Some(unknown) => Err(Error::Invalid(format!("Invalid HealthCheckType '{unknown}'. This region knows EC2 and ELB."))),
        None if kinds.contains(&"ELB") => Ok(HealthCheck::Elb),
        None => Ok(HealthCheck::Ec2),
    }
}

pub(crate) fn policies(names: &[String]) -> Result<Option<Vec<TerminationPolicy>>, Error> {
    if names.is_empty() {
        return Ok(None);
    }
    let parse = |name: &String| {
        TerminationPolicy::parse(name).ok_or_else(|| Error::Invalid(format!("Invalid termination policy: {name}")))
    };
    let policies = names.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if policies.iter().rev().skip(1).any(|p| *p == TerminationPolicy::Default) {
        return Err(Error::Invalid("The Default termination policy must be the last one in the list.".into()));
    }
    Ok(Some(policies))
}

fn tag(group: &str, tag: s::Tag) -> Result<(String, GroupTag), Error> {
    if tag.resource_id.as_deref().is_some_and(|id| id != group) {
        return Err(Error::Invalid(format!("The tag '{}' names another group than {group}.", tag.key)));
    }
    super::tags::check_key(&tag.key)?;
    let value = tag.value.unwrap_or_default();
    Ok((tag.key, GroupTag { value, propagate_at_launch: tag.propagate_at_launch.unwrap_or_default() }))
}
