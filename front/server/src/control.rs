//! The thread that owns the kernel. Everyone else sends it work over one bounded channel and waits; it works in
//! batches, so that waiting requests share one write to the disk, and lets nothing out before that write.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::{Caller, Fault, Time, Value};
use kernel::{Cx, Kernel, State, Tx};
use tokio::sync::{mpsc, oneshot};
use world::{Effect, Executor, Frame, Observation, Slot};

/// Most work that waits; more is refused with `Throttling`.
const WAITING_MAX: usize = 4_096;
/// Most pieces of work that share a write to the disk.
const BATCH_MAX: usize = 512;
/// Longest sleep, so that a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// Longer than this between two looks at the clock that should have followed each other, and the loop stood still: stopped by a
/// signal, suspended with the machine, or starved. It is half of what alarms wait for reports after a period's end.
const STOOD_STILL: Duration = Duration::from_millis(150);
/// How often due work and the journal itself are tried while the journal cannot be written.
const JOURNAL_RETRY: Duration = Duration::from_millis(250);
/// Frames that may wait for an executor, those that greet it counted as one; one that reads no faster is cut off and told
/// everything anew.
pub(crate) const FRAMES_MAX: usize = 65_536;

/// A request as the control thread sees it.
pub struct Call {
    pub caller: Caller,
    pub request_id: String,
    pub service: String,
    pub operation: String,
    pub input: Value,
}

type Answer = Result<Value, Fault>;
/// Sends an answer off, once it is known whether the commit succeeded.
type Release = Box<dyn FnOnce(bool) + Send>;
type Task = Box<dyn FnOnce(&mut Kernel, Time) -> Release + Send>;

enum Work {
    Task(Task),
    Observed(Observation),
    /// An executor is there, with the versions it has applied.
    Connected {
        executor: Executor,
        applied: Vec<(Slot, u64)>,
        frames: mpsc::Sender<Vec<Frame>>,
    },
    Stop,
}

/// The way to the control thread. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    work: SyncSender<Work>,
}

impl Control {
    /// Starts the thread. Executors are asked to report usage and traffic every so often.
    pub fn start(kernel: Kernel, report_every: Duration) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (work, inbox) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
            Loop { kernel, inbox, report_every, executors: BTreeMap::new(), answers: Vec::new(), retry_at: None }.run();
        })?;
        Ok((Self { work }, thread))
    }

    /// Runs an operation. Its answer comes once what it wrote is on the disk.
    pub async fn call(&self, call: Call) -> Answer {
        self.ask(move |kernel, now| {
            let Call { caller, request_id, service, operation, input } = call;
            kernel.call(now, caller, &request_id, &service, &operation, input)
        })
        .await
    }

    /// Looks at the state. A look that panics is an internal failure, as an operation is: nothing can have changed.
    pub async fn read<T: Send + 'static>(&self, look: impl FnOnce(&State) -> T + Send + 'static) -> Result<T, Fault> {
        self.ask(move |kernel, _| {
            catch_unwind(AssertUnwindSafe(|| look(kernel.state()))).map_err(|_| {
                tracing::error!("a look at the state panicked");
                Fault::internal()
            })
        })
        .await
    }

    /// Runs a transaction of the region's own.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx, &Cx) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.ask(move |kernel, now| kernel.run(now, work)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Kernel, Time) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, wait) = oneshot::channel();
        let task: Task = Box::new(move |kernel, now| {
            let result = ask(kernel, now);
            Box::new(move |committed| {
                let _ = answer.send(if committed { result } else { Err(unavailable()) });
            })
        });
        match self.work.try_send(Work::Task(task)) {
            Ok(()) => wait.await.unwrap_or_else(|_| Err(unavailable())),
            Err(TrySendError::Full(_)) => Err(Fault::new(400, "Throttling", "Rate exceeded")),
            Err(TrySendError::Disconnected(_)) => Err(unavailable()),
        }
    }

    /// Passes on what an executor reports; waits while the control thread is behind.
    pub(crate) async fn observed(&self, observation: Observation) -> Result<(), Fault> {
        self.send_patiently(Work::Observed(observation)).await
    }

    pub(crate) async fn connected(
        &self,
        executor: Executor,
        applied: Vec<(Slot, u64)>,
        frames: mpsc::Sender<Vec<Frame>>,
    ) -> Result<(), Fault> {
        self.send_patiently(Work::Connected { executor, applied, frames }).await
    }

    /// Ends the thread after the work that is under way.
    pub fn stop(&self) {
        let _ = self.work.send(Work::Stop);
    }

    async fn send_patiently(&self, mut work: Work) -> Result<(), Fault> {
        loop {
            match self.work.try_send(work) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(unavailable()),
                Err(TrySendError::Full(back)) => work = back,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn unavailable() -> Fault {
    Fault::new(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
}

/// The wall clock, in the one place that reads it for the control plane.
pub fn wall_clock() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

struct Loop {
    kernel: Kernel,
    inbox: Receiver<Work>,
    report_every: Duration,
    executors: BTreeMap<Executor, mpsc::Sender<Vec<Frame>>>,
    /// Answers that wait for the commit.
    answers: Vec<Release>,
    /// While the journal cannot be written: when it is tried again. Requests that write try it themselves, those that
    /// only read do without it.
    retry_at: Option<Time>,
}

/// Watches whether time passes while the loop does not.
struct Watch {
    /// By the clock that no one sets, which does not go on while the machine is suspended, and by the wall's.
    seen: (Instant, Time),
}

impl Watch {
    fn new() -> Self {
        Self { seen: (Instant::now(), wall_clock()) }
    }

    /// The time in which the loop stood still since the last look, if it did; `asked` of the time was to be slept.
    fn look(&mut self, asked: Duration) -> Option<(Time, Time)> {
        let (from, before) = (self.seen.1, self.seen.0);
        *self = Self::new();
        let (until, after) = (self.seen.1, self.seen.0);
        let passed = after.duration_since(before).max(Duration::from_millis(until.ms_since(from)));
        (passed > asked + STOOD_STILL).then_some((from, until))
    }
}

impl Loop {
    fn run(mut self) {
        let mut watch = Watch::new();
        loop {
            // Time may also be lost inside a turn.
            let in_turn = watch.look(Duration::ZERO);
            let asked = if in_turn.is_some() { Duration::ZERO } else { self.sleep() };
            let first = match self.inbox.recv_timeout(asked) {
                Ok(work) => Some(work),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            for (from, until) in in_turn.into_iter().chain(watch.look(asked)) {
                tracing::debug!(%from, %until, "the loop stood still");
                self.stood_still(until);
            }
            let mut batch: Vec<Work> = first.into_iter().collect();
            batch.extend(self.inbox.try_iter().take(BATCH_MAX));
            if !self.turn(batch, watch.seen.1) {
                break;
            }
        }
        if let Err(e) = self.kernel.settle() {
            tracing::error!(%e, "the journal may hold changes that were answered with 503");
        }
    }

    /// Says that what was measured until this moment may not have arrived yet.
    fn stood_still(&mut self, until: Time) {
        let noted = self.kernel.run(until, |tx, _| {
            region::cloudwatch::alarm::stood_still(tx, until);
            Ok(())
        });
        if let Err(fault) = noted {
            tracing::error!(%fault, "alarms may not know that the loop stood still");
        }
    }

    /// Works through a batch and makes it durable; false when the thread shall end.
    fn turn(&mut self, batch: Vec<Work>, now: Time) -> bool {
        let mut connected = Vec::new();
        let mut go_on = true;
        for work in batch {
            match work {
                Work::Task(task) => {
                    let release = task(&mut self.kernel, now);
                    self.answers.push(release);
                }
                Work::Observed(observation) => self.kernel.observe(now, &observation),
                Work::Connected { executor, applied, frames } => {
                    self.kernel.connected(now, &applied);
                    connected.push((executor, applied, frames));
                }
                Work::Stop => go_on = false,
            }
        }
        let retry = self.retry_at.is_some_and(|at| now >= at);
        if self.retry_at.is_none() || retry {
            self.kernel.run_due(now);
        }
        self.commit(now);
        if retry && self.retry_at.is_some() {
            self.retry(now);
        }
        for (executor, applied, frames) in connected {
            // What it has applied may just have been taken back: it shall come again when the journal works.
            if self.retry_at.is_none() {
                self.synchronise(executor, &applied, frames);
            }
        }
        go_on
    }

    fn sleep(&self) -> Duration {
        let Some(wake) = self.retry_at.or_else(|| self.kernel.next_wake()) else { return SLEEP_MAX };
        Duration::from_millis(wake.ms_since(wall_clock())).min(SLEEP_MAX)
    }

    fn commit(&mut self, now: Time) {
        match self.kernel.commit() {
            Ok(committed) => {
                if committed.writes > 0 {
                    self.journal_works();
                }
                self.answers.drain(..).for_each(|release| release(true));
                for effect in committed.effects {
                    self.send(effect);
                }
            }
            Err(e) => {
                if self.retry_at.is_none() {
                    tracing::error!(%e, "nothing can be written; requests that change something are answered with 503 until it can");
                }
                self.retry_at = Some(now + JOURNAL_RETRY);
                // What executors reported was taken back with the rest. Cut off, they connect anew and report everything.
                self.executors.clear();
                self.answers.drain(..).for_each(|release| release(false));
            }
        }
    }

    /// Tries the journal when nobody else did.
    fn retry(&mut self, now: Time) {
        match self.kernel.settle() {
            Ok(()) => self.journal_works(),
            Err(_) => self.retry_at = Some(now + JOURNAL_RETRY),
        }
    }

    fn journal_works(&mut self) {
        if self.retry_at.take().is_some() {
            tracing::info!("the journal can be written again");
        }
    }

    fn send(&mut self, effect: Effect) {
        let executor = effect.slot.kind.executor();
        let Some(frames) = self.executors.get(&executor) else { return };
        if frames.try_send(vec![Frame::Effect(effect)]).is_err() {
            tracing::warn!(?executor, "the executor reads too slowly or is gone; it will be told everything anew");
            self.executors.remove(&executor);
        }
    }

    /// Tells an executor that has just connected what it lacks, and what may exist: in one piece, for it may be more than may
    /// wait, and cut off it would lack as much again.
    fn synchronise(&mut self, executor: Executor, applied: &[(Slot, u64)], frames: mpsc::Sender<Vec<Frame>>) {
        let lacking = self.kernel.lacking(executor, applied);
        let effects = lacking.effects.into_iter().map(Frame::Effect);
        let report = Frame::Report { every_ms: u64::try_from(self.report_every.as_millis()).unwrap_or(u64::MAX) };
        let greeting = effects.chain([report, Frame::Sync { slots: lacking.slots }]).collect();
        // It may be gone again.
        if frames.try_send(greeting).is_ok() {
            self.executors.insert(executor, frames);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, Instant};

    use base::Scope;
    use kernel::{Kernel, MemoryJournal, Randomness, Settings};
    use tokio::sync::mpsc;
    use world::{Executor, Frame, RegisteredTarget, Target, TargetKey, TargetMode, Want};

    use super::{Control, FRAMES_MAX, STOOD_STILL, Watch, wall_clock};

    fn start() -> (Control, std::thread::JoinHandle<()>) {
        let (scope, journal) = (Scope::new("eu-central-1", "000000000000"), Box::new(MemoryJournal::default()));
        let kernel = Kernel::open(region::services, journal, scope, Settings::default(), Randomness::repeatable(7)).unwrap();
        Control::start(kernel, Duration::from_secs(60)).unwrap()
    }

    fn target(n: usize) -> Want {
        let key = TargetKey { id: n.to_string(), port: 80 };
        let (address, zone) = (std::net::Ipv4Addr::LOCALHOST, String::new());
        let target = Target { key, generation: 1, address, zone, mode: TargetMode::Active };
        Want::Target(RegisteredTarget { load_balancer: "lb".into(), group: "group".into(), target })
    }

    /// Load balancers have up to 1,000 targets in each of 100 groups.
    #[test]
    fn an_executor_is_told_more_than_may_wait_for_it() {
        let (control, thread) = start();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let told: Vec<Frame> = runtime.block_on(async {
            let wish = |tx: &mut kernel::Tx, _: &kernel::Cx| {
                for want in (0..FRAMES_MAX).map(target) {
                    tx.want(want.slot(), Some(want));
                }
                Ok(())
            };
            control.run(wish).await.unwrap();
            let (frames, mut outbox) = mpsc::channel(FRAMES_MAX);
            control.connected(Executor::Edge, Vec::new(), frames).await.unwrap();
            control.stop();
            let mut told = Vec::new();
            while let Some(frames) = outbox.recv().await {
                told.extend(frames);
            }
            told
        });
        // Of targets of nothing the region lets go at once: those are told of too.
        assert!(told.iter().filter(|frame| matches!(frame, Frame::Effect(_))).count() >= FRAMES_MAX);
        assert!(told.iter().any(|frame| matches!(frame, Frame::Sync { .. })));
        thread.join().unwrap();
    }

    /// As an operation that panics.
    #[test]
    fn a_look_that_panics_is_an_internal_failure_and_others_go_on() {
        let (control, thread) = start();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let failed = control.read(|_| if true { panic!("a bug") } else { 0 }).await.unwrap_err();
            assert_eq!((failed.http, failed.code.as_ref()), (500, "InternalFailure"));
            assert_eq!(control.read(|_| 7).await, Ok(7));
        });
        control.stop();
        thread.join().unwrap();
    }

    #[test]
    fn time_that_passes_without_the_loop_is_seen_on_either_clock() {
        const LOST: Duration = Duration::from_secs(2);
        let (at, wall) = (Instant::now(), wall_clock());
        let watch =
            |earlier: Duration, wall_earlier: Duration| Watch { seen: (at.checked_sub(earlier).unwrap(), wall - wall_earlier) };
        let (from, until) = watch(LOST, LOST).look(Duration::ZERO).unwrap();
        assert!(until.ms_since(from) >= 2_000);
        assert!(watch(Duration::ZERO, LOST).look(Duration::ZERO).is_some(), "the machine was suspended");
        assert!(watch(LOST, Duration::ZERO).look(Duration::ZERO).is_some(), "the wall's clock was set back meanwhile");
        assert_eq!(watch(LOST, LOST).look(LOST), None, "it was to sleep so long");
        assert!(watch(LOST, LOST).look(LOST - STOOD_STILL - Duration::from_millis(1)).is_some());
    }
}
