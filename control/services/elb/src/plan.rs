//! What the edge shall serve, as a pure function of the rows.

use std::collections::BTreeSet;

use base::{LoadBalancerArn, TargetGroupArn};
use kernel::State;
use world::{BalancerKind, FlowAttributes, HttpAttributes, MinimumHealthy, Protocol, ProtocolVersion, Target, TargetMode};

use crate::attribute;
use crate::listener::Listener;
use crate::load_balancer::LoadBalancer;
use crate::target::Registration;
use crate::target_group::TargetGroup;

/// The load balancer as the world shall have it, everything in a fixed order; none when there is no such.
pub(crate) fn plan(state: &State, arn: &LoadBalancerArn) -> Option<world::LoadBalancer> {
    let balancer = state.get::<LoadBalancer>(arn)?;
    let rows: Vec<&Listener> = state.rows_where::<Listener>("load-balancer", arn).collect();
    let groups: BTreeSet<&TargetGroupArn> = rows.iter().flat_map(|l| l.groups()).collect();
    let is_on = |name| attribute::load_balancer(balancer, name) == "true";
    let ms = |name| attribute::seconds_as_ms(attribute::load_balancer(balancer, name));
    let mut listeners: Vec<world::Listener> = rows.iter().map(|l| listener(l)).collect();
    listeners.sort_by_key(|l| l.port);
    Some(world::LoadBalancer {
        id: balancer.arn.clone(),
        name: balancer.name.clone(),
        dns_name: balancer.dns_name.clone(),
        nodes: balancer
            .nodes
            .iter()
            .map(|n| world::Node { zone: n.zone.clone(), interface: n.interface.clone(), front: n.front })
            .collect(),
        listeners,
        target_groups: groups.into_iter().filter_map(|group| target_group(state, balancer, group)).collect(),
        idle_timeout_ms: ms("idle_timeout.timeout_seconds"),
        client_keep_alive_ms: ms("client_keep_alive.seconds"),
        kind: BalancerKind::Application,
        certificates: Vec::new(),
        trust_stores: Vec::new(),
        http: HttpAttributes::default(),
        access_log: None,
        connection_log: None,
        health_check_log: None,
        dualstack: false,
        cross_zone: true,
        preserve_host_header: is_on("routing.http.preserve_host_header.enabled"),
        drop_invalid_header_fields: is_on("routing.http.drop_invalid_header_fields.enabled"),
    })
}

fn listener(listener: &Listener) -> world::Listener {
    world::Listener {
        id: listener.arn.clone(),
        port: listener.port,
        protocol: Protocol::Http,
        tls: None,
        rules: Vec::new(),
        default_action: listener.default_action.clone(),
        server_header: true,
        answer_headers: Vec::new(),
        request_header_names: Vec::new(),
        tcp_idle_timeout_ms: None,
    }
}

fn target_group(state: &State, balancer: &LoadBalancer, arn: &TargetGroupArn) -> Option<world::TargetGroup> {
    let group = state.get::<TargetGroup>(arn)?;
    let mut targets: Vec<Target> =
        state.rows_where::<Registration>("group", arn).filter_map(|r| target(state, balancer, group, r)).collect();
    targets.sort_by(|a, b| a.key.cmp(&b.key));
    Some(world::TargetGroup {
        id: group.arn.clone(),
        protocol: Protocol::Http,
        algorithm: group.algorithm(),
        health_check: group.health_check.to_world(),
        deregistration_delay_ms: group.deregistration_delay_ms(),
        slow_start_ms: 0,
        version: ProtocolVersion::Http1,
        anomaly_mitigation: false,
        stickiness: None,
        cross_zone: true,
        dns_failover: MinimumHealthy::default(),
        fail_open: MinimumHealthy::default(),
        flow: FlowAttributes::default(),
        targets,
    })
}

/// A target in an enabled zone that there is something to send to.
fn target(state: &State, balancer: &LoadBalancer, group: &TargetGroup, registration: &Registration) -> Option<Target> {
    let place = registration.place_in(state, group)?;
    if !balancer.nodes.iter().any(|n| n.zone == place.zone) {
        return None;
    }
    Some(Target {
        key: registration.target.clone(),
        generation: registration.generation,
        address: place.address,
        zone: place.zone.into(),
        mode: registration.draining_until.map_or(TargetMode::Active, |until| TargetMode::Draining { until }),
    })
}
