use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::{Result, fail};

/// How `program` is started so that it does not outlive the thread which does so, however that ends.
pub fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A process on this machine, and what the kernel tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(Pid);

impl Process {
    pub fn new(pid: i32) -> Result<Self> {
        match Pid::from_raw(pid.max(0)) {
            Some(pid) if pid != Pid::INIT => Ok(Self(pid)),
            _ => fail(format!("{pid} is no process to look at")),
        }
    }

    /// The processes `allod NAME` of the region in `data`.
    pub fn of_region(name: &str, data: &std::path::Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
            let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
            let words: Vec<&[u8]> = line.split(|b| *b == 0).collect();
            let is_region = words.contains(&data.as_os_str().as_encoded_bytes());
            let is_named = words.first().is_some_and(|w| w.ends_with(b"allod")) && words.get(1) == Some(&name.as_bytes());
            if is_region && is_named {
                found.push(Self::new(pid)?);
            }
        }
        Ok(found)
    }

    pub fn id(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }

    fn directory(self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.0.as_raw_nonzero()))
    }

    /// Memory that it has in RAM, in bytes, shared pages counted whole.
    pub fn resident_bytes(self) -> Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// The most that it has had so far.
    pub fn peak_bytes(self) -> Result<u64> {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(self.directory().join("status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix(field));
        let kb: Option<u64> = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
        kb.map_or_else(|| fail(format!("the kernel does not tell {field}")), |kb| Ok(kb * 1_024))
    }

    /// Processor time that its living threads have used, in nanoseconds.
    pub fn processor_ns(self) -> Result<u64> {
        let mut sum = 0;
        for task in self.tasks()? {
            let path = self.directory().join(format!("task/{}/schedstat", task.as_raw_nonzero()));
            let text = fs::read_to_string(path).unwrap_or_default();
            sum += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(sum)
    }

    /// The same with threads that have ended, in steps of some milliseconds.
    pub fn processor_with_ended_ns(self) -> Result<u64> {
        let stat = fs::read_to_string(self.directory().join("stat"))?;
        // The name before the last bracket may have spaces; user and system time are the 12th and 13th fields behind it.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(2));
        let ticks: Option<u64> = fields.and_then(|fields| fields.map(|n| n.parse::<u64>().ok()).sum());
        match ticks {
            Some(ticks) => Ok(ticks * 1_000_000_000 / clock_ticks_per_second().max(1)),
            None => fail("the kernel does not tell the processor time"),
        }
    }

    fn tasks(self) -> Result<Vec<Pid>> {
        let names = fs::read_dir(self.directory().join("task"))?.flatten().map(|e| e.file_name());
        Ok(names.filter_map(|n| n.to_str().and_then(|n| n.parse().ok()).and_then(Pid::from_raw)).collect())
    }

    /// Kills it at once (SIGKILL).
    pub fn kill(self) -> Result<()> {
        Ok(kill_process(self.0, Signal::KILL)?)
    }

    /// Runs `work` while this process may use the first core only and the caller the others; then both may use all
    /// again. On a machine of one core they share it.
    pub fn on_one_core<T>(self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let all = sched_getaffinity(None)?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
        let set = |cores: &[usize]| {
            let mut set = CpuSet::new();
            cores.iter().for_each(|core| set.set(*core));
            set
        };
        let (first, others) = cores.split_at(1.min(cores.len()));
        self.pin(&set(first))?;
        if !others.is_empty() {
            sched_setaffinity(None, &set(others))?;
        }
        let outcome = work();
        self.pin(&all)?;
        sched_setaffinity(None, &all)?;
        outcome
    }

    fn pin(self, cores: &CpuSet) -> Result<()> {
        for task in self.tasks()? {
            match sched_setaffinity(Some(task), cores) {
                // A thread that has ended meanwhile uses no core.
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}
