//! `GetMetricData`, `GetMetricStatistics` and `ListMetrics`.

use std::time::Duration;

use base::Time;
use kernel::Trial;
use metrics::{Metric, Resolution, Sample};
use shapes::cloudwatch::{self as aws, ops};

use crate::alarms::services;

const MINUTE: Duration = Duration::from_secs(60);

/// A region in which some hosts have reported every minute of the last hours: minute number plus host number.
fn region(hosts: u32, minutes: u32) -> (Trial, Time) {
    let mut region = Trial::new(services);
    let start = region.now - MINUTE * minutes;
    for host in 0..hosts {
        let metric = Metric::new("Own", "Load", &[("Host", &host.to_string())]);
        let put = |tx: &mut kernel::Tx, _: &kernel::Cx| {
            for minute in 0..minutes {
                let sample = Sample::value(f64::from(minute + host));
                cloudwatch::publish(tx, &metric, "Count", Resolution::Standard, start + MINUTE * minute, &sample);
            }
            Ok(())
        };
        region.run(put).unwrap();
    }
    (region, start)
}

fn stat(id: &str, host: u32, stat: &str, period: i64) -> aws::MetricDataQuery {
    let metric = aws::Metric {
        namespace: Some("Own".into()),
        metric_name: Some("Load".into()),
        dimensions: vec![aws::Dimension { name: "Host".into(), value: host.to_string() }],
    };
    let metric_stat = Some(aws::MetricStat { metric, period, stat: stat.into(), unit: None });
    aws::MetricDataQuery { id: id.into(), metric_stat, ..Default::default() }
}

fn expression(id: &str, text: &str) -> aws::MetricDataQuery {
    aws::MetricDataQuery { id: id.into(), expression: Some(text.into()), ..Default::default() }
}

fn ask(region: &Trial, start: Time, queries: Vec<aws::MetricDataQuery>) -> aws::GetMetricDataInput {
    let scan_by = Some("TimestampAscending".into());
    aws::GetMetricDataInput {
        metric_data_queries: queries,
        start_time: start,
        end_time: region.now,
        scan_by,
        ..Default::default()
    }
}

#[test]
fn metrics_and_math_come_in_order_with_labels() {
    let (mut region, start) = region(2, 10);
    let hidden = aws::MetricDataQuery { return_data: Some(false), ..stat("m1", 0, "Average", 60) };
    let labelled = aws::MetricDataQuery {
        label: Some("Host ${PROP('Dim.Host')} at most ${MAX}, on average ${AVG}".into()),
        ..stat("m2", 1, "Maximum", 300)
    };
    let input = ask(&region, start, vec![hidden, labelled, expression("e1", "SUM(METRICS()) * 2")]);
    let output = region.call::<ops::GetMetricData>(input).unwrap();
    let [m2, e1] = &output.metric_data_results[..] else { panic!("{output:?}") };
    assert_eq!((m2.id.as_deref(), m2.status_code.as_deref()), (Some("m2"), Some("Complete")));
    let label = m2.label.as_deref().unwrap();
    assert!(label.starts_with("Host 1 at most 10, on average "), "{label}");
    assert_eq!(m2.timestamps.len(), m2.values.len());
    assert_eq!(m2.values.last(), Some(&10.0));
    assert_eq!(e1.label.as_deref(), Some("e1"));
    assert!(e1.timestamps.is_sorted());
    let mut input = ask(&region, start, vec![stat("m1", 0, "p99", 60)]);
    input.scan_by = None;
    let output = region.call::<ops::GetMetricData>(input).unwrap();
    assert_eq!(output.metric_data_results[0].values[0], 9.0, "the newest comes first by default");
}

/// "Use search expressions in graphs".
#[test]
fn a_search_finds_the_metrics_that_have_samples() {
    let (mut region, start) = region(3, 10);
    let queries = vec![
        expression("all", "SUM(SEARCH('{Own,Host} MetricName=\"Load\"', 'Sum', 60))"),
        expression("two", "SEARCH('{Own,Host} Host=(0 OR 2) load', 'Maximum', 60)"),
        expression("none", "SEARCH('{Own} load', 'Sum')"),
    ];
    let input = ask(&region, start, queries);
    let results = region.call::<ops::GetMetricData>(input.clone()).unwrap().metric_data_results;
    let [all, first, second] = &results[..] else { panic!("{results:?}") };
    assert_eq!((all.id.as_deref(), all.values.first(), all.values.last()), (Some("all"), Some(&3.0), Some(&30.0)));
    assert_eq!((first.label.as_deref(), first.values.last()), (Some("0 Load"), Some(&9.0)));
    assert_eq!((second.label.as_deref(), second.values.last()), (Some("2 Load"), Some(&11.0)));
    // "Metrics that have not had new data points in two weeks are not found."
    region.now = region.now + MINUTE * 60 * 24 * 15;
    let results = region.call::<ops::GetMetricData>(input).unwrap().metric_data_results;
    assert!(results.iter().all(|r| r.values.is_empty()), "{results:?}");
}

#[test]
fn pages_join_to_the_whole() {
    let (mut region, start) = region(3, 50);
    let queries: Vec<_> = (0..3).map(|host| stat(&format!("m{host}"), host, "Sum", 60)).collect();
    let mut input = ask(&region, start, queries);
    let whole = region.call::<ops::GetMetricData>(input.clone()).unwrap();
    assert_eq!(whole.next_token, None);
    input.max_datapoints = Some(40);
    let (mut joined, mut pages) = (vec![Vec::new(); 3], 0);
    loop {
        let page = region.call::<ops::GetMetricData>(input.clone()).unwrap();
        assert!(page.metric_data_results.iter().map(|r| r.values.len()).sum::<usize>() <= 40);
        for result in page.metric_data_results {
            let n: usize = result.id.unwrap()[1..].parse().unwrap();
            joined[n].extend(result.values);
        }
        pages += 1;
        input.next_token = page.next_token;
        if input.next_token.is_none() {
            break;
        }
    }
    assert_eq!(pages, 4);
    assert_eq!(joined, whole.metric_data_results.into_iter().map(|r| r.values).collect::<Vec<_>>());
    input.next_token = Some("stolen".into());
    assert_eq!(region.call::<ops::GetMetricData>(input).unwrap_err().code, "InvalidNextToken");
}

#[test]
fn bad_questions_are_refused() {
    let (mut region, start) = region(1, 5);
    let cases = [
        vec![stat("M1", 0, "Sum", 60)],
        vec![stat("m1", 0, "Sum", 60), stat("m1", 0, "Average", 60)],
        vec![stat("m1", 0, "Mean", 60)],
        vec![stat("m1", 0, "Sum", 61)],
        vec![stat("m1", 0, "Sum", 0)],
        vec![expression("e1", "m1 +")],
        vec![expression("e1", "e1")],
        vec![expression("e1", "nobody * 2")],
        vec![expression("e1", "SEARCH('(x', 'Sum', 60)")],
        vec![expression("e1", "ANOMALY_DETECTION_BAND(m1)"), stat("m1", 0, "Sum", 60)],
        vec![expression("e1", "SELECT AVG(Load) FROM Own")],
        vec![expression("e1", "AVG(m1)"), stat("m1", 0, "Sum", 60)],
        vec![aws::MetricDataQuery { id: "m1".into(), ..Default::default() }],
        (0..501).map(|n| stat(&format!("m{n}"), 0, "Sum", 60)).collect(),
        (0..101).map(|n| expression(&format!("e{n}"), "SEARCH('Load', 'Sum', 60)")).collect(),
    ];
    for queries in cases {
        let text = format!("{:?}", queries[0]);
        let input = ask(&region, start, queries);
        assert_eq!(region.call::<ops::GetMetricData>(input).unwrap_err().code, "ValidationError", "{text}");
    }
    let mut input = ask(&region, start, vec![stat("m1", 0, "Sum", 60)]);
    input.end_time = start;
    assert_eq!(region.call::<ops::GetMetricData>(input).unwrap_err().code, "ValidationError");
}

fn statistics(region: &Trial, start: Time, period: i64) -> aws::GetMetricStatisticsInput {
    aws::GetMetricStatisticsInput {
        namespace: "Own".into(),
        metric_name: "Load".into(),
        dimensions: vec![aws::Dimension { name: "Host".into(), value: "0".into() }],
        start_time: start,
        end_time: region.now,
        period,
        statistics: vec!["Sum".into()],
        ..Default::default()
    }
}

#[test]
fn get_metric_statistics_periods_begin_at_the_start_and_are_checked_by_age() {
    let (mut region, start) = region(1, 12);
    let input = statistics(&region, start + MINUTE, 300);
    let got = region.call::<ops::GetMetricStatistics>(input).unwrap();
    let begun: Vec<_> = got.datapoints.iter().map(|d| d.timestamp.unwrap()).collect();
    assert_eq!(begun, [start + MINUTE, start + MINUTE * 6, start + MINUTE * 11]);
    assert_eq!(got.datapoints[0].sum, Some(f64::from(1 + 2 + 3 + 4 + 5)));
    let mut input = statistics(&region, start, 60);
    input.statistics.clear();
    assert_eq!(region.call::<ops::GetMetricStatistics>(input.clone()).unwrap_err().code, "MissingParameter");
    input.extended_statistics = vec!["p90".into(), "TM(10%:90%)".into()];
    let got = region.call::<ops::GetMetricStatistics>(input.clone()).unwrap();
    assert_eq!(got.datapoints[3].extended_statistics["p90"], 3.0);
    input.extended_statistics = vec!["q90".into()];
    assert_eq!(region.call::<ops::GetMetricStatistics>(input).unwrap_err().code, "InvalidParameterValue");
    let day = Duration::from_secs(86_400);
    for (age, period, code) in [
        (MINUTE * 30, 45, "InvalidParameterValue"),
        (MINUTE * 200, 30, "InvalidParameterValue"),
        (day * 16, 60, "InvalidParameterValue"),
        (day * 64, 300, "InvalidParameterValue"),
        (day * 2, 60, "InvalidParameterCombination"),
        (MINUTE * 30, 1, "InvalidParameterCombination"),
    ] {
        let input = statistics(&region, region.now - age, period);
        assert_eq!(region.call::<ops::GetMetricStatistics>(input).unwrap_err().code, code, "{age:?} {period}");
    }
}

#[test]
fn list_metrics_filters_pages_and_forgets_the_silent() {
    let (mut region, _) = region(1_100, 1);
    let mut input = aws::ListMetricsInput { namespace: Some("Own".into()), ..Default::default() };
    let mut count = 0;
    loop {
        let page = region.call::<ops::ListMetrics>(input.clone()).unwrap();
        assert!(page.metrics.len() <= 500);
        count += page.metrics.len();
        input.next_token = page.next_token;
        if input.next_token.is_none() {
            break;
        }
    }
    assert_eq!(count, 1_100);
    let filter = |name: &str, value: Option<&str>| aws::DimensionFilter { name: name.into(), value: value.map(Into::into) };
    let found =
        |region: &mut Trial, input: &aws::ListMetricsInput| region.call::<ops::ListMetrics>(input.clone()).unwrap().metrics.len();
    input.dimensions = vec![filter("Host", Some("7"))];
    assert_eq!(found(&mut region, &input), 1);
    input.dimensions = vec![filter("Host", None), filter("Rack", None)];
    assert_eq!(found(&mut region, &input), 0);
    input =
        aws::ListMetricsInput { metric_name: Some("Load".into()), recently_active: Some("PT3H".into()), ..Default::default() };
    assert_eq!(found(&mut region, &input), 500);
    region.pass(MINUTE * 200);
    assert_eq!(found(&mut region, &input), 0);
    input.recently_active = None;
    assert_eq!(found(&mut region, &input), 500);
    region.pass(Duration::from_secs(14 * 86_400));
    assert_eq!(found(&mut region, &input), 0);
    input.next_token = Some("allod1.00".into());
    assert_eq!(region.call::<ops::ListMetrics>(input).unwrap_err().code, "InvalidNextToken");
}
