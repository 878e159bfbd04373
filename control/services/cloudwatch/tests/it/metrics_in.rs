//! `PutMetricData`: what is taken in and what is refused.

use std::time::Duration;

use base::{Fault, Time};
use kernel::Trial;
use shapes::cloudwatch::{self as aws, ops};

use crate::alarms::services;

fn region() -> Trial {
    Trial::new(services)
}

fn put(region: &mut Trial, namespace: &str, data: Vec<aws::MetricDatum>) -> Result<(), Fault> {
    let input = aws::PutMetricDataInput { namespace: namespace.into(), metric_data: data, ..Default::default() };
    region.call::<ops::PutMetricData>(input)
}

fn datum(value: f64) -> aws::MetricDatum {
    aws::MetricDatum { metric_name: "Load".into(), value: Some(value), ..Default::default() }
}

fn dimension(name: &str, value: &str) -> aws::Dimension {
    aws::Dimension { name: name.into(), value: value.into() }
}

#[test]
fn values_counts_and_statistic_sets_come_together_in_their_minute() {
    let mut region = region();
    let at = Some(region.now);
    let several = aws::MetricDatum {
        values: vec![1.0, 5.0],
        counts: vec![2.0, 1.0],
        timestamp: at,
        dimensions: vec![dimension("b", "2"), dimension("a", "1")],
        ..datum(0.0)
    };
    let several = aws::MetricDatum { value: None, ..several };
    let set = aws::StatisticSet { sample_count: 3.0, sum: 9.0, minimum: 2.0, maximum: 4.0 };
    let set = aws::MetricDatum {
        value: None,
        statistic_values: Some(set),
        dimensions: vec![dimension("a", "1"), dimension("b", "2")],
        ..datum(0.0)
    };
    put(&mut region, "Own", vec![several, set]).unwrap();
    let input = aws::GetMetricStatisticsInput {
        namespace: "Own".into(),
        metric_name: "Load".into(),
        dimensions: vec![dimension("b", "2"), dimension("a", "1")],
        start_time: region.now,
        end_time: region.now + Duration::from_secs(60),
        period: 60,
        statistics: ["SampleCount", "Sum", "Minimum", "Maximum", "Average"].map(String::from).to_vec(),
        ..Default::default()
    };
    let got = region.call::<ops::GetMetricStatistics>(input).unwrap();
    assert_eq!(got.label.as_deref(), Some("Load"));
    let [point] = &got.datapoints[..] else { panic!("{got:?}") };
    assert_eq!((point.sample_count, point.sum, point.minimum, point.maximum), (Some(6.0), Some(16.0), Some(1.0), Some(5.0)));
    assert_eq!(point.unit.as_deref(), Some("None"));
}

#[test]
fn bad_data_is_refused_whole() {
    let mut region = region();
    let now = region.now;
    let with = |change: fn(&mut aws::MetricDatum)| {
        let mut datum = datum(1.0);
        change(&mut datum);
        datum
    };
    let late = |at: Time| aws::MetricDatum { timestamp: Some(at), ..datum(1.0) };
    let day = Duration::from_secs(86_400);
    let cases = [
        (with(|d| d.value = None), "MissingParameter"),
        (with(|d| d.values = vec![1.0]), "InvalidParameterCombination"),
        (with(|d| d.value = Some(f64::NAN)), "InvalidParameterValue"),
        (with(|d| d.value = Some(f64::INFINITY)), "InvalidParameterValue"),
        (with(|d| d.value = Some(1e110)), "InvalidParameterValue"),
        (with(|d| (d.value, d.values) = (None, vec![1.0; 151])), "InvalidParameterValue"),
        (with(|d| (d.value, d.values, d.counts) = (None, vec![1.0; 2], vec![1.0])), "InvalidParameterValue"),
        (with(|d| (d.value, d.values, d.counts) = (None, vec![1.0], vec![0.0])), "InvalidParameterValue"),
        (with(|d| d.storage_resolution = Some(30)), "InvalidParameterValue"),
        (with(|d| d.metric_name = " ".into()), "InvalidParameterValue"),
        (with(|d| d.metric_name = "L\u{f6}ad".into()), "InvalidParameterValue"),
        (with(|d| d.dimensions = vec![dimension(":a", "1")]), "InvalidParameterValue"),
        (with(|d| d.dimensions = vec![dimension("a", "1"), dimension("a", "2")]), "InvalidParameterValue"),
        (late(now - day * 14 - Duration::from_secs(1)), "InvalidParameterValue"),
        (late(now + Duration::from_secs(7_201)), "InvalidParameterValue"),
    ];
    for (bad, code) in cases {
        let text = format!("{bad:?}");
        assert_eq!(put(&mut region, "Own", vec![datum(1.0), bad]).unwrap_err().code, code, "{text}");
    }
    for namespace in ["AWS/EC2", "AWS/", ":a", " ", "a\u{e9}"] {
        assert_eq!(put(&mut region, namespace, vec![datum(1.0)]).unwrap_err().code, "InvalidParameterValue", "{namespace}");
    }
    assert_eq!(put(&mut region, "Own", vec![]).unwrap_err().code, "MissingParameter");
    assert_eq!(put(&mut region, "Own", vec![datum(1.0); 1_001]).unwrap_err().code, "InvalidParameterValue");
    let listed = region.call::<ops::ListMetrics>(aws::ListMetricsInput::default()).unwrap();
    assert_eq!(listed.metrics, [], "nothing of a bad request was taken");
    put(&mut region, "Own", vec![late(now - day * 14), late(now + Duration::from_secs(7_200)), datum(-1e108)]).unwrap();
}

#[test]
fn a_flood_is_throttled_and_ends_with_time() {
    let mut region = region();
    let flood = || vec![aws::MetricDatum { value: None, values: vec![1.0; 150], ..datum(1.0) }; 1_000];
    let taken = (0..20).take_while(|_| put(&mut region, "Own", flood()).is_ok()).count();
    assert!((1..20).contains(&taken), "{taken}");
    let fault = put(&mut region, "Own", flood()).unwrap_err();
    assert_eq!((fault.code.as_ref(), fault.http, fault.message.as_str()), ("Throttling", 400, "Rate exceeded"));
    region.pass(Duration::from_secs(5));
    put(&mut region, "Own", flood()).unwrap();
}
