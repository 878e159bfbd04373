//! Runs the command with a data directory of its own, and stops what it started however the test ends.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Rig {
    pub data: PathBuf,
    _directory: tempfile::TempDir,
}

impl Rig {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("allod-cli-").tempdir().unwrap();
        Self { data: directory.path().join("data"), _directory: directory }
    }

    /// With a region that runs.
    pub fn started() -> Self {
        assert!(is_root(), "a region needs root: run this test as root");
        let rig = Self::new();
        let said = rig.good(&["serve", "--background", "--listen", "127.0.0.1:0"]);
        assert!(said.contains("answers at http://127.0.0.1:"), "{said}");
        rig
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_allod"));
        command.args(arguments).env("ALLOD_DATA", &self.data).env_remove("ALLOD_LOG").stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    /// What a command prints that must succeed.
    #[track_caller]
    pub fn good(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.out
    }

    /// What a command says that must fail with this code.
    #[track_caller]
    pub fn bad(&self, arguments: &[&str], code: i32) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        assert!(!said.err.contains("panicked"), "{said:?}");
        said.err
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if self.data.exists() && is_root() {
            let said = self.run(&["down", "--purge"]);
            if said.code != Some(0) {
                let text = format!("stopping the region after the test: {said:?}");
                if std::thread::panicking() { eprintln!("{text}") } else { panic!("{text}") }
            }
        }
    }
}

#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Polls until there is a result.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
