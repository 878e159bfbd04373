//! A region of Parameter Store alone: typed requests in, typed answers out.

use std::sync::{Arc, Mutex};

use base::{Caller, Fault, FromValue, IntoValue, Operation, Scope, Time};
use kernel::{Kernel, MemoryJournal, Settings, State};
use shapes::ssm as s;
use shapes::ssm::ops;

pub struct Region {
    pub kernel: Kernel,
    pub now: Time,
    journal: Arc<Mutex<MemoryJournal>>,
}

fn open(journal: &Arc<Mutex<MemoryJournal>>) -> Kernel {
    let scope = Scope::new("eu-central-1", "000000000000");
    Kernel::open(ssm::register, Box::new(journal.clone()), scope, Settings::default(), 7).unwrap()
}

impl Region {
    pub fn new() -> Self {
        let journal = Arc::new(Mutex::new(MemoryJournal::default()));
        let mut region = Self { kernel: open(&journal), now: Time::from_unix_ms(1_800_000_000_000), journal };
        region.settle();
        region
    }

    pub fn state(&self) -> &State {
        self.kernel.state()
    }

    pub fn reopen(&mut self) {
        self.kernel = open(&self.journal);
        self.settle();
    }

    pub fn settle(&mut self) {
        self.kernel.run_due(self.now);
        self.kernel.commit().unwrap();
    }

    pub fn call<O: Operation>(&mut self, input: O::Input) -> Result<O::Output, Fault> {
        let caller = Caller::root(self.kernel.scope(), "AK");
        let answer = self.kernel.call(self.now, caller, "r-1", O::SERVICE, O::NAME, input.into_value());
        self.settle();
        answer.map(O::Output::from_value)
    }

    pub fn put(&mut self, name: &str, value: &str) {
        self.call::<ops::PutParameter>(plain(name, value)).unwrap();
    }

    pub fn get(&mut self, name: &str) -> Result<s::Parameter, Fault> {
        let input = s::GetParameterRequest { name: name.into(), ..Default::default() };
        self.call::<ops::GetParameter>(input).map(|r| r.parameter.unwrap())
    }
}

pub fn plain(name: &str, value: &str) -> s::PutParameterRequest {
    s::PutParameterRequest { name: name.into(), value: value.into(), r#type: Some("String".into()), ..Default::default() }
}
