//! The control thread of the edge: takes configurations from `serve`, opens listening sockets, publishes snapshots to
//! the workers, keeps targets checked, reports, and keeps what it needs to come back on disk. No user's byte passes
//! through it.

mod anomaly;
mod compile;
pub(crate) mod doors;
mod flows;
mod health;
pub(crate) mod link;
mod obey;
mod pace;
mod probe;
mod publish;
mod signals;
pub(crate) mod store;
mod succession;
pub(crate) mod targets;
mod traffic;

pub(crate) use compile::FRONT_DOOR_V6;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base::ListenerArn;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use world::{Frame, LoadBalancer, Observation, RunPaths, Slot, SlotKind};

use crate::clock::wall;
use crate::connector::Connector;
use crate::flow::compile::Transport;
use crate::front::FrontReport;
use crate::handover::keeper::Keeper;
use crate::handover::take::{Taken, Word};
use crate::handover::{self, Peer};
use crate::log::Logs;
use crate::route::RulesCache;
use crate::route::cookie::Sealer;
use crate::target::NodeFlags;
use crate::tls::listener::Listener as SecureListener;
use crate::tls::tickets::TicketKeys;
use crate::worker::{self, WorkerHandle};
use crate::{EdgeError, EdgeOptions};
use crate::{descriptors, files};
use doors::{Doors, Opened};
use flows::OpenedDoors;
use link::{Entrances, Link};
use obey::Unsettled;
use publish::told;
use signals::Signals;
use store::{Stored, StoredBalancer};
use succession::{Step, claim, next_word};
use targets::{Changed, TargetEvent, Targets};
use traffic::Traffic;

/// Events that may wait for the control thread.
const EVENTS_MAX: usize = 1_024;
/// A new configuration is written to disk at once; targets and their health while they change this often, and no oftener than
/// takes a twentieth of the time.
const SAVE_EVERY: Duration = Duration::from_millis(100);
const SAVE_SHARE: u32 = 20;

/// The body of the process `allod edge`: serves until it is told to end, by `serve` or by a signal.
pub fn run(options: EdgeOptions) -> Result<(), EdgeError> {
    let paths = RunPaths::new(&options.data);
    let run = paths.run();
    fs::create_dir_all(&run).map_err(EdgeError::io(format!("{}", run.display())))?;
    descriptors::raise_limit();
    let (lock, taken) = claim(&paths)?;
    let workers = match options.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    };
    let runtime = Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default());
    let runtime = runtime.map_err(EdgeError::io("the runtime"))?;
    runtime.block_on(async {
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let mut control = Control::new(options, paths, workers, events)?;
        control.lock = Some(lock);
        let predecessor = control.restore(taken).await?;
        control.serve(inbox, predecessor).await
    })
}

struct Served {
    version: u64,
    balancer: LoadBalancer,
    secure: BTreeMap<ListenerArn, Arc<SecureListener>>,
    /// Nodes to which nobody comes by an address that all share.
    left_out: Arc<NodeFlags>,
}

struct Control {
    options: EdgeOptions,
    paths: RunPaths,
    workers: Vec<WorkerHandle>,
    doors: Doors,
    datagrams: Doors,
    /// Where datagrams are received once the edge before this one does so no more.
    held: Option<Vec<Opened>>,
    targets: Targets,
    traffic: Traffic,
    balancers: BTreeMap<String, Served>,
    link: Option<Link>,
    front: FrontReport,
    /// Of cookies.
    sealer: Arc<Sealer>,
    rules: RefCell<RulesCache>,
    /// Of sessions that clients take up again; they outlive every configuration.
    ticket_keys: Arc<TicketKeys>,
    /// The file on disk is behind.
    unsaved: bool,
    /// Not before this moment it is written again.
    save_from: Instant,
    /// Of the data directory; gone with the office.
    lock: Option<File>,
    /// It listens for `serve`.
    in_office: bool,
    keeper: Keeper,
    /// What is still to be done for the changes of targets that came last.
    unsettled: Unsettled,
    /// Another edge is about to take over: nothing changes meanwhile.
    promised: bool,
    /// The edge that this one took over from, while it has connections.
    predecessor: Option<Peer>,
    /// What that one did in the period under way.
    late: Vec<Observation>,
    /// Gone after all who write.
    logs: Logs,
}

impl Control {
    fn new(options: EdgeOptions, paths: RunPaths, workers: usize, events: mpsc::Sender<TargetEvent>) -> Result<Self, EdgeError> {
        let logs = Logs::start(&paths, options.log_period).map_err(EdgeError::io("the logging thread"))?;
        let sockets_max = descriptors::of_worker(workers);
        let start = |index| {
            let (sockets, paths, log) = (options.sockets, paths.clone(), logs.writer());
            worker::start(index, sockets_max, log, move || Connector::new(sockets, paths))
                .map_err(EdgeError::io("a worker thread"))
        };
        let cookie_key = cookie_key(&paths);
        let sealer = Sealer::load(&cookie_key).map_err(EdgeError::io(format!("{}", cookie_key.display())))?;
        let connector = Connector::new(options.sockets, paths.clone()).map_err(EdgeError::io("the network namespace"))?;
        Ok(Self {
            workers: (0..workers).map(start).collect::<Result<_, _>>()?,
            doors: Doors::new(Transport::Tcp, workers, options.fallback_offset, told(&paths)),
            datagrams: Doors::new(Transport::Udp, workers, options.fallback_offset, told(&paths)),
            held: None,
            targets: Targets::new(Rc::new(connector), events, logs.writer()),
            traffic: Traffic::new(workers),
            balancers: BTreeMap::new(),
            link: None,
            front: FrontReport::default(),
            sealer: Arc::new(sealer),
            rules: RefCell::default(),
            ticket_keys: TicketKeys::new(),
            unsaved: false,
            save_from: Instant::now(),
            lock: None,
            in_office: false,
            keeper: Keeper::new(&paths),
            unsettled: Unsettled::default(),
            promised: false,
            predecessor: None,
            late: Vec::new(),
            logs,
            options,
            paths,
        })
    }

    /// Takes up what the edge before this one serves, or what the last one served when it ended.
    async fn restore(&mut self, taken: Option<Taken>) -> Result<Option<Peer>, EdgeError> {
        let (stored, doors, predecessor) = match taken {
            Some(Taken { estate, doors, predecessor, .. }) => {
                self.ticket_keys = TicketKeys::taken_over(&estate.tickets);
                (estate.stored, doors, Some(predecessor))
            }
            None => (store::load(&self.paths), self.keeper.fetch(), None),
        };
        self.take_over(doors);
        self.held = predecessor.is_some().then(Vec::new);
        let Stored { balancers, targets, health } = stored;
        self.targets.restore(targets, health);
        for StoredBalancer { version, balancer } in balancers {
            let name = balancer.name.clone();
            if let Err(reason) = self.adopt(version, balancer, true).await? {
                tracing::error!(name, "a load balancer is not served again: {reason}");
            }
        }
        self.doors.close_unclaimed();
        self.datagrams.close_unclaimed();
        Ok(predecessor)
    }

    async fn serve(
        &mut self,
        mut target_events: mpsc::Receiver<TargetEvent>,
        predecessor: Option<Peer>,
    ) -> Result<(), EdgeError> {
        let mut signals = Signals::new().map_err(EdgeError::io("signals"))?;
        let ((links, mut from_serve), (asked, mut heirs)) = (mpsc::channel(EVENTS_MAX), mpsc::channel(EVENTS_MAX));
        let mut entrances = Entrances::open(&self.paths, &links, &asked)?;
        let mut words = self.succeed(predecessor).await?;
        self.in_office = true;
        self.write_front();
        self.save();
        let idle = self.targets.idle.clone();
        let mut looks = tokio::time::interval(Duration::from_millis(anomaly::LOOK_EVERY_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.keep_doors();
            tokio::select! {
                Some(event) = from_serve.recv(), if !self.promised => {
                    if let Some(purge) = self.hear_serve(event, &mut from_serve).await? {
                        return self.end(purge).await;
                    }
                }
                Some(event) = target_events.recv() => self.target_event(event).await,
                Some(event) = heirs.recv() => match self.heir_event(event) {
                    Step::Stay => {}
                    Step::Return => entrances = Entrances::open(&self.paths, &links, &asked)?,
                    Step::Depart(heir) => {
                        drop((entrances, from_serve));
                        return self.depart(heir, heirs, words, target_events, signals).await;
                    }
                },
                word = next_word(&mut words) => {
                    words = words.filter(|_| !matches!(word, Word::Gone));
                    self.hear(word);
                }
                () = idle.notified() => self.report_drained(),
                () = period_end(self.traffic.wait_ms(wall())) => self.report_traffic(),
                _ = looks.tick(), if self.targets.can_stand_out() => {
                    for observation in self.targets.look_for_anomalies() {
                        self.report(observation);
                    }
                }
                () = signals.wait() => return self.end(Purge::No).await,
                () = sleep_until(self.save_from), if self.unsaved => {}
            }
            // What was reported leaves first.
            yield_now().await;
            if Instant::now() >= self.save_from {
                self.save();
            }
        }
    }

    fn connected(&mut self, link: Link) {
        let slot = |id: &String| Slot::new(SlotKind::LoadBalancer, id.as_str());
        let balancers = self.balancers.iter().map(|(id, served)| (slot(id), served.version));
        let applied = balancers.chain(self.targets.applied()).collect();
        self.link = Some(link);
        // Another `serve`, another keeper.
        self.keeper.forget();
        self.doors.touch();
        self.send(Frame::Hello { version: env!("CARGO_PKG_VERSION").into(), applied });
        let missed: Vec<Observation> = self.traffic.unsent.take().collect();
        for observation in self.targets.report_all().into_iter().chain(missed) {
            self.report(observation);
        }
    }

    /// Tells what happened in the period that has ended, or keeps it for the next `serve`.
    fn report_traffic(&mut self) {
        if let Some(report) = self.traffic.report(wall()) {
            self.tell_traffic(report);
        }
        self.report_late();
    }

    fn tell_traffic(&mut self, report: Observation) {
        if self.link.as_ref().is_none_or(Link::is_closed) {
            self.traffic.unsent.push(report);
        } else {
            self.report(report);
        }
    }

    fn send(&mut self, frame: Frame) {
        if self.link.as_ref().is_some_and(|link| !link.send(frame)) {
            // It gets everything anew when it connects again.
            self.link = None;
        }
    }

    fn report(&mut self, observation: Observation) {
        self.send(Frame::Observation(observation));
    }

    /// Serves this configuration from now on. When it is refused, the one before goes on being served.
    async fn adopt(
        &mut self,
        version: u64,
        mut balancer: LoadBalancer,
        patient: bool,
    ) -> Result<Result<Vec<Observation>, String>, EdgeError> {
        let id = balancer.id.to_string();
        if let Err(reason) =
            compile::check(&balancer, &self.sealer, &mut self.rules.borrow_mut()).and_then(|()| self.check_fronts(&balancer))
        {
            return Ok(Err(reason));
        }
        let secure = match self.secure_listeners(&balancer) {
            Ok(secure) => secure,
            Err(reason) => return Ok(Err(reason)),
        };
        let others = self.balancers.iter().filter(|(other, _)| **other != id).map(|(_, served)| &served.balancer);
        let wanted = self.wanted_doors(others.chain([&balancer]));
        let opened = match self.open_doors(&wanted, patient) {
            Ok(opened) => opened,
            Err(reason) => return Ok(Err(reason)),
        };
        let within = self.targets.take_within(&mut balancer);
        if !patient {
            self.unsettled.gone.extend(self.targets.forget_within(&balancer.id, &within));
        }
        let Changed { reports, gone } = self.targets.configure(&balancer, &within);
        let left_out = Arc::new(NodeFlags::new(balancer.nodes.len()));
        self.balancers.insert(id, Served { version, balancer, secure, left_out });
        self.close_others(&wanted);
        self.configure();
        self.publish(opened).await?;
        self.let_go(gone).await;
        Ok(Ok(reports))
    }

    /// Two load balancers cannot have one address of their own.
    fn check_fronts(&self, balancer: &LoadBalancer) -> Result<(), String> {
        let others = self.balancers.values().map(|s| &s.balancer).filter(|b| b.id != balancer.id);
        for node in others.flat_map(|b| &b.nodes) {
            if balancer.nodes.iter().any(|n| n.front == node.front) {
                return Err(format!("{} belongs to another load balancer", node.front));
            }
        }
        match balancer.nodes.iter().any(|n| n.front == self.options.front_door) {
            true => Err(format!("{} is the front door of all", self.options.front_door)),
            false => Ok(()),
        }
    }

    async fn remove(&mut self, id: &str) -> Result<(), EdgeError> {
        if self.balancers.remove(id).is_none() {
            return Ok(());
        }
        let gone = self.targets.forget(id);
        let wanted = self.wanted_doors(self.balancers.values().map(|s| &s.balancer));
        self.close_others(&wanted);
        self.configure();
        self.publish(OpenedDoors::default()).await?;
        self.let_go(gone).await;
        Ok(())
    }

    async fn target_event(&mut self, event: TargetEvent) {
        let key = event.key().clone();
        let (report, cut) = self.targets.observe(event);
        if let Some(number) = cut {
            self.cut(number).await;
            self.cut_before(key);
        }
        if let Some(report) = report {
            self.write_front();
            self.unsaved = true;
            self.report(report);
        }
    }

    fn report_drained(&mut self) {
        for observation in self.targets.drained() {
            self.unsaved = true;
            self.report(observation);
        }
    }

    fn save(&mut self) {
        if !std::mem::take(&mut self.unsaved) {
            return;
        }
        let begun = Instant::now();
        if let Err(e) = store::save(&self.paths, &self.stored()) {
            tracing::error!("the configuration cannot be saved; an edge that dies would come back without it: {e}");
        }
        self.save_from = Instant::now() + SAVE_EVERY.max(begun.elapsed() * SAVE_SHARE);
    }

    /// Lets requests under way finish, and ends.
    async fn end(&mut self, purge: Purge) -> Result<(), EdgeError> {
        self.save();
        self.link = None;
        self.stop_workers().await;
        self.remove_files(purge);
        Ok(())
    }

    fn remove_files(&self, purge: Purge) {
        let mut files = vec![self.paths.edge_socket(), handover::socket(&self.paths), self.paths.edge_front_report()];
        if purge == Purge::Yes {
            files.push(store::path(&self.paths));
            files.push(self.paths.run().join("edge.lock"));
            files.push(cookie_key(&self.paths));
        }
        for file in files {
            if let Err(e) = files::remove(&file) {
                tracing::warn!("{}: {e}", file.display());
            }
        }
    }
}

/// The key of cookies, kept with the edge's other files.
fn cookie_key(paths: &RunPaths) -> PathBuf {
    paths.run().join("edge-cookies.key")
}

/// Passes when the period under way ends; never while nobody wants reports.
async fn period_end(wait_ms: Option<u64>) {
    match wait_ms {
        Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}

/// Whether to leave nothing behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purge {
    Yes,
    No,
}
