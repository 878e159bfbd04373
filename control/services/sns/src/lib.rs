//! Amazon SNS: topics, who is subscribed to them, and the messages under way. It owns their rows; the courier of the world
//! carries the messages.

mod publish;

pub use publish::{Message, publish};

use kernel::Registry;

/// Adds the service to a region.
pub fn register(_registry: &mut Registry) {}
