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
const CHANGES: u32 = 3;

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

/// How long the alarms' evaluation took, with all that follows from it.
struct Took {
    /// Until all is decided.
    decided: Duration,
    /// Until it is in the journal.
    kept: Duration,
}

/// Brings time to the alarms' next evaluation.
fn minute(trial: &mut Trial, value: impl Fn(usize) -> f64) -> Took {
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
    let mut took = Took { decided: Duration::ZERO, kept: Duration::ZERO };
    while trial.kernel.next_wake().is_some_and(|wake| wake <= trial.now) {
        let start = Instant::now();
        trial.kernel.run_due(trial.now);
        took.decided += start.elapsed();
        trial.kernel.commit().unwrap();
        took.kept += start.elapsed();
    }
    took
}

fn say(what: &str, took: &Took) {
    println!("{ALARMS} alarms, {what}: {:.1} ms", ms(took.kept));
    println!("{ALARMS} alarms, {what}, until decided: {:.1} ms", ms(took.decided));
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn in_alarm(trial: &Trial) -> usize {
    trial.state().rows::<cloudwatch::Alarm>().filter(|a| a.state.state == cloudwatch::AlarmState::Alarm).count()
}

fn main() {
    let mut trial = Trial::new(services);
    for n in 0..ALARMS {
        put(&mut trial, n);
    }
    trial.pass(DELAY);
    minute(&mut trial, |_| 10.0);
    for _ in 0..MINUTES {
        let took = minute(&mut trial, |n| (n % 70) as f64);
        say("nothing changes", &took);
    }
    for _ in 0..CHANGES {
        // Three periods above raise the alarm, one below ends it.
        minute(&mut trial, |_| 95.0);
        minute(&mut trial, |_| 95.0);
        let took = minute(&mut trial, |_| 95.0);
        say("all change", &took);
        assert_eq!(in_alarm(&trial), ALARMS);
        let took = minute(&mut trial, |_| 10.0);
        say("all change", &took);
        assert_eq!(in_alarm(&trial), 0);
    }
}
