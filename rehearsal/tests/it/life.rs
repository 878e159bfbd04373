//! A story of the web tier by seed: what its users and the world do to it, and what must be true in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Fault, InstanceId, Rng};
use region::cloudformation::StackStatus;
use rehearsal::web_tier::{self, STACK, TEMPLATE};
use rehearsal::{Faults, Rehearsal, Scrutiny, checks};
use shapes::{autoscaling as a, ec2 as e};

/// After this time without faults everything must be as it should be: failed launches are tried again after five
/// minutes at the latest, several times one after the other.
const REST: Duration = Duration::from_secs(3_600);
const BLOWS_MAX: u64 = 25;

pub struct Life {
    pub region: Rehearsal,
    rng: Rng,
    lost: Vec<String>,
    before: BTreeMap<String, usize>,
}

/// Lives through the story of a seed; gives the digest of its end and the number of commits.
pub fn live(seed: u64) -> (u64, u64, u64) {
    let mut life = Life::new(seed);
    life.begin();
    for _ in 0..life.rng.below(BLOWS_MAX) {
        let pause = life.rng.below(40_000);
        life.region.run_for(Duration::from_millis(pause));
        life.blow();
    }
    life.calm();
    life.is_whole();
    life.end();
    (life.region.digest(), life.region.commits, life.region.crashes)
}

impl Life {
    pub fn new(seed: u64) -> Self {
        let region = web_tier::region(seed, Scrutiny::EveryCommit);
        let before = census(&region);
        Self { region, rng: Rng::new(seed ^ 0x5eed), lost: Vec::new(), before }
    }

    /// Sets the faults of the seed and begins to create the stack.
    fn begin(&mut self) {
        let mut some = |most: u64| if self.rng.below(2) == 0 { 0 } else { self.rng.below(most) };
        self.region.faults = Faults {
            duplicated: some(300),
            late: some(300),
            lost: some(60),
            crash: some(60),
            broken_boot: some(100),
            ..Faults::default()
        };
        self.region.reconciled_max = [1, 5, 4_096][usize::try_from(self.rng.below(3)).unwrap()];
        let (desired, zone_b) = ((1 + self.rng.below(8)).to_string(), self.rng.below(4) == 0);
        let parameters = [("MinSize", "1"), ("DesiredCapacity", desired.as_str()), ("MaxSize", "8")];
        if zone_b {
            self.lose_zone();
        }
        self.tell(|r| web_tier::create(r, STACK, TEMPLATE, &parameters));
    }

    /// Something happens to the region.
    fn blow(&mut self) {
        match self.rng.below(16) {
            0..=2 => self.with_an_instance(Rehearsal::kill),
            3 => self.with_an_instance(Rehearsal::hang),
            4 => self.lose_zone(),
            5..=6 => self.return_zones(),
            7 => self.region.crash(),
            8 => {
                self.region.fail_journal(true);
                let pause = Duration::from_millis(self.rng.below(5_000));
                self.region.run_for(pause);
                self.region.fail_journal(false);
            }
            9..=10 => self.set_capacity(),
            11 => self.terminate_in_group(),
            12 => self.end_by_hand(),
            13 => self.update(),
            14 => self.stop_or_reboot(),
            _ => self.begin_anew(),
        }
    }

    pub fn with_an_instance(&mut self, blow: fn(&mut Rehearsal, &InstanceId)) {
        if let Some(id) = self.an_instance() {
            blow(&mut self.region, &id);
        }
    }

    fn an_instance(&mut self) -> Option<InstanceId> {
        let running: Vec<InstanceId> = self.region.model().running().map(|(id, _)| id.clone()).collect();
        self.pick(running)
    }

    fn pick<T>(&mut self, mut all: Vec<T>) -> Option<T> {
        if all.is_empty() { None } else { Some(all.swap_remove(usize::try_from(self.rng.below(all.len() as u64)).unwrap())) }
    }

    pub fn lose_zone(&mut self) {
        let zone = ["eu-central-1a", "eu-central-1b"][usize::try_from(self.rng.below(2)).unwrap()].to_string();
        self.region.lose_zone(&zone);
        self.lost.push(zone);
    }

    pub fn return_zones(&mut self) {
        for zone in std::mem::take(&mut self.lost) {
            self.region.return_zone(&zone);
        }
    }

    pub fn set_capacity(&mut self) {
        let desired = i64::try_from(1 + self.rng.below(9)).unwrap();
        if let Some(group) = web_tier::group(&self.region) {
            self.tell(|r| web_tier::set_capacity(r, &group, desired));
        }
    }

    pub fn terminate_in_group(&mut self) {
        let (Some(id), shrink) = (self.an_instance(), self.rng.below(2) == 0) else { return };
        let input = a::TerminateInstanceInAutoScalingGroupType {
            instance_id: Some(id.to_string()),
            should_decrement_desired_capacity: shrink,
            ..Default::default()
        };
        self.tell(|r| r.call::<a::ops::TerminateInstanceInAutoScalingGroup>(input).map(drop));
    }

    /// A user ends an instance behind the group's back.
    pub fn end_by_hand(&mut self) {
        let Some(id) = self.an_instance() else { return };
        let input = e::TerminateInstancesRequest { instance_ids: vec![id.to_string()], ..Default::default() };
        self.tell(|r| r.call::<e::ops::TerminateInstances>(input).map(drop));
    }

    pub fn stop_or_reboot(&mut self) {
        let (Some(id), stop) = (self.an_instance(), self.rng.below(2) == 0) else { return };
        let instance_ids = vec![id.to_string()];
        if stop {
            let input = e::StopInstancesRequest { instance_ids, ..Default::default() };
            self.tell(|r| r.call::<e::ops::StopInstances>(input).map(drop));
        } else {
            let input = e::RebootInstancesRequest { instance_ids, ..Default::default() };
            self.tell(|r| r.call::<e::ops::RebootInstances>(input).map(drop));
        }
    }

    fn update(&mut self) {
        let sizes = [("1", "3", "6"), ("2", "2", "8"), ("3", "5", "7")];
        let (min, desired, max) = sizes[usize::try_from(self.rng.below(3)).unwrap()];
        let environment = ["development", "production"][usize::try_from(self.rng.below(2)).unwrap()];
        let instance_type = ["t3.micro", "t3.small"][usize::try_from(self.rng.below(2)).unwrap()];
        // Another block of addresses replaces the whole network, and nearly all else with it.
        let cidr = if self.rng.below(4) == 0 { "10.9.0.0/16" } else { "10.0.0.0/16" };
        let parameters = [
            ("MinSize", min),
            ("DesiredCapacity", desired),
            ("MaxSize", max),
            ("EnvironmentName", environment),
            ("InstanceType", instance_type),
            ("VpcCidr", cidr),
        ];
        self.tell(|r| web_tier::update(r, STACK, TEMPLATE, &parameters));
    }

    /// Deletes the stack wherever it is, and creates it again when it is gone.
    fn begin_anew(&mut self) {
        self.tell(|r| web_tier::delete(r, STACK));
        let pause = Duration::from_millis(self.rng.below(90_000));
        self.region.run_for(pause);
        self.tell(|r| web_tier::create(r, STACK, TEMPLATE, &[]));
    }

    /// A refusal is no breach, for a story asks for much that cannot be; a failure of ours is.
    pub fn tell(&mut self, call: impl FnOnce(&mut Rehearsal) -> Result<(), Fault>) {
        if let Err(fault) = call(&mut self.region)
            && fault.http >= 500
            && fault.http != 503
        {
            self.region.breach(fault);
        }
    }

    /// All faults are over and the world comes to rest.
    fn calm(&mut self) {
        self.region.faults = Faults::default();
        self.return_zones();
        self.region.run_for(REST);
        if web_tier::stack(&self.region, STACK).is_some_and(|s| s.status.is_in_progress()) {
            self.region.breach("the stack is still under way");
        }
    }

    /// What hung has been replaced, what is wanted is there.
    fn is_whole(&self) {
        if let Err(broken) = checks::at_rest(self.region.state(), self.region.model()) {
            self.region.breach(broken);
        }
        let made = matches!(
            self.status(),
            Some(StackStatus::CreateComplete | StackStatus::UpdateComplete | StackStatus::UpdateRollbackComplete)
        );
        if made && web_tier::in_service(&self.region).is_empty() {
            self.region.breach("the stack is made and nothing is in service");
        }
    }

    /// Deletes the stack: nothing of it may be left, neither in the rows nor in the world.
    pub fn end(&mut self) {
        let alive = |r: &Rehearsal| web_tier::stack(r, STACK).is_some_and(|s| s.is_alive());
        if alive(&self.region) {
            self.tell(|r| web_tier::delete(r, STACK));
            web_tier::settle(&mut self.region, STACK, REST);
        }
        if alive(&self.region) {
            let stack = web_tier::stack(&self.region, STACK).map(|s| (s.status, s.reason.clone()));
            self.region.breach(format!("the stack is not deleted: {stack:?}"));
        }
        // Ended instances are visible for an hour.
        self.region.run_for(REST + Duration::from_secs(600));
        self.leaves_nothing();
    }

    pub fn leaves_nothing(&self) {
        let after = census(&self.region);
        if after != self.before {
            self.region.breach(format!("something is left: {after:?}, before there were {:?}", self.before));
        }
        let left: Vec<_> = self.region.model().existing().collect();
        if !left.is_empty() {
            self.region.breach(format!("the world still has {left:?}"));
        }
    }

    pub fn status(&self) -> Option<StackStatus> {
        web_tier::status(&self.region, STACK)
    }
}

/// What stays of a stack that is gone: its story, for who asks, and counters.
const HISTORY: [&str; 7] = [
    "cloudformation.event",
    "cloudformation.resource",
    "cloudformation.stack",
    "cloudwatch.alarm-history",
    "kernel.sequence",
    "sns.backlog",
    "sns.lost",
];

/// How many rows there are of everything that a stack may make.
fn census(region: &Rehearsal) -> BTreeMap<String, usize> {
    region.kept().into_iter().filter(|(table, _)| !HISTORY.contains(&table.as_str())).collect()
}
