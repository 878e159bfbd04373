use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Caller, Fault, FromValue, IntoValue, Operation, Scope, Tags, Time};
use serde_json::Value as Json;
use world::Observation;

use crate::{Cx, Kernel, MemoryJournal, Progress, Randomness, Registry, ResourceRequest, Settings, StackResource, State, Tx};

const SEED: u64 = 7;

/// A kernel with a journal in memory that is driven by hand, for the tests of services: typed requests in, typed answers
/// out, everything that is due done after each, and time that only the test moves.
///
/// # Panics
/// Its methods panic when the journal fails, which one in memory does not by itself.
pub struct Trial {
    pub kernel: Kernel,
    pub now: Time,
    /// Tags of the stack that resources are made for.
    pub stack_tags: Tags,
    /// Those that the last request for a resource had.
    handed_tags: Option<Tags>,
    services: fn(&mut Registry),
    journal: Arc<Mutex<MemoryJournal>>,
}

impl Trial {
    /// An empty region `eu-central-1` with these services.
    pub fn new(services: fn(&mut Registry)) -> Self {
        let journal = Arc::default();
        let stack_tags = Tags::from([("aws:cloudformation:stack-name".into(), "web".into())]);
        let now = Time::from_unix_ms(1_800_000_000_000);
        let mut trial = Self { kernel: open(services, &journal), now, stack_tags, handed_tags: None, services, journal };
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

    /// The error that an operation answers with, as `CODE HTTP: message`.
    pub fn refusal<O: Operation>(&mut self, input: O::Input) -> String {
        match self.call::<O>(input) {
            Ok(_) => panic!("{} was not refused", O::NAME),
            Err(fault) => format!("{} {}: {}", fault.code, fault.http, fault.message),
        }
    }

    /// Does something with a stack's resource type, as the stack engine does, for the resource `Thing` of the stack `web`.
    fn resource<T>(
        &mut self,
        kind: &str,
        properties: &Json,
        work: impl FnOnce(&dyn StackResource, &mut Tx, &Cx, &ResourceRequest) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let tags = self.stack_tags.clone();
        let old_tags = self.handed_tags.replace(tags.clone());
        let request = ResourceRequest {
            stack_id: "arn:aws:cloudformation:eu-central-1:000000000000:stack/web/1",
            stack_name: "web",
            logical_id: "Thing",
            properties,
            tags: &tags,
            old_tags: old_tags.as_ref(),
            creation_policy: None,
            update_policy: None,
        };
        self.run(|tx, cx| {
            let resource = tx.registry().stack_resource(kind).unwrap_or_else(|| panic!("no resource type {kind}"));
            work(resource, tx, cx, &request)
        })
    }

    /// Makes a resource and returns its physical id.
    pub fn make(&mut self, kind: &str, properties: &Json) -> Result<String, Fault> {
        self.resource(kind, properties, |resource, tx, cx, request| resource.create(tx, cx, request))
    }

    pub fn change(&mut self, kind: &str, id: &str, old: &Json, new: &Json) -> Result<(), Fault> {
        self.resource(kind, new, |resource, tx, cx, request| resource.update(tx, cx, id, old, request))
    }

    pub fn end(&mut self, kind: &str, id: &str) -> Result<Progress, Fault> {
        self.resource(kind, &Json::Null, |resource, tx, cx, _| resource.delete(tx, cx, id))
    }

    pub fn attribute(&mut self, kind: &str, id: &str, name: &str) -> Result<Json, Fault> {
        self.resource(kind, &Json::Null, |resource, tx, cx, _| resource.attribute(tx, cx, id, name))
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
