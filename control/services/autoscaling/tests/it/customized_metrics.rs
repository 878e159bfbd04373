//! Metrics that a user names for a policy, with mathematics over them: how they are shown and what they are refused for.

use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::policies::{put, tracking, watched_group};
use crate::region::refusal;

fn metric(id: &str, period: Option<i64>) -> s::TargetTrackingMetricDataQuery {
    s::TargetTrackingMetricDataQuery {
        id: id.into(),
        metric_stat: Some(s::TargetTrackingMetricStat {
            metric: s::Metric { namespace: "Shop".into(), metric_name: "Backlog".into(), dimensions: Vec::new() },
            stat: "Sum".into(),
            period,
            ..Default::default()
        }),
        return_data: Some(false),
        ..Default::default()
    }
}

fn expression(text: &str) -> s::TargetTrackingMetricDataQuery {
    s::TargetTrackingMetricDataQuery {
        id: "e1".into(),
        expression: Some(text.into()),
        return_data: Some(true),
        ..Default::default()
    }
}

fn of_metrics(metrics: Vec<s::TargetTrackingMetricDataQuery>) -> s::PutScalingPolicyType {
    let mut policy = tracking("math", 10.0);
    policy.target_tracking_configuration = Some(s::TargetTrackingConfiguration {
        customized_metric_specification: Some(s::CustomizedMetricSpecification { metrics, ..Default::default() }),
        target_value: 10.0,
        ..Default::default()
    });
    policy
}

/// Terraform finds what it asked for, no more: else each of its plans has a change. It sends a cooldown of 0 where there is none.
#[test]
fn a_policy_of_metric_math_is_shown_as_it_was_asked_for() {
    let mut region = watched_group(1, 0);
    let asked = vec![metric("m1", None), metric("m2", Some(60)), expression("m1 + m2")];
    put(&mut region, s::PutScalingPolicyType { cooldown: Some(0), ..of_metrics(asked.clone()) });
    let shown = region.call::<ops::DescribePolicies>(s::DescribePoliciesType::default()).unwrap().scaling_policies.remove(0);
    let tracked = shown.target_tracking_configuration.unwrap().customized_metric_specification.unwrap();
    assert_eq!((tracked.metrics, shown.cooldown), (asked, None));
}

/// The alarms are CloudWatch's, and so are the words: nothing is put that could never be evaluated.
#[test]
fn metric_math_that_cloudwatch_would_refuse_is_refused_with_its_words() {
    let mut region = watched_group(1, 0);
    let before = region.kernel.digest();
    let with = |edit: fn(&mut s::TargetTrackingMetricDataQuery)| {
        let mut one = metric("m1", None);
        edit(&mut one);
        vec![one, expression("m1 * 2")]
    };
    let cases = [
        (vec![metric("m1", None), expression("m1 +")], "Error in expression 'e1'"),
        (vec![metric("m1", None), expression("m1 + m7")], "Undefined variable 'm7'"),
        (vec![metric("m1", None), expression("SUM(m1)")], "the expression results in a scalar"),
        (vec![metric("m1", None), metric("m2", None), expression("METRICS()")], "must result in a single time series"),
        (vec![metric("m1", None), metric("m1", None), expression("m1")], "are not unique: m1"),
        (vec![metric("m1", Some(10)), metric("m2", None), expression("m1 / m2")], "all metrics must have the same period"),
        (vec![expression("TIME_SERIES(1)")], "must hold at least one metric"),
        (with(|m| m.id = "M1".into()), "The id 'M1' is not valid"),
        (with(|m| m.metric_stat.as_mut().unwrap().stat = "Most".into()), "The value 'Most' for parameter Stat is not supported."),
        (with(|m| m.metric_stat.as_mut().unwrap().unit = Some("Miles".into())), "failed to satisfy constraint"),
    ];
    for (metrics, expected) in cases {
        let (code, text) = refusal(region.call::<ops::PutScalingPolicy>(of_metrics(metrics)));
        assert!(code == "ValidationError" && text.contains(expected), "{code} {text}, not {expected}");
    }
    assert_eq!(region.kernel.digest(), before);
}
