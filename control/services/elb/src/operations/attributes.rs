use base::Fault;
use kernel::{Cx, Tx};
use shapes::elbv2 as s;

use crate::attribute;
use crate::{listener, load_balancer, target_group};

/// Names and values out of any of the three attribute shapes, and back.
macro_rules! pairs {
    (of $attributes:expr) => {
        $attributes
            .into_iter()
            .map(|a| (a.key.unwrap_or_default(), a.value.unwrap_or_default()))
            .collect::<Vec<(String, String)>>()
    };
    ($shape:ident of $pairs:expr) => {
        $pairs.into_iter().map(|(key, value)| s::$shape { key: Some(key), value: Some(value) }).collect()
    };
}

pub(super) fn of_load_balancer(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeLoadBalancerAttributesInput,
) -> Result<s::DescribeLoadBalancerAttributesOutput, Fault> {
    let all = attribute::all_of_load_balancer(load_balancer::find(tx, &input.load_balancer_arn)?);
    Ok(s::DescribeLoadBalancerAttributesOutput { attributes: pairs!(LoadBalancerAttribute of all) })
}

pub(super) fn modify_load_balancer(
    tx: &mut Tx,
    cx: &Cx,
    input: s::ModifyLoadBalancerAttributesInput,
) -> Result<s::ModifyLoadBalancerAttributesOutput, Fault> {
    load_balancer::set_attributes(tx, cx, &input.load_balancer_arn, &pairs!(of input.attributes))?;
    let all = attribute::all_of_load_balancer(load_balancer::find(tx, &input.load_balancer_arn)?);
    Ok(s::ModifyLoadBalancerAttributesOutput { attributes: pairs!(LoadBalancerAttribute of all) })
}

pub(super) fn of_target_group(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeTargetGroupAttributesInput,
) -> Result<s::DescribeTargetGroupAttributesOutput, Fault> {
    let all = attribute::all_of_target_group(target_group::find(tx, &input.target_group_arn)?);
    Ok(s::DescribeTargetGroupAttributesOutput { attributes: pairs!(TargetGroupAttribute of all) })
}

pub(super) fn modify_target_group(
    tx: &mut Tx,
    cx: &Cx,
    input: s::ModifyTargetGroupAttributesInput,
) -> Result<s::ModifyTargetGroupAttributesOutput, Fault> {
    target_group::set_attributes(tx, cx, &input.target_group_arn, &pairs!(of input.attributes))?;
    let all = attribute::all_of_target_group(target_group::find(tx, &input.target_group_arn)?);
    Ok(s::ModifyTargetGroupAttributesOutput { attributes: pairs!(TargetGroupAttribute of all) })
}

pub(super) fn of_listener(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeListenerAttributesInput,
) -> Result<s::DescribeListenerAttributesOutput, Fault> {
    let all = attribute::all_of_listener(listener::find(tx, &input.listener_arn)?);
    Ok(s::DescribeListenerAttributesOutput { attributes: pairs!(ListenerAttribute of all) })
}

pub(super) fn modify_listener(
    tx: &mut Tx,
    _: &Cx,
    input: s::ModifyListenerAttributesInput,
) -> Result<s::ModifyListenerAttributesOutput, Fault> {
    listener::set_attributes(tx, &input.listener_arn, &pairs!(of input.attributes))?;
    let all = attribute::all_of_listener(listener::find(tx, &input.listener_arn)?);
    Ok(s::ModifyListenerAttributesOutput { attributes: pairs!(ListenerAttribute of all) })
}
