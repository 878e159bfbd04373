use std::net::Ipv4Addr;

use base::{ListenerArn, LoadBalancerArn, NetworkInterfaceId, TargetGroupArn, Time};
use serde::{Deserialize, Serialize};

/// An application load balancer as the edge serves it: everything it needs to know, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub id: LoadBalancerArn,
    pub name: String,
    /// The name users call, such as `web-1234567890.eu-central-1.elb.localhost`.
    pub dns_name: String,
    /// One for each enabled zone.
    pub nodes: Vec<Node>,
    pub listeners: Vec<Listener>,
    pub target_groups: Vec<TargetGroup>,
    /// `idle_timeout.timeout_seconds`, 1 to 4,000 s.
    pub idle_timeout_ms: u64,
    /// `client_keep_alive.seconds`, 60 to 604,800 s.
    pub client_keep_alive_ms: u64,
    /// `load_balancing.cross_zone.enabled`; always true for an ALB, a target group may turn it off.
    pub cross_zone: bool,
    /// `routing.http.preserve_host_header.enabled`.
    pub preserve_host_header: bool,
    /// `routing.http.drop_invalid_header_fields.enabled`.
    pub drop_invalid_header_fields: bool,
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
    pub default_action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// To one of the groups, drawn by weight.
    Forward {
        groups: Vec<WeightedGroup>,
    },
    FixedResponse {
        status: u16,
        content_type: Option<String>,
        body: String,
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
    pub algorithm: Algorithm,
    pub health_check: HealthCheck,
    /// `deregistration_delay.timeout_seconds`, 0 to 3,600 s.
    pub deregistration_delay_ms: u64,
    /// `slow_start.duration_seconds`, 0 (off) or 30 to 900 s.
    pub slow_start_ms: u64,
    pub targets: Vec<Target>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    RoundRobin,
    LeastOutstandingRequests,
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
    /// Inclusive ranges of HTTP status that count as healthy.
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
