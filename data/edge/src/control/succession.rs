//! The edge's own replacement: what it takes over from the one before it, what it gives to the one after it, and how it then
//! lives on for the connections that it has. It changes no configuration.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use world::{Observation, RunPaths};

use super::signals::Signals;
use super::store::{Stored, StoredBalancer};
use super::targets::TargetEvent;
use super::{Control, period_end};
use crate::EdgeError;
use crate::clock::wall;
use crate::handover::give::{Given, HeirEvent};
use crate::handover::take::{self, Taken, Word};
use crate::handover::{Message, Peer, note_doors};

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
    stopped: oneshot::Sender<Vec<super::targets::MemberKey>>,
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
    /// Tells the edge before this one that users are served here, and begins to hear of its last connections.
    pub(super) fn succeed(&mut self, predecessor: Peer) -> Option<mpsc::Receiver<Word>> {
        match take::serving(&predecessor) {
            Ok(busy) => self.targets.busy_elsewhere(busy),
            Err(e) => tracing::warn!("the edge before this one has gone while it handed over: {e}"),
        }
        let words = take::listen(&predecessor);
        self.predecessor = Some(predecessor);
        words.inspect_err(|e| tracing::warn!("the last connections of the edge before this one are not counted: {e}")).ok()
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
            HeirEvent::Cut(_) | HeirEvent::Finish | HeirEvent::Gone => {}
        }
        Step::Stay
    }

    fn estate(&self) -> io::Result<Given> {
        let lock = self.lock.as_ref().ok_or_else(|| io::Error::other("this edge has no lock any more"))?.try_clone()?.into();
        let (doors, sockets) = note_doors(self.doors.pass_on()?);
        let estate = crate::handover::Estate { stored: self.stored(), tickets: self.ticket_keys.pass_on(), doors };
        Ok(Given { estate, lock, sockets })
    }

    /// What is to be known of everything to serve it again.
    pub(super) fn stored(&self) -> Stored {
        let balancers = self.balancers.values().map(|s| StoredBalancer { version: s.version, balancer: s.balancer.clone() });
        Stored { balancers: balancers.collect(), health: self.targets.remember() }
    }

    /// Accepts no more, and lives on until the last connection has ended, for so long as workers bear it.
    pub(super) async fn depart(
        &mut self,
        Heir { peer, stopped }: Heir,
        mut heirs: mpsc::Receiver<HeirEvent>,
        mut target_events: mpsc::Receiver<TargetEvent>,
        mut signals: Signals,
    ) -> Result<(), EdgeError> {
        (self.link, self.lock, self.in_office) = (None, None, false);
        self.doors.close();
        self.keeper.forget();
        self.targets.stop_checking();
        let ends = self.drain_workers().await;
        let mut busy = self.targets.busy();
        let _ = stopped.send(busy.clone());
        tracing::info!("another edge has taken over; connections under way go on here");
        let drained = async {
            for end in ends {
                let _ = end.await;
            }
        };
        tokio::pin!(drained);
        let mut looks = tokio::time::interval(BUSY_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut drained => break,
                Some(event) = heirs.recv() => match event {
                    HeirEvent::Finish => break,
                    HeirEvent::Cut(target) => if let Some(number) = self.targets.cut(&target) {
                        self.cut(number).await;
                    },
                    _ => {}
                },
                Some(event) = target_events.recv() => if let (_, Some(number)) = self.targets.observe(event, |_| 0) {
                    self.cut(number).await;
                },
                () = period_end(self.traffic.periods.wait_ms(wall())) => if let Some(report) = self.traffic.report(wall()) {
                    let _ = peer.send(&Message::Traffic { report });
                },
                _ = looks.tick() => {
                    let now = self.targets.busy();
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

    /// Lets all workers stop accepting; returns what tells that their last connections have ended.
    async fn drain_workers(&self) -> Vec<oneshot::Receiver<()>> {
        let mut ends = Vec::new();
        for worker in &self.workers {
            let ((stop, stopped), (done, end)) = (oneshot::channel(), oneshot::channel());
            if worker.commands.send(super::Command::Drain { stopped: stop, done }).await.is_ok() && stopped.await.is_ok() {
                ends.push(end);
            }
        }
        ends
    }

    /// Before an end that was asked for: nobody shall wait for this edge, or for the one before it.
    pub(super) fn leave_nothing(&mut self) {
        self.keeper.keep(Vec::new());
        if let Some(predecessor) = self.predecessor.take() {
            let _ = predecessor.send(&Message::Finish);
        }
    }

    /// Has the listening sockets kept by whoever keeps them, where they have changed.
    pub(super) fn keep_doors(&mut self) {
        if !self.doors.take_changed() {
            return;
        }
        match self.doors.pass_on() {
            Ok(passed) => self.keeper.keep(passed),
            Err(e) => tracing::warn!("the listening sockets are not kept: {e}"),
        }
    }
}
