use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use world::{Slot, Want};

use crate::due::DueSet;
use crate::registry::Registry;
use crate::row::{Row, journal_key, to_json};
use crate::state::State;
use crate::store::Store;
use crate::wanted::{Sequence, Wanted};

/// Reads a row's present form for the journal; none when it was removed.
pub(crate) type ReadRow = Box<dyn Fn(&State) -> Option<Vec<u8>> + Send>;
pub(crate) type Undo = Box<dyn FnOnce(&mut State) + Send>;

/// What transactions have changed since the last commit to the journal.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) dirty: BTreeMap<String, ReadRow>,
    pub(crate) undo: Vec<Undo>,
    pub(crate) effects: BTreeSet<Slot>,
}

/// One transaction: everything it does takes effect together, or nothing does when it returns an error.
///
/// It reads through [`State`]. A put or remove makes the keys that watch the row due for reconciliation.
pub struct Tx<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) registry: &'a Registry,
    pub(crate) changes: &'a mut Changes,
    pub(crate) due: DueSet,
    /// Where this transaction's part of the undo list begins.
    undo_from: usize,
}

impl Deref for Tx<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        self.state
    }
}

impl<'a> Tx<'a> {
    pub(crate) fn new(state: &'a mut State, registry: &'a Registry, changes: &'a mut Changes) -> Self {
        let undo_from = changes.undo.len();
        Self { state, registry, changes, due: DueSet::new(), undo_from }
    }

    /// What this region consists of: its operations, reconcilers and stack resources.
    pub fn registry(&self) -> &'a Registry {
        self.registry
    }

    /// Puts a row, new or changed. Putting what is there already changes nothing.
    pub fn put<R: Row>(&mut self, row: R) {
        let key = row.key();
        if self.state.get::<R>(&key) == Some(&row) {
            return;
        }
        self.set(&key, Some(row));
    }

    /// Changes a row in place; false when there is none.
    pub fn update<R: Row>(&mut self, key: &R::Key, change: impl FnOnce(&mut R)) -> bool {
        let Some(mut row) = self.state.get::<R>(key).cloned() else { return false };
        change(&mut row);
        assert!(row.key().to_string() == key.to_string(), "a row of {} changed its key", R::TABLE);
        self.put(row);
        true
    }

    /// Removes a row and returns it.
    pub fn remove<R: Row>(&mut self, key: &R::Key) -> Option<R> {
        let old = self.state.get::<R>(key).cloned()?;
        self.set::<R>(key, None);
        Some(old)
    }

    /// Says how the thing called `slot` must be from now on; none when it must not exist. The effect leaves with
    /// the commit. Wanting what is wanted already sends nothing. Returns the version that this wish has.
    pub fn want(&mut self, slot: Slot, want: Option<Want>) -> u64 {
        assert!(want.as_ref().is_none_or(|w| w.slot() == slot), "the wish for {slot} is about another slot");
        let present = self.state.get::<Wanted>(&slot);
        match present {
            Some(wanted) if wanted.want == want => return wanted.version,
            None if want.is_none() => return 0,
            _ => {}
        }
        let version = self.next_sequence();
        self.changes.effects.insert(slot.clone());
        self.put(Wanted { slot, version, want, applied: false, refused: None });
        version
    }

    /// A store, to write to: see [`Store`] for what a transaction does not promise about it.
    pub fn store_mut<S: Store>(&mut self) -> &mut S {
        self.state.store_mut()
    }

    /// A number that no earlier transaction has drawn.
    pub fn next_sequence(&mut self) -> u64 {
        let next = self.state.get::<Sequence>(&0).map_or(0, |s| s.last) + 1;
        self.put(Sequence { last: next });
        next
    }

    fn set<R: Row>(&mut self, key: &R::Key, row: Option<R>) {
        if let Some(new) = &row {
            self.registry.watchers(TypeId::of::<R>(), self.state, new, &mut self.due);
        }
        let old = self.state.table_mut::<R>().set(key, row.map(Arc::new));
        // Before anyone is asked, who may panic: what was done can be taken back.
        let (for_undo, before) = (key.clone(), old.clone());
        self.changes.undo.push(Box::new(move |state| {
            state.table_mut::<R>().set(&for_undo, before);
        }));
        let for_journal = key.clone();
        self.changes
            .dirty
            .entry(journal_key::<R>(key))
            .or_insert_with(|| Box::new(move |state| state.get::<R>(&for_journal).map(to_json)));
        if let Some(old) = &old {
            self.registry.watchers(TypeId::of::<R>(), self.state, old.as_ref(), &mut self.due);
        }
    }

    /// Runs a part of the transaction that takes effect whole or not at all: when it fails, what it did is taken back
    /// and the transaction goes on.
    pub fn attempt<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let from = self.changes.undo.len();
        let outcome = work(self);
        if outcome.is_err() {
            for undo in self.changes.undo.drain(from..).rev() {
                undo(self.state);
            }
        }
        outcome
    }

    /// Makes due what looks at every transaction that has changed any row.
    pub(crate) fn any_change(&mut self) {
        if self.changes.undo.len() > self.undo_from {
            self.registry.any_change(self.state, &mut self.due);
        }
    }

    /// Takes back everything this transaction has done.
    pub(crate) fn roll_back(&mut self) {
        for undo in self.changes.undo.drain(self.undo_from..).rev() {
            undo(self.state);
        }
        self.due.clear();
    }
}
