use base::Time;
use kernel::Row;
use metrics::Metric;
use serde::{Deserialize, Serialize};

/// An alarm: what its owner wants, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    pub name: String,
    pub arn: String,
    pub description: Option<String>,
    pub watched: Watched,
    pub actions_enabled: bool,
    /// ARNs, by the state that invokes them.
    pub alarm_actions: Vec<String>,
    pub ok_actions: Vec<String>,
    pub insufficient_data_actions: Vec<String>,
    pub configured_at: Time,
    pub state: StateChange,
    /// The end of the last period that was looked at.
    pub evaluated_until: Time,
}

/// What an alarm looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "watched", rename_all = "kebab-case")]
pub enum Watched {
    /// One metric, or several with mathematics over them.
    Metrics {
        queries: Vec<MetricQuery>,
        comparison: Comparison,
        threshold: f64,
        /// N.
        evaluation_periods: u32,
        /// M of N; N when the owner gave none.
        datapoints_to_alarm: u32,
        missing: MissingData,
        /// `EvaluateLowSampleCountPercentile=ignore`.
        ignore_low_samples: bool,
    },
    /// A rule over other alarms, as its owner wrote it.
    Rule { rule: String, suppressor: Option<Suppressor> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppressor {
    /// Name or ARN.
    pub alarm: String,
    pub wait_s: u32,
    pub extension_s: u32,
}

/// A metric or an expression, as `MetricDataQuery` has it. The simple form of an alarm is one query `m1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricQuery {
    pub id: String,
    pub metric: Option<Metric>,
    /// `Average`, `p99` and so on, as its owner wrote it; empty for an expression.
    pub statistic: String,
    pub unit: Option<String>,
    pub period_s: u32,
    pub expression: Option<String>,
    pub label: Option<String>,
    /// The one that is compared.
    pub returns: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    GreaterThanOrEqualToThreshold,
    GreaterThanThreshold,
    LessThanThreshold,
    LessThanOrEqualToThreshold,
}

/// What periods without data count as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MissingData {
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlarmState {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

impl AlarmState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// The state an alarm is in, since when, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateChange {
    pub state: AlarmState,
    pub at: Time,
    pub reason: String,
    /// JSON, as `StateReasonData`.
    pub reason_data: String,
    /// The newest value that was compared, with the beginning of its period.
    pub value: Option<(Time, f64)>,
}

/// An action that an alarm invokes, until whoever it is for has done it. For actions of Auto Scaling one comes at every period for
/// as long as the state lasts ("Using Amazon CloudWatch alarms": Auto Scaling actions), for others one at each change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// The action's ARN and a number: unique, in order of time for one action.
    pub key: String,
    pub action: String,
    /// Name of the alarm.
    pub alarm: String,
    pub state: AlarmState,
    pub at: Time,
    pub value: Option<f64>,
    pub reason: String,
}

impl Row for Alarm {
    const TABLE: &'static str = "cloudwatch.alarm";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Row for Invocation {
    const TABLE: &'static str = "cloudwatch.invocation";
    type Key = String;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("action", &self.action);
    }
}
