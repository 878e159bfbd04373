//! The alarms of a target tracking policy: it makes them, owns them and deletes them ("Target tracking scaling policies").

use base::Fault;
use cloudwatch::alarm::{Alarm, Comparison, MetricQuery, MissingData, StateChange, Watched};
use kernel::{Cx, State, Tx};
use metrics::Metric;

use super::row::{AlarmPair, Predefined, Rule, ScalingPolicy, Tracked};

/// "Target tracking scaling policies": the high alarm wants three periods above the target in a row.
const HIGH_PERIODS: u32 = 3;
/// The low alarm wants fifteen periods in a row below this share of the target.
const LOW_PERIODS: u32 = 15;
const LOW_SHARE: f64 = 0.9;

/// What a target tracking policy watches, as queries of an alarm.
fn queries(cx: &Cx, policy: &ScalingPolicy, tracked: &Tracked) -> Vec<MetricQuery> {
    match tracked {
        Tracked::Predefined { kind, label } => {
            let (metric, statistic) = predefined(&policy.group, *kind, label.as_deref());
            // A target of requests is one of requests a minute, however short the region's period is.
            let period_s = if *kind == Predefined::ALBRequestCountPerTarget { 60 } else { cx.settings.metric_period_s };
            vec![one(metric, statistic, period_s)]
        }
        Tracked::Metric { query, .. } => vec![query.clone()],
        Tracked::Math(queries) => queries.iter().map(|(query, _)| query.clone()).collect(),
    }
}

pub(super) fn one(metric: Metric, statistic: &str, period_s: u32) -> MetricQuery {
    MetricQuery {
        id: "m1".into(),
        metric: Some(metric),
        statistic: statistic.into(),
        unit: None,
        period_s,
        expression: None,
        label: None,
        returns: true,
    }
}

/// The metric behind a predefined name ("PredefinedMetricSpecification").
fn predefined(group: &str, kind: Predefined, label: Option<&str>) -> (Metric, &'static str) {
    let of_group = |name| Metric::new("AWS/EC2", name, &[("AutoScalingGroupName", group)]);
    match kind {
        Predefined::ASGAverageCPUUtilization => (of_group("CPUUtilization"), "Average"),
        Predefined::ASGAverageNetworkIn => (of_group("NetworkIn"), "Average"),
        Predefined::ASGAverageNetworkOut => (of_group("NetworkOut"), "Average"),
        Predefined::ALBRequestCountPerTarget => {
            let target_group = target_group_of(label.unwrap_or_default());
            (Metric::new("AWS/ApplicationELB", "RequestCountPerTarget", &[("TargetGroup", target_group)]), "Sum")
        }
    }
}

/// `targetgroup/NAME/ID` out of a resource label, which is `app/NAME/ID/targetgroup/NAME/ID`.
pub(crate) fn target_group_of(label: &str) -> &str {
    label.find("targetgroup/").map_or("", |at| &label[at..])
}

/// New names for a policy's alarms, as AWS forms them.
pub(super) fn new_pair(cx: &Cx, group: &str, disable_scale_in: bool) -> AlarmPair {
    let name = |side: &str| format!("TargetTracking-{group}-Alarm{side}-{}", cx.rng().uuid());
    AlarmPair { high: name("High"), low: (!disable_scale_in).then(|| name("Low")) }
}

/// Puts a policy's alarms as they should be; ones whose watch has changed begin anew.
pub(super) fn put_alarms(tx: &mut Tx, cx: &Cx, policy: &ScalingPolicy) -> Result<(), Fault> {
    let Rule::TargetTrackingScaling { metric, target, alarms, .. } = &policy.rule else { return Ok(()) };
    let watched = |comparison, threshold, periods| Watched::Metrics {
        queries: queries(cx, policy, metric),
        comparison,
        threshold,
        evaluation_periods: periods,
        datapoints_to_alarm: periods,
        missing: MissingData::Missing,
        ignore_low_samples: false,
    };
    let high = watched(Comparison::GreaterThanThreshold, *target, HIGH_PERIODS);
    cloudwatch::alarm::put(tx, cx, alarm(cx, policy, &alarms.high, high))?;
    if let Some(name) = &alarms.low {
        let low = watched(Comparison::LessThanThreshold, target * LOW_SHARE, LOW_PERIODS);
        cloudwatch::alarm::put(tx, cx, alarm(cx, policy, name, low))?;
    }
    Ok(())
}

fn alarm(cx: &Cx, policy: &ScalingPolicy, name: &str, watched: Watched) -> Alarm {
    Alarm {
        name: name.into(),
        arn: cx.scope.arn("cloudwatch", format_args!("alarm:{name}")),
        description: Some(format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}.", policy.arn)),
        watched,
        actions_enabled: true,
        alarm_actions: vec![policy.arn.clone()],
        ok_actions: Vec::new(),
        insufficient_data_actions: Vec::new(),
        configured_at: cx.now,
        state: StateChange::unchecked(cx.now),
        evaluated_until: cx.now,
    }
}

/// Alarms whose actions name a policy, its own ones or a user's, as (name, ARN).
pub(crate) fn alarms_of(state: &State, policy: &ScalingPolicy) -> Vec<(String, String)> {
    if let Rule::TargetTrackingScaling { alarms, .. } = &policy.rule {
        let found = alarms.names().into_iter().filter_map(|name| state.get::<Alarm>(&name));
        return found.map(|a| (a.name.clone(), a.arn.clone())).collect();
    }
    let names = |a: &&Alarm| {
        let all = a.alarm_actions.iter().chain(&a.ok_actions).chain(&a.insufficient_data_actions);
        all.into_iter().any(|action| *action == policy.arn)
    };
    state.rows::<Alarm>().filter(names).map(|a| (a.name.clone(), a.arn.clone())).collect()
}
