use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Caller, Fault, FromValue, IntoValue, Operation, Scope, Time};
use world::Observation;

use crate::{Cx, Kernel, MemoryJournal, Randomness, Registry, Settings, State, Tx};

const SEED: u64 = 7;

/// A kernel with a journal in memory that is driven by hand, for the tests of services: typed requests in, typed answers
/// out, everything that is due done after each, and time that only the test moves.
///
/// # Panics
/// Its methods panic when the journal fails, which one in memory does not by itself.
pub struct Trial {
    pub kernel: Kernel,
    pub now: Time,
    services: fn(&mut Registry),
    journal: Arc<Mutex<MemoryJournal>>,
}

impl Trial {
    /// An empty region `eu-central-1` with these services.
    pub fn new(services: fn(&mut Registry)) -> Self {
        let journal = Arc::default();
        let mut trial = Self { kernel: open(services, &journal), now: Time::from_unix_ms(1_800_000_000_000), services, journal };
        trial.settle();
        trial
    }

    pub fn state(&self) -> &State {
        self.kernel.state()
    }

    /// The region as it is after a crash of the control plane.
    pub fn reopen(&mut self) {
        self.kernel = open(self.services, &self.journal);
        self.settle();
    }

    /// Does what is due and commits.
    pub fn settle(&mut self) {
        self.kernel.run_due(self.now);
        self.kernel.commit().expect("a journal in memory takes everything");
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.settle();
    }

    /// Calls an operation as the root user.
    pub fn call<O: Operation>(&mut self, input: O::Input) -> Result<O::Output, Fault> {
        let caller = Caller::root(self.kernel.scope(), "AK");
        let answer = self.kernel.call(self.now, caller, "r-1", O::SERVICE, O::NAME, input.into_value());
        self.settle();
        answer.map(O::Output::from_value)
    }

    /// Does some work in a transaction of its own.
    pub fn run<T>(&mut self, work: impl FnOnce(&mut Tx, &Cx) -> Result<T, Fault>) -> Result<T, Fault> {
        let outcome = self.kernel.run(self.now, work);
        self.settle();
        outcome
    }

    /// Takes in what the world reports.
    pub fn observe(&mut self, observation: &Observation) {
        self.kernel.observe(self.now, observation);
        self.settle();
    }
}

fn open(services: fn(&mut Registry), journal: &Arc<Mutex<MemoryJournal>>) -> Kernel {
    let scope = Scope::new("eu-central-1", "000000000000");
    let kernel = Kernel::open(services, Box::new(journal.clone()), scope, Settings::default(), Randomness::repeatable(SEED));
    kernel.expect("a journal in memory can be read")
}
