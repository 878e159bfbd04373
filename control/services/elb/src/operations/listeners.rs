use base::Fault;
use kernel::{Cx, Tx};
use shapes::elbv2 as s;

use super::{cut, only_http, port};
use crate::action;
use crate::error::{Error, refuse};
use crate::listener::{self, Listener};
use crate::load_balancer;
use crate::tags;

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateListenerInput) -> Result<s::CreateListenerOutput, Fault> {
    only_http(input.protocol.as_deref())?;
    refuse_tls(input.ssl_policy.as_ref(), &input.certificates, &input.alpn_policy, input.mutual_authentication.as_ref())?;
    let port = port(input.port.ok_or_else(|| Error::Validation("A port must be specified".into()))?)?;
    let action = action::of_shapes(input.default_actions)?;
    let tags = tags::from_user(&input.tags)?;
    let arn = listener::create(tx, cx, &input.load_balancer_arn, port, action, tags)?;
    let shape = shape(listener::find(tx, &arn)?);
    Ok(s::CreateListenerOutput { listeners: vec![shape] })
}

fn refuse_tls(
    policy: Option<&String>,
    certificates: &[s::Certificate],
    alpn: &[String],
    mutual: Option<&s::MutualAuthenticationAttributes>,
) -> Result<(), Error> {
    let is_mutual = mutual.is_some_and(|m| m.mode.as_deref().is_some_and(|mode| mode != "off"));
    refuse(&[
        ("SslPolicy", policy.is_some()),
        ("Certificates", !certificates.is_empty()),
        ("AlpnPolicy", !alpn.is_empty()),
        ("MutualAuthentication", is_mutual),
    ])
}

pub(super) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeListenersInput) -> Result<s::DescribeListenersOutput, Fault> {
    let mut rows: Vec<&Listener> = Vec::new();
    match (&input.load_balancer_arn, input.listener_arns.is_empty()) {
        (Some(arn), true) => {
            let balancer = load_balancer::find(tx, arn)?;
            rows.extend(tx.rows_where::<Listener>("load-balancer", &balancer.arn));
        }
        (None, false) => {
            for arn in &input.listener_arns {
                rows.push(listener::find(tx, arn)?);
            }
        }
        (Some(_), false) => {
            let text = "You cannot specify both a load balancer ARN and listener ARNs";
            return Err(Error::Validation(text.into()).into());
        }
        (None, true) => {
            return Err(Error::Validation("You must specify either listener ARNs or a load balancer ARN".into()).into());
        }
    }
    rows.sort_by(|a, b| a.arn.cmp(&b.arn));
    rows.dedup();
    let page = cut(rows, |l| l.arn.to_string(), input.marker.as_deref(), input.page_size)?;
    Ok(s::DescribeListenersOutput { listeners: page.items.into_iter().map(shape).collect(), next_marker: page.next_token })
}

fn shape(listener: &Listener) -> s::Listener {
    s::Listener {
        listener_arn: Some(listener.arn.to_string()),
        load_balancer_arn: Some(listener.load_balancer.to_string()),
        port: Some(i64::from(listener.port)),
        protocol: Some("HTTP".into()),
        default_actions: vec![action::to_shape(&listener.default_action)],
        ..Default::default()
    }
}

pub(super) fn modify(tx: &mut Tx, _: &Cx, input: s::ModifyListenerInput) -> Result<s::ModifyListenerOutput, Fault> {
    if input.protocol.is_some() {
        only_http(input.protocol.as_deref())?;
    }
    refuse_tls(input.ssl_policy.as_ref(), &input.certificates, &input.alpn_policy, input.mutual_authentication.as_ref())?;
    let port = input.port.map(port).transpose()?;
    let action = if input.default_actions.is_empty() { None } else { Some(action::of_shapes(input.default_actions)?) };
    listener::modify(tx, &input.listener_arn, port, action)?;
    let shape = shape(listener::find(tx, &input.listener_arn)?);
    Ok(s::ModifyListenerOutput { listeners: vec![shape] })
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteListenerInput) -> Result<s::DeleteListenerOutput, Fault> {
    let arn = listener::find(tx, &input.listener_arn)?.arn.clone();
    listener::delete(tx, &arn)?;
    Ok(s::DeleteListenerOutput {})
}

/// Listeners have their default rule only.
pub(super) fn describe_rules(tx: &mut Tx, _: &Cx, input: s::DescribeRulesInput) -> Result<s::DescribeRulesOutput, Fault> {
    let mut rows: Vec<&Listener> = Vec::new();
    match (&input.listener_arn, input.rule_arns.is_empty()) {
        (Some(arn), true) => rows.push(listener::find(tx, arn)?),
        (None, false) => {
            for arn in &input.rule_arns {
                let row = tx.rows::<Listener>().find(|l| l.default_rule_arn() == *arn);
                let none = || Fault::client("RuleNotFound", "One or more rules not found");
                rows.push(row.ok_or_else(none)?);
            }
        }
        _ => return Err(Error::Validation("You must specify either listener rule ARNs or a listener ARN".into()).into()),
    }
    let page = cut(rows, |l| l.arn.to_string(), input.marker.as_deref(), input.page_size)?;
    let rule = |l: &Listener| s::Rule {
        rule_arn: Some(l.default_rule_arn()),
        priority: Some("default".into()),
        actions: vec![action::to_shape(&l.default_action)],
        is_default: Some(true),
        ..Default::default()
    };
    Ok(s::DescribeRulesOutput { rules: page.items.into_iter().map(rule).collect(), next_marker: page.next_token })
}
