//! Measures the evaluation of alarms: `cargo run --release -p cloudwatch --example alarms`. `cargo xtask bench loop` reads its
//! lines.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use base::Time;
use cloudwatch::alarm::DELAY;
use kernel::{Registry, Trial};
use metrics::{Metric, Resolution, Sample};
use shapes::cloudwatch::{self as s, ops};

const ALARMS: usize = 10_000;
const MINUTES: u32 = 5;

fn services(registry: &mut Registry) {
    sns::register(registry);
    cloudwatch::register(registry);
}

fn metric(n: usize) -> Metric {
    Metric::new("AWS/EC2", "CPUUtilization", &[("InstanceId", &format!("i-{n:017x}"))])
}

fn put(trial: &mut Trial, n: usize) {
    let input = s::PutMetricAlarmInput {
        alarm_name: format!("cpu-{n}"),
        namespace: Some("AWS/EC2".into()),
        metric_name: Some("CPUUtilization".into()),
        dimensions: vec![s::Dimension { name: "InstanceId".into(), value: format!("i-{n:017x}") }],
        statistic: Some("Average".into()),
        period: Some(60),
        evaluation_periods: Some(3),
        threshold: Some(80.0),
        comparison_operator: Some("GreaterThanThreshold".into()),
        ..Default::default()
    };
    trial.call::<ops::PutMetricAlarm>(input).unwrap();
}

/// Brings time to the alarms' next evaluation, and returns how long that took.
fn minute(trial: &mut Trial, value: impl Fn(usize) -> f64) -> Duration {
    let begin = Time::from_unix_ms(trial.now.unix_ms().div_euclid(60_000) * 60_000);
    trial
        .run(|tx, _| {
            for n in 0..ALARMS {
                cloudwatch::publish(tx, &metric(n), "Percent", Resolution::Standard, begin, &Sample::value(value(n)));
            }
            Ok(())
        })
        .unwrap();
    trial.now = begin + Duration::from_secs(60) + DELAY;
    let start = Instant::now();
    while trial.kernel.next_wake().is_some_and(|wake| wake <= trial.now) {
        trial.settle();
    }
    start.elapsed()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn main() {
    let mut trial = Trial::new(services);
    for n in 0..ALARMS {
        put(&mut trial, n);
    }
    trial.pass(DELAY);
    minute(&mut trial, |_| 10.0);
    for _ in 0..MINUTES {
        println!("{ALARMS} alarms, nothing changes: {:.1} ms", ms(minute(&mut trial, |n| (n % 70) as f64)));
    }
    for _ in 0..3 {
        println!("{ALARMS} alarms, values above: {:.1} ms", ms(minute(&mut trial, |_| 95.0)));
    }
    let in_alarm = trial.state().rows::<cloudwatch::Alarm>().filter(|a| a.state.state == cloudwatch::AlarmState::Alarm).count();
    println!("{in_alarm} in ALARM");
}
