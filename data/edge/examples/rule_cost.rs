//! Measures what rules cost a request, and a change of a configuration with 1,000 targets:
//! `cargo run --release -p edge --example rule_cost`.

use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use edge::testing::Chooser;
use edge::{EdgeOptions, Sockets};
use world::{
    Action, Algorithm, BalancerKind, Condition, Effect, FlowAttributes, Frame, FrameReader, HealthCheck, HealthCheckPort,
    HttpAttributes, Listener, ListenerRule, LoadBalancer, MinimumHealthy, Node, Observation, Pattern, Protocol, ProtocolVersion,
    QueryPattern, RunPaths, Slot, SlotKind, Target, TargetGroup, TargetKey, TargetMode, Want, WeightedGroup,
};

const RULES: u32 = 100;
const ROUNDS: u32 = 200_000;
const TARGETS: u16 = 1_000;
const CHANGES: usize = 50;
const FRONT: Ipv4Addr = Ipv4Addr::new(127, 191, 7, 2);
const DOOR: Ipv4Addr = Ipv4Addr::new(127, 191, 7, 1);
const PORT: u16 = 18_080;
const GROUP: &str = "arn:group";
const HEAD: &str = "GET /app/users/42?stage=beta&page=3 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
    Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\nCookie: a=b; c=d\r\nX-Tenant: none\r\n\r\n";

fn glob(text: String) -> Vec<Pattern> {
    vec![Pattern::Glob(text)]
}

/// A name, and the condition of rule number so and so, which the request does not meet.
type Kind = (&'static str, fn(u32) -> Vec<Condition>);

const KINDS: [Kind; 9] = [
    ("host", |n| vec![Condition::Host { values: glob(format!("tenant{n}.example.com")) }]),
    ("host with wildcard", |n| vec![Condition::Host { values: glob(format!("*.tenant{n}.example.com")) }]),
    ("path prefix", |n| vec![Condition::Path { values: glob(format!("/app{n}/*")) }]),
    ("host and path", |n| {
        vec![Condition::Host { values: glob("www.example.com".into()) }, Condition::Path { values: glob(format!("/app/{n}/*")) }]
    }),
    ("path suffix", |n| vec![Condition::Path { values: glob(format!("*.ext{n}")) }]),
    ("header", |n| vec![Condition::Header { name: "X-Tenant".into(), values: glob(format!("tenant{n}")) }]),
    ("query string", |n| {
        vec![Condition::Query { values: vec![QueryPattern { key: Some("page".into()), value: format!("page{n}") }] }]
    }),
    ("source address", |n| vec![Condition::SourceIp { values: vec![format!("10.{n}.0.0/16")] }]),
    ("path by expression", |n| vec![Condition::Path { values: vec![Pattern::Regex(format!("^/v{n}/[a-z]+/"))] }]),
];

fn rules(count: u32, conditions: fn(u32) -> Vec<Condition>) -> Vec<ListenerRule> {
    let rule = |priority| ListenerRule {
        id: format!("rule-{priority}"),
        priority,
        conditions: conditions(priority),
        transforms: Vec::new(),
        action: Action::FixedResponse { status: 404, content_type: None, body: String::new() },
    };
    (1..=count).map(rule).collect()
}

fn listener(rules: Vec<ListenerRule>) -> Listener {
    Listener {
        id: "arn:listener".into(),
        port: PORT,
        protocol: Protocol::Http,
        tls: None,
        rules,
        default_action: Action::Forward { groups: vec![WeightedGroup { group: GROUP.into(), weight: 1 }], sticky_ms: None },
        server_header: true,
        answer_headers: Vec::new(),
        request_header_names: Vec::new(),
        tcp_idle_timeout_ms: None,
    }
}

/// Nanoseconds that finding the rule takes; the best of five runs.
fn cost_ns(count: u32, conditions: fn(u32) -> Vec<Condition>) -> Result<f64, String> {
    let chooser = Chooser::new(&listener(rules(count, conditions)))?;
    let mut best = f64::MAX;
    chooser.with_request(HEAD.as_bytes(), IpAddr::V4(Ipv4Addr::LOCALHOST), |decide| {
        for _ in 0..5 {
            let started = Instant::now();
            (0..ROUNDS).for_each(|_| assert_eq!(black_box(decide()), None));
            best = best.min(started.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS));
        }
    })?;
    Ok(best)
}

fn balancer(changed: usize) -> LoadBalancer {
    let target = |port: u16| Target {
        key: TargetKey { id: format!("i-{port}"), port },
        generation: 1,
        address: Ipv4Addr::new(127, 191, 8, 1),
        zone: "a".into(),
        mode: TargetMode::Active,
    };
    let health_check = HealthCheck {
        enabled: false,
        protocol: Protocol::Http,
        port: HealthCheckPort::Traffic,
        path: "/".into(),
        interval_ms: 30_000,
        timeout_ms: 5_000,
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        matcher: vec![(200, 200)],
    };
    // Each change takes one target away and brings another.
    let first = 20_000 + u16::try_from(changed).unwrap_or(0);
    let group = TargetGroup {
        id: GROUP.into(),
        protocol: Protocol::Http,
        version: ProtocolVersion::Http1,
        algorithm: Algorithm::RoundRobin,
        anomaly_mitigation: false,
        health_check,
        deregistration_delay_ms: 0,
        slow_start_ms: 0,
        stickiness: None,
        cross_zone: true,
        dns_failover: MinimumHealthy::default(),
        fail_open: MinimumHealthy::default(),
        flow: FlowAttributes::default(),
        targets: (first..first + TARGETS).map(target).collect(),
    };
    let mut answering = rules(RULES, KINDS[2].1);
    answering[0].conditions = vec![Condition::Path { values: glob("/ping".into()) }];
    LoadBalancer {
        id: "arn:balancer".into(),
        name: "cost".into(),
        dns_name: "cost.localhost".into(),
        kind: BalancerKind::Application,
        nodes: vec![Node { zone: "a".into(), interface: "eni-a".into(), front: FRONT }],
        listeners: vec![listener(answering)],
        target_groups: vec![group],
        certificates: Vec::new(),
        trust_stores: Vec::new(),
        idle_timeout_ms: 60_000,
        client_keep_alive_ms: 3_600_000,
        cross_zone: true,
        preserve_host_header: false,
        drop_invalid_header_fields: false,
        http: HttpAttributes::default(),
        access_log: None,
        connection_log: None,
        health_check_log: None,
        dualstack: false,
    }
}

/// The other end of the edge's socket.
struct Serve {
    stream: UnixStream,
    reader: FrameReader,
}

impl Serve {
    fn connect(data: &std::path::Path) -> Result<Self, Box<dyn Error>> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match UnixStream::connect(RunPaths::new(data).edge_socket()) {
                Ok(stream) => return Ok(Self { stream, reader: FrameReader::default() }),
                Err(e) if Instant::now() > deadline => return Err(e.into()),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    fn next(&mut self) -> Result<Frame, Box<dyn Error>> {
        let mut bytes = [0; 64 * 1024];
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                return Ok(frame);
            }
            let count = self.stream.read(&mut bytes)?;
            self.reader.push(&bytes[..count]);
        }
    }

    /// How long a configuration takes from here to all workers and back.
    fn apply(&mut self, version: u64) -> Result<Duration, Box<dyn Error>> {
        let balancer = balancer(usize::try_from(version)?);
        let slot = Slot::new(SlotKind::LoadBalancer, balancer.id.as_str());
        let frame = Frame::Effect(Effect { slot, version, want: Some(Want::LoadBalancer(Box::new(balancer))) }).encode()?;
        let started = Instant::now();
        self.stream.write_all(&frame)?;
        loop {
            match self.next()? {
                Frame::Observation(Observation::Applied { version: applied, .. }) if applied == version => {
                    return Ok(started.elapsed());
                }
                Frame::Observation(Observation::Refused { reason, .. }) => return Err(reason.into()),
                _ => {}
            }
        }
    }
}

/// Asks without a pause until told to stop; returns how long each request took.
fn ask(stop: &std::sync::atomic::AtomicBool) -> std::io::Result<Vec<Duration>> {
    let mut client = TcpStream::connect(SocketAddrV4::new(FRONT, PORT))?;
    client.set_nodelay(true)?;
    let (mut took, mut bytes) = (Vec::new(), [0; 4096]);
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let started = Instant::now();
        client.write_all(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let count = client.read(&mut bytes)?;
        assert!(bytes[..count].starts_with(b"HTTP/1.1 404"), "{:?}", String::from_utf8_lossy(&bytes[..count]));
        took.push(started.elapsed());
    }
    took.sort();
    Ok(took)
}

/// Processor time that threads of this process have used, by their names.
fn used(name: &str) -> Result<Duration, Box<dyn Error>> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == name {
            let on_processor = std::fs::read_to_string(task.join("schedstat"))?;
            return Ok(Duration::from_nanos(on_processor.split(' ').next().unwrap_or_default().parse()?));
        }
    }
    Err(format!("no thread is called {name}").into())
}

/// What changes cost when nothing else is to be done.
fn quiet_changes(serve: &mut Serve) -> Result<(), Box<dyn Error>> {
    let before = (used("control")?, used("edge-0")?);
    let mut applied = (0..CHANGES).map(|n| serve.apply(2 + n as u64)).collect::<Result<Vec<_>, _>>()?;
    let (control, worker) = (used("control")? - before.0, used("edge-0")? - before.1);
    applied.sort();
    let changes = u32::try_from(CHANGES)?;
    println!(
        "{CHANGES} changes of {TARGETS} targets: shortest {:?}, median {:?}; processor time of the control thread {:?}, of the worker {:?}",
        applied[0],
        applied[CHANGES / 2],
        control / changes,
        worker / changes
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("finding the rule, ns a request ({RULES} rules that do not match, against one):");
    for (name, conditions) in KINDS {
        println!("  {name:20} {:6.0} {:6.0}", cost_ns(1, conditions)?, cost_ns(RULES, conditions)?);
    }
    let directory = tempfile::tempdir()?;
    let options = EdgeOptions { workers: 1, sockets: Sockets::Direct, front_door: DOOR, ..EdgeOptions::new(directory.path()) };
    let edge = std::thread::Builder::new().name("control".into()).spawn(move || edge::run(options))?;
    let mut serve = Serve::connect(directory.path())?;
    serve.apply(1)?;
    quiet_changes(&mut serve)?;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    for change in [false, true] {
        let told = stop.clone();
        let asking = std::thread::spawn(move || ask(&told));
        let mut applied = Vec::new();
        for number in 0..CHANGES {
            std::thread::sleep(Duration::from_millis(20));
            if change {
                applied.push(serve.apply((2 + CHANGES + number) as u64)?);
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let took = asking.join().map_err(|_| "the client failed")??;
        stop.store(false, std::sync::atomic::Ordering::Relaxed);
        applied.sort();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        println!(
            "{} requests{}: p50 {:?}, p99.9 {:?}, longest {:?}",
            took.len(),
            if change { " during changes" } else { "" },
            at(0.5),
            at(0.999),
            at(1.0)
        );
        if let Some(last) = applied.last() {
            println!("{CHANGES} changes of {TARGETS} targets: median {:?}, longest {last:?}", applied[CHANGES / 2]);
        }
    }
    serve.stream.write_all(&Frame::Shutdown { purge: true }.encode()?)?;
    edge.join().map_err(|_| "the edge failed")??;
    Ok(())
}
