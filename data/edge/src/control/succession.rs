//! The edge's own replacement: what it takes over from the one before it, what it gives to the one after it, and how it then
//! lives on for the connections that it has. It changes no configuration.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::MissedTickBehavior;
use world::{Observation, RunPaths};

use super::flows::OpenedDoors;
use super::signals::Signals;
use super::store::{Stored, StoredBalancer};
use super::targets::MemberKey;
use super::targets::TargetEvent;
use super::{Control, period_end};
use crate::EdgeError;
use crate::clock::wall;
use crate::flow::udp::{Adopted, Parted};
use crate::handover::give::{Given, HeirEvent, Left};
use crate::handover::take::{self, Rest, Taken, Word};
use crate::handover::{FLOWS_MAX, FlowNote, Message, Peer, note_doors};
use crate::worker::Command;

/// How often a place is asked for whose edge is just beginning or ending.
const CLAIMS_MAX: usize = 4;
const CLAIM_PAUSE: Duration = Duration::from_millis(50);
/// How often the edge that took over is told where requests are under way here.
const BUSY_EVERY: Duration = Duration::from_millis(100);

/// What an edge that wants to take over means for this one.
pub(super) enum Step {
    Stay,
    /// The other one has gone: it may have taken the names of this one's sockets.
    Return,
    Depart(Heir),
}

/// The edge that took over, and who waits to be told that this one accepts no more.
pub(super) struct Heir {
    peer: Peer,
    stopped: oneshot::Sender<Left>,
}

/// Makes this the edge of the data directory: the only one, or the one that the edge which runs hands over to.
pub(super) fn claim(paths: &RunPaths) -> Result<(File, Option<Taken>), EdgeError> {
    let path = paths.run().join("edge.lock");
    let mut outcome = Err(EdgeError::AlreadyRunning(path.clone()));
    for attempt in 0..CLAIMS_MAX {
        if attempt > 0 {
            std::thread::sleep(CLAIM_PAUSE);
        }
        if let Some(lock) = lock(&path)? {
            return Ok((lock, None));
        }
        match take::take(paths) {
            Ok(Some(taken)) => {
                let lock = taken.lock.try_clone().map_err(EdgeError::io("the lock"))?;
                return Ok((lock, Some(taken)));
            }
            Ok(None) => {}
            Err(e) => outcome = Err(EdgeError::io("the edge that runs does not hand over")(e)),
        }
    }
    outcome
}

/// One edge for a data directory. The lock goes with the process, however it ends, or to the one that takes over.
fn lock(path: &PathBuf) -> Result<Option<File>, EdgeError> {
    let opened = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path);
    let file = opened.map_err(EdgeError::io(format!("{}", path.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(EdgeError::io(format!("{}", path.display()))(e.into())),
    }
}

/// The next thing that the edge before this one tells.
pub(super) async fn next_word(words: &mut Option<mpsc::Receiver<Word>>) -> Word {
    match words {
        Some(words) => words.recv().await.unwrap_or(Word::Gone),
        None => std::future::pending().await,
    }
}

impl Control {
    /// Tells the edge before this one that users are served here, goes on with its flows of datagrams, and begins to hear of its
    /// last connections.
    pub(super) async fn succeed(&mut self, predecessor: Option<Peer>) -> Result<Option<mpsc::Receiver<Word>>, EdgeError> {
        let Some(predecessor) = predecessor else { return Ok(None) };
        let Rest { busy, flows } = take::serving(&predecessor).unwrap_or_else(|e| {
            tracing::warn!("the edge before this one has gone while it handed over: {e}");
            Rest::default()
        });
        let adopt = |(note, socket): (FlowNote, UdpSocket)| {
            let FlowNote { at, door, client, member, target, from, node, silent_ms, announces } = note;
            let flight = self.targets.resume(member.as_ref(), target, &from);
            Adopted { at, door, client, socket, flight, node, silent_ms, announces }
        };
        let flows = flows.into_iter().map(adopt).collect();
        self.targets.busy_elsewhere(busy);
        let held = self.held.take().unwrap_or_default();
        self.publish(OpenedDoors::of_datagrams(held, flows)).await?;
        let words = take::listen(&predecessor);
        self.predecessor = Some(predecessor);
        Ok(words.inspect_err(|e| tracing::warn!("the last connections of the edge before this one are not counted: {e}")).ok())
    }

    pub(super) fn hear(&mut self, word: Word) {
        match word {
            Word::Busy(targets) => self.targets.busy_elsewhere(targets),
            Word::Traffic(report) => {
                self.late.push(report);
                self.report_late();
                return;
            }
            Word::Gone => {
                self.predecessor = None;
                self.targets.busy_elsewhere(Vec::new());
            }
        }
        self.report_drained();
    }

    /// Passes on what the edge before this one did, once the period that it belongs to is over.
    pub(super) fn report_late(&mut self) {
        let now = wall();
        let is_over = |report: &mut Observation| matches!(report, Observation::Traffic { until, .. } if *until <= now);
        for report in self.late.extract_if(.., is_over).collect::<Vec<_>>() {
            self.tell_traffic(report);
        }
    }

    /// Takes in what another edge wants.
    pub(super) fn heir_event(&mut self, event: HeirEvent) -> Step {
        match event {
            HeirEvent::Asked { version, pid, answer } => {
                let given = match self.promised {
                    true => Err("another edge is about to take over".to_string()),
                    false => self.estate().map_err(|e| e.to_string()),
                };
                tracing::info!(version, pid, granted = given.is_ok(), "another edge wants to take over");
                let granted = given.is_ok();
                if answer.send(given).is_ok() && granted {
                    self.promised = true;
                }
            }
            HeirEvent::Lost(e) => {
                tracing::warn!("the edge that wanted to take over has gone: {e}");
                self.promised = false;
                return Step::Return;
            }
            HeirEvent::Serves { heir, stopped } => return Step::Depart(Heir { peer: heir, stopped }),
            HeirEvent::Told | HeirEvent::Cut(_) | HeirEvent::Finish | HeirEvent::Gone => {}
        }
        Step::Stay
    }

    fn estate(&self) -> io::Result<Given> {
        let lock = self.lock.as_ref().ok_or_else(|| io::Error::other("this edge has no lock any more"))?.try_clone()?.into();
        let (doors, sockets) = note_doors(self.pass_on()?);
        let estate = crate::handover::Estate { stored: self.stored(), tickets: self.ticket_keys.pass_on(), doors };
        Ok(Given { estate, lock, sockets })
    }

    /// What is to be known of everything to serve it again.
    pub(super) fn stored(&self) -> Stored {
        let balancers = self.balancers.values().map(|s| StoredBalancer { version: s.version, balancer: s.balancer.clone() });
        Stored { balancers: balancers.collect(), targets: self.targets.store(), health: self.targets.remember() }
    }

    /// Accepts no more, and lives on until the last connection has ended, for so long as workers bear it.
    pub(super) async fn depart(
        &mut self,
        Heir { peer, stopped }: Heir,
        mut heirs: mpsc::Receiver<HeirEvent>,
        mut words: Option<mpsc::Receiver<Word>>,
        mut target_events: mpsc::Receiver<TargetEvent>,
        mut signals: Signals,
    ) -> Result<(), EdgeError> {
        (self.link, self.lock, self.in_office) = (None, None, false);
        self.doors.close();
        self.datagrams.close();
        self.keeper.forget();
        self.targets.stop_checking();
        let (ends, flows) = self.drain_workers().await;
        let mut busy = self.targets.busy_anywhere();
        let (flows, sockets) = self.note_flows(flows);
        let _ = stopped.send(Left { busy: busy.clone(), flows, sockets });
        tracing::info!("another edge has taken over; connections under way go on here");
        let drained = async {
            for end in ends {
                let _ = end.await;
            }
        };
        tokio::pin!(drained);
        let mut looks = tokio::time::interval(BUSY_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Until then somebody else is talking with it.
        let mut told = false;
        loop {
            tokio::select! {
                // The edge before this one is heard by nobody else.
                () = &mut drained, if told && words.is_none() => break,
                Some(event) = heirs.recv() => match event {
                    HeirEvent::Told | HeirEvent::Gone => told = true,
                    HeirEvent::Finish => {
                        self.finish_before();
                        break;
                    }
                    HeirEvent::Cut(target) => {
                        if let Some(number) = self.targets.cut(&target) {
                            self.cut(number).await;
                        }
                        self.cut_before(target);
                    }
                    _ => {}
                },
                word = next_word(&mut words), if told => match word {
                    Word::Busy(targets) => self.targets.busy_elsewhere(targets),
                    Word::Traffic(report) => drop(peer.send(&Message::Traffic { report })),
                    Word::Gone => {
                        (words, self.predecessor) = (None, None);
                        self.targets.busy_elsewhere(Vec::new());
                    }
                },
                Some(event) = target_events.recv() => if let (_, Some(number)) = self.targets.observe(event) {
                    self.cut(number).await;
                },
                () = period_end(self.traffic.wait_ms(wall())), if told => if let Some(report) = self.traffic.report(wall()) {
                    let _ = peer.send(&Message::Traffic { report });
                },
                _ = looks.tick(), if told => {
                    let now = self.targets.busy_anywhere();
                    if now != busy {
                        busy.clone_from(&now);
                        let _ = peer.send(&Message::Busy { targets: now });
                    }
                }
                () = signals.wait() => break,
            }
        }
        self.stop_workers().await;
        if let Some(report) = self.traffic.rest() {
            let _ = peer.send(&Message::Traffic { report });
        }
        tracing::info!("the last connection has ended");
        Ok(())
    }

    /// What is told of flows that go on elsewhere, and their sockets. Where there are too many, those that have been silent the
    /// longest begin anew.
    fn note_flows(&self, mut flows: Vec<Parted>) -> (Vec<FlowNote>, Vec<OwnedFd>) {
        if flows.len() > FLOWS_MAX {
            flows.sort_by_key(|flow| flow.silent_ms);
            flows.truncate(FLOWS_MAX);
        }
        let members = self.targets.by_number();
        let note = |Parted { at, door, client, socket, target, node, silent_ms, announces }: Parted| {
            let member: Option<MemberKey> = members.get(&target.number).map(|key| (*key).clone());
            let (from, target) = (target.from.clone(), target.address);
            (FlowNote { at, door, client, member, target, from, node, silent_ms, announces }, socket)
        };
        flows.into_iter().map(note).unzip()
    }

    /// Lets all workers stop accepting and receiving; returns what tells that their last connections have ended, and their flows.
    async fn drain_workers(&self) -> (Vec<oneshot::Receiver<()>>, Vec<Parted>) {
        let (mut ends, mut flows) = (Vec::new(), Vec::new());
        for worker in &self.workers {
            let ((stop, stopped), (done, end)) = (oneshot::channel(), oneshot::channel());
            if worker.commands.send(Command::Drain { stopped: stop, done }).await.is_err() {
                continue;
            }
            if let Ok(parted) = stopped.await {
                ends.push(end);
                flows.extend(parted);
            }
        }
        (ends, flows)
    }

    /// Lets requests under way finish, for a while, and ends the workers.
    pub(super) async fn stop_workers(&mut self) {
        let mut answers = Vec::new();
        for worker in &self.workers {
            let (done, answer) = oneshot::channel();
            if worker.commands.send(Command::Stop { grace: self.options.stop_grace, done }).await.is_ok() {
                answers.push(answer);
            }
        }
        for answer in answers {
            let _ = answer.await;
        }
        for worker in self.workers.drain(..) {
            drop(worker.commands);
            let _ = worker.thread.join();
        }
    }

    /// Before an end that was asked for: nobody shall wait for this edge, or for the one before it.
    pub(super) fn leave_nothing(&mut self) {
        self.keeper.keep(Vec::new());
        self.finish_before();
    }

    fn finish_before(&mut self) {
        if let Some(predecessor) = self.predecessor.take() {
            let _ = predecessor.send(&Message::Finish);
        }
    }

    /// What is under way at this target is cut: at the edge before this one too.
    pub(super) fn cut_before(&self, target: MemberKey) {
        if let Some(predecessor) = &self.predecessor {
            let _ = predecessor.send(&Message::Cut { target });
        }
    }

    /// This target is gone: what is under way at the edge before this one is cut after a while.
    pub(super) fn let_go_before(&self, target: MemberKey, grace: Duration) {
        let Some(predecessor) = self.predecessor.as_ref().and_then(|peer| peer.again().ok()) else { return };
        spawn_local(async move {
            tokio::time::sleep(grace).await;
            let _ = predecessor.send(&Message::Cut { target });
        });
    }

    /// Has the listening sockets kept by whoever keeps them, where they have changed.
    pub(super) fn keep_doors(&mut self) {
        // Both are asked.
        if !(self.doors.take_changed() | self.datagrams.take_changed()) {
            return;
        }
        match self.pass_on() {
            Ok(passed) => self.keeper.keep(passed),
            Err(e) => tracing::warn!("the listening sockets are not kept: {e}"),
        }
    }
}
