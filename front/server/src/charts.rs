//! What the console draws: how requests, latency, processor use and capacity went over the last minutes, with the thresholds
//! of the alarms that look at the same metrics.

use std::collections::BTreeMap;

use base::{Fault, Time};
use kernel::State;
use region::cloudwatch::alarm::Watched;
use region::cloudwatch::{self, Alarm};
use region::metrics::{Metric, Sample, Statistic};
use serde_json::{Value as Json, json};

use crate::http::Region;
use crate::wall_clock;

/// Spans that the page offers, in seconds, and the period of the points for each.
const SPANS: [(u32, u32); 4] = [(600, 5), (3_600, 60), (10_800, 60), (86_400, 300)];
/// Things of a kind that are drawn.
const DRAWN_MAX: usize = 20;
/// Alarms that are listed.
const ALARMS_MAX: usize = 100;
/// Instances whose processor use is told.
const INSTANCES_MAX: usize = 500;
/// How old an instance's last sample may be to be told as present.
const FRESH_S: u32 = 600;

/// `query` may hold `span=SECONDS`, one of those that the page offers; an hour otherwise.
pub(crate) async fn charts(region: &Region, query: &str) -> Result<Json, Fault> {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("span=")?.parse().ok());
    let (span_s, least_s) = SPANS.into_iter().find(|(span, _)| asked == Some(*span)).unwrap_or(SPANS[1]);
    let now = wall_clock();
    let own_s = region.metric_period_s;
    region.control.read(move |state| draw(state, &Window::new(now, span_s, least_s.max(own_s)))).await
}

/// The time that is drawn, in whole periods; the one under way is not.
struct Window {
    from: Time,
    until: Time,
    period_s: u32,
}

impl Window {
    fn new(now: Time, span_s: u32, period_s: u32) -> Self {
        let length_ms = i64::from(period_s) * 1_000;
        let until = now.unix_ms().div_euclid(length_ms) * length_ms;
        Self { from: Time::from_unix_ms(until - i64::from(span_s) * 1_000), until: Time::from_unix_ms(until), period_s }
    }
}

fn draw(state: &State, window: &Window) -> Json {
    let alarms: Vec<&Alarm> = state.rows::<Alarm>().collect();
    let drawing = Drawing { state, window, alarms };
    let mut balancers = BTreeMap::new();
    for balancer in state.rows::<region::elb::LoadBalancer>().take(DRAWN_MAX) {
        balancers.insert(balancer.name.clone(), drawing.balancer(&balancer.arn));
    }
    let mut groups = BTreeMap::new();
    for group in state.rows::<region::autoscaling::Group>().take(DRAWN_MAX) {
        groups.insert(group.name.to_string(), drawing.group(&group.name));
    }
    let fresh = Time::from_unix_ms(window.until.unix_ms() - i64::from(FRESH_S) * 1_000);
    let cpu: BTreeMap<&str, f64> = state
        .rows::<region::ec2::Instance>()
        .take(INSTANCES_MAX)
        .filter_map(|i| {
            let metric = Metric::new("AWS/EC2", "CPUUtilization", &[("InstanceId", i.id.as_str())]);
            let points = cloudwatch::store(state).points(&metric, fresh, window.until, window.period_s);
            Some((i.id.as_str(), Statistic::Average.of(&points.last()?.1)?))
        })
        .collect();
    json!({
        "from": window.from.unix_ms(),
        "until": window.until.unix_ms(),
        "period_s": window.period_s,
        "load_balancers": balancers,
        "groups": groups,
        "cpu": cpu,
        "alarms": drawing.alarms.iter().take(ALARMS_MAX).map(|alarm| alarm_json(alarm)).collect::<Vec<_>>(),
    })
}

struct Drawing<'a> {
    state: &'a State,
    window: &'a Window,
    alarms: Vec<&'a Alarm>,
}

impl Drawing<'_> {
    fn balancer(&self, arn: &str) -> Json {
        let id = arn.split_once(":loadbalancer/").map_or(arn, |(_, id)| id);
        let of = |name: &str| Metric::new("AWS/ApplicationELB", name, &[("LoadBalancer", id)]);
        // Sums are told per second, seconds as milliseconds.
        let per_second = 1.0 / f64::from(self.window.period_s);
        json!({
            "requests": self.series(&of("RequestCount"), Statistic::Sum, per_second),
            "target_errors": self.series(&of("HTTPCode_Target_5XX_Count"), Statistic::Sum, per_second),
            "own_errors": self.series(&of("HTTPCode_ELB_5XX_Count"), Statistic::Sum, per_second),
            "p50": self.series(&of("TargetResponseTime"), Statistic::Percentile(50.0), 1_000.0),
            "p99": self.series(&of("TargetResponseTime"), Statistic::Percentile(99.0), 1_000.0),
        })
    }

    fn group(&self, name: &str) -> Json {
        let of = |namespace: &str, metric: &str| Metric::new(namespace, metric, &[("AutoScalingGroupName", name)]);
        json!({
            "cpu": self.series(&of("AWS/EC2", "CPUUtilization"), Statistic::Average, 1.0),
            "desired": self.series(&of("AWS/AutoScaling", "GroupDesiredCapacity"), Statistic::Average, 1.0),
            "in_service": self.series(&of("AWS/AutoScaling", "GroupInServiceInstances"), Statistic::Average, 1.0),
        })
    }

    /// One line: its points as `[milliseconds since 1970, value]`, and the thresholds of alarms on the same metric.
    fn series(&self, metric: &Metric, statistic: Statistic, scale: f64) -> Json {
        let Window { from, until, period_s } = *self.window;
        let points = cloudwatch::store(self.state).points(metric, from, until, period_s);
        let point = |(at, sample): &(Time, Sample)| Some(json!([at.unix_ms(), statistic.of(sample)? * scale]));
        let points: Vec<Json> = points.iter().filter_map(point).collect();
        let thresholds = self.alarms.iter().filter_map(|alarm| {
            let value = threshold(alarm, metric, statistic)? * scale;
            Some(json!({"alarm": alarm.name, "value": value, "state": alarm.state.state.as_str()}))
        });
        json!({"points": points, "thresholds": thresholds.collect::<Vec<_>>()})
    }
}

fn alarm_json(alarm: &Alarm) -> Json {
    json!({
        "name": alarm.name,
        "state": alarm.state.state.as_str(),
        "since": alarm.state.at.iso8601_ms(),
        "reason": alarm.state.reason,
    })
}

/// The threshold of an alarm that looks at this statistic of this metric alone. Sums depend on the alarm's period, which
/// is not the picture's: theirs are not drawn.
fn threshold(alarm: &Alarm, metric: &Metric, statistic: Statistic) -> Option<f64> {
    let Watched::Metrics { queries, threshold, .. } = &alarm.watched else { return None };
    let [query] = queries.as_slice() else { return None };
    let same = query.metric.as_ref() == Some(metric) && Statistic::parse(&query.statistic) == Some(statistic);
    (same && statistic != Statistic::Sum).then_some(*threshold)
}
