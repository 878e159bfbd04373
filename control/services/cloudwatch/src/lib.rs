//! Amazon CloudWatch: metrics, alarms and dashboards. It owns alarms, their states and their history, and answers from the
//! store of samples; it never knows who publishes a metric, nor what an alarm's action does: who acts on alarms
//! watches [`Invocation`] rows.

pub mod alarm;
mod dashboard;
mod metric;
mod stack;
mod tags;

pub use alarm::{Alarm, AlarmState, Invocation};
pub use metric::{check, publish, series, store};

use kernel::Registry;

/// Adds the service to a region.
pub fn register(registry: &mut Registry) {
    metric::register(registry);
    alarm::register(registry);
    tags::register(registry);
    dashboard::register(registry);
    stack::register(registry);
}
