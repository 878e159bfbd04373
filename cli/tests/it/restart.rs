//! A new edge in the place of the old one, as an upgrade makes it: as root.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::rig::{Rig, Said, eventually, is_root};

/// A binary that can be replaced while it runs.
struct Installed<'a>(&'a Rig);

impl Installed<'_> {
    fn path(&self) -> std::path::PathBuf {
        self.0.data.with_file_name("allod")
    }

    fn install(&self) {
        let fresh = self.path().with_extension("new");
        fs::copy(env!("CARGO_BIN_EXE_allod"), &fresh).unwrap();
        fs::rename(fresh, self.path()).unwrap();
    }

    #[track_caller]
    fn good(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.path());
        command.args(arguments).env("ALLOD_DATA", &self.0.data).env_remove("ALLOD_LOG").stdin(Stdio::null());
        let said = Said::of(command.output().unwrap());
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.out
    }

    fn edge(&self) -> Json {
        let status: Json = serde_json::from_str(&self.good(&["status", "--output", "json"])).unwrap();
        status["edge"].clone()
    }

    /// The process of the edge, and whether another binary is installed by now.
    fn await_edge(&self) -> (i64, bool) {
        eventually("edge that serves", || {
            let edge = self.edge();
            Some((edge["pid"].as_i64()?, edge["outdated"].as_bool()?))
        })
    }
}

fn is_there(pid: i64) -> bool {
    // A process that nobody has asked about yet has no arguments left.
    fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).is_ok_and(|arguments| !arguments.is_empty())
}

#[test]
fn the_edge_of_another_binary_takes_over_and_serve_starts_it_from_then_on() {
    assert!(is_root(), "a region needs root: run this test as root");
    let rig = Rig::new();
    assert!(rig.bad(&["restart", "edge"], 3).contains("no edge runs in"));
    let installed = Installed(&rig);
    installed.install();
    installed.good(&["serve", "--background", "--listen", "127.0.0.1:0"]);
    let (first, outdated) = installed.await_edge();
    assert!(!outdated);
    assert!(!installed.good(&["status"]).contains("restart edge"));
    installed.install();
    assert_eq!(installed.await_edge(), (first, true));
    assert!(installed.good(&["status"]).contains("`allod restart edge`"));
    let said = installed.good(&["restart", "edge"]);
    let (second, outdated) = installed.await_edge();
    assert!(!outdated && second != first, "{said}");
    assert!(said.contains(&format!("(process {second}) serves now; process {first} ends")), "{said}");
    eventually("end of the first edge", || (!is_there(first)).then_some(()));
    // The region that was started from a binary which is gone starts the one in its place.
    kill_process(Pid::from_raw(second.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    let third = eventually("third edge", || Some(installed.await_edge()).filter(|(pid, _)| *pid != second));
    assert!(!third.1);
    assert!(installed.good(&["down"]).ends_with("Nothing runs any more\n"));
    assert!(!is_there(third.0));
}
