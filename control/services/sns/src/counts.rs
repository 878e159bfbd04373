//! What CloudWatch hears of topics: the metrics of `AWS/SNS` with the dimension `TopicName` ("Monitoring Amazon SNS topics using
//! CloudWatch"). Each is told as it happens, last in its transaction; it counts nothing itself.

use kernel::{Cx, Tx};
use metrics::{Metric, Resolution, Sample, Store};

const NAMESPACE: &str = "AWS/SNS";

/// What is told of a topic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Count {
    /// A message of so many bytes was taken.
    Published {
        bytes: usize,
    },
    Delivered,
    /// To an HTTP endpoint every attempt that failed counts, to others those messages that are given up.
    Failed,
    /// So many subscribers did not get a message for what their filters say.
    FilteredOut(Filtered, usize),
}

/// Why a filter let a message not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filtered {
    /// It looks at attributes, and the message has none.
    NoAttributes,
    /// It looks at attributes, and they are others.
    Attributes,
    /// It looks at the body.
    Body,
}

pub(crate) fn tell(tx: &mut Tx, cx: &Cx, topic_arn: &str, count: Count) {
    match count {
        Count::Published { bytes } => {
            put(tx, cx, topic_arn, "NumberOfMessagesPublished", "Count", 1.0);
            put(tx, cx, topic_arn, "PublishSize", "Bytes", bytes as f64);
        }
        Count::Delivered => put(tx, cx, topic_arn, "NumberOfNotificationsDelivered", "Count", 1.0),
        Count::Failed => put(tx, cx, topic_arn, "NumberOfNotificationsFailed", "Count", 1.0),
        Count::FilteredOut(_, 0) => {}
        Count::FilteredOut(why, subscribers) => {
            let by_cause = match why {
                Filtered::NoAttributes => "NumberOfNotificationsFilteredOut-NoMessageAttributes",
                Filtered::Attributes => "NumberOfNotificationsFilteredOut-MessageAttributes",
                Filtered::Body => "NumberOfNotificationsFilteredOut-MessageBody",
            };
            for name in ["NumberOfNotificationsFilteredOut", by_cause] {
                put(tx, cx, topic_arn, name, "Count", subscribers as f64);
            }
        }
    }
}

fn put(tx: &mut Tx, cx: &Cx, topic_arn: &str, name: &str, unit: &str, value: f64) {
    let topic = topic_arn.rsplit(':').next().unwrap_or_default();
    let metric = Metric::new(NAMESPACE, name, &[("TopicName", topic)]);
    let resolution = if cx.settings.metric_period_s < 60 { Resolution::High } else { Resolution::Standard };
    let store = tx.store_mut::<Store>();
    store.advance(cx.now);
    store.put(&metric, unit, resolution, cx.now, &Sample::value(value));
}
