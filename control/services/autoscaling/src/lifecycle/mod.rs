//! Lifecycle hooks: they hold an instance on its way in or out until somebody completes the action, or its time is over.
//!
//! It owns hooks and the actions in [`crate::Member`] rows; when an instance meets its hooks is the plan's to say.

mod actions;
mod hook;
pub(crate) mod message;

pub use actions::{LifecycleAction, Named};
pub(crate) use actions::{begin_hooks, complete, expire, heartbeat};
#[cfg(test)]
pub(crate) use hook::HookResult;
pub(crate) use hook::has_hook;
pub use hook::{HookChange, HookKey, LifecycleHook, Transition, delete_hook, put_hook};
