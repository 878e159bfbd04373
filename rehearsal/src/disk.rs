//! Where the simulated control plane keeps what outlives it, and how it starts from that. It decides nothing.

use std::sync::{Arc, Mutex};

use base::Scope;
use kernel::{Journal, Kernel, MemoryJournal, NoJournal, Randomness, Settings};
use region::metrics::{MemoryKeep, Store};

/// What outlives the control plane.
pub(crate) struct Disk {
    pub(crate) journal: Arc<Mutex<MemoryJournal>>,
    /// The samples; none when not even rows are kept.
    pub(crate) keep: Option<MemoryKeep>,
}

impl Disk {
    /// Starts the control plane from what is on the disk, as `serve` does.
    pub(crate) fn open(&self, scope: &Scope, settings: &Settings, seed: u64) -> Kernel {
        let journal: Box<dyn Journal> = match &self.keep {
            Some(_) => Box::new(self.journal.clone()),
            None => Box::new(NoJournal),
        };
        let mut kernel = Kernel::open(region::services, journal, scope.clone(), settings.clone(), Randomness::repeatable(seed))
            .unwrap_or_else(|e| panic!("a journal in memory can be read: {e}"));
        if let Some(keep) = &self.keep {
            *kernel.store_mut() =
                Store::open(Box::new(keep.clone())).unwrap_or_else(|e| panic!("samples in memory can be read: {e}"));
        }
        kernel
    }
}
