//! What is published: the snapshot that workers route by, and the report of where users reach it. It decides nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::ListenerArn;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::Instant;
use world::{BalancerKind, Listener, LoadBalancer, Protocol, RunPaths};

use super::compile;
use super::doors::Wanted;
use super::flows::OpenedDoors;
use super::{Control, Served};
use crate::EdgeError;
use crate::front::{FrontListener, FrontReport};
use crate::http::forward::ListenerHeaders;
use crate::route::Route;
use crate::snapshot::{Site, Snapshot};
use crate::target::{Group, Target};
use crate::tls::listener::{Front, Listener as SecureListener};
use crate::worker::Command;

/// Requests under way at a target that is gone from the configuration may take this long.
const REMOVED_GRACE: Duration = Duration::from_secs(10);
/// Flows to a target whose group has left the load balancer: "up to one hour while traffic continues" ("Update a listener for
/// your Network Load Balancer").
const LEFT_BEHIND_GRACE: Duration = Duration::from_secs(3_600);

impl Control {
    /// Opens books, logs and rules for the load balancers that there are now.
    pub(super) fn configure(&mut self) {
        self.traffic.configure(self.balancers.values().map(|served| &served.balancer));
        self.logs.configure(self.balancers.values().map(|served| &served.balancer));
        self.balancers.values().for_each(|served| self.targets.log_checks(&served.balancer, &self.logs));
        self.rules.borrow_mut().keep(self.balancers.values().flat_map(|served| &served.balancer.listeners));
        self.save_from = Instant::now();
    }

    /// Gives the workers the present configuration, and returns when all of them route by it.
    pub(super) async fn publish(&mut self, mut opened: OpenedDoors) -> Result<(), EdgeError> {
        if let Some(held) = &mut self.held {
            opened.hold_datagrams(held);
        }
        let snapshot = Arc::new(self.compile());
        let parts = opened.for_each(self.workers.len());
        let gone = || EdgeError::io("a worker")(io::ErrorKind::BrokenPipe.into());
        let mut answers = Vec::new();
        for (worker, (listeners, datagrams)) in self.workers.iter().zip(parts) {
            let (done, answer) = oneshot::channel();
            let command = Command::Apply { snapshot: snapshot.clone(), listeners, datagrams, done };
            worker.commands.send(command).await.map_err(|_| gone())?;
            answers.push(answer);
        }
        for answer in answers {
            // The last one to come back takes the old configuration apart, here.
            drop(answer.await.map_err(|_| gone())?);
        }
        (self.unsaved, self.unsettled.is_published) = (true, true);
        self.write_front();
        if self.in_office {
            // Before anything else is opened: the keeper lets go of what was closed.
            self.keep_doors();
        }
        Ok(())
    }

    /// Closes the connections of targets that are gone: at once when nothing is under way, or when the end of their
    /// deregistration was what took them away; else after a while. What is under way then may be taken to another target:
    /// nobody has said that it must end, as a deregistration does.
    pub(super) async fn let_go(&self, gone: Vec<Arc<Target>>) {
        for (key, target) in self.targets.left_elsewhere(&gone) {
            self.let_go_before(key, grace(target));
        }
        for target in gone {
            if target.is_let_be() {
                continue;
            }
            if target.outstanding() == 0 || target.is_cut() {
                self.cut(target.number).await;
                continue;
            }
            let workers: Vec<_> = self.workers.iter().map(|w| w.commands.clone()).collect();
            spawn_local(async move {
                tokio::time::sleep(grace(&target)).await;
                for worker in workers {
                    let _ = worker.send(Command::Cut(target.number)).await;
                }
            });
        }
    }

    pub(super) async fn cut(&self, number: u64) {
        for worker in &self.workers {
            let _ = worker.commands.send(Command::Cut(number)).await;
        }
    }

    /// What its HTTPS and TLS listeners need to speak TLS; those that stay as they are keep theirs.
    pub(super) fn secure_listeners(&self, balancer: &LoadBalancer) -> Result<BTreeMap<ListenerArn, Arc<SecureListener>>, String> {
        let old = self.balancers.get(balancer.id.as_str()).map(|served| &served.secure);
        let listeners = balancer.listeners.iter().filter(|l| matches!(l.protocol, Protocol::Https | Protocol::Tls));
        let made = listeners.map(|listener| {
            let old = old.and_then(|old| old.get(&listener.id));
            Ok((listener.id.clone(), SecureListener::new(balancer, listener, &self.ticket_keys, old)?))
        });
        made.collect()
    }

    fn route(&self, listener: &Listener, group: &dyn Fn(&str) -> Option<Arc<Group>>) -> Result<Route, String> {
        let rules = self.rules.borrow_mut().rules(listener)?;
        Route::compile(listener, rules, &self.sealer, group)
    }

    pub(super) fn compile(&self) -> Snapshot {
        let mut snapshot = Snapshot { targets: self.targets.connectable().collect(), ..Snapshot::default() };
        let mut fronts: BTreeMap<_, Front> = BTreeMap::new();
        let wanting = self.shared();
        for served in self.balancers.values() {
            let Served { balancer, secure, left_out, .. } = served;
            let shared = Arc::new(compile::compile_balancer(balancer));
            let groups: BTreeMap<&str, _> = balancer
                .target_groups
                .iter()
                .filter_map(|g| {
                    let counters = || self.traffic.group(balancer, &g.id);
                    Some((g.id.as_str(), self.targets.compile(balancer, &g.id, counters, &self.sealer)?))
                })
                .collect();
            if balancer.kind == BalancerKind::Network {
                self.compile_flows(&wanting, served, &groups, &mut snapshot);
                continue;
            }
            let zones = self.traffic.zones(balancer);
            let logs: Vec<_> = balancer.nodes.iter().map(|node| self.logs.site(balancer, node.front)).collect();
            for listener in &balancer.listeners {
                let route = match self.route(listener, &|id| groups.get(id).cloned()) {
                    Ok(route) => Arc::new(route),
                    Err(reason) => {
                        tracing::error!(listener = %listener.id, "accepted, and not understood any more: {reason}");
                        continue;
                    }
                };
                let https = listener.protocol == Protocol::Https;
                let headers = Arc::new(ListenerHeaders::new(listener));
                let at_node = |node: usize, others| {
                    let (balancer, route, counters) = (shared.clone(), route.clone(), zones[node].clone());
                    let (headers, log, left_out) = (headers.clone(), logs[node].clone(), left_out.clone());
                    Arc::new(Site { balancer, route, node, https, headers, counters, log, others, left_out })
                };
                for (node, address) in compile::front_addresses(balancer, self.options.front_door) {
                    let Some(at) = self.doors.actual((address, listener.port)) else { continue };
                    let others = || (1..balancer.nodes.len()).map(|node| at_node(node, Vec::new())).collect();
                    let site = node.map_or_else(|| at_node(0, others()), |node| at_node(node, Vec::new()));
                    let door = snapshot.doors.entry(at).or_default();
                    match secure.get(&listener.id) {
                        None => door.sites.push(site),
                        Some(listener) => {
                            door.secure.push(site);
                            fronts.entry(at).or_default().push(listener.clone());
                        }
                    }
                }
            }
        }
        for (at, front) in fronts {
            snapshot.doors.entry(at).or_default().front = Some(Arc::new(front));
        }
        snapshot
    }

    /// Says where users are served. Only one edge does: another one may still be serving while this one begins.
    pub(super) fn write_front(&mut self) {
        self.leave_out_zones();
        if !self.in_office {
            return;
        }
        let front = FrontReport {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            listeners: self.balancers.values().flat_map(|s| self.front_of(&s.balancer)).collect(),
        };
        if front == self.front {
            return;
        }
        if let Err(e) = front.write(&self.paths) {
            tracing::error!("{}: {e}", self.paths.edge_front_report().display());
        }
        self.front = front;
    }

    /// Tells the workers to which nodes nobody is to come by an address that all share.
    fn leave_out_zones(&self) {
        for served in self.balancers.values() {
            let zones = self.targets.left_out_zones(&served.balancer);
            for (number, node) in served.balancer.nodes.iter().enumerate() {
                served.left_out.set(number, zones.contains(&node.zone));
            }
        }
    }

    fn front_of(&self, balancer: &LoadBalancer) -> Vec<FrontListener> {
        let failed_zones = self.targets.failed_zones(balancer);
        if balancer.kind == BalancerKind::Network {
            let shared = self.shared();
            let flow = |l| self.front_of_flow(&shared, balancer, l, &failed_zones);
            return balancer.listeners.iter().filter_map(flow).collect();
        }
        let listener = |l: &world::Listener| {
            let front_door = self.doors.actual((self.options.front_door.into(), l.port))?;
            let node = |n: &world::Node| Some((n.zone.clone(), self.doors.actual((n.front.into(), l.port))?));
            let (scheme, default) = if l.protocol == Protocol::Https { ("https", 443) } else { ("http", 80) };
            let port = if front_door.port() == default { String::new() } else { format!(":{}", front_door.port()) };
            Some(FrontListener {
                load_balancer: balancer.id.to_string(),
                dns_name: balancer.dns_name.clone(),
                listener: l.id.to_string(),
                port: l.port,
                front_door,
                front_door_wanted_by: None,
                front_door_v6: self.doors.actual((compile::FRONT_DOOR_V6, l.port)).filter(|_| balancer.dualstack),
                nodes: balancer.nodes.iter().filter_map(node).collect(),
                failed_zones: failed_zones.clone(),
                url: format!("{scheme}://{}{port}/", balancer.dns_name),
            })
        };
        balancer.listeners.iter().filter_map(listener).collect()
    }
}

/// How long what is under way at a target that is gone may take.
fn grace(target: &Target) -> Duration {
    match target.is_cut() {
        true => Duration::ZERO,
        false if target.is_left_behind() => LEFT_BEHIND_GRACE,
        false => REMOVED_GRACE,
    }
}

/// What an edge listened on that was killed: one that ends by itself takes its report away.
pub(super) fn told(paths: &RunPaths) -> BTreeMap<Wanted, u16> {
    let report = FrontReport::read(paths).unwrap_or_default();
    let addresses = |l: FrontListener| {
        let shared = [Some(l.front_door), l.front_door_v6].into_iter().flatten();
        l.nodes.into_iter().map(|(_, at)| at).chain(shared).map(move |at| ((at.ip(), l.port), at.port()))
    };
    report.listeners.into_iter().flat_map(addresses).collect()
}
