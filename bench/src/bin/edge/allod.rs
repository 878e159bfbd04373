//! Our edge in a process of its own, and the side of `serve` that configures it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bench::{Result, bound, fail, wait_for};
use edge::{EdgeOptions, Sockets};
use world::{
    Action, Algorithm, BalancerKind, Certificate, ClientCertificates, Effect, FlowAttributes, Frame, FrameReader, HealthCheck,
    HealthCheckPort, HttpAttributes, Listener, ListenerTls, LoadBalancer, MinimumHealthy, Node, Observation, PrivateKey,
    Protocol, ProtocolVersion, RunPaths, Slot, Target, TargetGroup, TargetHealth, TargetKey, TargetMode, Want, WeightedGroup,
};

use crate::proxies::{FLOW_PORT, Identity, SECURE_PORT};

/// The argument that makes this program an edge: a directory and the address of its door follow.
pub const EDGE: &str = "run-edge";
const PATIENCE: Duration = Duration::from_secs(20);
pub const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/bench/1";
const CERTIFICATE: &str = "arn:aws:acm:eu-central-1:000000000000:certificate/bench";
const GROUP: &str = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/bench/1";

/// How this program is started as an edge.
pub fn command(directory: &Path, door: SocketAddr) -> Result<Command> {
    let mut command = bound(std::env::current_exe()?);
    command.arg(EDGE).arg(directory).arg(v4(door)?.to_string()).stderr(Stdio::inherit());
    Ok(command)
}

/// What it then does: one worker, no network namespaces.
pub fn run(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let (Some(directory), Some(door)) = (arguments.next(), arguments.next()) else { return fail("a directory and an address") };
    let options = EdgeOptions { workers: 1, sockets: Sockets::Direct, front_door: door.parse()?, ..EdgeOptions::new(directory) };
    Ok(edge::run(options)?)
}

fn v4(address: SocketAddr) -> Result<Ipv4Addr> {
    match address.ip() {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => fail("an IPv4 address is needed"),
    }
}

/// The other end of the edge's socket.
pub struct Serve {
    stream: UnixStream,
    reader: FrameReader,
}

impl Serve {
    /// Connects, configures, and waits until the target is healthy.
    pub fn tell(directory: &Path, balancers: &Result<[LoadBalancer; 2]>) -> Result<Self> {
        let balancers = balancers.as_ref().map_err(|e| bench::Failure(e.0.clone()))?;
        let mut serve = Self::connect(directory)?;
        for balancer in balancers {
            serve.apply(1, Want::LoadBalancer(Box::new(balancer.clone())))?;
            serve.wait(|o| Ok(matches!(o, Observation::Target { health: TargetHealth::Healthy, .. }).then_some(())))?;
        }
        Ok(serve)
    }

    /// Takes the place of whoever told the edge before.
    pub fn connect(directory: &Path) -> Result<Self> {
        let socket = RunPaths::new(directory).edge_socket();
        let stream = wait_for("the edge listens", PATIENCE, Duration::from_millis(10), || Ok(UnixStream::connect(&socket).ok()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, reader: FrameReader::default() })
    }

    /// Sends what is wanted of one thing and waits until it is in force.
    pub fn apply(&mut self, version: u64, want: Want) -> Result<()> {
        self.change(want.slot(), version, Some(want))
    }

    /// Says how a thing is wanted, or that it is not, and waits until it is so.
    pub fn change(&mut self, slot: Slot, version: u64, want: Option<Want>) -> Result<()> {
        self.stream.write_all(&Frame::Effect(Effect { slot, version, want }).encode()?)?;
        self.wait(|o| match o {
            Observation::Applied { version: v, .. } => Ok((*v == version).then_some(())),
            Observation::Refused { reason, .. } => fail(format!("the edge refuses its configuration: {reason}")),
            _ => Ok(None),
        })
    }

    fn wait<T>(&mut self, find: impl Fn(&Observation) -> Result<Option<T>>) -> Result<T> {
        let mut bytes = [0; 64 * 1_024];
        loop {
            while let Some(frame) = self.reader.next_frame()? {
                if let Frame::Observation(observation) = &frame
                    && let Some(found) = find(observation)?
                {
                    return Ok(found);
                }
            }
            let count = self.stream.read(&mut bytes)?;
            if count == 0 {
                return fail("the edge hung up");
            }
            self.reader.push(&bytes[..count]);
        }
    }
}

/// A load balancer of one listener at `door`, one with TLS beside it, and one target.
pub fn balancer(door: SocketAddr, target: SocketAddr, identity: &Identity) -> Result<LoadBalancer> {
    let forward = Action::Forward { groups: vec![WeightedGroup { group: GROUP.into(), weight: 1 }], sticky_ms: None };
    let [a, b, c, d] = v4(door)?.octets();
    Ok(LoadBalancer {
        id: BALANCER.into(),
        name: "bench".into(),
        dns_name: "bench-1.eu-central-1.elb.localhost".into(),
        kind: BalancerKind::Application,
        nodes: vec![Node { zone: "a".into(), interface: "eni-a".into(), front: Ipv4Addr::new(a, b, c, d + 1) }],
        listeners: vec![listener("plain", door.port(), &forward), secure_listener(&forward)],
        target_groups: vec![group(target)?],
        certificates: vec![Certificate {
            id: CERTIFICATE.into(),
            chain: identity.chain.clone(),
            key: PrivateKey(identity.key.clone()),
        }],
        trust_stores: Vec::new(),
        idle_timeout_ms: 3_600_000,
        client_keep_alive_ms: 3_600_000,
        cross_zone: true,
        preserve_host_header: false,
        drop_invalid_header_fields: false,
        http: HttpAttributes::default(),
        access_log: None,
        connection_log: None,
        health_check_log: None,
        dualstack: false,
    })
}

/// A network load balancer to the same target.
pub fn network(beside: &LoadBalancer) -> LoadBalancer {
    let mut network = beside.clone();
    network.id = BALANCER.replace("/app/", "/net/").as_str().into();
    network.kind = BalancerKind::Network;
    for node in &mut network.nodes {
        let [a, b, c, d] = node.front.octets();
        node.front = Ipv4Addr::new(a, b, c, d + 1);
    }
    let plain = network.listeners.remove(0);
    let id = format!("{}/flow", network.id).as_str().into();
    network.listeners = vec![Listener { id, port: FLOW_PORT, protocol: Protocol::Tcp, ..plain }];
    network.target_groups.iter_mut().for_each(|group| group.protocol = Protocol::Tcp);
    network
}

fn listener(name: &str, port: u16, forward: &Action) -> Listener {
    Listener {
        id: format!("{BALANCER}/{name}").as_str().into(),
        port,
        protocol: Protocol::Http,
        tls: None,
        rules: Vec::new(),
        default_action: forward.clone(),
        server_header: true,
        answer_headers: Vec::new(),
        request_header_names: Vec::new(),
        tcp_idle_timeout_ms: None,
    }
}

fn secure_listener(forward: &Action) -> Listener {
    let tls = ListenerTls {
        policy: "ELBSecurityPolicy-TLS13-1-2-Res-2021-06".into(),
        certificates: vec![CERTIFICATE.into()],
        alpn: Vec::new(),
        clients: ClientCertificates::Off,
    };
    Listener { protocol: Protocol::Https, tls: Some(tls), ..listener("secure", SECURE_PORT, forward) }
}

fn group(target: SocketAddr) -> Result<TargetGroup> {
    Ok(TargetGroup {
        id: GROUP.into(),
        protocol: Protocol::Http,
        version: ProtocolVersion::Http1,
        algorithm: Algorithm::RoundRobin,
        anomaly_mitigation: false,
        health_check: HealthCheck {
            enabled: true,
            protocol: Protocol::Http,
            port: HealthCheckPort::Traffic,
            path: "/health".into(),
            interval_ms: 30_000,
            timeout_ms: 5_000,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            matcher: vec![(200, 200)],
        },
        deregistration_delay_ms: 0,
        slow_start_ms: 0,
        stickiness: None,
        cross_zone: true,
        dns_failover: MinimumHealthy::default(),
        fail_open: MinimumHealthy::default(),
        flow: FlowAttributes::default(),
        targets: vec![Target {
            key: TargetKey { id: "i-1".into(), port: target.port() },
            generation: 1,
            address: v4(target)?,
            zone: "a".into(),
            mode: TargetMode::Active,
        }],
    })
}
