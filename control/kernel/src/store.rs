use std::any::Any;

/// Data of a high rate beside the tables, such as the samples of metrics: too much for rows, and of a kind where the
/// last moments may be lost.
///
/// It is no part of transactions: what was written to it stays when the transaction fails, so a transaction writes to
/// it last. Nor is it in the journal: a store that keeps its data does so through a port of its own.
pub trait Store: Any + Send {
    /// Hands what was taken in since the last call to the store's port. Called at every commit; a failure is the store's
    /// to log and to make good at a later call, for it must not fail the commit.
    fn keep(&mut self);
}

/// A store whose type is forgotten.
pub(crate) trait AnyStore: Send {
    fn keep(&mut self);
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<S: Store> AnyStore for S {
    fn keep(&mut self) {
        Store::keep(self);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
