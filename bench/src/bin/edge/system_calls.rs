//! How many system calls a process makes, as the kernel counts them. It needs `perf` and root.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bench::{Process, Result, fail};

/// A count under way.
pub struct Counting(Child);

impl Counting {
    /// Counts for this long from now on.
    pub fn begin(process: Process, duration: Duration) -> Result<Self> {
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &process.id().to_string(), "--"]);
        command.args(["sleep", &duration.as_secs_f64().to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        child.map(Self).or_else(|e| fail(format!("perf: {e}")))
    }

    /// The count, when its time is over.
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    pub fn end(self) -> Result<f64> {
        let output = self.0.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let count = text.lines().find(|l| l.contains("sys_enter")).and_then(|l| l.split(',').next()?.parse::<u64>().ok());
        count.map_or_else(|| fail(format!("perf counts no system calls: {}", text.trim())), |count| Ok(count as f64))
    }
}
