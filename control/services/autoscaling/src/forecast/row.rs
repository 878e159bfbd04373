//! The part of a policy that predicts, and the forecast made from it.

use base::{GroupName, Time};
use cloudwatch::alarm::MetricQuery;
use kernel::{Row, State};
use metrics::{Metric, Statistic};
use serde::{Deserialize, Serialize};

use crate::policy::{PolicyKey, Rule, ScalingPolicy, target_group_of};

/// `PredictiveScalingConfiguration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Predictive {
    pub(super) target: f64,
    pub(super) source: Source,
    /// `ForecastAndScale` rather than `ForecastOnly`.
    pub(super) scales: bool,
    /// `SchedulingBufferTime`: how long before the hour the capacity is raised, in seconds.
    pub(super) buffer_s: u32,
    /// `IncreaseMaxCapacity` with its `MaxCapacityBuffer` in percent; none for `HonorMaxCapacity`.
    pub(super) above_max_percent: Option<u32>,
}

/// The metrics behind a forecast, as they were named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Source {
    Pair(Named),
    Apart {
        scaling: Named,
        load: Named,
    },
    /// At least one of them is the user's own.
    Customized {
        scaling: Measure,
        load: Measure,
        capacity: Option<Vec<MetricQuery>>,
    },
}

/// Where a series comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Measure {
    Predefined(Named),
    /// `MetricDataQueries`; one of them returns the series.
    Queries(Vec<MetricQuery>),
}

/// A predefined metric and the label of its load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) kind: String,
    pub(super) label: Option<String>,
}

/// What the metric of a load counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Percent of each instance: the number of samples a minute does not matter.
    Percent,
    /// Amounts, which add up.
    Amount,
}

impl Predictive {
    /// The target groups whose requests it looks at, each by the label that names its load balancer too.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        let named = match &self.source {
            Source::Pair(pair) => [Some(pair), None],
            Source::Apart { scaling, load } => [Some(scaling), Some(load)],
            Source::Customized { scaling, load, .. } => [scaling.named(), load.named()],
        };
        named.into_iter().flatten().filter(|n| n.is_of_target_group()).filter_map(|n| n.label.as_deref())
    }
}

impl Measure {
    fn named(&self) -> Option<&Named> {
        if let Self::Predefined(named) = self { Some(named) } else { None }
    }
}

impl Named {
    pub(super) fn is_of_target_group(&self) -> bool {
        self.kind.starts_with("ALB")
    }

    /// The metric whose sum over the group is its load ("PredictiveScalingPredefinedLoadMetric").
    pub(super) fn load(&self, group: &str) -> (Metric, Load) {
        let of_group = |name| Metric::new("AWS/EC2", name, &[("AutoScalingGroupName", group)]);
        match self.kind.as_str() {
            "ASGCPUUtilization" | "ASGTotalCPUUtilization" => (of_group("CPUUtilization"), Load::Percent),
            "ASGNetworkIn" | "ASGTotalNetworkIn" => (of_group("NetworkIn"), Load::Amount),
            "ASGNetworkOut" | "ASGTotalNetworkOut" => (of_group("NetworkOut"), Load::Amount),
            _ => {
                let label = self.label.as_deref().unwrap_or_default();
                let target_group = target_group_of(label);
                let balancer = label.strip_suffix(target_group).unwrap_or_default().trim_end_matches('/');
                let dimensions = [("LoadBalancer", balancer), ("TargetGroup", target_group)];
                (Metric::new("AWS/ApplicationELB", "RequestCount", &dimensions), Load::Amount)
            }
        }
    }

    /// The metric whose value for each instance has the target ("PredictiveScalingPredefinedScalingMetric").
    pub(super) fn scaling(&self, group: &str) -> (Metric, Statistic) {
        let of_group = |name| (Metric::new("AWS/EC2", name, &[("AutoScalingGroupName", group)]), Statistic::Average);
        match self.kind.as_str() {
            "ASGAverageCPUUtilization" => of_group("CPUUtilization"),
            "ASGAverageNetworkIn" => of_group("NetworkIn"),
            "ASGAverageNetworkOut" => of_group("NetworkOut"),
            _ => {
                let target_group = target_group_of(self.label.as_deref().unwrap_or_default());
                let metric = Metric::new("AWS/ApplicationELB", "RequestCountPerTarget", &[("TargetGroup", target_group)]);
                (metric, Statistic::Sum)
            }
        }
    }
}

/// The newest forecast of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forecast {
    pub(super) policy: PolicyKey,
    pub(super) made_at: Time,
    /// The beginning of its first hour.
    pub(super) from: Time,
    /// Load by the hour, as it comes in a minute.
    pub(super) load: Vec<f64>,
    /// Instances by the hour, without bounds.
    pub(super) capacity: Vec<u32>,
}

pub(super) const HOUR_MS: i64 = 3_600_000;

impl Forecast {
    /// The capacity of the hour that holds `moment`.
    pub(super) fn capacity_at(&self, moment: Time) -> Option<u32> {
        let hours = (moment.unix_ms() - self.from.unix_ms()).div_euclid(HOUR_MS);
        usize::try_from(hours).ok().and_then(|hour| self.capacity.get(hour)).copied()
    }
}

impl Row for Forecast {
    const TABLE: &'static str = "autoscaling.forecast";
    type Key = PolicyKey;

    fn key(&self) -> PolicyKey {
        self.policy.clone()
    }
}

/// Policies of a group that forecast and scale.
pub(super) fn scaling<'a>(state: &'a State, group: &GroupName) -> impl Iterator<Item = (&'a ScalingPolicy, &'a Predictive)> {
    state.rows_where::<ScalingPolicy>("group", group).filter(|p| p.enabled).filter_map(|p| match &p.rule {
        Rule::PredictiveScaling(predictive) if predictive.scales => Some((p, predictive)),
        _ => None,
    })
}
