//! The rows of scaling policies and of what they remember.

use std::fmt;

use base::{GroupName, Time};
use cloudwatch::alarm::MetricQuery;
use kernel::Row;
use serde::{Deserialize, Serialize};

use super::decide::{Adjustment, Step};
use crate::forecast::Predictive;

/// A scaling policy of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScalingPolicy {
    pub(crate) group: GroupName,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) enabled: bool,
    pub(crate) rule: Rule,
    /// `EstimatedInstanceWarmup` in seconds.
    pub(crate) warmup_s: Option<u32>,
}

/// Group and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PolicyKey(pub(crate) GroupName, pub(crate) String);

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A group's name has no slash.
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl PolicyKey {
    /// Reads what `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split_once('/').map(|(group, name)| Self(group.into(), name.into()))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[allow(clippy::enum_variant_names, reason = "AWS's names")]
pub(crate) enum Rule {
    SimpleScaling { adjustment: Adjustment, by: i64, min_magnitude: Option<u32>, cooldown_s: Option<u32> },
    StepScaling { adjustment: Adjustment, steps: Vec<Step>, min_magnitude: Option<u32>, aggregation: Aggregation },
    TargetTrackingScaling { metric: Tracked, target: f64, disable_scale_in: bool, alarms: AlarmPair },
    PredictiveScaling(Predictive),
}

impl Rule {
    /// `PolicyType`.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::SimpleScaling { .. } => "SimpleScaling",
            Self::StepScaling { .. } => "StepScaling",
            Self::TargetTrackingScaling { .. } => "TargetTrackingScaling",
            Self::PredictiveScaling(_) => "PredictiveScaling",
        }
    }
}

/// `MetricAggregationType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Aggregation {
    Average,
    Minimum,
    Maximum,
}

impl Aggregation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Average => "Average",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }
}

/// What a target tracking policy keeps at its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Tracked {
    Predefined {
        kind: Predefined,
        label: Option<String>,
    },
    /// `CustomizedMetricSpecification` of one metric, with the period that was asked for; a minute where there was none.
    Metric {
        query: MetricQuery,
        period_s: Option<u32>,
    },
    /// The same with `Metrics`, each with the period that was asked for.
    Math(Vec<(MetricQuery, Option<u32>)>),
}

/// `PredefinedMetricType` of a target tracking policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::enum_variant_names, clippy::upper_case_acronyms, reason = "AWS's names")]
pub(crate) enum Predefined {
    ASGAverageCPUUtilization,
    ASGAverageNetworkIn,
    ASGAverageNetworkOut,
    ALBRequestCountPerTarget,
}

impl Predefined {
    pub(crate) const ALL: [Predefined; 4] =
        [Self::ASGAverageCPUUtilization, Self::ASGAverageNetworkIn, Self::ASGAverageNetworkOut, Self::ALBRequestCountPerTarget];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ASGAverageCPUUtilization => "ASGAverageCPUUtilization",
            Self::ASGAverageNetworkIn => "ASGAverageNetworkIn",
            Self::ASGAverageNetworkOut => "ASGAverageNetworkOut",
            Self::ALBRequestCountPerTarget => "ALBRequestCountPerTarget",
        }
    }
}

/// Names of the two alarms that a target tracking policy owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AlarmPair {
    pub(crate) high: String,
    /// None where scale-in is disabled.
    pub(crate) low: Option<String>,
}

impl AlarmPair {
    pub(crate) fn names(&self) -> Vec<String> {
        std::iter::once(self.high.clone()).chain(self.low.clone()).collect()
    }
}

/// What the last simple policy has begun, after which the next one waits ("Scaling cooldowns").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cooldown {
    pub group: GroupName,
    pub since: Time,
    pub seconds: u32,
}

impl Row for ScalingPolicy {
    const TABLE: &'static str = "autoscaling.policy";
    type Key = PolicyKey;

    fn key(&self) -> PolicyKey {
        PolicyKey(self.group.clone(), self.name.clone())
    }

    fn index(&self, add: &mut dyn FnMut(&'static str, &str)) {
        add("group", &self.group);
        add("arn", &self.arn);
    }
}

impl Row for Cooldown {
    const TABLE: &'static str = "autoscaling.cooldown";
    type Key = GroupName;

    fn key(&self) -> GroupName {
        self.group.clone()
    }
}
