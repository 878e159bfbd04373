//! An edge with a data directory of its own, and the `serve` that it talks to.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use edge::{EdgeError, EdgeOptions, Sockets};
use tempfile::TempDir;
use world::{
    Action, Algorithm, BalancerKind, Effect, FlowAttributes, Frame, FrameReader, HealthCheck, HealthCheckPort, HttpAttributes,
    Listener, LoadBalancer, MinimumHealthy, Node, Observation, Protocol, ProtocolVersion, RegisteredTarget, RunPaths, Slot,
    SlotKind, Target, TargetGroup, TargetHealth, TargetKey, TargetMode, Want, WeightedGroup,
};

/// The port of most listeners.
pub const PORT: u16 = 8080;
/// The port of most targets.
pub const TARGET_PORT: u16 = 9000;
pub const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/web/1";
pub const GROUP: &str = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/web/1";
const PATIENCE: Duration = Duration::from_secs(15);

/// Polls until there is a value.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// 127.x.y.0/24 that no other test of this or another run uses. A run has more of them than one octet counts.
pub fn network() -> [u8; 3] {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [round, number] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    assert!(round < 2, "there are networks for 511 tests");
    [127, 64 + 64 * round + (std::process::id() % 64) as u8, number]
}

pub struct Rig {
    pub network: [u8; 3],
    pub directory: TempDir,
    pub serve: Serve,
    edge: Option<JoinHandle<Result<(), EdgeError>>>,
    version: u64,
}

impl Rig {
    /// An edge of two workers with a connected `serve`.
    pub fn start() -> Self {
        Self::start_with(Sockets::Direct)
    }

    pub fn start_with(sockets: Sockets) -> Self {
        let mut rig = Self::without_edge();
        let options = EdgeOptions { sockets, ..options(rig.directory.path(), rig.network) };
        rig.edge = Some(thread::spawn(move || edge::run(options)));
        rig.reconnect();
        rig
    }

    /// Nothing but the place: someone else starts the edge.
    pub fn without_edge() -> Self {
        let (network, directory) = (network(), tempfile::tempdir().unwrap());
        Self { network, directory, serve: Serve::to_nobody(), edge: None, version: 0 }
    }

    pub fn address(&self, host: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, host)
    }

    /// The shared front door.
    pub fn door(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(1), PORT)
    }

    /// Where target number so and so listens.
    pub fn target_at(&self, number: u8) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(10 + number), TARGET_PORT)
    }

    pub fn target(&self, number: u8) -> Target {
        Target {
            key: TargetKey { id: format!("i-{number}"), port: TARGET_PORT },
            generation: 1,
            address: self.address(10 + number),
            zone: if number.is_multiple_of(2) { "a" } else { "b" }.into(),
            mode: TargetMode::Active,
        }
    }

    /// A load balancer in two zones that forwards to these targets.
    pub fn balancer(&self, targets: &[u8]) -> LoadBalancer {
        let group = TargetGroup {
            id: GROUP.into(),
            protocol: Protocol::Http,
            algorithm: Algorithm::RoundRobin,
            health_check: HealthCheck {
                enabled: true,
                protocol: Protocol::Http,
                port: HealthCheckPort::Traffic,
                path: "/health".into(),
                interval_ms: 300,
                timeout_ms: 200,
                healthy_threshold: 2,
                unhealthy_threshold: 2,
                matcher: vec![(200, 200)],
            },
            deregistration_delay_ms: 3_000,
            slow_start_ms: 0,
            version: ProtocolVersion::Http1,
            anomaly_mitigation: false,
            stickiness: None,
            cross_zone: true,
            dns_failover: MinimumHealthy::default(),
            fail_open: MinimumHealthy::default(),
            flow: FlowAttributes::default(),
            targets: targets.iter().map(|n| self.target(*n)).collect(),
        };
        let node = |zone: &str, host| Node {
            zone: zone.into(),
            interface: format!("eni-{zone}").as_str().into(),
            front: self.address(host),
        };
        let forward = Action::Forward { groups: vec![WeightedGroup { group: GROUP.into(), weight: 1 }], sticky_ms: None };
        LoadBalancer {
            id: BALANCER.into(),
            name: "web".into(),
            dns_name: "web-1.eu-central-1.elb.localhost".into(),
            nodes: vec![node("a", 2), node("b", 3)],
            listeners: vec![Listener {
                id: format!("{BALANCER}/listener").as_str().into(),
                port: PORT,
                protocol: Protocol::Http,
                tls: None,
                rules: Vec::new(),
                default_action: forward,
                server_header: true,
                answer_headers: Vec::new(),
                request_header_names: Vec::new(),
                tcp_idle_timeout_ms: None,
            }],
            target_groups: vec![group],
            idle_timeout_ms: 60_000,
            client_keep_alive_ms: 3_600_000,
            kind: BalancerKind::Application,
            certificates: Vec::new(),
            trust_stores: Vec::new(),
            http: HttpAttributes::default(),
            access_log: None,
            connection_log: None,
            health_check_log: None,
            dualstack: false,
            cross_zone: true,
            preserve_host_header: false,
            drop_invalid_header_fields: false,
        }
    }

    /// Sends a configuration; returns its version.
    pub fn send(&mut self, balancer: LoadBalancer) -> u64 {
        self.version += 1;
        let slot = Slot::new(SlotKind::LoadBalancer, balancer.id.as_str());
        self.serve.send(&Frame::Effect(Effect {
            slot,
            version: self.version,
            want: Some(Want::LoadBalancer(Box::new(balancer))),
        }));
        self.version
    }

    /// Sends a configuration and waits until it is applied.
    pub fn apply(&mut self, balancer: LoadBalancer) {
        let id = balancer.id.clone();
        let version = self.send(balancer);
        self.serve.await_observation("applied", |o| match o {
            Observation::Applied { slot, version: v } => (*v == version && slot.id == *id).then_some(()),
            Observation::Refused { reason, version: v, .. } => {
                assert_ne!(*v, version, "refused: {reason}");
                None
            }
            _ => None,
        });
    }

    /// Tells of a target in a slot of its own; returns the slot's id.
    pub fn tell(&mut self, told: RegisteredTarget) -> String {
        let id = RegisteredTarget::id_of(&told.group, &told.target.key);
        self.wish(&id, Some(Want::Target(told)));
        id
    }

    /// Takes such a target away.
    pub fn forget(&mut self, slot: String) {
        self.wish(&slot, None);
    }

    fn wish(&mut self, target: &str, want: Option<Want>) {
        self.version += 1;
        let (slot, version) = (Slot::new(SlotKind::Target, target), self.version);
        self.serve.send(&Frame::Effect(Effect { slot, version, want }));
    }

    /// Sends one that must be refused; returns the reason.
    pub fn refused(&mut self, balancer: LoadBalancer) -> String {
        let version = self.send(balancer);
        self.serve.await_observation("refused", |o| match o {
            Observation::Refused { reason, version: v, .. } if *v == version => Some(reason.clone()),
            Observation::Applied { version: v, .. } => {
                assert_ne!(*v, version, "applied");
                None
            }
            _ => None,
        })
    }

    /// Applies a load balancer over these targets and waits until all are healthy.
    pub fn serve_with(&mut self, targets: &[u8]) {
        let balancer = self.balancer(targets);
        self.apply(balancer);
        targets.iter().for_each(|n| self.serve.await_health(*n, &TargetHealth::Healthy));
    }

    pub fn reconnect(&mut self) {
        self.serve = Serve::connect(self.directory.path());
    }

    pub fn paths(&self) -> RunPaths {
        RunPaths::new(self.directory.path())
    }

    /// Ends the edge as a signal does, and starts another one.
    pub fn restart(&mut self) {
        self.shut_down(false).unwrap();
        self.start_another();
    }

    /// Starts an edge; one that runs hands over to it.
    pub fn start_another(&mut self) {
        let again = options(self.directory.path(), self.network);
        self.edge = Some(thread::spawn(move || edge::run(again)));
        self.serve.await_end();
        self.reconnect();
    }

    /// The thread of the edge, which nobody else waits for then.
    pub fn take_edge(&mut self) -> JoinHandle<Result<(), EdgeError>> {
        self.edge.take().unwrap()
    }

    pub fn shut_down(&mut self, purge: bool) -> Result<(), EdgeError> {
        self.serve.send(&Frame::Shutdown { purge });
        self.edge.take().map_or(Ok(()), |edge| edge.join().unwrap())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if self.edge.is_some() && !thread::panicking() {
            self.shut_down(true).unwrap();
        }
    }
}

pub fn options(data: &Path, network: [u8; 3]) -> EdgeOptions {
    let [a, b, c] = network;
    EdgeOptions {
        workers: 2,
        sockets: Sockets::Direct,
        front_door: Ipv4Addr::new(a, b, c, 1),
        stop_grace: Duration::from_secs(3),
        ..EdgeOptions::new(data)
    }
}

/// The other end of the edge's socket.
pub struct Serve {
    stream: UnixStream,
    pub applied: Vec<(Slot, u64)>,
    seen: Arc<Mutex<Vec<Observation>>>,
    ended: Arc<AtomicBool>,
}

impl Serve {
    pub fn connect(data: &Path) -> Self {
        eventually("the edge listens for serve, and says hello", || Self::try_connect(data))
    }

    /// Unless nobody is there, or is just ending.
    pub fn try_connect(data: &Path) -> Option<Self> {
        let mut stream = UnixStream::connect(RunPaths::new(data).edge_socket()).ok()?;
        let mut reader = FrameReader::default();
        let hello = next_frame(&mut stream, &mut reader)?;
        let Frame::Hello { applied, .. } = hello else { panic!("the edge began with {hello:?}") };
        let seen: Arc<Mutex<Vec<Observation>>> = Arc::default();
        let ended: Arc<AtomicBool> = Arc::default();
        let (mut incoming, inner, over) = (stream.try_clone().unwrap(), seen.clone(), ended.clone());
        thread::spawn(move || {
            while let Some(frame) = next_frame(&mut incoming, &mut reader) {
                let Frame::Observation(observation) = frame else { panic!("the edge sent {frame:?}") };
                inner.lock().unwrap().push(observation);
            }
            over.store(true, Ordering::SeqCst);
        });
        Some(Self { stream, applied, seen, ended })
    }

    fn to_nobody() -> Self {
        Self { stream: UnixStream::pair().unwrap().0, applied: Vec::new(), seen: Arc::default(), ended: Arc::default() }
    }

    pub fn send(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.encode().unwrap()).unwrap();
    }

    /// Waits until the edge has ended the connection.
    pub fn await_end(&mut self) {
        eventually("the edge hangs up", || self.ended.load(Ordering::SeqCst).then_some(()));
    }

    /// Ends the connection, as the death of `serve` does.
    pub fn hang_up(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
    }

    pub fn observations(&self) -> Vec<Observation> {
        self.seen.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn await_observation<T>(&self, what: &str, find: impl Fn(&Observation) -> Option<T>) -> T {
        eventually(what, || self.seen.lock().unwrap().iter().find_map(&find))
    }

    /// Requests that reports of traffic told of.
    pub fn requests(&self) -> u64 {
        let of = |o: Observation| match o {
            Observation::Traffic { balancers, .. } => balancers.iter().map(|b| b.requests).sum(),
            _ => 0,
        };
        self.observations().into_iter().map(of).sum()
    }

    /// Everything that was said about a target's health, in order.
    pub fn healths(&self, number: u8) -> Vec<TargetHealth> {
        let id = format!("i-{number}");
        let about = |o: Observation| match o {
            Observation::Target { target, health, .. } if target.id == id => Some(health),
            _ => None,
        };
        self.observations().into_iter().filter_map(about).collect()
    }

    /// Waits until this is the last word about a target's health.
    #[track_caller]
    pub fn await_health(&self, number: u8, health: &TargetHealth) {
        eventually(&format!("target {number} is {health:?}, was {:?}", self.healths(number)), || {
            (self.healths(number).last() == Some(health)).then_some(())
        });
    }
}

fn next_frame(stream: &mut UnixStream, reader: &mut FrameReader) -> Option<Frame> {
    let mut bytes = [0; 64 * 1024];
    loop {
        if let Some(frame) = reader.next_frame().unwrap() {
            return Some(frame);
        }
        let count = stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
        reader.push(&bytes[..count]);
    }
}
