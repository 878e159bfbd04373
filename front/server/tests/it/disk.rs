//! A disk that is full: nothing is acknowledged that is not durable, reads go on, and all is well once there is space.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use kernel::{Journal, RedbJournal, Write as Row};
use server::ExecutorProcess;
use world::{Executor, Frame, FrameReader, Observation, Slot};

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

/// A host that does nothing: it tells what it has applied, each time somebody connects.
fn idle_host(socket: &Path, applied: &Arc<Mutex<Vec<(Slot, u64)>>>) -> mpsc::Receiver<UnixStream> {
    let listener = UnixListener::bind(socket).unwrap();
    let applied = applied.clone();
    let (connected, connections) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let hello = Frame::Hello { version: "test".into(), applied: applied.lock().unwrap().clone() };
            let sent = stream.write_all(&hello.encode().unwrap());
            if sent.is_ok() && connected.send(stream).is_err() {
                return;
            }
        }
    });
    connections
}

/// The next effect that the region sends.
fn effect(stream: &mut UnixStream) -> (Slot, u64) {
    let mut reader = FrameReader::default();
    let mut buffer = [0; 4_096];
    loop {
        match reader.next_frame().unwrap() {
            Some(Frame::Effect(effect)) => return (effect.slot, effect.version),
            Some(_) => {}
            None => {
                let length = stream.read(&mut buffer).unwrap();
                assert!(length > 0, "the region hung up");
                reader.push(&buffer[..length]);
            }
        }
    }
}

#[test]
fn what_an_executor_reported_to_a_full_disk_is_heard_again() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path());
    let (socket, applied) = (directory.path().join("host.sock"), Arc::default());
    let connections = idle_host(&socket, &applied);
    let process = ExecutorProcess {
        prepare: None,
        executor: Executor::Host,
        socket,
        log: directory.path().join("host.log"),
        start: Box::new(|| Err(std::io::Error::other("it runs in the test"))),
    };
    let rig = Rig::start_with(directory.path(), vec![process]);
    let mut stream = connections.recv_timeout(PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(rig.query("ec2", "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16").status, 200);
    let (slot, version) = effect(&mut stream);
    disk.fill();
    (0..2_000).find(|n| put(&rig, &format!("/p{n}")) == 503).expect("the disk is full");
    // The region hangs up, for it could not keep what it may have heard; and again when it cannot keep the next.
    for _ in 0..2 {
        let observation = Observation::Applied { slot: slot.clone(), version };
        let _ = stream.write_all(&Frame::Observation(observation).encode().unwrap());
        applied.lock().unwrap().clone_from(&vec![(slot.clone(), version)]);
        stream = connections.recv_timeout(PATIENCE).unwrap();
    }
    disk.free();
    works_again(&rig);
    let deadline = Instant::now() + PATIENCE;
    let is_known = |rows: &[(String, Vec<u8>)]| {
        let about = rows.iter().filter(|(_, json)| String::from_utf8_lossy(json).contains(&slot.id));
        about.clone().any(|(_, json)| String::from_utf8_lossy(json).contains("\"applied\":true"))
    };
    // Told by the journal, so by what outlives the region: until it knows, it is connected to once more.
    let mut rows = Vec::new();
    while !is_known(&rows) {
        assert!(Instant::now() < deadline, "what was applied was never taken in");
        let copy = directory.path().join("copy.redb");
        fs::copy(rig.paths.journal(), &copy).unwrap();
        rows = RedbJournal::open(&copy).and_then(|mut journal| journal.load()).unwrap_or_default();
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_journal_that_could_not_be_made_is_made_when_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path());
    let path = directory.path().join("journal.redb");
    disk.fill();
    assert!(RedbJournal::open(&path).is_err());
    disk.free();
    RedbJournal::open(&path).unwrap();
    assert_eq!(RedbJournal::open(&path).unwrap().load().unwrap(), []);
}

/// A journal that holds the newest rows only would be taken for the whole region at the next start.
#[test]
fn a_journal_that_is_gone_is_not_begun_anew_under_a_running_region() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path());
    let path = directory.path().join("journal.redb");
    let mut journal = RedbJournal::open(&path).unwrap();
    let row = |key: &str, bytes| vec![Row { key: key.into(), value: Some(vec![1; bytes]) }];
    journal.commit(1, &row("a", 1)).unwrap();
    disk.fill();
    assert!(journal.commit(1, &row("b", 3 << 20)).is_err());
    disk.free();
    let away = directory.path().join("away");
    fs::rename(&path, &away).unwrap();
    assert!(journal.commit(1, &row("b", 1)).is_err());
    assert!(!path.exists());
    fs::rename(&away, &path).unwrap();
    journal.commit(1, &row("b", 1)).unwrap();
    assert_eq!(journal.load().unwrap(), [("a".into(), vec![1]), ("b".into(), vec![1])]);
}
