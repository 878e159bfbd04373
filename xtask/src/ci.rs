//! `cargo xtask ci`: everything that must hold, one step after the other, with the time that each took. A step that
//! fails does not keep the others from running.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{shapes, tidy};

type Check = fn(&Path) -> Result<(), String>;

/// Cheap steps first; those that compile in an order in which each uses what the ones before it built.
const STEPS: [(&str, Check); 9] = [
    ("fmt", |root| cargo(root, "fmt --all -- --check -l")),
    ("tidy", tidy::run),
    ("shapes", |root| shapes::run(root, shapes::Mode::Check)),
    ("cfn-lint", cfn_lint),
    ("clippy", |root| cargo(root, "clippy --workspace --all-targets --quiet -- -D warnings")),
    ("build", |root| cargo(root, "build --workspace --quiet")),
    ("build-tests", |root| cargo(root, "test --workspace --no-run --quiet")),
    ("test", |root| cargo(root, "test --workspace --quiet --no-fail-fast")),
    ("conformance", conformance),
];

/// Runs all steps, or those that `wanted` names.
pub fn run(root: &Path, wanted: &[&str]) -> Result<(), String> {
    if let Some(unknown) = wanted.iter().find(|name| STEPS.iter().all(|(step, _)| step != *name)) {
        let known: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no step {unknown:?}, but {}", known.join(", ")));
    }
    let mut done = Vec::new();
    for (name, check) in STEPS.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        println!("== {name}");
        let started = Instant::now();
        let outcome = check(root);
        if let Err(e) = &outcome {
            println!("{e}");
        }
        done.push((*name, outcome.is_ok(), started.elapsed()));
    }
    report(&done)
}

fn report(done: &[(&str, bool, Duration)]) -> Result<(), String> {
    println!();
    for (name, passed, took) in done {
        println!("{name:<12} {:<7} {:>7.1} s", if *passed { "passed" } else { "FAILED" }, took.as_secs_f64());
    }
    let failed: Vec<&str> = done.iter().filter(|(_, passed, _)| !passed).map(|(name, ..)| *name).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn cargo(root: &Path, arguments: &str) -> Result<(), String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    succeed(Command::new(program).args(arguments.split(' ')).current_dir(root))
}

/// The templates that we ship are good ones for AWS too.
fn cfn_lint(root: &Path) -> Result<(), String> {
    let directory = root.join("stacks");
    let entries = std::fs::read_dir(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut templates: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    templates.retain(|path| path.extension().is_some_and(|e| e == "yaml" || e == "json"));
    templates.sort();
    if templates.is_empty() {
        return Err("stacks/ holds no template".into());
    }
    succeed(Command::new(client(root, "cfn-lint")).args(templates))
}

/// Unmodified clients against the region that was just built. Needs root.
fn conformance(root: &Path) -> Result<(), String> {
    let mut pytest = Command::new(client(root, "pytest"));
    pytest.args(["-q", "-rs", "-p", "no:cacheprovider", "conformance"]).env("ALLOD_BIN", root.join("target/debug/allod"));
    let venv = root.join("target/venv/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(venv).chain(std::env::split_paths(&path).map(|p| p.to_path_buf()));
    let path: OsString = std::env::join_paths(all).map_err(|e| e.to_string())?;
    succeed(pytest.env("PATH", path).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root))
}

/// A program of the virtual environment that `make test` makes, else the machine's own.
fn client(root: &Path, name: &str) -> PathBuf {
    let own = root.join("target/venv/bin").join(name);
    if own.exists() { own } else { name.into() }
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|e| format!("{program}: {e} (`make test` installs what the tests use)"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} ended with {status}")) }
}
