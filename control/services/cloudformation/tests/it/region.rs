//! A region of stacks over things: typed requests in, typed answers out, time that only the test moves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Caller, Fault, FromValue, IntoValue, Operation, Scope, StackId, Time};
use cloudformation::Stack;
use kernel::{Kernel, MemoryJournal, Registry, Settings};
use serde_json::Value as Json;
use shapes::cloudformation as s;
use shapes::cloudformation::ops;

use crate::thing::{self, Thing};

pub struct Region {
    pub kernel: Kernel,
    pub now: Time,
    journal: Arc<Mutex<MemoryJournal>>,
    /// Each process has a randomness of its own.
    seed: u64,
}

fn services(registry: &mut Registry) {
    ssm::register(registry);
    cloudformation::register(registry);
    thing::register(registry);
}

fn open(journal: &Arc<Mutex<MemoryJournal>>, seed: u64) -> Kernel {
    let scope = Scope::new("eu-central-1", "000000000000");
    Kernel::open(services, Box::new(journal.clone()), scope, Settings::default(), kernel::Randomness::repeatable(seed)).unwrap()
}

impl Region {
    pub fn new() -> Self {
        let journal = Arc::new(Mutex::new(MemoryJournal::default()));
        Self { kernel: open(&journal, 1), now: Time::from_unix_ms(1_800_000_000_000), journal, seed: 1 }
    }

    /// The process dies after its last commit and starts again.
    pub fn crash(&mut self) {
        self.seed += 1;
        self.kernel = open(&self.journal, self.seed);
    }

    /// One bounded turn of reconciliation.
    pub fn turn(&mut self) {
        self.kernel.run_due(self.now);
        self.kernel.commit().unwrap();
    }

    pub fn call<O: Operation>(&mut self, input: O::Input) -> Result<O::Output, Fault> {
        let caller = Caller::root(self.kernel.scope(), "AK");
        let answer = self.kernel.call(self.now, caller, "r-1", O::SERVICE, O::NAME, input.into_value());
        self.kernel.commit().unwrap();
        answer.map(O::Output::from_value)
    }

    pub fn create(&mut self, template: &Json) -> StackId {
        let input =
            s::CreateStackInput { stack_name: "web".into(), template_body: Some(template.to_string()), ..Default::default() };
        StackId::from(self.call::<ops::CreateStack>(input).unwrap().stack_id.unwrap().as_str())
    }

    /// None when there is nothing to update.
    pub fn update(&mut self, template: &Json, keeps_failures: Option<bool>) -> Option<()> {
        let input = s::UpdateStackInput {
            stack_name: "web".into(),
            template_body: Some(template.to_string()),
            disable_rollback: keeps_failures,
            ..Default::default()
        };
        match self.call::<ops::UpdateStack>(input) {
            Ok(_) => Some(()),
            Err(fault) => {
                assert_eq!(fault.message, "No updates are to be performed.");
                None
            }
        }
    }

    pub fn stack(&self, id: &StackId) -> Stack {
        self.kernel.state().get::<Stack>(id).unwrap().clone()
    }

    /// Lets time pass until the stack rests; a bound of two virtual hours.
    pub fn rest(&mut self, id: &StackId, each: &mut dyn FnMut(&mut Self)) -> &'static str {
        for _ in 0..14_400 {
            self.turn();
            let stack = self.stack(id);
            if !stack.status.is_in_progress() {
                return stack.status.name();
            }
            each(self);
            self.now = self.now + Duration::from_millis(500);
        }
        panic!("the stack never rests: {:?}", self.stack(id));
    }

    /// How many rows of a table are on disk.
    pub fn count_of(&self, table: &str) -> usize {
        self.journal.lock().unwrap().rows.keys().filter(|key| key.starts_with(table)).count()
    }

    pub fn things(&self) -> Vec<Thing> {
        self.kernel.state().rows::<Thing>().cloned().collect()
    }
}
