//! A region of EC2 and what it stands on, driven by hand: requests in, effects out, observations back.

use base::{InstanceId, SubnetId};
use kernel::{Registry, Trial, Wanted};
use world::{Exit, Instance, InstanceState, Observation, Slot, SlotKind, Want};

fn services(registry: &mut Registry) {
    iam::register(registry);
    ssm::register(registry);
    cloudwatch::register(registry);
    ec2::register(registry);
}

pub struct Region {
    trial: Trial,
}

impl std::ops::Deref for Region {
    type Target = Trial;
    fn deref(&self) -> &Trial {
        &self.trial
    }
}

impl std::ops::DerefMut for Region {
    fn deref_mut(&mut self) -> &mut Trial {
        &mut self.trial
    }
}

impl Region {
    pub fn new() -> Self {
        let mut trial = Trial::new(services);
        trial.run(|tx, cx| Ok(ec2::network::ensure_default_network(tx, cx)?)).unwrap();
        Self { trial }
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
