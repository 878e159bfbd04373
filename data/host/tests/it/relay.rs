//! The region's API as an instance sees it: at the address that everyone uses, with an API of the test's own behind.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use world::{Exit, Instance, InstanceState, Power, Want};

use crate::support::{Host, PATIENCE, eventually, inside, instance, request};

/// What the host lets one instance have at a time.
const OF_ONE_MAX: usize = 16;
const ASK: &str = "PUT /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n";

/// A server on the machine's loopback, named in the data directory as `serve` does it.
struct Api {
    port: u16,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Api {
    fn start(host: &Host, serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let json = format!(r#"{{"url":"http://127.0.0.1:{port}","region":"eu-central-1","pid":{}}}"#, std::process::id());
        fs::write(host.paths.endpoint(), json).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let serve = serve.clone();
                thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self { port, over, thread: Some(thread) }
    }

    /// One that answers each request with this text.
    fn saying(host: &Host, text: &'static str) -> Self {
        Self::start(host, move |mut stream| {
            let mut chunk = [0; 1024];
            while stream.read(&mut chunk).is_ok_and(|length| length > 0) {
                let length = text.len();
                write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{text}").ok();
                stream.shutdown(Shutdown::Write).ok();
            }
        })
    }

    fn end(mut self) -> u16 {
        self.stop();
        self.port
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop();
    }
}

fn namespace(host: &Host, instance: &Instance) -> PathBuf {
    format!("/proc/{}/ns/net", host.init_pid(instance)).into()
}

/// Asks as a program in the instance would.
fn ask(host: &Host, instance: &Instance, port: u16) -> Result<String, String> {
    inside(&namespace(host, instance), || request(Ipv4Addr::LOCALHOST, port, ASK))
}

fn connect(host: &Host, instance: &Instance, port: u16) -> TcpStream {
    let stream = inside(&namespace(host, instance), || TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Connections end in a moment, not with a deadline.
fn is_reset(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Err(e) if e.kind() == ErrorKind::ConnectionReset)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

#[test]
fn user_data_reaches_the_api_with_its_first_instruction() {
    let mut host = Host::new();
    let api = Api::saying(&host, "noted");
    let script =
        format!("#!/bin/sh\ncurl -sS -X PUT --data-binary hello http://127.0.0.1:{}/_allod/wait/key\necho \" $?\"\n", api.port);
    for number in 170..175 {
        let instance = instance(number, &script);
        host.run(&instance);
        host.console_has(&instance, "noted 0", 1);
    }
}

#[test]
fn bytes_pass_whole_in_both_directions_and_ends_one_by_one() {
    let mut host = Host::new();
    // It answers only when it has everything: the end of one direction must come through alone.
    let api = Api::start(&host, |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all.reverse();
        stream.write_all(&all).unwrap();
    });
    let own = instance(176, "");
    host.run(&own);
    let data = pattern(6 << 20);
    let mut stream = connect(&host, &own, api.port);
    stream.write_all(&data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    back.reverse();
    assert!(back == data, "{} bytes of {}", back.len(), data.len());
}

#[test]
fn a_slow_api_slows_its_client_and_nobody_else() {
    let mut host = Host::new();
    let slow = Arc::new(AtomicBool::new(true));
    let is_slow = slow.clone();
    let api = Api::start(&host, move |mut stream| {
        let mut first = [0; 4];
        stream.read_exact(&mut first).unwrap();
        if first == *b"slow" {
            while is_slow.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        stream.write_all(b"read").unwrap();
    });
    let [own, other] = [177, 178].map(|number| instance(number, ""));
    host.run(&own);
    host.run(&other);
    let mut stream = connect(&host, &own, api.port);
    stream.write_all(b"slow").unwrap();
    stream.set_nonblocking(true).unwrap();
    let (chunk, mut sent) = (pattern(64 << 10), 0);
    let (mut quiet_since, deadline) = (Instant::now(), Instant::now() + PATIENCE);
    while quiet_since.elapsed() < Duration::from_millis(300) {
        match stream.write(&chunk) {
            Ok(length) => (sent, quiet_since) = (sent + length, Instant::now()),
            Err(e) if e.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
            Err(e) => panic!("{e}"),
        }
        assert!(sent < 64 << 20 && Instant::now() < deadline, "{sent} bytes were taken that nobody reads");
    }
    let used = host.processor_time_ms();
    let mut quick = connect(&host, &other, api.port);
    quick.write_all(b"quick").unwrap();
    quick.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    quick.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "read");
    // Waiting for a slow end takes no processor time.
    let still = Instant::now();
    while still.elapsed() < Duration::from_millis(300) {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(host.processor_time_ms() - used < 150, "the host is busy with waiting");
    slow.store(false, Ordering::Relaxed);
    stream.set_nonblocking(false).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    answer.clear();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "read");
}

#[test]
fn one_instance_takes_no_more_than_its_share() {
    let mut host = Host::new();
    let api = Api::saying(&host, "noted");
    let [own, other] = [179, 180].map(|number| instance(number, ""));
    host.run(&own);
    host.run(&other);
    let mut held: Vec<_> = (0..2 * OF_ONE_MAX).map(|_| connect(&host, &own, api.port)).collect();
    for stream in held.drain(OF_ONE_MAX..) {
        assert!(is_reset(&mut { stream }), "one too many");
    }
    ask(&host, &other, api.port).unwrap();
    for stream in &mut held {
        stream.write_all(ASK.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("noted"), "{answer}");
    }
    drop(held);
    eventually("room again", || ask(&host, &own, api.port));
}

#[test]
fn what_is_asked_while_the_api_is_away_waits_for_its_return() {
    let mut host = Host::new();
    let own = instance(181, "");
    let port = Api::saying(&host, "one").port;
    host.run(&own);
    // The file is there, its server is not; then neither; then it listens elsewhere.
    let mut waiting = connect(&host, &own, port);
    waiting.write_all(ASK.as_bytes()).unwrap();
    fs::remove_file(host.paths.endpoint()).unwrap();
    let mut later = connect(&host, &own, port);
    later.write_all(ASK.as_bytes()).unwrap();
    let api = Api::saying(&host, "two");
    assert_ne!(api.port, port);
    for stream in [&mut waiting, &mut later] {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("two"), "{answer}");
    }
    // The file of a process that is gone names nobody, whoever listens there.
    let json = fs::read_to_string(host.paths.endpoint()).unwrap();
    fs::write(host.paths.endpoint(), json.replace(&format!(":{}}}", std::process::id()), &format!(":{}}}", i32::MAX))).unwrap();
    assert!(is_reset(&mut connect(&host, &own, port)), "patience ends");
    drop(api);
}

#[test]
fn a_host_that_returns_listens_again_and_a_stopped_instance_leaves_nothing() {
    let mut host = Host::new();
    let [early, own] = [182, 183].map(|number| instance(number, ""));
    // Started before there was an API: it is let in when `serve` comes.
    host.run(&early);
    let api = Api::saying(&host, "noted");
    host.run(&own);
    host.kill();
    assert!(ask(&host, &own, api.port).is_err());
    host.start();
    for instance in [&own, &early] {
        eventually("an answer", || ask(&host, instance, api.port));
    }
    let open = host.descriptors();
    for generation in 2..5 {
        let busy = connect(&host, &own, api.port);
        let off = Instance { power: Power::Off, generation: generation - 1, ..own.clone() };
        host.want(Want::Instance(Box::new(off.clone())));
        host.state(&off, |state| *state == InstanceState::Stopped { exit: Exit::Asked });
        assert!(is_reset(&mut { busy }), "its network is gone");
        host.run(&Instance { generation, ..own.clone() });
        eventually("an answer", || ask(&host, &Instance { generation, ..own.clone() }, api.port));
    }
    eventually("as many descriptors as before", || match host.descriptors() {
        now if now <= open => Ok(()),
        now => Err(format!("{now}, not {open}")),
    });
    // At another port the API is found by the old address.
    let port = api.end();
    let _moved = Api::saying(&host, "moved");
    let answer = ask(&host, &own, port).unwrap();
    assert!(answer.ends_with("moved"), "{answer}");
}

#[test]
fn an_instance_that_ended_without_a_host_finds_the_api_where_it_is_when_it_starts_again() {
    let mut host = Host::new();
    let own = instance(184, "");
    let api = Api::saying(&host, "noted");
    host.run(&own);
    let init = host.init_pid(&own);
    host.kill();
    // SAFETY: no pointers; the number is our own instance's.
    assert_eq!(unsafe { libc::kill(init, libc::SIGKILL) }, 0);
    let gone = || if fs::exists(format!("/proc/{init}")).unwrap() { Err("it is there".into()) } else { Ok(()) };
    eventually("the end of its init", gone);
    host.start();
    host.state(&own, |state| matches!(state, InstanceState::Stopped { .. }));
    drop(api);
    let moved = Api::saying(&host, "moved");
    let again = Instance { generation: 2, ..own };
    host.run(&again);
    let answer = ask(&host, &again, moved.port).unwrap();
    assert!(answer.ends_with("moved"), "{answer}");
}

#[test]
fn a_door_that_was_opened_late_stays_where_it_is_under_the_next_host() {
    let mut host = Host::new();
    let own = instance(185, "");
    host.run(&own);
    let port = {
        let api = Api::saying(&host, "noted");
        host.connect();
        ask(&host, &own, api.port).unwrap();
        api.end()
    };
    host.kill();
    let _moved = Api::saying(&host, "moved");
    host.start();
    let answer = ask(&host, &own, port).unwrap();
    assert!(answer.ends_with("moved"), "{answer}");
}
