//! Instance refreshes: start, look, cancel, roll back.

use std::cmp::Reverse;

use base::{Fault, GroupName};
use kernel::{Cx, Tx};
use shapes::autoscaling as s;

use super::cut;
use crate::error::Error;
use crate::group::{Group, TemplateChoice};
use crate::refresh::{self, Blocked, Preferences, Refresh};
use crate::transitions::{find_group, template_for};

/// "RefreshPreferences": the defaults and bounds of its members.
const MIN_HEALTHY_PERCENT: i64 = 90;
const DELAY_S_MAX: i64 = 172_800;
const CHECKPOINT_DELAY_S: i64 = 3_600;
const ALARMS_MAX: usize = 10;
const WARMUP_S_MAX: i64 = 172_800;

pub(crate) fn start(tx: &mut Tx, cx: &Cx, input: s::StartInstanceRefreshType) -> Result<s::StartInstanceRefreshAnswer, Fault> {
    let group = find_group(tx, &input.auto_scaling_group_name)?.clone();
    match input.strategy.as_deref() {
        None | Some("" | "Rolling") => {}
        Some("ReplaceRootVolume") => return Err(Error::Unsupported("The strategy ReplaceRootVolume".into()).into()),
        Some(other) => return Err(Error::Invalid(format!("Strategy must be Rolling, not '{other}'.")).into()),
    }
    let preferences = preferences(&group, input.preferences.unwrap_or_default())?;
    let desired = match input.desired_configuration {
        None => None,
        Some(configuration) => desired(tx, cx, configuration)?,
    };
    if preferences.auto_rollback && desired.is_none() {
        return Err(Error::Invalid("The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty. Set AutoRollback to false or specify a desired configuration and try again.".into()).into());
    }
    let missing = preferences.alarms.iter().find(|name| tx.get::<cloudwatch::Alarm>(name).is_none());
    if let Some(name) = missing {
        return Err(Error::Invalid(format!("The CloudWatch alarm '{name}' does not exist.")).into());
    }
    let id = refresh::start(tx, cx, &group, preferences, desired)?;
    Ok(s::StartInstanceRefreshAnswer { instance_refresh_id: Some(id) })
}

fn desired(tx: &Tx, cx: &Cx, configuration: s::DesiredConfiguration) -> Result<Option<TemplateChoice>, Error> {
    if configuration.mixed_instances_policy.is_some() {
        return Err(Error::Unsupported("A desired configuration with MixedInstancesPolicy".into()));
    }
    let Some(template) = configuration.launch_template else { return Ok(None) };
    let (name, version) = super::groups::template(template)?;
    template_for(tx, cx, &name, version).map(Some)
}

fn preferences(group: &Group, given: s::RefreshPreferences) -> Result<Preferences, Error> {
    let (min_healthy_percent, max_healthy_percent) = healthy(group, &given)?;
    let warmup = group.default_instance_warmup_s.unwrap_or(group.grace_s);
    let checkpoints = checkpoints(&given.checkpoint_percentages)?;
    let alarms = given.alarm_specification.map(|a| a.alarms).unwrap_or_default();
    if alarms.len() > ALARMS_MAX {
        return Err(Error::Invalid(format!("An instance refresh can have at most {ALARMS_MAX} alarms.")));
    }
    Ok(Preferences {
        min_healthy_percent,
        max_healthy_percent,
        // -1 takes the default back.
        warmup_s: match given.instance_warmup.filter(|s| *s != -1) {
            None => warmup,
            Some(seconds) => within("InstanceWarmup", seconds, 0, WARMUP_S_MAX)?,
        },
        checkpoints,
        checkpoint_delay_s: within("CheckpointDelay", given.checkpoint_delay.unwrap_or(CHECKPOINT_DELAY_S), 0, DELAY_S_MAX)?,
        skip_matching: given.skip_matching.unwrap_or(false),
        auto_rollback: given.auto_rollback.unwrap_or(false),
        protected: blocked("ScaleInProtectedInstances", given.scale_in_protected_instances.as_deref(), "Refresh")?,
        standby: blocked("StandbyInstances", given.standby_instances.as_deref(), "Terminate")?,
        bake_s: within("BakeTime", given.bake_time.unwrap_or(0), 0, DELAY_S_MAX)?,
        alarms,
    })
}

/// "Understand the default values for an instance refresh": the request's, the group's instance maintenance policy's, else 90
/// and 100 percent.
fn healthy(group: &Group, given: &s::RefreshPreferences) -> Result<(u32, u32), Error> {
    let policy = group.maintenance;
    if given.max_healthy_percentage.is_some() && given.min_healthy_percentage.is_none() {
        return Err(Error::Invalid("You must specify MinHealthyPercentage when you specify MaxHealthyPercentage.".into()));
    }
    let (default_min, default_max) = match policy {
        Some(policy) => (i64::from(policy.min_percent), i64::from(policy.max_percent)),
        None => (MIN_HEALTHY_PERCENT, 100),
    };
    let default_max = if given.min_healthy_percentage.is_some() { 100 } else { default_max };
    let min = within("MinHealthyPercentage", given.min_healthy_percentage.unwrap_or(default_min), 0, 100)?;
    let max = within("MaxHealthyPercentage", given.max_healthy_percentage.unwrap_or(default_max), 100, 200)?;
    if max - min > 100 {
        return Err(Error::Invalid(
            "The difference between MinHealthyPercentage and MaxHealthyPercentage cannot be greater than 100.".into(),
        ));
    }
    Ok((min, max))
}

fn checkpoints(given: &[i64]) -> Result<Vec<u32>, Error> {
    let all = given.iter().map(|p| within("CheckpointPercentages", *p, 1, 100)).collect::<Result<Vec<_>, _>>()?;
    if all.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Error::Invalid("CheckpointPercentages must be unique and in ascending order.".into()));
    }
    Ok(all)
}

fn blocked(parameter: &str, given: Option<&str>, replace: &str) -> Result<Blocked, Error> {
    match given {
        None | Some("" | "Wait") => Ok(Blocked::Wait),
        Some("Ignore") => Ok(Blocked::Ignore),
        Some(other) if other == replace => Ok(Blocked::Replace),
        Some(other) => Err(Error::Invalid(format!("{parameter} must be {replace}, Ignore or Wait, not '{other}'."))),
    }
}

fn within(parameter: &str, value: i64, min: i64, max: i64) -> Result<u32, Error> {
    let fits = (min..=max).contains(&value);
    u32::try_from(value)
        .ok()
        .filter(|_| fits)
        .ok_or_else(|| Error::Invalid(format!("{parameter} must be {min} to {max}, not {value}.")))
}

pub(crate) fn cancel(tx: &mut Tx, cx: &Cx, input: s::CancelInstanceRefreshType) -> Result<s::CancelInstanceRefreshAnswer, Fault> {
    let name = find_group(tx, &input.auto_scaling_group_name)?.name.clone();
    let id = refresh::cancel(tx, cx, &name, input.wait_for_transitioning_instances.unwrap_or(true))?;
    Ok(s::CancelInstanceRefreshAnswer { instance_refresh_id: Some(id) })
}

pub(crate) fn roll_back(
    tx: &mut Tx,
    cx: &Cx,
    input: s::RollbackInstanceRefreshType,
) -> Result<s::RollbackInstanceRefreshAnswer, Fault> {
    let name = find_group(tx, &input.auto_scaling_group_name)?.name.clone();
    let id = refresh::roll_back(tx, cx, &name)?;
    Ok(s::RollbackInstanceRefreshAnswer { instance_refresh_id: Some(id) })
}

/// Newest first, as AWS lists them.
pub(crate) fn describe(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeInstanceRefreshesType,
) -> Result<s::DescribeInstanceRefreshesAnswer, Fault> {
    let name: GroupName = find_group(tx, &input.auto_scaling_group_name)?.name.clone();
    let mut all: Vec<&Refresh> = tx
        .rows_where::<Refresh>("group", &name)
        .filter(|r| input.instance_refresh_ids.is_empty() || input.instance_refresh_ids.contains(&r.id))
        .collect();
    if let Some(unknown) = input.instance_refresh_ids.iter().find(|id| all.iter().all(|r| r.id != **id)) {
        return Err(Error::Invalid(format!("Instance Refresh ID '{unknown}' not found for Auto Scaling group {name}.")).into());
    }
    all.sort_by_key(|r| Reverse(&r.key));
    // A page's token names the first one on it, and the newest come first.
    let order = |r: &&Refresh| format!("{:020}", u64::MAX - sequence(r));
    let page = cut(all.into_iter(), order, input.next_token.as_deref(), input.max_records)?;
    Ok(s::DescribeInstanceRefreshesAnswer {
        instance_refreshes: page.items.into_iter().map(answer).collect(),
        next_token: page.next_token,
    })
}

fn sequence(refresh: &Refresh) -> u64 {
    refresh.key.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn answer(refresh: &Refresh) -> s::InstanceRefresh {
    let live = |percent: u32, remaining: u32| s::InstanceRefreshProgressDetails {
        live_pool_progress: Some(s::InstanceRefreshLivePoolProgress {
            percentage_complete: Some(percent.into()),
            instances_to_update: Some(remaining.into()),
        }),
        warm_pool_progress: (refresh.pool_total > 0).then(|| s::InstanceRefreshWarmPoolProgress {
            percentage_complete: Some(pool_percent(refresh)),
            instances_to_update: Some(refresh.pool_remaining.into()),
        }),
    };
    let started = refresh.status != refresh::RefreshStatus::Pending;
    s::InstanceRefresh {
        instance_refresh_id: Some(refresh.id.clone()),
        auto_scaling_group_name: Some(refresh.group.to_string()),
        status: Some(refresh.status.as_str().into()),
        status_reason: refresh.reason.clone(),
        start_time: Some(refresh.started_at),
        end_time: refresh.ended_at,
        percentage_complete: Some(refresh.percent.into()),
        instances_to_update: Some(refresh.remaining.into()),
        progress_details: started.then(|| live(refresh.percent, refresh.remaining)),
        preferences: Some(preferences_answer(&refresh.preferences)),
        desired_configuration: refresh.desired.as_ref().map(desired_answer),
        rollback_details: refresh.rollback.as_ref().map(|back| s::RollbackDetails {
            rollback_reason: Some(back.reason.clone()),
            rollback_start_time: Some(back.started_at),
            percentage_complete_on_rollback: Some(back.percent.into()),
            instances_to_update_on_rollback: Some(back.remaining.into()),
            progress_details_on_rollback: Some(live(back.percent, back.remaining)),
        }),
        strategy: Some("Rolling".into()),
    }
}

fn pool_percent(refresh: &Refresh) -> i64 {
    let done = refresh.pool_total.saturating_sub(refresh.pool_remaining);
    i64::from(done) * 100 / i64::from(refresh.pool_total.max(1))
}

fn desired_answer(template: &TemplateChoice) -> s::DesiredConfiguration {
    s::DesiredConfiguration {
        launch_template: Some(s::LaunchTemplateSpecification {
            launch_template_id: Some(template.id.to_string()),
            launch_template_name: Some(template.name.clone()),
            version: template.version.clone(),
        }),
        mixed_instances_policy: None,
    }
}

fn preferences_answer(preferences: &Preferences) -> s::RefreshPreferences {
    let blocked = |how: Blocked, replace: &str| match how {
        Blocked::Replace => replace.to_string(),
        Blocked::Ignore => "Ignore".into(),
        Blocked::Wait => "Wait".into(),
    };
    s::RefreshPreferences {
        min_healthy_percentage: Some(preferences.min_healthy_percent.into()),
        max_healthy_percentage: Some(preferences.max_healthy_percent.into()),
        instance_warmup: Some(preferences.warmup_s.into()),
        checkpoint_percentages: preferences.checkpoints.iter().map(|p| i64::from(*p)).collect(),
        checkpoint_delay: (!preferences.checkpoints.is_empty()).then(|| preferences.checkpoint_delay_s.into()),
        skip_matching: Some(preferences.skip_matching),
        auto_rollback: Some(preferences.auto_rollback),
        scale_in_protected_instances: Some(blocked(preferences.protected, "Refresh")),
        standby_instances: Some(blocked(preferences.standby, "Terminate")),
        alarm_specification: (!preferences.alarms.is_empty())
            .then(|| s::AlarmSpecification { alarms: preferences.alarms.clone() }),
        bake_time: (preferences.bake_s > 0).then(|| preferences.bake_s.into()),
    }
}
