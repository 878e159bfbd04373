//! A disk that is full: nothing is acknowledged that is not durable, reads go on, and all is well once there is space.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::rig::{PATIENCE, Rig};

/// A small file system in memory, which goes away with the test.
struct SmallDisk {
    directory: PathBuf,
}

impl SmallDisk {
    fn new(directory: &Path) -> Self {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "allod-test"]).arg(directory).status().unwrap();
        assert!(status.success(), "a tmpfs must be mounted for this test: run it as root");
        Self { directory: directory.into() }
    }

    fn ballast(&self) -> PathBuf {
        self.directory.join("ballast")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.ballast()).unwrap();
        for size in [65_536, 4_096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.directory).status();
    }
}

fn put(rig: &Rig, name: &str) -> u16 {
    let value = "x".repeat(4_000);
    let body = format!(r#"{{"Name":"{name}","Value":"{value}","Type":"String","Overwrite":true}}"#);
    let answer = rig.json("ssm", "AmazonSSM.PutParameter", &body);
    if answer.status == 503 {
        assert_eq!(answer.code(), "ServiceUnavailable", "{answer:?}");
    } else {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    answer.status
}

fn has(rig: &Rig, name: &str) -> bool {
    let answer = rig.json("ssm", "AmazonSSM.GetParameter", &format!(r#"{{"Name":"{name}"}}"#));
    match (answer.status, answer.code().as_str()) {
        (200, _) => true,
        (400, "ParameterNotFound") => false,
        _ => panic!("{answer:?}"),
    }
}

/// Reads answer too, at once, while nothing can be written.
fn reads_answer(rig: &Rig) {
    for _ in 0..20 {
        assert!(has(rig, "/first"));
    }
    let answer = rig.query("ec2", "Action=DescribeVpcs&Version=2016-11-15");
    assert!([200, 503].contains(&answer.status), "{answer:?}");
}

fn works_again(rig: &Rig) {
    let deadline = Instant::now() + PATIENCE;
    while put(rig, "/again") != 200 {
        assert!(Instant::now() < deadline, "it stays broken");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_full_disk_refuses_changes_and_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path());
    let mut rig = Rig::start(directory.path());
    assert_eq!(put(&rig, "/first"), 200);
    let (mut kept, mut refused) = (vec!["/first".to_string(), "/again".into()], Vec::new());
    for round in 0..3 {
        disk.fill();
        // The journal still has room inside its file; then it has none.
        for n in 0..2_000 {
            let name = format!("/p{round}-{n}");
            match put(&rig, &name) {
                200 => kept.push(name),
                _ => refused.push(name),
            }
            if refused.len() >= 20 * (round + 1) {
                break;
            }
        }
        assert!(refused.len() >= 20 * (round + 1), "the disk was full and everything was taken");
        reads_answer(&rig);
        assert!(refused.iter().all(|name| !has(&rig, name)), "what was refused is there");
        disk.free();
        works_again(&rig);
        assert!(refused.iter().all(|name| !has(&rig, name)), "what was refused came later");
    }
    // A crash is no different from an end in order: the journal is read anew.
    for _ in 0..2 {
        assert!(kept.iter().all(|name| has(&rig, name)), "what was acknowledged is lost");
        assert!(refused.iter().all(|name| !has(&rig, name)), "what was refused is there after a restart");
        rig.stop();
        rig = Rig::start(directory.path());
    }
    rig.stop();
}

#[test]
fn a_region_ends_and_starts_on_a_full_disk_or_says_why_not() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path());
    let mut rig = Rig::start(directory.path());
    assert_eq!(put(&rig, "/first"), 200);
    disk.fill();
    let refused = (0..2_000).map(|n| format!("/p{n}")).find(|name| put(&rig, name) == 503).expect("the disk is full");
    rig.stop();
    let started = std::panic::catch_unwind(|| Rig::start(directory.path()));
    drop(started);
    disk.free();
    let mut rig = Rig::start(directory.path());
    assert!(has(&rig, "/first"));
    assert!(!has(&rig, &refused), "what was refused is there");
    works_again(&rig);
    rig.stop();
}
