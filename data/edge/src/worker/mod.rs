//! One worker: a thread with its own Tokio runtime, listeners, connections, buffers and counters. It shares with the
//! others only the snapshot of the configuration and the atomics of targets. It never decides about health.

pub(crate) mod buffer;
pub(crate) mod io;
pub(crate) mod pipe;
pub(crate) mod pool;
pub(crate) mod room;
pub(crate) mod watch;

use std::cell::{Cell, RefCell};
use std::io::Result as IoResult;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fastrand::Rng;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, spawn_local};

use crate::clock::{DateText, now_ms};
use crate::connector::Connector;
use crate::flow;
use crate::flow::udp::{Arrivals, Datagrams, Parted};
use crate::h2::hpack::Fields;
use crate::h2::outgoing::Links;
use crate::log::Writer;
use crate::proxy;
use crate::snapshot::{Door, Snapshot};
use buffer::Buffers;
use pool::Pool;
use room::Rooms;
use watch::{SWEEP_EVERY_MS, Watches};

/// Commands that may wait for a worker.
const COMMANDS_MAX: usize = 64;
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After another edge has taken over: how long connections between two requests are waited for, so that a request which is on
/// its way finds an open connection, how long all others, and how long those of network load balancers, which nobody can ask to
/// come anew.
const DRAIN_IDLE_MS: u64 = 5_000;
const DRAIN_MS_MAX: u64 = 300_000;
const DRAIN_FLOWS_MS_MAX: u64 = 24 * 3_600_000;
/// Buffers are given back to the machine after this many sweeps without a connection.
const TRIM_AFTER_SWEEPS: u32 = 20;

/// What the control thread tells a worker.
pub enum Command {
    /// Route by this from now on; take over these listeners, close those that are no longer in it. The snapshot before comes
    /// back, so that the worker does not spend its time on taking it apart.
    Apply {
        snapshot: Arc<Snapshot>,
        listeners: Vec<(SocketAddr, StdListener)>,
        datagrams: Arrivals,
        done: oneshot::Sender<Arc<Snapshot>>,
    },
    /// Cut every connection to this target.
    Cut(u64),
    /// Accept no more, another edge does, which gets the flows of datagrams; ask clients to come anew, and tell when none is
    /// left.
    Drain { stopped: oneshot::Sender<Vec<Parted>>, done: oneshot::Sender<()> },
    /// Accept no more, finish what is under way, for so long at most.
    Stop { grace: Duration, done: oneshot::Sender<()> },
}

/// A worker as its control thread holds it.
#[derive(Debug)]
pub struct WorkerHandle {
    pub commands: mpsc::Sender<Command>,
    pub thread: JoinHandle<()>,
}

/// What all tasks of a worker share.
pub struct Worker {
    pub index: usize,
    /// With clients and with targets, flows of datagrams among them; more clients wait in the kernel's queue.
    sockets_max: usize,
    pub snapshot: RefCell<Arc<Snapshot>>,
    pub buffers: Buffers,
    pub rooms: Rooms,
    pub watches: Rc<Watches>,
    pub pool: Pool,
    /// HTTP/2 connections to targets.
    pub links: Links,
    /// Those of the request by HTTP/2 that is being taken in.
    pub fields: RefCell<Fields>,
    pub datagrams: Datagrams,
    pub connector: Connector,
    pub date: DateText,
    pub rng: RefCell<Rng>,
    /// TLS handshakes under way with clients.
    pub handshakes: Cell<usize>,
    pub log: Writer,
    serial: Cell<u64>,
    stopping: Cell<bool>,
    /// Another edge has taken over: clients are asked to come anew.
    draining: Cell<bool>,
    listening: RefCell<Vec<(SocketAddr, AbortHandle)>>,
}

/// Starts a worker's thread.
pub fn start(
    index: usize,
    sockets_max: usize,
    log: Writer,
    connector: impl FnOnce() -> IoResult<Connector> + Send + 'static,
) -> IoResult<WorkerHandle> {
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let thread = std::thread::Builder::new().name(format!("edge-{index}")).spawn(move || {
        if let Err(e) = run(index, sockets_max, log, connector, inbox) {
            tracing::error!(index, "a worker cannot run: {e}");
        }
    })?;
    Ok(WorkerHandle { commands, thread })
}

fn run(
    index: usize,
    sockets_max: usize,
    log: Writer,
    connector: impl FnOnce() -> IoResult<Connector>,
    inbox: mpsc::Receiver<Command>,
) -> IoResult<()> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?;
    let connector = connector()?;
    let worker = Rc::new_cyclic(|worker| Worker {
        index,
        sockets_max,
        snapshot: RefCell::default(),
        buffers: Buffers::default(),
        rooms: Rooms::default(),
        watches: Rc::default(),
        pool: Pool::default(),
        links: Links::new(worker.clone()),
        fields: RefCell::default(),
        datagrams: Datagrams::default(),
        connector,
        date: DateText::default(),
        rng: RefCell::new(Rng::new()),
        handshakes: Cell::new(0),
        log,
        serial: Cell::new(0),
        stopping: Cell::new(false),
        draining: Cell::new(false),
        listening: RefCell::default(),
    });
    runtime.block_on(async move {
        spawn_local(sweep(worker.clone()));
        obey(worker, inbox).await;
    });
    Ok(())
}

async fn obey(worker: Rc<Worker>, mut inbox: mpsc::Receiver<Command>) {
    while let Some(command) = inbox.recv().await {
        match command {
            Command::Apply { snapshot, listeners, datagrams, done } => {
                worker.datagrams.apply(&worker, datagrams, &snapshot);
                let _ = done.send(worker.apply(snapshot, listeners));
            }
            Command::Cut(target) => {
                worker.pool.forget(target);
                worker.links.forget(target);
                worker.watches.cut_target(target);
                worker.datagrams.cut(target);
            }
            Command::Drain { stopped, done } => {
                worker.draining.set(true);
                let flows = worker.datagrams.part().await;
                worker.accept_no_more();
                let _ = stopped.send(flows);
                let worker = worker.clone();
                spawn_local(async move {
                    worker.drain().await;
                    let _ = done.send(());
                });
            }
            Command::Stop { grace, done } => {
                worker.stop(grace).await;
                let _ = done.send(());
                return;
            }
        }
    }
}

/// Enforces deadlines for as long as there is any connection.
async fn sweep(worker: Rc<Worker>) {
    let mut quiet_sweeps = 0;
    loop {
        if worker.watches.is_empty() {
            quiet_sweeps += 1;
            if quiet_sweeps >= TRIM_AFTER_SWEEPS {
                worker.buffers.trim();
                worker.rooms.trim();
                worker.fields.take();
                worker.watches.woken.notified().await;
            }
        } else {
            quiet_sweeps = 0;
        }
        tokio::time::sleep(Duration::from_millis(SWEEP_EVERY_MS)).await;
        worker.watches.sweep();
        worker.pool.sweep();
        worker.log.flush();
        worker.links.sweep(|target| worker.snapshot.borrow().targets.contains(&target));
    }
}

impl Worker {
    fn apply(self: &Rc<Self>, snapshot: Arc<Snapshot>, listeners: Vec<(SocketAddr, StdListener)>) -> Arc<Snapshot> {
        let before = self.snapshot.replace(snapshot.clone());
        self.log.flush();
        for (at, listener) in listeners {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    let task = spawn_local(accept(self.clone(), at, listener));
                    self.listening.borrow_mut().push((at, task.abort_handle()));
                }
                Err(e) => tracing::error!(%at, "a listener cannot be taken over: {e}"),
            }
        }
        self.listening.borrow_mut().retain(|(at, task)| {
            let stays = snapshot.doors.contains_key(at);
            if !stays {
                task.abort();
            }
            stays
        });
        let is_over = |at: &SocketAddr| match (before.doors.get(at), snapshot.doors.get(at)) {
            (_, None) => true,
            (door, Some(later)) => door.is_some_and(|door| door.falls_silent(later)),
        };
        if before.doors.keys().any(is_over) {
            self.watches.close_idle(|at| is_over(&at));
        }
        self.pool.retain(|target| snapshot.targets.contains(&target));
        self.links.retain(|target| snapshot.targets.contains(&target));
        before
    }

    /// The number of a new connection.
    pub fn next_serial(&self) -> u64 {
        let serial = self.serial.get();
        self.serial.set(serial + 1);
        serial
    }

    /// Whether a connection accepted here may be kept for another request.
    pub fn keeps(&self, at: SocketAddr) -> bool {
        self.stays() && self.awaits_for(at).is_some()
    }

    /// For how many milliseconds another request is waited for on a connection that was accepted here, even if only to say with
    /// its answer that it was the last one; nothing when none is.
    pub fn awaits_for(&self, at: SocketAddr) -> Option<u64> {
        let snapshot = self.snapshot.borrow();
        snapshot.doors.get(&at).filter(|_| !self.stopping.get()).map(Door::idle_timeout_ms)
    }

    /// Whether connections may be kept at all.
    pub fn stays(&self) -> bool {
        !self.stopping.get() && !self.draining.get()
    }

    fn accept_no_more(&self) {
        self.listening.borrow_mut().drain(..).for_each(|(_, task)| task.abort());
        self.datagrams.close();
    }

    /// Waits until clients have gone by themselves: their next answer asks them to. Who says nothing is let go after a while, and
    /// what lasts is cut at the end.
    async fn drain(&self) {
        let begun = now_ms();
        while self.watches.clients() > 0 && now_ms() - begun < DRAIN_FLOWS_MS_MAX {
            if now_ms() - begun >= DRAIN_IDLE_MS {
                self.watches.close_idle(|_| true);
            }
            if now_ms() - begun >= DRAIN_MS_MAX {
                self.watches.cut_clients(|at| !self.is_flow(at));
            }
            tokio::time::sleep(Duration::from_millis(SWEEP_EVERY_MS)).await;
        }
        self.watches.cut_all();
    }

    /// Whether connections accepted here are a network load balancer's.
    fn is_flow(&self, at: SocketAddr) -> bool {
        self.snapshot.borrow().doors.get(&at).is_some_and(|door| door.flow.is_some())
    }

    async fn stop(&self, grace: Duration) {
        self.stopping.set(true);
        self.accept_no_more();
        let end = now_ms() + u64::try_from(grace.as_millis()).unwrap_or(u64::MAX / 2);
        while self.watches.clients() > 0 && now_ms() < end {
            self.watches.close_idle(|_| true);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.watches.cut_all();
    }
}

impl Worker {
    /// Whether it has so many sockets that no more clients and flows should be taken in.
    pub fn is_full(&self) -> bool {
        self.watches.sockets() + self.datagrams.count() >= self.sockets_max
    }

    /// Likewise for flows of datagrams, which cost a client nothing: connections find room beside them.
    pub fn is_full_of_datagrams(&self) -> bool {
        self.datagrams.count() >= self.sockets_max / 2 || self.is_full()
    }
}

async fn accept(worker: Rc<Worker>, at: SocketAddr, listener: TcpListener) {
    loop {
        if worker.is_full() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                let flow = worker.snapshot.borrow().doors.get(&at).and_then(|door| door.flow.clone());
                match flow {
                    None => spawn_local(proxy::serve(worker.clone(), stream, peer, at)),
                    Some(site) => spawn_local(flow::serve(worker.clone(), site, stream, peer, at)),
                };
            }
            Err(e) => {
                tracing::warn!(%at, "cannot accept: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
