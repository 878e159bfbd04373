//! Datagrams: those of one client to one listener are a flow, which has a target and a socket of its own towards it, so that
//! answers find their way back, until nobody has said anything for a while. What fits nowhere is dropped, as networks do. A
//! flow goes from one edge to the next with that socket, so that its target does not notice.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg, sendto};
use tokio::net::UdpSocket;
use tokio::task::{AbortHandle, spawn_local};

use super::choose::{Chosen, choose, home};
use super::compile::Transport;
use super::counters::Active;
use super::preface::{self, PREFACE_BYTES_MAX};
use super::{Kind, Site};
use crate::clock::now_ms;
use crate::snapshot::Snapshot;
use crate::target::{InFlight, Standing, Target};
use crate::worker::Worker;

/// Flows of one worker; each has a descriptor.
const FLOWS_MAX: usize = 16_384;
/// How often flows are looked through for those that have ended.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// Datagrams that are handled one after the other before others get their turn.
const BATCH: usize = 64;
/// The longest datagram.
const DATAGRAM_BYTES: usize = 65_535;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; DATAGRAM_BYTES].into_boxed_slice());
}

/// A socket at which a worker is to receive.
#[derive(Debug)]
pub struct NewDoor {
    pub at: SocketAddr,
    /// Among those at the same address.
    pub number: usize,
    pub socket: StdSocket,
}

/// A flow that the edge before this one has begun.
#[derive(Debug)]
pub struct Adopted {
    pub at: SocketAddr,
    pub door: usize,
    pub client: SocketAddr,
    pub socket: StdSocket,
    pub flight: InFlight,
    pub node: usize,
    pub silent_ms: u64,
    pub announces: bool,
}

/// What a worker gets: new sockets, and flows that come to them.
#[derive(Debug, Default)]
pub struct Arrivals {
    pub doors: Vec<NewDoor>,
    pub flows: Vec<Adopted>,
}

/// A flow as its worker lets go of it.
#[derive(Debug)]
pub struct Parted {
    pub at: SocketAddr,
    pub door: usize,
    pub client: SocketAddr,
    pub socket: OwnedFd,
    pub target: Arc<Target>,
    pub node: usize,
    pub silent_ms: u64,
    pub announces: bool,
}

struct Door {
    at: SocketAddr,
    number: usize,
    socket: Rc<UdpSocket>,
    task: AbortHandle,
}

/// What a worker has of datagrams.
#[derive(Default)]
pub struct Datagrams {
    doors: RefCell<Vec<Door>>,
    /// By the address at which a client calls, and its own.
    flows: RefCell<HashMap<(SocketAddr, SocketAddr), Flow>>,
    sweeps: Cell<bool>,
}

/// A flow; its answers stop with it.
struct Flow {
    onward: Rc<Onward>,
    /// The number of the socket at which its datagrams come in.
    door: usize,
    answers: AbortHandle,
}

/// The way to a target.
struct Onward {
    socket: UdpSocket,
    flight: InFlight,
    node: usize,
    active: Active,
    last_ms: Cell<u64>,
    idle_ms: u64,
    /// What goes before each datagram to the target, if anything does.
    preface: Option<Box<[u8]>>,
}

impl Flow {
    fn into_onward(self) -> Rc<Onward> {
        self.onward.clone()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.answers.abort();
    }
}

impl Datagrams {
    /// Takes over sockets, and closes those at addresses that are not served any more, with their flows: one that is left open
    /// would go on getting a share of the datagrams.
    pub fn apply(&self, worker: &Rc<Worker>, arrivals: Arrivals, snapshot: &Snapshot) {
        for NewDoor { at, number, socket } in arrivals.doors {
            match UdpSocket::from_std(socket) {
                Ok(socket) => {
                    let socket = Rc::new(socket);
                    let task = spawn_local(receive(worker.clone(), at, number, socket.clone())).abort_handle();
                    self.doors.borrow_mut().push(Door { at, number, socket, task });
                }
                Err(e) => tracing::error!(%at, "a socket for datagrams cannot be taken over: {e}"),
            }
        }
        for flow in arrivals.flows {
            self.adopt(worker, flow, snapshot);
        }
        let is_served = |at: &SocketAddr| snapshot.datagrams.contains_key(at);
        self.doors.borrow_mut().retain(|door| {
            let stays = is_served(&door.at);
            if !stays {
                door.task.abort();
            }
            stays
        });
        self.keep(|(at, _), _| is_served(at));
    }

    /// Goes on with a flow of the edge before this one.
    fn adopt(&self, worker: &Rc<Worker>, flow: Adopted, snapshot: &Snapshot) {
        let Adopted { at, door: number, client, socket, flight, node, silent_ms, announces } = flow;
        let Some(site) = snapshot.datagrams.get(&at) else { return };
        let Some(counters) = site.counters.get(node) else { return };
        let door = self.doors.borrow().iter().find(|d| d.at == at && d.number == number).map(|d| d.socket.clone());
        match (door, UdpSocket::from_std(socket)) {
            (Some(door), Ok(socket)) => {
                let active = Active::adopt(counters, worker.index, Kind::Udp);
                let last_ms = Cell::new(now_ms().saturating_sub(silent_ms));
                let preface = announces.then(|| preface_of(client, at));
                let onward = Onward { socket, flight, node, active, last_ms, idle_ms: site.idle_ms, preface };
                self.begin(worker, (at, client), (number, door), onward);
            }
            (None, _) => tracing::warn!(%at, "a flow's socket has not come along: it begins anew"),
            (_, Err(e)) => tracing::warn!(%at, "a flow cannot be taken over: {e}"),
        }
    }

    fn begin(&self, worker: &Rc<Worker>, key: (SocketAddr, SocketAddr), (number, door): (usize, Rc<UdpSocket>), onward: Onward) {
        let onward = Rc::new(onward);
        let answers = spawn_local(answer(onward.clone(), door, key.1)).abort_handle();
        let before = self.flows.borrow_mut().insert(key, Flow { onward, door: number, answers });
        drop(before);
        if !self.sweeps.replace(true) {
            spawn_local(sweep(Rc::downgrade(worker)));
        }
    }

    /// Closes everything, for another edge to go on with all flows.
    pub async fn part(&self) -> Vec<Parted> {
        self.doors.borrow_mut().drain(..).for_each(|door| door.task.abort());
        let flows: Vec<_> = self.flows.borrow_mut().drain().collect();
        flows.iter().for_each(|(_, flow)| flow.answers.abort());
        // The tasks that carry answers have the sockets too, until they have ended. To have each twice could be too many.
        while flows.iter().any(|(_, flow)| Rc::strong_count(&flow.onward) > 1) {
            tokio::task::yield_now().await;
        }
        let part = |(key, flow): (_, Flow)| {
            let door = flow.door;
            part(key, door, Rc::into_inner(flow.into_onward())?)
        };
        flows.into_iter().filter_map(part).collect()
    }

    /// Ends all flows to this target.
    pub fn cut(&self, target: u64) {
        self.keep(|_, flow| flow.onward.flight.target().number != target);
    }

    /// Closes everything.
    pub fn close(&self) {
        self.doors.borrow_mut().drain(..).for_each(|door| door.task.abort());
        self.keep(|_, _| false);
    }

    fn keep(&self, keep: impl Fn(&(SocketAddr, SocketAddr), &Flow) -> bool) {
        let mut flows = self.flows.borrow_mut();
        let gone: Vec<_> = flows.extract_if(|key, flow| !keep(key, flow)).collect();
        drop(flows);
        drop(gone);
    }

    /// How the target of a flow is, where there is one.
    fn standing_of(&self, key: &(SocketAddr, SocketAddr)) -> Option<Standing> {
        self.flows.borrow().get(key).map(|flow| flow.onward.flight.target().standing())
    }

    /// Flows that there are, each with a socket.
    pub fn count(&self) -> usize {
        self.flows.borrow().len()
    }

    /// Sends a datagram on; false when it belongs to no flow yet, or to one whose target takes none.
    fn forward(&self, key: &(SocketAddr, SocketAddr), bytes: &[u8], takes: impl Fn(&Target) -> bool) -> bool {
        let flows = self.flows.borrow();
        let Some(Flow { onward, .. }) = flows.get(key).filter(|flow| takes(flow.onward.flight.target())) else { return false };
        onward.last_ms.set(now_ms());
        // What is not taken is lost, which UDP allows; a target that is away is for health checks to find. Nobody waits, so the
        // runtime, which has not yet heard of a new socket, is not asked.
        let sent = match &onward.preface {
            None => send(&onward.socket, bytes, SendFlags::DONTWAIT),
            Some(preface) => {
                let both = [IoSlice::new(preface), IoSlice::new(bytes)];
                sendmsg(&onward.socket, &both, &mut SendAncillaryBuffer::default(), SendFlags::DONTWAIT)
            }
        };
        if sent.is_ok() {
            onward.active.moved(bytes.len());
        }
        true
    }
}

fn part((at, client): (SocketAddr, SocketAddr), door: usize, onward: Onward) -> Option<Parted> {
    let Onward { socket, flight, node, last_ms, preface, .. } = onward;
    let socket = socket.into_std().ok()?.into();
    let silent_ms = now_ms().saturating_sub(last_ms.get());
    let announces = preface.is_some();
    Some(Parted { at, door, client, socket, target: flight.target().clone(), node, silent_ms, announces })
}

fn preface_of(client: SocketAddr, at: SocketAddr) -> Box<[u8]> {
    let mut space = [0; PREFACE_BYTES_MAX];
    let length = preface::write(&mut space, Transport::Udp, client, at);
    space[..length].into()
}

/// Takes datagrams of clients for ever.
async fn receive(worker: Rc<Worker>, at: SocketAddr, number: usize, door: Rc<UdpSocket>) {
    loop {
        if let Err(e) = door.readable().await {
            return tracing::error!(%at, "datagrams cannot be received any more: {e}");
        }
        for _ in 0..BATCH {
            let received = SCRATCH.with_borrow_mut(|space| {
                let (bytes, client) = door.try_recv_from(space)?;
                take(&worker, (at, client), (number, &door), &space[..bytes]);
                Ok::<(), io::Error>(())
            });
            match received {
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                // Of a datagram sent before.
                _ => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

fn take(worker: &Rc<Worker>, key: (SocketAddr, SocketAddr), (number, door): (usize, &Rc<UdpSocket>), bytes: &[u8]) {
    let (at, client) = key;
    let is_lost = |standing| matches!(standing, Standing::Unhealthy | Standing::Gone);
    if worker.datagrams.forward(&key, bytes, |target| !is_lost(target.standing())) {
        return;
    }
    let Some(site) = worker.snapshot.borrow().datagrams.get(&at).cloned() else { return };
    // Datagrams are lost on such a target for as long as their client sends them: nobody there ends the flow.
    let stays = worker.datagrams.standing_of(&key) == Some(Standing::Unhealthy);
    let is_better = |chosen: &Chosen<'_>| !chosen.fails_open || !stays;
    let chosen = choose(&site, client, at, now_ms(), &[]).filter(is_better);
    if let Some(onward) = chosen.and_then(|chosen| open(worker, &site, chosen, (at, client))) {
        worker.datagrams.begin(worker, key, (number, door.clone()), onward);
    }
    worker.datagrams.forward(&key, bytes, |_| true);
}

/// Begins a flow to a target, if there is room for it.
fn open(worker: &Worker, site: &Site, chosen: Chosen<'_>, (at, client): (SocketAddr, SocketAddr)) -> Option<Onward> {
    let line = |node: usize| site.counters[node].worker(worker.index);
    if worker.datagrams.count() >= FLOWS_MAX || worker.is_full_of_datagrams() {
        line(home(site)).rejected();
        return None;
    }
    let Chosen { share, node, flight, fails_open } = chosen;
    let target = flight.target();
    let socket = match worker.connector.datagrams(&target.from, target.address) {
        Ok(socket) => socket,
        Err(e) => {
            tracing::debug!(target = %target.address, "no datagrams can be sent to a target: {e}");
            line(node).rejected();
            return None;
        }
    };
    if fails_open {
        line(node).unhealthy_routed();
    }
    let active = Active::new(&site.counters[node], worker.index, Kind::Udp);
    let preface = share.announces.then(|| preface_of(client, at));
    Some(Onward { socket, flight, node, active, last_ms: Cell::new(now_ms()), idle_ms: site.idle_ms, preface })
}

/// Sends a client what its target says.
async fn answer(onward: Rc<Onward>, door: Rc<UdpSocket>, client: SocketAddr) {
    while onward.socket.readable().await.is_ok() {
        for _ in 0..BATCH {
            let sent = SCRATCH.with_borrow_mut(|space| {
                let bytes = onward.socket.try_recv(space)?;
                onward.last_ms.set(now_ms());
                if sendto(&door, &space[..bytes], SendFlags::DONTWAIT, &client).is_ok() {
                    onward.active.moved(bytes);
                }
                Ok::<(), io::Error>(())
            });
            match sent {
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                // It refused a datagram; the next one may be taken.
                _ => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Ends flows in which nothing was said for too long, for as long as there are any.
async fn sweep(worker: Weak<Worker>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(worker) = worker.upgrade() else { return };
        let now = now_ms();
        worker.datagrams.keep(|_, flow| now.saturating_sub(flow.onward.last_ms.get()) < flow.onward.idle_ms);
        if worker.datagrams.flows.borrow().is_empty() {
            worker.datagrams.sweeps.set(false);
            return;
        }
    }
}
