//! What no caller should send, and some do: spans without end, expressions without bottom.

use base::Time;
use kernel::Trial;
use shapes::cloudwatch::{self as aws, ops};

use crate::alarms::services;

fn metric(id: &str, period: i64) -> aws::MetricDataQuery {
    let metric = aws::Metric { namespace: Some("Own".into()), metric_name: Some("Load".into()), dimensions: vec![] };
    let metric_stat = Some(aws::MetricStat { metric, period, stat: "Average".into(), unit: None });
    aws::MetricDataQuery { id: id.into(), metric_stat, ..Default::default() }
}

fn expression(id: &str, text: &str) -> aws::MetricDataQuery {
    aws::MetricDataQuery { id: id.into(), expression: Some(text.into()), ..Default::default() }
}

fn ask(queries: Vec<aws::MetricDataQuery>, (start_time, end_time): (Time, Time)) -> Result<usize, base::Fault> {
    let input = aws::GetMetricDataInput { metric_data_queries: queries, start_time, end_time, ..Default::default() };
    let output = Trial::new(services).call::<ops::GetMetricData>(input)?;
    Ok(output.metric_data_results.iter().map(|r| r.values.len()).sum())
}

#[test]
fn functions_that_fill_a_span_have_a_bound() {
    // Seventy days of seconds, and forty days of minutes a hundred times.
    let seconds = (Time::ZERO, Time::from_unix_ms(70 * 86_400_000));
    for text in ["TIME_SERIES(1)", "HOUR(m1)", "FILL(m1, 0)", "FILL([m1], 0)"] {
        let fault = ask(vec![metric("m1", 1), expression("e1", text)], seconds).unwrap_err();
        assert!(fault.message.contains("ask for a shorter time or a longer period"), "{text}: {}", fault.message);
    }
    let many = format!("FILL([{}], 0)", vec!["m1"; 100].join(","));
    assert!(ask(vec![metric("m1", 60), expression("e1", &many)], (Time::ZERO, Time::from_unix_ms(40 * 86_400_000))).is_err());
    let day = (Time::ZERO, Time::from_unix_ms(86_400_000));
    assert_eq!(ask(vec![metric("m1", 60), expression("e1", "FILL(m1, 0)")], day), Ok(1_440));
    let all = (Time::from_unix_ms(i64::MIN), Time::MAX);
    assert_eq!(ask(vec![metric("m1", 60), expression("e1", "m1 + 1")], all), Ok(0));
    assert!(ask(vec![metric("m1", 60), expression("e1", "TIME_SERIES(1)")], all).is_err());
}

#[test]
fn expressions_that_use_one_another_have_a_bound_together() {
    let day = (Time::ZERO, Time::from_unix_ms(86_400_000));
    let sum = " + 1".repeat(250);
    let two = [("e1", "e2"), ("e2", "m1")].map(|(id, of)| expression(id, &format!("{of}{sum}")));
    assert_eq!(ask([&two[..], &[metric("m1", 60)]].concat(), day), Ok(0));
    let mut queries: Vec<_> = (1..31).map(|n| expression(&format!("e{n}"), &format!("e{}{sum}", n + 1))).collect();
    queries.push(expression("e31", "m1"));
    queries.push(metric("m1", 60));
    let fault = ask(queries, day).unwrap_err();
    assert!(fault.message.contains("too long a chain"), "{}", fault.message);
}

#[test]
fn statistics_of_all_time_are_too_many() {
    let input = |start_time, end_time| aws::GetMetricStatisticsInput {
        namespace: "Own".into(),
        metric_name: "Load".into(),
        start_time,
        end_time,
        period: 3_600,
        statistics: vec!["Sum".into()],
        ..Default::default()
    };
    for span in [(Time::from_unix_ms(i64::MIN), Time::MAX), (Time::ZERO, Time::MAX), (Time::from_unix_ms(i64::MIN), Time::ZERO)] {
        let fault = Trial::new(services).call::<ops::GetMetricStatistics>(input(span.0, span.1)).unwrap_err();
        assert_eq!(fault.code, "InvalidParameterCombination", "{}", fault.message);
    }
}
