//! A day of a thousand instances in the simulated world. The run itself is the program `day` of the crate
//! `rehearsal`, which this one does not use, so that it measures what users run.

use std::process::{Command, Stdio};
use std::time::Instant;

use bench::{Limit, Measured, Report, Result, fail};

use crate::{Settings, samples};

const SECONDS_MAX: f64 = 5.0;
const RUNS: usize = 3;

pub fn measure(settings: &Settings, report: &mut Report) {
    report.add("simulated: 1000 instances for 24 hours", day(settings));
}

fn day(settings: &Settings) -> Result<Measured> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments).current_dir(&settings.root).stdin(Stdio::null());
        command
    };
    let built = cargo(&["build", "--release", "--quiet", "--package", "rehearsal", "--example", "day"]).output()?;
    if !built.status.success() {
        let error = String::from_utf8_lossy(&built.stderr);
        return fail(error.lines().next().unwrap_or("the example day of rehearsal is not built").to_string());
    }
    let seconds = samples(RUNS, || {
        let mut run = Command::new(settings.root.join("target/release/examples/day"));
        let started = Instant::now();
        let output = run.args(["--instances", "1000", "--hours", "24"]).stdin(Stdio::null()).output()?;
        let took = started.elapsed().as_secs_f64();
        if output.status.success() { Ok(took) } else { fail(String::from_utf8_lossy(&output.stderr).trim().to_string()) }
    })?;
    Ok(Measured::new("s", Limit::AtMost(SECONDS_MAX), seconds))
}
