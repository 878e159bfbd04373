//! What the edge shall serve, as a pure function of the rows: load balancers, and each of their targets by itself, so that one
//! that comes or goes costs the same beside ten and beside ten thousand others.

use std::collections::BTreeSet;

use base::{LoadBalancerArn, TargetGroupArn};
use kernel::State;
use world::{
    BalancerKind, DesyncMode, FlowAttributes, ForwardedFor, HttpAttributes, Protocol, RegisteredTarget, Target, TargetMode,
};

use crate::listener::{self, Listener};
use crate::load_balancer::LoadBalancer;
use crate::rule::Rule;
use crate::target::Registration;
use crate::target_group::{TargetGroup, load_balancer_of};
use crate::tls::Tls;
use crate::{attribute, certificate};

/// The load balancer as the world shall have it but for its targets, everything in a fixed order; none when there is no such.
pub(crate) fn plan(state: &State, arn: &LoadBalancerArn) -> Option<world::LoadBalancer> {
    let balancer = state.get::<LoadBalancer>(arn)?;
    let rows: Vec<&Listener> = state.rows_where::<Listener>("load-balancer", arn).collect();
    let mut listeners: Vec<world::Listener> = rows.iter().map(|l| listener(state, l)).collect();
    listeners.sort_by_key(|l| l.port);
    let tls = || rows.iter().filter_map(|l| l.tls.as_ref());
    let certificates: BTreeSet<&String> = tls().flat_map(Tls::certificates).collect();
    let trust_stores: BTreeSet<&String> = tls().filter_map(Tls::trust_store).collect();
    let groups = listener::groups_of(state, arn);
    let of = |name| attribute::load_balancer(balancer, name);
    // A network load balancer has neither: what the edge gets then has no meaning.
    let ms = |name, default| Some(attribute::seconds_as_ms(of(name))).filter(|ms| *ms > 0).unwrap_or(default);
    Some(world::LoadBalancer {
        id: balancer.arn.clone(),
        name: balancer.name.clone(),
        dns_name: balancer.dns_name.clone(),
        kind: balancer.kind,
        nodes: balancer
            .nodes
            .iter()
            .map(|n| world::Node { zone: n.zone.clone(), interface: n.interface.clone(), front: n.front })
            .collect(),
        listeners,
        target_groups: groups.iter().filter_map(|group| target_group(state, balancer, group)).collect(),
        certificates: certificates.into_iter().filter_map(|arn| certificate::certificate_of(state, arn)).collect(),
        trust_stores: trust_stores.into_iter().filter_map(|arn| certificate::trust_store_of(state, arn)).collect(),
        idle_timeout_ms: ms("idle_timeout.timeout_seconds", 60_000),
        client_keep_alive_ms: ms("client_keep_alive.seconds", 3_600_000),
        cross_zone: of("load_balancing.cross_zone.enabled") == "true",
        preserve_host_header: of("routing.http.preserve_host_header.enabled") == "true",
        drop_invalid_header_fields: of("routing.http.drop_invalid_header_fields.enabled") == "true",
        http: http(balancer),
        access_log: attribute::log_place(balancer, "access_logs"),
        connection_log: attribute::log_place(balancer, "connection_logs"),
        health_check_log: attribute::log_place(balancer, "health_check_logs"),
        dualstack: balancer.dualstack,
    })
}

fn http(balancer: &LoadBalancer) -> HttpAttributes {
    if balancer.kind == BalancerKind::Network {
        return HttpAttributes::default();
    }
    let of = |name| attribute::load_balancer(balancer, name);
    HttpAttributes {
        http2: of("routing.http2.enabled") == "true",
        desync: match of("routing.http.desync_mitigation_mode") {
            "monitor" => DesyncMode::Monitor,
            "strictest" => DesyncMode::Strictest,
            _ => DesyncMode::Defensive,
        },
        forwarded_for: match of("routing.http.xff_header_processing.mode") {
            "preserve" => ForwardedFor::Preserve,
            "remove" => ForwardedFor::Remove,
            _ => ForwardedFor::Append,
        },
        forwarded_client_port: of("routing.http.xff_client_port.enabled") == "true",
        tls_headers: of("routing.http.x_amzn_tls_version_and_cipher_suite.enabled") == "true",
    }
}

fn listener(state: &State, listener: &Listener) -> world::Listener {
    let mut rules: Vec<&Rule> = state.rows_where::<Rule>("listener", &listener.arn).collect();
    rules.sort_by_key(|rule| rule.priority);
    let is_tcp = listener.protocol == Protocol::Tcp;
    world::Listener {
        id: listener.arn.clone(),
        port: listener.port,
        protocol: listener.protocol,
        tls: listener.tls.as_ref().map(|tls| tls.to_world(state)),
        rules: rules.into_iter().map(rule).collect(),
        default_action: listener.default_action.clone(),
        server_header: attribute::listener(listener, "routing.http.response.server.enabled") != "false",
        answer_headers: attribute::answer_headers(listener),
        request_header_names: attribute::request_header_names(listener),
        tcp_idle_timeout_ms: is_tcp.then(|| attribute::seconds_as_ms(attribute::listener(listener, "tcp.idle_timeout.seconds"))),
    }
}

fn rule(rule: &Rule) -> world::ListenerRule {
    world::ListenerRule {
        id: rule.arn.clone(),
        priority: rule.priority,
        conditions: rule.conditions.clone(),
        transforms: rule.transforms.clone(),
        action: rule.action.clone(),
    }
}

/// Whether nodes send to targets of other zones: the group may say otherwise than its load balancer.
pub(crate) fn is_cross_zone(balancer: &LoadBalancer, group: &TargetGroup) -> bool {
    match attribute::target_group(group, "load_balancing.cross_zone.enabled") {
        "true" => true,
        "false" => false,
        _ => attribute::load_balancer(balancer, "load_balancing.cross_zone.enabled") == "true",
    }
}

fn target_group(state: &State, balancer: &LoadBalancer, arn: &TargetGroupArn) -> Option<world::TargetGroup> {
    let group = state.get::<TargetGroup>(arn)?;
    let of = |name| attribute::target_group(group, name);
    Some(world::TargetGroup {
        id: group.arn.clone(),
        protocol: group.protocol,
        version: group.version,
        algorithm: group.algorithm(),
        anomaly_mitigation: of("load_balancing.algorithm.anomaly_mitigation") == "on",
        health_check: group.health_check.to_world(group.probed()),
        deregistration_delay_ms: group.deregistration_delay_ms(),
        slow_start_ms: attribute::seconds_as_ms(of("slow_start.duration_seconds")),
        stickiness: group.stickiness(),
        cross_zone: is_cross_zone(balancer, group),
        dns_failover: attribute::minimum_healthy(group, "dns_failover"),
        fail_open: attribute::minimum_healthy(group, "unhealthy_state_routing"),
        flow: FlowAttributes {
            preserve_client: of("preserve_client_ip.enabled") == "true",
            proxy_protocol: of("proxy_protocol_v2.enabled") == "true",
            cut_at_deregistration: of("deregistration_delay.connection_termination.enabled") == "true",
            cut_when_unhealthy: of(attribute::UNHEALTHY_TERMINATION) == "true",
            unhealthy_draining_ms: attribute::seconds_as_ms(of(attribute::UNHEALTHY_DRAINING)),
        },
        targets: Vec::new(),
    })
}

/// A target as the world shall have it: one in an enabled zone of its group's load balancer that there is something to send to.
pub(crate) fn target(state: &State, registration: &Registration) -> Option<RegisteredTarget> {
    let group = state.get::<TargetGroup>(&registration.group)?;
    let balancer = state.get::<LoadBalancer>(&load_balancer_of(state, &registration.group)?)?;
    let place = registration.place_in(state, group)?;
    if !balancer.nodes.iter().any(|n| n.zone == place.zone) {
        return None;
    }
    let target = Target {
        key: registration.target.clone(),
        generation: registration.generation,
        address: place.address,
        zone: place.zone.into(),
        mode: registration.draining_until.map_or(TargetMode::Active, |until| TargetMode::Draining { until }),
    };
    Some(RegisteredTarget { load_balancer: balancer.arn.clone(), group: group.arn.clone(), target })
}
