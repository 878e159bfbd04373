use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};

use base::{Fault, FromValue, IntoValue, Operation, Time, Value};
use world::Observation;

use crate::cx::Cx;
use crate::due::DueSet;
use crate::resource::StackResource;
use crate::row::Row;
use crate::state::State;
use crate::tx::Tx;

/// Brings what is toward what should be, for one key: plans from current state, applies, and says when it wants to
/// look again by itself. It is called whenever a watched row changed, and must change nothing when all is well.
pub type Reconciler = fn(&mut Tx, &Cx, &str) -> Result<Option<Time>, Fault>;
/// An operation's body: validates the typed request, calls a transition, builds the typed answer.
type Run<O> = fn(&mut Tx, &Cx, <O as Operation>::Input) -> Result<<O as Operation>::Output, Fault>;
type Observer = fn(&mut Tx, &Cx, &Observation) -> Result<(), Fault>;
type ErasedOperation = Box<dyn Fn(&mut Tx, &Cx, Value) -> Result<Value, Fault> + Send + Sync>;
type AllRows = fn(&Registry, &State, &mut DueSet);
type AnyChange = fn(&State, &mut Vec<String>);
type FindUsers = fn(&State, &str, &mut Vec<String>);
type Watch = Box<dyn Fn(&State, &dyn Any, &mut Vec<String>) + Send + Sync>;

struct Watcher {
    reconciler: usize,
    keys: Watch,
}

/// What a region consists of. Services add to it once, at start.
#[derive(Default)]
pub struct Registry {
    add_tables: Vec<fn(&mut State)>,
    operations: BTreeMap<&'static str, BTreeMap<&'static str, ErasedOperation>>,
    reconcilers: Vec<(&'static str, Reconciler)>,
    watchers: HashMap<TypeId, Vec<Watcher>>,
    on_any_change: Vec<(usize, AnyChange)>,
    all_rows: HashMap<TypeId, AllRows>,
    observers: Vec<Observer>,
    find_users: Vec<FindUsers>,
    resources: BTreeMap<&'static str, Box<dyn StackResource>>,
}

impl Registry {
    /// Adds a table.
    pub fn table<R: Row>(&mut self) {
        self.add_tables.push(State::add_table::<R>);
        self.all_rows.insert(TypeId::of::<R>(), |registry, state, due| {
            for row in state.rows::<R>() {
                registry.watchers(TypeId::of::<R>(), state, row, due);
            }
        });
    }

    /// Adds a store beside the tables, empty. What it kept before is loaded into it through [`crate::Kernel::store_mut`].
    pub fn store<S: crate::Store + Default>(&mut self) {
        self.add_tables.push(|state| state.add_store(S::default()));
    }

    /// Adds an operation under its service's and its own name.
    pub fn operation<O: Operation>(&mut self, run: Run<O>) {
        let erased: ErasedOperation =
            Box::new(move |tx, cx, input| run(tx, cx, O::Input::from_value(input)).map(O::Output::into_value));
        let old = self.operations.entry(O::SERVICE).or_default().insert(O::NAME, erased);
        assert!(old.is_none(), "operation {}:{} is registered twice", O::SERVICE, O::NAME);
    }

    /// Adds a reconciler under a name such as `ec2.instance`.
    pub fn reconciler(&mut self, name: &'static str, run: Reconciler) {
        assert!(self.reconcilers.iter().all(|(n, _)| *n != name), "reconciler {name} is registered twice");
        self.reconcilers.push((name, run));
    }

    /// Makes keys of a reconciler due whenever a row changes: `keys` is called with the row as it was and as it is.
    /// After a start it is called for every row, so that nothing under way is forgotten.
    pub fn watch<R: Row>(&mut self, reconciler: &str, keys: fn(&State, &R, &mut Vec<String>)) {
        let reconciler = self.reconciler_index(reconciler);
        let keys: Watch = Box::new(move |state, row, due| {
            if let Some(row) = row.downcast_ref::<R>() {
                keys(state, row, due);
            }
        });
        self.watchers.entry(TypeId::of::<R>()).or_default().push(Watcher { reconciler, keys });
    }

    /// Makes keys of a reconciler due after every transaction that changed any row at all.
    pub fn watch_all(&mut self, reconciler: &str, keys: AnyChange) {
        let reconciler = self.reconciler_index(reconciler);
        self.on_any_change.push((reconciler, keys));
    }

    /// Adds a service's ear for what the world reports. Every observer hears every observation.
    pub fn observer(&mut self, observe: Observer) {
        self.observers.push(observe);
    }

    /// Adds a service's answer to who of its own uses a thing of a service below it. `find` gets the thing's ARN and adds the
    /// ARNs of its users. So a lower service can refuse to delete what is in use, and need not know who may use it.
    pub fn users_of(&mut self, find: FindUsers) {
        self.find_users.push(find);
    }

    /// ARNs of all that use the thing with this ARN, in order, each once.
    pub fn users(&self, state: &State, arn: &str) -> Vec<String> {
        let mut users = Vec::new();
        self.find_users.iter().for_each(|find| find(state, arn, &mut users));
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Adds a CloudFormation resource type.
    pub fn resource(&mut self, resource: impl StackResource + 'static) {
        let name = resource.type_name();
        let old = self.resources.insert(name, Box::new(resource));
        assert!(old.is_none(), "resource type {name} is registered twice");
    }

    pub fn stack_resource(&self, type_name: &str) -> Option<&dyn StackResource> {
        self.resources.get(type_name).map(Box::as_ref)
    }

    /// All resource types in order of name.
    pub fn stack_resources(&self) -> impl Iterator<Item = &dyn StackResource> {
        self.resources.values().map(Box::as_ref)
    }

    pub fn has_operation(&self, service: &str, name: &str) -> bool {
        self.run_operation(service, name).is_some()
    }

    /// Every operation as (service, name), sorted.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.operations.iter().flat_map(|(service, names)| names.keys().map(|name| (*service, *name)))
    }

    pub(crate) fn run_operation(&self, service: &str, name: &str) -> Option<&ErasedOperation> {
        self.operations.get(service)?.get(name)
    }

    pub(crate) fn new_state(&self) -> State {
        let mut state = State::default();
        for add in &self.add_tables {
            add(&mut state);
        }
        state
    }

    pub(crate) fn observers(&self) -> &[Observer] {
        &self.observers
    }

    pub(crate) fn reconciler_index(&self, name: &str) -> usize {
        let index = self.reconcilers.iter().position(|(n, _)| *n == name);
        index.unwrap_or_else(|| panic!("reconciler {name} is not registered"))
    }

    pub(crate) fn reconciler_at(&self, index: usize) -> (&'static str, Reconciler) {
        self.reconcilers[index]
    }

    pub(crate) fn watchers(&self, row_type: TypeId, state: &State, row: &dyn Any, due: &mut DueSet) {
        let Some(watchers) = self.watchers.get(&row_type) else { return };
        let mut keys = Vec::new();
        for watcher in watchers {
            (watcher.keys)(state, row, &mut keys);
            due.extend(keys.drain(..).map(|key| (watcher.reconciler, key)));
        }
    }

    pub(crate) fn any_change(&self, state: &State, due: &mut DueSet) {
        let mut keys = Vec::new();
        for (reconciler, watch) in &self.on_any_change {
            watch(state, &mut keys);
            due.extend(keys.drain(..).map(|key| (*reconciler, key)));
        }
    }

    /// Every key that any row makes due, as after a start.
    pub(crate) fn everything_due(&self, state: &State) -> DueSet {
        let mut due = DueSet::new();
        for row_type in state.row_types() {
            if let Some(all) = self.all_rows.get(&row_type) {
                all(self, state, &mut due);
            }
        }
        self.any_change(state, &mut due);
        due
    }
}
