//! Scaling policies and their forecasts.

use base::{Fault, GroupName};
use kernel::{Cx, Registry, Row, Tx};
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use super::{cut, short_name};
use crate::error::Error;
use crate::forecast;
use crate::policy::{self, Adjustment, Execution, Rule, ScalingPolicy, Wish};
use crate::transitions::find_group;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::PutScalingPolicy>(put);
    registry.operation::<ops::DescribePolicies>(describe);
    registry.operation::<ops::DeletePolicy>(delete);
    registry.operation::<ops::ExecutePolicy>(execute);
    registry.operation::<ops::DescribeAdjustmentTypes>(adjustment_types);
    registry.operation::<ops::GetPredictiveScalingForecast>(forecast);
}

fn put(tx: &mut Tx, cx: &Cx, mut input: s::PutScalingPolicyType) -> Result<s::PolicyARNType, Fault> {
    input.auto_scaling_group_name = find_group(tx, &input.auto_scaling_group_name)?.name.to_string();
    let policy = policy::put(tx, cx, Wish::of(input)?)?;
    let alarms = if matches!(policy.rule, Rule::TargetTrackingScaling { .. }) { policy::alarms(tx, &policy) } else { Vec::new() };
    Ok(s::PolicyARNType { policy_arn: Some(policy.arn), alarms })
}

fn describe(tx: &mut Tx, _: &Cx, input: s::DescribePoliciesType) -> Result<s::PoliciesType, Fault> {
    const TYPES: [&str; 4] = ["SimpleScaling", "StepScaling", "TargetTrackingScaling", "PredictiveScaling"];
    if let Some(unknown) = input.policy_types.iter().find(|t| !TYPES.contains(&t.as_str())) {
        return Err(Error::Invalid(format!("Unsupported policy type: {unknown}.")).into());
    }
    let group: Option<GroupName> = input.auto_scaling_group_name.as_deref().map(short_name);
    let kept = tx
        .rows::<ScalingPolicy>()
        .filter(|p| group.as_ref().is_none_or(|g| *g == p.group))
        .filter(|p| input.policy_names.is_empty() || input.policy_names.iter().any(|n| *n == p.name || *n == p.arn))
        .filter(|p| input.policy_types.is_empty() || input.policy_types.iter().any(|t| t == p.rule.type_name()));
    let page = cut(kept, |p| format!("{}\0{}", p.group, p.name), input.next_token.as_deref(), input.max_records)?;
    let scaling_policies = page.items.into_iter().map(|p| policy::show(tx, p)).collect();
    Ok(s::PoliciesType { scaling_policies, next_token: page.next_token })
}

fn delete(tx: &mut Tx, cx: &Cx, input: s::DeletePolicyType) -> Result<(), Fault> {
    let key = policy::find(tx, input.auto_scaling_group_name.as_deref(), &input.policy_name)?.key();
    policy::delete(tx, cx, &key);
    Ok(())
}

fn execute(tx: &mut Tx, cx: &Cx, input: s::ExecutePolicyType) -> Result<(), Fault> {
    let found = policy::find(tx, input.auto_scaling_group_name.as_deref(), &input.policy_name)?;
    let is_step = matches!(found.rule, Rule::StepScaling { .. });
    // "ExecutePolicy": a step policy needs both numbers, and a cooldown is of simple policies alone.
    let ask = match (is_step, input.metric_value, input.breach_threshold) {
        (true, Some(value), Some(threshold)) if input.honor_cooldown != Some(true) => {
            Execution::Step { difference: value - threshold }
        }
        (true, Some(_), Some(_)) => {
            return Err(Error::Invalid("HonorCooldown is not supported for policy type StepScaling.".into()).into());
        }
        (true, ..) => {
            let text = "MetricValue and BreachThreshold are required to execute a policy of type StepScaling.";
            return Err(Error::Invalid(text.into()).into());
        }
        (false, None, None) => Execution::Simple { honor_cooldown: input.honor_cooldown.unwrap_or(false) },
        (false, ..) => {
            let text = format!("MetricValue and BreachThreshold are not supported for policy type {}.", found.rule.type_name());
            return Err(Error::Invalid(text).into());
        }
    };
    let key = found.key();
    Ok(policy::execute(tx, cx, &key, ask)?)
}

fn adjustment_types(_: &mut Tx, _: &Cx, (): ()) -> Result<s::DescribeAdjustmentTypesAnswer, Fault> {
    let one = |a: Adjustment| s::AdjustmentType { adjustment_type: Some(a.as_str().into()) };
    Ok(s::DescribeAdjustmentTypesAnswer { adjustment_types: Adjustment::ALL.map(one).into() })
}

fn forecast(
    tx: &mut Tx,
    cx: &Cx,
    input: s::GetPredictiveScalingForecastType,
) -> Result<s::GetPredictiveScalingForecastAnswer, Fault> {
    let key = policy::find(tx, Some(&input.auto_scaling_group_name), &input.policy_name)?.key();
    Ok(forecast::answer(tx, cx, &key, input.start_time, input.end_time)?)
}
