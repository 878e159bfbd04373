use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Caller, Fault, FromValue, InstanceId, IntoValue, Operation, Rng, Scope, Time};
use kernel::{Kernel, MemoryJournal, Settings, State};
use world::{Effect, Executor};

use crate::checks;
use crate::model::{Coming, Delays, Event, Model};

/// What may go wrong by itself, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// An effect comes twice, the second time late.
    pub duplicated: u64,
    /// An effect or observation comes up to ten seconds late.
    pub late: u64,
    /// The connection to an executor breaks at an effect: it is lost with all that are on their way, until the
    /// executor connects anew some time later.
    pub lost: u64,
    /// The control plane is killed right after a commit, before any of its effects left.
    pub crash: u64,
}

/// Longest delay of a late message, and of a new connection after a lost one.
const LATE_MS: u64 = 10_000;
/// Where every run begins: 2026-01-01T00:00:00Z.
const BEGIN: Time = Time::from_unix_ms(1_767_225_600_000);

/// A region, its simulated world and the clock of both.
pub struct Rehearsal {
    kernel: Kernel,
    journal: Arc<Mutex<MemoryJournal>>,
    model: Model,
    coming: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    now: Time,
    rng: Rng,
    seed: u64,
    scope: Scope,
    pub faults: Faults,
    /// Commits and crashes so far.
    pub commits: u64,
    pub crashes: u64,
}

impl Rehearsal {
    /// An empty region. The same seed and the same calls give the same run.
    pub fn new(seed: u64, delays: Delays) -> Self {
        let journal = Arc::new(Mutex::new(MemoryJournal::default()));
        let scope = Scope::new("eu-central-1", "000000000000");
        let mut rng = Rng::new(seed);
        let kernel = open(&journal, &scope, rng.u64());
        let mut rehearsal = Self {
            kernel,
            journal,
            model: Model::new(rng.u64(), delays),
            coming: BTreeMap::new(),
            sequence: 0,
            now: BEGIN,
            rng,
            seed,
            scope,
            faults: Faults::default(),
            commits: 0,
            crashes: 0,
        };
        rehearsal.settle_control();
        rehearsal
    }

    pub fn now(&self) -> Time {
        self.now
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn state(&self) -> &State {
        self.kernel.state()
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A digest of the whole state of the control plane.
    pub fn digest(&self) -> u64 {
        self.kernel.digest()
    }

    /// Calls an operation as the root user.
    pub fn call<O: Operation>(&mut self, input: O::Input) -> Result<O::Output, Fault> {
        let caller = Caller::root(&self.scope, "AKIAREHEARSAL");
        let request_id = self.rng.uuid();
        let answer = self.kernel.call(self.now, caller, &request_id, O::SERVICE, O::NAME, input.into_value());
        self.settle_control();
        answer.map(O::Output::from_value)
    }

    /// Lets time pass until `done`, event by event; false when the limit comes first.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                self.now = end;
                return done(self);
            }
        }
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Kills an instance's init.
    pub fn kill(&mut self, id: &InstanceId) {
        let coming = self.model.kill(self.now, id);
        self.expect(coming);
    }

    /// Lets an instance run on without answering.
    pub fn hang(&mut self, id: &InstanceId) {
        let coming = self.model.hang(self.now, id);
        self.expect(coming);
    }

    pub fn lose_zone(&mut self, zone: &str) {
        let coming = self.model.lose_zone(self.now, zone);
        self.expect(coming);
    }

    pub fn return_zone(&mut self, zone: &str) {
        let coming = self.model.return_zone(self.now, zone);
        self.expect(coming);
    }

    /// Makes every write to the journal fail, or succeed again.
    pub fn fail_journal(&mut self, failing: bool) {
        self.journal.lock().expect("no one panics while holding it").failing = failing;
    }

    /// Kills the control plane and starts it again from its journal; what was not committed is lost, and so is
    /// what was on its way to the world.
    pub fn crash(&mut self) {
        self.crashes += 1;
        self.kernel = open(&self.journal, &self.scope, self.rng.u64());
        self.coming.retain(|_, event| !matches!(event, Event::Deliver(_)));
        for executor in [Executor::Host, Executor::Edge] {
            self.reconnect(executor);
        }
    }

    /// One event: the next of the world's, or the control plane's next own look. False when none comes by `end`.
    fn step(&mut self, end: Time) -> bool {
        let world = self.coming.first_key_value().map(|((at, _), _)| *at);
        let own = self.kernel.next_wake();
        let Some(next) = world.into_iter().chain(own).min().filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        if world.is_some_and(|at| at <= self.now) {
            let Some((_, event)) = self.coming.pop_first() else { return false };
            let (seen, coming) = self.model.happen(self.now, &event);
            self.expect(coming);
            if let Some(observation) = seen {
                self.kernel.observe(self.now, &observation);
            }
        }
        self.settle_control();
        true
    }

    /// Runs what is due and commits, until nothing is due now.
    fn settle_control(&mut self) {
        loop {
            self.kernel.run_due(self.now);
            let committed = match self.kernel.commit() {
                Ok(committed) => committed,
                // As in the real server: nothing was done; it is tried again a little later.
                Err(_) => {
                    self.now = self.now + Duration::from_millis(200);
                    return;
                }
            };
            if committed.writes > 0 {
                self.commits += 1;
                checks::after_commit(self.kernel.state());
                if self.chance(self.faults.crash) {
                    self.crash();
                    continue;
                }
            }
            self.deliver(committed.effects);
            if self.kernel.next_wake().is_none_or(|wake| wake > self.now) {
                return;
            }
        }
    }

    fn deliver(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if self.chance(self.faults.lost) {
                let executor = effect.slot.kind.executor();
                self.coming.retain(|_, event| !matches!(event, Event::Deliver(e) if e.slot.kind.executor() == executor));
                self.reconnect(executor);
                return;
            }
            if self.chance(self.faults.duplicated) {
                let at = self.late();
                self.push(at, Event::Deliver(effect.clone()));
            }
            let at = if self.chance(self.faults.late) { self.late() } else { self.now };
            self.push(at, Event::Deliver(effect));
        }
    }

    /// An executor connects anew: it reports what it has, and is told what it lacks.
    fn reconnect(&mut self, executor: Executor) {
        let applied = self.model.applied(executor);
        self.kernel.connected(self.now, &applied);
        if executor == Executor::Host || executor == Executor::Edge {
            for observation in self.model.present(self.now) {
                self.push(self.now, Event::Observe(observation));
            }
        }
        if self.kernel.commit().is_err() {
            return;
        }
        for effect in self.kernel.lacking(executor, &applied).effects {
            let at = if self.faults.lost > 0 { self.late() } else { self.now };
            self.push(at, Event::Deliver(effect));
        }
    }

    fn expect(&mut self, coming: Vec<Coming>) {
        for Coming { at, what } in coming {
            let at = if self.chance(self.faults.late) { at.max(self.late()) } else { at };
            self.push(at, what);
        }
    }

    fn push(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.coming.insert((at, self.sequence), event);
    }

    fn late(&mut self) -> Time {
        self.now + Duration::from_millis(1 + self.rng.below(LATE_MS))
    }

    fn chance(&mut self, in_a_thousand: u64) -> bool {
        in_a_thousand > 0 && self.rng.below(1_000) < in_a_thousand
    }
}

fn open(journal: &Arc<Mutex<MemoryJournal>>, scope: &Scope, seed: u64) -> Kernel {
    Kernel::open(region::services, Box::new(journal.clone()), scope.clone(), Settings::default(), seed)
        .unwrap_or_else(|e| panic!("a journal in memory can be read: {e}"))
}
