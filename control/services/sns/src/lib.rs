//! Amazon SNS: topics, who is subscribed to them, and the messages under way. It owns their rows; the courier of the world
//! carries the messages.

mod arn;
mod counts;
mod delivery;
mod endpoint;
mod error;
mod filter;
mod operations;
mod policy;
mod publish;
mod stack;
mod subscription;
mod tags;
mod topic;

pub use delivery::{DELIVERIES_MAX, DELIVERY_BYTES_MAX, Delivery, LOST_MAX, Lost};
pub use error::Error;
pub use publish::{Message, publish};
pub use subscription::{Confirmed, Protocol, Subscription};
pub use topic::Topic;

use kernel::{Registry, Wanted};
use shapes::sns::ops;
use world::SlotKind;

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    registry.table::<Topic>();
    registry.table::<Subscription>();
    registry.table::<Delivery>();
    registry.table::<delivery::Backlog>();
    registry.table::<Lost>();
    registry.store::<metrics::Store>();
    registry.reconciler("sns.subscription", subscription::reconcile);
    registry.watch::<Subscription>("sns.subscription", |_, row, keys| keys.push(row.arn.clone()));
    registry.reconciler("sns.delivery", delivery::reconcile);
    registry.watch::<Delivery>("sns.delivery", |_, row, keys| keys.push(row.wish.id.clone()));
    registry.watch::<Wanted>("sns.delivery", |_, row, keys| {
        if row.slot.kind == SlotKind::Delivery {
            keys.push(row.slot.id.clone());
        }
    });
    topics(registry);
    subscriptions(registry);
    stack::register(registry);
}

fn topics(registry: &mut Registry) {
    registry.operation::<ops::CreateTopic>(operations::topics::create);
    registry.operation::<ops::DeleteTopic>(operations::topics::delete);
    registry.operation::<ops::GetTopicAttributes>(operations::topics::attributes);
    registry.operation::<ops::SetTopicAttributes>(operations::topics::set_attributes);
    registry.operation::<ops::ListTopics>(operations::topics::list);
    registry.operation::<ops::AddPermission>(operations::topics::add_permission);
    registry.operation::<ops::RemovePermission>(operations::topics::remove_permission);
    registry.operation::<ops::TagResource>(tags::add);
    registry.operation::<ops::UntagResource>(tags::remove);
    registry.operation::<ops::ListTagsForResource>(tags::list);
    registry.operation::<ops::Publish>(operations::publish::publish);
    registry.operation::<ops::PublishBatch>(operations::publish::batch);
}

fn subscriptions(registry: &mut Registry) {
    registry.operation::<ops::Subscribe>(operations::subscriptions::subscribe);
    registry.operation::<ops::ConfirmSubscription>(operations::subscriptions::confirm);
    registry.operation::<ops::Unsubscribe>(operations::subscriptions::unsubscribe);
    registry.operation::<ops::GetSubscriptionAttributes>(operations::subscriptions::attributes);
    registry.operation::<ops::SetSubscriptionAttributes>(operations::subscriptions::set_attributes);
    registry.operation::<ops::ListSubscriptions>(operations::subscriptions::list);
    registry.operation::<ops::ListSubscriptionsByTopic>(operations::subscriptions::list_by_topic);
}
