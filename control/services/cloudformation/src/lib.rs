//! AWS CloudFormation: stacks, their resources and events, change sets, exports. It owns the engine that brings a stack
//! to what its template says, through the resource types that every service registers; it never knows what a resource
//! is. The template language itself is the `template` crate.

mod cdk_metadata;
mod change_set;
mod engine;
mod error;
mod event;
mod export;
mod operations;
mod program;
mod signal;
mod stack;
mod state;
mod wait_condition;

pub use error::Error;
pub use signal::signal_from_instance;
pub use state::{Member, MemberStatus, Stack, StackStatus};
pub use wait_condition::signal_wait_condition;

use kernel::Registry;

/// Adds tables, operations, the engine and the resource types.
pub fn register(registry: &mut Registry) {
    registry.table::<Stack>();
    registry.table::<Member>();
    registry.table::<event::Event>();
    registry.table::<export::Export>();
    registry.table::<change_set::ChangeSet>();
    registry.table::<wait_condition::WaitCondition>();
    registry.table::<wait_condition::Signal>();
    registry.reconciler(engine::NAME, engine::reconcile);
    registry.watch::<Stack>(engine::NAME, |_, stack, due| {
        if stack.status.is_in_progress() {
            due.push(stack.id.to_string());
        }
    });
    // Any change anywhere may be what a resource under way waits for.
    registry.watch_all(engine::NAME, |state, due| due.extend(state.rows_where::<Stack>("busy", "").map(|s| s.id.to_string())));
    registry.resource(cdk_metadata::Metadata);
    signal::register(registry);
    wait_condition::register(registry);
    operations::register(registry);
}
