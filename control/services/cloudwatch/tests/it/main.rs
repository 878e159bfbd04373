//! CloudWatch in a kernel of its own, with SNS beneath it.
#![allow(clippy::unwrap_used)]

mod alarm_actions;
mod alarm_composite;
mod alarm_evaluation;
mod alarm_properties;
mod alarm_requests;
mod alarms;
mod dashboards;
mod extremes;
mod math;
mod metrics_in;
mod metrics_out;
