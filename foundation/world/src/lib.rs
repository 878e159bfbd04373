//! The vocabulary between plan and reality: what the control plane wants (`Effect`) and what the world reports
//! (`Observation`), as plain data. This crate knows no service and does no IO.
//!
//! An effect is never "do this" but "this is how the thing called `slot` must be", so sending one twice is
//! harmless and only the newest version of a slot counts. An executor (host, edge, or the simulated world) keeps
//! what it has applied, answers each effect with [`Observation::Applied`] or [`Observation::Refused`], and reports
//! what happens by itself.

mod certificate;
mod delivery;
mod endpoint;
mod frame;
mod instance;
mod load_balancer;
mod network;
mod observation;
mod paths;
mod periods;
mod report;
mod rule_terms;
mod security_policy;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use certificate::{CertificateOrder, IssuedCertificate, KeyAlgorithm};
pub use delivery::{Delivery, Destination, MessageAttribute, MessageForm, MessageKind};
pub use endpoint::{ENDPOINT_NETWORKS_MAX, EndpointNetworks, IpNetwork, NotANetwork, RefusedAddress};
pub use frame::{FRAME_BYTES_MAX, Frame, FrameError, FrameReader};
pub use instance::{Image, Instance, Metadata, Power};
pub use load_balancer::{
    Action, Algorithm, BalancerKind, Certificate, ClientCertificates, Condition, DesyncMode, FlowAttributes, ForwardedFor,
    HealthCheck, HealthCheckPort, HttpAttributes, Listener, ListenerRule, ListenerTls, LoadBalancer, LogPlace, MinimumHealthy,
    Node, Pattern, PrivateKey, Protocol, ProtocolVersion, QueryPattern, RegisteredTarget, Stickiness, Target, TargetGroup,
    TargetKey, TargetMode, Transform, TrustStore, WeightedGroup,
};
pub use network::{Interface, Network, Peer, Rule, SecurityGroup, Subnet, Traffic};
pub use observation::{Exit, InstanceState, Observation, TargetHealth, TargetReason};
pub use paths::RunPaths;
pub use periods::{Periods, Unsent};
pub use report::{BalancerTraffic, FlowCounts, FlowTraffic, GroupTraffic, Histogram, InstanceUsage, Pace, RequestCounts};
pub use rule_terms::{
    Case, HEADER_NAME_CHARS_MAX, PATTERN_CHARS_MAX, REWRITE_CHARS_MAX, ReplacementPiece, Rewrite, Rewrites, UnfitRule,
    check_glob, check_header_name, compile_regex, parse_cidr,
};
pub use security_policy::{SECURITY_POLICIES, SecurityPolicy, refused_policy, security_policy};

/// Which executor looks after a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Executor {
    Host,
    Edge,
    /// Carries messages to subscribers; it keeps nothing.
    Courier,
    /// Issues certificates; it keeps nothing but its own.
    Authority,
}

/// The kind of thing that a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotKind {
    /// A VPC: its subnets and the rules of its security groups. Id: the VPC's.
    Network,
    /// A network interface that belongs to no instance, such as a load balancer's in one zone. Id: the interface's.
    Interface,
    /// An instance with its interface and disk. Id: the instance's.
    Instance,
    /// A load balancer with its listeners, rules and target groups. Id: its ARN.
    LoadBalancer,
    /// A target of a load balancer's group. Id: [`RegisteredTarget::id_of`].
    Target,
    /// A message on its way to one subscriber. Id: the delivery's.
    Delivery,
    /// A certificate to be issued. Id: its ARN.
    Certificate,
}

impl SlotKind {
    pub fn executor(self) -> Executor {
        match self {
            SlotKind::Network | SlotKind::Interface | SlotKind::Instance => Executor::Host,
            SlotKind::LoadBalancer | SlotKind::Target => Executor::Edge,
            SlotKind::Delivery => Executor::Courier,
            SlotKind::Certificate => Executor::Authority,
        }
    }
}

/// Names one thing in the world. Slots sort by kind first, so that a network comes before its interfaces, and a load balancer
/// before its targets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    pub kind: SlotKind,
    pub id: String,
}

impl Slot {
    pub fn new(kind: SlotKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SlotKind::Network => "network",
            SlotKind::Interface => "interface",
            SlotKind::Instance => "instance",
            SlotKind::LoadBalancer => "load-balancer",
            SlotKind::Target => "target",
            SlotKind::Delivery => "delivery",
            SlotKind::Certificate => "certificate",
        };
        write!(f, "{kind}/{}", self.id)
    }
}

/// The whole wanted state of one slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Want {
    Network(Network),
    Interface(Interface),
    Instance(Box<Instance>),
    LoadBalancer(Box<LoadBalancer>),
    Target(RegisteredTarget),
    Delivery(Box<Delivery>),
    Certificate(CertificateOrder),
}

impl Want {
    pub fn slot(&self) -> Slot {
        match self {
            Want::Network(n) => Slot::new(SlotKind::Network, n.id.as_str()),
            Want::Interface(i) => Slot::new(SlotKind::Interface, i.id.as_str()),
            Want::Instance(i) => Slot::new(SlotKind::Instance, i.id.as_str()),
            Want::LoadBalancer(l) => Slot::new(SlotKind::LoadBalancer, l.id.as_str()),
            Want::Target(t) => Slot::new(SlotKind::Target, RegisteredTarget::id_of(&t.group, &t.target.key)),
            Want::Delivery(d) => Slot::new(SlotKind::Delivery, d.id.as_str()),
            Want::Certificate(c) => Slot::new(SlotKind::Certificate, c.id.as_str()),
        }
    }
}

/// What one slot must become. `want` is none when the thing must not exist (any more).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    pub slot: Slot,
    /// Grows with each change of the slot; an executor ignores an older one than it has applied.
    pub version: u64,
    pub want: Option<Want>,
}
