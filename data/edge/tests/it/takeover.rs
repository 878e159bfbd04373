//! A new edge takes over from the one that runs, while users call: in real processes, which are killed at any moment.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use edge::{EdgeOptions, FrontReport};
use world::{Frame, RunPaths, TargetHealth};

use crate::client::{Client, get};
use crate::load::Load;
use crate::origin::{Origin, reply};
use crate::rig::{Rig, Serve, eventually, options};
use crate::secure::{Authority, SecureClient, start_secure};

const DIRECTORY: &str = "ALLOD_TEST_EDGE_DIRECTORY";
const NETWORK: &str = "ALLOD_TEST_EDGE_NETWORK";
const WORKERS: &str = "ALLOD_TEST_EDGE_WORKERS";

/// Not a test of its own: what the processes that the others start run.
#[test]
fn edge_in_a_process_of_its_own() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let [a, b, c] = *std::env::var(NETWORK).unwrap().split('.').map(|n| n.parse().unwrap()).collect::<Vec<u8>>() else {
        panic!()
    };
    let workers = std::env::var(WORKERS).unwrap().parse().unwrap();
    edge::run(EdgeOptions { workers, ..options(Path::new(&directory), [a, b, c]) }).unwrap();
}

/// An edge in a process of its own, which is killed at the end.
pub struct Process(Child);

impl Process {
    pub fn start(rig: &Rig, workers: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "takeover::edge_in_a_process_of_its_own"]).stdout(Stdio::null()).stderr(Stdio::null());
        let [a, b, c] = rig.network;
        command.env(DIRECTORY, rig.directory.path()).env(NETWORK, format!("{a}.{b}.{c}")).env(WORKERS, workers.to_string());
        Self(command.spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Starts one and waits until it is the edge that serves.
    pub fn succeed(rig: &Rig, workers: usize) -> Self {
        let process = Self::start(rig, workers);
        process.await_office(&rig.paths());
        process
    }

    pub fn await_office(&self, paths: &RunPaths) {
        eventually("the new edge serves", || FrontReport::read(paths).filter(|r| r.pid == self.pid()));
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Whether it has not ended.
    pub fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    #[track_caller]
    pub fn await_end(&mut self) {
        let status = eventually("the old edge ends", || self.0.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Users: some keep their connections, some come anew each time.
fn call(at: SocketAddrV4) -> Load {
    Load::start(0..8, move |number: usize, told| {
        while told.goes_on() {
            let outcome =
                if number.is_multiple_of(2) { keep_asking(at, &told.ended, &told.served) } else { ask_once(at, &told.served) };
            if let Err(e) = outcome {
                told.failed(format!("user {number}: {e}"));
            }
        }
    })
}

fn ask_once(at: SocketAddrV4, served: &AtomicUsize) -> std::io::Result<()> {
    let mut client = Client::try_connect(at)?;
    client.stream.write_all(b"GET /once HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
    accept(client.try_answer(false)?.status, served)
}

/// Goes on for as long as the connection is kept; it may only end after an answer that says so.
fn keep_asking(at: SocketAddrV4, ended: &AtomicBool, served: &AtomicUsize) -> std::io::Result<()> {
    let mut client = Client::try_connect(at)?;
    while !ended.load(Ordering::SeqCst) {
        client.stream.write_all(b"GET /kept HTTP/1.1\r\nHost: test\r\n\r\n")?;
        let answer = client.try_answer(false)?;
        accept(answer.status, served)?;
        if answer.header("Connection") == Some("close") {
            break;
        }
    }
    Ok(())
}

fn accept(status: u16, served: &AtomicUsize) -> std::io::Result<()> {
    served.fetch_add(1, Ordering::SeqCst);
    if status == 200 { Ok(()) } else { Err(std::io::Error::other(format!("status {status}"))) }
}

/// A rig whose edge is a process, with a healthy target.
fn rig_of_processes(workers: usize) -> (Rig, Process, Origin) {
    let mut rig = Rig::without_edge();
    let process = Process::start(&rig, workers);
    rig.reconnect();
    let origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    await_saved(&rig);
    (rig, process, origin)
}

/// Waits until an edge that is killed will be remembered as it is.
pub fn await_saved(rig: &Rig) {
    let file = rig.paths().run().join("edge-config.json");
    eventually("health is saved", || std::fs::read_to_string(&file).ok().filter(|text| text.contains("\"healthy\"}")));
}

#[test]
fn edges_take_over_one_after_the_other_and_no_request_fails() {
    let (mut rig, mut old, _origin) = rig_of_processes(2);
    let users = call(rig.door());
    users.await_more(50);
    for workers in [1, 3, 2, 2, 1, 4, 2, 2] {
        let new = Process::succeed(&rig, workers);
        rig.reconnect();
        assert_eq!(rig.serve.applied.len(), 1, "the configuration went along");
        rig.serve.await_health(0, &TargetHealth::Healthy);
        users.await_more(50);
        old.await_end();
        old = new;
    }
    assert_eq!(users.end(), Vec::<String>::new());
}

#[test]
fn a_new_edge_that_is_killed_at_any_moment_leaves_the_old_one_serving() {
    let (mut rig, mut old, _origin) = rig_of_processes(2);
    let (mut stayed, mut went) = (0, 0);
    for step in 0..40 {
        let mut new = Process::start(&rig, 2);
        let end = Instant::now() + Duration::from_millis(step);
        while Instant::now() < end {
            thread::yield_now();
        }
        new.kill();
        // Once it has taken over, its death is that of any edge: the next one is started, as `serve` does.
        let stays = eventually("one of them serves, or none", || match Serve::try_connect(rig.directory.path()) {
            Some(_) => Some(true),
            None => old.0.try_wait().unwrap().map(|_| false),
        });
        if stays {
            stayed += 1;
            assert_eq!(get(rig.door(), "/").status, 200, "step {step}");
        } else {
            went += 1;
            old = Process::succeed(&rig, 2);
        }
        rig.reconnect();
    }
    assert!(stayed > 0, "none was killed early enough; {went} had taken over");
}

#[test]
fn an_old_edge_that_is_killed_at_any_moment_does_not_keep_the_new_one_from_serving() {
    let (mut rig, mut old, _origin) = rig_of_processes(2);
    for step in 0..16 {
        let new = Process::start(&rig, 2);
        let end = Instant::now() + Duration::from_millis(4 * step);
        while Instant::now() < end {
            thread::yield_now();
        }
        old.kill();
        new.await_office(&rig.paths());
        rig.reconnect();
        eventually("users are served", || (get_if_there(rig.door())? == 200).then_some(()));
        old = new;
    }
}

fn get_if_there(at: SocketAddrV4) -> Option<u16> {
    let mut client = Client::try_connect(at).ok()?;
    client.stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").ok()?;
    Some(client.try_answer(false).ok()?.status)
}

#[test]
fn what_is_under_way_ends_where_it_began() {
    let mut rig = Rig::without_edge();
    let mut old = Process::start(&rig, 2);
    rig.reconnect();
    let go = Arc::new(AtomicBool::new(false));
    let inner = go.clone();
    let origin = Origin::healthy(rig.target_at(0), move |got, stream| {
        let end = Instant::now() + Duration::from_secs(20);
        while got.path() == "/hold" && !inner.load(Ordering::SeqCst) && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        reply(stream, 200, got.path())
    });
    rig.serve_with(&[0]);
    let mut held = Client::connect(rig.door());
    held.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut idle = Client::connect(rig.door());
    assert_eq!(idle.get("/first").status, 200);
    eventually("one waits at the target", || origin.got().iter().any(|got| got.path() == "/hold").then_some(()));
    let _new = Process::succeed(&rig, 2);
    rig.reconnect();
    // What drains at the old edge is not drained as long as it has a request there.
    let mut balancer = rig.balancer(&[0]);
    balancer.target_groups[0].targets[0].mode = crate::draining::in_ms(30_000);
    rig.apply(balancer.clone());
    rig.serve.await_health(0, &TargetHealth::Draining);
    assert!(old.0.try_wait().unwrap().is_none(), "it waits for its connections");
    assert_eq!(rig.serve.healths(0).last(), Some(&TargetHealth::Draining));
    let last = idle.get("/second");
    assert_eq!((last.status, last.header("Connection")), (200, Some("close")), "it is asked to come anew");
    assert!(idle.is_closed());
    go.store(true, Ordering::SeqCst);
    let answer = held.answer(false);
    assert_eq!((answer.text().as_str(), answer.header("Connection")), ("/hold", Some("close")));
    rig.serve.await_health(0, &TargetHealth::Drained);
    drop(held);
    old.await_end();
}

#[test]
fn sessions_of_tls_are_taken_up_at_the_next_edge() {
    let mut rig = Rig::without_edge();
    let _old = Process::start(&rig, 1);
    rig.reconnect();
    let _origin = Origin::named(rig.target_at(0), "zero");
    let authority = Authority::new();
    start_secure(&mut rig, vec![authority.issue("one", &["a.test"])], world::ClientCertificates::Off);
    let config = Arc::new(authority.client());
    let ask = |resumed: bool| {
        let mut client = SecureClient::connect(rig.door(), "a.test", &config).unwrap();
        assert_eq!(client.get("a.test", "").unwrap().0, 200);
        assert_eq!(client.is_resumed(), resumed);
    };
    ask(false);
    ask(true);
    let _new = Process::succeed(&rig, 1);
    ask(true);
}

#[test]
fn requests_to_the_old_edge_are_counted() {
    let mut rig = Rig::without_edge();
    let mut old = Process::start(&rig, 1);
    rig.reconnect();
    rig.serve.send(&Frame::Report { every_ms: 1_000 });
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    let mut kept = Client::connect(rig.door());
    let _new = Process::succeed(&rig, 1);
    rig.serve = Serve::connect(rig.directory.path());
    rig.serve.send(&Frame::Report { every_ms: 1_000 });
    assert_eq!(kept.get("/").status, 200, "by the old edge");
    old.await_end();
    eventually("the old edge's request is told of", || (rig.serve.requests() == 1).then_some(()));
}

#[test]
fn a_request_to_end_ends_the_edge_before_too() {
    let (mut rig, mut old, _origin) = rig_of_processes(1);
    let mut held = Client::connect(rig.door());
    assert_eq!(held.get("/").status, 200);
    let mut new = Process::succeed(&rig, 1);
    rig.reconnect();
    rig.serve.send(&Frame::Shutdown { purge: true });
    new.await_end();
    old.await_end();
    assert!(held.is_closed());
    let left: Vec<_> = std::fs::read_dir(rig.paths().run()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn connections_wait_for_the_next_edge_where_sockets_are_kept() {
    let mut rig = Rig::without_edge();
    std::fs::create_dir_all(rig.paths().run()).unwrap();
    edge::keep_sockets(&rig.paths()).unwrap();
    let mut old = Process::start(&rig, 2);
    rig.reconnect();
    let _origin = Origin::named(rig.target_at(0), "zero");
    rig.serve_with(&[0]);
    for _ in 0..3 {
        await_saved(&rig);
        old.kill();
        let door = rig.door();
        let waiting: Vec<_> = (0..8).map(|_| thread::spawn(move || get(door, "/").text())).collect();
        old = Process::start(&rig, 2);
        for user in waiting {
            assert_eq!(user.join().unwrap(), "zero");
        }
        rig.reconnect();
    }
    rig.serve.send(&Frame::Shutdown { purge: true });
    old.await_end();
    eventually("nobody listens any more", || TcpStream::connect(rig.door()).is_err().then_some(()));
}
