//! `cargo xtask bench`: builds what a benchmark measures in release, and runs it. The benchmarks themselves are
//! programs in `bench/src/bin`, so that they are compiled in release as well.

use std::path::Path;
use std::process::Command;

struct Bench {
    name: &'static str,
    what: &'static str,
    /// Packages whose release binaries it runs.
    measures: &'static [&'static str],
}

const BENCHES: [Bench; 3] = [
    Bench {
        name: "first-light",
        what: "boots, stacks, replacement, idle use, reads and durable writes of a running region; needs root",
        measures: &["allod", "web-tier"],
    },
    Bench {
        name: "loop",
        what: "simulated days, metrics taken in and asked for, alarms, and a group that follows real load; needs root",
        measures: &["allod", "web-tier"],
    },
    Bench {
        name: "edge",
        what: "a request through our edge, nginx and HAProxy: processor time, rate, delay, memory; needs both of them and perf",
        measures: &[],
    },
];

/// Lists the benchmarks, or runs the one that `arguments` name first with the rest of them.
pub fn run(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let Some((name, rest)) = arguments.split_first() else {
        for bench in &BENCHES {
            println!("{:<14} {}", bench.name, bench.what);
        }
        return Ok(());
    };
    let bench = BENCHES.iter().find(|b| b.name == *name).ok_or_else(|| format!("there is no benchmark {name:?}"))?;
    let mut build = cargo(root);
    build.args(["build", "--release", "--quiet", "--package", "bench"]);
    build.args(bench.measures.iter().flat_map(|package| ["--package", package]));
    succeed(&mut build)?;
    let mut run = cargo(root);
    run.args(["run", "--release", "--quiet", "--package", "bench", "--bin", bench.name, "--"]).args(rest);
    succeed(&mut run)
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}
