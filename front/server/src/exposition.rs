//! The region's own metrics as Prometheus reads them (text format 0.0.4), under the names that Prometheus' own exporter for
//! CloudWatch gives them: `aws_ec2_cpuutilization_average{instance_id="i-..."}`. Of each metric the newest whole period is told,
//! if it is fresh.

use std::fmt::Write;
use std::time::Duration;

use base::{Fault, Time};
use kernel::State;
use region::cloudwatch;
use region::metrics::{Metric, Sample, Statistic};

use crate::http::Region;
use crate::wall_clock;

pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Metrics that are told; of more, those that come first by name.
const METRICS_MAX: usize = 20_000;
/// How old the newest sample may be: twice the period of basic monitoring.
const FRESH: Duration = Duration::from_secs(600);
/// The statistics that the exporter gives when it is not told which.
const STATISTICS: [Statistic; 5] =
    [Statistic::Sum, Statistic::SampleCount, Statistic::Minimum, Statistic::Maximum, Statistic::Average];
/// Given in addition of metrics that are distributions.
const PERCENTILES: [f64; 3] = [50.0, 90.0, 99.0];
const DISTRIBUTIONS: [&str; 1] = ["TargetResponseTime"];

pub(crate) async fn metrics(region: &Region) -> Result<String, Fault> {
    let (now, period_s) = (wall_clock(), region.metric_period_s);
    region.control.read(move |state| Exposition { state, now, period_s }.text()).await
}

struct Exposition<'a> {
    state: &'a State,
    now: Time,
    period_s: u32,
}

impl Exposition<'_> {
    fn text(&self) -> String {
        let store = cloudwatch::store(self.state);
        let own = store.metrics().filter(|metric| metric.namespace.starts_with("AWS/")).take(METRICS_MAX);
        let fresh: Vec<(&Metric, Sample)> = own.filter_map(|metric| Some((metric, self.newest(metric)?))).collect();
        let mut text = String::new();
        for family in fresh.chunk_by(|(a, _), (b, _)| (&a.namespace, &a.name) == (&b.namespace, &b.name)) {
            let Some((first, _)) = family.first() else { continue };
            let percentiles = DISTRIBUTIONS.contains(&first.name.as_str()).then_some(PERCENTILES.map(Statistic::Percentile));
            for statistic in STATISTICS.into_iter().chain(percentiles.into_iter().flatten()) {
                write_family(&mut text, first, family, statistic);
            }
        }
        text
    }

    fn newest(&self, metric: &Metric) -> Option<Sample> {
        let length_ms = i64::from(self.period_s) * 1_000;
        let until = Time::from_unix_ms(self.now.unix_ms().div_euclid(length_ms) * length_ms);
        let points = cloudwatch::store(self.state).points(metric, until - FRESH, until, self.period_s);
        points.into_iter().next_back().map(|(_, sample)| sample)
    }
}

fn write_family(text: &mut String, of: &Metric, family: &[(&Metric, Sample)], statistic: Statistic) {
    let name = family_name(of, statistic);
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP {name} CloudWatch metric {} {} {statistic}", of.namespace, of.name);
    let _ = writeln!(text, "# TYPE {name} gauge");
    for (metric, sample) in family {
        let Some(value) = statistic.of(sample) else { continue };
        text.push_str(&name);
        for (index, (dimension, value)) in metric.dimensions.iter().enumerate() {
            let _ = write!(text, "{}{}=\"{}\"", if index == 0 { '{' } else { ',' }, snake(dimension), escape(value));
        }
        let _ = writeln!(text, "{} {value}", if metric.dimensions.is_empty() { "" } else { "}" });
    }
}

/// The namespace in lower case, the metric and the statistic in snake case, joined by underlines.
fn family_name(metric: &Metric, statistic: Statistic) -> String {
    plain(&format!("{}_{}_{}", metric.namespace.to_ascii_lowercase(), snake(&metric.name), snake(&statistic.to_string())))
}

/// An underline before each capital that follows a small letter or a digit.
fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
        before = letter;
    }
    plain(&text)
}

/// What a name cannot hold becomes an underline; several are one.
fn plain(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        let letter = if letter.is_ascii_alphanumeric() { letter } else { '_' };
        if letter != '_' || !text.ends_with('_') {
            text.push(letter);
        }
    }
    text
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{escape, family_name, write_family};
    use region::metrics::{Metric, Sample, Statistic};

    #[test]
    fn names_are_those_of_the_cloudwatch_exporter() {
        for (namespace, name, statistic, wanted) in [
            ("AWS/EC2", "CPUUtilization", Statistic::Average, "aws_ec2_cpuutilization_average"),
            ("AWS/EC2", "StatusCheckFailed_AttachedEBS", Statistic::Sum, "aws_ec2_status_check_failed_attached_ebs_sum"),
            ("AWS/ApplicationELB", "RequestCount", Statistic::SampleCount, "aws_applicationelb_request_count_sample_count"),
            (
                "AWS/ApplicationELB",
                "HTTPCode_Target_2XX_Count",
                Statistic::Sum,
                "aws_applicationelb_httpcode_target_2_xx_count_sum",
            ),
            (
                "AWS/ApplicationELB",
                "TargetResponseTime",
                Statistic::Percentile(99.0),
                "aws_applicationelb_target_response_time_p99",
            ),
        ] {
            assert_eq!(family_name(&Metric::new(namespace, name, &[]), statistic), wanted);
        }
    }

    #[test]
    fn a_family_is_written_as_the_text_format_has_it() {
        let one = Metric::new("AWS/EC2", "NetworkIn", &[("InstanceId", "i-1")]);
        let other = Metric::new("AWS/EC2", "NetworkIn", &[("InstanceId", "i-2"), ("A", "\"quoted\"")]);
        let family = [(&one, Sample::value(1.5)), (&other, Sample::value(2e9))];
        let mut text = String::new();
        write_family(&mut text, &one, &family, Statistic::Sum);
        let wanted = "# HELP aws_ec2_network_in_sum CloudWatch metric AWS/EC2 NetworkIn Sum\n\
             # TYPE aws_ec2_network_in_sum gauge\n\
             aws_ec2_network_in_sum{instance_id=\"i-1\"} 1.5\n\
             aws_ec2_network_in_sum{a=\"\\\"quoted\\\"\",instance_id=\"i-2\"} 2000000000\n";
        assert_eq!(text, wanted);
        assert_eq!(escape("a\\b\nc"), "a\\\\b\\nc");
    }
}
