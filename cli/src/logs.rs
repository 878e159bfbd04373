//! `allod logs`: the ends of the processes' logs, and what they grow by.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use world::RunPaths;

use crate::Failure;
use crate::arguments::{Logs, Process};
use crate::output::{self, out};

/// How often a followed log is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
/// How much of a log's end is looked through for its last lines, and of its growth taken at once.
const READ_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A log that is followed.
struct Followed {
    path: PathBuf,
    prefix: String,
    from: u64,
}

pub fn logs(paths: &RunPaths, arguments: &Logs) -> Result<(), Failure> {
    let processes = arguments.process.map_or(vec![Process::Serve, Process::Host, Process::Edge], |p| vec![p]);
    let mut all = Vec::new();
    for process in &processes {
        let path = paths.logs().join(format!("{}.log", process.name()));
        let prefix = if processes.len() > 1 { format!("{:<5} ", process.name()) } else { String::new() };
        if path.exists() {
            let (lines, from) =
                last_lines(&path, arguments.lines).map_err(|e| Failure::new(format!("{}: {e}", path.display())))?;
            lines.iter().for_each(|line| out!("{prefix}{line}"));
            all.push(Followed { path, prefix, from });
        }
    }
    if all.is_empty() {
        return Err(Failure::not_running(format!("no logs in {}: no region ran there", paths.logs().display())));
    }
    if arguments.follow {
        while !output::is_broken() {
            all.iter_mut().for_each(|log| log.print_growth().unwrap_or_default());
            thread::sleep(FOLLOW_EVERY);
        }
    }
    Ok(())
}

/// The last lines of a file, and where they end.
fn last_lines(path: &Path, count: usize) -> io::Result<(Vec<String>, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(READ_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length - start).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_string()).collect();
    Ok((last, length))
}

impl Followed {
    /// Prints the whole lines that the log has grown by; begins anew when it was set aside. A log that is not there for
    /// a moment is looked at again later.
    fn print_growth(&mut self) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() < self.from {
            self.from = 0;
        }
        file.seek(SeekFrom::Start(self.from))?;
        let mut grown = Vec::new();
        file.take(READ_BYTES_MAX).read_to_end(&mut grown)?;
        let full = grown.len() as u64 == READ_BYTES_MAX;
        let whole = grown.iter().rposition(|b| *b == b'\n').map_or(if full { grown.len() } else { 0 }, |at| at + 1);
        for line in String::from_utf8_lossy(&grown[..whole]).lines() {
            out!("{}{line}", self.prefix);
        }
        self.from += whole as u64;
        Ok(())
    }
}
