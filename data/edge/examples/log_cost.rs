//! What the access log costs: CPU time of a worker and of the logging thread for each request, with the log off and on, by turns.
//!
//! `cargo run --release -p edge --example log_cost [REQUESTS]`

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use edge::{EdgeOptions, Sockets};
use serde_json::json;
use world::{Effect, Frame, FrameReader, LoadBalancer, LogPlace, Observation, RunPaths, Slot, SlotKind, TargetHealth, Want};

const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/web/50dc6c495c0c9188";
const GROUP: &str = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/web/73e2d6bc24d8a067";
const ROUNDS: usize = 7;
/// Requests under way at once.
const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = b"GET /articles/2026/11/21/a-day?page=2 HTTP/1.1\r\nHost: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nCookie: session=0123456789abcdef\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

/// Loopback addresses of this run alone.
fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 130, (std::process::id() % 250) as u8, host)
}

fn main() {
    let requests = std::env::args().nth(1).map_or(64_000, |n| n.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let origin = TcpListener::bind(SocketAddrV4::new(address(10), 9_000)).unwrap();
    thread::spawn(move || origin.incoming().flatten().for_each(|stream| drop(thread::spawn(|| serve(stream)))));
    let base = EdgeOptions::new(directory.path());
    let options = EdgeOptions { workers: 1, sockets: Sockets::Direct, front_door: address(1), ..base };
    let edge = thread::spawn(move || edge::run(options));
    let mut serve = Serve::connect(directory.path());
    serve.apply(balancer(false));
    serve.until(|o| matches!(o, Observation::Target { health: TargetHealth::Healthy, .. }));
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (on, costs) in [false, true].into_iter().zip(&mut costs) {
            serve.apply(balancer(on));
            costs.push(load(requests));
        }
    }
    let median = |costs: &mut Vec<[f64; 2]>, which: usize| {
        costs.sort_by(|a, b| a[which].total_cmp(&b[which]));
        costs[ROUNDS / 2][which]
    };
    let [off, on] = &mut costs;
    let (before, after) = (median(off, 0), median(on, 0));
    println!("a worker, ns a request: {before:.0} without the log, {after:.0} with it: {:.0} a line", after - before);
    println!("the logging thread, ns a line: {:.0}", median(on, 1));
    serve.send(&Frame::Shutdown { purge: true });
    edge.join().unwrap().unwrap();
}

fn serve(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let (mut bytes, mut filled) = ([0; 4096], 0);
    while let Ok(count @ 1..) = stream.read(&mut bytes[filled..]) {
        filled += count;
        if bytes[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
    }
}

/// CPU nanoseconds a request of the worker and of the logging thread.
fn load(requests: usize) -> [f64; 2] {
    let connect = || TcpStream::connect(SocketAddrV4::new(address(1), 8_080)).unwrap();
    let mut streams: Vec<TcpStream> = std::iter::repeat_with(connect).take(CONNECTIONS).collect();
    streams.iter().for_each(|stream| stream.set_nodelay(true).unwrap());
    let mut bytes = [0; 4096];
    let before = ["edge-0", "edge-log"].map(cpu_ns);
    for _ in 0..requests / CONNECTIONS {
        streams.iter_mut().for_each(|stream| stream.write_all(REQUEST).unwrap());
        for stream in &mut streams {
            let mut filled = 0;
            while !bytes[..filled].ends_with(b"hello") {
                let count = stream.read(&mut bytes[filled..]).unwrap();
                assert!(count > 0, "the edge has closed the connection");
                filled += count;
            }
        }
    }
    drop(streams);
    // What is gathered is handed over within a quarter of a second.
    let settled = Instant::now() + Duration::from_millis(600);
    while Instant::now() < settled {
        thread::park_timeout(Duration::from_millis(50));
    }
    let after = ["edge-0", "edge-log"].map(cpu_ns);
    [0, 1].map(|i| (after[i] - before[i]) as f64 / requests as f64)
}

/// Of the thread with this name.
fn cpu_ns(name: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().path());
    let task = tasks.into_iter().find(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    let told = std::fs::read_to_string(task.unwrap().join("schedstat")).unwrap();
    told.split(' ').next().unwrap().parse().unwrap()
}

fn balancer(logs: bool) -> LoadBalancer {
    let check = json!({
        "enabled": true, "protocol": "http", "port": "traffic", "path": "/", "interval_ms": 5_000, "timeout_ms": 2_000,
        "healthy_threshold": 2, "unhealthy_threshold": 2, "matcher": [[200, 200]],
    });
    let target = json!({
        "key": {"id": "i-1", "port": 9_000}, "generation": 1, "address": address(10), "zone": "a", "mode": "active",
    });
    let group = json!({
        "id": GROUP, "protocol": "http", "algorithm": "round-robin", "health_check": check, "deregistration_delay_ms": 1_000,
        "slow_start_ms": 0, "targets": [target],
    });
    let listener = json!({
        "id": "listener", "port": 8_080, "protocol": "http",
        "default_action": {"forward": {"groups": [{"group": GROUP, "weight": 1}]}},
    });
    let mut balancer: LoadBalancer = serde_json::from_value(json!({
        "id": BALANCER, "name": "web", "dns_name": "web.localhost", "listeners": [listener], "target_groups": [group],
        "nodes": [{"zone": "a", "interface": "eni-1", "front": address(2)}], "idle_timeout_ms": 60_000,
        "client_keep_alive_ms": 3_600_000, "cross_zone": true, "preserve_host_header": false,
        "drop_invalid_header_fields": false,
    }))
    .unwrap();
    balancer.access_log = logs.then(|| LogPlace { bucket: "my-logs".into(), prefix: String::new() });
    balancer
}

/// The other end of the edge's socket.
struct Serve {
    stream: UnixStream,
    reader: FrameReader,
    version: u64,
}

impl Serve {
    fn connect(data: &Path) -> Self {
        let (socket, deadline) = (RunPaths::new(data).edge_socket(), Instant::now() + PATIENCE);
        loop {
            if let Ok(stream) = UnixStream::connect(&socket) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return Self { stream, reader: FrameReader::default(), version: 0 };
            }
            assert!(Instant::now() < deadline, "the edge does not listen");
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn send(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.encode().unwrap()).unwrap();
    }

    fn apply(&mut self, balancer: LoadBalancer) {
        self.version += 1;
        let (slot, version) = (Slot::new(SlotKind::LoadBalancer, BALANCER), self.version);
        self.send(&Frame::Effect(Effect { slot, version, want: Some(Want::LoadBalancer(Box::new(balancer))) }));
        self.until(|o| match o {
            Observation::Refused { reason, .. } => panic!("{reason}"),
            o => matches!(o, Observation::Applied { version: applied, .. } if *applied == version),
        });
    }

    /// Reads until this is told.
    fn until(&mut self, wanted: impl Fn(&Observation) -> bool) {
        let mut bytes = [0; 16 * 1024];
        loop {
            while let Some(frame) = self.reader.next_frame().unwrap() {
                if matches!(&frame, Frame::Observation(told) if wanted(told)) {
                    return;
                }
            }
            let count = self.stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the edge has closed its socket");
            self.reader.push(&bytes[..count]);
        }
    }
}
