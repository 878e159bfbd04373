use base::Fault;
use kernel::{Cx, State, Tx};
use shapes::elbv2 as s;

use super::cut;
use crate::error::Error;
use crate::listener::{self, Given, Listener};
use crate::tls::{Given as GivenTls, Tls};
use crate::{action, load_balancer, protocol, tags};

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateListenerInput) -> Result<s::CreateListenerOutput, Fault> {
    let tags = tags::from_user(&input.tags)?;
    let arn = listener::create(tx, cx, &input.load_balancer_arn, Given::of_create(&input), tags)?;
    let shape = shape(tx, listener::find(tx, &arn)?);
    Ok(s::CreateListenerOutput { listeners: vec![shape] })
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
    let listeners = page.items.into_iter().map(|listener| shape(tx, listener)).collect();
    Ok(s::DescribeListenersOutput { listeners, next_marker: page.next_token })
}

fn shape(state: &State, listener: &Listener) -> s::Listener {
    let tls = listener.tls.as_ref();
    let is_https = listener.protocol == world::Protocol::Https;
    s::Listener {
        listener_arn: Some(listener.arn.to_string()),
        load_balancer_arn: Some(listener.load_balancer.to_string()),
        port: Some(i64::from(listener.port)),
        protocol: Some(protocol::name(listener.protocol).into()),
        certificates: tls.map(|tls| tls.certificate_shapes(state)).unwrap_or_default(),
        ssl_policy: tls.map(|tls| tls.policy.clone()),
        default_actions: vec![action::to_shape(&listener.default_action, listener.order)],
        alpn_policy: tls.and_then(|tls| tls.alpn.clone()).into_iter().collect(),
        mutual_authentication: tls.filter(|_| is_https).and_then(Tls::mutual_shape),
    }
}

pub(super) fn modify(tx: &mut Tx, cx: &Cx, input: s::ModifyListenerInput) -> Result<s::ModifyListenerOutput, Fault> {
    let given = Given {
        port: input.port,
        protocol: input.protocol,
        tls: GivenTls {
            policy: input.ssl_policy,
            certificates: input.certificates,
            alpn: input.alpn_policy,
            mutual: input.mutual_authentication,
        },
        actions: input.default_actions,
    };
    listener::modify(tx, cx, &input.listener_arn, given)?;
    let shape = shape(tx, listener::find(tx, &input.listener_arn)?);
    Ok(s::ModifyListenerOutput { listeners: vec![shape] })
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteListenerInput) -> Result<s::DeleteListenerOutput, Fault> {
    let arn = listener::find(tx, &input.listener_arn)?.arn.clone();
    listener::delete(tx, &arn)?;
    Ok(s::DeleteListenerOutput {})
}
