use std::fs;
use std::path::Path;
use std::process::Command;

/// What numbers of this machine have to be read with. `directory` is where the region keeps its data.
pub fn facts(directory: &Path) -> Vec<(&'static str, String)> {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line =
            text.lines().find_map(|l| l.strip_prefix(name)?.trim_start().strip_prefix(':').map(str::trim).map(String::from));
        line.unwrap_or_else(|| "unknown".into())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory_kb: f64 = field("/proc/meminfo", "MemTotal").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        ("processor", format!("{}, {cores} cores", field("/proc/cpuinfo", "model name"))),
        ("memory", format!("{:.1} GiB", memory_kb / 1_048_576.0)),
        ("kernel", kernel.trim().to_string()),
        ("file system of the data", file_system(directory)),
        ("compiler", first_line("rustc", &["--version"])),
        ("commit", first_line("git", &["describe", "--always", "--dirty"])),
    ]
}

/// Type and source of the mount that `directory` is on: the longest mount point above it.
fn file_system(directory: &Path) -> String {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    });
    let above = mounts.filter(|(_, point, _)| directory.starts_with(point));
    above
        .max_by_key(|(_, point, _)| point.len())
        .map_or_else(|| "unknown".into(), |(source, _, kind)| format!("{kind} on {source}"))
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    text.lines().next().filter(|l| !l.is_empty()).unwrap_or("unknown").to_string()
}
