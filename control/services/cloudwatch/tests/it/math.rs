//! Metric math through `GetMetricData`: each function by what its documentation says, and whatever text comes, an answer.

use std::time::Duration;

use base::{Fault, Time};
use kernel::Trial;
use metrics::{Metric, Resolution, Sample};
use proptest::prelude::{ProptestConfig, proptest};
use shapes::cloudwatch::{self as aws, ops};

use crate::alarms::services;

const MINUTE: Duration = Duration::from_secs(60);

/// Three metrics over six minutes; `None` where nothing was reported.
const DATA: [[Option<f64>; 6]; 3] = [
    [Some(1.0), Some(2.0), None, Some(4.0), Some(5.0), Some(-6.0)],
    [Some(10.0), None, Some(30.0), Some(40.0), None, Some(60.0)],
    [None; 6],
];

fn region() -> (Trial, Time) {
    let mut region = Trial::new(services);
    let start = region.now;
    for (n, data) in DATA.iter().enumerate() {
        let metric = Metric::new("Own", &format!("M{}", n + 1), &[]);
        for (minute, value) in data.iter().enumerate() {
            let Some(value) = value else { continue };
            let at = start + MINUTE * minute as u32;
            let put = |tx: &mut kernel::Tx, _: &kernel::Cx| {
                cloudwatch::publish(tx, &metric, "None", Resolution::Standard, at, &Sample::value(*value));
                Ok(())
            };
            region.run(put).unwrap();
        }
    }
    region.pass(MINUTE * 6);
    (region, start)
}

/// The values of an expression by minute, of each series that it results in.
fn evaluate(region: &mut Trial, start: Time, text: &str) -> Result<Vec<Vec<Option<f64>>>, Fault> {
    let metric = |n: usize| {
        let metric = aws::Metric { namespace: Some("Own".into()), metric_name: Some(format!("M{n}")), dimensions: vec![] };
        let stat = aws::MetricStat { metric, period: 60, stat: "Average".into(), unit: None };
        aws::MetricDataQuery { id: format!("m{n}"), metric_stat: Some(stat), return_data: Some(false), ..Default::default() }
    };
    let mut queries: Vec<_> = (1..=3).map(metric).collect();
    queries.push(aws::MetricDataQuery { id: "e".into(), expression: Some(text.into()), ..Default::default() });
    let input = aws::GetMetricDataInput {
        metric_data_queries: queries,
        start_time: start,
        end_time: start + MINUTE * 6,
        scan_by: Some("TimestampAscending".into()),
        ..Default::default()
    };
    let output = region.call::<ops::GetMetricData>(input)?;
    let by_minute = |result: aws::MetricDataResult| {
        let mut all = vec![None; 6];
        for (at, value) in result.timestamps.iter().zip(result.values) {
            all[usize::try_from(at.ms_since(start) / 60_000).unwrap()] = Some(value);
        }
        all
    };
    Ok(output.metric_data_results.into_iter().map(by_minute).collect())
}

const N: Option<f64> = None;

fn s(value: f64) -> Option<f64> {
    Some(value)
}

#[test]
fn operators_and_functions_give_what_is_documented() {
    let (mut region, start) = region();
    let cases: Vec<(&str, [Option<f64>; 6])> = vec![
        ("m1 + m2", [s(11.0), N, N, s(44.0), N, s(54.0)]),
        ("m1 * 2 ^ 2 - 1", [s(3.0), s(7.0), N, s(15.0), s(19.0), s(-25.0)]),
        ("-m1 / 2", [s(-0.5), s(-1.0), N, s(-2.0), s(-2.5), s(3.0)]),
        ("m1 / 0", [N; 6]),
        ("m1 > 2 AND m1 < 5", [s(0.0), s(0.0), N, s(1.0), s(0.0), s(0.0)]),
        ("m1 == 2 || m1 == 4", [s(0.0), s(1.0), N, s(1.0), s(0.0), s(0.0)]),
        ("ABS(m1)", [s(1.0), s(2.0), N, s(4.0), s(5.0), s(6.0)]),
        ("CEIL(m1 / 4)", [s(1.0), s(1.0), N, s(1.0), s(2.0), s(-1.0)]),
        ("FLOOR(m1 / 4)", [s(0.0), s(0.0), N, s(1.0), s(1.0), s(-2.0)]),
        ("LOG10(m2 * 10)", [s(2.0), N, s(300f64.log10()), s(400f64.log10()), N, s(600f64.log10())]),
        ("LOG(m1)", [s(0.0), s(2f64.ln()), N, s(4f64.ln()), s(5f64.ln()), N]),
        ("SUM([m1, m2])", [s(11.0), s(2.0), s(30.0), s(44.0), s(5.0), s(54.0)]),
        ("AVG(METRICS())", [s(5.5), s(2.0), s(30.0), s(22.0), s(5.0), s(27.0)]),
        ("MAX([m1, m2])", [s(10.0), s(2.0), s(30.0), s(40.0), s(5.0), s(60.0)]),
        ("MIN([m1, m2])", [s(1.0), s(2.0), s(30.0), s(4.0), s(5.0), s(-6.0)]),
        ("STDDEV([m1, m2])", [s(4.5), s(0.0), s(0.0), s(18.0), s(0.0), s(33.0)]),
        ("DATAPOINT_COUNT([m1, m2])", [s(2.0), s(1.0), s(1.0), s(2.0), s(1.0), s(2.0)]),
        ("m1 - AVG(m1) + DATAPOINT_COUNT(m2)", [s(3.8), s(4.8), N, s(6.8), s(7.8), s(-3.2)]),
        ("m1 * METRIC_COUNT(METRICS())", [s(3.0), s(6.0), N, s(12.0), s(15.0), s(-18.0)]),
        ("m1 * PERIOD(m1)", [s(60.0), s(120.0), N, s(240.0), s(300.0), s(-360.0)]),
        ("DIFF(m1)", [N, s(1.0), N, s(2.0), s(1.0), s(-11.0)]),
        ("DIFF_TIME(m1)", [N, s(60.0), N, s(120.0), s(60.0), s(60.0)]),
        ("RATE(m1) * 60", [N, s(1.0), N, s(1.0), s(1.0), s(-11.0)]),
        ("RUNNING_SUM(m1)", [s(1.0), s(3.0), N, s(7.0), s(12.0), s(6.0)]),
        ("FILL(m1, 0)", [s(1.0), s(2.0), s(0.0), s(4.0), s(5.0), s(-6.0)]),
        ("FILL(m1, REPEAT)", [s(1.0), s(2.0), s(2.0), s(4.0), s(5.0), s(-6.0)]),
        ("FILL(m1, LINEAR)", [s(1.0), s(2.0), s(3.0), s(4.0), s(5.0), s(-6.0)]),
        ("FILL(m1, m2)", [s(1.0), s(2.0), s(30.0), s(4.0), s(5.0), s(-6.0)]),
        ("FILL(m3, 7)", [s(7.0); 6]),
        ("IF(m1 > 2, m1, 0)", [s(0.0), s(0.0), N, s(4.0), s(5.0), s(0.0)]),
        ("IF(m1 > 2, 1)", [N, N, N, s(1.0), s(1.0), N]),
        ("TIME_SERIES(5)", [s(5.0); 6]),
        ("FIRST(SORT([m1, m2], SUM, DESC))", DATA[1]),
        ("LAST(SORT(METRICS(), AVG, ASC, 2))", DATA[1]),
        ("SLICE([m1, m2], 1)", DATA[1]),
        ("MAX(SLICE([m1, m2], 0, 1))", DATA[0]),
        ("MAX(REMOVE_EMPTY(METRICS()))", [s(10.0), s(2.0), s(30.0), s(40.0), s(5.0), s(60.0)]),
        ("MAX(METRICS(\"m1\"))", DATA[0]),
    ];
    for (text, expected) in cases {
        let got = evaluate(&mut region, start, text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let close = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            (a, b) => a == b,
        };
        assert!(got.len() == 1 && got[0].iter().zip(&expected).all(close), "{text}: {got:?}, not {expected:?}");
    }
    assert_eq!(evaluate(&mut region, start, "METRICS() * 1").unwrap().len(), 3, "an array gives a result a series");
}

#[test]
fn calendar_functions_tell_each_periods_beginning() {
    let (mut region, start) = region();
    let date = start.date_time();
    let cases = [
        ("MINUTE(m3)", f64::from(date.minute())),
        ("HOUR(m1)", f64::from(date.hour())),
        ("DAY(m1)", f64::from(date.weekday().number_from_monday())),
        ("DATE(m1)", f64::from(date.day())),
        ("MONTH(m1)", f64::from(u8::from(date.month()))),
        ("YEAR(m1)", f64::from(date.year())),
        ("EPOCH(m1)", start.unix_ms() as f64 / 1_000.0),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluate(&mut region, start, text).unwrap()[0][0], Some(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused_by_name() {
    let (mut region, start) = region();
    for (text, part) in [
        ("m9 + 1", "m9"),
        ("NOSUCH(m1)", "NOSUCH"),
        ("SUM(m1, m2)", "SUM"),
        ("[m1] + [m2]", "arrays"),
        ("5", "scalar"),
        ("REPEAT", "REPEAT"),
        ("INSIGHT_RULE_METRIC('a', Sum)", "INSIGHT_RULE_METRIC"),
        ("SORT([m1], MEDIAN, ASC)", "MEDIAN"),
        ("SLICE([m1], 0.5)", "0.5"),
    ] {
        let fault = evaluate(&mut region, start, text).unwrap_err();
        assert!(fault.code == "ValidationError" && fault.message.contains(part), "{text}: {fault}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_evaluated_or_refused(parts in proptest::collection::vec("m[1-4]|[0-9.]{1,3}|[-+*/^<>=!&|(),\\[\\]]{1,2}|SUM\\(|FILL\\(|IF\\(|METRICS\\(\\)|SORT\\(|REPEAT|[ -~]", 0..40)) {
        let (mut region, start) = region();
        let _ = evaluate(&mut region, start, &parts.concat());
    }
}
