//! What `allod simulate` is asked.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::{Output, key_value};

pub const EXAMPLES: &str = "\
Examples:
  allod simulate stacks/web-tier.yaml --load constant:200
  allod simulate web.yaml --load diurnal:50..900,peak=14:00 --for 48h --report day.html
  allod simulate web.yaml --load trace.csv --cpu-ms 8 --parameter MaxSize=20 --output json
  allod simulate web.yaml --load step:100..600,at=1h,for=2h --compare-parameter MinSize=4

Loads: constant:RPS, diurnal:LOW..HIGH[,peak=HH:MM], step:LOW..HIGH,at=TIME[,for=TIME], ramp:LOW..HIGH,over=TIME, or a CSV file of time and
value. Times in a file are seconds, HH:MM[:SS] or ISO 8601; values are requests per second, or per minute where the column's head
says so. A file that is shorter than the run begins anew.

Nothing real is started, and no region needs to run. The hour before the run has the run's first load, so that it begins settled.";

#[derive(Args)]
pub struct Simulate {
    /// The template, YAML or JSON
    pub template: PathBuf,
    /// What users send: a CSV file or a pattern, see below
    #[arg(long, value_name = "FILE|PATTERN")]
    pub load: String,
    /// What the values of a CSV file count [default: as its head says, else per second]
    #[arg(long, value_enum)]
    pub load_per: Option<LoadPer>,
    /// A template parameter; may be given again
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = key_value)]
    pub parameters: Vec<(String, String)>,
    /// What a request takes alone on a whole core, its processor time included
    #[arg(long, default_value_t = 20.0, value_name = "MS")]
    pub service_time_ms: f64,
    /// Processor time of a request on a whole core [default: the service time]
    #[arg(long, value_name = "MS")]
    pub cpu_ms: Option<f64>,
    /// Requests that an instance works on at once
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub concurrency: u32,
    /// Requests that an instance lets wait besides
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub queue: u32,
    /// Standard deviation of service times as a share of their mean
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    pub variation: f64,
    /// From an instance's launch to its running, evenly drawn: LEAST..MOST, or one number
    #[arg(long, default_value = "20000..40000", value_name = "MS", value_parser = bounds)]
    pub boot_ms: (u64, u64),
    /// From running to an application that answers
    #[arg(long, default_value = "5000..10000", value_name = "MS", value_parser = bounds)]
    pub start_ms: (u64, u64),
    /// Cores that one vCPU is
    #[arg(long, default_value_t = 1.0, value_name = "CORES", value_parser = crate::arguments::vcpu_cores)]
    pub vcpu_cores: f64,
    /// Where prices and zones are taken from
    #[arg(long, default_value = "eu-central-1", value_name = "NAME", value_parser = region_name)]
    pub region: String,
    /// US dollars an hour of an instance, instead of AWS's list price
    #[arg(long, value_name = "USD", value_parser = price)]
    pub hourly_price: Option<f64>,
    /// When the run begins [default: where the CSV file begins, else 2026-01-01T00:00Z]
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub from: Option<base::Time>,
    /// How long it is [default: as long as the CSV file, else 24h]
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    pub length_s: Option<f64>,
    /// Period of the metrics that alarms look at, in seconds: 10, 20, 30 or 60
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = period)]
    pub metric_period: u32,
    /// The same seed gives the same run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Another template, to set beside the first
    #[arg(long, value_name = "TEMPLATE")]
    pub compare: Option<PathBuf>,
    /// A parameter of the run that is set beside the first; may be given again
    #[arg(long = "compare-parameter", value_name = "KEY=VALUE", value_parser = key_value)]
    pub compare_parameters: Vec<(String, String)>,
    /// Write an HTML page with the charts
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LoadPer {
    Second,
    Minute,
}

/// Longest boot or start.
const BOOT_MS_MAX: u64 = 3_600_000;

fn bounds(text: &str) -> Result<(u64, u64), String> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    match (least.parse(), most.parse()) {
        (Ok(least), Ok(most)) if least <= most && most <= BOOT_MS_MAX => Ok((least, most)),
        _ => Err(format!("milliseconds are expected, LEAST..MOST or one number up to {BOOT_MS_MAX}")),
    }
}

fn region_name(text: &str) -> Result<String, String> {
    let is_name =
        text.len() <= 32 && text.split('-').count() >= 3 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_name { Ok(text.into()) } else { Err("a region's name is expected, such as eu-central-1".into()) }
}

fn price(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|p| (0.0..=10_000.0).contains(p)).ok_or("US dollars are expected, such as 0.0104".into())
}

fn moment(text: &str) -> Result<base::Time, String> {
    rehearsal::parse_moment(text).ok_or("a moment is expected, such as 2026-01-31T12:00Z".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    rehearsal::seconds(text)
}

fn period(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|s| [10, 20, 30, 60].contains(s)).ok_or("it must be 10, 20, 30 or 60".into())
}
