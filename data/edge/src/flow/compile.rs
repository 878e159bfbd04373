//! What of a network load balancer can be served, and at which addresses. It decides by configurations alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use base::ListenerArn;
use world::{Action, BalancerKind, Listener, LoadBalancer, Protocol, Stickiness, TargetGroup, WeightedGroup};

use crate::control::FRONT_DOOR_V6;

/// "Quotas for your Network Load Balancers: target groups per listener rule action".
const GROUPS_MAX: usize = 5;

/// What a listener receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Tcp,
    Udp,
}

/// What a listener of this protocol receives.
pub fn transports(protocol: Protocol) -> &'static [Transport] {
    match protocol {
        Protocol::Http | Protocol::Https | Protocol::Tcp | Protocol::Tls => &[Transport::Tcp],
        Protocol::Udp => &[Transport::Udp],
        Protocol::TcpUdp => &[Transport::Tcp, Transport::Udp],
    }
}

/// Whether a listener of a network load balancer can be served; the reason if not.
pub fn check_listener(balancer: &LoadBalancer, listener: &Listener) -> Result<(), String> {
    let told = |why: String| Err(format!("the listener on port {} {why}", listener.port));
    if matches!(listener.protocol, Protocol::Http | Protocol::Https) {
        return told("is for HTTP, which takes an application load balancer".into());
    }
    let found = |weighted: &WeightedGroup| balancer.target_groups.iter().find(|g| g.id == weighted.group);
    let groups: Option<Vec<&TargetGroup>> = groups_of(listener).iter().map(found).collect();
    let is_one = |groups: &Vec<_>| (1..=GROUPS_MAX).contains(&groups.len()) && listener.rules.is_empty();
    let Some(groups) = groups.filter(is_one) else {
        return told(format!(
            "does not forward to one of its load balancer's target groups, or up to {GROUPS_MAX}, and nothing else"
        ));
    };
    if listener.protocol == Protocol::Tls && listener.tls.is_none() {
        return told("has no certificate".into());
    }
    let needs = transports(listener.protocol);
    let is_unfit = |group: &&&TargetGroup| !needs.iter().all(|transport| transports(group.protocol).contains(transport));
    if let Some(group) = groups.iter().find(is_unfit) {
        return told(format!("is {:?}, which {} of {:?} cannot take", listener.protocol, group.id, group.protocol));
    }
    Ok(())
}

/// Whether a target group of a network load balancer can be.
pub fn check_group(group: &TargetGroup) -> Result<(), String> {
    if matches!(group.protocol, Protocol::Http | Protocol::Https) {
        return Err(format!("{} is for HTTP, which takes an application load balancer", group.id));
    }
    if !matches!(group.stickiness, None | Some(Stickiness::SourceIp)) {
        return Err(format!("{} is sticky by a cookie, which takes an application load balancer", group.id));
    }
    Ok(())
}

/// The groups that a listener forwards to.
pub fn groups_of(listener: &Listener) -> &[WeightedGroup] {
    match &listener.default_action {
        Action::Forward { groups, sticky_ms: None } => groups,
        _ => &[],
    }
}

/// All listeners that want addresses which load balancers share. HTTP tells its hosts apart by name; what is below HTTP does
/// not, so a network load balancer has such an address only where nobody else wants it.
#[derive(Debug)]
pub struct Shared {
    front_door: Ipv4Addr,
    wanting: BTreeMap<(Transport, IpAddr, u16), Vec<ListenerArn>>,
}

impl Shared {
    pub fn of<'a>(balancers: impl Iterator<Item = &'a LoadBalancer>, front_door: Ipv4Addr) -> Self {
        let mut shared = Self { front_door, wanting: BTreeMap::new() };
        for balancer in balancers {
            for listener in &balancer.listeners {
                for (transport, address) in shared.common(balancer, listener) {
                    shared.wanting.entry((transport, address, listener.port)).or_default().push(listener.id.clone());
                }
            }
        }
        shared
    }

    fn common(&self, balancer: &LoadBalancer, listener: &Listener) -> Vec<(Transport, IpAddr)> {
        let v6 = balancer.dualstack.then_some(FRONT_DOOR_V6);
        let addresses = [IpAddr::V4(self.front_door)].into_iter().chain(v6);
        addresses.flat_map(|address| transports(listener.protocol).iter().map(move |t| (*t, address))).collect()
    }

    /// Another listener that wants what `listener` wants of a shared address.
    pub fn rival(&self, transport: Transport, address: IpAddr, listener: &Listener) -> Option<&ListenerArn> {
        self.wanting.get(&(transport, address, listener.port))?.iter().find(|other| **other != listener.id)
    }

    /// Where a listener of a network load balancer receives: the nodes that answer there, and the address.
    pub fn addresses(&self, balancer: &LoadBalancer, listener: &Listener, transport: Transport) -> Vec<(Vec<usize>, IpAddr)> {
        let own = balancer.nodes.iter().enumerate().map(|(index, node)| (vec![index], IpAddr::V4(node.front)));
        let all: Vec<usize> = (0..balancer.nodes.len()).collect();
        let common = self.common(balancer, listener).into_iter().filter(|(t, _)| *t == transport);
        let free = common.filter(|(_, address)| self.rival(transport, *address, listener).is_none());
        own.chain(free.map(|(_, address)| (all.clone(), address))).collect()
    }

    /// All addresses at which network load balancers receive.
    pub fn wanted<'a>(&self, balancers: impl Iterator<Item = &'a LoadBalancer>, transport: Transport) -> BTreeSet<(IpAddr, u16)> {
        let mut wanted = BTreeSet::new();
        for balancer in balancers.filter(|b| b.kind == BalancerKind::Network) {
            for listener in balancer.listeners.iter().filter(|l| transports(l.protocol).contains(&transport)) {
                let addresses = self.addresses(balancer, listener, transport);
                wanted.extend(addresses.into_iter().map(|(_, address)| (address, listener.port)));
            }
        }
        wanted
    }
}
