//! Limits of instances: directories and files of cgroup v1 or v2, written by ourselves. On a machine that mounts both
//! (hybrid), v1 limits and v2 kills.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::failure::{During, Failure, Result};

/// Processes and threads of one instance.
pub(crate) const PIDS_MAX: u64 = 4096;
/// Period over which processor time is shared out.
const CPU_PERIOD_US: u64 = 100_000;
/// The kernel's smallest share of a period.
const CPU_QUOTA_US_MIN: u64 = 1_000;
/// What of a file with processor time is read; the number that counts is in its first line.
const CLOCK_BYTES_MAX: usize = 128;
/// First directory below each mount; the second is the region's.
const PARENT: &str = "allod";

/// What an instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub cpu_millicores: u32,
    pub memory_bytes: u64,
}

impl Limits {
    /// Processor time in each period of `CPU_PERIOD_US`.
    fn cpu_quota_us(self) -> u64 {
        (u64::from(self.cpu_millicores) * CPU_PERIOD_US / 1000).max(CPU_QUOTA_US_MIN)
    }
}

/// The way into a group.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// The v2 directory, for `clone3`; none when the process must walk in.
    pub directory: Option<OwnedFd>,
    doors: Vec<File>,
}

impl Entrance {
    /// Moves the calling process into the v1 groups. That a task moves itself, and alone, spares the kernel from
    /// waiting until every processor has noticed (some 10 ms for each group).
    pub fn pass(&self) -> io::Result<()> {
        self.doors.iter().try_for_each(|mut door| door.write_all(b"0"))
    }
}

/// The way this machine limits processes.
trait Hierarchy {
    /// The directories of one group, each of which limits something.
    fn directories(&self, group: &Path) -> Vec<PathBuf>;
    /// Makes the directories above the group, ready to limit what is below.
    fn prepare(&self, region: &Path) -> io::Result<()>;
    fn limit(&self, group: &Path, limits: Limits) -> Result<()>;
    /// Opens the files by which a process moves itself in, where being born in the v2 directory is not enough.
    fn doors(&self, group: &Path) -> io::Result<Vec<File>>;
    /// Opens the file that tells a group's processor time.
    fn clock(&self, group: &Path) -> io::Result<CpuClock>;
    /// Says in words what cannot be limited here; empty when all can.
    fn missing(&self) -> Vec<&'static str>;
}

/// Tells the processor time that a group has used since it was made. Kept open, so that reading it is one call.
#[derive(Debug)]
pub(crate) struct CpuClock {
    file: File,
    /// Before the number in the file, and what the number counts in a microsecond.
    prefix: &'static str,
    per_us: u64,
}

impl CpuClock {
    /// Microseconds, of processes that have ended too.
    pub fn read_us(&self) -> io::Result<u64> {
        let mut bytes = [0; CLOCK_BYTES_MAX];
        let length = self.file.read_at(&mut bytes, 0)?;
        let text = std::str::from_utf8(&bytes[..length]).unwrap_or_default();
        let number = text.lines().find_map(|line| line.strip_prefix(self.prefix)?.trim().parse::<u64>().ok());
        number.map(|number| number / self.per_us).ok_or_else(|| io::Error::other("a cgroup tells no processor time"))
    }
}

pub(crate) struct Cgroups {
    hierarchy: Box<dyn Hierarchy>,
    /// Mount of v2, where groups are killed.
    unified: PathBuf,
    /// `allod/HASH`: everything of one data directory.
    region: PathBuf,
}

impl Cgroups {
    /// Finds what is mounted. `region` names the data directory's own group.
    pub fn open(region: &str) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").during("reading the list of mounts")?;
        let found = Mounts::parse(&mounts);
        let Some(unified) = found.unified else {
            return Err(Failure::new("no cgroup v2 file system is mounted (at /sys/fs/cgroup or /sys/fs/cgroup/unified)"));
        };
        let hierarchy: Box<dyn Hierarchy> = if found.v1.iter().any(|(name, _)| name == "cpu" || name == "memory") {
            Box::new(V1 { unified: unified.clone(), controllers: found.v1 })
        } else {
            Box::new(V2 { root: unified.clone() })
        };
        let region = Path::new(PARENT).join(region);
        let cgroups = Self { hierarchy, unified, region };
        cgroups.hierarchy.prepare(&cgroups.region).during("making the region's cgroups")?;
        for what in cgroups.hierarchy.missing() {
            tracing::warn!("instances are not limited in {what}: no cgroup controller for it is mounted");
        }
        Ok(cgroups)
    }

    fn group(&self, name: &str) -> PathBuf {
        self.region.join(name)
    }

    /// Makes the group `name` with its limits, and opens what a process needs to be born in it.
    pub fn create(&self, name: &str, limits: Limits) -> Result<Entrance> {
        let group = self.group(name);
        let unified = self.unified.join(&group);
        // The kernel kills who is born in a group that was killed before, so an old one is replaced or, while dead
        // processes are still in it, walked into.
        let fresh = remove(&unified).is_ok();
        for directory in self.hierarchy.directories(&group) {
            make(&directory).during(format_args!("making {}", directory.display()))?;
        }
        self.hierarchy.limit(&group, limits)?;
        let mut doors = self.hierarchy.doors(&group).during("opening a cgroup's list of tasks")?;
        let directory = if fresh {
            Some(File::open(&unified).during("opening a cgroup")?.into())
        } else {
            let procs = unified.join("cgroup.procs");
            doors.push(File::options().write(true).open(procs).during("opening a cgroup's list of processes")?);
            None
        };
        Ok(Entrance { directory, doors })
    }

    pub fn limit(&self, name: &str, limits: Limits) -> Result<()> {
        self.hierarchy.limit(&self.group(name), limits)
    }

    /// The clock of a group that exists.
    pub fn clock(&self, name: &str) -> io::Result<CpuClock> {
        self.hierarchy.clock(&self.group(name))
    }

    /// Kills every process of the group, if there is one.
    pub fn kill(&self, name: &str) {
        let file = self.unified.join(self.group(name)).join("cgroup.kill");
        match fs::write(&file, "1") {
            Err(e) if e.kind() != io::ErrorKind::NotFound => tracing::warn!("killing {name}: {e}"),
            _ => {}
        }
    }

    /// Whether no process is left in the group.
    pub fn is_empty(&self, name: &str) -> bool {
        let events = fs::read_to_string(self.unified.join(self.group(name)).join("cgroup.events"));
        events.map_or(true, |text| text.lines().any(|line| line == "populated 0"))
    }

    /// Removes the group; false when some directory is still in use.
    pub fn remove(&self, name: &str) -> bool {
        let directories = self.hierarchy.directories(&self.group(name));
        directories.iter().all(|directory| remove(directory).is_ok())
    }

    /// The names of the region's groups.
    pub fn names(&self) -> Vec<String> {
        let directories = self.hierarchy.directories(&self.region);
        let entries = directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten().flatten();
        let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<_> = groups.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Removes the region's own directories, and the shared one above if this was the last region.
    pub fn remove_region(&self) {
        for directory in self.hierarchy.directories(&self.region) {
            remove(&directory).inspect_err(|e| tracing::warn!("removing {}: {e}", directory.display())).ok();
            if let Some(parent) = directory.parent() {
                // Another region may be there: then the kernel refuses, rightly.
                fs::remove_dir(parent).ok();
            }
        }
    }
}

fn make(directory: &Path) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn write(directory: &Path, file: &str, value: u64) -> Result<()> {
    fs::write(directory.join(file), value.to_string()).during(format_args!("setting {file} to {value}"))
}

struct V1 {
    unified: PathBuf,
    /// Controller and mount, each mount once: `cpu,cpuacct` may share one.
    controllers: Vec<(String, PathBuf)>,
}

const V1_CONTROLLERS: [&str; 4] = ["cpu", "cpuacct", "memory", "pids"];

impl V1 {
    fn directory(&self, controller: &str, group: &Path) -> Option<PathBuf> {
        self.controllers.iter().find(|(name, _)| name == controller).map(|(_, mount)| mount.join(group))
    }
}

impl Hierarchy for V1 {
    fn directories(&self, group: &Path) -> Vec<PathBuf> {
        let mut mounts: Vec<&PathBuf> = self.controllers.iter().map(|(_, mount)| mount).collect();
        mounts.sort();
        mounts.dedup();
        mounts.into_iter().chain([&self.unified]).map(|mount| mount.join(group)).collect()
    }

    fn prepare(&self, region: &Path) -> io::Result<()> {
        self.directories(region).iter().try_for_each(fs::create_dir_all)
    }

    fn limit(&self, group: &Path, limits: Limits) -> Result<()> {
        if let Some(directory) = self.directory("cpu", group) {
            write(&directory, "cpu.cfs_period_us", CPU_PERIOD_US)?;
            write(&directory, "cpu.cfs_quota_us", limits.cpu_quota_us())?;
        }
        if let Some(directory) = self.directory("pids", group) {
            write(&directory, "pids.max", PIDS_MAX)?;
        }
        let Some(directory) = self.directory("memory", group) else {
            return Ok(());
        };
        // Memory with swap may never be less than memory alone: which goes first depends on the direction.
        let with_swap = directory.join("memory.memsw.limit_in_bytes").exists();
        let grown = write(&directory, "memory.limit_in_bytes", limits.memory_bytes);
        if with_swap {
            write(&directory, "memory.memsw.limit_in_bytes", limits.memory_bytes)?;
        }
        grown.or_else(|_| write(&directory, "memory.limit_in_bytes", limits.memory_bytes))
    }

    fn doors(&self, group: &Path) -> io::Result<Vec<File>> {
        let unified = self.unified.join(group);
        let others = self.directories(group).into_iter().filter(|directory| *directory != unified);
        others.map(|directory| File::options().write(true).open(directory.join("tasks"))).collect()
    }

    fn clock(&self, group: &Path) -> io::Result<CpuClock> {
        let Some(directory) = self.directory("cpuacct", group) else { return v2_clock(&self.unified.join(group)) };
        Ok(CpuClock { file: File::open(directory.join("cpuacct.usage"))?, prefix: "", per_us: 1_000 })
    }

    fn missing(&self) -> Vec<&'static str> {
        [("cpu", "processor time"), ("memory", "memory"), ("pids", "processes")]
            .into_iter()
            .filter(|(controller, _)| self.directory(controller, Path::new("")).is_none())
            .map(|(_, what)| what)
            .collect()
    }
}

/// The kernel keeps a v2 group's processor time with or without the controller that limits it.
fn v2_clock(directory: &Path) -> io::Result<CpuClock> {
    Ok(CpuClock { file: File::open(directory.join("cpu.stat"))?, prefix: "usage_usec ", per_us: 1 })
}

struct V2 {
    root: PathBuf,
}

const V2_CONTROLLERS: [(&str, &str); 3] = [("cpu", "processor time"), ("memory", "memory"), ("pids", "processes")];

impl V2 {
    fn offers(&self, directory: &Path, controller: &str) -> bool {
        let text = fs::read_to_string(self.root.join(directory).join("cgroup.controllers")).unwrap_or_default();
        text.split_whitespace().any(|name| name == controller)
    }
}

impl Hierarchy for V2 {
    fn directories(&self, group: &Path) -> Vec<PathBuf> {
        vec![self.root.join(group)]
    }

    fn prepare(&self, region: &Path) -> io::Result<()> {
        fs::create_dir_all(self.root.join(region))?;
        let above = region.ancestors().map(Path::to_path_buf).collect::<Vec<_>>();
        for directory in above.iter().rev() {
            for (controller, _) in V2_CONTROLLERS {
                if self.offers(directory, controller) {
                    // Refused where processes live in the group itself (a container's root): `missing` tells.
                    fs::write(self.root.join(directory).join("cgroup.subtree_control"), format!("+{controller}")).ok();
                }
            }
        }
        Ok(())
    }

    fn limit(&self, group: &Path, limits: Limits) -> Result<()> {
        let directory = self.root.join(group);
        if self.offers(group, "cpu") {
            let value = format!("{} {CPU_PERIOD_US}", limits.cpu_quota_us());
            fs::write(directory.join("cpu.max"), &value).during(format_args!("setting cpu.max to {value}"))?;
        }
        if self.offers(group, "memory") {
            write(&directory, "memory.max", limits.memory_bytes)?;
            if directory.join("memory.swap.max").exists() {
                write(&directory, "memory.swap.max", 0)?;
            }
        }
        if self.offers(group, "pids") { write(&directory, "pids.max", PIDS_MAX) } else { Ok(()) }
    }

    fn doors(&self, _group: &Path) -> io::Result<Vec<File>> {
        Ok(Vec::new())
    }

    fn clock(&self, group: &Path) -> io::Result<CpuClock> {
        v2_clock(&self.root.join(group))
    }

    fn missing(&self) -> Vec<&'static str> {
        let region = Path::new(PARENT);
        V2_CONTROLLERS.into_iter().filter(|(controller, _)| !self.offers(region, controller)).map(|(_, what)| what).collect()
    }
}

/// Where cgroup file systems are mounted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mounts {
    v1: Vec<(String, PathBuf)>,
    unified: Option<PathBuf>,
}

impl Mounts {
    /// Reads `/proc/self/mounts`.
    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [_, mount, kind, options, ..] = fields[..] else {
                continue;
            };
            if kind == "cgroup2" && found.unified.is_none() {
                found.unified = Some(mount.into());
            }
            if kind != "cgroup" {
                continue;
            }
            for controller in options.split(',').filter(|option| V1_CONTROLLERS.contains(option)) {
                if found.v1.iter().all(|(name, _)| name != controller) {
                    found.v1.push((controller.into(), mount.into()));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{CpuClock, Limits, Mounts};

    #[test]
    fn finds_hybrid_and_unified_mounts() {
        let hybrid = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found = Mounts::parse(hybrid);
        assert_eq!(found.v1.len(), 2);
        assert!(found.v1.iter().all(|(_, mount)| mount.ends_with("cpu,cpuacct")));
        assert_eq!(found.unified, Some("/sys/fs/cgroup/unified".into()));
        let unified = Mounts::parse("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n");
        assert_eq!((unified.v1.len(), unified.unified), (0, Some("/sys/fs/cgroup".into())));
    }

    #[test]
    fn both_kinds_of_clock_are_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let read = |text: &str, prefix, per_us| {
            let path = directory.path().join("clock");
            std::fs::write(&path, text).expect("written");
            CpuClock { file: std::fs::File::open(path).expect("there"), prefix, per_us }.read_us().ok()
        };
        assert_eq!(read("1234567\n", "", 1_000), Some(1_234));
        assert_eq!(read("usage_usec 77\nuser_usec 50\nsystem_usec 27\n", "usage_usec ", 1), Some(77));
        assert_eq!(read("", "", 1), None);
    }

    #[test]
    fn quotas_are_shares_of_a_period() {
        let quota = |cpu_millicores| Limits { cpu_millicores, memory_bytes: 0 }.cpu_quota_us();
        assert_eq!((quota(1), quota(250), quota(2000)), (1_000, 25_000, 200_000));
    }
}
