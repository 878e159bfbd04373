//! Actions of listeners: from and to the API's shape.

use shapes::elbv2 as s;
use world::{Action, WeightedGroup};

use crate::error::{Error, refuse};

const WEIGHT_MAX: i64 = 999;
const GROUPS_MAX: usize = 5;
const BODY_BYTES_MAX: usize = 1_024;
const CONTENT_TYPES: [&str; 5] = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

/// The one default action of a listener.
pub(crate) fn of_shapes(mut actions: Vec<s::Action>) -> Result<Action, Error> {
    let (Some(action), None) = (actions.pop(), actions.pop()) else {
        return Err(Error::Validation("A listener must have exactly one default action".into()));
    };
    match action.r#type.as_str() {
        "forward" => forward(action),
        "fixed-response" => fixed_response(action.fixed_response_config),
        "redirect" | "authenticate-oidc" | "authenticate-cognito" | "jwt-validation" => {
            let text = format!(
                "Actions of type '{}' are not supported in this region yet: use 'forward' or 'fixed-response'",
                action.r#type
            );
            Err(Error::Unsupported(text))
        }
        other => {
            let values = "[forward, authenticate-oidc, authenticate-cognito, redirect, fixed-response]";
            Err(Error::Validation(format!("Action type '{other}' must be one of {values}")))
        }
    }
}

fn forward(action: s::Action) -> Result<Action, Error> {
    let config = action.forward_config.unwrap_or_default();
    if let Some(stickiness) = &config.target_group_stickiness_config {
        refuse(&[("TargetGroupStickinessConfig", stickiness.enabled == Some(true))])?;
    }
    let mut groups = Vec::new();
    for tuple in config.target_groups {
        let weight = tuple.weight.unwrap_or(1);
        let Some(weight) = u32::try_from(weight).ok().filter(|_| weight <= WEIGHT_MAX) else {
            return Err(Error::Validation(format!("Target group weight '{weight}' must be between 0 and {WEIGHT_MAX}")));
        };
        groups.push(WeightedGroup { group: tuple.target_group_arn.unwrap_or_default().into(), weight });
    }
    match (groups.is_empty(), action.target_group_arn) {
        (true, Some(arn)) => groups.push(WeightedGroup { group: arn.into(), weight: 1 }),
        (false, Some(arn)) if groups.len() != 1 || groups[0].group.as_str() != arn => {
            let text = "You cannot specify both a target group ARN and a different list of target groups for a forward action";
            return Err(Error::Unsupported(text.into()));
        }
        (true, None) => return Err(Error::Validation("A target group ARN must be specified for a forward action".into())),
        _ => {}
    }
    if groups.len() > GROUPS_MAX {
        let text = format!("A forward action has at most {GROUPS_MAX} target groups");
        return Err(Error::TooMany("TooManyUniqueTargetGroupsPerLoadBalancer", text));
    }
    let distinct: std::collections::BTreeSet<_> = groups.iter().map(|g| &g.group).collect();
    if distinct.len() != groups.len() {
        return Err(Error::Validation("A forward action must not name a target group twice".into()));
    }
    Ok(Action::Forward { groups, sticky_ms: None })
}

fn fixed_response(config: Option<s::FixedResponseActionConfig>) -> Result<Action, Error> {
    let config = config.ok_or_else(|| Error::Validation("A fixed-response action needs a FixedResponseConfig".into()))?;
    let bytes = config.status_code.as_bytes();
    let status = config.status_code.parse::<u16>().ok().filter(|_| bytes.len() == 3 && matches!(bytes[0], b'2' | b'4' | b'5'));
    let Some(status) = status else {
        let text = format!("Fixed response status code '{}' must match ^(2|4|5)\\d\\d$", config.status_code);
        return Err(Error::Validation(text));
    };
    if let Some(content_type) = config.content_type.as_deref().filter(|t| !t.is_empty() && !CONTENT_TYPES.contains(t)) {
        let text = format!("Fixed response content type '{content_type}' must be one of {}", CONTENT_TYPES.join(", "));
        return Err(Error::Validation(text));
    }
    let body = config.message_body.unwrap_or_default();
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::Validation(format!("Fixed response message body must have at most {BODY_BYTES_MAX} characters")));
    }
    Ok(Action::FixedResponse { status, content_type: config.content_type.filter(|t| !t.is_empty()), body })
}

/// The action as AWS shows it.
pub(crate) fn to_shape(action: &Action) -> s::Action {
    match action {
        Action::Forward { groups, .. } => {
            let only = (groups.len() == 1).then(|| groups[0].group.to_string());
            let tuple = |g: &WeightedGroup| s::TargetGroupTuple {
                target_group_arn: Some(g.group.to_string()),
                weight: Some(i64::from(g.weight)),
            };
            let stickiness = s::TargetGroupStickinessConfig { enabled: Some(false), duration_seconds: None };
            s::Action {
                r#type: "forward".into(),
                target_group_arn: only,
                forward_config: Some(s::ForwardActionConfig {
                    target_groups: groups.iter().map(tuple).collect(),
                    target_group_stickiness_config: Some(stickiness),
                }),
                ..Default::default()
            }
        }
        Action::FixedResponse { status, content_type, body } => s::Action {
            r#type: "fixed-response".into(),
            fixed_response_config: Some(s::FixedResponseActionConfig {
                message_body: (!body.is_empty()).then(|| body.clone()),
                status_code: status.to_string(),
                content_type: content_type.clone(),
            }),
            ..Default::default()
        },
        Action::Redirect { .. } => s::Action { r#type: "redirect".into(), ..Default::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward_to(arn: &str) -> s::Action {
        s::Action { r#type: "forward".into(), target_group_arn: Some(arn.into()), ..Default::default() }
    }

    #[test]
    fn a_forward_action_comes_back_as_it_was_given() {
        let Ok(action) = of_shapes(vec![forward_to("arn:tg")]) else { panic!("a plain forward is refused") };
        let shape = to_shape(&action);
        assert_eq!(shape.target_group_arn.as_deref(), Some("arn:tg"));
        assert_eq!(of_shapes(vec![shape]), Ok(action));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let fixed = |code: &str| s::Action {
            r#type: "fixed-response".into(),
            fixed_response_config: Some(s::FixedResponseActionConfig { status_code: code.into(), ..Default::default() }),
            ..Default::default()
        };
        assert!(of_shapes(vec![fixed("503")]).is_ok());
        for code in ["302", "99", "2000", "x"] {
            assert!(of_shapes(vec![fixed(code)]).is_err(), "{code}");
        }
        assert!(of_shapes(Vec::new()).is_err());
        assert!(of_shapes(vec![forward_to("a"), forward_to("b")]).is_err());
        let redirect = s::Action { r#type: "redirect".into(), ..Default::default() };
        assert!(matches!(of_shapes(vec![redirect]), Err(Error::Unsupported(_))));
    }
}
