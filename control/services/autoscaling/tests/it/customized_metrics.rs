//! Metrics that a user names for a policy, with mathematics over them: how they are shown and what they are refused for.

use base::Time;
use metrics::{Metric, Resolution, Sample};
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::policies::{put, tracking, watched_group};
use crate::predictive::{forecast, load, policy};
use crate::region::{Region, refusal};

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

fn data_query(id: &str, metric: &str, stat: &str) -> s::MetricDataQuery {
    s::MetricDataQuery {
        id: id.into(),
        metric_stat: Some(s::MetricStat {
            metric: s::Metric { namespace: "Shop".into(), metric_name: metric.into(), dimensions: Vec::new() },
            stat: stat.into(),
            unit: None,
        }),
        ..Default::default()
    }
}

fn data_expression(text: &str) -> s::MetricDataQuery {
    s::MetricDataQuery { id: "e1".into(), expression: Some(text.into()), return_data: Some(true), ..Default::default() }
}

fn scaling_of(metric_data_queries: Vec<s::MetricDataQuery>) -> Option<s::PredictiveScalingCustomizedScalingMetric> {
    Some(s::PredictiveScalingCustomizedScalingMetric { metric_data_queries })
}

fn load_of(metric_data_queries: Vec<s::MetricDataQuery>) -> Option<s::PredictiveScalingCustomizedLoadMetric> {
    Some(s::PredictiveScalingCustomizedLoadMetric { metric_data_queries })
}

fn capacity_of(metric_data_queries: Vec<s::MetricDataQuery>) -> Option<s::PredictiveScalingCustomizedCapacityMetric> {
    Some(s::PredictiveScalingCustomizedCapacityMetric { metric_data_queries })
}

/// Orders as load, whose half goes to each of two queues; an instance works off 20 percent of them.
fn customized(edit: impl FnOnce(&mut s::PredictiveScalingMetricSpecification)) -> s::PutScalingPolicyType {
    let mut input = policy("ForecastOnly");
    let hidden = |id: &str, metric: &str| s::MetricDataQuery { return_data: Some(false), ..data_query(id, metric, "Sum") };
    let specification = &mut input.predictive_scaling_configuration.as_mut().unwrap().metric_specifications[0];
    *specification = s::PredictiveScalingMetricSpecification {
        target_value: 10.0,
        customized_load_metric_specification: load_of(vec![
            hidden("m1", "OrdersA"),
            hidden("m2", "OrdersB"),
            data_expression("m1 + m2"),
        ]),
        customized_scaling_metric_specification: scaling_of(vec![data_query("m1", "Busy", "Average")]),
        customized_capacity_metric_specification: capacity_of(vec![data_query("m1", "Workers", "Average")]),
        ..Default::default()
    };
    edit(specification);
    input
}

/// Three days in which four workers were busy with a fifth of the load, all together.
fn region_with_orders() -> Region {
    let mut region = Region::new();
    region.group(1, |g| g.max_size = 8);
    let now = region.now;
    let publish = |tx: &mut kernel::Tx, name: &str, at: Time, value: f64| {
        cloudwatch::publish(tx, &Metric::new("Shop", name, &[]), "Count", Resolution::Standard, at, &Sample::value(value));
    };
    region
        .run(|tx, _| {
            for step in (1..=3 * 288).rev() {
                let at = Time::from_unix_ms(now.unix_ms() - step * 300_000);
                let orders = load(at.unix_ms() / 3_600_000);
                for (name, value) in
                    [("OrdersA", orders / 2.0), ("OrdersB", orders / 2.0), ("Busy", orders / 20.0), ("Workers", 4.0)]
                {
                    publish(tx, name, at, value);
                }
            }
            Ok(())
        })
        .unwrap();
    region
}

/// "Advanced predictive scaling policy configurations using custom metrics".
#[test]
fn a_forecast_of_customized_metrics_relates_load_scaling_and_capacity() {
    let mut region = region_with_orders();
    let check = |region: &mut Region, input: s::PutScalingPolicyType, instances_a_unit: f64| {
        put(region, input);
        let told = forecast(region).unwrap();
        assert_eq!(told.load_forecast[0].timestamps.len(), 48);
        let hours = told.capacity_forecast.timestamps.iter().zip(&told.capacity_forecast.values);
        for ((at, capacity), forecast) in hours.zip(&told.load_forecast[0].values) {
            let expected = load(at.unix_ms() / 3_600_000);
            assert!((forecast - expected).abs() < 1e-6, "{at} {forecast}");
            assert_eq!(*capacity, (expected * instances_a_unit).round(), "{at}");
        }
    };
    // Ten of each instance's, and each order takes a fifth of one.
    check(&mut region, customized(|_| {}), 0.02);
    let shown = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies.pop().unwrap();
    let shown = shown.predictive_scaling_configuration.unwrap().metric_specifications.remove(0);
    let load = shown.customized_load_metric_specification.unwrap().metric_data_queries;
    assert_eq!(load[2], data_expression("m1 + m2"));
    assert_eq!((load[0].return_data, load[0].metric_stat.as_ref().unwrap().stat.as_str()), (Some(false), "Sum"));
    assert_eq!(shown.customized_capacity_metric_specification.unwrap().metric_data_queries.len(), 1);
    // Nobody tells how many there were: the load is in units of the target.
    check(&mut region, customized(|c| c.customized_capacity_metric_specification = None), 0.1);
}

/// A journal has no infinity: a forecast of one would be read back as none, and the region not start any more.
#[test]
fn a_forecast_is_of_numbers_however_great_the_metrics_are() {
    let mut region = Region::new();
    region.group(1, |_| {});
    let now = region.now;
    let publish = |tx: &mut kernel::Tx, _: &kernel::Cx| {
        for step in (1..=2 * 288).rev() {
            let at = Time::from_unix_ms(now.unix_ms() - step * 300_000);
            let value = Sample::value(5e102);
            cloudwatch::publish(tx, &Metric::new("Shop", "Orders", &[]), "Count", Resolution::Standard, at, &value);
        }
        Ok(())
    };
    region.run(publish).unwrap();
    let cube = vec![
        s::MetricDataQuery { return_data: Some(false), ..data_query("m1", "Orders", "Sum") },
        data_expression("m1 * m1 * m1"),
    ];
    put(&mut region, customized(|c| c.customized_load_metric_specification = load_of(cube)));
    let told = forecast(&mut region).unwrap();
    let values = told.load_forecast[0].values.clone();
    region.reopen();
    assert!(values.len() == 48 && values.iter().all(|v| v.is_finite()), "{values:?}");
    assert_eq!(forecast(&mut region).unwrap().load_forecast[0].values, values);
}

#[test]
fn customized_metrics_that_nothing_can_be_read_from_are_refused() {
    let mut region = Region::new();
    region.group(1, |_| {});
    let before = region.kernel.digest();
    let one = || vec![data_query("m1", "Busy", "Average")];
    type Spoil<'a> = Box<dyn Fn(&mut s::PredictiveScalingMetricSpecification) + 'a>;
    let cases: Vec<(Spoil, &str)> = vec![
        (Box::new(|c| c.customized_load_metric_specification = None), "one load metric"),
        (Box::new(|c| c.customized_scaling_metric_specification = None), "one scaling metric"),
        (
            Box::new(|c| c.customized_load_metric_specification = load_of(Vec::new())),
            "CustomizedLoadMetricSpecification needs at least one",
        ),
        (
            Box::new(|c| {
                let many = (0..11).map(|n| data_query(&format!("m{n}"), "Busy", "Sum")).collect();
                c.customized_load_metric_specification = load_of(many);
            }),
            "At most 10 MetricDataQueries are allowed in CustomizedLoadMetricSpecification.",
        ),
        (
            Box::new(|c| {
                c.customized_scaling_metric_specification =
                    scaling_of(vec![data_query("m1", "Busy", "Sum"), data_query("m2", "Busy", "Sum")]);
            }),
            "Exactly one of the MetricDataQueries of CustomizedScalingMetricSpecification must have ReturnData true.",
        ),
        (
            Box::new(|c| c.customized_capacity_metric_specification = capacity_of(vec![data_expression("m1 +")])),
            "Invalid CustomizedCapacityMetricSpecification: Error in expression 'e1'",
        ),
        (
            Box::new(|c| {
                c.customized_load_metric_specification = load_of(vec![data_expression("SUM(SEARCH('(x', 'Sum', 300))")])
            }),
            "a parenthesis does not end",
        ),
        (
            Box::new(|c| c.customized_scaling_metric_specification = scaling_of(vec![data_query("m1", "Busy", "Most")])),
            "The value 'Most' for parameter Stat is not supported.",
        ),
        (
            Box::new(|c| {
                let both = s::MetricDataQuery { expression: Some("1".into()), ..data_query("m1", "Busy", "Sum") };
                c.customized_scaling_metric_specification = scaling_of(vec![both]);
            }),
            "needs either Expression or MetricStat",
        ),
        (
            Box::new(|c| {
                c.predefined_load_metric_specification = Some(s::PredictiveScalingPredefinedLoadMetric {
                    predefined_metric_type: "ASGTotalCPUUtilization".into(),
                    resource_label: None,
                });
            }),
            "CustomizedLoadMetricSpecification cannot be combined with the predefined metric of its kind.",
        ),
        (
            Box::new(|c| {
                c.predefined_metric_pair_specification = Some(s::PredictiveScalingPredefinedMetricPair {
                    predefined_metric_type: "ASGCPUUtilization".into(),
                    resource_label: None,
                });
            }),
            "A metric specification needs either",
        ),
        (
            Box::new(|c| {
                *c = s::PredictiveScalingMetricSpecification {
                    target_value: 50.0,
                    predefined_scaling_metric_specification: Some(s::PredictiveScalingPredefinedScalingMetric {
                        predefined_metric_type: "ASGAverageCPUUtilization".into(),
                        resource_label: None,
                    }),
                    predefined_load_metric_specification: Some(s::PredictiveScalingPredefinedLoadMetric {
                        predefined_metric_type: "ASGTotalCPUUtilization".into(),
                        resource_label: None,
                    }),
                    customized_capacity_metric_specification: capacity_of(one()),
                    ..Default::default()
                };
            }),
            "CustomizedCapacityMetricSpecification needs a customized scaling or load metric.",
        ),
    ];
    for (spoil, expected) in cases {
        let (code, text) = refusal(region.call::<ops::PutScalingPolicy>(customized(spoil)));
        assert!(code == "ValidationError" && text.contains(expected), "{code} {text}, not {expected}");
    }
    assert_eq!(region.kernel.digest(), before);
}
