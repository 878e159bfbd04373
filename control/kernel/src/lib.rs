//! The deterministic core under every service: typed in-memory tables with transactions, the journal that keeps
//! them, the wanted state of the world, and the queue of keys that are due for reconciliation.
//!
//! It owns how state changes, never what a change means: it knows no service. It never reads a clock, opens a
//! socket, waits or draws its own randomness; time and randomness come in with each call, so a run can be
//! repeated from its seed. One thread owns a [`Kernel`].

mod cx;
mod due;
mod engine;
mod journal;
mod objects;
mod page;
mod randomness;
mod registry;
mod resource;
mod row;
mod state;
mod store;
mod trial;
mod tx;
mod wanted;

pub use cx::{Cx, Settings};
pub use engine::{Committed, Kernel, Lacking};
pub use journal::{Journal, JournalError, MemoryJournal, NoJournal, RedbJournal, Write};
pub use objects::{MemoryObjects, ObjectError, Objects};
pub use page::{Page, page};
pub use randomness::{NoRandomness, Randomness, Secrets};
pub use registry::{Reconciler, Registry};
pub use resource::{Progress, ResourceRequest, StackResource};
pub use row::{Key, Row};
pub use state::State;
pub use store::Store;
pub use trial::Trial;
pub use tx::Tx;
pub use wanted::Wanted;
