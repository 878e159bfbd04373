//! The evaluation of very many alarms, by the example `alarms` of the crate `cloudwatch`.

use std::process::{Command, Stdio};

use bench::{Limit, Measured, Report, Result, fail};

use crate::Settings;
use crate::built::example;

const MS_MAX: f64 = 100.0;
/// A decision comes within a second of a period's end, of which alarms wait 300 ms for the period's samples.
const CHANGES_MS_MAX: f64 = 700.0;
/// What its lines begin with, before the milliseconds.
const LINES: [(&str, Limit); 3] = [
    ("10000 alarms, nothing changes: ", Limit::AtMost(MS_MAX)),
    ("10000 alarms, all change, until decided: ", Limit::AtMost(CHANGES_MS_MAX)),
    ("10000 alarms, all change: ", Limit::None),
];

pub fn measure(settings: &Settings, report: &mut Report) {
    let output = match run(settings) {
        Ok(output) => output,
        Err(e) => return report.add("alarms: the example alarms of cloudwatch", Err(e)),
    };
    for (line, limit) in LINES {
        let times: Vec<f64> = output.lines().filter_map(|l| l.strip_prefix(line)?.trim_end_matches(" ms").parse().ok()).collect();
        let name = format!("evaluation of {}", line.trim_end_matches(": "));
        let measured =
            if times.is_empty() { fail("the example does not tell it") } else { Ok(Measured::new("ms", limit, times)) };
        report.add(name, measured);
    }
}

fn run(settings: &Settings) -> Result<String> {
    let program = example(settings, "cloudwatch", "alarms")?;
    let output = Command::new(program).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    fail(String::from_utf8_lossy(&output.stderr).trim().to_string())
}
