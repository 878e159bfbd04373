//! The kernel seen from a small service: counters that want to reach a goal and keep a network in the world.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Caller, Fault, Operation, Scope, Time, Value};
use kernel::{
    Cx, Journal, JournalError, Kernel, MemoryJournal, NoRandomness, Randomness, Registry, Row, Secrets, Settings, Tx, Wanted,
    Write,
};
use serde::{Deserialize, Serialize};
use world::{Network, Observation, Slot, SlotKind, Want};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counter {
    name: String,
    value: i64,
    goal: i64,
}

impl Row for Counter {
    const TABLE: &'static str = "toy.counter";
    type Key = String;
    fn key(&self) -> String {
        self.name.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("goal", &self.goal.to_string());
    }
}

/// Input: the goal, or a negative number that fails after it has written, or zero which panics.
struct SetGoal;

impl Operation for SetGoal {
    type Input = i64;
    type Output = i64;
    const SERVICE: &'static str = "toy";
    const NAME: &'static str = "SetGoal";
}

fn set_goal(tx: &mut Tx, _: &Cx, goal: i64) -> Result<i64, Fault> {
    let value = tx.get::<Counter>(&"c".to_string()).map_or(0, |c| c.value);
    tx.put(Counter { name: "c".into(), value, goal });
    assert!(goal != 0, "zero");
    if goal < 0 { Err(Fault::validation("negative")) } else { Ok(value) }
}

/// Counts one up a second until the goal is reached.
fn count(tx: &mut Tx, cx: &Cx, key: &str) -> Result<Option<Time>, Fault> {
    let Some(counter) = tx.get::<Counter>(&key.to_string()).cloned() else { return Ok(None) };
    if counter.value >= counter.goal {
        return Ok(None);
    }
    let value = counter.value + 1;
    let network =
        Network { id: "vpc-1".into(), cidrs: vec![format!("10.{value}.0.0/16")], subnets: vec![], security_groups: vec![] };
    tx.want(slot(), Some(Want::Network(network)));
    tx.put(Counter { value, ..counter });
    Ok(Some(cx.now + Duration::from_secs(1)))
}

fn slot() -> Slot {
    Slot::new(SlotKind::Network, "vpc-1")
}

fn toy(registry: &mut Registry) {
    registry.table::<Counter>();
    registry.operation::<SetGoal>(set_goal);
    registry.reconciler("toy.count", count);
    registry.watch::<Counter>("toy.count", |_, counter, due| due.push(counter.name.clone()));
}

type Shared = Arc<Mutex<MemoryJournal>>;

fn open(journal: &Shared) -> Kernel {
    Kernel::open(
        toy,
        Box::new(journal.clone()),
        Scope::new("eu-central-1", "000000000000"),
        Settings::default(),
        Randomness::repeatable(7),
    )
    .unwrap()
}

/// A source whose bytes can be told from all others: 0, 1, 2, ... It has so many.
struct Counted(Mutex<std::ops::Range<u8>>);

impl Secrets for Counted {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let mut left = self.0.lock().unwrap();
        bytes.iter_mut().try_for_each(|byte| left.next().map(|next| *byte = next)).ok_or(NoRandomness)
    }
}

#[test]
fn secrets_come_from_their_port_and_ids_do_not() {
    let open = |randomness| {
        let scope = Scope::new("eu-central-1", "000000000000");
        Kernel::open(toy, Box::new(Shared::default()), scope, Settings::default(), randomness).unwrap()
    };
    let draw = |kernel: &mut Kernel| {
        kernel
            .run(Time::ZERO, |_, cx| {
                let id = cx.rng().hex(8);
                Ok((id, cx.secret_hex(7)?, cx.secret_uuid()?))
            })
            .unwrap()
    };
    let counted = |to| Arc::new(Counted(Mutex::new(0..to)));
    let first = draw(&mut open(Randomness::with_secrets(7, counted(20))));
    assert_eq!((first.1.as_str(), first.2.as_str()), ("0001020", "04050607-0809-4a0b-8c0d-0e0f10111213"));
    assert_eq!(first, draw(&mut open(Randomness::with_secrets(7, counted(20)))), "the same seed gives the same ids");
    let none = open(Randomness::with_secrets(7, counted(2))).run(Time::ZERO, |_, cx| cx.secret_hex(6));
    assert_eq!(none.unwrap_err().http, 500, "what cannot be secret is not made");
    let simulated = draw(&mut open(Randomness::repeatable(7)));
    assert_eq!(simulated, draw(&mut open(Randomness::repeatable(7))));
    assert_ne!(simulated, draw(&mut open(Randomness::repeatable(8))));
    assert_eq!(simulated.0, first.0);
}

fn call(kernel: &mut Kernel, goal: i64) -> Result<Value, Fault> {
    let caller = Caller::root(kernel.scope(), "AK");
    kernel.call(Time::from_unix_ms(1_000), caller, "r-1", "toy", "SetGoal", Value::Int(goal))
}

fn counter(kernel: &Kernel) -> Option<(i64, i64)> {
    kernel.state().get::<Counter>(&"c".to_string()).map(|c| (c.value, c.goal))
}

#[test]
fn a_failed_or_panicking_operation_changes_nothing() {
    let journal = Shared::default();
    let mut kernel = open(&journal);
    call(&mut kernel, 3).unwrap();
    let before = kernel.digest();
    assert_eq!(call(&mut kernel, -1).unwrap_err().code, "ValidationError");
    assert_eq!(call(&mut kernel, 0).unwrap_err().code, "InternalFailure");
    assert_eq!(kernel.digest(), before);
    assert_eq!(counter(&kernel), Some((0, 3)));
    assert_eq!(kernel.state().rows_where::<Counter>("goal", "3").count(), 1);
    assert_eq!(kernel.state().rows_where::<Counter>("goal", "-1").count(), 0);
}

#[test]
fn a_failed_commit_takes_back_the_whole_batch_and_work_goes_on_later() {
    let journal = Shared::default();
    let mut kernel = open(&journal);
    call(&mut kernel, 1).unwrap();
    kernel.commit().unwrap();
    journal.lock().unwrap().failing = true;
    call(&mut kernel, 2).unwrap();
    call(&mut kernel, 3).unwrap();
    assert!(kernel.commit().is_err());
    assert_eq!(counter(&kernel), Some((0, 1)), "as after the last good commit");
    journal.lock().unwrap().failing = false;
    kernel.run_due(Time::from_unix_ms(2_000));
    assert_eq!(counter(&kernel), Some((1, 1)));
    kernel.commit().unwrap();
}

/// A watcher is asked for the row as it is and as it was, another one after each transaction. Whichever panics, nothing has
/// changed.
#[test]
fn a_panicking_watcher_changes_nothing() {
    for unlucky in [2, 1, 0] {
        let watched = move |registry: &mut Registry| {
            toy(registry);
            match unlucky {
                1 => registry.watch::<Counter>("toy.count", |state, row, _| {
                    let present = state.get::<Counter>(&row.name).map(|c| c.goal);
                    assert!((row.goal, present) != (1, Some(2)), "as it was");
                }),
                2 => registry.watch::<Counter>("toy.count", |_, row, _| assert!(row.goal != 2, "as it is")),
                _ => registry.watch_all("toy.count", |state, _| {
                    assert!(state.rows::<Counter>().all(|row| row.goal != 2), "after the transaction");
                }),
            }
        };
        let scope = Scope::new("eu-central-1", "000000000000");
        let journal = Shared::default();
        let open = Kernel::open(watched, Box::new(journal.clone()), scope, Settings::default(), Randomness::repeatable(7));
        let mut kernel = open.unwrap();
        call(&mut kernel, 1).unwrap();
        kernel.commit().unwrap();
        let before = kernel.digest();
        assert_eq!(call(&mut kernel, 2).unwrap_err().code, "InternalFailure");
        assert_eq!(counter(&kernel), Some((0, 1)));
        assert_eq!(kernel.digest(), before);
    }
}

/// A journal whose next commit writes and then fails, as an fsync can.
struct Treacherous {
    inner: Shared,
    betrays: Arc<Mutex<u32>>,
}

impl Journal for Treacherous {
    fn load(&mut self) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.inner.load()
    }

    fn commit(&mut self, epoch: u64, writes: &[Write]) -> Result<(), JournalError> {
        self.inner.commit(epoch, writes)?;
        let mut betrays = self.betrays.lock().unwrap();
        let fails = *betrays > 0;
        *betrays = betrays.saturating_sub(1);
        if fails { Err(JournalError("Input/output error".into())) } else { Ok(()) }
    }
}

#[test]
fn what_a_failed_commit_wrote_all_the_same_is_written_over() {
    let inner = Shared::default();
    let betrays = Arc::new(Mutex::new(0));
    let journal = Treacherous { inner: inner.clone(), betrays: betrays.clone() };
    let scope = Scope::new("eu-central-1", "000000000000");
    let mut kernel = Kernel::open(toy, Box::new(journal), scope, Settings::default(), Randomness::repeatable(7)).unwrap();
    call(&mut kernel, 1).unwrap();
    kernel.commit().unwrap();
    *betrays.lock().unwrap() = 2;
    call(&mut kernel, 2).unwrap();
    assert!(kernel.commit().is_err());
    assert_eq!(counter(&open(&inner)), Some((0, 2)), "the journal has what was taken back");
    assert!(kernel.settle().is_err());
    kernel.settle().unwrap();
    assert_eq!(counter(&kernel), Some((0, 1)));
    assert_eq!(counter(&open(&inner)), Some((0, 1)));
}

/// A journal that keeps what it held after each commit: what a kill at that moment leaves.
struct Remembering {
    inner: Treacherous,
    held: Arc<Mutex<Vec<MemoryJournal>>>,
}

impl Journal for Remembering {
    fn load(&mut self) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.inner.load()
    }

    fn commit(&mut self, epoch: u64, writes: &[Write]) -> Result<(), JournalError> {
        let outcome = self.inner.commit(epoch, writes);
        self.held.lock().unwrap().push(self.inner.inner.lock().unwrap().clone());
        outcome
    }
}

#[test]
fn a_kill_while_doubt_is_removed_leaves_no_batch_in_part() {
    let (betrays, held) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
    let inner = Treacherous { inner: Shared::default(), betrays: betrays.clone() };
    let journal = Remembering { inner, held: held.clone() };
    let scope = Scope::new("eu-central-1", "000000000000");
    let mut kernel = Kernel::open(toy, Box::new(journal), scope, Settings::default(), Randomness::repeatable(7)).unwrap();
    let mut set = |names: &[&str], goal| {
        let work = |tx: &mut Tx, _: &Cx| {
            names.iter().for_each(|name| tx.put(Counter { name: (*name).into(), value: goal, goal }));
            Ok(())
        };
        kernel.run(Time::from_unix_ms(1_000), work).unwrap();
        kernel.commit().is_ok()
    };
    assert!(set(&["a", "b"], 1));
    *betrays.lock().unwrap() = 1;
    assert!(!set(&["a", "b"], 2));
    assert!(set(&["a", "b", "c"], 3));
    let values = |journal: &MemoryJournal| {
        let kernel = open(&Arc::new(Mutex::new(journal.clone())));
        kernel.state().rows::<Counter>().map(|counter| counter.value).collect::<Vec<_>>()
    };
    let left: Vec<Vec<i64>> = held.lock().unwrap().iter().map(values).collect();
    assert_eq!(left, [vec![1, 1], vec![2, 2], vec![1, 1], vec![3, 3, 3]]);
}

#[test]
fn a_restarted_kernel_has_what_was_committed_and_goes_on() {
    let journal = Shared::default();
    let mut kernel = open(&journal);
    call(&mut kernel, 5).unwrap();
    kernel.run_due(Time::from_unix_ms(1_000));
    let committed = kernel.commit().unwrap();
    assert_eq!(committed.effects.len(), 1, "one slot, one effect, however often it was wished");
    let digest = kernel.digest();
    drop(kernel);
    let mut kernel = open(&journal);
    assert_eq!(kernel.digest(), digest);
    let mut now = Time::from_unix_ms(1_000);
    while let Some(wake) = kernel.next_wake() {
        now = now.max(wake);
        kernel.run_due(now);
        kernel.commit().unwrap();
    }
    assert_eq!(counter(&kernel), Some((5, 5)));
}

#[test]
fn an_answer_counts_only_for_the_newest_version() {
    let journal = Shared::default();
    let mut kernel = open(&journal);
    let now = Time::from_unix_ms(1_000);
    let first = kernel.run(now, |tx, _| Ok(tx.want(slot(), Some(network("10.0.0.0/16"))))).unwrap();
    let second = kernel.run(now, |tx, _| Ok(tx.want(slot(), Some(network("10.1.0.0/16"))))).unwrap();
    assert!(second > first);
    kernel.observe(now, &Observation::Applied { slot: slot(), version: first });
    assert!(!kernel.state().get::<Wanted>(&slot()).unwrap().applied);
    kernel.observe(now, &Observation::Applied { slot: slot(), version: second });
    assert!(kernel.state().get::<Wanted>(&slot()).unwrap().applied);
    let third = kernel.run(now, |tx, _| Ok(tx.want(slot(), None))).unwrap();
    kernel.observe(now, &Observation::Applied { slot: slot(), version: third });
    assert!(kernel.state().get::<Wanted>(&slot()).is_none(), "what is gone is forgotten");
}

fn network(cidr: &str) -> Want {
    Want::Network(Network { id: "vpc-1".into(), cidrs: vec![cidr.into()], subnets: vec![], security_groups: vec![] })
}
