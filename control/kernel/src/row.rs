use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A row's primary key. Its text must be unique within the table: it names the row in the journal.
pub trait Key: Ord + Clone + Display + Send + Sync + 'static {}

impl<T: Ord + Clone + Display + Send + Sync + 'static> Key for T {}

/// A row of a typed table. Rows are kept as JSON, so a field added later needs `#[serde(default)]`.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the table, such as `ec2.instance`; unique, never changed.
    const TABLE: &'static str;
    type Key: Key;

    fn key(&self) -> Self::Key;

    /// Names the secondary indexes that find this row: calls `add(index, value)` for each.
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        let _ = add;
    }
}

/// The rows of one value of a secondary index, in key order.
pub(crate) type Found<R> = BTreeMap<<R as Row>::Key, Arc<R>>;

/// From a value to the rows that named it.
type Index<R> = HashMap<Box<str>, Found<R>>;

/// Rows in key order, and the secondary indexes over them. Both hold the same rows, so that an index is read without
/// looking each row up.
pub(crate) struct Table<R: Row> {
    pub(crate) rows: BTreeMap<R::Key, Arc<R>>,
    /// A handful a table, by name.
    indexes: Vec<(&'static str, Index<R>)>,
}

impl<R: Row> Table<R> {
    pub(crate) fn new() -> Self {
        Self { rows: BTreeMap::new(), indexes: Vec::new() }
    }

    /// Puts or removes the row of a key; returns what was there.
    pub(crate) fn set(&mut self, key: &R::Key, row: Option<Arc<R>>) -> Option<Arc<R>> {
        let old = match row {
            Some(row) => {
                row.index(&mut |name, value| {
                    let index = self.index_mut(name);
                    // Most values are there already: no text is made for those.
                    match index.get_mut(value) {
                        Some(found) => found.insert(key.clone(), row.clone()),
                        None => index.entry(value.into()).or_default().insert(key.clone(), row.clone()),
                    };
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
        let new = self.rows.get(key).cloned();
        old.index(&mut |name, value| {
            let mut kept = false;
            if let Some(new) = &new {
                new.index(&mut |n, v| kept |= n == name && v == value);
            }
            if kept {
                return;
            }
            let index = self.index_mut(name);
            if let Some(found) = index.get_mut(value) {
                found.remove(key);
                if found.is_empty() {
                    index.remove(value);
                }
            }
        });
    }

    fn index_mut(&mut self, name: &'static str) -> &mut Index<R> {
        let place = self.indexes.iter().position(|(n, _)| *n == name).unwrap_or_else(|| {
            self.indexes.push((name, HashMap::new()));
            self.indexes.len() - 1
        });
        &mut self.indexes[place].1
    }

    pub(crate) fn counts(&self, name: &'static str) -> impl Iterator<Item = (&str, usize)> {
        let index = self.indexes.iter().find(|(n, _)| *n == name);
        index.into_iter().flat_map(|(_, index)| index.iter().map(|(value, found)| (value.as_ref(), found.len())))
    }

    pub(crate) fn found(&self, name: &'static str, value: &str) -> Option<&Found<R>> {
        self.indexes.iter().find(|(n, _)| *n == name)?.1.get(value)
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
        self.set(&key, Some(Arc::new(row)));
        Ok(())
    }

    fn dump(&self, each: &mut dyn FnMut(String, Vec<u8>)) {
        for (key, row) in &self.rows {
            each(journal_key::<R>(key), to_json(row.as_ref()));
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
