use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A row's primary key. Its text must be unique within the table: it names the row in the journal.
pub trait Key: Ord + Clone + Display + Send + 'static {}

impl<T: Ord + Clone + Display + Send + 'static> Key for T {}

/// A row of a typed table. Rows are kept as JSON, so a field added later needs `#[serde(default)]`.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Send + 'static {
    /// Name of the table, such as `ec2.instance`; unique, never changed.
    const TABLE: &'static str;
    type Key: Key;

    fn key(&self) -> Self::Key;

    /// Names the secondary indexes that find this row: calls `add(index, value)` for each.
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        let _ = add;
    }
}

type Index<K> = HashMap<&'static str, HashMap<Box<str>, BTreeSet<K>>>;

/// Rows in key order, and the secondary indexes over them.
pub(crate) struct Table<R: Row> {
    pub(crate) rows: BTreeMap<R::Key, R>,
    index: Index<R::Key>,
}

impl<R: Row> Table<R> {
    pub(crate) fn new() -> Self {
        Self { rows: BTreeMap::new(), index: HashMap::new() }
    }

    /// Puts or removes the row of a key; returns what was there.
    pub(crate) fn set(&mut self, key: &R::Key, row: Option<R>) -> Option<R> {
        let old = match row {
            Some(row) => {
                row.index(&mut |name, value| {
                    self.index.entry(name).or_default().entry(value.into()).or_default().insert(key.clone());
                });
                self.rows.insert(key.clone(), row)
            }
            None => self.rows.remove(key),
        };
        if let Some(old) = &old {
            self.unindex(key, old);
        }
        old
    }

    /// Drops the index entries that only the old row had.
    fn unindex(&mut self, key: &R::Key, old: &R) {
        let new = self.rows.get(key);
        old.index(&mut |name, value| {
            let mut kept = false;
            if let Some(new) = new {
                new.index(&mut |n, v| kept |= n == name && v == value);
            }
            if kept {
                return;
            }
            let Some(values) = self.index.get_mut(name) else { return };
            if let Some(keys) = values.get_mut(value) {
                keys.remove(key);
                if keys.is_empty() {
                    values.remove(value);
                }
            }
        });
    }

    pub(crate) fn keys_where(&self, name: &'static str, value: &str) -> Option<&BTreeSet<R::Key>> {
        self.index.get(name)?.get(value)
    }
}

/// A table whose row type is forgotten.
pub(crate) trait AnyTable: Any + Send {
    fn name(&self) -> &'static str;
    fn type_of_row(&self) -> TypeId;
    /// Puts a row read from the journal.
    fn load(&mut self, json: &[u8]) -> Result<(), serde_json::Error>;
    /// Every row as the journal keeps it, in key order.
    fn dump(&self, each: &mut dyn FnMut(String, Vec<u8>));
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<R: Row> AnyTable for Table<R> {
    fn name(&self) -> &'static str {
        R::TABLE
    }

    fn type_of_row(&self) -> TypeId {
        TypeId::of::<R>()
    }

    fn load(&mut self, json: &[u8]) -> Result<(), serde_json::Error> {
        let row: R = serde_json::from_slice(json)?;
        let key = row.key();
        self.set(&key, Some(row));
        Ok(())
    }

    fn dump(&self, each: &mut dyn FnMut(String, Vec<u8>)) {
        for (key, row) in &self.rows {
            each(journal_key::<R>(key), to_json(row));
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

pub(crate) fn journal_key<R: Row>(key: &R::Key) -> String {
    format!("{}\0{key}", R::TABLE)
}

/// A row as the journal keeps it.
pub(crate) fn to_json<R: Row>(row: &R) -> Vec<u8> {
    // A row is plain data with string keys; serde_json fails on nothing else.
    serde_json::to_vec(row).unwrap_or_else(|e| panic!("a row of {} is not plain data: {e}", R::TABLE))
}
