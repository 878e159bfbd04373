//! What the tests of alarms share: a region with CloudWatch and SNS, samples and time by hand.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use base::Time;
use cloudwatch::{Alarm, AlarmState, Invocation};
use kernel::{Registry, Trial};
use metrics::{Metric, Resolution, Sample};
use shapes::cloudwatch::{self as s, ops};

pub fn services(registry: &mut Registry) {
    sns::register(registry);
    cloudwatch::register(registry);
}

pub struct Region(pub Trial);

impl Deref for Region {
    type Target = Trial;
    fn deref(&self) -> &Trial {
        &self.0
    }
}

impl DerefMut for Region {
    fn deref_mut(&mut self) -> &mut Trial {
        &mut self.0
    }
}

pub const POLICY: &str =
    "arn:aws:autoscaling:eu-central-1:000000000000:scalingPolicy:1b2c:autoScalingGroupName/web:policyName/grow";

pub fn metric() -> Metric {
    Metric::new("App", "Load", &[("Host", "a")])
}

/// An alarm above 50 over one minute.
pub fn input(name: &str) -> s::PutMetricAlarmInput {
    s::PutMetricAlarmInput {
        alarm_name: name.into(),
        namespace: Some("App".into()),
        metric_name: Some("Load".into()),
        dimensions: vec![s::Dimension { name: "Host".into(), value: "a".into() }],
        statistic: Some("Average".into()),
        period: Some(60),
        evaluation_periods: Some(1),
        threshold: Some(50.0),
        comparison_operator: Some("GreaterThanThreshold".into()),
        alarm_actions: vec![POLICY.into()],
        ..Default::default()
    }
}

impl Region {
    pub fn new() -> Self {
        Self(Trial::new(services))
    }

    pub fn put(&mut self, input: s::PutMetricAlarmInput) {
        self.call::<ops::PutMetricAlarm>(input).unwrap();
    }

    pub fn sample(&mut self, at: Time, value: f64) {
        self.run(|tx, _| {
            cloudwatch::publish(tx, &metric(), "None", Resolution::High, at, &Sample::value(value));
            Ok(())
        })
        .unwrap();
    }

    /// Goes from one wish to wake to the next for some time, as `serve` does.
    pub fn go(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(wake) = self.kernel.next_wake().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.settle();
        }
        self.now = until;
        self.settle();
    }

    /// Through a period of a minute in which a value was measured (none: nothing), and past its evaluation.
    pub fn minute(&mut self, value: Option<f64>) {
        let begin = Time::from_unix_ms(self.now.unix_ms().div_euclid(60_000) * 60_000);
        if let Some(value) = value {
            self.sample(begin, value);
        }
        let end = begin + Duration::from_secs(60) + cloudwatch::alarm::DELAY;
        let left = Duration::from_millis(end.ms_since(self.now));
        self.go(left);
    }

    pub fn alarm(&self, name: &str) -> &Alarm {
        self.state().get::<Alarm>(&name.to_string()).unwrap()
    }

    pub fn is(&self, name: &str) -> AlarmState {
        self.alarm(name).state.state
    }

    pub fn invocations(&self) -> Vec<Invocation> {
        self.state().rows::<Invocation>().cloned().collect()
    }

    /// Acts on everything that is in the outbox; returns how many there were.
    pub fn act(&mut self) -> usize {
        let keys: Vec<String> = self.invocations().into_iter().map(|i| i.key).collect();
        self.run(|tx, cx| {
            keys.iter().for_each(|key| cloudwatch::alarm::done(tx, cx, key, None));
            Ok(())
        })
        .unwrap();
        keys.len()
    }

    pub fn history(&mut self, name: &str, kind: &str) -> Vec<s::AlarmHistoryItem> {
        let input = s::DescribeAlarmHistoryInput {
            alarm_name: Some(name.into()),
            history_item_type: Some(kind.into()),
            alarm_types: vec!["MetricAlarm".into(), "CompositeAlarm".into()],
            ..Default::default()
        };
        self.call::<ops::DescribeAlarmHistory>(input).unwrap().alarm_history_items
    }
}
