use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{Caller, Fault, FromValue, InstanceId, IntoValue, Operation, Rng, Scope, Time};
use kernel::{Committed, Kernel, Settings, State};
use region::metrics::MemoryKeep;
use world::{Effect, Executor, Observation};

use crate::checks::{self, Watch};
use crate::disk::Disk;
use crate::event::{Coming, Event, short, source};
use crate::load::{Demand, Load, Tally, Trace};
use crate::model::{Delays, Model};

/// What may go wrong by itself, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// An effect comes twice, the second time late.
    pub duplicated: u64,
    /// An effect comes late, and others overtake it; an observation comes late, with all those behind it.
    pub late: u64,
    /// The connection to an executor breaks at an effect: all that is under way in both directions is lost, until the
    /// executor connects anew some time later.
    pub lost: u64,
    /// The control plane is killed right after a commit, before any of its effects or answers left.
    pub crash: u64,
    /// A boot fails.
    pub broken_boot: u64,
    /// A receiver refuses a message.
    pub broken_delivery: u64,
}

/// How closely a run looks at itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrutiny {
    /// Every rule after every commit, and a trace that a breach ends with.
    EveryCommit,
    /// None: for measuring and predicting. It keeps nothing, so it must not crash.
    Never,
}

/// Longest delay of a late message, and of a new connection after a lost one.
const LATE_MS: u64 = 10_000;
/// Reconciliations before a commit, unless a run says otherwise.
const RECONCILED_MAX: usize = 4_096;
/// How long the control plane waits after a failed write to the journal, as `serve` does.
const JOURNAL_RETRY: Duration = Duration::from_millis(200);
/// So many of the last events are told when a rule is broken.
const TRACE_MAX: usize = 80;
/// Where a run begins unless it says otherwise: 2026-01-01T00:00:00Z.
const BEGIN: Time = Time::from_unix_ms(1_767_225_600_000);

/// Where and when a region is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Such as `eu-central-1`.
    pub region: String,
    pub settings: Settings,
    pub begin: Time,
}

impl Default for Place {
    fn default() -> Self {
        Self { region: "eu-central-1".into(), settings: Settings::default(), begin: BEGIN }
    }
}

/// A region, its simulated world and the clock of both.
pub struct Rehearsal {
    pub(crate) kernel: Kernel,
    disk: Disk,
    model: Model,
    load: Option<Load>,
    settings: Settings,
    begin: Time,
    coming: BTreeMap<(Time, u64), Event>,
    /// Executors without a connection.
    away: BTreeSet<Executor>,
    /// When the last observation on its way from each executor arrives: none overtakes another.
    arrives: BTreeMap<Executor, Time>,
    sequence: u64,
    now: Time,
    rng: Rng,
    seed: u64,
    scope: Scope,
    scrutiny: Scrutiny,
    watch: Watch,
    trace: VecDeque<String>,
    pub faults: Faults,
    /// So many reconciliations at most before a commit. `serve` does thousands; one makes a crash possible between any
    /// two.
    pub reconciled_max: usize,
    /// The control plane is killed after its commit of this number.
    pub crash_at: Option<u64>,
    /// The journal cannot be written at the commit of this number, once.
    pub fail_at: Option<u64>,
    /// The journal could not be written at the last try.
    journal_failed: bool,
    /// Commits and crashes so far.
    pub commits: u64,
    pub crashes: u64,
}

impl Rehearsal {
    /// An empty region. The same seed and the same calls give the same run.
    pub fn new(seed: u64, delays: Delays, scrutiny: Scrutiny) -> Self {
        Self::at(Place::default(), seed, delays, scrutiny)
    }

    /// As [`Rehearsal::new`], at a place.
    pub fn at(place: Place, seed: u64, delays: Delays, scrutiny: Scrutiny) -> Self {
        // What never crashes need not keep anything.
        let keep = (scrutiny == Scrutiny::EveryCommit).then(MemoryKeep::default);
        let disk = Disk { journal: Arc::default(), keep };
        let scope = Scope::new(&place.region, "000000000000");
        let mut rng = Rng::new(seed);
        let kernel = disk.open(&scope, &place.settings, rng.u64());
        let mut rehearsal = Self {
            kernel,
            disk,
            model: Model::new(rng.u64(), delays),
            load: None,
            settings: place.settings,
            begin: place.begin,
            coming: BTreeMap::new(),
            away: BTreeSet::new(),
            arrives: BTreeMap::new(),
            sequence: 0,
            now: place.begin,
            rng,
            seed,
            scope,
            scrutiny,
            watch: Watch::default(),
            trace: VecDeque::new(),
            faults: Faults::default(),
            reconciled_max: RECONCILED_MAX,
            crash_at: None,
            fail_at: None,
            journal_failed: false,
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

    /// Lets users send requests from now on, as the trace says that begins at `from`; the executors report what comes of it
    /// in every metric period.
    pub fn send_load(&mut self, trace: Trace, from: Time, demand: Demand) {
        self.model.watch();
        let period = Duration::from_secs(u64::from(self.settings.metric_period_s));
        self.load = Some(Load::new(trace, from, demand, self.now, period));
    }

    /// The load, if there is one.
    pub fn load(&self) -> Option<&Load> {
        self.load.as_ref()
    }

    /// What came of the load since it was last asked.
    pub fn take_tally(&mut self) -> Tally {
        self.load.as_mut().map(Load::take_tally).unwrap_or_default()
    }

    /// A digest of the whole state of the control plane.
    pub fn digest(&self) -> u64 {
        self.kernel.digest()
    }

    /// How many rows of each table the journal holds.
    pub fn kept(&self) -> BTreeMap<String, usize> {
        let journal = self.disk.journal.lock().expect("no one panics while holding it");
        let mut tables = BTreeMap::new();
        for key in journal.rows.keys() {
            let table = key.split('\0').next().unwrap_or_default();
            *tables.entry(table.to_string()).or_default() += 1;
        }
        tables
    }

    /// Calls an operation as the root user. When its writes cannot be made durable, the answer is 503, as that of
    /// `serve`.
    pub fn call<O: Operation>(&mut self, input: O::Input) -> Result<O::Output, Fault> {
        let caller = Caller::root(&self.scope, "AKIAREHEARSAL");
        let request_id = self.rng.uuid();
        self.note(|| format!("call {}:{}", O::SERVICE, O::NAME));
        let answer = self.kernel.call(self.now, caller, &request_id, O::SERVICE, O::NAME, input.into_value());
        if !self.settle_control() {
            return Err(Fault::new(503, "ServiceUnavailable", "the journal cannot be written"));
        }
        if let Err(fault) = &answer {
            self.note(|| format!("refused: {fault}"));
        }
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
                self.now = self.now.max(end);
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
        self.note(|| format!("kill {id}"));
        let coming = self.model.kill(self.now, id);
        self.expect(coming);
    }

    /// Lets an instance run on without answering.
    pub fn hang(&mut self, id: &InstanceId) {
        self.note(|| format!("hang {id}"));
        let coming = self.model.hang(self.now, id);
        self.expect(coming);
    }

    pub fn lose_zone(&mut self, zone: &str) {
        self.note(|| format!("zone {zone} is lost"));
        let coming = self.model.lose_zone(self.now, zone);
        self.expect(coming);
    }

    pub fn return_zone(&mut self, zone: &str) {
        self.note(|| format!("zone {zone} is back"));
        let coming = self.model.return_zone(self.now, zone);
        self.expect(coming);
    }

    /// Makes every write to the journal fail, or succeed again.
    pub fn fail_journal(&mut self, failing: bool) {
        self.note(|| format!("the journal {}", if failing { "fails" } else { "works" }));
        self.disk.journal.lock().expect("no one panics while holding it").failing = failing;
    }

    /// Kills the control plane and starts it again from its journal; what was not committed is lost, and so is
    /// what was on its way to the world and from it.
    pub fn crash(&mut self) {
        assert!(self.scrutiny == Scrutiny::EveryCommit, "a run that keeps nothing cannot crash");
        self.note(|| "crash".into());
        self.crashes += 1;
        self.kernel = self.disk.open(&self.scope, &self.settings, self.rng.u64());
        for executor in [Executor::Host, Executor::Edge, Executor::Courier, Executor::Authority] {
            self.disconnect(executor);
        }
    }

    /// Ends the run because of a broken rule, with all that is needed to see it again.
    pub fn breach(&self, text: impl std::fmt::Display) -> ! {
        let trace: Vec<&str> = self.trace.iter().map(String::as_str).collect();
        panic!("seed {}, {} commits, {}: {text}\nlast events:\n{}", self.seed, self.commits, self.now, trace.join("\n"));
    }

    /// One event: the next of the world's, or the control plane's next own look. False when none comes by `end`.
    fn step(&mut self, end: Time) -> bool {
        let world = self.coming.first_key_value().map(|((at, _), _)| *at);
        let (own, load) = (self.kernel.next_wake(), self.load.as_ref().map(Load::next));
        let Some(next) = world.into_iter().chain(own).chain(load).min().filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        // A second's requests come before what happens at its end.
        if load.is_some_and(|at| at <= self.now) {
            self.flow();
        } else {
            self.happen_next();
        }
        self.settle_control();
        true
    }

    fn flow(&mut self) {
        let Some(load) = &mut self.load else { return };
        let reports = load.tick(&mut self.model);
        self.expect(reports.into_iter().map(|o| Coming { at: self.now, what: Event::Observe(o) }).collect());
    }

    /// The world's next event; all of its moment where nobody looks between them.
    fn happen_next(&mut self) {
        while let Some(next) = self.coming.first_entry().filter(|e| e.key().0 <= self.now) {
            let event = next.remove();
            self.happen(event);
            if self.scrutiny == Scrutiny::EveryCommit {
                return;
            }
        }
    }

    fn happen(&mut self, event: Event) {
        self.note(|| short(&event));
        match event {
            Event::Observe(observation) => {
                self.kernel.observe(self.now, &observation);
                if let (Observation::Usage { instances, .. }, Some(load)) = (observation, &mut self.load) {
                    load.take_back(instances);
                }
            }
            Event::Connect(executor) => self.connect(executor),
            event => {
                self.model.broken_boots = self.faults.broken_boot;
                self.model.broken_deliveries = self.faults.broken_delivery;
                let coming = self.model.happen(self.now, &event);
                self.expect(coming);
            }
        }
    }

    /// Runs what is due and commits, until nothing is due now. False when the journal failed at the first commit: then
    /// what was done before it was taken back.
    fn settle_control(&mut self) -> bool {
        for turn in 0_u64.. {
            self.kernel.run_some_due(self.now, self.reconciled_max);
            if let Some(trouble) = self.kernel.take_trouble() {
                self.breach(trouble);
            }
            let Some(committed) = self.commit() else { return turn > 0 };
            if committed.writes > 0 && (self.crash_at == Some(self.commits) || self.chance(self.faults.crash)) {
                self.crash_at = None;
                self.crash();
                continue;
            }
            self.deliver(committed.effects);
            if self.kernel.next_wake().is_none_or(|wake| wake > self.now) {
                break;
            }
        }
        true
    }

    /// Commits and looks whether every rule holds; none when the journal failed, which costs some time.
    fn commit(&mut self) -> Option<Committed> {
        let fails = self.fail_at == Some(self.commits + 1);
        if fails {
            self.fail_journal(true);
        }
        let outcome = self.kernel.commit();
        if fails {
            self.fail_journal(false);
        }
        let Ok(committed) = outcome else {
            self.fail_at = None;
            self.journal_failed = true;
            self.now = self.now + JOURNAL_RETRY;
            return None;
        };
        if committed.writes > 0 {
            self.commits += 1;
            self.note(|| format!("commit of {} rows", committed.writes));
            // Between two reconciliations a rule may be broken that the next one mends.
            let is_settled = self.kernel.next_wake().is_none_or(|wake| wake > self.now);
            if self.scrutiny == Scrutiny::EveryCommit
                && is_settled
                && let Err(broken) = self.check()
            {
                self.breach(broken);
            }
        }
        if std::mem::take(&mut self.journal_failed) {
            // What was reported meanwhile was taken back: `serve` makes the executors report everything anew.
            for executor in [Executor::Host, Executor::Edge, Executor::Courier, Executor::Authority] {
                self.disconnect(executor);
            }
        }
        Some(committed)
    }

    fn check(&mut self) -> Result<(), checks::Broken> {
        checks::after_commit(self.kernel.state(), &self.model)?;
        self.watch.after_commit(self.now, self.kernel.state())
    }

    fn deliver(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let executor = effect.slot.kind.executor();
            if self.away.contains(&executor) {
                continue;
            }
            if self.chance(self.faults.lost) {
                self.note(|| format!("connection to {executor:?} lost"));
                self.disconnect(executor);
                continue;
            }
            if self.chance(self.faults.duplicated) {
                let at = self.late();
                self.push(at, Event::Deliver(effect.clone()));
            }
            let at = if self.chance(self.faults.late) { self.late() } else { self.now };
            self.push(at, Event::Deliver(effect));
        }
    }

    /// The connection to an executor breaks; it comes again later.
    fn disconnect(&mut self, executor: Executor) {
        self.coming.retain(|_, event| match event {
            Event::Deliver(effect) => effect.slot.kind.executor() != executor,
            Event::Observe(observation) => source(observation) != executor,
            Event::Connect(other) => *other != executor,
            _ => true,
        });
        self.away.insert(executor);
        self.arrives.remove(&executor);
        let at = if self.faults.lost > 0 { self.late() } else { self.now };
        self.push(at, Event::Connect(executor));
    }

    /// An executor connects anew: it says what it has applied and how all it has is, and is told what it lacks.
    fn connect(&mut self, executor: Executor) {
        let applied = self.model.applied(executor);
        self.kernel.connected(self.now, &applied);
        self.away.remove(&executor);
        if !self.settle_control() || self.away.contains(&executor) {
            return;
        }
        for effect in self.kernel.lacking(executor, &applied).effects {
            self.push(self.now, Event::Deliver(effect));
        }
        for observation in self.model.present(executor, self.now) {
            self.expect(vec![Coming { at: self.now, what: Event::Observe(observation) }]);
        }
    }

    /// Puts what will happen in its order. Observations of one executor never overtake each other, and none is made
    /// while it has no connection.
    fn expect(&mut self, coming: Vec<Coming>) {
        for Coming { at, what } in coming {
            let Event::Observe(observation) = &what else {
                self.push(at, what);
                continue;
            };
            let executor = source(observation);
            if self.away.contains(&executor) {
                continue;
            }
            let at = if self.chance(self.faults.late) { at.max(self.late()) } else { at };
            let last = self.arrives.get(&executor).copied().unwrap_or(Time::ZERO);
            self.arrives.insert(executor, at.max(last));
            self.push(at.max(last), what);
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

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.scrutiny == Scrutiny::Never {
            return;
        }
        if self.trace.len() == TRACE_MAX {
            self.trace.pop_front();
        }
        let at = self.now.ms_since(self.begin);
        self.trace.push_back(format!("{:>8}.{:03} s  {}", at / 1_000, at % 1_000, text()));
    }
}
