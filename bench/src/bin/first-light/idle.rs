//! What a region costs that has nothing to do but its health checks.

use std::thread;
use std::time::{Duration, Instant};

use bench::{Limit, Measured, Process, Region, Report, Result};

/// Until what the deployment left to do is done.
const SETTLE: Duration = Duration::from_secs(5);
const PERIOD: Duration = Duration::from_secs(2);
const PERIODS: usize = 5;
const MEMORY_MB_MAX: f64 = 60.0;
const CORE_PERCENT_MAX: f64 = 1.0;

/// Of `serve` and `edge` together, while the reference stack runs.
pub fn measure(region: &Region, report: &mut Report) {
    let processes = || -> Result<Vec<Process>> { Ok(vec![region.process("serve")?, region.process("edge")?]) };
    thread::sleep(SETTLE);
    report.add("idle: memory of serve and edge", processes().and_then(|p| memory(&p)));
    report.add("idle: processor of serve and edge", processes().and_then(|p| processor(&p)));
}

#[expect(clippy::cast_precision_loss, reason = "sizes of a process")]
fn memory(processes: &[Process]) -> Result<Measured> {
    let bytes: u64 = processes.iter().map(|p| p.resident_bytes()).sum::<Result<u64>>()?;
    Ok(Measured::new("MB", Limit::AtMost(MEMORY_MB_MAX), vec![bytes as f64 / 1e6]))
}

#[expect(clippy::cast_precision_loss, reason = "some seconds in nanoseconds")]
fn processor(processes: &[Process]) -> Result<Measured> {
    let used = || processes.iter().map(|p| p.processor_ns()).sum::<Result<u64>>();
    let mut percents = Vec::new();
    for _ in 0..PERIODS {
        let (before, started) = (used()?, Instant::now());
        thread::sleep(PERIOD);
        let share = used()?.saturating_sub(before) as f64 / started.elapsed().as_nanos() as f64;
        percents.push(share * 100.0);
    }
    Ok(Measured::new("% of a core", Limit::AtMost(CORE_PERCENT_MAX), percents))
}
