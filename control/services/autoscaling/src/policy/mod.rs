//! Scaling policies: what they are, what they want, and how alarms set them off. It owns policies, the alarms of target
//! tracking ones and cooldowns; it changes a group's wanted capacity and never an instance.

mod act;
mod decide;
#[cfg(test)]
mod decide_tests;
mod fleet;
mod read;
mod row;
mod show;
mod tracking;

pub(crate) use decide::Adjustment;
pub(crate) use fleet::{cooling, metric_warmup_s};
pub(crate) use read::{Wish, check_target};
pub use row::Cooldown;
pub(crate) use row::{PolicyKey, Rule, ScalingPolicy};
pub(crate) use show::{alarms, show, shown_metric};
pub(crate) use tracking::target_group_of;

use base::{Fault, GroupName};
use kernel::{Cx, Registry, State, Tx};

use crate::error::Error;
use crate::forecast;
use crate::transitions::find_group;
use row::AlarmPair;

/// Most policies of a group ("Quotas for Auto Scaling resources and groups").
const POLICIES_MAX: usize = 50;

pub(crate) fn register(registry: &mut Registry) {
    registry.table::<ScalingPolicy>();
    registry.table::<Cooldown>();
    act::register(registry);
}

/// The policy of a name or an ARN; a name needs its group.
pub(crate) fn find<'a>(state: &'a State, group: Option<&str>, name: &str) -> Result<&'a ScalingPolicy, Error> {
    let none = || Error::Invalid(format!("PolicyName not found - No scaling policy found by this name: {name}"));
    if name.starts_with("arn:") {
        let found = state.rows_where::<ScalingPolicy>("arn", name).next();
        return found.filter(|p| group.is_none_or(|g| find_group(state, g).is_ok_and(|g| g.name == p.group))).ok_or_else(none);
    }
    let missing = || Error::Invalid("AutoScalingGroupName is required when PolicyName is not an ARN.".into());
    let group = find_group(state, group.ok_or_else(missing)?)?.name.clone();
    state.get::<ScalingPolicy>(&PolicyKey(group, name.into())).ok_or_else(none)
}

/// Makes a policy or changes the one of its name, which keeps its ARN.
pub(crate) fn put(tx: &mut Tx, cx: &Cx, wish: Wish) -> Result<ScalingPolicy, Fault> {
    let group = find_group(tx, &wish.group)?.name.clone();
    let key = PolicyKey(group.clone(), wish.name.clone());
    let old = tx.get::<ScalingPolicy>(&key).cloned();
    if old.is_none() && tx.count_where::<ScalingPolicy>("group", &group) >= POLICIES_MAX {
        return Err(Error::LimitExceeded(format!("At most {POLICIES_MAX} scaling policies are allowed for each group.")).into());
    }
    wish.check_against_others(tx, &group)?;
    let new_arn = || {
        let resource = format!("scalingPolicy:{}:autoScalingGroupName/{group}:policyName/{}", cx.rng().uuid(), wish.name);
        cx.scope.arn("autoscaling", resource)
    };
    let arn = old.as_ref().map_or_else(new_arn, |p| p.arn.clone());
    let mut policy =
        ScalingPolicy { group, name: wish.name, arn, enabled: wish.enabled, rule: wish.rule, warmup_s: wish.warmup_s };
    keep_alarm_names(cx, old.as_ref(), &mut policy);
    if let Some(old) = &old {
        let kept = own_alarms(&policy);
        let gone: Vec<String> = own_alarms(old).into_iter().filter(|name| !kept.contains(name)).collect();
        cloudwatch::alarm::delete(tx, cx, &gone);
        // What was forecast from other metrics or for another target is no forecast of this policy.
        if old.rule != policy.rule {
            forecast::forget(tx, &key);
        }
    }
    tx.put(policy.clone());
    tracking::put_alarms(tx, cx, &policy)?;
    Ok(policy)
}

fn own_alarms(policy: &ScalingPolicy) -> Vec<String> {
    match &policy.rule {
        Rule::TargetTrackingScaling { alarms, .. } => alarms.names(),
        _ => Vec::new(),
    }
}

/// A changed policy keeps its alarms under their names.
fn keep_alarm_names(cx: &Cx, old: Option<&ScalingPolicy>, policy: &mut ScalingPolicy) {
    let group = policy.group.clone();
    let Rule::TargetTrackingScaling { disable_scale_in, alarms, .. } = &mut policy.rule else { return };
    let fresh = tracking::new_pair(cx, &group, *disable_scale_in);
    *alarms = match old.map(|p| &p.rule) {
        Some(Rule::TargetTrackingScaling { alarms: kept, .. }) => {
            AlarmPair { high: kept.high.clone(), low: fresh.low.map(|low| kept.low.clone().unwrap_or(low)) }
        }
        _ => fresh,
    };
}

/// Deletes a policy and the alarms that it owns; those of a user stay.
pub(crate) fn delete(tx: &mut Tx, cx: &Cx, key: &PolicyKey) {
    if let Some(policy) = tx.remove::<ScalingPolicy>(key) {
        cloudwatch::alarm::delete(tx, cx, &own_alarms(&policy));
        forecast::forget(tx, key);
    }
}

/// Forgets everything of a group that is gone.
pub(crate) fn forget(tx: &mut Tx, cx: &Cx, group: &GroupName) {
    let keys: Vec<_> = tx.rows_where::<ScalingPolicy>("group", group).map(kernel::Row::key).collect();
    for key in keys {
        delete(tx, cx, &key);
    }
    tx.remove::<Cooldown>(group);
}

/// Runs a policy without an alarm ("ExecutePolicy").
pub(crate) fn execute(tx: &mut Tx, cx: &Cx, key: &PolicyKey, ask: Execution) -> Result<(), Error> {
    let gone = || Error::NoGroup(key.0.clone());
    let policy = tx.get::<ScalingPolicy>(key).cloned().ok_or_else(gone)?;
    let group = tx.get::<crate::group::Group>(&key.0).cloned().ok_or_else(gone)?;
    if !policy.enabled {
        return Err(Error::Invalid(format!("The scaling policy {} is disabled.", policy.name)));
    }
    let view = fleet::fleet(tx, &group, fleet::warmup_s(&group, &policy), cx.now);
    let (capacity, cooldown) = match (&policy.rule, ask) {
        (Rule::SimpleScaling { adjustment, by, min_magnitude, cooldown_s }, Execution::Simple { honor_cooldown }) => {
            if let Some(activity) = cooling(tx, &group.name, cx.now).filter(|_| honor_cooldown) {
                return Err(Error::Blocked(activity));
            }
            (decide::simple(view, *adjustment, *by, *min_magnitude), Some(cooldown_s.unwrap_or(group.default_cooldown_s)))
        }
        (Rule::StepScaling { adjustment, steps, min_magnitude, .. }, Execution::Step { difference }) => {
            let step = decide::step_of(steps, difference);
            let step = step.ok_or_else(|| Error::Invalid("No step adjustment found for the given metric value.".into()))?;
            (decide::step(view, *adjustment, step.by, *min_magnitude).unwrap_or(group.desired_capacity), None)
        }
        (rule, _) => {
            return Err(Error::Invalid(format!("ExecutePolicy is not supported for policy type {}.", rule.type_name())));
        }
    };
    if capacity != group.desired_capacity {
        let request = format!(
            "At {} a user request executed policy {} changing the desired capacity from {} to {capacity}.",
            cx.now.iso8601_s(),
            policy.name,
            group.desired_capacity
        );
        act::set_capacity(tx, cx, &group, capacity, request, cooldown);
    }
    Ok(())
}

/// What `ExecutePolicy` gives to a policy of each type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Execution {
    Simple {
        honor_cooldown: bool,
    },
    /// The metric's value less the breach threshold.
    Step {
        difference: f64,
    },
}
