use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use base::{Caller, Fault, Rng, Scope, Time, Value};
use world::{Effect, Executor, Observation, Slot};

use crate::cx::{Cx, Settings};
use crate::due::{DueKey, DueQueue, Rounds, Turn};
use crate::journal::{Journal, JournalError, Write};
use crate::objects::Objects;
use crate::randomness::{Randomness, Secrets};
use crate::registry::Registry;
use crate::state::State;
use crate::store::Store;
use crate::tx::{Changes, ReadRow, Tx};
use crate::wanted::{Sequence, Wanted};

/// Most keys reconciled in one go, so that requests get their turn.
const RECONCILED_MAX: usize = 4_096;
/// When a reconciler that failed, or did not converge, is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What a commit made durable.
#[derive(Debug, Default)]
pub struct Committed {
    /// Effects to send to the world now. They are sent again at a reconnect until they are answered.
    pub effects: Vec<Effect>,
    /// How many rows were written.
    pub writes: usize,
}

/// What a newly connected executor must be told.
#[derive(Debug, Default)]
pub struct Lacking {
    pub effects: Vec<Effect>,
    /// Every slot that may exist; the executor removes the others.
    pub slots: Vec<Slot>,
}

/// A region's control plane: state, journal and due work. Calls change the state in memory; nothing may leave the
/// house (answers to writes, effects) before [`Kernel::commit`] has returned.
pub struct Kernel {
    state: State,
    registry: Arc<Registry>,
    journal: Box<dyn Journal>,
    epoch: u64,
    changes: Changes,
    /// Rows of a commit that failed, as they were before it. The journal may hold what was taken back (an error of fsync does
    /// not tell), so these are written before anything else.
    doubtful: Vec<Write>,
    due: DueQueue,
    rng: Rng,
    secrets: Option<Arc<dyn Secrets>>,
    objects: Option<Arc<dyn Objects>>,
    now: Time,
    scope: Arc<Scope>,
    settings: Arc<Settings>,
    /// The first failure of our own since it was last asked for.
    trouble: Option<String>,
}

impl Kernel {
    /// Loads the state from the journal and makes everything due, so that what was under way goes on.
    pub fn open(
        registry: impl FnOnce(&mut Registry),
        mut journal: Box<dyn Journal>,
        scope: Scope,
        settings: Settings,
        randomness: Randomness,
    ) -> Result<Self, JournalError> {
        let mut all = Registry::default();
        all.table::<Wanted>();
        all.table::<Sequence>();
        registry(&mut all);
        let mut state = all.new_state();
        for (key, json) in journal.load()? {
            let table = key.split('\0').next().unwrap_or_default();
            let table = state.table_by_name(table).ok_or_else(|| JournalError(format!("unknown table {table}")))?;
            table.load(&json).map_err(|e| JournalError(format!("row {} is not understood: {e}", key.replace('\0', " "))))?;
        }
        let mut kernel = Self {
            state,
            registry: Arc::new(all),
            journal,
            epoch: 1,
            changes: Changes::default(),
            doubtful: Vec::new(),
            due: DueQueue::default(),
            rng: Rng::new(randomness.seed),
            secrets: randomness.secrets,
            objects: None,
            now: Time::ZERO,
            scope: Arc::new(scope),
            settings: Arc::new(settings),
            trouble: None,
        };
        kernel.make_everything_due();
        Ok(kernel)
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// A store beside the tables, to give it its port or to load it.
    pub fn store_mut<S: Store>(&mut self) -> &mut S {
        self.state.store_mut()
    }

    /// Gives the port through which operations read objects; without it there is none.
    pub fn use_objects(&mut self, objects: Arc<dyn Objects>) {
        self.objects = Some(objects);
    }

    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// Runs an operation as one transaction. The caller's answer may leave after the next commit. An operation that
    /// panics changes nothing and answers with an internal failure.
    pub fn call(
        &mut self,
        now: Time,
        caller: Caller,
        request_id: &str,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, Fault> {
        let registry = self.registry.clone();
        let run = registry.run_operation(service, operation).ok_or_else(|| {
            Fault::client("InvalidAction", format!("The action {operation} is not valid for this web service."))
        })?;
        let cx = self.cx(now, caller, request_id.into());
        self.transact(&cx, |tx, cx| run(tx, cx, input))
    }

    /// Runs a transaction of the region's own.
    pub fn run<T>(&mut self, now: Time, work: impl FnOnce(&mut Tx, &Cx) -> Result<T, Fault>) -> Result<T, Fault> {
        let cx = self.own_cx(now);
        self.transact(&cx, work)
    }

    /// Takes in what the world reports. Reports about older versions and generations are dropped.
    pub fn observe(&mut self, now: Time, observation: &Observation) {
        let cx = self.own_cx(now);
        let registry = self.registry.clone();
        let outcome = self.transact(&cx, |tx, cx| {
            match observation {
                Observation::Applied { slot, version } => answered(tx, slot, *version, None),
                Observation::Refused { slot, version, reason } => answered(tx, slot, *version, Some(reason)),
                _ => {}
            }
            registry.observers().iter().try_for_each(|observe| observe(tx, cx, observation))
        });
        if let Err(fault) = outcome {
            tracing::error!(?observation, %fault, "an observation was not taken in");
            self.note_trouble(|| format!("an observation was not taken in: {fault}: {observation:?}"));
        }
    }

    /// Reconciles the keys that are due by `now`, a bounded number of them: ask [`Kernel::next_wake`] for more.
    pub fn run_due(&mut self, now: Time) {
        self.run_some_due(now, RECONCILED_MAX);
    }

    /// As [`Kernel::run_due`], `most` keys at most: so that the simulated world can commit, and crash, between any two.
    /// A key that had its turn waits until every other that is due had one: what a thousand keys do to one is looked at
    /// once.
    pub fn run_some_due(&mut self, now: Time, most: usize) {
        let now = now.max(self.now);
        let mut rounds = Rounds::default();
        let mut left = most;
        while left > 0 {
            match rounds.next(&mut self.due, now) {
                Some(Turn::Run(key)) => {
                    self.reconcile(now, key);
                    left -= 1;
                }
                Some(Turn::Endless(key)) => {
                    let (name, _) = self.registry.reconciler_at(key.0);
                    tracing::error!(reconciler = name, key = key.1, "does not converge");
                    self.note_trouble(|| format!("{name} {} does not converge", key.1));
                    self.due.add(key, now + RETRY);
                }
                None => return,
            }
        }
        rounds.end(&mut self.due, now);
    }

    fn reconcile(&mut self, now: Time, key: DueKey) {
        let (name, run) = self.registry.reconciler_at(key.0);
        let cx = self.own_cx(now);
        match self.transact(&cx, |tx, cx| run(tx, cx, &key.1)) {
            Ok(Some(wake_at)) => self.due.add(key, wake_at),
            Ok(None) => {}
            Err(fault) => {
                tracing::error!(reconciler = name, key = key.1, %fault, "reconciliation failed, tried again later");
                self.note_trouble(|| format!("{name} {} failed: {fault}", key.1));
                self.due.add(key, now + RETRY);
            }
        }
    }

    /// When the next key is due; none when nothing is under way.
    pub fn next_wake(&self) -> Option<Time> {
        self.due.next_time()
    }

    /// Makes everything since the last commit durable. On an error all of it is taken back and nothing was done:
    /// whoever waits for an answer must be told so.
    pub fn commit(&mut self) -> Result<Committed, JournalError> {
        self.state.keep_stores();
        let changes = std::mem::take(&mut self.changes);
        if changes.dirty.is_empty() {
            return Ok(Committed::default());
        }
        // What was in doubt goes first and by itself: when that fails too, nothing more has come into doubt. A kill between the
        // two leaves the state before this batch, whole.
        let settled = self.settle();
        let may_be_written = settled.is_ok();
        match settled.and_then(|()| self.write(&changes.dirty)) {
            Ok(()) => {
                let effects = changes.effects.iter().filter_map(|slot| self.state.get::<Wanted>(slot)).map(Wanted::effect);
                Ok(Committed { effects: effects.collect(), writes: changes.dirty.len() })
            }
            Err(e) => {
                for undo in changes.undo.into_iter().rev() {
                    undo(&mut self.state);
                }
                if may_be_written {
                    self.doubtful = self.present(&changes.dirty);
                }
                self.make_everything_due();
                Err(e)
            }
        }
    }

    fn write(&mut self, dirty: &BTreeMap<String, ReadRow>) -> Result<(), JournalError> {
        if !self.journal.keeps() {
            return Ok(());
        }
        let writes = self.present(dirty);
        self.journal.commit(self.epoch, &writes)
    }

    /// The rows as they are now.
    fn present(&self, rows: &BTreeMap<String, ReadRow>) -> Vec<Write> {
        rows.iter().map(|(key, read)| Write { value: read(&self.state), key: key.clone() }).collect()
    }

    /// Writes what a commit that failed left in doubt. Call it now and then while the journal fails, and at the end.
    pub fn settle(&mut self) -> Result<(), JournalError> {
        if !self.doubtful.is_empty() {
            self.journal.commit(self.epoch, &self.doubtful)?;
            self.doubtful.clear();
        }
        Ok(())
    }

    /// Takes in what an executor that has just connected says it has applied: it may have done so while nobody
    /// listened. Commit afterwards, then tell it what it lacks ([`Kernel::lacking`]).
    pub fn connected(&mut self, now: Time, applied: &[(Slot, u64)]) {
        for (slot, version) in applied {
            let unanswered = self.state.get::<Wanted>(slot).is_some_and(|w| w.version == *version && !w.applied);
            if unanswered {
                self.observe(now, &Observation::Applied { slot: slot.clone(), version: *version });
            }
        }
    }

    /// What an executor that has applied `applied` must still be told, and every slot that may exist with it.
    /// Call it with nothing uncommitted.
    pub fn lacking(&self, executor: Executor, applied: &[(Slot, u64)]) -> Lacking {
        let applied: BTreeSet<(&Slot, u64)> = applied.iter().map(|(slot, version)| (slot, *version)).collect();
        let mut lacking = Lacking::default();
        for wanted in self.state.rows::<Wanted>().filter(|w| w.slot.kind.executor() == executor) {
            if wanted.want.is_some() {
                lacking.slots.push(wanted.slot.clone());
            }
            if !applied.contains(&(&wanted.slot, wanted.version)) {
                lacking.effects.push(wanted.effect());
            }
        }
        lacking
    }

    /// What of our own went wrong first since the last call: a panic, a failed or endless reconciliation. A user's mistake
    /// is none. The simulated world ends with it; `serve` has it in its log.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// A digest of the whole state; equal states have equal digests.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.state.dump(&mut |key, json| {
            key.hash(&mut hasher);
            json.hash(&mut hasher);
        });
        hasher.finish()
    }

    fn note_trouble(&mut self, text: impl FnOnce() -> String) {
        self.trouble.get_or_insert_with(text);
    }

    fn own_cx(&mut self, now: Time) -> Cx {
        let caller = Caller::root(&self.scope, "");
        self.cx(now, caller, String::new())
    }

    fn cx(&mut self, now: Time, caller: Caller, request_id: String) -> Cx {
        self.now = self.now.max(now);
        let rng = Rng::new(self.rng.u64());
        let randomness = (rng, self.secrets.clone());
        Cx::new(self.now, caller, request_id, self.scope.clone(), self.settings.clone(), randomness, self.objects.clone())
    }

    fn transact<T>(&mut self, cx: &Cx, work: impl FnOnce(&mut Tx, &Cx) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut tx = Tx::new(&mut self.state, &self.registry, &mut self.changes);
        let whole = AssertUnwindSafe(|| work(&mut tx, cx).inspect(|_| tx.any_change()));
        let outcome = catch_unwind(whole).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            tracing::error!(request_id = cx.request_id, panic = text, "a transaction panicked");
            self.trouble.get_or_insert_with(|| format!("a transaction panicked: {}", text.unwrap_or_default()));
            Err(Fault::internal())
        });
        if outcome.is_err() {
            tx.roll_back();
            return outcome;
        }
        for key in std::mem::take(&mut tx.due) {
            self.due.add(key, cx.now);
        }
        outcome
    }

    fn make_everything_due(&mut self) {
        for key in self.registry.everything_due(&self.state) {
            self.due.add(key, self.now);
        }
    }
}

/// Notes an executor's answer to the newest version of a slot; forgets a slot that is gone.
fn answered(tx: &mut Tx, slot: &Slot, version: u64, refused: Option<&String>) {
    let Some(wanted) = tx.get::<Wanted>(slot) else { return };
    if wanted.version != version {
        return;
    }
    if wanted.want.is_none() && refused.is_none() {
        tx.remove::<Wanted>(slot);
    } else {
        tx.update::<Wanted>(slot, |w| {
            w.applied = refused.is_none();
            w.refused = refused.cloned();
        });
    }
}
