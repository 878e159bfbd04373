use std::any::TypeId;
use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};

use crate::row::{AnyTable, Row, Table};
use crate::store::{AnyStore, Store};

/// All rows of all services, for reading. Plans get it as their view of what should be and what was observed.
#[derive(Default)]
pub struct State {
    tables: HashMap<TypeId, Box<dyn AnyTable>>,
    stores: HashMap<TypeId, Box<dyn AnyStore>>,
}

impl State {
    pub(crate) fn add_table<R: Row>(&mut self) {
        self.tables.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(Table::<R>::new()));
    }

    pub(crate) fn add_store<S: Store>(&mut self, store: S) {
        self.stores.insert(TypeId::of::<S>(), Box::new(store));
    }

    /// The store of a type.
    pub fn store<S: Store>(&self) -> &S {
        let store = self.stores.get(&TypeId::of::<S>()).and_then(|s| s.as_any().downcast_ref());
        store.unwrap_or_else(|| panic!("store {} is not registered", std::any::type_name::<S>()))
    }

    pub(crate) fn store_mut<S: Store>(&mut self) -> &mut S {
        let store = self.stores.get_mut(&TypeId::of::<S>()).and_then(|s| s.as_any_mut().downcast_mut());
        store.unwrap_or_else(|| panic!("store {} is not registered", std::any::type_name::<S>()))
    }

    pub(crate) fn keep_stores(&mut self) {
        self.stores.values_mut().for_each(|store| store.keep());
    }

    /// The row of a key.
    pub fn get<R: Row>(&self, key: &R::Key) -> Option<&R> {
        self.table::<R>().rows.get(key).map(AsRef::as_ref)
    }

    /// As [`State::get`], by a borrowed form of the key, such as the text of an id: none has to be made.
    pub fn find<R: Row, Q: Ord + ?Sized>(&self, key: &Q) -> Option<&R>
    where
        R::Key: Borrow<Q>,
    {
        self.table::<R>().rows.get(key).map(AsRef::as_ref)
    }

    /// All rows of a table in key order.
    pub fn rows<R: Row>(&self) -> impl DoubleEndedIterator<Item = &R> + Clone {
        self.table::<R>().rows.values().map(AsRef::as_ref)
    }

    /// How many rows a table has.
    pub fn count<R: Row>(&self) -> usize {
        self.table::<R>().rows.len()
    }

    /// Rows from `key` (inclusive) on, in key order.
    pub fn rows_from<R: Row>(&self, key: &R::Key) -> impl DoubleEndedIterator<Item = &R> + Clone {
        self.table::<R>().rows.range(key.clone()..).map(|(_, row)| row.as_ref())
    }

    /// Rows that named `value` in the secondary index `name` (see [`Row::index`]), in key order.
    pub fn rows_where<'a, R: Row>(&'a self, name: &'static str, value: &str) -> impl DoubleEndedIterator<Item = &'a R> + Clone {
        self.table::<R>().found(name, value).into_iter().flat_map(|found| found.values().map(AsRef::as_ref))
    }

    /// How many rows named `value` in the secondary index `name`, without looking at them.
    pub fn count_where<R: Row>(&self, name: &'static str, value: &str) -> usize {
        self.table::<R>().found(name, value).map_or(0, BTreeMap::len)
    }

    /// Every value of the secondary index `name` with how many rows named it, in no order.
    pub fn counts<'a, R: Row>(&'a self, name: &'static str) -> impl Iterator<Item = (&'a str, usize)> {
        self.table::<R>().counts(name)
    }

    pub(crate) fn table<R: Row>(&self) -> &Table<R> {
        self.tables
            .get(&TypeId::of::<R>())
            .and_then(|t| t.as_any().downcast_ref())
            .unwrap_or_else(|| panic!("table {} is not registered", R::TABLE))
    }

    pub(crate) fn table_mut<R: Row>(&mut self) -> &mut Table<R> {
        self.tables
            .get_mut(&TypeId::of::<R>())
            .and_then(|t| t.as_any_mut().downcast_mut())
            .unwrap_or_else(|| panic!("table {} is not registered", R::TABLE))
    }

    pub(crate) fn table_by_name(&mut self, name: &str) -> Option<&mut Box<dyn AnyTable>> {
        self.tables.values_mut().find(|t| t.name() == name)
    }

    /// Every row as the journal keeps it, by table and then by key.
    pub(crate) fn dump(&self, each: &mut dyn FnMut(String, Vec<u8>)) {
        let mut tables: Vec<_> = self.tables.values().collect();
        tables.sort_unstable_by_key(|table| table.name());
        tables.into_iter().for_each(|table| table.dump(each));
    }

    pub(crate) fn row_types(&self) -> impl Iterator<Item = TypeId> {
        let mut types: Vec<_> = self.tables.values().map(|t| (t.name(), t.type_of_row())).collect();
        types.sort_unstable_by_key(|(name, _)| *name);
        types.into_iter().map(|(_, id)| id)
    }
}
