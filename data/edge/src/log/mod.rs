//! What a load balancer writes down of requests, connections and health checks, in the formats of the user guides: access logs,
//! connection logs and health check logs of application load balancers, access logs of network load balancers. Each thread
//! gathers lines in buffers of its own; one more thread compresses them and writes files below `buckets/`, which stands for S3.
//!
//! Logs are kept as well as can be, never at the expense of traffic: where the logging thread does not keep up, or the disk is
//! full, lines are dropped and counted. What is not logged costs nothing.

pub(crate) mod access;
pub(crate) mod connection;
pub(crate) mod flow;
pub(crate) mod health;
mod place;
mod scribe;
pub(crate) mod text;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use world::{BalancerKind, LoadBalancer, LogPlace, RunPaths};

pub(crate) use place::check;
use place::{Home, Kind};
use scribe::Message;
pub(crate) use writer::Writer;

/// Buffers of lines that may wait for the logging thread.
const CHUNKS_MAX: usize = 512;

/// One log of one node of a load balancer; every file of it is named after them.
#[derive(Debug)]
pub struct Channel {
    /// Unique in the life of this process.
    number: u64,
    home: Home,
    /// Resource id, such as `app/web/50dc6c495c0c9188`.
    balancer: String,
    /// Of the node, as users reach it.
    node: String,
    /// No longer configured: what comes late is written at once.
    closed: AtomicBool,
    dropped: AtomicU64,
}

impl Channel {
    pub fn balancer(&self) -> &str {
        &self.balancer
    }

    pub fn node(&self) -> &str {
        &self.node
    }

    fn drop_lines(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }
}

/// The logs that a listener of a load balancer at one of its nodes keeps.
#[derive(Debug)]
pub struct SiteLog {
    pub access: Option<Arc<Channel>>,
    pub connection: Option<Arc<Channel>>,
}

/// The logging thread and every log that is kept, as the control thread holds them.
pub struct Logs {
    to: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
    next_number: u64,
    open: BTreeMap<(String, Kind, Ipv4Addr), (LogPlace, Arc<Channel>)>,
}

impl Logs {
    /// Starts the logging thread. Files are written at every multiple of `period`.
    pub fn start(paths: &RunPaths, period: Duration) -> io::Result<Self> {
        let (to, inbox) = sync_channel(CHUNKS_MAX);
        let buckets = paths.buckets();
        let run = move || scribe::run(&buckets, period, &inbox);
        let thread = std::thread::Builder::new().name("edge-log".into()).spawn(run)?;
        Ok(Self { to, thread: Some(thread), next_number: 1, open: BTreeMap::new() })
    }

    /// A writer for one thread.
    pub fn writer(&self) -> Writer {
        Writer::new(self.to.clone())
    }

    /// Opens and closes logs as these load balancers want them.
    pub fn configure<'a>(&mut self, balancers: impl Iterator<Item = &'a LoadBalancer>) {
        let mut wanted = BTreeMap::new();
        for balancer in balancers {
            for (kind, place) in wanted_of(balancer) {
                for node in &balancer.nodes {
                    wanted.insert((balancer.id.to_string(), kind, node.front), place.clone());
                }
            }
        }
        let (to, open) = (&self.to, &mut self.open);
        open.retain(|key, (place, channel)| {
            let stays = wanted.get(key) == Some(place);
            if !stays {
                channel.closed.store(true, Ordering::Relaxed);
                // Where there is no room for the message, the thread sees the mark at its next look.
                let _ = to.try_send(Message::Close(channel.clone()));
            }
            stays
        });
        for (key, place) in wanted {
            if self.open.contains_key(&key) {
                continue;
            }
            if let Some(channel) = self.channel(&key.0, key.1, key.2, &place) {
                let _ = self.to.try_send(Message::Open(channel.clone()));
                self.open.insert(key, (place, channel));
            }
        }
    }

    fn channel(&mut self, balancer: &str, kind: Kind, node: Ipv4Addr, place: &LogPlace) -> Option<Arc<Channel>> {
        let home = Home::new(balancer, kind, node, place)?;
        let number = self.next_number;
        self.next_number += 1;
        Some(Arc::new(Channel {
            number,
            balancer: home.balancer.clone(),
            node: node.to_string(),
            home,
            closed: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        }))
    }

    fn find(&self, balancer: &LoadBalancer, kind: Kind, node: Ipv4Addr) -> Option<Arc<Channel>> {
        self.open.get(&(balancer.id.to_string(), kind, node)).map(|(_, channel)| channel.clone())
    }

    /// What the listeners of an application load balancer log at a node; none when nothing is logged.
    pub fn site(&self, balancer: &LoadBalancer, node: Ipv4Addr) -> Option<Arc<SiteLog>> {
        let (access, connection) = (self.find(balancer, Kind::Access, node), self.find(balancer, Kind::Connection, node));
        (access.is_some() || connection.is_some()).then(|| Arc::new(SiteLog { access, connection }))
    }

    /// Where health checks of targets in a zone are logged.
    pub fn health(&self, balancer: &LoadBalancer, zone: &str) -> Option<Arc<Channel>> {
        let node = balancer.nodes.iter().find(|n| n.zone == zone).or(balancer.nodes.first())?;
        self.find(balancer, Kind::Health, node.front)
    }

    /// Where TLS listeners of a network load balancer log the connections of a node.
    pub fn flow(&self, balancer: &LoadBalancer, node: Ipv4Addr) -> Option<Arc<Channel>> {
        self.find(balancer, Kind::Flow, node)
    }
}

/// The logs that a load balancer keeps.
fn wanted_of(balancer: &LoadBalancer) -> Vec<(Kind, LogPlace)> {
    let access = if balancer.kind == BalancerKind::Network { Kind::Flow } else { Kind::Access };
    let logs = [
        (access, &balancer.access_log),
        (Kind::Connection, &balancer.connection_log),
        (Kind::Health, &balancer.health_check_log),
    ];
    logs.into_iter().filter_map(|(kind, place)| Some((kind, place.clone()?))).collect()
}

impl Drop for Logs {
    /// Writes what there is. Threads that write must have ended before, or their last lines are lost.
    fn drop(&mut self) {
        let _ = self.to.send(Message::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
