//! Where users reach the load balancers: `run/edge-front.json`, for whoever prints a URL. Only the file's shape.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use world::RunPaths;

use crate::files::{Readers, write_atomically};

/// The content of `run/edge-front.json`. It is replaced as a whole when a listener comes or goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrontReport {
    /// The edge that serves: its process, and the version of its binary.
    #[serde(default)]
    pub pid: u32,
    #[serde(default)]
    pub version: String,
    pub listeners: Vec<FrontListener>,
}

/// One listener of one load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontListener {
    /// ARN.
    pub load_balancer: String,
    pub dns_name: String,
    /// ARN.
    pub listener: String,
    /// The port that was asked for.
    pub port: u16,
    /// The shared front door; its port differs from `port` where that could not be had.
    pub front_door: SocketAddr,
    /// The same by IPv6, where the load balancer has that too.
    #[serde(default)]
    pub front_door_v6: Option<SocketAddr>,
    /// ARN of another listener that wants the front door's port too, where this one is of a network load balancer and so does
    /// not have it: `front_door` is then the address of its first node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_door_wanted_by: Option<String>,
    /// The load balancer's own addresses, with the zone of each.
    pub nodes: Vec<(String, SocketAddr)>,
    /// Zones that have too few healthy targets for users to be sent there (`target_group_health.dns_failover.*`). When all
    /// have, nobody is better off elsewhere.
    #[serde(default)]
    pub failed_zones: Vec<String>,
    /// `http://NAME[:PORT]/` by way of the front door; `tcp://NAME:PORT`, `tls:` or `udp:` of a network load balancer.
    pub url: String,
}

impl FrontReport {
    /// Reads the report; none when there is no edge or the file is not understood.
    pub fn read(paths: &RunPaths) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(paths.edge_front_report()).ok()?).ok()
    }

    pub(crate) fn write(&self, paths: &RunPaths) -> std::io::Result<()> {
        write_atomically(&paths.edge_front_report(), &serde_json::to_vec_pretty(self)?, Readers::All)
    }
}
