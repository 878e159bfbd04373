//! Predictive scaling: forecasts from the store, and capacity ahead of time.

use std::time::Duration;

use base::Time;
use metrics::{Metric, Resolution, Sample};
use shapes::autoscaling as s;
use shapes::autoscaling::ops;

use crate::region::{Region, refusal};

const HOUR_S: u64 = 3_600;

/// Total CPU of the group by the hour of the day in percent of one instance: 500 at noon, 100 otherwise.
pub fn load(hour: i64) -> f64 {
    if (12..14).contains(&hour.rem_euclid(24)) { 500.0 } else { 100.0 }
}

/// A group of one with a history of so many days, told every five minutes by one instance.
fn region_with_history(days: i64) -> Region {
    let mut region = Region::new();
    region.group(1, |g| g.max_size = 8);
    let metric = Metric::new("AWS/EC2", "CPUUtilization", &[("AutoScalingGroupName", "g")]);
    let now = region.now;
    region
        .run(|tx, _| {
            for step in (1..=days * 288).rev() {
                let at = Time::from_unix_ms(now.unix_ms() - step * 300_000);
                let value = load(at.unix_ms() / 3_600_000);
                cloudwatch::publish(tx, &metric, "Percent", Resolution::Standard, at, &Sample::value(value));
            }
            Ok(())
        })
        .unwrap();
    region
}

pub fn policy(mode: &str) -> s::PutScalingPolicyType {
    s::PutScalingPolicyType {
        auto_scaling_group_name: "g".into(),
        policy_name: "ahead".into(),
        policy_type: Some("PredictiveScaling".into()),
        predictive_scaling_configuration: Some(s::PredictiveScalingConfiguration {
            metric_specifications: vec![s::PredictiveScalingMetricSpecification {
                target_value: 50.0,
                predefined_metric_pair_specification: Some(s::PredictiveScalingPredefinedMetricPair {
                    predefined_metric_type: "ASGCPUUtilization".into(),
                    ..Default::default()
                }),
                ..Default::default()
            }],
            mode: Some(mode.into()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn forecast(region: &mut Region) -> Result<s::GetPredictiveScalingForecastAnswer, base::Fault> {
    let input = s::GetPredictiveScalingForecastType {
        auto_scaling_group_name: "g".into(),
        policy_name: "ahead".into(),
        start_time: region.now - Duration::from_secs(86_400),
        end_time: region.now + Duration::from_secs(3 * 86_400),
    };
    region.call::<ops::GetPredictiveScalingForecast>(input)
}

#[test]
fn a_forecast_covers_two_days_and_alone_changes_nothing() {
    let mut region = region_with_history(3);
    region.call::<ops::PutScalingPolicy>(policy("ForecastOnly")).unwrap();
    let told = forecast(&mut region).unwrap();
    assert_eq!(told.load_forecast[0].timestamps.len(), 48);
    for (at, (load_told, capacity)) in
        told.capacity_forecast.timestamps.iter().zip(told.load_forecast[0].values.iter().zip(&told.capacity_forecast.values))
    {
        let expected = load(at.unix_ms() / 3_600_000);
        assert!((load_told - expected).abs() < 1e-6 && *capacity == expected / 50.0, "{at} {load_told} {capacity}");
    }
    region.pass(2);
    assert_eq!(region.row().desired_capacity, 1);
    let shown = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies.pop().unwrap();
    let configuration = shown.predictive_scaling_configuration.unwrap();
    assert_eq!((configuration.scheduling_buffer_time, configuration.mode.as_deref()), (Some(300), Some("ForecastOnly")));
}

#[test]
fn a_label_beside_a_metric_of_the_group_is_kept_and_says_nothing() {
    let mut region = region_with_history(3);
    let mut labelled = policy("ForecastOnly");
    let specifications = &mut labelled.predictive_scaling_configuration.as_mut().unwrap().metric_specifications;
    specifications[0].predefined_metric_pair_specification.as_mut().unwrap().resource_label = Some("anything".into());
    let wanted = specifications.clone();
    region.call::<ops::PutScalingPolicy>(labelled).unwrap();
    let shown = region.call::<ops::DescribePolicies>(Default::default()).unwrap().scaling_policies.pop().unwrap();
    assert_eq!(shown.predictive_scaling_configuration.unwrap().metric_specifications, wanted);
    assert!(!forecast(&mut region).unwrap().load_forecast[0].values.is_empty());
}

#[test]
fn capacity_is_raised_ahead_of_the_hour_within_the_maximum_and_never_lowered() {
    let mut region = region_with_history(2);
    region.call::<ops::PutScalingPolicy>(policy("ForecastAndScale")).unwrap();
    assert_eq!(region.row().desired_capacity, 2, "this hour's, at once");
    // The region's time begins at eight; noon wants ten.
    let leap = |region: &mut Region, seconds| {
        region.now = region.now + Duration::from_secs(seconds);
        region.settle();
        region.play();
    };
    leap(&mut region, 4 * HOUR_S - 301);
    assert_eq!(region.row().desired_capacity, 2);
    let told = region.told(0).len();
    leap(&mut region, 1);
    assert_eq!(region.row().desired_capacity, 8, "the maximum is honored");
    let (_, cause, _) = region.told(told).remove(0);
    assert!(cause.starts_with("At T predictive scaling policy ahead changed the desired capacity from 2 to 8"), "{cause}");
    leap(&mut region, 3 * HOUR_S);
    assert_eq!(region.row().desired_capacity, 8, "taking away is for dynamic scaling");
    let mut beyond = policy("ForecastAndScale");
    let configuration = beyond.predictive_scaling_configuration.as_mut().unwrap();
    (configuration.max_capacity_breach_behavior, configuration.max_capacity_buffer) =
        (Some("IncreaseMaxCapacity".into()), Some(10));
    region.call::<ops::PutScalingPolicy>(beyond).unwrap();
    leap(&mut region, 21 * HOUR_S);
    assert_eq!((region.row().desired_capacity, region.row().max_size), (10, 11));
}

#[test]
fn too_little_data_and_bad_configurations_are_refused() {
    let mut region = Region::new();
    region.group(1, |_| {});
    region.call::<ops::PutScalingPolicy>(policy("ForecastOnly")).unwrap();
    assert!(refusal(forecast(&mut region)).1.contains("it needs 24 hours of data"));
    type Spoil = fn(&mut s::PredictiveScalingConfiguration);
    let cases: [(Spoil, &str); 5] = [
        (|c| c.mode = Some("Guess".into()), "Invalid Mode 'Guess'."),
        (|c| c.metric_specifications.clear(), "Exactly one metric specification"),
        (|c| c.scheduling_buffer_time = Some(3_601), "SchedulingBufferTime must be 0 to 3600 seconds"),
        (|c| c.max_capacity_buffer = Some(10), "MaxCapacityBuffer is only supported when"),
        (|c| c.metric_specifications[0].predefined_metric_pair_specification = None, "A metric specification needs either"),
    ];
    for (spoil, expected) in cases {
        let mut input = policy("ForecastOnly");
        spoil(input.predictive_scaling_configuration.as_mut().unwrap());
        let (code, text) = refusal(region.call::<ops::PutScalingPolicy>(input));
        assert!(code == "ValidationError" && text.contains(expected), "{code} {text}");
    }
}
