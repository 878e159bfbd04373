//! Changing the edge for another one without harm: what one process tells another, and the sockets that go along. A new edge
//! asks the one that runs for everything ([`take`]), the old one gives it and lives on for the connections that it has
//! ([`give`]); and `serve` keeps the listening sockets of an edge that may die ([`keeper`]). It opens no listening socket of
//! users and serves nobody.
//!
//! ```text
//!  new: Ask ------------------> old: changes nothing from now on
//!       <-------- Estate, lock and sockets
//!  serves, with the same sockets, and listens for `serve`
//!       Serving --------------> accepts and receives no more
//!       <-------- Stopped       and the flows of datagrams, with their sockets
//!                               (traffic, busy targets, until its last connection has ended)
//! ```
//!
//! Whoever dies, the other serves: until `Serving` both accept connections, and the lock belongs to whoever of them lives.

pub mod give;
pub mod keeper;
pub mod take;
mod wire;

use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use base::NetworkInterfaceId;
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use serde::{Deserialize, Serialize};
use world::{Observation, RunPaths};

use crate::control::doors::Passed;
use crate::control::store::Stored;
use crate::control::targets::MemberKey;
use crate::flow::compile::Transport;
use crate::tls::tickets::PassedKey;
pub use wire::Peer;

/// What both must speak. An addition that can be left out when it is read changes nothing.
const PROTOCOL: u32 = 2;
/// How long the other side may take for a message.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long the new edge may take until it serves.
const SERVING_MAX: Duration = Duration::from_secs(20);
/// Addresses, their sockets, and flows that are passed on at most.
const DOORS_MAX: usize = 16_384;
const SOCKETS_MAX: usize = 65_536;
pub const FLOWS_MAX: usize = 65_536;

/// One message between two edges.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum Message {
    /// From the new edge: it wants to take over.
    Ask { protocol: u32, version: String, pid: u32 },
    /// From the old one: not now.
    Refused { reason: String },
    /// From the old one; its lock and the sockets of its doors, in their order, follow.
    Estate(Box<Estate>),
    /// From the new one: it accepts connections.
    Serving,
    /// From the old one: it accepts and receives no more, and has requests under way at these targets. It leaves these flows of
    /// datagrams, whose sockets towards their targets follow, in this order.
    Stopped { busy: Vec<MemberKey>, flows: Vec<FlowNote> },
    /// From the old one: it now has requests under way at these and no others.
    Busy { targets: Vec<MemberKey> },
    /// From the old one: what its last connections did.
    Traffic { report: Observation },
    /// From the new one: cut what is under way at this target.
    Cut { target: MemberKey },
    /// From the new one: the region ends.
    Finish,
}

/// All that an edge leaves to the next one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Estate {
    pub stored: Stored,
    /// Of sessions that clients take up again, the newest first.
    pub tickets: Vec<PassedKey>,
    pub doors: Vec<DoorNote>,
}

/// An address whose sockets come along.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DoorNote {
    pub address: IpAddr,
    /// The port that was asked for, and the one that it has.
    pub port: u16,
    pub bound: u16,
    pub sockets: usize,
}

/// A flow of datagrams that goes on at the new edge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowNote {
    /// The address at which its client calls, and the number of the socket there that its datagrams come to.
    pub at: SocketAddr,
    pub door: usize,
    pub client: SocketAddr,
    /// None when its target is registered no more.
    pub member: Option<MemberKey>,
    pub target: SocketAddrV4,
    pub from: NetworkInterfaceId,
    /// The number of the load balancer's node that reaches it.
    pub node: usize,
    /// For how long nobody has said anything.
    pub silent_ms: u64,
    /// Its target is told of the client before each datagram.
    #[serde(default)]
    pub announces: bool,
}

/// Where an edge listens for the one that shall take over.
pub fn socket(paths: &RunPaths) -> PathBuf {
    paths.run().join("edge-handover.sock")
}

/// Notes that tell what the sockets are, and the sockets.
pub fn note_doors(passed: Vec<Passed>) -> (Vec<DoorNote>, Vec<OwnedFd>) {
    let note = |p: &Passed| DoorNote { address: p.wanted.0, port: p.wanted.1, bound: p.port, sockets: p.sockets.len() };
    (passed.iter().map(note).collect(), passed.into_iter().flat_map(|p| p.sockets).collect())
}

/// Receives the sockets that these notes tell of.
fn receive_doors(peer: &Peer, notes: &[DoorNote]) -> std::io::Result<Vec<Passed>> {
    let count = notes.iter().map(|n| n.sockets).fold(0, usize::saturating_add);
    if notes.len() > DOORS_MAX || count > SOCKETS_MAX {
        return Err(std::io::Error::other(format!("{count} sockets of {} addresses are too many", notes.len())));
    }
    let mut sockets = peer.receive_sockets(count)?.into_iter();
    let mut pass = |note: &DoorNote| {
        let sockets: Vec<OwnedFd> = sockets.by_ref().take(note.sockets).collect();
        Ok(Passed { transport: transport(&sockets)?, wanted: (note.address, note.port), port: note.bound, sockets })
    };
    notes.iter().map(&mut pass).collect()
}

/// What sockets are for: they tell it themselves, whoever has kept them.
fn transport(sockets: &[OwnedFd]) -> std::io::Result<Transport> {
    let mut kinds = sockets.iter().map(socket_type);
    let kind = kinds.next().transpose()?.unwrap_or(SocketType::STREAM);
    if kinds.any(|other| other != Ok(kind)) {
        return Err(std::io::Error::other("an address has sockets of several kinds"));
    }
    match kind {
        SocketType::STREAM => Ok(Transport::Tcp),
        SocketType::DGRAM => Ok(Transport::Udp),
        other => Err(std::io::Error::other(format!("a socket of kind {other:?}"))),
    }
}
