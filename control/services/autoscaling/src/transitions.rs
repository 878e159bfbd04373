//! How a group changes: creation, update, capacity, deletion. The API and CloudFormation share it. Launches and
//! terminations follow from the reconciler; what users do with single instances is in `membership`.

use std::collections::{BTreeMap, BTreeSet};

use base::{Fault, GroupName, SubnetId, TargetGroupArn};
use kernel::{Cx, Row, State, Tx};

use crate::activity::{self, Activity, text};
use crate::error::Error;
use crate::group::{
    GROUPS_MAX, Group, GroupTag, HealthCheck, MaintenancePolicy, Process, SIZE_MAX, TAGS_MAX, TARGET_GROUPS_MAX, TemplateChoice,
    TerminationPolicy,
};
use crate::launch_configuration::{find_configuration, no_template};
use crate::lifecycle::LifecycleHook;
use crate::member::Member;
pub(crate) use crate::membership::replace_member;
use crate::notifications::Notification;
use crate::warm_pool::WarmPool;

/// What a request says about a group; what is absent stays as it is, or has AWS's default in a new group.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub template: Option<(ec2::TemplateName, Option<String>)>,
    /// A launch configuration in the place of a template.
    pub configuration: Option<String>,
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
    /// Empty takes it away.
    pub context: Option<String>,
    /// `Some(None)` takes it away.
    pub default_instance_warmup_s: Option<Option<u32>>,
    /// `Some(None)` takes it away.
    pub maintenance: Option<Option<MaintenancePolicy>>,
    /// Seconds; 0 takes it away.
    pub max_instance_lifetime_s: Option<u32>,
    /// Empty is the default one.
    pub service_linked_role: Option<String>,
}

/// The group of this name or ARN.
pub fn find_group<'a>(state: &'a State, name: &str) -> Result<&'a Group, Error> {
    find_present(state, name).and_then(|g| if g.deleting { Err(Error::NoGroup(g.name.clone())) } else { Ok(g) })
}

/// The same, also while it is being deleted.
pub(crate) fn find_present<'a>(state: &'a State, name: &str) -> Result<&'a Group, Error> {
    // An ARN ends with the name: `...:autoScalingGroupName/NAME`.
    let short = name.split_once(":autoScalingGroupName/").map_or(name, |(_, short)| short);
    let name = GroupName::from(short);
    state.get::<Group>(&name).ok_or(Error::NoGroup(name))
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
    let missing = |what: &str| Error::Invalid(format!("The request must contain the parameter {what}"));
    let min_size = change.min_size.ok_or_else(|| missing("MinSize"))?;
    let mut group = Group {
        max_size: change.max_size.ok_or_else(|| missing("MaxSize"))?,
        desired_capacity: change.desired_capacity.unwrap_or(min_size),
        ..new_group(cx, name.clone(), min_size)
    };
    if change.template.is_none() && change.configuration.is_none() {
        return Err(Error::Invalid(ONE_SOURCE.into()));
    }
    choose_source(tx, cx, &mut group, &change)?;
    if change.zones.is_none() && change.subnets.is_none() {
        return Err(Error::Invalid("At least one Availability Zone or VPC Subnet is required.".into()));
    }
    lay_over(tx, cx, &mut group, change)?;
    group.request = Some(text::created(cx.now, group.desired_capacity));
    check_sizes(&group)?;
    tx.put(group);
    set_tags(tx, &name, tags)?;
    attach_target_groups(tx, &name, &target_groups)?;
    Ok(name)
}

/// A group of a fixed size with AWS's defaults, without a place.
fn new_group(cx: &Cx, name: GroupName, size: u32) -> Group {
    let uuid = cx.rng().uuid();
    Group {
        arn: cx.scope.arn("autoscaling", format_args!("autoScalingGroup:{uuid}:autoScalingGroupName/{name}")),
        name,
        created_at: cx.now,
        template: no_template(),
        launch_configuration: None,
        min_size: size,
        max_size: size,
        desired_capacity: size,
        surplus: 0,
        zones: Vec::new(),
        subnets: Vec::new(),
        health_check: HealthCheck::Ec2,
        grace_s: 0,
        default_cooldown_s: 300,
        default_instance_warmup_s: None,
        maintenance: None,
        target_groups: Vec::new(),
        detaching: BTreeSet::new(),
        termination_policies: vec![TerminationPolicy::Default],
        protects_new: false,
        capacity_rebalance: false,
        suspended: BTreeMap::new(),
        tags: BTreeMap::new(),
        context: None,
        service_linked_role: default_role(cx),
        replacing: 0,
        max_instance_lifetime_s: None,
        deleting: false,
        drains: false,
        request: None,
        failing: BTreeMap::new(),
        failures: 0,
        last_failure: None,
    }
}

/// Changes a group; instances follow where the capacity or the zones change. Running ones keep their template.
pub fn update_group(tx: &mut Tx, cx: &Cx, name: &str, change: Change) -> Result<(), Error> {
    let mut group = find_group(tx, name)?.clone();
    let before = group.desired_capacity;
    if change.template.is_some() || change.configuration.is_some() {
        check_no_refresh(tx, &group)?;
        choose_source(tx, cx, &mut group, &change)?;
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
        return Err(Error::Invalid(format!(
            "New SetDesiredCapacity value {desired} is above max value {max} for the AutoScalingGroup."
        )));
    }
    if desired < min {
        return Err(Error::Invalid(format!(
            "New SetDesiredCapacity value {desired} is below min value {min} for the AutoScalingGroup."
        )));
    }
    if desired != before {
        group.desired_capacity = desired;
        group.request = Some(text::desired_set(cx.now, before, desired));
        tx.put(group);
    }
    Ok(())
}

/// Deletes a group at once when it has no instances, else when the last one is gone.
pub fn delete_group(tx: &mut Tx, cx: &Cx, name: &str, how: Deletion) -> Result<(), Error> {
    let group = find_group(tx, name)?.clone();
    let has_members = tx.rows_where::<Member>("group", &group.name).next().is_some();
    if how == Deletion::Empty {
        if has_members || group.desired_capacity > 0 {
            return Err(Error::GroupInUse);
        }
        if activity::under_way(tx, &group.name).next().is_some() {
            return Err(Error::ActivityInProgress);
        }
    }
    if !has_members {
        remove_group(tx, cx, &group.name);
        return Ok(());
    }
    let before = group.desired_capacity;
    if how == Deletion::Force {
        let ids: Vec<_> = tx.rows_where::<Member>("group", &group.name).map(|m| m.instance.clone()).collect();
        for id in ids {
            tx.update::<Member>(&id, |m| m.forced = true);
        }
    }
    tx.update::<Group>(&group.name, |g| {
        g.deleting = true;
        g.drains = how == Deletion::Drain;
        g.request = Some(match how {
            Deletion::Drain => text::updated(cx.now, (0, 0), before, 0),
            _ => text::deleted(cx.now, before),
        });
    });
    Ok(())
}

/// What becomes of instances when their group is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// There must be none.
    Empty,
    /// They end at once.
    Force,
    /// They finish their requests and end, as when the group is set to zero first. CloudFormation deletes so.
    Drain,
}

/// Forgets a group and its activities.
pub(crate) fn remove_group(tx: &mut Tx, cx: &Cx, name: &GroupName) {
    let activities: Vec<_> = tx.rows_where::<Activity>("group", name).map(|a| a.key.clone()).collect();
    for key in activities {
        tx.remove::<Activity>(&key);
    }
    crate::refresh::forget(tx, name);
    crate::policy::forget(tx, cx, name);
    crate::schedule::forget(tx, name);
    crate::group_metrics::forget(tx, name);
    forget_belongings(tx, name);
    crate::rolling::forget(tx, name);
    tx.remove::<Group>(name);
}

/// Forgets what a group had: its hooks, its warm pool and who was told of it.
fn forget_belongings(tx: &mut Tx, name: &GroupName) {
    let hooks: Vec<_> = tx.rows_where::<LifecycleHook>("group", name).map(Row::key).collect();
    for key in hooks {
        tx.remove::<LifecycleHook>(&key);
    }
    let notifications: Vec<_> = tx.rows_where::<Notification>("group", name).map(Row::key).collect();
    for key in notifications {
        tx.remove::<Notification>(&key);
    }
    tx.remove::<WarmPool>(name);
}

/// Attaches target groups; instances in service are registered with them.
pub fn attach_target_groups(tx: &mut Tx, name: &str, target_groups: &[TargetGroupArn]) -> Result<(), Error> {
    let group = find_group(tx, name)?.clone();
    for arn in target_groups {
        if !elb::is_target_group(tx, arn) {
            return Err(Error::Invalid(format!(
                "Provided Target Groups may not be valid. Please ensure they exist and try again. - {arn}"
            )));
        }
    }
    let mut all = group.target_groups;
    for arn in target_groups {
        if !all.contains(arn) {
            all.push(arn.clone());
        }
    }
    if all.len() > TARGET_GROUPS_MAX {
        return Err(Error::LimitExceeded(format!(
            "At most {TARGET_GROUPS_MAX} target groups can be attached to an AutoScalingGroup."
        )));
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

/// The launch template that a refresh is to bring, checked as one of a group is.
pub(crate) fn template_for(
    state: &State,
    cx: &Cx,
    name: &ec2::TemplateName,
    version: Option<String>,
) -> Result<TemplateChoice, Error> {
    let choice = template_choice(state, name, version)?;
    check_template(state, cx, name, choice.version.as_deref())?;
    Ok(choice)
}

/// What a refresh under way brings cannot be changed beside it ("UpdateAutoScalingGroup").
fn check_no_refresh(state: &State, group: &Group) -> Result<(), Error> {
    match crate::refresh::active(state, &group.name).filter(|r| r.desired.is_some()) {
        None => Ok(()),
        Some(_) => Err(Error::Invalid("An active instance refresh with a desired configuration exists. All configuration options derived from the desired configuration are not available for update while the instance refresh is active.".into())),
    }
}

const ONE_SOURCE: &str =
    "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.";

/// What new instances are launched from: a launch template or a launch configuration, the one taking the other's place.
fn choose_source(state: &State, cx: &Cx, group: &mut Group, change: &Change) -> Result<(), Error> {
    match (&change.template, &change.configuration) {
        (Some(_), Some(_)) => return Err(Error::Invalid(ONE_SOURCE.into())),
        (Some((template, version)), None) => {
            group.template = template_for(state, cx, template, version.clone())?;
            group.launch_configuration = None;
        }
        (None, Some(name)) => {
            group.launch_configuration = Some(find_configuration(state, name)?.name.clone());
            group.template = no_template();
        }
        (None, None) => {}
    }
    Ok(())
}

fn template_choice(state: &State, name: &ec2::TemplateName, version: Option<String>) -> Result<TemplateChoice, Error> {
    let template = ec2::find_template(state, name)?;
    ec2::version_number(state, template, version.as_deref())?;
    Ok(TemplateChoice { id: template.id.clone(), name: template.name.clone(), version: version.filter(|v| !v.is_empty()) })
}

/// Launches one in thought, as AWS does, so that a template that cannot work is refused now.
fn check_template(state: &State, cx: &Cx, template: &ec2::TemplateName, version: Option<&str>) -> Result<(), Error> {
    ec2::check_launch(state, cx, template, version)
        .map_err(|e| Error::Invalid(format!("You must use a valid fully-formed launch template. {}", Fault::from(e).message)))
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
    group.maintenance = change.maintenance.unwrap_or(group.maintenance);
    group.protects_new = change.protects_new.unwrap_or(group.protects_new);
    group.capacity_rebalance = change.capacity_rebalance.unwrap_or(group.capacity_rebalance);
    if let Some(policies) = change.termination_policies {
        group.termination_policies = if policies.is_empty() { vec![TerminationPolicy::Default] } else { policies };
    }
    if let Some(seconds) = change.max_instance_lifetime_s {
        group.max_instance_lifetime_s = lifetime(seconds)?;
    }
    if let Some(context) = change.context {
        group.context = Some(context).filter(|c| !c.is_empty());
    }
    if let Some(role) = change.service_linked_role {
        group.service_linked_role = if role.is_empty() { default_role(cx) } else { role };
    }
    Ok(())
}

fn default_role(cx: &Cx) -> String {
    cx.scope.global_arn("iam", "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
}

/// "Replace Auto Scaling instances based on maximum instance lifetime": a day to a year, or 0 for none.
fn lifetime(seconds: u32) -> Result<Option<u32>, Error> {
    match seconds {
        0 => Ok(None),
        86_400..=31_536_000 => Ok(Some(seconds)),
        _ => Err(Error::Invalid(format!(
            "MaxInstanceLifetime must be 0, or 86400 (one day) to 31536000 (one year) seconds, not {seconds}."
        ))),
    }
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
        let subnet =
            state.get::<ec2::Subnet>(id).ok_or_else(|| Error::Invalid(format!("The subnet ID '{id}' does not exist")))?;
        set.insert(subnet.zone.clone());
        vpcs.insert(&subnet.vpc);
    }
    if vpcs.len() > 1 {
        return Err(Error::Invalid("The subnets must all belong to the same VPC.".into()));
    }
    if let Some(other) = named.iter().find(|z| !set.contains(*z)) {
        return Err(Error::Invalid(format!(
            "The availability zones of the specified subnets and the Auto Scaling group do not match: {other}"
        )));
    }
    Ok(set.into_iter().collect())
}

fn check_sizes(group: &Group) -> Result<(), Error> {
    let (min, max, desired) = (group.min_size, group.max_size, group.desired_capacity);
    let text = if max > SIZE_MAX {
        format!("MaxSize must not be above {SIZE_MAX} in this region.")
    } else if min > max {
        format!("Max bound, {max}, must be greater than or equal to min bound, {min}")
    } else if !(min..=max).contains(&desired) {
        format!("Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}")
    } else {
        return Ok(());
    };
    Err(Error::Invalid(text))
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = (1..=255).contains(&name.chars().count()) && !name.contains([':', '/']) && !name.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(Error::Invalid(format!("Group name '{name}' must have 1 to 255 characters and neither ':' nor '/'.")))
    }
}
