//! Measures the store: samples taken in a second, memory for a simulated day of ten thousand instances, the time of
//! questions and of opening. Run it with `cargo run --release -p metrics --example rate`.

use std::io;
use std::time::{Duration, Instant};

use base::Time;
use metrics::{FileKeep, Metric, Resolution, Sample, SeriesId, Statistic, Store};

const START_MS: i64 = 1_800_000_000_000;
const DAY_MIN: i64 = 1_440;

fn at(minute: i64) -> Time {
    Time::from_unix_ms(START_MS + minute * 60_000)
}

fn metric(n: u32) -> Metric {
    Metric::new("AWS/EC2", "CPUUtilization", &[("InstanceId", &format!("i-{n:017x}"))])
}

/// A processor's load as a model of it would give: many digits.
fn load(n: u32, minute: i64) -> f64 {
    let hash = (minute as u64 ^ u64::from(n) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    50.0 + 30.0 * (minute as f64 / 200.0).sin() + (hash >> 11) as f64 / (1u64 << 53) as f64
}

fn ids(store: &mut Store, count: u32) -> Vec<SeriesId> {
    (0..count).map(|n| store.id(&metric(n), "Percent").unwrap_or_else(|_| panic!("{n} metrics are too many"))).collect()
}

fn fill(store: &mut Store, count: u32, minutes: i64) -> Duration {
    let begun = Instant::now();
    let ids = ids(store, count);
    for minute in 0..minutes {
        for (n, id) in ids.iter().enumerate() {
            store.put_value(*id, Resolution::Standard, at(minute), load(n as u32, minute));
        }
        store.advance(at(minute));
        kernel::Store::keep(store);
    }
    begun.elapsed()
}

fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn say(what: &str, took: Duration, samples: f64) {
    println!("{what}: {:.0} ms, {:.1} million samples/s", took.as_secs_f64() * 1e3, samples / took.as_secs_f64() / 1e6);
}

fn main() -> io::Result<()> {
    let before = memory_mib();
    let mut store = Store::default();
    let took = fill(&mut store, 10_000, DAY_MIN);
    say("a day of 10,000 series, by number", took, 14.4e6);
    println!("  memory {:.0} MiB", memory_mib() - before);
    drop(store);

    let mut store = Store::default();
    let all: Vec<Metric> = (0..1_000).map(metric).collect();
    let begun = Instant::now();
    for minute in 0..1_000 {
        for (n, metric) in all.iter().enumerate() {
            store.put(metric, "Percent", Resolution::Standard, at(minute), &Sample::value(load(n as u32, minute)));
        }
    }
    say("a million samples by name", begun.elapsed(), 1e6);

    let directory = std::env::temp_dir().join(format!("allod-metrics-rate-{}", std::process::id()));
    let outcome = kept(&directory);
    std::fs::remove_dir_all(&directory)?;
    outcome
}

fn kept(directory: &std::path::Path) -> io::Result<()> {
    let before = memory_mib();
    let mut store = Store::open(Box::new(FileKeep::open(directory)?))?;
    let days = 30;
    let took = fill(&mut store, 1_000, days * DAY_MIN);
    say("a month of 1,000 series, kept in files", took, 1e3 * (days * DAY_MIN) as f64);
    println!("  memory {:.0} MiB", memory_mib() - before);
    questions(&store, days);
    drop(store);
    let begun = Instant::now();
    let store = Store::open(Box::new(FileKeep::open(directory)?))?;
    println!("open it again: {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    questions(&store, days);
    Ok(())
}

fn questions(store: &Store, days: i64) {
    for (text, statistic) in [("Average", Statistic::Average), ("p99", Statistic::Percentile(99.0))] {
        let begun = Instant::now();
        let month = store.values(&metric(7), None, statistic, (at(0), at(days * DAY_MIN)), 300);
        println!("{text} of one series over the month: {} values in {:.2} ms", month.len(), begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        let span = (at((days - 1) * DAY_MIN), at(days * DAY_MIN));
        let day: usize = (0..500).map(|n| store.values(&metric(n), None, statistic, span, 300).len()).sum();
        println!("{text} of 500 series over a day: {day} values in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    }
}
