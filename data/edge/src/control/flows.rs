//! Network load balancers as they are published: their sites, and where users reach them. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use base::ListenerArn;
use world::{BalancerKind, Listener, LoadBalancer, Protocol, Stickiness, WeightedGroup};

use super::doors::{Opened, Passed, Wanted};
use super::{Control, Served, compile};
use crate::flow::compile::{Shared, Transport, groups_of, transports};
use crate::flow::share::Share;
use crate::flow::udp::{Adopted, Arrivals, NewDoor};
use crate::flow::{FlowLog, Kind, Site, TCP_IDLE_MS, UDP_IDLE_MS};
use crate::front::FrontListener;
use crate::snapshot::Snapshot;
use crate::target::Group;
use crate::tls::listener::{Front, Listener as SecureListener};

/// All addresses that are wanted, by what is received there.
#[derive(Debug, Default)]
pub struct WantedDoors {
    pub tcp: BTreeSet<Wanted>,
    pub udp: BTreeSet<Wanted>,
}

/// New addresses, with a socket for each worker.
#[derive(Debug, Default)]
pub struct OpenedDoors {
    tcp: Vec<Opened>,
    udp: Vec<Opened>,
    /// Flows that go on there.
    flows: Vec<Adopted>,
}

/// What one worker gets of them.
type Part = (Vec<(SocketAddr, TcpListener)>, Arrivals);

impl OpenedDoors {
    /// Addresses at which nobody has received meanwhile, and the flows to them.
    pub fn of_datagrams(udp: Vec<Opened>, flows: Vec<Adopted>) -> Self {
        Self { tcp: Vec::new(), udp, flows }
    }

    /// Keeps addresses back at which another edge still receives.
    pub fn hold_datagrams(&mut self, held: &mut Vec<Opened>) {
        held.append(&mut self.udp);
    }

    /// Each worker's part.
    pub fn for_each(self, workers: usize) -> Vec<Part> {
        let mut parts: Vec<Part> = (0..workers).map(|_| Part::default()).collect();
        for Opened { at, sockets } in self.tcp {
            for (number, listener) in sockets.into_iter().enumerate() {
                parts[number % workers].0.push((at, listener.into()));
            }
        }
        for Opened { at, sockets } in self.udp {
            for (number, socket) in sockets.into_iter().enumerate() {
                parts[number % workers].1.doors.push(NewDoor { at, number, socket: socket.into() });
            }
        }
        for flow in self.flows {
            parts[flow.door % workers].1.flows.push(flow);
        }
        parts
    }
}

impl Control {
    /// Takes over what another edge has listened and received on, to be used where it is asked for.
    pub(super) fn take_over(&mut self, passed: Vec<Passed>) {
        for passed in passed {
            match passed.transport {
                Transport::Tcp => self.doors.take_over(passed),
                Transport::Udp => self.datagrams.take_over(passed),
            }
        }
    }

    /// All that is open, for another process.
    pub(super) fn pass_on(&self) -> io::Result<Vec<Passed>> {
        Ok(self.doors.pass_on()?.into_iter().chain(self.datagrams.pass_on()?).collect())
    }

    /// All addresses at which these are to be reached.
    pub(super) fn wanted_doors<'a>(&self, balancers: impl Iterator<Item = &'a LoadBalancer>) -> WantedDoors {
        let balancers: Vec<&LoadBalancer> = balancers.collect();
        let all = || balancers.iter().copied();
        let shared = Shared::of(all(), self.options.front_door);
        let mut tcp = shared.wanted(all(), Transport::Tcp);
        let applications = all().filter(|b| b.kind == BalancerKind::Application);
        tcp.extend(applications.flat_map(|b| compile::wanted_doors(b, self.options.front_door)));
        WantedDoors { tcp, udp: shared.wanted(all(), Transport::Udp) }
    }

    /// Opens what is not open yet. On an error nothing was opened.
    pub(super) fn open_doors(&mut self, wanted: &WantedDoors, patient: bool) -> Result<OpenedDoors, String> {
        let tcp = self.doors.open(&wanted.tcp, patient, |_| None)?;
        match self.datagrams.open(&wanted.udp, false, |door| self.doors.actual(door).map(|at| at.port())) {
            Ok(udp) => Ok(OpenedDoors { tcp, udp, flows: Vec::new() }),
            Err(reason) => {
                let before = self.wanted_doors(self.balancers.values().map(|served| &served.balancer));
                self.doors.keep(&before.tcp);
                Err(reason)
            }
        }
    }

    /// Forgets what is wanted no more; the workers close it.
    pub(super) fn close_others(&mut self, wanted: &WantedDoors) {
        self.doors.keep(&wanted.tcp);
        self.datagrams.keep(&wanted.udp);
    }

    /// Who wants the addresses that all share.
    pub(super) fn shared(&self) -> Shared {
        Shared::of(self.balancers.values().map(|served| &served.balancer), self.options.front_door)
    }

    /// Puts a network load balancer's listeners where connections and datagrams to them come in.
    pub(super) fn compile_flows(
        &self,
        shared: &Shared,
        served: &Served,
        groups: &BTreeMap<&str, Arc<Group>>,
        snapshot: &mut Snapshot,
    ) {
        let balancer = &served.balancer;
        for listener in &balancer.listeners {
            for transport in transports(listener.protocol) {
                for (nodes, address) in shared.addresses(balancer, listener, *transport) {
                    let site = || Arc::new(self.site(served, listener, groups, *transport, nodes.clone()));
                    match (transport, self.door(*transport, (address, listener.port))) {
                        (_, None) => {}
                        (Transport::Tcp, Some(at)) => snapshot.doors.entry(at).or_default().flow = Some(site()),
                        (Transport::Udp, Some(at)) => drop(snapshot.datagrams.insert(at, site())),
                    }
                }
            }
        }
    }

    fn site(
        &self,
        served: &Served,
        listener: &Listener,
        groups: &BTreeMap<&str, Arc<Group>>,
        transport: Transport,
        nodes: Vec<usize>,
    ) -> Site {
        let kind = match transport {
            Transport::Udp => Kind::Udp,
            Transport::Tcp if listener.protocol == Protocol::Tls => Kind::Tls,
            Transport::Tcp => Kind::Tcp,
        };
        let share = |weighted: &WeightedGroup| {
            let wanted = served.balancer.target_groups.iter().find(|wanted| wanted.id == weighted.group)?;
            Some(Share {
                group: groups.get(weighted.group.as_str())?.clone(),
                weight: weighted.weight,
                sticky: wanted.stickiness == Some(Stickiness::SourceIp),
                announces: wanted.flow.proxy_protocol,
            })
        };
        // An address that nodes share counts as the first one's.
        let node = nodes.first().and_then(|node| served.balancer.nodes.get(*node));
        let log = node.filter(|_| kind == Kind::Tls).and_then(|node| self.logs.flow(&served.balancer, node.front));
        Site {
            shares: groups_of(listener).iter().filter_map(share).collect(),
            nodes,
            counters: self.traffic.flows(&served.balancer),
            kind,
            idle_ms: listener.tcp_idle_timeout_ms.unwrap_or(if kind == Kind::Udp { UDP_IDLE_MS } else { TCP_IDLE_MS }),
            front: served.secure.get(&listener.id).map(alone),
            log: log.map(|channel| FlowLog { channel, listener: listener.id.to_string() }),
        }
    }

    fn door(&self, transport: Transport, wanted: Wanted) -> Option<SocketAddr> {
        match transport {
            Transport::Tcp => self.doors.actual(wanted),
            Transport::Udp => self.datagrams.actual(wanted),
        }
    }

    /// Where users reach a listener of a network load balancer: at the addresses of its nodes, and at the front door where no
    /// other listener wants that.
    pub(super) fn front_of_flow(
        &self,
        shared: &Shared,
        balancer: &LoadBalancer,
        listener: &Listener,
        failed_zones: &[String],
    ) -> Option<FrontListener> {
        let transport = *transports(listener.protocol).first()?;
        let at = |address: IpAddr| self.door(transport, (address, listener.port));
        let nodes: Vec<_> = balancer.nodes.iter().filter_map(|n| Some((n.zone.clone(), at(n.front.into())?))).collect();
        let front: IpAddr = self.options.front_door.into();
        let rival: Option<&ListenerArn> = shared.rival(transport, front, listener);
        let own = nodes.first().map(|(_, at)| *at)?;
        let front_door = if rival.is_none() { at(front)? } else { own };
        let v6 = super::FRONT_DOOR_V6;
        let has_v6 = balancer.dualstack && shared.rival(transport, v6, listener).is_none();
        let scheme = match listener.protocol {
            Protocol::Tls => "tls",
            Protocol::Udp => "udp",
            _ => "tcp",
        };
        let host = if rival.is_none() { balancer.dns_name.clone() } else { own.ip().to_string() };
        Some(FrontListener {
            load_balancer: balancer.id.to_string(),
            dns_name: balancer.dns_name.clone(),
            listener: listener.id.to_string(),
            port: listener.port,
            front_door,
            front_door_v6: at(v6).filter(|_| has_v6),
            front_door_wanted_by: rival.map(ToString::to_string),
            nodes,
            failed_zones: failed_zones.to_vec(),
            url: format!("{scheme}://{host}:{}", front_door.port()),
        })
    }
}

fn alone(listener: &Arc<SecureListener>) -> Arc<Front> {
    let mut front = Front::default();
    front.push(listener.clone());
    Arc::new(front)
}
