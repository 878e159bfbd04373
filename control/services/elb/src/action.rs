//! Actions of listeners and rules: from and to the API's shape.

use base::TargetGroupArn;
use shapes::elbv2 as s;
use world::{Action, WeightedGroup};

use crate::error::Error;

const WEIGHT_MAX: i64 = 999;
/// "Quotas for your Application Load Balancers", and those for Network Load Balancers: target groups an action.
pub(crate) const GROUPS_MAX: usize = 5;
/// "Sticky sessions for your Application Load Balancer": one second to seven days.
const STICKY_S: (i64, i64) = (1, 604_800);
/// "ELB API Reference, RedirectActionConfig": of the host, the path and the query.
const REDIRECT_CHARS_MAX: usize = 128;
const BODY_BYTES_MAX: usize = 1_024;
const CONTENT_TYPES: [&str; 5] = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

fn invalid(text: String) -> Error {
    Error::Coded("InvalidLoadBalancerAction", text)
}

/// What was given as the order of the one action: AWS shows it again, and nothing where nothing was given.
pub(crate) fn order_of(actions: &[s::Action]) -> Option<i64> {
    actions.first()?.order
}

/// The one action that ends a rule, as the edge can compile it. Those before it would authenticate users, which this region
/// does not do.
pub(crate) fn of_shapes(actions: Vec<s::Action>) -> Result<Action, Error> {
    let names = ["authenticate-oidc", "authenticate-cognito", "jwt-validation"];
    if let Some(action) = actions.iter().find(|a| names.contains(&a.r#type.as_str())) {
        let text = format!(
            "Actions of type '{}' are not supported in this region: use 'forward', 'redirect' or 'fixed-response'",
            action.r#type
        );
        return Err(Error::Unsupported(text));
    }
    let mut actions = actions.into_iter();
    let (Some(action), None) = (actions.next(), actions.next()) else {
        return Err(invalid("Exactly one action of type 'forward', 'redirect' or 'fixed-response' must be specified".into()));
    };
    check_configs(&action)?;
    let action = match action.r#type.as_str() {
        "forward" => forward(action),
        "fixed-response" => fixed_response(action.fixed_response_config),
        "redirect" => redirect(action.redirect_config),
        other => {
            let values = "[forward, authenticate-oidc, authenticate-cognito, redirect, fixed-response]";
            Err(Error::Validation(format!("Action type '{other}' must be one of {values}")))
        }
    }?;
    action.check().map_err(|unfit| invalid(unfit.to_string()))?;
    Ok(action)
}

/// An action has the configuration of its own type only.
fn check_configs(action: &s::Action) -> Result<(), Error> {
    let configs = [
        ("forward", "TargetGroupArn", action.target_group_arn.is_some()),
        ("forward", "ForwardConfig", action.forward_config.is_some()),
        ("redirect", "RedirectConfig", action.redirect_config.is_some()),
        ("fixed-response", "FixedResponseConfig", action.fixed_response_config.is_some()),
    ];
    match configs.iter().find(|(of, _, given)| *given && *of != action.r#type) {
        Some((_, name, _)) => Err(invalid(format!("{name} cannot be specified for an action of type '{}'", action.r#type))),
        None => Ok(()),
    }
}

fn forward(action: s::Action) -> Result<Action, Error> {
    let config = action.forward_config.unwrap_or_default();
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
            return Err(invalid(text.into()));
        }
        (true, None) => return Err(Error::Validation("A target group ARN must be specified for a forward action".into())),
        _ => {}
    }
    if groups.len() > GROUPS_MAX {
        let text = format!("A forward action has at most {GROUPS_MAX} target groups");
        return Err(Error::TooMany("TooManyTargetGroups", text));
    }
    let distinct: std::collections::BTreeSet<_> = groups.iter().map(|g| &g.group).collect();
    if distinct.len() != groups.len() {
        return Err(Error::Validation("A forward action must not name a target group twice".into()));
    }
    Ok(Action::Forward { groups, sticky_ms: stickiness(config.target_group_stickiness_config)? })
}

fn stickiness(config: Option<s::TargetGroupStickinessConfig>) -> Result<Option<u64>, Error> {
    let config = config.unwrap_or_default();
    let (least, most) = STICKY_S;
    let seconds = match config.duration_seconds {
        Some(seconds) if !(least..=most).contains(&seconds) => {
            let text = format!("Target group stickiness duration '{seconds}' must be between {least} and {most} seconds");
            return Err(Error::Validation(text));
        }
        seconds => seconds,
    };
    match (config.enabled == Some(true), seconds) {
        (false, _) => Ok(None),
        (true, Some(seconds)) => Ok(Some(seconds.unsigned_abs() * 1_000)),
        (true, None) => Err(Error::Validation("Target group stickiness needs DurationSeconds when it is enabled".into())),
    }
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

/// "Listener rules for your Application Load Balancer, Redirect actions".
fn redirect(config: Option<s::RedirectActionConfig>) -> Result<Action, Error> {
    let config = config.ok_or_else(|| Error::Validation("A redirect action needs a RedirectConfig".into()))?;
    let part = |given: Option<String>, default: &str| given.filter(|v| !v.is_empty()).unwrap_or_else(|| default.into());
    let protocol = part(config.protocol, "#{protocol}");
    if !matches!(protocol.as_str(), "HTTP" | "HTTPS" | "#{protocol}") {
        return Err(invalid(format!("Redirect protocol '{protocol}' must be one of 'HTTP', 'HTTPS', '#{{protocol}}'")));
    }
    let port = part(config.port, "#{port}");
    let path = part(config.path, "/#{path}");
    if !path.starts_with('/') {
        return Err(invalid(format!("Redirect path '{path}' must begin with '/'")));
    }
    // An empty query takes it away: it is not the same as none.
    let query = config.query.unwrap_or_else(|| "#{query}".into());
    if query.starts_with('?') {
        return Err(invalid(format!("Redirect query '{query}' must not begin with '?'")));
    }
    let host = part(config.host, "#{host}");
    for text in [&host, &path, &query] {
        if text.chars().count() > REDIRECT_CHARS_MAX {
            return Err(Error::Validation(format!("Redirect value '{text}' must have at most {REDIRECT_CHARS_MAX} characters")));
        }
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
        if !is_plain || !placeholders_are_known(text) {
            return Err(invalid(format!(
                "Redirect value '{text}' may have printable ASCII characters and the keywords #{{protocol}}, #{{host}}, #{{port}}, #{{path}} and #{{query}}"
            )));
        }
    }
    let status = match config.status_code.as_str() {
        "HTTP_301" => 301,
        "HTTP_302" => 302,
        other => return Err(invalid(format!("Redirect status code '{other}' must be one of 'HTTP_301', 'HTTP_302'"))),
    };
    Ok(Action::Redirect { protocol, host, port, path, query, status })
}

fn placeholders_are_known(text: &str) -> bool {
    text.split("#{")
        .skip(1)
        .all(|rest| ["protocol}", "host}", "port}", "path}", "query}"].iter().any(|keyword| rest.starts_with(keyword)))
}

/// The groups that an action forwards to.
pub(crate) fn groups_of(action: &Action) -> impl Iterator<Item = &TargetGroupArn> {
    let groups = match action {
        Action::Forward { groups, .. } => groups.as_slice(),
        Action::FixedResponse { .. } | Action::Redirect { .. } => &[],
    };
    groups.iter().map(|g| &g.group)
}

/// Whether it divides requests among groups without keeping a client at the one that it drew.
pub(crate) fn divides(action: &Action) -> bool {
    matches!(action, Action::Forward { groups, sticky_ms: None } if groups.len() > 1)
}

/// The action as AWS shows it.
pub(crate) fn to_shape(action: &Action, order: Option<i64>) -> s::Action {
    let shape = match action {
        Action::Forward { groups, sticky_ms } => forward_shape(groups, *sticky_ms),
        Action::FixedResponse { status, content_type, body } => s::Action {
            r#type: "fixed-response".into(),
            fixed_response_config: Some(s::FixedResponseActionConfig {
                message_body: (!body.is_empty()).then(|| body.clone()),
                status_code: status.to_string(),
                content_type: content_type.clone(),
            }),
            ..Default::default()
        },
        Action::Redirect { protocol, host, port, path, query, status } => s::Action {
            r#type: "redirect".into(),
            redirect_config: Some(s::RedirectActionConfig {
                protocol: Some(protocol.clone()),
                port: Some(port.clone()),
                host: Some(host.clone()),
                path: Some(path.clone()),
                query: Some(query.clone()),
                status_code: format!("HTTP_{status}"),
            }),
            ..Default::default()
        },
    };
    s::Action { order, ..shape }
}

fn forward_shape(groups: &[WeightedGroup], sticky_ms: Option<u64>) -> s::Action {
    let tuple = |g: &WeightedGroup| s::TargetGroupTuple {
        target_group_arn: Some(g.group.to_string()),
        weight: Some(i64::from(g.weight)),
    };
    let stickiness = s::TargetGroupStickinessConfig {
        enabled: Some(sticky_ms.is_some()),
        duration_seconds: sticky_ms.and_then(|ms| i64::try_from(ms / 1_000).ok()),
    };
    s::Action {
        r#type: "forward".into(),
        target_group_arn: (groups.len() == 1).then(|| groups[0].group.to_string()),
        forward_config: Some(s::ForwardActionConfig {
            target_groups: groups.iter().map(tuple).collect(),
            target_group_stickiness_config: Some(stickiness),
        }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward_to(arn: &str) -> s::Action {
        s::Action { r#type: "forward".into(), target_group_arn: Some(arn.into()), ..Default::default() }
    }

    fn redirect_to(config: s::RedirectActionConfig) -> s::Action {
        let config = s::RedirectActionConfig { status_code: "HTTP_301".into(), ..config };
        s::Action { r#type: "redirect".into(), redirect_config: Some(config), ..Default::default() }
    }

    #[test]
    fn an_action_comes_back_as_it_was_given() {
        let https = s::RedirectActionConfig { protocol: Some("HTTPS".into()), port: Some("443".into()), ..Default::default() };
        let no_query =
            s::RedirectActionConfig { query: Some(String::new()), host: Some("new.#{host}".into()), ..Default::default() };
        let mut sticky = forward_to("arn:tg");
        let stickiness = s::TargetGroupStickinessConfig { enabled: Some(true), duration_seconds: Some(60) };
        sticky.forward_config =
            Some(s::ForwardActionConfig { target_group_stickiness_config: Some(stickiness), ..Default::default() });
        for shape in [forward_to("arn:tg"), sticky, redirect_to(https), redirect_to(no_query)] {
            let Ok(action) = of_shapes(vec![shape.clone()]) else { panic!("{shape:?} is refused") };
            assert_eq!(of_shapes(vec![to_shape(&action, None)]), Ok(action));
        }
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
        let oidc = s::Action { r#type: "authenticate-oidc".into(), ..Default::default() };
        assert!(matches!(of_shapes(vec![oidc, forward_to("a")]), Err(Error::Unsupported(_))));
    }

    #[test]
    fn a_redirect_must_lead_elsewhere() {
        let of = |protocol: &str, path: &str| {
            let config =
                s::RedirectActionConfig { protocol: Some(protocol.into()), path: Some(path.into()), ..Default::default() };
            of_shapes(vec![redirect_to(config)])
        };
        assert!(of("HTTPS", "/#{path}").is_ok() && of("#{protocol}", "/new/#{path}").is_ok());
        for (protocol, path) in [("#{protocol}", "/#{path}"), ("https", "/a"), ("HTTP", "a"), ("HTTP", "/#{pfad}")] {
            assert!(of(protocol, path).is_err(), "{protocol} {path}");
        }
        let query = s::RedirectActionConfig { query: Some("a=b".into()), ..Default::default() };
        let Err(Error::Coded(_, text)) = of_shapes(vec![redirect_to(query)]) else {
            panic!("another query does not lead elsewhere")
        };
        assert!(text.contains("creates a loop"), "{text}");
    }

    #[test]
    fn a_redirect_has_a_plain_port_and_bounded_parts() {
        let of = |port: &str, host: &str| {
            let config = s::RedirectActionConfig { port: Some(port.into()), host: Some(host.into()), ..Default::default() };
            of_shapes(vec![redirect_to(config)])
        };
        assert!(of("443", "example.com").is_ok() && of("#{port}", &"a".repeat(128)).is_ok());
        for (port, host) in [("+80", "example.com"), ("65536", "example.com"), ("0", "example.com"), ("80", &*"a".repeat(129))] {
            assert!(of(port, host).is_err(), "{port} {host}");
        }
    }
}
