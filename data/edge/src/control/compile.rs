//! From a load balancer's wanted configuration to what workers route by. Refuses what this edge cannot serve, in words
//! that a user can act on.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::sync::Arc;

use base::NetworkInterfaceId;
use world::{
    Action, BalancerKind, HealthCheckPort, Listener, LoadBalancer, Protocol, Stickiness, Target, TargetGroup, TargetKey,
};

use super::doors::Wanted;
use crate::flow::compile as flow;
use crate::route::cookie::Sealer;
use crate::route::{Route, RulesCache};
use crate::snapshot::Balancer;

/// Most targets of a load balancer ("ELB User Guide, Quotas": 1,000 by default; more on request).
const TARGETS_MAX: usize = 10_000;

/// The shared front door of load balancers that are `dualstack`.
pub const FRONT_DOOR_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Whether this load balancer can be served here; the reason if not.
pub fn check(balancer: &LoadBalancer, sealer: &Arc<Sealer>, rules: &mut RulesCache) -> Result<(), String> {
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
    crate::log::check(balancer)?;
    balancer.target_groups.iter().try_for_each(|group| check_group(balancer.kind, group))?;
    if balancer.kind == BalancerKind::Network {
        return balancer.listeners.iter().try_for_each(|listener| flow::check_listener(balancer, listener));
    }
    balancer.listeners.iter().try_for_each(|listener| {
        if !matches!(listener.protocol, Protocol::Http | Protocol::Https) {
            return Err(format!(
                "the listener on port {} is {:?}, which takes a network load balancer",
                listener.port, listener.protocol
            ));
        }
        check_actions(listener, balancer)?;
        Route::compile(listener, rules.rules(listener)?, sealer, &|_| None).map(|_| ())
    })
}

fn check_group(kind: BalancerKind, group: &TargetGroup) -> Result<(), String> {
    let check = &group.health_check;
    if check.enabled && !is_http(check.protocol) && check.protocol != Protocol::Tcp {
        return Err(format!("{} is to be checked by {:?}, which nobody can", group.id, check.protocol));
    }
    if check.interval_ms == 0 || check.timeout_ms == 0 || check.healthy_threshold == 0 || check.unhealthy_threshold == 0 {
        return Err(format!("the health check of {} has a zero in it", group.id));
    }
    let has_path = check.protocol != Protocol::Tcp;
    if has_path && (!check.path.starts_with('/') || check.path.bytes().any(|b| !(0x21..0x7f).contains(&b))) {
        return Err(format!("the health check of {} has no valid path", group.id));
    }
    if kind == BalancerKind::Network {
        return flow::check_group(group);
    }
    if !is_http(group.protocol) {
        return Err(format!("{} is of {:?}, which takes a network load balancer", group.id, group.protocol));
    }
    match &group.stickiness {
        Some(Stickiness::SourceIp) => {
            Err(format!("{} is sticky by source address, which takes a network load balancer", group.id))
        }
        Some(Stickiness::ApplicationCookie { name, .. }) if name.is_empty() || name.starts_with("AWSALB") => {
            Err(format!("{} is sticky by the cookie {name:?}, which an application cannot set", group.id))
        }
        _ => Ok(()),
    }
}

fn is_http(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Http | Protocol::Https)
}

/// Every group that a listener forwards to is there.
fn check_actions(listener: &Listener, balancer: &LoadBalancer) -> Result<(), String> {
    let actions = listener.rules.iter().map(|rule| &rule.action).chain([&listener.default_action]);
    let groups = actions.filter_map(|a| if let Action::Forward { groups, .. } = a { Some(groups) } else { None }).flatten();
    match groups.map(|w| &w.group).find(|wanted| !balancer.target_groups.iter().any(|g| g.id == **wanted)) {
        Some(unknown) => Err(format!("a listener forwards to {unknown}, which is not among its target groups")),
        None => Ok(()),
    }
}

/// Its own addresses, with the number of the node that each stands for, and those that all share, which stand for all nodes.
pub fn front_addresses(balancer: &LoadBalancer, front_door: Ipv4Addr) -> impl Iterator<Item = (Option<usize>, IpAddr)> {
    let own = balancer.nodes.iter().enumerate().map(|(number, node)| (Some(number), IpAddr::V4(node.front)));
    let v6 = balancer.dualstack.then_some((None, FRONT_DOOR_V6));
    own.chain([(None, IpAddr::V4(front_door))]).chain(v6)
}

/// All addresses on which it is to be reached.
pub fn wanted_doors(balancer: &LoadBalancer, front_door: Ipv4Addr) -> impl Iterator<Item = Wanted> {
    let addresses = move || front_addresses(balancer, front_door).map(|(_, address)| address);
    balancer.listeners.iter().flat_map(move |l| addresses().map(|a| (a, l.port)))
}

pub fn compile_balancer(balancer: &LoadBalancer) -> Balancer {
    Balancer {
        dns_name: balancer.dns_name.to_ascii_lowercase(),
        idle_timeout_ms: balancer.idle_timeout_ms,
        client_keep_alive_ms: balancer.client_keep_alive_ms,
        preserve_host: balancer.preserve_host_header,
        drop_invalid: balancer.drop_invalid_header_fields,
        http: balancer.http.clone(),
    }
}

/// The interface from which a target is reached: the one in its zone, or else the first.
pub fn interface_towards(balancer: &LoadBalancer, target: &Target) -> Option<NetworkInterfaceId> {
    let in_zone = balancer.nodes.iter().find(|n| n.zone == target.zone);
    in_zone.or(balancer.nodes.first()).map(|n| n.interface.clone())
}

/// Where a target's health is checked.
pub fn check_address(group: &TargetGroup, target: &TargetKey, address: Ipv4Addr) -> SocketAddrV4 {
    let port = match group.health_check.port {
        HealthCheckPort::Traffic => target.port,
        HealthCheckPort::Port(port) => port,
    };
    SocketAddrV4::new(address, port)
}
