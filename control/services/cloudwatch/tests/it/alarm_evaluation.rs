//! When metric alarms are evaluated, and what comes of it.

use std::time::Duration;

use cloudwatch::alarm::{DELAY, HISTORY_OF_ALARM_MAX, LATE, START_DELAY};
use cloudwatch::{Alarm, AlarmState};
use shapes::cloudwatch::{self as s, ops};

use crate::alarms::{Region, input};

#[test]
fn a_crossed_threshold_raises_the_alarm_within_a_second_of_the_periods_end() {
    let mut region = Region::new();
    region.put(input("high"));
    assert_eq!(region.alarm("high").state.reason, "Unchecked: Initial alarm creation");
    region.minute(Some(10.0));
    assert_eq!(region.is("high"), AlarmState::Ok);
    let begin = region.now.unix_ms() / 60_000 * 60_000;
    region.minute(Some(92.3));
    assert_eq!(region.is("high"), AlarmState::Alarm);
    let state = &region.alarm("high").state;
    assert_eq!(state.at.unix_ms() - begin - 60_000, i64::try_from(DELAY.as_millis()).unwrap());
    assert_eq!(
        state.reason,
        "Threshold Crossed: 1 out of the last 1 datapoints [92.3 (15/01/27 08:01:00)] was greater than the threshold (50.0) \
         (minimum 1 datapoint for OK -> ALARM transition)."
    );
    let data: serde_json::Value = serde_json::from_str(&state.reason_data).unwrap();
    assert_eq!(data["startDate"], "2027-01-15T08:01:00.000+0000");
    assert_eq!((&data["recentDatapoints"][0], &data["threshold"]), (&92.3.into(), &50.0.into()));
    region.minute(Some(3.0));
    assert_eq!(
        region.alarm("high").state.reason,
        "Threshold Crossed: 1 out of the last 1 datapoints [3.0 (15/01/27 08:02:00)] was not greater than the threshold (50.0) \
         (minimum 1 datapoint for ALARM -> OK transition)."
    );
}

#[test]
fn periods_in_which_nothing_changes_write_nothing() {
    let mut region = Region::new();
    region.put(input("high"));
    region.minute(Some(10.0));
    let before = region.kernel.digest();
    for _ in 0..5 {
        region.minute(Some(11.0));
    }
    assert_eq!(region.kernel.digest(), before);
}

#[test]
fn the_grid_of_evaluations_never_drifts() {
    let mut region = Region::new();
    region.now = region.now + Duration::from_millis(12_345);
    region.put(s::PutMetricAlarmInput { period: Some(10), ..input("high") });
    region.go(DELAY);
    for n in 0..500 {
        let wake = region.kernel.next_wake().unwrap();
        assert_eq!(wake.unix_ms() % 10_000, 300, "evaluation {n}");
        // The machine is a little slow each time.
        region.now = wake + Duration::from_millis(n * 3);
        region.settle();
    }
}

#[test]
fn periods_of_several_minutes_slide_by_the_minute() {
    // "Alarm evaluation": at the end of minute 5 minutes 1 to 5 count, at the end of minute 6 minutes 2 to 6.
    let mut region = Region::new();
    region.now = base::Time::from_unix_ms(1_800_000_120_000);
    region.put(s::PutMetricAlarmInput { period: Some(300), ..input("high") });
    region.put(s::PutMetricAlarmInput { namespace: None, metric_name: None, ..math_of_five_minutes() });
    for _ in 0..5 {
        region.minute(Some(10.0));
    }
    assert_eq!((region.is("high"), region.is("math")), (AlarmState::Ok, AlarmState::Ok));
    region.minute(Some(400.0));
    assert_eq!((region.is("high"), region.is("math")), (AlarmState::Alarm, AlarmState::Alarm));
    let state = &region.alarm("high").state;
    assert!(state.reason.contains("[88.0 (15/01/27 08:03:00)]"), "{}", state.reason);
    assert_eq!(region.act(), 1);
    for _ in 0..4 {
        region.minute(Some(10.0));
        assert_eq!((region.is("high"), region.act()), (AlarmState::Alarm, 1), "once a minute");
    }
    region.minute(Some(10.0));
    assert_eq!((region.is("high"), region.is("math")), (AlarmState::Ok, AlarmState::Ok));
}

fn math_of_five_minutes() -> s::PutMetricAlarmInput {
    let metric = s::Metric {
        namespace: Some("App".into()),
        metric_name: Some("Load".into()),
        dimensions: vec![s::Dimension { name: "Host".into(), value: "a".into() }],
    };
    let stat = s::MetricStat { metric, period: 300, stat: "Average".into(), unit: None };
    let m1 = s::MetricDataQuery { id: "m1".into(), metric_stat: Some(stat), return_data: Some(false), ..Default::default() };
    let expression = Some("FILL(m1, 0) + 0".into());
    let e1 = s::MetricDataQuery { id: "e1".into(), expression, return_data: Some(true), ..Default::default() };
    s::PutMetricAlarmInput {
        period: None,
        statistic: None,
        dimensions: Vec::new(),
        metrics: vec![m1, e1],
        alarm_actions: Vec::new(),
        ..input("math")
    }
}

#[test]
fn alarms_are_evaluated_as_often_as_aws_says() {
    // Period, N, and seconds between evaluations: by the minute, high resolution by ten seconds, several days by the hour.
    for (period, n, interval) in [
        (10, 1, 10),
        (20, 3, 10),
        (30, 2, 10),
        (60, 1, 60),
        (300, 3, 60),
        (86_400, 1, 60),
        (86_400, 2, 3_600),
        (3_600, 25, 3_600),
    ] {
        let mut region = Region::new();
        region.put(s::PutMetricAlarmInput { period: Some(period), evaluation_periods: Some(n), ..input("high") });
        region.go(DELAY);
        let first = region.kernel.next_wake().unwrap();
        region.go(Duration::from_millis(first.ms_since(region.now)));
        let next = region.kernel.next_wake().unwrap();
        assert_eq!(
            (next.ms_since(first), first.unix_ms() % (interval * 1_000)),
            (interval as u64 * 1_000, 300),
            "{period} x {n}"
        );
    }
}

#[test]
fn a_paused_machine_does_not_lead_to_false_actions() {
    let mut region = Region::new();
    region.put(s::PutMetricAlarmInput {
        treat_missing_data: Some("breaching".into()),
        evaluation_periods: Some(3),
        datapoints_to_alarm: Some(3),
        ..input("high")
    });
    for _ in 0..4 {
        region.minute(Some(10.0));
    }
    assert_eq!(region.is("high"), AlarmState::Ok);
    region.act();
    // Nothing runs for ten minutes. Then the evaluation comes first, and what was measured meanwhile arrives after it.
    let begin = region.now.unix_ms() / 60_000 * 60_000;
    region.now = region.now + Duration::from_secs(600);
    region.settle();
    assert_eq!(region.is("high"), AlarmState::Ok, "a late evaluation waits for queued reports");
    for minute in 0..10 {
        region.sample(base::Time::from_unix_ms(begin + minute * 60_000), 10.0);
    }
    region.go(DELAY);
    assert_eq!((region.is("high"), region.invocations().len()), (AlarmState::Ok, 0));
    assert!(LATE < Duration::from_secs(60));
}

/// Half a second before the minute's end the loop stands still; it goes on after the evaluation is due, and no longer late.
#[test]
fn an_evaluation_right_after_the_loop_stood_still_waits_for_what_was_measured_meanwhile() {
    for (has_stood_still, expected) in [(false, AlarmState::Alarm), (true, AlarmState::Ok)] {
        let mut region = Region::new();
        region.put(s::PutMetricAlarmInput {
            comparison_operator: Some("LessThanThreshold".into()),
            statistic: Some("Sum".into()),
            ..input("low")
        });
        region.minute(Some(60.0));
        assert_eq!(region.is("low"), AlarmState::Ok);
        let begin = base::Time::from_unix_ms(region.now.unix_ms() / 60_000 * 60_000);
        region.sample(begin, 30.0);
        let end = begin + Duration::from_secs(60);
        region.now = end + LATE - Duration::from_millis(100);
        if has_stood_still {
            let until = region.now;
            region
                .run(|tx, _| {
                    cloudwatch::alarm::stood_still(tx, until);
                    Ok(())
                })
                .unwrap();
        }
        region.settle();
        region.sample(begin, 30.0);
        region.go(DELAY);
        assert_eq!(region.is("low"), expected, "stood still: {has_stood_still}");
    }
}

/// A machine that is starved all the time: its alarms come late, and they come.
#[test]
fn alarms_are_evaluated_on_a_machine_that_stands_still_again_and_again() {
    let mut region = Region::new();
    region.put(input("high"));
    let begin = base::Time::from_unix_ms(region.now.unix_ms() / 60_000 * 60_000);
    region.sample(begin, 90.0);
    for _ in 0..400 {
        let until = region.now;
        region
            .run(|tx, _| {
                cloudwatch::alarm::stood_still(tx, until);
                Ok(())
            })
            .unwrap();
        region.go(Duration::from_millis(200));
    }
    assert_eq!(region.is("high"), AlarmState::Alarm);
}

#[test]
fn missed_periods_count_as_one_invocation() {
    let mut region = Region::new();
    region.put(input("high"));
    region.minute(Some(90.0));
    assert_eq!(region.act(), 1);
    region.now = region.now + Duration::from_secs(600);
    let begin = region.now.unix_ms() / 60_000 * 60_000 - 60_000;
    region.sample(base::Time::from_unix_ms(begin), 90.0);
    region.settle();
    region.go(DELAY);
    assert_eq!(region.act(), 1);
}

#[test]
fn a_restart_changes_nothing() {
    let mut region = Region::new();
    region.put(input("high"));
    region.minute(Some(90.0));
    assert_eq!(region.act(), 1);
    let (before, at) = (region.kernel.digest(), region.now);
    region.reopen();
    region.go(START_DELAY - Duration::from_millis(1));
    assert_eq!((region.kernel.digest(), region.invocations().len()), (before, 0));
    // The store of this test keeps nothing: what reports bring again is there before the first evaluation.
    region.sample(base::Time::from_unix_ms(at.unix_ms() / 60_000 * 60_000 - 60_000), 90.0);
    region.go(Duration::from_secs(10));
    assert_eq!((region.is("high"), region.invocations().len()), (AlarmState::Alarm, 0));
}

#[test]
fn a_state_that_is_set_lasts_until_the_next_evaluation() {
    let mut region = Region::new();
    region.put(input("high"));
    region.minute(Some(10.0));
    let set = s::SetAlarmStateInput {
        alarm_name: "high".into(),
        state_value: "ALARM".into(),
        state_reason: "a drill".into(),
        ..Default::default()
    };
    region.call::<ops::SetAlarmState>(set).unwrap();
    assert_eq!((region.is("high"), region.act()), (AlarmState::Alarm, 1));
    region.minute(Some(10.0));
    assert_eq!(region.is("high"), AlarmState::Ok);
    let summaries: Vec<_> = region.history("high", "StateUpdate").into_iter().filter_map(|i| i.history_summary).collect();
    assert_eq!(
        summaries,
        ["Alarm updated from ALARM to OK", "Alarm updated from OK to ALARM", "Alarm updated from INSUFFICIENT_DATA to OK"]
    );
}

#[test]
fn percentiles_wait_for_enough_samples_when_told_to() {
    let mut region = Region::new();
    let p90 = |name: &str, low: &str| s::PutMetricAlarmInput {
        statistic: None,
        extended_statistic: Some("p90".into()),
        evaluate_low_sample_count_percentile: Some(low.into()),
        ..input(name)
    };
    region.put(p90("waits", "ignore"));
    region.put(p90("judges", "evaluate"));
    // "Percentile-based alarms and low data samples": p90 takes 10 / (1 - 0.9) samples.
    let many = |region: &mut Region, count: u32| {
        let begin = base::Time::from_unix_ms(region.now.unix_ms() / 60_000 * 60_000);
        (0..count).for_each(|_| region.sample(begin, 90.0));
        region.minute(None);
    };
    many(&mut region, 50);
    assert_eq!((region.is("waits"), region.is("judges")), (AlarmState::InsufficientData, AlarmState::Alarm));
    many(&mut region, 120);
    assert_eq!((region.is("waits"), region.is("judges")), (AlarmState::Alarm, AlarmState::Alarm));
}

#[test]
fn the_least_and_the_greatest_take_no_number_of_samples() {
    let mut region = Region::new();
    for extreme in ["p0", "p100"] {
        region.put(s::PutMetricAlarmInput {
            statistic: None,
            extended_statistic: Some(extreme.into()),
            evaluate_low_sample_count_percentile: Some("ignore".into()),
            ..input(extreme)
        });
    }
    region.minute(Some(90.0));
    assert_eq!((region.is("p0"), region.is("p100")), (AlarmState::Alarm, AlarmState::Alarm));
}

#[test]
fn reasons_say_what_missing_data_points_were_treated_as() {
    let mut region = Region::new();
    let missing = |treatment: &str| s::PutMetricAlarmInput {
        treat_missing_data: Some(treatment.into()),
        evaluation_periods: Some(3),
        ..input(treatment)
    };
    region.put(missing("breaching"));
    region.put(missing("notBreaching"));
    region.minute(None);
    let reason = |region: &Region, name: &str| region.alarm(name).state.reason.clone();
    let none = "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as";
    assert_eq!(reason(&region, "breaching"), format!("{none} [Breaching]."));
    assert_eq!(reason(&region, "notBreaching"), format!("{none} [NonBreaching]."));
    region.minute(Some(10.0));
    assert_eq!(
        reason(&region, "breaching"),
        "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as [Breaching]."
    );
}

#[test]
fn an_alarm_without_data_has_insufficient_data_again() {
    let mut region = Region::new();
    region.put(input("high"));
    region.minute(Some(10.0));
    for _ in 0..2 {
        region.minute(None);
        assert_eq!(region.is("high"), AlarmState::Ok, "the evaluation range is longer than N");
    }
    region.minute(None);
    assert_eq!(region.is("high"), AlarmState::InsufficientData);
    assert_eq!(region.alarm("high").state.reason, "Insufficient Data: 1 datapoint was unknown.");
}

#[test]
fn the_history_is_bounded_and_paged() {
    let mut region = Region::new();
    region.put(input("high"));
    for n in 0..HISTORY_OF_ALARM_MAX {
        let state_value = if n % 2 == 0 { "OK" } else { "INSUFFICIENT_DATA" }.to_string();
        let set = s::SetAlarmStateInput { alarm_name: "high".into(), state_value, ..Default::default() };
        region.call::<ops::SetAlarmState>(set).unwrap();
    }
    let mut input = s::DescribeAlarmHistoryInput { alarm_name: Some("high".into()), ..Default::default() };
    let mut items = Vec::new();
    loop {
        let answer = region.call::<ops::DescribeAlarmHistory>(input.clone()).unwrap();
        items.extend(answer.alarm_history_items);
        input.next_token = answer.next_token;
        if input.next_token.is_none() {
            break;
        }
    }
    assert_eq!(items.len(), HISTORY_OF_ALARM_MAX);
    assert!(items.iter().all(|i| i.history_item_type.as_deref() == Some("StateUpdate")), "the oldest item made room");
    assert!(items.windows(2).all(|pair| pair[0].timestamp >= pair[1].timestamp));
    region.go(Duration::from_secs(31 * 86_400));
    let kept = region
        .history("high", "StateUpdate")
        .into_iter()
        .all(|i| i.timestamp.unwrap() > region.now - Duration::from_secs(30 * 86_400));
    assert!(kept, "history is kept for 30 days");
}

/// A statistic that is beyond all numbers is no data point. Kept as the value of an alarm, it could not be read again.
#[test]
fn an_average_beyond_all_numbers_is_missing_and_the_region_starts_again() {
    let mut region = Region::new();
    region.put(input("high"));
    region.go(Duration::from_secs(90));
    let set = s::StatisticSet { sample_count: 1e-250, sum: 1e100, minimum: 0.0, maximum: 1e100 };
    let datum = s::MetricDatum {
        metric_name: "Load".into(),
        dimensions: vec![s::Dimension { name: "Host".into(), value: "a".into() }],
        timestamp: Some(region.now),
        statistic_values: Some(set),
        ..Default::default()
    };
    region
        .call::<ops::PutMetricData>(s::PutMetricDataInput {
            namespace: "App".into(),
            metric_data: vec![datum],
            ..Default::default()
        })
        .unwrap();
    region.go(Duration::from_secs(120));
    region.reopen();
    assert_eq!(region.state().rows::<Alarm>().count(), 1);
}
