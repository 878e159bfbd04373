//! A day of very many instances whose groups follow their load, by the example `large` of the crate `rehearsal`: how long it
//! takes, how much memory, and that its cost grows with the instances and no faster.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bench::{Limit, Measured, Process, Report, Result, fail};

use crate::Settings;
use crate::built::example;

const HOURS: &str = "24";
/// Instances, and how often the day is run.
const SIZES: [(u32, usize); 3] = [(1_000, 3), (3_000, 3), (10_000, 3)];
const SECONDS_MAX: f64 = 10.0;
const MEMORY_MB_MAX: f64 = 500.0;
/// What ten times the instances may cost, each by itself, beside what they cost when they are fewer.
const GROWTH_MAX: f64 = 1.5;
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(5);

struct Run {
    processor_s: f64,
    wall_s: f64,
    peak_mb: f64,
}

pub fn measure(settings: &Settings, report: &mut Report) {
    let program = match example(settings, "rehearsal", "large") {
        Ok(program) => program,
        Err(e) => return report.add("simulated: the example large of rehearsal", Err(e)),
    };
    let mut each_ms = Vec::new();
    for (instances, times) in SIZES {
        let is_wanted = instances == 10_000;
        let limit = |most| if is_wanted { Limit::AtMost(most) } else { Limit::None };
        let runs: Result<Vec<Run>> = std::iter::repeat_with(|| day(&program, instances)).take(times).collect();
        let name = format!("simulated: {instances} instances for {HOURS} hours");
        let runs = match runs {
            Ok(runs) => runs,
            Err(e) => return report.add(name, Err(e)),
        };
        let of = |value: fn(&Run) -> f64| runs.iter().map(value).collect::<Vec<_>>();
        report.add(name.clone(), Ok(Measured::new("s", limit(SECONDS_MAX), of(|r| r.wall_s))));
        report.add(format!("{name}: most memory"), Ok(Measured::new("MB", limit(MEMORY_MB_MAX), of(|r| r.peak_mb))));
        let least_s = runs.iter().map(|r| r.processor_s).fold(f64::INFINITY, f64::min);
        each_ms.push(least_s * 1_000.0 / f64::from(instances));
    }
    if let (Some(few), Some(many)) = (each_ms.first(), each_ms.last()) {
        let growth = Measured::new("times", Limit::AtMost(GROWTH_MAX), vec![many / few]);
        report.add("simulated: processor time of each of 10000 beside each of 1000", Ok(growth));
    }
}

/// Runs a day. The program has one thread that computes, so that it uses one core at most.
fn day(program: &Path, instances: u32) -> Result<Run> {
    let mut run = Command::new(program);
    run.args([&instances.to_string(), HOURS]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = run.spawn()?;
    let process = Process::new(i32::try_from(child.id())?)?;
    let (mut peak_bytes, mut processor_ns) = (0, 0);
    // Both only grow, and are looked at until it has ended.
    while child.try_wait()?.is_none() {
        peak_bytes = process.peak_bytes().unwrap_or(0).max(peak_bytes);
        processor_ns = process.processor_ns().unwrap_or(0).max(processor_ns);
        if started.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return fail(format!("not within {} s", PATIENCE.as_secs()));
        }
        thread::sleep(LOOK_EVERY);
    }
    let wall_s = started.elapsed().as_secs_f64();
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return fail(String::from_utf8_lossy(&output.stderr).trim().to_string());
    }
    Ok(Run { processor_s: processor_ns as f64 / 1e9, wall_s, peak_mb: peak_bytes as f64 / 1e6 })
}
