use std::fmt;
use std::net::Ipv4Addr;

use base::{ListenerArn, LoadBalancerArn, NetworkInterfaceId, TargetGroupArn, Time};
use serde::{Deserialize, Serialize};

/// A load balancer as the edge serves it: everything it needs to know but its targets. What is left out when it is read has the
/// value of a plain application load balancer, so that an older configuration is still understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub id: LoadBalancerArn,
    pub name: String,
    /// The name users call, such as `web-1234567890.eu-central-1.elb.localhost`.
    pub dns_name: String,
    // The wish around it has a `kind` of its own.
    #[serde(default, rename = "type")]
    pub kind: BalancerKind,
    /// One for each enabled zone.
    pub nodes: Vec<Node>,
    pub listeners: Vec<Listener>,
    pub target_groups: Vec<TargetGroup>,
    /// Those that its listeners name.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Likewise.
    #[serde(default)]
    pub trust_stores: Vec<TrustStore>,
    /// `idle_timeout.timeout_seconds`, 1 to 4,000 s. A network load balancer has it per listener.
    pub idle_timeout_ms: u64,
    /// `client_keep_alive.seconds`, 60 to 604,800 s.
    pub client_keep_alive_ms: u64,
    /// `load_balancing.cross_zone.enabled`: always true for an ALB, false unless asked for of an NLB. A target group
    /// may say otherwise.
    pub cross_zone: bool,
    /// `routing.http.preserve_host_header.enabled`.
    pub preserve_host_header: bool,
    /// `routing.http.drop_invalid_header_fields.enabled`.
    pub drop_invalid_header_fields: bool,
    #[serde(default)]
    pub http: HttpAttributes,
    /// `access_logs.s3.*`.
    #[serde(default)]
    pub access_log: Option<LogPlace>,
    /// `connection_logs.s3.*`.
    #[serde(default)]
    pub connection_log: Option<LogPlace>,
    /// `health_check_logs.s3.*`.
    #[serde(default)]
    pub health_check_log: Option<LogPlace>,
    /// `ip_address_type` is `dualstack`: the shared front door listens on `::1` too.
    #[serde(default)]
    pub dualstack: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BalancerKind {
    #[default]
    Application,
    Network,
}

/// `routing.http*` attributes of an application load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpAttributes {
    /// `routing.http2.enabled`.
    pub http2: bool,
    /// `routing.http.desync_mitigation_mode`.
    pub desync: DesyncMode,
    /// `routing.http.xff_header_processing.mode`.
    pub forwarded_for: ForwardedFor,
    /// `routing.http.xff_client_port.enabled`.
    pub forwarded_client_port: bool,
    /// `routing.http.x_amzn_tls_version_and_cipher_suite.enabled`.
    pub tls_headers: bool,
}

impl Default for HttpAttributes {
    fn default() -> Self {
        Self {
            http2: true,
            desync: DesyncMode::Defensive,
            forwarded_for: ForwardedFor::Append,
            forwarded_client_port: false,
            tls_headers: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DesyncMode {
    Monitor,
    Defensive,
    Strictest,
}

/// What becomes of a request's `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedFor {
    Append,
    Preserve,
    Remove,
}

/// Where log files go: a bucket, or the directory that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    pub bucket: String,
    pub prefix: String,
}

/// The load balancer's presence in one zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub zone: String,
    /// Its interface in the VPC, from which targets see it connect.
    pub interface: NetworkInterfaceId,
    /// Loopback address at which users reach this zone's node alone.
    pub front: Ipv4Addr,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub id: ListenerArn,
    pub port: u16,
    pub protocol: Protocol,
    /// Of HTTPS and TLS listeners.
    #[serde(default)]
    pub tls: Option<ListenerTls>,
    /// In order of priority; the first that matches is taken.
    #[serde(default)]
    pub rules: Vec<ListenerRule>,
    /// When no rule matches.
    pub default_action: Action,
    /// `routing.http.response.server.enabled`: answers carry `Server: awselb/2.0` where targets send none of their own.
    #[serde(default = "yes")]
    pub server_header: bool,
    /// Headers that every answer gets in place of its own (`routing.http.response.*.header_value`): name and value.
    #[serde(default)]
    pub answer_headers: Vec<(String, String)>,
    /// Other names for the headers that the load balancer adds to requests
    /// (`routing.http.request.*.header_name`): AWS's name, the wanted one.
    #[serde(default)]
    pub request_header_names: Vec<(String, String)>,
    /// `tcp.idle_timeout.seconds` of a TCP listener, 60 to 6,000 s.
    #[serde(default)]
    pub tcp_idle_timeout_ms: Option<u64>,
}

fn yes() -> bool {
    true
}

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerTls {
    /// AWS's name of the security policy, such as `ELBSecurityPolicy-TLS13-1-2-2021-06`.
    pub policy: String,
    /// Ids of certificates; the first is for clients that name no host, or one that no other covers.
    pub certificates: Vec<String>,
    /// Of a TLS listener (network load balancer): protocols to agree on, the preferred one first.
    pub alpn: Vec<String>,
    pub clients: ClientCertificates,
}

/// `MutualAuthentication`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case")]
pub enum ClientCertificates {
    #[default]
    Off,
    /// Asked for and passed on in a header, unverified.
    Passthrough,
    Verify {
        /// Id of a trust store.
        trust_store: String,
        ignore_expiry: bool,
        advertise_names: bool,
    },
}

/// A certificate with its key. PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// ARN.
    pub id: String,
    /// The server's own first.
    pub chain: String,
    pub key: PrivateKey,
}

/// A private key in PEM, which no log shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateKey(pub String);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// Who may sign clients' certificates. PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustStore {
    /// ARN.
    pub id: String,
    pub authorities: String,
    pub revocations: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerRule {
    /// ARN.
    pub id: String,
    /// 1 to 50,000.
    pub priority: u32,
    /// All must hold.
    pub conditions: Vec<Condition>,
    pub transforms: Vec<Transform>,
    pub action: Action,
}

/// Holds when one of its values does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "field", rename_all = "kebab-case")]
pub enum Condition {
    /// Of the host, without its port; case does not matter.
    Host { values: Vec<Pattern> },
    /// Of the path, without the query; case matters.
    Path { values: Vec<Pattern> },
    /// Case of the values does not matter.
    Header { name: String, values: Vec<Pattern> },
    /// Exact.
    Method { values: Vec<String> },
    /// Of one parameter, case does not matter.
    Query { values: Vec<QueryPattern> },
    /// Addresses in CIDR notation, of the connection itself.
    SourceIp { values: Vec<String> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// `*` is any number of characters, `?` is one; a backslash takes their meaning away.
    Glob(String),
    Regex(String),
}

/// Globs over a parameter of the query string; without a key, over any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryPattern {
    pub key: Option<String>,
    pub value: String,
}

/// What a rule changes of the request before it goes on: the first match is replaced, with `$1` for a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum Transform {
    /// Of the path and query.
    Url {
        regex: String,
        replace: String,
    },
    Host {
        regex: String,
        replace: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Http,
    Https,
    Tcp,
    Tls,
    Udp,
    TcpUdp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// To one of the groups, drawn by weight.
    Forward {
        groups: Vec<WeightedGroup>,
        /// A client stays with the group that it drew, for so long.
        #[serde(default)]
        sticky_ms: Option<u64>,
    },
    FixedResponse {
        status: u16,
        content_type: Option<String>,
        body: String,
    },
    /// The parts may have `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}` in them.
    Redirect {
        protocol: String,
        host: String,
        port: String,
        path: String,
        query: String,
        /// 301 or 302.
        status: u16,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightedGroup {
    pub group: TargetGroupArn,
    /// 0 to 999.
    pub weight: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub id: TargetGroupArn,
    pub protocol: Protocol,
    #[serde(default)]
    pub version: ProtocolVersion,
    pub algorithm: Algorithm,
    /// `load_balancing.algorithm.anomaly_mitigation`; with weighted random only.
    #[serde(default)]
    pub anomaly_mitigation: bool,
    pub health_check: HealthCheck,
    /// `deregistration_delay.timeout_seconds`, 0 to 3,600 s.
    pub deregistration_delay_ms: u64,
    /// `slow_start.duration_seconds`, 0 (off) or 30 to 900 s.
    pub slow_start_ms: u64,
    #[serde(default)]
    pub stickiness: Option<Stickiness>,
    /// Whether nodes send to targets of other zones; the load balancer's setting is already taken in.
    #[serde(default = "yes")]
    pub cross_zone: bool,
    /// `target_group_health.dns_failover.*`: below it, a zone's node is left out of DNS.
    #[serde(default)]
    pub dns_failover: MinimumHealthy,
    /// `target_group_health.unhealthy_state_routing.*`: below it, requests go to all targets, whatever their health.
    #[serde(default)]
    pub fail_open: MinimumHealthy,
    #[serde(default)]
    pub flow: FlowAttributes,
    /// Targets that have no slot of their own, as an older `serve` tells of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
}

/// `ProtocolVersion`: what targets speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtocolVersion {
    #[default]
    Http1,
    Http2,
    Grpc,
}

/// How a client comes back to the target that served it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Stickiness {
    /// The load balancer's own cookie, `AWSALB`.
    BalancerCookie { duration_ms: u64 },
    /// A cookie that the application sets.
    ApplicationCookie { name: String, duration_ms: u64 },
    /// Of a network load balancer.
    SourceIp,
}

/// The fewest healthy targets at which all is well: so many, and so large a part of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinimumHealthy {
    /// None is `off`.
    pub count: Option<u32>,
    /// 1 to 100; none is `off`.
    pub percent: Option<u32>,
}

impl Default for MinimumHealthy {
    fn default() -> Self {
        Self { count: Some(1), percent: None }
    }
}

/// Attributes of a network load balancer's target group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowAttributes {
    /// `preserve_client_ip.enabled`.
    pub preserve_client: bool,
    /// `proxy_protocol_v2.enabled`: before the first byte of a connection, and in each datagram.
    pub proxy_protocol: bool,
    /// `deregistration_delay.connection_termination.enabled`.
    pub cut_at_deregistration: bool,
    /// `target_health_state.unhealthy.connection_termination.enabled`.
    pub cut_when_unhealthy: bool,
    /// `target_health_state.unhealthy.draining_interval_seconds`: where they are not cut at once, so long after. Zero: never.
    #[serde(default, skip_serializing_if = "crate::report::is_zero")]
    pub unhealthy_draining_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    RoundRobin,
    LeastOutstandingRequests,
    WeightedRandom,
}

/// How targets of a group are probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub enabled: bool,
    pub protocol: Protocol,
    pub port: HealthCheckPort,
    pub path: String,
    /// 5 to 300 s.
    pub interval_ms: u64,
    /// 2 to 120 s.
    pub timeout_ms: u64,
    /// 2 to 10. The first check that a new target passes makes it healthy all the same, as at AWS.
    pub healthy_threshold: u32,
    /// 2 to 10.
    pub unhealthy_threshold: u32,
    /// Inclusive ranges of status that count as healthy: HTTP's, or gRPC's (0 to 99) for a group of gRPC targets. A check
    /// by TCP has none: to connect is enough.
    pub matcher: Vec<(u16, u16)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCheckPort {
    Traffic,
    Port(u16),
}

/// Names a target within its group: its id (an instance's or an address) and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetKey {
    pub id: String,
    pub port: u16,
}

/// A target of one of a load balancer's groups. It is a thing of its own in the world, beside its load balancer: so a target
/// that comes, drains or goes is told of without a word about all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredTarget {
    pub load_balancer: LoadBalancerArn,
    pub group: TargetGroupArn,
    pub target: Target,
}

impl RegisteredTarget {
    /// The slot's id. A group has one load balancer at most.
    pub fn id_of(group: &TargetGroupArn, target: &TargetKey) -> String {
        format!("{group}|{}|{}", target.id, target.port)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub key: TargetKey,
    /// Counts registrations of the same key; observations carry it.
    pub generation: u64,
    pub address: Ipv4Addr,
    pub zone: String,
    pub mode: TargetMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetMode {
    /// Gets new requests once it is healthy.
    Active,
    /// Finishes what it has and gets nothing new; cut off at the deadline.
    Draining { until: Time },
}
