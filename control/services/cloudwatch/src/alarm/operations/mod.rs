//! The operations of alarms: they validate what callers send, call transitions and build answers.

mod describe;
mod history;
mod limits;
mod put_composite;
mod put_metric;
mod state;

pub(crate) use put_composite::composite_of;
pub(crate) use put_metric::{alarm_of, check, check_readable};
pub(crate) use state::check_parents;

use kernel::Registry;
use shapes::cloudwatch::ops;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::PutMetricAlarm>(put_metric::put);
    registry.operation::<ops::PutCompositeAlarm>(put_composite::put);
    registry.operation::<ops::DeleteAlarms>(state::delete);
    registry.operation::<ops::SetAlarmState>(state::set);
    registry.operation::<ops::EnableAlarmActions>(state::enable);
    registry.operation::<ops::DisableAlarmActions>(state::disable);
    registry.operation::<ops::DescribeAlarms>(describe::describe);
    registry.operation::<ops::DescribeAlarmsForMetric>(describe::for_metric);
    registry.operation::<ops::DescribeAlarmHistory>(history::describe);
}
