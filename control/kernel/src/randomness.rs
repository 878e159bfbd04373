//! Where a region's chance comes from. Ids must be unique and may be foreseen; secrets must not. Both are drawn inside
//! transactions and journaled with the rows that hold them, so that a restart finds them and draws none anew.

use std::sync::Arc;

/// The port through which secrets come: bytes that nobody can foresee.
pub trait Secrets: Send + Sync {
    /// Fills the whole of `bytes`.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The machine has no randomness to give. Whoever asked for a secret must do without, and fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

/// The sources of ids and of secrets.
#[derive(Clone)]
pub struct Randomness {
    pub(crate) seed: u64,
    /// None makes them of the seed too.
    pub(crate) secrets: Option<Arc<dyn Secrets>>,
}

impl Randomness {
    /// For a region that others use: ids of the seed, secrets from the port.
    pub fn with_secrets(seed: u64, secrets: Arc<dyn Secrets>) -> Self {
        Self { seed, secrets: Some(secrets) }
    }

    /// For simulations and tests, which must come out the same each time: what should be secret is made of the seed, and is not.
    pub fn repeatable(seed: u64) -> Self {
        Self { seed, secrets: None }
    }
}
