use std::collections::{BTreeMap, BTreeSet};

use base::{ListenerArn, LoadBalancerArn, Tags, TargetGroupArn};
use kernel::{Cx, Row, State, Tx};
use serde::{Deserialize, Serialize};
use shapes::elbv2 as s;
use world::{Action, BalancerKind, Protocol};

use crate::arn::Named;
use crate::error::Error;
use crate::load_balancer::LoadBalancer;
use crate::rule::{self, Rule};
use crate::tls::{CERTIFICATES_MAX, Given as GivenTls, Tls};
use crate::{action, attribute, certificate, load_balancer, protocol, quota, tags, target_group};

/// "Quotas for your Application Load Balancers", and those for Network Load Balancers.
pub(crate) const LISTENERS_MAX: usize = 50;
/// Listeners of a load balancer that verify their clients' certificates: "Number of listeners using mTLS in verify mode, per load
/// balancer".
const VERIFYING_MAX: usize = 2;
/// Target groups that a load balancer's listeners and rules forward to.
pub(crate) const GROUPS_MAX: usize = 100;

/// A port on which a load balancer takes requests or connections, and what it does with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub arn: ListenerArn,
    pub load_balancer: LoadBalancerArn,
    pub port: u16,
    #[serde(default = "protocol::http")]
    pub protocol: Protocol,
    /// Of HTTPS and TLS listeners.
    #[serde(default)]
    pub tls: Option<Tls>,
    pub default_action: Action,
    /// The order that its action was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i64>,
    /// Attributes that differ from their defaults.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl Row for Listener {
    const TABLE: &'static str = "elb.listener";
    type Key = ListenerArn;
    fn key(&self) -> ListenerArn {
        self.arn.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("load-balancer", &self.load_balancer);
        for group in self.groups() {
            add("group", group);
        }
        for certificate in self.tls.iter().flat_map(Tls::certificates) {
            add("certificate", certificate);
        }
        if let Some(trust_store) = self.tls.as_ref().and_then(Tls::trust_store) {
            add("trust-store", trust_store);
        }
    }
}

impl Listener {
    /// The groups that its default action forwards to.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &TargetGroupArn> {
        action::groups_of(&self.default_action)
    }

    /// The ARN of its default rule.
    pub(crate) fn default_rule_arn(&self) -> String {
        // AWS gives the default rule an id of its own; ours is the listener's, mirrored.
        let id: String = self.arn.rsplit('/').next().unwrap_or_default().chars().rev().collect();
        format!("{}/{id}", self.arn.replacen(":listener/", ":listener-rule/", 1))
    }
}

pub(crate) fn find<'a>(state: &'a State, arn: &str) -> Result<&'a Listener, Error> {
    state.get::<Listener>(&arn.into()).ok_or_else(|| Named::Listener.missing(arn))
}

/// What a request says of a listener, whether it makes one or changes one.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) port: Option<i64>,
    pub(crate) protocol: Option<String>,
    pub(crate) tls: GivenTls,
    pub(crate) actions: Vec<s::Action>,
}

impl Given {
    pub(crate) fn of_create(input: &s::CreateListenerInput) -> Self {
        Self {
            port: input.port,
            protocol: input.protocol.clone(),
            tls: GivenTls {
                policy: input.ssl_policy.clone(),
                certificates: input.certificates.clone(),
                alpn: input.alpn_policy.clone(),
                mutual: input.mutual_authentication.clone(),
            },
            actions: input.default_actions.clone(),
        }
    }

    /// The listener as it is, with what is given here in place of its own ("ModifyListener": a protocol without TLS takes
    /// policy and certificates away).
    fn over(mut self, state: &State, old: &Listener) -> Self {
        self.port = self.port.or(Some(i64::from(old.port)));
        let name = self.protocol.get_or_insert_with(|| protocol::name(old.protocol).into());
        let keeps_tls = matches!(name.as_str(), "HTTPS" | "TLS");
        if let Some(tls) = old.tls.as_ref().filter(|_| keeps_tls).map(|tls| tls.to_given(state)) {
            self.tls.policy = self.tls.policy.filter(|p| !p.is_empty()).or(tls.policy);
            self.tls.mutual = self.tls.mutual.or(tls.mutual);
            if self.tls.certificates.is_empty() {
                self.tls.certificates = tls.certificates;
            }
            if self.tls.alpn.is_empty() {
                self.tls.alpn = tls.alpn;
            }
        }
        if self.actions.is_empty() {
            self.actions = vec![action::to_shape(&old.default_action, old.order)];
        }
        self
    }
}

/// What all that is given comes to, checked, apart from the port's being free.
fn settings(
    state: &State,
    balancer: &LoadBalancer,
    given: Given,
    old: Option<&Listener>,
) -> Result<(u16, Protocol, Option<Tls>, Action), Error> {
    let protocol = protocol::of_listener(balancer.kind, given.protocol.as_deref())?;
    let port = port(given.port.ok_or_else(|| Error::Validation("A port must be specified".into()))?)?;
    let tls = Tls::of(state, protocol, given.tls, old.and_then(|l| l.tls.as_ref()))?;
    let action = action::of_shapes(given.actions)?;
    if balancer.kind == BalancerKind::Network && !matches!(action, Action::Forward { sticky_ms: None, .. }) {
        let text = "Listeners of network load balancers only have actions of type 'forward', without stickiness";
        return Err(Error::Coded("InvalidLoadBalancerAction", text.into()));
    }
    check_groups(state, balancer, protocol, &action)?;
    if old.is_none_or(|old| old.default_action != action) {
        target_group::check_divided(state, &action)?;
    }
    Ok((port, protocol, tls, action))
}

/// A port of a request, 1 to 65535.
pub(crate) fn port(value: i64) -> Result<u16, Error> {
    let port = u16::try_from(value).ok().filter(|p| *p > 0);
    port.ok_or_else(|| Error::Validation(format!("Port '{value}' must be between 1 and 65535")))
}

/// Makes a listener, or finds the one that is so already (CreateListener: "This operation is idempotent [...]. If you attempt to
/// create multiple listeners with the same settings, each call succeeds").
pub(crate) fn create(tx: &mut Tx, cx: &Cx, balancer: &str, given: Given, tags: Tags) -> Result<ListenerArn, Error> {
    let balancer = load_balancer::find(tx, balancer)?.clone();
    let order = action::order_of(&given.actions);
    let (port, protocol, tls, default_action) = settings(tx, &balancer, given, None)?;
    if let Some(old) = at_port(tx, &balancer.arn, port) {
        let is_secure_so = match (&old.tls, &tls) {
            (Some(old), Some(new)) => old.is_as_asked(new),
            (old, new) => old == new,
        };
        let is_same = old.protocol == protocol && old.default_action == default_action && is_secure_so;
        return if is_same { Ok(old.arn.clone()) } else { Err(Error::DuplicateListener(balancer.arn)) };
    }
    if tx.count_where::<Listener>("load-balancer", &balancer.arn) >= LISTENERS_MAX {
        let text = format!("The maximum number of listeners has been reached on load balancer '{}'", balancer.arn);
        return Err(Error::TooMany("TooManyListeners", text));
    }
    check_verifying(tx, &balancer.arn, tls.as_ref(), None)?;
    let before = groups_of(tx, &balancer.arn);
    let resource = format!("listener/{}/{}", balancer.full_name(), cx.rng().hex(16));
    let arn = ListenerArn::from(cx.scope.arn("elasticloadbalancing", resource));
    let load_balancer = balancer.arn.clone();
    let attributes = BTreeMap::new();
    tx.put(Listener { arn: arn.clone(), load_balancer, port, protocol, tls, default_action, order, attributes });
    quota::check_added(tx, cx, &balancer.arn, &before)?;
    tags::add(tx, &arn, tags)?;
    Ok(arn)
}

/// Changes a listener; what is not given stays.
pub(crate) fn modify(tx: &mut Tx, cx: &Cx, arn: &str, given: Given) -> Result<(), Error> {
    let given = given.over(tx, find(tx, arn)?);
    set(tx, cx, arn, given)
}

/// Gives a listener exactly these settings, with defaults for what is not given. Its further certificates stay.
pub(crate) fn set(tx: &mut Tx, cx: &Cx, arn: &str, given: Given) -> Result<(), Error> {
    let mut listener = find(tx, arn)?.clone();
    let balancer = load_balancer::find(tx, &listener.load_balancer)?.clone();
    listener.order = action::order_of(&given.actions);
    let (port, protocol, tls, action) = settings(tx, &balancer, given, Some(&listener))?;
    if at_port(tx, &listener.load_balancer, port).is_some_and(|other| other.arn != listener.arn) {
        return Err(Error::DuplicateListener(balancer.arn));
    }
    for rule in tx.rows_where::<Rule>("listener", &listener.arn) {
        check_groups(tx, &balancer, protocol, &rule.action)?;
    }
    check_verifying(tx, &balancer.arn, tls.as_ref(), listener.tls.as_ref())?;
    let before = groups_of(tx, &balancer.arn);
    if protocol != listener.protocol {
        attribute::keep_of_listener(&mut listener.attributes, protocol);
    }
    (listener.port, listener.protocol, listener.tls, listener.default_action) = (port, protocol, tls, action);
    tx.put(listener);
    quota::check_added(tx, cx, &balancer.arn, &before)
}

/// Changes attributes; none when one of them is wrong.
pub(crate) fn set_attributes(tx: &mut Tx, arn: &str, wanted: &[(String, String)]) -> Result<(), Error> {
    let mut listener = find(tx, arn)?.clone();
    attribute::set_of_listener(&mut listener, wanted)?;
    tx.put(listener);
    Ok(())
}

/// Ends a listener with its rules; one that is not there has ended already.
pub(crate) fn delete(tx: &mut Tx, arn: &ListenerArn) -> Result<(), Error> {
    let rules: Vec<String> = tx.rows_where::<Rule>("listener", arn).map(Row::key).collect();
    for rule in rules {
        rule::delete(tx, &rule);
    }
    if let Some(default_rule) = tx.get::<Listener>(arn).map(Listener::default_rule_arn) {
        tags::set(tx, &default_rule, Tags::new());
    }
    tags::set(tx, arn, Tags::new());
    tx.remove::<Listener>(arn);
    Ok(())
}

/// No listener begins to verify its clients' certificates beside so many that do.
fn check_verifying(state: &State, balancer: &LoadBalancerArn, new: Option<&Tls>, old: Option<&Tls>) -> Result<(), Error> {
    let verifies = |tls: Option<&Tls>| tls.is_some_and(|tls| tls.trust_store().is_some());
    let rows = || state.rows_where::<Listener>("load-balancer", balancer);
    if !verifies(new) || verifies(old) || rows().filter(|l| verifies(l.tls.as_ref())).count() < VERIFYING_MAX {
        return Ok(());
    }
    let which = "listeners with mutual authentication in mode 'verify'";
    Err(Error::TooMany(
        "TooManyListeners",
        format!("The maximum number of {which} has been reached on load balancer '{balancer}'"),
    ))
}

fn at_port<'a>(state: &'a State, balancer: &LoadBalancerArn, port: u16) -> Option<&'a Listener> {
    state.rows_where::<Listener>("load-balancer", balancer).find(|l| l.port == port)
}

/// A stack never takes over a listener that is there already.
pub(crate) fn refuse_existing(state: &State, balancer: &str, port: Option<i64>) -> Result<(), Error> {
    let balancer = balancer.into();
    let port = port.and_then(|port| u16::try_from(port).ok());
    match port.and_then(|port| at_port(state, &balancer, port)) {
        Some(_) => Err(Error::DuplicateListener(balancer)),
        None => Ok(()),
    }
}

/// All groups that a load balancer's listeners and rules forward to.
pub(crate) fn groups_of(state: &State, balancer: &LoadBalancerArn) -> BTreeSet<TargetGroupArn> {
    let listeners = state.rows_where::<Listener>("load-balancer", balancer).flat_map(Listener::groups);
    let rules = state.rows_where::<Rule>("load-balancer", balancer).flat_map(Rule::groups);
    listeners.chain(rules).cloned().collect()
}

/// Every group exists, speaks what the listener can forward, lies in the load balancer's VPC and belongs to no other one.
pub(crate) fn check_groups(state: &State, balancer: &LoadBalancer, protocol: Protocol, action: &Action) -> Result<(), Error> {
    let named: Vec<&TargetGroupArn> = action::groups_of(action).collect();
    for arn in &named {
        let group = target_group::find(state, arn)?;
        protocol::check_pair(protocol, group.protocol, group.version)?;
        target_group::check_sticky(protocol, group)?;
        if group.vpc != balancer.vpc {
            let text = format!("The target group {arn} and the load balancer {} are in different VPCs", balancer.arn);
            return Err(Error::Unsupported(text));
        }
        if target_group::load_balancer_of(state, arn).is_some_and(|other| other != balancer.arn) {
            return Err(Error::GroupOfAnother(arn.to_string()));
        }
    }
    let mut all = groups_of(state, &balancer.arn);
    all.extend(named.into_iter().cloned());
    if all.len() > GROUPS_MAX {
        let text = format!("A load balancer forwards to at most {GROUPS_MAX} target groups");
        return Err(Error::TooMany("TooManyUniqueTargetGroupsPerLoadBalancer", text));
    }
    Ok(())
}

fn with_tls(state: &State, arn: &str) -> Result<(Listener, Tls), Error> {
    let listener = find(state, arn)?.clone();
    let none =
        || Error::Validation(format!("Certificates cannot be specified for {} listeners", protocol::name(listener.protocol)));
    let tls = listener.tls.clone().ok_or_else(none)?;
    Ok((listener, tls))
}

fn arns_of(certificates: Vec<s::Certificate>) -> Result<Vec<String>, Error> {
    if certificates.is_empty() {
        return Err(Error::Validation("A certificate must be specified".into()));
    }
    if certificates.iter().any(|c| c.is_default.is_some()) {
        return Err(Error::Validation("You cannot set the isDefault parameter for a certificate".into()));
    }
    Ok(certificates.into_iter().filter_map(|c| c.certificate_arn).collect())
}

/// Adds certificates for further names to the certificate list, the default one too if it is named.
pub(crate) fn add_certificates(tx: &mut Tx, arn: &str, certificates: Vec<s::Certificate>) -> Result<Vec<String>, Error> {
    let (mut listener, mut tls) = with_tls(tx, arn)?;
    let arns = arns_of(certificates)?;
    for arn in &arns {
        tls.add_to_list(certificate::check(tx, arn)?);
    }
    let others = tx.rows_where::<Listener>("load-balancer", &listener.load_balancer).filter(|l| l.arn != listener.arn);
    let further = |tls: &Tls| tls.certificate_list().len();
    if others.filter_map(|l| l.tls.as_ref()).map(further).sum::<usize>() + further(&tls) > CERTIFICATES_MAX {
        let text = format!("The maximum number of certificates has been reached for this load balancer: {CERTIFICATES_MAX}");
        return Err(Error::TooMany("TooManyCertificates", text));
    }
    listener.tls = Some(tls);
    tx.put(listener);
    Ok(arns)
}

/// Takes certificates off the certificate list. One that is only the default one cannot be taken away.
pub(crate) fn remove_certificates(tx: &mut Tx, arn: &str, certificates: Vec<s::Certificate>) -> Result<(), Error> {
    let (_, tls) = with_tls(tx, arn)?;
    let gone: Vec<String> = arns_of(certificates)?.iter().map(|arn| certificate::reference(tx, arn)).collect();
    let is_only_default = |default: &&String| gone.contains(default) && !tls.certificate_list().contains(default);
    if let Some(default) = tls.default_certificate().filter(is_only_default) {
        let default = certificate::arn_of(tx, default);
        let text = format!("The default certificate '{default}' of a listener cannot be removed");
        return Err(Error::Coded("OperationNotPermitted", text));
    }
    forget_certificates(tx, arn, &gone);
    Ok(())
}

/// Has none of these on the list of a listener, which may be gone, or without TLS by now.
pub(crate) fn forget_certificates(tx: &mut Tx, arn: &str, references: &[String]) {
    let Ok(mut listener) = find(tx, arn).cloned() else { return };
    if let Some(tls) = &mut listener.tls {
        tls.take_off_list(references);
        tx.put(listener);
    }
}
