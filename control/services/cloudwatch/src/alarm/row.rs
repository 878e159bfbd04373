use base::Time;
use kernel::Row;
use metrics::Metric;
use serde::{Deserialize, Serialize};

use super::reason::UNCHECKED;
use super::rule;

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
    Rule {
        rule: String,
        suppressor: Option<Suppressor>,
        /// The states of what the rule names when it was last evaluated, in the rule's order; empty before the first time.
        #[serde(default)]
        seen: Vec<AlarmState>,
        #[serde(default)]
        suppression: Suppression,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suppressor {
    /// Name or ARN.
    pub alarm: String,
    pub wait_s: u32,
    pub extension_s: u32,
}

/// How it stands with the actions of a composite alarm that has a suppressor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suppression {
    /// What keeps actions back now.
    pub by: Option<SuppressedBy>,
    /// The end of the wait or extension period.
    pub until: Option<Time>,
    /// A change of state whose actions have not run: the state before it.
    pub owed_from: Option<AlarmState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuppressedBy {
    WaitPeriod,
    ExtensionPeriod,
    Alarm,
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

impl Comparison {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => "GreaterThanOrEqualToThreshold",
            Self::GreaterThanThreshold => "GreaterThanThreshold",
            Self::LessThanThreshold => "LessThanThreshold",
            Self::LessThanOrEqualToThreshold => "LessThanOrEqualToThreshold",
        }
    }

    /// Whether a value violates the threshold.
    pub fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanThreshold => value < threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
        }
    }

    /// As reasons word it, between "was" and "the threshold".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => "greater than or equal to",
            Self::GreaterThanThreshold => "greater than",
            Self::LessThanThreshold => "less than",
            Self::LessThanOrEqualToThreshold => "less than or equal to",
        }
    }
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

impl MissingData {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }
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
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|s| s.as_str() == text)
    }

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

impl StateChange {
    /// The state of an alarm that is new: nothing has been seen yet.
    pub fn unchecked(at: Time) -> Self {
        let reason = UNCHECKED.into();
        Self { state: AlarmState::InsufficientData, at, reason, reason_data: String::new(), value: None }
    }
}

/// An action that an alarm invokes, until whoever it is for has done it. For actions of Auto Scaling one comes every
/// minute for as long as the state lasts ("Using Amazon CloudWatch alarms": Auto Scaling actions), for others one at each change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// The action's ARN and a number: unique, in order of time for one action.
    pub key: String,
    pub action: String,
    /// Name of the alarm.
    pub alarm: String,
    pub state: AlarmState,
    pub at: Time,
    /// The newest value that was compared, with the beginning of its period.
    pub value: Option<(Time, f64)>,
    pub reason: String,
}

impl Row for Alarm {
    const TABLE: &'static str = "cloudwatch.alarm";
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        match &self.watched {
            Watched::Metrics { queries, .. } => {
                for metric in queries.iter().filter_map(|q| q.metric.as_ref()) {
                    add("metric", &metric_key(metric));
                }
            }
            Watched::Rule { .. } => {
                for child in self.children() {
                    add("child", &child);
                }
            }
        }
    }
}

/// The value of the index `metric`.
pub(crate) fn metric_key(metric: &Metric) -> String {
    format!("{}/{}", metric.namespace, metric.name)
}

impl Alarm {
    /// The names of the alarms that a composite alarm looks at, its suppressor among them; none for another.
    pub(crate) fn children(&self) -> Vec<String> {
        let Watched::Rule { rule, suppressor, .. } = &self.watched else { return Vec::new() };
        let mut children = rule::parse(rule).map(|r| r.children()).unwrap_or_default();
        if let Some(suppressor) = suppressor {
            children.push(rule::name_of(&suppressor.alarm).to_string());
        }
        children.sort_unstable();
        children.dedup();
        children
    }

    /// The ARNs that a state invokes.
    pub fn actions(&self, state: AlarmState) -> &[String] {
        match state {
            AlarmState::Ok => &self.ok_actions,
            AlarmState::Alarm => &self.alarm_actions,
            AlarmState::InsufficientData => &self.insufficient_data_actions,
        }
    }

    pub fn is_composite(&self) -> bool {
        matches!(self.watched, Watched::Rule { .. })
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
        add("alarm", &self.alarm);
    }
}
