//! How a group changes: creation, update, capacity, deletion, and what users do with single instances. The API and
//! CloudFormation share them. Launches and terminations follow from the reconciler.

use std::collections::{BTreeMap, BTreeSet};

use base::{GroupName, InstanceId, SubnetId, TargetGroupArn, Time};
use kernel::{Cx, State, Tx};

use crate::activity::{self, Activity, Beginning, Status, text};
use crate::apply::{begin_termination, put_member};
use crate::error::Error;
use crate::group::{
    GROUPS_MAX, Group, GroupTag, HealthCheck, Process, SIZE_MAX, TAGS_MAX, TARGET_GROUPS_MAX, TemplateChoice, TerminationPolicy,
};
use crate::member::{Health, Lifecycle, Member, Sickness};

/// What a request says about a group; what is absent stays as it is, or has AWS's default in a new group.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub template: Option<(ec2::TemplateName, Option<String>)>,
    pub min_size: Option<u32>,
    pub max_size: Option<u32>,
    pub desired_capacity: Option<u32>,
    pub default_cooldown_s: Option<u32>,
    pub zones: Option<Vec<String>>,
    pub subnets: Option<Vec<SubnetId>>,
    pub health_check: Option<HealthCheck>,
    pub grace_s: Option<u32>,
    pub termination_policies: Option<Vec<TerminationPolicy>>,
    pub protects_new: Option<bool>,
    pub capacity_rebalance: Option<bool>,
    pub context: Option<String>,
    /// `Some(None)` takes it away.
    pub default_instance_warmup_s: Option<Option<u32>>,
    pub service_linked_role: Option<String>,
}

/// The group of this name or ARN.
pub fn find_group<'a>(state: &'a State, name: &str) -> Result<&'a Group, Error> {
    // An ARN ends with the name: `...:autoScalingGroupName/NAME`.
    let short = name.split_once(":autoScalingGroupName/").map_or(name, |(_, short)| short);
    let name = GroupName::from(short);
    state.get::<Group>(&name).filter(|g| !g.deleting).ok_or(Error::NoGroup(name))
}

/// Makes a group; its instances follow.
pub fn create_group(
    tx: &mut Tx,
    cx: &Cx,
    name: &str,
    change: Change,
    target_groups: Vec<TargetGroupArn>,
    tags: BTreeMap<String, GroupTag>,
) -> Result<GroupName, Error> {
    check_name(name)?;
    let name = GroupName::from(name);
    if tx.get::<Group>(&name).is_some() {
        return Err(Error::GroupExists(name));
    }
    if tx.count::<Group>() >= GROUPS_MAX {
        return Err(Error::LimitExceeded(format!("You have already reached the limit of {GROUPS_MAX} AutoScalingGroups")));
    }
    let (template, version) = change.template.clone().ok_or_else(|| {
        Error::Invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.".into())
    })?;
    let missing = |what: &str| Error::Invalid(format!("The request must contain the parameter {what}"));
    let min_size = change.min_size.ok_or_else(|| missing("MinSize"))?;
    let uuid = cx.rng().uuid();
    let mut group = Group {
        arn: cx.scope.arn("autoscaling", format_args!("autoScalingGroup:{uuid}:autoScalingGroupName/{name}")),
        created_at: cx.now,
        template: template_choice(tx, &template, version)?,
        min_size,
        max_size: change.max_size.ok_or_else(|| missing("MaxSize"))?,
        desired_capacity: change.desired_capacity.unwrap_or(min_size),
        zones: Vec::new(),
        subnets: Vec::new(),
        health_check: HealthCheck::Ec2,
        grace_s: 0,
        default_cooldown_s: 300,
        default_instance_warmup_s: None,
        target_groups: Vec::new(),
        detaching: BTreeSet::new(),
        termination_policies: vec![TerminationPolicy::Default],
        protects_new: false,
        capacity_rebalance: false,
        suspended: BTreeMap::new(),
        tags: BTreeMap::new(),
        context: None,
        service_linked_role: cx.scope.global_arn("iam", "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"),
        deleting: false,
        request: None,
        failing: BTreeMap::new(),
        failures: 0,
        last_failure: None,
        name: name.clone(),
    };
    if change.zones.is_none() && change.subnets.is_none() {
        return Err(Error::Invalid("At least one Availability Zone or VPC Subnet is required.".into()));
    }
    lay_over(tx, cx, &mut group, change)?;
    group.request = Some(text::created(cx.now, group.desired_capacity));
    check_sizes(&group)?;
    ec2::check_launch(tx, cx, &template, group.template.version.as_deref())?;
    tx.put(group);
    set_tags(tx, &name, tags)?;
    attach_target_groups(tx, &name, &target_groups)?;
    Ok(name)
}

/// Changes a group; instances follow where the capacity or the zones change. Running ones keep their template.
pub fn update_group(tx: &mut Tx, cx: &Cx, name: &str, change: Change) -> Result<(), Error> {
    let mut group = find_group(tx, name)?.clone();
    let before = group.desired_capacity;
    if let Some((template, version)) = change.template.clone() {
        group.template = template_choice(tx, &template, version)?;
        ec2::check_launch(tx, cx, &template, group.template.version.as_deref())?;
        // What failed may do now.
        group.failing.clear();
        group.failures = 0;
        group.last_failure = None;
    }
    let explicit = change.desired_capacity;
    group.min_size = change.min_size.unwrap_or(group.min_size);
    group.max_size = change.max_size.unwrap_or(group.max_size);
    match explicit {
        Some(desired) => group.desired_capacity = desired,
        None => group.clamp(),
    }
    lay_over(tx, cx, &mut group, change)?;
    check_sizes(&group)?;
    if group.desired_capacity != before {
        group.request = Some(text::updated(cx.now, (group.min_size, group.max_size), before, group.desired_capacity));
    }
    tx.put(group);
    Ok(())
}

/// Sets the wanted capacity, which must lie within the bounds.
pub fn set_desired_capacity(tx: &mut Tx, cx: &Cx, name: &str, desired: u32) -> Result<(), Error> {
    let mut group = find_group(tx, name)?.clone();
    let (min, max, before) = (group.min_size, group.max_size, group.desired_capacity);
    if desired > max {
        return Err(Error::Invalid(format!("New SetDesiredCapacity value {desired} is above max value {max} for the AutoScalingGroup.")));
    }
    if desired < min {
        return Err(Error::Invalid(format!("New SetDesiredCapacity value {desired} is below min value {min} for the AutoScalingGroup.")));
    }
    if desired != before {
        group.desired_capacity = desired;
        group.request = Some(text::desired_set(cx.now, before, desired));
        tx.put(group);
    }
    Ok(())
}

/// Deletes a group that has no instances, or with `force` one that has.
pub fn delete_group(tx: &mut Tx, cx: &Cx, name: &str, force: Force) -> Result<(), Error> {
    let group = find_group(tx, name)?.clone();
    let has_members = tx.rows_where::<Member>("group", &group.name).next().is_some();
    if force == Force::No {
        if has_members || group.desired_capacity > 0 {
            return Err(Error::GroupInUse);
        }
        if activity::under_way(tx, &group.name).next().is_some() {
            return Err(Error::ActivityInProgress);
        }
    }
    if has_members {
        tx.update::<Group>(&group.name, |g| {
            g.deleting = true;
            g.request = Some(text::deleted(cx.now));
        });
    } else {
        remove_group(tx, &group.name);
    }
    Ok(())
}

/// Whether instances are ended with their group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    Yes,
    No,
}

/// Forgets a group and its activities.
pub(crate) fn remove_group(tx: &mut Tx, name: &GroupName) {
    let activities: Vec<_> = tx.rows_where::<Activity>("group", name).map(|a| a.key.clone()).collect();
    for key in activities {
        tx.remove::<Activity>(&key);
    }
    tx.remove::<Group>(name);
}

/// Attaches target groups; instances in service are registered with them.
pub fn attach_target_groups(tx: &mut Tx, name: &str, target_groups: &[TargetGroupArn]) -> Result<(), Error> {
    let group = find_group(tx, name)?.clone();
    for arn in target_groups {
        if !elb::is_target_group(tx, arn) {
            return Err(Error::Invalid(format!("Provided Target Groups may not be valid. Please ensure they exist and try again. - {arn}")));
        }
    }
    let mut all = group.target_groups;
    all.extend(target_groups.iter().filter(|t| !all.contains(t)).cloned().collect::<Vec<_>>());
    if all.len() > TARGET_GROUPS_MAX {
        return Err(Error::LimitExceeded(format!("At most {TARGET_GROUPS_MAX} target groups can be attached to an AutoScalingGroup.")));
    }
    tx.update::<Group>(&group.name, |g| {
        g.detaching.retain(|t| !all.contains(t));
        g.target_groups = all;
    });
    Ok(())
}

/// Detaches target groups; instances leave them once their requests are done.
pub fn detach_target_groups(tx: &mut Tx, name: &str, target_groups: &[TargetGroupArn]) -> Result<(), Error> {
    let group = find_group(tx, name)?.clone();
    if let Some(unknown) = target_groups.iter().find(|t| !group.target_groups.contains(t)) {
        return Err(Error::Invalid(format!("Trying to remove Target Groups that are not part of the group: {unknown}")));
    }
    tx.update::<Group>(&group.name, |g| {
        g.target_groups.retain(|t| !target_groups.contains(t));
        g.detaching.extend(target_groups.iter().cloned());
    });
    Ok(())
}

/// Adds or replaces tags.
pub fn set_tags(tx: &mut Tx, name: &GroupName, tags: BTreeMap<String, GroupTag>) -> Result<(), Error> {
    if let Some(key) = tags.keys().find(|k| k.is_empty() || k.chars().count() > 128) {
        return Err(Error::Invalid(format!("Tag key '{key}' must have 1 to 128 characters.")));
    }
    let mut all = find_group(tx, name)?.tags.clone();
    all.extend(tags);
    if all.len() > TAGS_MAX {
        return Err(Error::LimitExceeded(format!("An AutoScalingGroup may have at most {TAGS_MAX} tags.")));
    }
    tx.update::<Group>(name, |g| g.tags = all);
    Ok(())
}

/// Suspends or resumes processes; none named means all.
pub fn suspend(tx: &mut Tx, cx: &Cx, name: &str, processes: &[Process]) -> Result<(), Error> {
    let name = find_group(tx, name)?.name.clone();
    tx.update::<Group>(&name, |g| {
        for process in processes {
            g.suspended.entry(*process).or_insert(cx.now);
        }
    });
    Ok(())
}

pub fn resume(tx: &mut Tx, name: &str, processes: &[Process]) -> Result<(), Error> {
    let name = find_group(tx, name)?.name.clone();
    tx.update::<Group>(&name, |g| g.suspended.retain(|process, _| !processes.contains(process)));
    Ok(())
}

/// Ends one instance of its group, which shrinks with it or replaces it.
pub fn terminate_instance(tx: &mut Tx, cx: &Cx, id: &InstanceId, capacity: Capacity) -> Result<Activity, Error> {
    let member = tx.get::<Member>(id).cloned().ok_or_else(|| Error::NoInstance(id.to_string()))?;
    if member.lifecycle == Lifecycle::Terminating {
        let key = member.activity.ok_or_else(|| Error::NoInstance(id.to_string()))?;
        return tx.get::<Activity>(&key).cloned().ok_or_else(|| Error::NoInstance(id.to_string()));
    }
    let sizes = shrink(tx, &member.group, capacity, 1)?;
    let cause = text::user_request(cx.now, id, "taken out of service", sizes);
    begin_termination(tx, cx, id, cause, false).ok_or_else(|| Error::NoInstance(id.to_string()))
}

/// Lets instances go from their group; they run on.
pub fn detach_instances(tx: &mut Tx, cx: &Cx, name: &str, ids: &[InstanceId], capacity: Capacity) -> Result<Vec<Activity>, Error> {
    let group = find_group(tx, name)?.name.clone();
    for id in ids {
        let member = member_of(tx, &group, id)?;
        if member.lifecycle != Lifecycle::InService {
            return Err(Error::Invalid(format!("The instance {id} is not in InService or Standby state.")));
        }
    }
    let mut activities = Vec::new();
    for id in ids {
        let sizes = shrink(tx, &group, capacity, 1)?;
        let member = member_of(tx, &group, id)?.clone();
        let beginning = Beginning {
            group: &group,
            description: format!("Detaching EC2 instance: {id}"),
            cause: text::user_request(cx.now, id, "detached", sizes),
            status: Status::InProgress,
            zone: &member.zone,
            subnet: Some(&member.subnet),
        };
        let key = activity::begin(tx, cx, beginning);
        tx.update::<Member>(id, |m| {
            m.lifecycle = Lifecycle::Detaching;
            m.activity = Some(key.clone());
        });
        activities.extend(tx.get::<Activity>(&key).cloned());
    }
    Ok(activities)
}

/// Takes running instances into a group, whose wanted capacity grows with them.
pub fn attach_instances(tx: &mut Tx, cx: &Cx, name: &str, ids: &[InstanceId]) -> Result<(), Error> {
    let group = find_group(tx, name)?.clone();
    let (before, added) = (group.desired_capacity, u32::try_from(ids.len()).unwrap_or(u32::MAX));
    if before.saturating_add(added) > group.max_size {
        return Err(Error::Invalid(format!(
            "AutoScalingGroup {name} has min-size={}, max-size={}, and desired-size={before}. To attach {added} more instance, please update the AutoScalingGroup sizes appropriately.",
            group.min_size, group.max_size
        )));
    }
    for id in ids {
        attachable(tx, &group, id)?;
    }
    for (index, id) in (1..).zip(ids) {
        let instance = tx.get::<ec2::Instance>(id).cloned().ok_or_else(|| Error::NoInstance(id.to_string()))?;
        let beginning = Beginning {
            group: &group.name,
            description: format!("Attaching an existing EC2 instance: {id}"),
            cause: text::attached(cx.now, before + index - 1, before + index),
            status: Status::InProgress,
            zone: &instance.zone,
            subnet: Some(&instance.subnet),
        };
        let key = activity::begin(tx, cx, beginning);
        put_member(tx, cx, &group, id, false, Some(key));
    }
    tx.update::<Group>(&group.name, |g| g.desired_capacity = before + added);
    Ok(())
}

/// Says what a user knows about an instance's health.
pub fn set_instance_health(tx: &mut Tx, id: &InstanceId, healthy: bool, now: Time, respect_grace: bool) -> Result<(), Error> {
    let member = tx.get::<Member>(id).cloned().ok_or_else(|| Error::NoInstance(id.to_string()))?;
    let grace = tx.get::<Group>(&member.group).map_or(0, |g| u64::from(g.grace_s) * 1_000);
    let in_grace = member.in_service_at.is_none_or(|at| now.ms_since(at) < grace);
    if !healthy && respect_grace && in_grace {
        return Ok(());
    }
    let health = if healthy { Health::Healthy } else { Health::Unhealthy(Sickness::User) };
    tx.update::<Member>(id, |m| m.health = health);
    Ok(())
}

/// Whether the wanted capacity goes down with an instance that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    Decrement,
    Keep,
}

fn shrink(tx: &mut Tx, name: &GroupName, capacity: Capacity, by: u32) -> Result<Option<(u32, u32)>, Error> {
    if capacity == Capacity::Keep {
        return Ok(None);
    }
    let group = tx.get::<Group>(name).cloned().ok_or_else(|| Error::NoGroup(name.clone()))?;
    let (from, to) = (group.desired_capacity, group.desired_capacity.saturating_sub(by));
    if to < group.min_size || from == to {
        return Err(Error::Invalid(format!(
            "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            group.min_size
        )));
    }
    tx.update::<Group>(name, |g| g.desired_capacity = to);
    Ok(Some((from, to)))
}

pub(crate) fn member_of<'a>(state: &'a State, group: &GroupName, id: &InstanceId) -> Result<&'a Member, Error> {
    let found = state.get::<Member>(id).filter(|m| m.group == *group);
    found.ok_or_else(|| Error::Invalid(format!("The instance {id} is not part of Auto Scaling group {group}.")))
}

fn attachable(state: &State, group: &Group, id: &InstanceId) -> Result<(), Error> {
    let instance = state.get::<ec2::Instance>(id);
    let instance = instance.ok_or_else(|| Error::Invalid(format!("Invalid Instance ID(s): [{id}] specified.")))?;
    if state.get::<Member>(id).is_some() {
        return Err(Error::Invalid(format!("Instance {id} is already part of an AutoScalingGroup.")));
    }
    if instance.state() != ec2::InstanceState::Running {
        return Err(Error::Invalid(format!("Instance {id} is not in correct state: it must be running.")));
    }
    if !group.zones.contains(&instance.zone) {
        return Err(Error::Invalid(format!("Instance {id} is not in an Availability Zone of the AutoScalingGroup.")));
    }
    Ok(())
}

fn template_choice(state: &State, name: &ec2::TemplateName, version: Option<String>) -> Result<TemplateChoice, Error> {
    let template = ec2::find_template(state, name)?;
    ec2::version_number(state, template, version.as_deref())?;
    Ok(TemplateChoice { id: template.id.clone(), name: template.name.clone(), version: version.filter(|v| !v.is_empty()) })
}

/// The members of a change that both creation and update know, but sizes and template.
fn lay_over(state: &State, cx: &Cx, group: &mut Group, change: Change) -> Result<(), Error> {
    if change.zones.is_some() || change.subnets.is_some() {
        let subnets = change.subnets.unwrap_or_default();
        group.zones = zones(state, cx, change.zones, &subnets)?;
        group.subnets = subnets;
    }
    group.health_check = change.health_check.unwrap_or(group.health_check);
    group.grace_s = change.grace_s.unwrap_or(group.grace_s);
    group.default_cooldown_s = change.default_cooldown_s.unwrap_or(group.default_cooldown_s);
    group.default_instance_warmup_s = change.default_instance_warmup_s.unwrap_or(group.default_instance_warmup_s);
    group.protects_new = change.protects_new.unwrap_or(group.protects_new);
    group.capacity_rebalance = change.capacity_rebalance.unwrap_or(group.capacity_rebalance);
    if let Some(policies) = change.termination_policies {
        group.termination_policies = if policies.is_empty() { vec![TerminationPolicy::Default] } else { policies };
    }
    if let Some(context) = change.context {
        group.context = Some(context);
    }
    if let Some(role) = change.service_linked_role {
        group.service_linked_role = role;
    }
    Ok(())
}

/// The zones of a group: those of its subnets, which the named ones must be among, or the named ones.
fn zones(state: &State, cx: &Cx, named: Option<Vec<String>>, subnets: &[SubnetId]) -> Result<Vec<String>, Error> {
    let named = named.unwrap_or_default();
    if let Some(unknown) = named.iter().find(|z| !cx.scope.zones.contains(z)) {
        return Err(Error::Invalid(format!("Invalid availability zones: [{unknown}]")));
    }
    if subnets.is_empty() {
        let set: BTreeSet<String> = named.into_iter().collect();
        for zone in &set {
            ec2::default_subnet(state, Some(zone))?;
        }
        return Ok(set.into_iter().collect());
    }
    let mut set = BTreeSet::new();
    let mut vpcs = BTreeSet::new();
    for id in subnets {
        let subnet = state.get::<ec2::Subnet>(id).ok_or_else(|| Error::Invalid(format!("The subnet ID '{id}' does not exist")))?;
        set.insert(subnet.zone.clone());
        vpcs.insert(&subnet.vpc);
    }
    if vpcs.len() > 1 {
        return Err(Error::Invalid("The subnets must all belong to the same VPC.".into()));
    }
    if let Some(other) = named.iter().find(|z| !set.contains(*z)) {
        return Err(Error::Invalid(format!("The availability zones of the specified subnets and the Auto Scaling group do not match: {other}")));
    }
    Ok(set.into_iter().collect())
}

fn check_sizes(group: &Group) -> Result<(), Error> {
    let (min, max, desired) = (group.min_size, group.max_size, group.desired_capacity);
    let text = if max > SIZE_MAX {
        format!("MaxSize must not be above {SIZE_MAX} in this region.")
    } else if min > max {
        "Max bound, and must be greater than or equal to min bound. MinSize must not be above MaxSize.".to_string()
    } else if desired < min {
        "Desired capacity must be greater than or equal to the specified min size.".into()
    } else if desired > max {
        format!("Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}")
    } else {
        return Ok(());
    };
    Err(Error::Invalid(text))
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = (1..=255).contains(&name.chars().count()) && !name.contains([':', '/']) && !name.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(Error::Invalid(format!("Group name '{name}' must have 1 to 255 characters and neither ':' nor '/'."))) }
}
