//! From a load balancer's wanted configuration to what workers route by. Refuses what this edge cannot serve, in words
//! that a user can act on.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use base::NetworkInterfaceId;
use world::{Action, HealthCheckPort, LoadBalancer, Protocol, Target, TargetGroup};

use super::doors::Wanted;
use crate::snapshot::{Balancer, Route};
use crate::target::Group;

/// Most targets of a load balancer ("ELB User Guide, Quotas": 1,000 by default; more on request).
const TARGETS_MAX: usize = 10_000;

/// Whether this load balancer can be served here; the reason if not.
pub fn check(balancer: &LoadBalancer) -> Result<(), String> {
    if balancer.nodes.is_empty() {
        return Err("it has no node in any zone".into());
    }
    if let Some(node) = balancer.nodes.iter().find(|n| !n.front.is_loopback()) {
        return Err(format!("{} of zone {} is no loopback address", node.front, node.zone));
    }
    let fronts: BTreeSet<Ipv4Addr> = balancer.nodes.iter().map(|n| n.front).collect();
    if fronts.len() != balancer.nodes.len() {
        return Err("two of its nodes have one address".into());
    }
    let ports: BTreeSet<u16> = balancer.listeners.iter().map(|l| l.port).collect();
    if ports.len() != balancer.listeners.len() || ports.contains(&0) {
        return Err("two of its listeners have one port, or one has port 0".into());
    }
    if balancer.idle_timeout_ms == 0 || balancer.client_keep_alive_ms == 0 {
        return Err("its idle timeout or keep-alive duration is zero".into());
    }
    if balancer.target_groups.iter().map(|g| g.targets.len()).sum::<usize>() > TARGETS_MAX {
        return Err(format!("it has more than {TARGETS_MAX} targets"));
    }
    balancer.target_groups.iter().try_for_each(check_group)?;
    balancer.listeners.iter().try_for_each(|listener| {
        if listener.protocol != Protocol::Http {
            return Err(format!(
                "the listener on port {} is {:?}, which this edge cannot serve yet",
                listener.port, listener.protocol
            ));
        }
        check_action(&listener.default_action, balancer)
    })
}

fn check_group(group: &TargetGroup) -> Result<(), String> {
    let check = &group.health_check;
    if group.protocol != Protocol::Http || (check.enabled && check.protocol != Protocol::Http) {
        return Err(format!("{} uses something else than HTTP towards its targets, which this edge cannot do yet", group.id));
    }
    if check.interval_ms == 0 || check.timeout_ms == 0 || check.healthy_threshold == 0 || check.unhealthy_threshold == 0 {
        return Err(format!("the health check of {} has a zero in it", group.id));
    }
    if !check.path.starts_with('/') || check.path.bytes().any(|b| !(0x21..0x7f).contains(&b)) {
        return Err(format!("the health check of {} has no valid path", group.id));
    }
    Ok(())
}

fn check_action(action: &Action, balancer: &LoadBalancer) -> Result<(), String> {
    match action {
        Action::FixedResponse { status, content_type, .. } => {
            if !(200..=599).contains(status) {
                return Err(format!("a fixed response cannot have status {status}"));
            }
            if content_type.as_ref().is_some_and(|t| t.bytes().any(|b| !(0x20..0x7f).contains(&b))) {
                return Err("a fixed response has an invalid content type".into());
            }
        }
        Action::Redirect { .. } => return Err("a listener redirects, which this edge cannot do yet".into()),
        Action::Forward { sticky_ms: Some(_), .. } => return Err("target group stickiness is not served yet".into()),
        Action::Forward { groups, .. } => {
            let unknown = groups.iter().find(|w| !balancer.target_groups.iter().any(|g| g.id == w.group));
            if let Some(unknown) = unknown {
                return Err(format!("a listener forwards to {}, which is not among its target groups", unknown.group));
            }
        }
    }
    Ok(())
}

/// All addresses on which it is to be reached.
pub fn wanted_doors(balancer: &LoadBalancer, front_door: Ipv4Addr) -> impl Iterator<Item = Wanted> {
    let addresses = move || balancer.nodes.iter().map(|n| n.front).chain([front_door]);
    balancer.listeners.iter().flat_map(move |l| addresses().map(|a| (a, l.port)))
}

pub fn compile_balancer(balancer: &LoadBalancer) -> Balancer {
    Balancer {
        dns_name: balancer.dns_name.to_ascii_lowercase(),
        idle_timeout_ms: balancer.idle_timeout_ms,
        client_keep_alive_ms: balancer.client_keep_alive_ms,
        preserve_host: balancer.preserve_host_header,
        drop_invalid: balancer.drop_invalid_header_fields,
    }
}

/// `group` finds a compiled group by its ARN.
pub fn compile_route(action: &Action, group: impl Fn(&str) -> Option<Arc<Group>>) -> Route {
    match action {
        Action::FixedResponse { status, content_type, body } => Route::Fixed {
            status: *status,
            content_type: content_type.clone().unwrap_or_else(|| "text/plain; charset=utf-8".into()),
            body: body.clone().into_bytes(),
        },
        Action::Redirect { .. } => Route::Forward { groups: Vec::new(), weights: 0 },
        Action::Forward { groups, .. } => {
            let groups: Vec<(Arc<Group>, u32)> = groups.iter().filter_map(|w| Some((group(&w.group)?, w.weight))).collect();
            Route::Forward { weights: groups.iter().map(|(_, weight)| weight).sum(), groups }
        }
    }
}

/// The interface from which a target is reached: the one in its zone, or else the first.
pub fn interface_towards(balancer: &LoadBalancer, target: &Target) -> Option<NetworkInterfaceId> {
    let in_zone = balancer.nodes.iter().find(|n| n.zone == target.zone);
    in_zone.or(balancer.nodes.first()).map(|n| n.interface.clone())
}

/// Where a target's health is checked.
pub fn check_address(group: &TargetGroup, target: &Target) -> SocketAddrV4 {
    let port = match group.health_check.port {
        HealthCheckPort::Traffic => target.key.port,
        HealthCheckPort::Port(port) => port,
    };
    SocketAddrV4::new(target.address, port)
}
