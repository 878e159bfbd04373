//! A region of EC2 and what it stands on, driven by hand: requests in, effects out, observations back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Caller, Fault, FromValue, InstanceId, IntoValue, Operation, Scope, SubnetId, Time};
use kernel::{Kernel, MemoryJournal, Settings, State, Wanted};
use world::{Exit, Instance, InstanceState, Observation, Slot, SlotKind, Want};

pub struct Region {
    pub kernel: Kernel,
    pub now: Time,
    journal: Arc<Mutex<MemoryJournal>>,
}

fn services(registry: &mut kernel::Registry) {
    iam::register(registry);
    ssm::register(registry);
    ec2::register(registry);
}

fn open(journal: &Arc<Mutex<MemoryJournal>>) -> Kernel {
    let scope = Scope::new("eu-central-1", "000000000000");
    Kernel::open(services, Box::new(journal.clone()), scope, Settings::default(), 7).unwrap()
}

impl Region {
    pub fn new() -> Self {
        let journal = Arc::new(Mutex::new(MemoryJournal::default()));
        let mut region = Self { kernel: open(&journal), now: Time::from_unix_ms(1_800_000_000_000), journal };
        let now = region.now;
        region.kernel.run(now, |tx, cx| Ok(ec2::network::ensure_default_network(tx, cx)?)).unwrap();
        region.settle();
        region
    }

    pub fn state(&self) -> &State {
        self.kernel.state()
    }

    /// The region as it is after a crash of the control plane.
    pub fn reopen(&mut self) {
        self.kernel = open(&self.journal);
        self.settle();
    }

    /// Does what is due and commits.
    pub fn settle(&mut self) {
        self.kernel.run_due(self.now);
        self.kernel.commit().unwrap();
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.settle();
    }

    pub fn call<O: Operation>(&mut self, input: O::Input) -> Result<O::Output, Fault> {
        let caller = Caller::root(self.kernel.scope(), "AK");
        let answer = self.kernel.call(self.now, caller, "r-1", O::SERVICE, O::NAME, input.into_value());
        self.settle();
        answer.map(O::Output::from_value)
    }

    pub fn observe(&mut self, observation: &Observation) {
        self.kernel.observe(self.now, observation);
        self.settle();
    }

    /// The wish for an instance, if there is one.
    pub fn wish(&self, id: &str) -> Option<Instance> {
        let wanted = self.state().get::<Wanted>(&Slot::new(SlotKind::Instance, id))?;
        match wanted.want.clone()? {
            Want::Instance(instance) => Some(*instance),
            other => panic!("{other:?}"),
        }
    }

    /// Reports a state of the instance's present boot.
    pub fn report(&mut self, id: &str, state: InstanceState) {
        let generation = self.wish(id).unwrap().generation;
        self.report_boot(id, generation, state);
    }

    pub fn report_boot(&mut self, id: &str, generation: u64, state: InstanceState) {
        let at = self.now;
        self.observe(&Observation::Instance { id: InstanceId::from(id), generation, state, at });
    }

    pub fn running(&mut self, id: &str) {
        self.report(id, InstanceState::Running);
    }

    pub fn stopped(&mut self, id: &str, exit: Exit) {
        self.report(id, InstanceState::Stopped { exit });
    }

    /// The executor answers the newest wish for an instance.
    pub fn apply(&mut self, id: &str) {
        let slot = Slot::new(SlotKind::Instance, id);
        let version = self.state().get::<Wanted>(&slot).unwrap().version;
        self.observe(&Observation::Applied { slot, version });
    }

    pub fn refuse(&mut self, id: &str, reason: &str) {
        let slot = Slot::new(SlotKind::Instance, id);
        let version = self.state().get::<Wanted>(&slot).unwrap().version;
        self.observe(&Observation::Refused { slot, version, reason: reason.into() });
    }

    pub fn default_subnet(&self, zone: &str) -> SubnetId {
        ec2::network::default_subnet(self.state(), Some(zone)).unwrap().id.clone()
    }
}
