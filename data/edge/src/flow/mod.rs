//! Network load balancers: connections and datagrams that are passed on as they are, by what their addresses say. It reads no
//! byte of what users send, but for TLS where a listener ends it, and knows nothing of HTTP.
//!
//! A flow goes to one target for as long as it lasts. What AWS does per packet is done per connection here: the load balancer
//! takes the client's connection and opens one of its own to the target, so that targets see the address of its node.

mod carry;
mod choose;
pub(crate) mod compile;
pub(crate) mod counters;
pub(crate) mod preface;
pub(crate) mod segments;
pub(crate) mod share;
mod splice;
mod story;
mod tcp;
pub(crate) mod udp;

use std::sync::Arc;

use crate::log::Channel;
use crate::tls::listener::Front;
pub(crate) use choose::mix;
use counters::FlowCounters;
use share::Share;
pub(crate) use tcp::serve;

/// "Network Load Balancers: Connection idle timeout": of TCP where nothing else is set, and of TLS always.
pub const TCP_IDLE_MS: u64 = 350_000;
/// Likewise, of UDP.
pub const UDP_IDLE_MS: u64 = 120_000;

/// A listener of a network load balancer at one of its addresses.
#[derive(Debug)]
pub struct Site {
    /// The groups that its flows are divided among.
    pub shares: Vec<Share>,
    /// Nodes that answer here: one at an address of its own, all at one that load balancers share, as in DNS.
    pub nodes: Vec<usize>,
    /// Of each of the load balancer's nodes.
    pub counters: Vec<Arc<FlowCounters>>,
    pub kind: Kind,
    pub idle_ms: u64,
    /// How a TLS listener speaks with clients.
    pub front: Option<Arc<Front>>,
    /// Where its connections are noted: those of a TLS listener, when they are.
    pub log: Option<FlowLog>,
}

/// The access log of a TLS listener at a node.
#[derive(Debug)]
pub struct FlowLog {
    pub channel: Arc<Channel>,
    /// ARN.
    pub listener: String,
}

/// What a flow counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tcp,
    Tls,
    Udp,
}
