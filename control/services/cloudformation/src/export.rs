use std::collections::BTreeSet;

use base::StackId;
use kernel::{Row, State, Tx};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::state::Stack;

/// A value that a stack offers to others by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    pub name: String,
    pub stack: StackId,
    pub value: String,
    /// Stacks that use it.
    pub importers: BTreeSet<StackId>,
}

impl Row for Export {
    const TABLE: &'static str = "cloudformation.export";
    type Key = String;
    fn key(&self) -> String {
        self.name.clone()
    }
    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("stack", &self.stack);
    }
}

/// Makes a stack's exports those of its outputs. An export that others use can neither go nor change.
pub fn replace(tx: &mut Tx, stack: &Stack) -> Result<(), Error> {
    let mut wanted: Vec<(String, String)> = Vec::new();
    for output in &stack.outputs {
        if let Some(name) = &output.export {
            if let Some(other) = tx.get::<Export>(name).filter(|e| e.stack != stack.id) {
                let text = format!("Export with name {name} is already exported by stack {}", name_of(tx, &other.stack));
                return Err(Error::Invalid(text));
            }
            if wanted.iter().any(|(other, _)| other == name) {
                return Err(Error::Invalid(format!("Export with name {name} is already exported by stack {}", stack.name)));
            }
            wanted.push((name.clone(), output.value.clone()));
        }
    }
    let old: Vec<Export> = tx.rows_where::<Export>("stack", &stack.id).cloned().collect();
    for export in old {
        if wanted.iter().any(|(name, value)| *name == export.name && *value == export.value) {
            continue;
        }
        let stays = wanted.iter().any(|(name, _)| *name == export.name);
        in_use(tx, &export, if stays { "updated" } else { "deleted" })?;
        tx.remove::<Export>(&export.name);
    }
    for (name, value) in wanted {
        let importers = tx.get::<Export>(&name).map(|e| e.importers.clone()).unwrap_or_default();
        tx.put(Export { name, stack: stack.id.clone(), value, importers });
    }
    Ok(())
}

/// Refuses to end a stack whose exports others use.
pub fn check_unused(state: &State, stack: &StackId) -> Result<(), Error> {
    state.rows_where::<Export>("stack", stack).try_for_each(|export| in_use(state, export, "deleted"))
}

fn in_use(state: &State, export: &Export, verb: &'static str) -> Result<(), Error> {
    match export.importers.iter().find(|i| **i != export.stack) {
        Some(importer) => Err(Error::ExportInUse { export: export.name.clone(), stack: name_of(state, importer), verb }),
        None => Ok(()),
    }
}

fn name_of(state: &State, stack: &StackId) -> String {
    state.get::<Stack>(stack).map_or_else(|| stack.to_string(), |s| s.name.clone())
}

/// Notes that a stack uses exports, beside those that it uses already.
pub fn add_imports(tx: &mut Tx, stack: &StackId, names: &BTreeSet<String>) {
    for name in names {
        if let Some(mut export) = tx.get::<Export>(name).filter(|e| !e.importers.contains(stack)).cloned() {
            export.importers.insert(stack.clone());
            tx.put(export);
        }
    }
}

/// Notes which exports a stack uses from now on.
pub fn set_imports(tx: &mut Tx, stack: &StackId, names: &BTreeSet<String>) {
    let all: Vec<Export> = tx.rows::<Export>().cloned().collect();
    for mut export in all {
        let changed =
            if names.contains(&export.name) { export.importers.insert(stack.clone()) } else { export.importers.remove(stack) };
        if changed {
            tx.put(export);
        }
    }
}

/// Takes a stack's exports and imports away, at its end.
pub fn forget(tx: &mut Tx, stack: &StackId) {
    let own: Vec<String> = tx.rows_where::<Export>("stack", stack).map(|e| e.name.clone()).collect();
    for name in own {
        tx.remove::<Export>(&name);
    }
    set_imports(tx, stack, &BTreeSet::new());
}
